"""What a router sees around it, without a packet on the captured side."""

import socket
import subprocess

import pytest

from testbed.clock import SystemClock, wait_until
from testbed.drivers.router_lookout import parse_bridge, parse_neighbours
from testbed.errors import DriverGarbledError, DriverRefusedError
from testbed.model.protocols import Lookout

MAC = "02:00:00:00:00:99"


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@pytest.fixture
def bridge(own_network):
    """A bridge br0 with a station of its own; call it to let the station talk."""
    ip("link", "add", "br0", "type", "bridge")
    ip("link", "add", "sta0", "address", MAC, "type", "veth", "peer", "port0")
    ip("link", "set", "port0", "master", "br0")
    for name in ("br0", "port0", "sta0"):
        ip("link", "set", name, "up")

    def talk() -> None:
        frame = b"\xff" * 6 + bytes.fromhex(MAC.replace(":", "")) + b"\x88\xb5" + b"x"
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
            raw.bind(("sta0", 0))
            raw.send(frame)

    yield talk
    ip("link", "del", "br0")
    ip("link", "del", "sta0")


def test_it_is_a_lookout(opened):
    assert isinstance(opened(), Lookout)


def test_free_space_is_that_of_the_folder_of_captures(opened, router_host):
    router = opened()
    assert router.free_b() > 10_000_000
    nowhere = opened(folder=f"{router_host.folder}/nowhere/captures")
    with pytest.raises(DriverGarbledError, match="nowhere"):
        nowhere.free_b()


def test_a_station_of_a_bridge_was_heard_when_it_talked(opened, bridge):
    # the router's sshd was started in a view of /sys that may be of another network
    router = opened(interface="br0")
    clock = SystemClock()
    bridge()
    if router.heard_s(MAC) is None:
        pytest.skip("the router of this test sees another network's /sys")
    assert router.heard_s(MAC) < 1.0
    assert wait_until(
        lambda: router.heard_s(MAC) > 1.2, clock=clock, deadline_s=5, poll_s=0.1
    )
    bridge()
    assert router.heard_s(MAC.upper()) < 1.0
    assert router.heard_s("02:00:00:00:00:98") is None


def test_the_internet_is_there_when_a_connection_opens(opened):
    router = opened()
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        for _ in range(3):
            assert router.internet_ok(f"127.0.0.1:{port}")
    assert not router.internet_ok(f"127.0.0.1:{port}")
    with pytest.raises(DriverRefusedError, match="host:port"):
        router.internet_ok("nonsense")


def test_it_is_said_that_a_router_forwards_no_connections(
    make_host, opened, router_host
):
    host = make_host(
        folder=router_host.folder / "strict",
        programs=router_host.programs,
        options="AllowTcpForwarding no\n",
    )
    with pytest.raises(DriverRefusedError, match="AllowTcpForwarding"):
        opened(host).internet_ok("127.0.0.1:9")


def test_whether_a_capture_records_is_cheap_to_ask(opened, sender):
    router, clock = opened(), SystemClock()
    router.start_capture("cheap", sender.poke)
    began_s = clock.monotonic_s()
    for _ in range(10):
        assert router.is_recording()
    assert clock.monotonic_s() - began_s < 1.0
    router.stop_capture()
    assert not router.is_recording()


def test_the_kernels_table_of_a_bridge_is_read():
    entry = bytes.fromhex("50c7bf770019 01 00") + (1234).to_bytes(4, "little")
    own = bytes.fromhex("020000770001 02 01") + bytes(4)
    tail = bytes(4)
    assert parse_bridge(entry + tail + own + tail + b"cut") == {
        "50:c7:bf:77:00:19": 12.34
    }


def test_what_iw_and_ip_print_is_read():
    text = (
        "Station 50:C7:bf:77:00:19 (on wlan0)\n"
        "\tinactive time:\t120 ms\n"
        "\trx bytes:\t1234\n"
        "10.77.0.19 dev br-lan lladdr 50:c7:bf:77:00:19 used 12/7/3 probes 1 STALE\n"
        "10.77.0.20 dev br-lan lladdr 40:4e:36:77:00:20 ref 1 used 12/7/3 REACHABLE\n"
        "10.77.0.21 dev br-lan  used 12/7/3 probes 6 FAILED\n"
    )
    assert parse_neighbours(text) == {
        "50:c7:bf:77:00:19": 0.12,
        "40:4e:36:77:00:20": 7.0,
    }
