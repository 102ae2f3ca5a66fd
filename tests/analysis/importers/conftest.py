import subprocess

import pytest

from analysis.pcap.writer import open_capture


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


MAC = "02:00:00:00:00:11"


@pytest.fixture
def record(tmp_path):
    """Write a capture of a device: frames of 60 b and more, at these epoch seconds."""

    def _record(name, at_s, mac=MAC):
        path = tmp_path / "theirs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        device = bytes.fromhex(mac.replace(":", ""))
        with open_capture(path) as capture:
            for number, at in enumerate(at_s):
                ends = (b"\2" * 6, device) if number % 2 else (device, b"\2" * 6)
                frame = b"".join((*ends, b"\x88\xb5", bytes(46 + number)))
                capture.packet(round(at * 1e9), frame)
        return path

    return _record
