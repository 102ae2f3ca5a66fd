"""What fragments of IP part is found where they are put together."""

import struct

import pytest

from analysis.exporters.audit import fragments
from analysis.exporters.audit.captures import look_at_capture
from analysis.exporters.audit.looking import Looker
from analysis.exporters.identifiers import Identifier
from analysis.pcap.blocks import Interface
from analysis.pcap.writer import open_capture

VALUE = "Vinterljus-Bergstrand-77"
TOLD = (Identifier(kind="secret", value=VALUE),)
MACS = bytes((0x3C, 0x5A, 0xB4, 0, 1, 1)) * 2
BODY = (
    struct.pack(">HHHH", 41000, 6667, 48, 0)
    + b"[......]"
    + VALUE.encode()
    + b"77777777"
)
PARTS = [(at, BODY[at:end]) for at, end in ((0, 24), (24, 32), (32, 48))]
DOTS = [(at, bytes(46 for _ in part)) for at, part in PARTS]


def ipv4(part, number=7, options=b""):
    at, data = part
    offset = at // 8 | (0x2000 if at + len(data) < len(BODY) else 0)
    head_b = 20 + len(options)
    words = (0x40 | head_b // 4, 0, head_b + len(data), number, offset, 64, 17, 0)
    ends = bytes((10, 9, 8, 7, 10, 9, 8, 9))
    packet = struct.pack(">BBHHHBBH", *words) + ends + options + data
    return MACS + b"\x08\x00" + packet


def ipv6(part, number=7, before=b""):
    at, data = part
    more = at + len(data) < len(BODY)
    head = struct.pack(">BBHI", 17, 0, at | more, number)
    size, kind = len(before) + 8 + len(data), 60 if before else 44
    ends = bytes.fromhex("20010db8000000000000000000000007") * 2
    packet = struct.pack(">IHBB", 6 << 28, size, kind, 64) + ends + before + head + data
    return MACS + b"\x86\xdd" + packet


def found(tmp_path, *frames):
    with open_capture(tmp_path / "a.pcapng", interfaces=(Interface(link=1),)) as out:
        for number, frame in enumerate(frames):
            out.packet(1_767_607_200_000_000_000 + number, frame, interface=0)
    looker = Looker(TOLD)
    look_at_capture(looker, "a.pcapng", tmp_path / "a.pcapng", lambda _: None)
    return [(each.reader, each.place) for each in looker.findings()]


A, B, C = PARTS
WAYS = {
    "in order": [ipv4(A), ipv4(B), ipv4(C)],
    "out of order": [ipv4(C), ipv4(A), ipv4(B)],
    "with options": [ipv4(each, options=b"\1\1\1\0") for each in PARTS],
    "of ipv6": [ipv6(A), ipv6(B), ipv6(C)],
    "of ipv6 out of order": [ipv6(B), ipv6(C), ipv6(A)],
    "behind another header": [ipv6(e, before=b"\x2c\0\1\4\0\0\0\0") for e in PARTS],
    "the older bytes": [ipv4(A), ipv4(B), ipv4(DOTS[1]), ipv4(C)],
    "the newer bytes": [ipv4(A), ipv4(DOTS[1]), ipv4(B), ipv4(C)],
    "others when it was whole": [*map(ipv4, DOTS), ipv4(A), ipv4(B), ipv4(C)],
    "others, out of order": [*map(ipv4, DOTS), ipv4(C), ipv4(B), ipv4(A)],
    "between others": [ipv4(A), ipv4(DOTS[1], 8), ipv4(B), ipv4(DOTS[2], 8), ipv4(C)],
    "the end is missing": [ipv4(A), ipv4(B), ipv4((32, BODY[32:40]))],
    "the middle of another": [ipv4((24, BODY[24:40])), ipv4((8, BODY[8:24]))],
}


@pytest.mark.parametrize("way", WAYS)
def test_a_secret_that_fragments_part_is_found(tmp_path, way):
    (one,) = found(tmp_path, *WAYS[way])
    reader, place = one
    assert reader == "stream"
    assert place.startswith("put together from packet ")


def test_fragments_of_two_datagrams_are_not_put_together(tmp_path):
    assert found(tmp_path, ipv4(A), ipv4(B, 8), ipv4(C)) == []


def test_there_are_never_more_than_so_many_and_the_oldest_is_read(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(fragments, "MOST", 3)
    others = [ipv4(DOTS[0], number) for number in range(100, 120)]
    begun = [ipv4(A), ipv4((24, BODY[24:40]))]
    assert len(found(tmp_path, *begun, *others, ipv4(C))) == 1
    (tmp_path / "a.pcapng").unlink()
    assert found(tmp_path, *begun[:1], *others, *begun[1:]) == []
