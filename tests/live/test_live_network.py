"""The lab's network: who reaches whom, and what frames look like."""

import re

import pytest

from testbed.clock import SystemClock, wait_until

pytestmark = pytest.mark.live


def test_a_device_reaches_the_cloud_through_the_router_under_the_routers_address(
    live_lab,
):
    program = """
        import socket, sys
        server = socket.create_server(("198.51.100.77", 7777))
        print("ready", flush=True)
        print(server.accept()[1][0])
    """
    listening = f"ip netns exec cloud python3 -c '{_flat(program)}'"
    talking = "ip netns exec arlo_q busybox nc -w 2 198.51.100.77 7777 </dev/null"
    again = f"until {talking}; do sleep 0.2; done"  # until somebody listens
    out = live_lab.run(["sh", "-c", f"({listening}) & {again}; wait"])
    assert out.split() == ["ready", "192.0.2.1"]


def test_devices_see_each_other_and_their_macs_are_those_of_the_profiles(live_lab):
    live_lab.at("phone", ["busybox", "ping", "-c", "1", "-W", "20", "10.77.0.11"])
    neighbours = live_lab.at("phone", ["ip", "neigh", "show", "10.77.0.11"])
    assert "a0:04:60:3c:91:11" in neighbours


def test_nothing_leaves_the_lab(live_lab):
    links = live_lab.run(["ip", "-br", "link"])
    assert {line.split("@")[0].split()[0] for line in links.splitlines()} == {
        "lo",
        "lan",
        "mgmt",
    }


def test_the_management_network_is_not_routed_to_the_home(live_lab):
    ping = ["busybox", "ping", "-c", "1", "-W", "1", "10.78.0.20"]
    out = live_lab.at("arlo_q", ping, check=False)
    assert "100% packet loss" in out


def test_names_of_the_cloud_resolve_and_others_do_not(live_lab):
    assert "198.51.100.11" in live_lab.run(["getent", "hosts", "api.arlo.example"])
    assert live_lab.run(["getent", "hosts", "www.debian.org"], check=False) == ""


def test_the_wan_delays_each_way(live_lab):
    ping = ["busybox", "ping", "-c", "20", "-i", "0.05", "-W", "2", "198.51.100.11"]

    def typical_ms():
        out = live_lab.at("arlo_q", ping, check=False)
        times = [float(t) for t in re.findall(r"time=([\d.]+)", out)]
        assert len(times) >= 15
        assert min(times) >= 34.0
        return sorted(times)[len(times) // 2]

    # a busy machine adds to it
    clock = SystemClock()
    assert wait_until(lambda: typical_ms() <= 45.0, clock=clock, deadline_s=120)


def test_frames_have_the_size_of_a_real_wire_and_right_checksums(live_lab):
    program = """
        import socket, threading
        server = socket.create_server(("0.0.0.0", 7001))
        def take():
            peer = server.accept()[0]
            while peer.recv(65536):
                pass
        threading.Thread(target=take, daemon=True).start()
        import subprocess
        send = "import socket;s=socket.create_connection((\\"10.77.0.5\\",7001));"
        send += "[s.sendall(bytes(60000)) for _ in range(20)]"
        subprocess.run(["ip", "netns", "exec", "arlo_q", "python3", "-c", send])
    """
    state = live_lab.handle.state
    capture = state / "router" / "big.pcapng"
    argv = ["dumpcap", "-q", "-i", "br-lan", "-f", "tcp port 7001", "-w", str(capture)]
    recording = " ".join(f"'{word}'" for word in argv)
    live_lab.run(
        [
            "sh",
            "-c",
            f"ip netns exec router {recording} & "
            f"until test -s {capture}; do sleep 0.1; done; "
            f"python3 -c '{_flat(program)}'; sleep 1; kill -INT $!; wait",
        ]
    )
    names = ("frame.len", "tcp.checksum.status", "tcp.checksum")
    fields = ["-T", "fields", *(word for name in names for word in ("-e", name))]
    command = ["tshark", "-r", str(capture), "-o", "tcp.check_checksum:TRUE", *fields]
    rows = [line.split() for line in live_lab.run(command).splitlines()]
    assert max(int(length) for length, _, _ in rows) == 1514
    # Linux sends 0xffff where the sum is 0, one packet in 65,536. To a receiver both
    # are right, since they are the same number in ones' complement; to tshark they
    # are not.
    assert {status for _, status, sent in rows if sent != "0xffff"} == {"1"}  # good


def _flat(program: str) -> str:
    lines = [line[8:] for line in program.strip("\n").splitlines()]
    return "\n".join(lines).strip().replace("'", '"')
