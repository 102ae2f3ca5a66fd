"""Parts of the live lab that need no namespace."""

import contextlib
import datetime as dt
import random
import socket
import ssl
import struct

import numpy as np
import pytest

from testbed.clock import SystemClock, VirtualClock
from testbed.model.lab import Fault
from testbed.virtual.fast import tls as fast_tls
from testbed.virtual.faults import FaultScript
from testbed.virtual.house.hosts import CLOUD
from testbed.virtual.live import names, topology
from testbed.virtual.live.certificates import Authority
from testbed.virtual.live.wan import Wire

# a handshake looks at the clock of this machine, and certificates last for 30 days
NOW = dt.datetime.fromtimestamp(SystemClock().now_ns() // 10**9, tz=dt.UTC)


def question(name, kind=1):
    labels = b"".join(bytes([len(p)]) + p.encode() for p in name.split("."))
    return (
        struct.pack(">HHHHHH", 7, 0x0100, 1, 0, 0, 0)
        + labels
        + struct.pack(">BHH", 0, kind, 1)
    )


def test_a_known_name_is_answered_with_its_address():
    reply = names.answer(question("api.arlo.example"))
    assert reply[:2] == b"\0\7"
    assert reply[-4:] == socket.inet_aton(CLOUD["api.arlo.example"])


def test_a_known_name_has_no_address_of_the_other_family():
    reply = names.answer(question("api.arlo.example", kind=28))
    assert struct.unpack_from(">HHHH", reply) == (7, 0x8180, 1, 0)


def test_an_unknown_name_is_denied():
    assert names.answer(question("www.debian.org"))[3] & 15 == 3


@pytest.mark.parametrize("junk", [b"", b"x", bytes(12), b"\xff" * 40])
def test_a_broken_question_does_no_harm(junk):
    assert isinstance(names.answer(junk), bytes)


@pytest.mark.parametrize("host", ["api.arlo.example", "translate.google.com"])
def test_a_handshake_has_the_sizes_that_the_fast_lab_gives_it(host, tmp_path):
    authority = Authority(tmp_path / "ca.pem", NOW)
    context = authority.server_context(host)
    sizes = handshake(authority.client_context(), context, host)
    noise = fast_tls.Noise(np.random.default_rng(1))
    flight = fast_tls.server_flight(host, noise)
    assert abs(sizes[1] - len(flight)) <= 10  # a signature's length varies
    assert sizes[2] == len(fast_tls.client_finished(noise))
    assert abs(sizes[0] - len(fast_tls.client_hello(host, noise))) <= 10


def handshake(client_context, server_context, host):
    """Return the sizes of the flights of a handshake in memory."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(to_client, to_server, server_hostname=host)
    server = server_context.wrap_bio(to_server, to_client, server_side=True)
    sizes = []
    for end, out in ((client, to_server), (server, to_client)) * 2:
        with contextlib.suppress(ssl.SSLWantReadError):
            end.do_handshake()
        sizes.append(out.pending)
    return sizes


def test_a_fault_is_active_between_its_times_for_its_target():
    clock = VirtualClock(0)
    faults = [Fault(kind="deaf_speaker", target="echo_dot", at=5.0, until=9.0)]
    script = FaultScript(faults, clock)
    clock.sleep(60.0)  # the lab takes its time to come up
    script.begin()
    seen = []
    for _ in range(5):
        pair = (script("deaf_speaker", "echo_dot"), script("deaf_speaker", "home_mini"))
        seen.append(pair)
        clock.sleep(3.0)
    assert [a for a, _ in seen] == [None, None, "", None, None]
    assert {b for _, b in seen} == {None}


def test_before_the_lab_is_up_only_faults_without_a_time_are_active():
    faults = [Fault(kind="popup"), Fault(kind="tts_down", at=0.1)]
    clock = VirtualClock(0)
    script = FaultScript(faults, clock)
    clock.sleep(1.0)
    assert (script("popup", "phone"), script("tts_down", "voice")) == ("", None)


def test_a_fault_set_by_hand_lasts_as_long_as_its_file(tmp_path):
    script = FaultScript((), VirtualClock(0), tmp_path)
    assert script("deaf_speaker", "echo_dot") is None
    (tmp_path / "deaf_speaker.echo_dot").write_text("")
    (tmp_path / "popup").write_text("rate\n")
    assert script("deaf_speaker", "echo_dot") == ""
    assert script("deaf_speaker", "home_mini") is None
    assert script("popup", "phone") == "rate"
    (tmp_path / "deaf_speaker.echo_dot").unlink()
    assert script("deaf_speaker", "echo_dot") is None


def test_addresses_and_names_of_interfaces_are_given_once():
    legs = topology.legs({})
    addresses = [leg.address for leg in legs if leg.address]
    assert len(set(addresses)) == len(addresses)
    ends = [(leg.node, leg.name) for leg in legs]
    ends += [(leg.peer, leg.peer_name) for leg in legs]
    assert len(set(ends)) == len(ends)
    assert all(len(name) <= 15 for _, name in ends)  # the kernel's limit


def test_the_wire_keeps_order_delays_and_loses():
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    out, end = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    for sock in (near, far, out, end):
        sock.setblocking(False)
    clock = VirtualClock(0)
    wire = Wire(clock=clock, delay_s=0.02, loss=0.1, chance=random.Random(1))
    sent = 100
    for number in range(sent):
        near.send(bytes([number]))
        wire._take(far, out)
        clock.sleep(0.0001)
    wire._deliver()
    assert received(end) == []
    clock.sleep(0.05)
    wire._deliver()
    got = received(end)
    assert got == sorted(got)
    assert 80 <= len(got) <= 97
    for sock in (near, far, out, end):
        sock.close()


def received(sock):
    got = []
    while True:
        try:
            got.append(sock.recv(10)[0])
        except BlockingIOError:
            return got
