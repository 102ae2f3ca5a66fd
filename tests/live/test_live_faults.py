"""Scripted mishaps of the router, on the real things."""

import pytest

from testbed.clock import SystemClock, wait_until

pytestmark = pytest.mark.live

FAULTS = (
    {"kind": "router_link_down", "at": 3.0, "until": 5.0},
    {"kind": "router_disk_full", "at": 6.0, "until": 8.0},
    {"kind": "capture_killed", "at": 11.0},
)


def within(seconds, condition):
    return wait_until(condition, clock=SystemClock(), deadline_s=seconds, poll_s=0.1)


def test_link_disk_and_capture_fail_and_come_back_on_time(make_lab):
    inside = make_lab("faults", faults=FAULTS)
    captures = inside.handle.state / "router" / "captures"

    def answers():
        program = (
            "import socket; socket.create_connection(('10.78.0.1', 22), 0.5).recv(4)"
        )
        return inside.python(program + "; print(1)", check=False) != ""

    def free_b():
        out = inside.run(["df", "-B1", "--output=avail", str(captures)])
        return int(out.split()[-1])

    assert answers()
    assert free_b() > 10**9
    assert within(5, lambda: not answers())
    assert within(4, answers)
    assert within(4, lambda: free_b() < 2_000_000)
    assert within(4, lambda: free_b() > 10**9)
    path = captures / "x.pcapng"
    told = inside.ssh(f"dumpcap -q -i br-lan -w {path} 2>/dev/null; echo $?")
    assert told.strip() == "137"  # 128 + SIGKILL


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
