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

    assert within(60, answers)
    with inside.fault("router_link_down"):
        assert within(60, lambda: not answers())
    assert within(60, answers)


def test_the_disk_is_full_and_is_wide_again(lab_with_a_disk):
    captures = lab_with_a_disk.handle.state / "router" / "captures"

    def free_b():
        out = lab_with_a_disk.run(["df", "-B1", "--output=avail", str(captures)])
        return int(out.split()[-1])

    assert free_b() > 10**9
    with lab_with_a_disk.fault("router_disk_full"):
        assert within(60, lambda: free_b() < 2_000_000)
    assert within(60, lambda: free_b() > 10**9)


def test_a_capture_that_runs_is_killed(lab_with_a_disk):
    inside = lab_with_a_disk
    path = inside.handle.state / "router" / "captures" / "x.pcapng"
    command = f"dumpcap -q -i br-lan -w {path} 2>/dev/null; echo $?"
    with inside.background([*inside.ssh_command(), command]) as capture:
        begun = ["sh", "-c", f"test -e {path} && echo begun"]
        assert within(60, lambda: inside.run(begun, check=False) != "")
        with inside.fault("capture_killed"):
            told, _ = capture.communicate(timeout=60)
    assert told.strip() == b"137"  # 128 + SIGKILL


def test_a_scripted_fault_of_an_instrument_is_seen_by_it(live_lab, make_lab):
    program = """
        import socket
        peer = socket.create_connection(("10.78.0.20", 5555), 30)
        peer.settimeout(0.5)
        try:
            print(repr(peer.recv(10)))
        except (TimeoutError, ConnectionResetError) as exc:
            print(type(exc).__name__)
    """
    offline = make_lab("offline", faults=({"kind": "phone_offline"},))
    assert offline.python(program).strip() in ("b''", "ConnectionResetError")
    assert live_lab.python(program).strip() == "TimeoutError"  # it waits for us


def ssh_greets(inside, within_s=0.7):
    """Say what a client of the router's sshd meets: its greeting, or an error."""
    program = f"""
        import socket
        try:
            peer = socket.create_connection(("10.78.0.1", 22), {within_s})
            print(peer.recv(4).decode() or "closed")
        except OSError as exc:
            print(type(exc).__name__)
    """
    return inside.python(program).strip()


def test_a_hung_ssh_link_neither_answers_nor_refuses_and_goes_on_later(live_lab):
    with live_lab.background([*live_lab.ssh_command(), "sleep 3; echo done"]) as ssh:
        assert within(60, lambda: ssh_greets(live_lab) == "SSH-")
        with live_lab.fault("ssh_hang"):
            assert within(60, lambda: ssh_greets(live_lab) == "TimeoutError")
        assert within(60, lambda: ssh_greets(live_lab) == "SSH-")
        told, _ = ssh.communicate(timeout=60)
    assert told.strip() == b"done"


@pytest.mark.parametrize("value", ["", "lost"])
def test_a_router_without_power_forgets_what_ran_and_comes_back(live_lab, value):
    captures = live_lab.handle.state / "router" / "captures"
    path = captures / f"before{value}"
    left = f"setsid sleep 98765 & echo begun >{path}; sleep 60"
    with live_lab.background([*live_lab.ssh_command(), left]):
        there = ["sh", "-c", f"test -s {path} && echo begun"]
        assert within(60, lambda: live_lab.run(there, check=False) != "")
        with live_lab.fault("router_reboot", value):
            assert within(60, lambda: ssh_greets(live_lab) == "TimeoutError")
        assert within(60, lambda: ssh_greets(live_lab) == "SSH-")
    assert live_lab.ssh("pgrep -f 'sleep 9876[5]' || echo none").strip() == "none"
    kept = live_lab.run(["ls", str(captures)])
    assert (path.name in kept) == (value == "")
    assert live_lab.handle.process.alive()


def test_without_internet_no_cloud_answers_and_no_name_is_found(live_lab):
    program = """
        import socket
        try:
            peer = socket.create_connection(("203.0.113.200", 443), 0.7)
            print("open")
        except OSError as exc:
            print(type(exc).__name__)
    """

    def cloud():
        return live_lab.python(program).strip()

    def name():
        ask = "getent -s dns ahosts translate.google.com || echo none"
        return live_lab.run(["timeout", "2", "sh", "-c", ask], check=False).split()[:1]

    assert within(60, lambda: cloud() == "open")
    assert within(60, lambda: name() == ["203.0.113.200"])
    with live_lab.fault("internet_down"):
        assert within(60, lambda: cloud() == "TimeoutError")
        assert name() != ["203.0.113.200"]
        assert live_lab.ssh("echo there").strip() == "there"
    assert within(60, lambda: cloud() == "open")
    assert within(60, lambda: name() == ["203.0.113.200"])


@pytest.mark.parametrize("kind", ["device_offline", "device_reboots"])
def test_a_device_falls_off_the_network_and_comes_back(live_lab, kind):
    def answers():
        ping = ["busybox", "ping", "-c", "1", "-W", "1", "10.77.0.19"]
        return "1 packets received" in live_lab.at("router", ping, check=False)

    assert within(60, answers)
    with live_lab.fault(f"{kind}.tplink_hs110"):
        assert within(60, lambda: not answers())
    assert within(60, answers)
    log = live_lab.log()
    assert "Traceback" not in log, log


def test_a_plug_that_cannot_be_reached_keeps_its_device_powered(live_lab):
    def answers(ip):
        ping = ["busybox", "ping", "-c", "1", "-W", "1", ip]
        return "1 packets received" in live_lab.at("router", ping, check=False)

    assert within(60, lambda: answers("10.77.0.31"))
    with live_lab.fault("plug_unreachable.plug_camera"):
        assert within(60, lambda: not answers("10.77.0.31"))
        assert within(60, lambda: answers("10.77.0.12"))
    assert within(60, lambda: answers("10.77.0.31"))
