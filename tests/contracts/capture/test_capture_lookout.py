"""What a router sees around it, without a packet on the captured side."""

import socket
import subprocess

import pytest

from testbed.clock import SystemClock, wait_until
from testbed.drivers.router_link import SshLink
from testbed.drivers.router_lookout import parse_bridge, parse_neighbours
from testbed.errors import DriverGarbledError, DriverRefusedError
from testbed.model.protocols import Lookout

MAC = "02:00:00:00:00:99"
TICK_S = 0.02  # the kernel counts such ages in 1/100 s, by its own ticks


def ip(*words: str) -> str:
    done = subprocess.run(["ip", *words], check=True, capture_output=True, text=True)
    return done.stdout


@pytest.fixture
def bridge(own_network):
    """A bridge br0 with a station of its own; call it to let the station talk."""
    ip("link", "add", "br0", "type", "bridge")
    ip("link", "add", "sta0", "address", MAC, "type", "veth", "peer", "port0")
    ip("link", "set", "port0", "master", "br0")
    for name in ("br0", "port0", "sta0"):
        ip("link", "set", name, "up")
    learns = wait_until(
        lambda: '"state":"forwarding"' in ip("-j", "-d", "link", "show", "port0"),
        clock=SystemClock(),
        deadline_s=60,
    )
    assert learns, ip("-j", "-d", "link", "show", "port0")

    def talk() -> None:
        frame = b"\xff" * 6 + bytes.fromhex(MAC.replace(":", "")) + b"\x88\xb5" + b"x"
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
            raw.bind(("sta0", 0))
            raw.send(frame)

    yield talk
    ip("link", "del", "br0")
    ip("link", "del", "sta0")


@pytest.fixture
def router_sees(router_host):
    """Return what is in a folder of the router, asked by the ssh of this machine."""

    def names(folder: str) -> list[str]:
        at = router_host.at()
        words = ["ssh", "-F", "none", "-i", at.key_file, "-p", str(at.port)]
        for option in ("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null"):
            words += ["-o", option]
        done = subprocess.run(
            [*words, f"{at.user}@{at.host}", f"ls {folder}"],
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.split()

    return names


def test_it_is_a_lookout(opened):
    assert isinstance(opened(), Lookout)


def test_free_space_is_that_of_the_folder_of_captures(opened, router_host):
    router = opened()
    assert router.free_b() > 10_000_000
    nowhere = opened(folder=f"{router_host.folder}/nowhere/captures")
    with pytest.raises(DriverGarbledError, match="nowhere"):
        nowhere.free_b()


def test_a_station_of_a_bridge_was_heard_when_it_talked(opened, bridge, router_sees):
    router, clock = opened(interface="br0"), SystemClock()
    assert "br0" in router_sees("/sys/class/net")

    def talk_and_ask(mac: str) -> tuple[float | None, float]:
        """Return when it was heard, and how long ago it talked at most."""
        began_s = clock.monotonic_s()
        bridge()
        return router.heard_s(mac), clock.monotonic_s() - began_s + TICK_S

    for mac in (MAC, MAC.upper()):
        heard_s, most_s = talk_and_ask(mac)
        assert heard_s is not None
        assert heard_s <= most_s
        assert wait_until(
            lambda: router.heard_s(MAC) > 1.2, clock=clock, deadline_s=60, poll_s=0.1
        )
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


def requests_of(ask, monkeypatch) -> int:
    """Return how many requests to the router it takes until something is so."""
    asked = []
    with monkeypatch.context() as patched:
        for name, kept in (("run", SshLink.run), ("files", SshLink.files)):

            def counted(link, *words, kept=kept, **how):
                asked.append(words)
                return kept(link, *words, **how)

            patched.setattr(SshLink, name, counted)
        assert ask()
    return len(asked)


def test_whether_a_capture_records_is_cheap_to_ask(opened, sender, monkeypatch):
    router = opened()
    router.start_capture("cheap", sender.poke)
    assert requests_of(router.is_recording, monkeypatch) <= 1
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
