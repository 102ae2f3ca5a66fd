"""What a capture point promises, for each tool, on a router with busybox only."""

import re
import subprocess
from pathlib import Path

import pytest

TOOLS = ("tshark", "dumpcap", "tcpdump")
every_tool = pytest.mark.parametrize("tool", TOOLS)


def fetch_all(router, folder: Path) -> list[Path]:
    targets = []
    for file in router.finished_files():
        targets.append(folder / file.name)
        router.fetch(file, targets[-1])
    return targets


def labels(files: list[Path], word: str = "label") -> list[int]:
    """Return the numbers of the packets that `Sender.send` sent, as recorded."""
    data = b"".join(f.read_bytes() for f in files)
    return [int(n) for n in re.findall(rf"<{word}-(\d{{6}})>".encode(), data)]


@every_tool
@pytest.mark.parametrize("repetition", range(3))
def test_keeps_50_of_50_packets_sent_between_start_and_stop(
    opened, sender, tmp_path, tool, repetition
):
    router = opened(tool=tool)
    router.start_capture(f"fifty-{tool}-{repetition}", sender.poke)
    sender.send(50)
    end = router.stop_capture()
    files = fetch_all(router, tmp_path)
    assert labels(files) == list(range(50))
    assert (end.stopped_by, end.dropped) == ("INT", 0)
    assert end.received >= 50
    assert end.tool == tool
    assert re.search(r"\d+\.\d+", end.version)


@every_tool
def test_tshark_reads_what_was_captured(opened, sender, tmp_path, tool):
    router = opened(tool=tool)
    router.start_capture(f"read-{tool}", sender.poke)
    sender.send(20)
    router.stop_capture()
    (file,) = fetch_all(router, tmp_path)
    port = sender.sink.getsockname()[1]
    command = ["tshark", "-r", str(file), "-Y", f"udp.port == {port}", "-T", "fields"]
    shown = subprocess.run(
        [*command, "-e", "frame.time_epoch"], capture_output=True, text=True, check=True
    )
    assert len(shown.stdout.splitlines()) == 20


@every_tool
def test_says_that_it_records_from_start_to_stop_and_no_longer(opened, sender, tool):
    router = opened(tool=tool, rotate=1.0)
    assert not router.is_recording()
    router.start_capture(f"says-{tool}", sender.poke)
    for _ in range(3):
        sender.send(50, gap_s=0.007)
        assert router.is_recording()
    router.stop_capture()
    assert not router.is_recording()
    assert router.finished_files()
