"""Mishaps of the router, on the real things, set and undone by hand."""

import pytest

from testbed.clock import SystemClock, wait_until

pytestmark = pytest.mark.live

# A capture disk that can be full exists where the lab file scripts that fault.
MUCH_LATER = ({"kind": "router_disk_full", "at": 86400.0},)


def within(seconds, condition):
    return wait_until(condition, clock=SystemClock(), deadline_s=seconds, poll_s=0.1)


@pytest.fixture(scope="module")
def lab_with_a_disk(make_lab_for_module):
    return make_lab_for_module("faults", faults=MUCH_LATER)


def test_the_link_goes_down_and_comes_back(lab_with_a_disk):
    inside = lab_with_a_disk

    def answers():
        program = (
            "import socket; socket.create_connection(('10.78.0.1', 22), 0.5).recv(4)"
        )
        return inside.python(program + "; print(1)", check=False) != ""

    assert answers()
    with inside.fault("router_link_down"):
        assert within(10, lambda: not answers())
    assert within(10, answers)


def test_the_disk_is_full_and_is_wide_again(lab_with_a_disk):
    captures = lab_with_a_disk.handle.state / "router" / "captures"

    def free_b():
        out = lab_with_a_disk.run(["df", "-B1", "--output=avail", str(captures)])
        return int(out.split()[-1])

    assert free_b() > 10**9
    with lab_with_a_disk.fault("router_disk_full"):
        assert within(10, lambda: free_b() < 2_000_000)
    assert within(10, lambda: free_b() > 10**9)


def test_a_capture_that_runs_is_killed(lab_with_a_disk):
    inside = lab_with_a_disk
    path = inside.handle.state / "router" / "captures" / "x.pcapng"
    command = f"dumpcap -q -i br-lan -w {path} 2>/dev/null; echo $?"
    with inside.background([*inside.ssh_command(), command]) as capture:
        begun = ["sh", "-c", f"test -e {path} && echo begun"]
        assert within(20, lambda: inside.run(begun, check=False) != "")
        with inside.fault("capture_killed"):
            told, _ = capture.communicate(timeout=20)
    assert told.strip() == b"137"  # 128 + SIGKILL


def test_a_scripted_fault_of_an_instrument_is_seen_by_it(live_lab, make_lab):
    program = """
        import socket
        peer = socket.create_connection(("10.78.0.20", 5555), 3)
        peer.settimeout(0.5)
        try:
            print(repr(peer.recv(10)))
        except (TimeoutError, ConnectionResetError) as exc:
            print(type(exc).__name__)
    """
    offline = make_lab("offline", faults=({"kind": "phone_offline"},))
    assert offline.python(program).strip() in ("b''", "ConnectionResetError")
    assert live_lab.python(program).strip() == "TimeoutError"  # it waits for us
