"""Rotation, fetching while it goes on, and the ways in which a capture may end."""

import hashlib
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from testbed.clock import SystemClock, wait_until
from testbed.errors import DriverGarbledError, DriverRefusedError

TOOLS = ("tshark", "dumpcap", "tcpdump")
every_tool = pytest.mark.parametrize("tool", TOOLS)
CLOCK = SystemClock()

CONTROLLER = """
import socket, sys
from testbed.clock import SystemClock
from testbed.drivers.router_ssh import open_router
from testbed.model.lab import RouterAt
router = open_router(RouterAt.model_validate_json(sys.argv[1]), SystemClock())
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
router.start_capture(sys.argv[2], lambda: out.sendto(b"x", ("127.0.0.1", 47777)))
print("recording", flush=True)
sys.stdin.read()
"""


def fetch_all(router, folder: Path) -> list[Path]:
    targets = []
    for file in router.finished_files():
        targets.append(folder / file.name)
        router.fetch(file, targets[-1])
    return targets


def labels(files: list[Path]) -> list[int]:
    data = b"".join(f.read_bytes() for f in files)
    return [int(n) for n in re.findall(rb"<label-(\d{6})>", data)]


def pids(word: str) -> list[int]:
    """Return the processes of this network namespace whose command line has `word`."""
    found = []
    here = Path("/proc/thread-self/ns/net").readlink()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
            if (entry / "ns/net").readlink() == here and word.encode() in (
                Path(os.fsdecode(words[0])).name.encode(),
                *words[1:],
            ):
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def within(condition, deadline_s: float = 60.0) -> bool:
    return wait_until(condition, clock=CLOCK, deadline_s=deadline_s)


def n_written(folder: Path) -> int:
    """Return how many labels are on the router's disk under the name of a capture."""
    try:
        return len(labels(list(folder.rglob("*.pcap*"))))
    except OSError:  # a file was moved just now
        return 0


@every_tool
def test_rotates_and_hands_over_files_while_it_records(opened, sender, tmp_path, tool):
    router = opened(tool=tool, rotate=1.0)
    router.start_capture(f"roll-{tool}", sender.poke)
    files: list[Path] = []
    for _ in range(30):
        sender.send(20, gap_s=0.007)
        files += fetch_all(router, tmp_path)
    n_early = len(files)
    router.stop_capture()
    files += fetch_all(router, tmp_path)
    assert n_early >= 2
    suffix = "pcap" if tool == "tcpdump" else "pcapng"
    assert [f.name for f in files] == [
        f"lan-{i:05d}.{suffix}" for i in range(1, len(files) + 1)
    ]
    assert len(labels(files)) == 600
    assert router.finished_files() == ()


@every_tool
def test_rotates_by_size(opened, sender, tmp_path, tool):
    router = opened(tool=tool, rotate_mb=1)
    router.start_capture(f"size-{tool}", sender.poke)
    for _ in range(3600):
        sender.out.sendto(b"x" * 1300, sender.sink.getsockname())
        CLOCK.sleep(0.0003)
    router.stop_capture()
    sizes = [f.stat().st_size for f in fetch_all(router, tmp_path)]
    assert len(sizes) >= 3
    assert max(sizes) < 1_200_000


def test_a_second_start_under_one_name_goes_on_with_its_numbers(
    opened, sender, tmp_path
):
    router = opened(tool="tcpdump")
    for start in range(2):
        router.start_capture("twice", sender.poke)
        sender.send(10)
        router.stop_capture()
        if start == 0:
            fetch_all(router, tmp_path)
    (file,) = router.finished_files()
    assert file.name == "lan-00002.pcap"


def test_fetching_a_file_again_is_harmless(opened, sender, tmp_path):
    router = opened(tool="dumpcap")
    router.start_capture("again", sender.poke)
    router.stop_capture()
    (file,) = router.finished_files()
    target = tmp_path / file.name
    router.fetch(file, target)
    router.fetch(file, target)
    assert hashlib.sha256(target.read_bytes()).hexdigest() == file.sha256
    assert target.stat().st_size == file.size_b
    target.write_bytes(b"something else")
    with pytest.raises(DriverRefusedError, match="other content"):
        router.fetch(file, target)


def test_a_copy_that_differs_is_refused_and_nothing_is_lost(
    opened, sender, tmp_path, router_host
):
    router = opened(tool="dumpcap")
    router.start_capture("damaged", sender.poke)
    router.stop_capture()
    (file,) = router.finished_files()
    remote = router_host.captures / "damaged" / "done" / file.name
    data = bytearray(remote.read_bytes())
    data[-1] ^= 1
    remote.write_bytes(data)
    with pytest.raises(DriverGarbledError, match="sha256"):
        router.fetch(file, tmp_path / file.name)
    assert list(tmp_path.iterdir()) == []
    assert remote.exists()


@pytest.mark.parametrize("tool", ["tshark", "tcpdump"])
def test_the_lease_ends_the_capture_of_a_controller_that_was_killed(
    opened, sender, tmp_path, router_host, tool
):
    name = f"lease-{tool}"
    at = router_host.at(tool=tool, lease=6.0).model_dump_json()
    controller = subprocess.Popen(
        [sys.executable, "-c", CONTROLLER, at, name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert controller.stdin is not None
    assert controller.stdout is not None
    assert controller.stdout.readline() == b"recording\n"
    sender.send(50)
    controller.kill()
    controller.wait()
    controller.stdin.close()
    controller.stdout.close()
    assert router_host.processes()
    assert within(lambda: not router_host.processes())
    assert pids("dumpcap") == []
    status = router_host.captures / name / "status"
    assert "stopped_by=lease" in status.read_text(encoding="utf-8")
    heir = opened(tool=tool)
    heir.start_capture(name, sender.poke)
    assert labels(fetch_all(heir, tmp_path)) == list(range(50))
    assert heir.stop_capture().stopped_by == "INT"


def test_a_second_controller_ends_what_the_first_left_and_fetches_it(
    opened, sender, tmp_path, router_host
):
    first = opened(tool="tshark")
    first.start_capture("orphan", sender.poke)
    sender.send(50)
    assert within(lambda: n_written(router_host.captures / "orphan") == 50)
    first.close()
    second = opened(tool="tshark")
    with pytest.raises(DriverRefusedError, match="runs already"):
        second.start_capture("orphan", sender.poke)
    (what,) = second.reap()
    assert what.startswith("orphan: processes")
    assert router_host.processes() == []
    assert second.reap() == ()
    second.start_capture("orphan", sender.poke)
    assert labels(fetch_all(second, tmp_path)) == list(range(50))


def test_renewing_keeps_a_capture_beyond_its_lease(opened, sender):
    router = opened(tool="tcpdump", lease=8.0)  # longer than the drain of a stop
    router.start_capture("renewed", sender.poke)
    for _ in range(10):
        CLOCK.sleep(1.0)
        router.renew_lease()
    assert router.stop_capture().stopped_by == "INT"


@every_tool
def test_packets_that_the_tool_could_not_take_are_counted(opened, sender, tool):
    router = opened(tool=tool)
    router.start_capture(f"drops-{tool}", sender.poke)
    (stalled,) = pids("tcpdump" if tool == "tcpdump" else "dumpcap")
    os.kill(stalled, signal.SIGSTOP)
    for _ in range(30_000):
        sender.out.sendto(b"x" * 1400, sender.sink.getsockname())
    os.kill(stalled, signal.SIGCONT)
    end = router.stop_capture()
    assert end.dropped > 1000
    assert end.received > 1000
    assert "dropped" in end.log


@pytest.mark.parametrize("victim", ["tshark", "dumpcap"])
def test_a_killed_tool_ends_the_capture_and_leaves_no_orphan(
    opened, sender, router_host, tmp_path, victim
):
    router = opened(tool="tshark")
    router.start_capture(f"killed-{victim}", sender.poke)
    sender.send(50)
    assert within(lambda: n_written(router_host.captures / f"killed-{victim}") == 50)
    (pid,) = pids(victim)
    assert router.is_recording()
    os.kill(pid, signal.SIGKILL)
    assert within(lambda: not router.is_recording())
    assert within(lambda: not router_host.processes())
    assert not router.is_recording()
    assert router.stop_capture().stopped_by == "gone"
    assert labels(fetch_all(router, tmp_path)) == list(range(50))


def test_a_killed_supervisor_is_noticed_and_its_tool_is_ended(
    opened, sender, router_host, tmp_path
):
    router = opened(tool="dumpcap")
    router.start_capture("beheaded", sender.poke)
    sender.send(50)
    assert within(lambda: n_written(router_host.captures / "beheaded") == 50)
    (pid,) = pids(str(router_host.captures / "beheaded/supervisor.sh"))
    assert router.is_recording()
    os.kill(pid, signal.SIGKILL)
    # a process dies when it is next given the processor, not within the call
    assert within(lambda: not router.is_recording())
    assert router.stop_capture().stopped_by == "gone"
    assert router_host.processes() == []
    router.start_capture("beheaded", sender.poke)
    assert labels(fetch_all(router, tmp_path)) == list(range(50))


def recorded(router, sender, name: str, folder: Path) -> Path:
    """Record 20 labels under a name, fetch nothing, return the folder on the router."""
    router.start_capture(name, sender.poke)
    sender.send(20)
    router.stop_capture()
    return folder / name


@pytest.mark.parametrize("index", ["", "lan-000", "lan-00001.pcapng 12 \n"])
def test_a_file_that_a_power_cut_left_out_of_the_index_is_listed_after_it(
    opened, sender, tmp_path, router_host, index
):
    router = opened(tool="dumpcap")
    name = f"cut-index-{len(index)}"
    there = recorded(router, sender, name, router_host.captures)
    kept = (there / "done/lan-00001.pcapng").read_bytes()
    (there / "index").write_text(index, encoding="utf-8")
    router.start_capture(name, sender.poke)
    sender.send(20)
    router.stop_capture()
    files = fetch_all(router, tmp_path)
    assert [f.name for f in files] == ["lan-00001.pcapng", "lan-00002.pcapng"]
    assert files[0].read_bytes() == kept
    assert labels(files) == [*range(20), *range(20)]


def test_a_file_that_a_power_cut_kept_from_being_moved_is_listed_after_it(
    opened, sender, tmp_path, router_host
):
    router = opened(tool="dumpcap")
    there = recorded(router, sender, "cut-move", router_host.captures)
    (there / "done/lan-00001.pcapng").rename(there / "live/lan_00001_2026.pcapng")
    router.start_capture("cut-move", sender.poke)
    sender.send(20)
    router.stop_capture()
    files = fetch_all(router, tmp_path)
    assert [f.name for f in files] == ["lan-00002.pcapng", "lan-00003.pcapng"]
    assert labels(files) == [*range(20), *range(20)]


def test_numbers_go_on_after_the_highest_even_without_an_index(
    opened, sender, tmp_path, router_host
):
    router = opened(tool="dumpcap")
    there = recorded(router, sender, "cut-count", router_host.captures)
    (there / "done/lan-00001.pcapng").rename(there / "done/lan-00009.pcapng")
    (there / "index").unlink()
    router.start_capture("cut-count", sender.poke)
    router.stop_capture()
    names = [f.name for f in fetch_all(router, tmp_path)]
    assert names == ["lan-00009.pcapng", "lan-00010.pcapng"]


def test_what_a_power_cut_emptied_is_not_listed(opened, sender, router_host):
    router = opened(tool="dumpcap")
    there = recorded(router, sender, "cut-data", router_host.captures)
    (there / "done/lan-00001.pcapng").write_bytes(b"")
    router.start_capture("cut-data", sender.poke)
    router.stop_capture()
    assert [f.name for f in router.finished_files()] == ["lan-00002.pcapng"]


def test_each_file_is_indexed_before_it_is_moved(opened, sender, router_host):
    router = opened(tool="dumpcap")
    there = router_host.captures / "order"
    router.start_capture("order", sender.poke)
    (there / "done").rename(there / "elsewhere")  # now no file can be moved
    router.stop_capture()
    index = (there / "index").read_text(encoding="utf-8")
    assert index.startswith("lan-00001.pcapng ")
    (there / "elsewhere").rename(there / "done")
    router.start_capture("order", sender.poke)
    router.stop_capture()
    assert len(router.finished_files()) == 2


def test_reaping_spares_the_captures_of_another_lab_on_the_same_router(opened, sender):
    ours, theirs = opened(tool="dumpcap"), opened(tool="dumpcap", point="upstairs")
    ours.start_capture("ours", sender.poke)
    theirs.start_capture("theirs", sender.poke)
    (what,) = theirs.reap()
    assert what.startswith("theirs: processes")
    assert ours.is_recording()
    assert not theirs.is_recording()
