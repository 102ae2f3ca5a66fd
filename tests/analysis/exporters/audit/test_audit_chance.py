"""Four bytes that are an address between the fields of a header, and those that are."""

import struct

import pytest

from analysis.exporters.audit import audit
from analysis.exporters.identifiers import Identifier
from analysis.pcap.blocks import Interface
from analysis.pcap.writer import open_capture

TOLD = (Identifier(kind="ipv4", value="192.0.2.1"),)
RAW = bytes((192, 0, 2, 1))
START_NS = 1_767_607_200_000_000_000


def frame(*, source=bytes((10, 9, 8, 7)), port=0xC000, seq=0x0201_0000, payload=b""):
    tcp = struct.pack(">HHIIBBHHH", 443, port, seq, 0, 0x50, 0x10, 64, 0, 0) + payload
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(tcp), 1, 0, 64, 6, 0)
    macs = bytes((0x3C, 0x5A, 0xB4, 0, 1, 1)) * 2
    return macs + b"\x08\x00" + head + source + bytes((10, 9, 8, 9)) + tcp


@pytest.fixture
def found(tmp_path):
    def _found(*frames):
        path = tmp_path / "lan.pcapng"
        with open_capture(path, interfaces=(Interface(link=1),)) as out:
            for number, each in enumerate(frames):
                out.packet(START_NS + number * 1_000_000, each)
        result = audit(tmp_path, TOLD)
        assert result.looked_at.packets == len(frames)
        return {(each.reader, each.encoding) for each in result.findings}

    return _found


def test_a_port_and_a_sequence_number_are_no_address(found):
    assert found(frame(), frame(seq=0x0201_0001)) == set()


def test_an_address_field_is_one(found):
    assert ("header", "binary in header") in found(frame(), frame(source=RAW))


def test_in_a_payload_it_is_one_though_headers_hold_it_by_chance(found):
    told = found(frame(), frame(payload=bytes(20) + RAW + bytes(20)))
    assert ("bytes", "binary") in told
