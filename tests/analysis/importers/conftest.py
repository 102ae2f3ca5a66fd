import subprocess

import pytest


@pytest.fixture
def tshark_fields():
    """Return the fields that tshark shows of each packet of a capture."""

    def _tshark(path, *fields):
        shown = [part for field in fields for part in ("-e", field)]
        done = subprocess.run(
            ["tshark", "-r", str(path), "-T", "fields", *shown],
            capture_output=True,
            text=True,
            check=True,
        )
        return [line.split("\t") for line in done.stdout.splitlines()]

    return _tshark
