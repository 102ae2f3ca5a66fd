import subprocess

import pytest

from analysis.importers.trace_table import TraceRecipe
from analysis.importers.traces import import_traces
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


@pytest.fixture
def bring(tmp_path):
    """Import one CSV of this text, or these files and their labels."""

    def _bring(text=None, files=None, labels=None, target="done", **recipe):
        folder = tmp_path / "theirs"
        folder.mkdir(exist_ok=True)
        for name, content in (files or {"all.csv": text}).items():
            folder.joinpath(name).parent.mkdir(parents=True, exist_ok=True)
            mode = {"encoding": "utf-8"} if isinstance(content, str) else {}
            write = folder.joinpath(name)
            if mode:
                write.write_text(content, **mode)
            else:
                write.write_bytes(content)
        named = tmp_path / "labels.csv"
        if labels is not None:
            named.write_text(labels)
        return import_traces(
            [folder if files else folder / "all.csv"],
            labels=None if labels is None else named,
            target=tmp_path / target,
            device="plug",
            recipe=TraceRecipe(**recipe),
        )

    return _bring
