"""The wrong clock of the virtual router: stamps of captures, answers of programs."""

import datetime as dt
import json
import subprocess
import sys

import pytest

from testbed.clock import SystemClock, wait_until
from testbed.virtual.live import skew as skewing
from testbed.virtual.live.skew import Skew, rewrite, understand

START_NS = 1_700_000_000 * 10**9
WRONG = Skew(start_ns=START_NS, offset_ns=49 * 10**9, drift_ppm=20.0)
TRUE_NS = [START_NS + s * 10**9 + 123_456_000 for s in (0, 1, 3600)]


def capture_of(stamps_ns, kind, tmp_path):
    """Write one frame per stamp with text2pcap and editcap; return the file."""
    text = "".join(
        f"{dt.datetime.fromtimestamp(s // 10**9, tz=dt.UTC):%Y-%m-%dT%H:%M:%S}"
        f".{s % 10**9:09d}Z\n0000 ff ff ff ff ff ff 02 00 00 00 00 01 08 06 00 01\n"
        for s in stamps_ns
    )
    path = tmp_path / f"capture.{kind}"
    raw = tmp_path / "raw"
    subprocess.run(
        ["text2pcap", "-q", "-t", "ISO", "-", str(raw)],
        input=text,
        text=True,
        check=True,
        capture_output=True,
    )
    subprocess.run(["editcap", "-F", kind, str(raw), str(path)], check=True)
    return path


def stamps_of(path):
    out = subprocess.run(
        ["tshark", "-r", str(path), "-T", "fields", "-e", "frame.time_epoch"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    parts = [line.partition(".") for line in out.split()]
    return [int(s) * 10**9 + int(f.ljust(9, "0")) for s, _, f in parts]


@pytest.mark.parametrize("kind", ["pcap", "nsecpcap", "pcapng"])
def test_every_stamp_of_a_file_is_moved_by_offset_and_drift(kind, tmp_path):
    path = capture_of(TRUE_NS, kind, tmp_path)
    rewrite(path, WRONG)
    wanted = [WRONG.at(t) for t in TRUE_NS]
    assert all(
        abs(got - want) < 1_000
        for got, want in zip(stamps_of(path), wanted, strict=True)
    )
    assert wanted[2] - TRUE_NS[2] == 49 * 10**9 + 72_000_000 + 2469


def test_a_file_that_was_cut_keeps_its_whole_packets(tmp_path):
    path = capture_of(TRUE_NS, "pcapng", tmp_path)
    data = path.read_bytes()
    path.write_bytes(data[:-10])
    rewrite(path, WRONG)
    assert path.read_bytes() != data[:-10]
    assert len(path.read_bytes()) == len(data) - 10


@pytest.mark.parametrize("content", [b"", b"short", bytes(100), b"x" * 100])
def test_what_is_no_capture_is_left_alone(content, tmp_path):
    path = tmp_path / "other"
    path.write_bytes(content)
    rewrite(path, WRONG)
    assert path.read_bytes() == content


def test_the_name_of_a_finished_file_is_asked_of_us_instead_of_the_tool():
    words = ["/usr/bin/tshark", "-b", "duration:5", "-b", "printname:stdout", "-w", "f"]
    order = understand(words)
    assert order.prints
    assert order.command == ["/usr/bin/tshark", "-b", "duration:5", "-w", "f"]


def test_tcpdump_does_not_run_the_command_that_we_run_for_it():
    order = understand(["/usr/bin/tcpdump", "-w", "d/%s.pcap", "-z", "d/after"])
    assert order.after == "d/after"
    assert order.command == ["/usr/bin/tcpdump", "-w", "d/%s.pcap"]


def test_a_tool_that_writes_no_file_is_simply_run(tmp_path):
    values = tmp_path / "skew.json"
    values.write_text('{"start_ns": 0, "offset_ns": 0, "drift_ppm": 0}')
    done = subprocess.run(
        [sys.executable, "-I", "-S", skewing.__file__, str(values), "/bin/echo", "-n"],
        capture_output=True,
        check=True,
    )
    assert done.stdout == b""


@pytest.mark.live
def test_programs_on_the_router_tell_the_wrong_time(live_lab):
    program = "import time; print(time.time_ns())"
    begun_ns = int(live_lab.run(["date", "+%s%N"]))
    told = live_lab.ssh(f"python3 -c '{program}'; dash -c 'date +%s%N'").split()
    true_ns = int(live_lab.run(["date", "+%s%N"]))
    assert len(told) == 2
    # 49 s ahead, however long the machine took for it
    first_ns, last_ns = (at_ns + 49 * 10**9 for at_ns in (begun_ns, true_ns))
    slack_ns = 10**8
    assert all(first_ns - slack_ns < int(t) < last_ns + slack_ns for t in told)


@pytest.mark.live
@pytest.mark.parametrize("tool", ["dumpcap", "tshark", "tcpdump"])
def test_a_capture_on_the_router_has_the_routers_stamps(live_lab, tool):
    path = live_lab.handle.state / "router" / f"{tool}.pcapng"
    command = f"{tool} -i br-lan -w {path} 2>/dev/null & read -r _; kill -INT $!; wait"
    begun_ns = int(live_lab.run(["date", "+%s%N"]))
    process = live_lab.start([*live_lab.ssh_command(), command])
    assert wait_until(path.exists, clock=SystemClock(), deadline_s=60.0)
    ping = ["busybox", "ping", "-c", "25", "-i", "0.1", "198.51.100.11"]
    live_lab.at("arlo_q", ping, check=False)
    process.communicate(b"\n", timeout=60)
    true_ns = int(live_lab.run(["date", "+%s%N"]))
    stamps = stamps_of(path)
    assert stamps
    # 49 s ahead, however long the machine took for it
    first_ns, last_ns = (at_ns + 49 * 10**9 for at_ns in (begun_ns, true_ns))
    slack_ns = 10**8
    assert first_ns - slack_ns < min(stamps) <= max(stamps) < last_ns + slack_ns


def test_a_step_moves_what_comes_after_it_and_dropped_packets_are_gone(tmp_path):
    path = capture_of(TRUE_NS, "pcapng", tmp_path)
    values = tmp_path / "skew.json"
    facts = {"start_ns": START_NS, "offset_ns": 0, "drift_ppm": 0.0}
    steps = [[TRUE_NS[1], -3 * 10**9]]
    drops = [[TRUE_NS[0], TRUE_NS[1]]]
    values.write_text(json.dumps({**facts, "steps": steps, "drops": drops}))
    assert skewing.correct(path, values) == 1
    assert stamps_of(path) == [TRUE_NS[1] - 3 * 10**9, TRUE_NS[2] - 3 * 10**9]
    assert skewing.noted(values).read_text().split() == [str(path)]


def test_the_routers_clock_steps_for_captures_and_programs_alike(live_lab):
    clock, nominal_s = SystemClock(), 49.0

    def shows(command, wanted_s):
        """Say whether it is as far ahead, whatever ssh takes there and back."""
        asked_ns = clock.now_ns()
        shown_ns = int(live_lab.ssh(command))
        most_s, least_s = ((shown_ns - t) / 1e9 for t in (asked_ns, clock.now_ns()))
        return most_s - least_s < 8 and least_s - 0.1 < wanted_s < most_s + 0.1

    def soon_show(wanted_s):
        date = live_lab.handle.state / "router" / "bin" / "date"
        return all(
            wait_until(lambda one=one: shows(one, wanted_s), clock=clock, deadline_s=60)
            for one in (
                f"{date} +%s%N",
                "python3 -c 'import time; print(time.time_ns())'",
            )
        )

    assert soon_show(nominal_s)
    with live_lab.fault("clock_step", "20 s"):
        assert soon_show(nominal_s + 20)
    assert soon_show(nominal_s)
