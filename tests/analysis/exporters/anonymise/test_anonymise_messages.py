"""The kernel finds in messages what the readers of `analysis.pcap` find there."""

import struct
from ipaddress import IPv4Address, ip_address

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.exporters.anonymise import Policy, Pseudonyms, anonymise_capture
from analysis.exporters.anonymise.messages import MOST, find_message_fields
from analysis.pcap import dhcp, dns
from analysis.pcap.writer import open_capture

NAMES = st.sampled_from(
    (b"\5maja7\5local\0", b"\xc0\x0c", b"\1a\xc0\x0c", b"\0", b"\x40")
)
DATA = st.sampled_from((bytes(4), b"\xff" * 16, b"", bytes(7)))
RECORDS = st.lists(
    st.tuples(NAMES, st.sampled_from((dns.A, dns.AAAA, dns.TXT)), DATA), max_size=5
)
ADDRESSES = (3, 5, 6, 28, 42, 44, 50, 54)


def found(payload, port):
    room = np.zeros(2 * MOST, np.int64), np.zeros(2 * MOST, np.int64)
    n = np.zeros(1, np.int64)
    row = (np.zeros(1, np.int64), np.array([len(payload)], np.int64))
    ports = (np.array([p], np.uint16) for p in port)
    packets = (0, *row, np.array([17], np.uint8), *ports)
    find_message_fields(np.frombuffer(payload, np.uint8), packets, (*room, n))
    return set(zip(room[0][: n[0]].tolist(), room[1][: n[0]].tolist(), strict=True))


@given(RECORDS, st.integers(0, 2), st.integers(0, 40))
def test_addresses_of_dns_are_those_that_the_reader_tells(records, asked, cut):
    raw = struct.pack(">6H", 1, 0x8400, asked, len(records), 0, 0)
    raw += asked * (b"\5maja7\5local\0" + struct.pack(">HH", 1, 1))
    for name, kind, data in records:
        raw += name + struct.pack(">HHIH", kind, 1, 120, len(data)) + data
    raw = raw[: max(len(raw) - cut, 12)]
    _, at = dns.questions(raw, dns.head_of(raw))
    told = {
        (begin, end - begin)
        for _, kind, _, begin, end in dns.records(raw, at, len(records))
        if dns.address_of(kind, raw[begin:end]) is not None
    }
    assert found(raw, (5353, 5353)) == told


OPTIONS = st.lists(
    st.tuples(st.sampled_from((*ADDRESSES, 12, 0, 61)), st.binary(max_size=12)),
    max_size=6,
)


@given(OPTIONS, st.integers(0, 12))
def test_addresses_of_dhcp_are_those_that_the_reader_tells(options, cut):
    raw = b"\1\1\6" + bytes(dhcp.HEAD_B - 3) + dhcp.MAGIC
    for code, data in options:
        raw += bytes([code, len(data)]) + data if code else b"\0"
    raw = raw[: max(len(raw) - cut, 240)]
    told = {(12, 4), (16, 4), (20, 4), (24, 4), (28, 6)}
    for code, begin, end in dhcp.options(raw):
        if code in ADDRESSES:
            told |= {(at, 4) for at in range(begin, end - 3, 4)}
        elif code == 61 and end - begin == 7 and raw[begin] == 1:
            told.add((begin + 1, 6))
    assert found(raw, (68, 67)) >= told


def stun(address, framed):
    """Return a frame in which a server tells an address, by its number and hidden."""
    raw, mask = ip_address(address).packed, bytes.fromhex("2112a442") + b"T" * 12
    hidden = bytes(a ^ b for a, b in zip(raw, mask, strict=False))
    family = b"\0\1" if len(raw) == 4 else b"\0\2"
    body = b"".join(
        struct.pack(">HH", kind, 4 + len(raw)) + family + b"\x12\x67" + value
        for kind, value in ((1, raw), (0x20, hidden))
    )
    message = struct.pack(">HH", 0x101, len(body)) + mask + body
    if framed:
        ports = struct.pack(">HHIIBBHHH", 3478, 50001, 7, 1, 0x50, 0x18, 64, 0, 0)
        message = ports + struct.pack(">H", len(message)) + message
    else:
        message = struct.pack(">HHHH", 3478, 50001, 8 + len(message), 0) + message
    head = struct.pack(
        ">BBHIBBH", 0x45, 0, 20 + len(message), 0, 64, 17 - 11 * framed, 0
    )
    ends = ip_address("203.0.113.9").packed + ip_address("192.168.7.8").packed
    return bytes(12) + b"\x08\0" + head + ends + message


@pytest.mark.parametrize("framed", [False, True])
@pytest.mark.parametrize("address", ["84.172.33.91", "2003:cb:7:1::9"])
def test_an_address_that_stun_hides_becomes_that_of_headers(tmp_path, address, framed):
    before, after = tmp_path / "before.pcapng", tmp_path / "after.pcapng"
    frame, pseudonyms = stun(address, framed), Pseudonyms(bytes(range(32)))
    with open_capture(before) as out:
        out.packet(1, frame)
    anonymise_capture(
        before, after, pseudonyms=pseudonyms, identifiers=(), policy=Policy()
    )
    raw = ip_address(address).packed
    if len(raw) == 4:
        made = pseudonyms.ipv4(int.from_bytes(raw)).to_bytes(4)
    else:
        made = pseudonyms.ipv6(raw)
    wanted = stun(str(ip_address(made)), framed)
    assert wanted[-len(raw) - 28 :] != frame[-len(raw) - 28 :]
    assert wanted[-len(raw) - 28 :] in after.read_bytes()


def test_the_server_that_a_clock_goes_by_gets_its_pseudonym(bench, craft, pseudonyms):
    server = IPv4Address("192.168.1.1")
    body = b"\x24\3\6\xe9" + bytes(8) + server.packed + bytes(32)
    first = b"\x24\1\6\xe9" + bytes(8) + b"GPS\0" + bytes(32)
    told, rank = bench.run([craft.udp(body, 123, 123), craft.udp(first, 123, 123)])
    made = pseudonyms.ipv4(int(server)).to_bytes(4)
    assert told[42:] == body[:12] + made + body[16:]
    assert rank[42:] == first
    assert craft.checks(told)
    assert craft.checks(rank)
