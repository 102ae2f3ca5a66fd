"""The checksum of a datagram in fragments covers them all, whichever of them change."""

import struct

import pytest

from analysis.exporters.identifiers import Identifier

SERIAL = b"LMP-77Q4-Q93X-Z81"
SECRET = (Identifier(kind="serial", value=SERIAL.decode()),)
ORDERS = ((0, 1, 2), (2, 0, 1), (2, 1, 0))
# the second and the third of three fragments hold it, the third one has an odd length
BODY = bytes(70) + SERIAL + bytes(40) + b"." + SERIAL + b"!"


def datagram(craft, body=BODY):
    """Return a UDP datagram with a checksum that adds up."""
    segment = struct.pack(">HHHH", 40000, 4000, 8 + len(body), 0) + body
    return craft.sealed(segment, 6, 17, "192.168.1.23", "34.1.2.3")


def parts(craft, segment, number, size=64):
    """Return the frames of a datagram in fragments of IPv4."""
    made = []
    for at in range(0, len(segment), size):
        piece = segment[at : at + size]
        head = bytearray(craft.ipv4(17, piece)[:20])
        more = 0x2000 if at + size < len(segment) else 0
        head[4:8] = struct.pack(">HH", number, more | at // 8)
        # what changed of the head: number and place, which was 1 and 0
        check = int.from_bytes(head[10:12]) ^ 0xFFFF
        check += number - 1 + (more | at // 8)
        head[10:12] = ((check % 0xFFFF) ^ 0xFFFF).to_bytes(2)
        made.append(craft.ether(bytes(head) + piece))
    return made


def whole(craft, frames):
    """Return the datagram of IPv4 that its fragments make, without their heads."""
    pieces = {int.from_bytes(f[20:22]) & 0x1FFF: f for f in frames}
    body = b"".join(pieces[at][34:] for at in sorted(pieces))
    addresses = [".".join(map(str, frames[0][k : k + 4])) for k in (26, 30)]
    return craft.ether(craft.ipv4(17, body, *addresses)), body


@pytest.mark.parametrize("order", ORDERS)
def test_a_secret_in_later_fragments_leaves_the_checksum_right(bench, craft, order):
    frames = [
        parts(craft, datagram(craft), number)[k] for number in (7, 8) for k in order
    ]
    assert craft.checks(whole(craft, frames[:3])[0])
    made = bench.run(frames, SECRET)
    for some in (made[:3], made[3:]):
        frame, body = whole(craft, some)
        assert SERIAL not in body
        assert len(body) == 8 + len(BODY)
        assert craft.checks(frame)


def test_a_wrong_checksum_stays_wrong_and_none_stays_none(bench, craft):
    for check in (b"\x12\x34", b"\0\0"):
        segment = datagram(craft)
        segment = segment[:6] + check + segment[8:]
        frame, body = whole(craft, bench.run(parts(craft, segment, 7), SECRET))
        assert SERIAL not in body
        assert not craft.checks(frame)
        assert (body[6:8] == bytes(2)) == (check == bytes(2))


def in_ipv6(craft, segment, number, size=64):
    """Return the frames of a datagram in fragments of IPv6, behind another header."""
    addresses = bytes.fromhex("fd00" + "00" * 13 + "07" + "2003" + "00" * 13 + "09")
    length = struct.pack(">I", len(segment))
    pseudo = addresses + length + bytes([0, 0, 0, 17])
    check = struct.pack(">H", craft.sum(pseudo + segment) or 0xFFFF)
    segment = segment[:6] + check + segment[8:]
    made = []
    for at in range(0, len(segment), size):
        piece = segment[at : at + size]
        more = int(at + size < len(segment))
        hops = bytes([44, 0, 1, 4]) + bytes(4)
        split = struct.pack(">BBHI", 17, 0, at | more, number)
        body = hops + split + piece
        head = struct.pack(">IHBB", 6 << 28, len(body), 0, 64) + addresses
        made.append(craft.ether(head + body, kind=0x86DD))
    return made


@pytest.mark.parametrize("order", ORDERS)
def test_in_ipv6_as_well(bench, craft, order):
    segment = struct.pack(">HHHH", 40000, 4000, 8 + len(BODY), 0) + BODY
    frames = in_ipv6(craft, segment, 99)
    made = bench.run([frames[k] for k in order], SECRET)
    pieces = [made[order.index(k)] for k in range(3)]
    body = b"".join(frame[70:] for frame in pieces)
    assert SERIAL not in body
    pseudo = made[0][22:54] + struct.pack(">I", len(body)) + bytes([0, 0, 0, 17])
    assert craft.sum(pseudo + body) == 0
