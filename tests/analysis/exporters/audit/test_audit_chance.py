"""Four bytes that are an address between the fields of a header, and those that are."""

import struct

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from analysis.exporters.audit import audit
from analysis.exporters.audit.second import is_chance
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


def test_a_sequence_number_that_is_an_address_in_decimal_is_none(found):
    told = found(frame(seq=int.from_bytes(RAW), payload=b"hello"), frame())
    assert {each for each in told if each[0] == "tshark"} == set()


@pytest.mark.parametrize(
    ("line", "chance"),
    [
        (b"    Sequence Number (raw): 3221225985\n", True),
        (b"    TSval 3221225985, TSecr 7\n", True),
        (b"    SSRC: 0xc0000201 (3221225985)\n", True),
        (b"    Request URI: /from/3221225985\n", False),
        (b"    Path: 3221225985.example.org\n", False),
        (b"    Line: at 3221225985\n", False),
    ],
)
def test_chance_is_a_number_that_is_all_of_a_field(line, chance):
    assert is_chance(line, line.index(b"3221225985")) is chance


def pcap(path, *frames):
    out = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    for frame_, seconds in frames:
        out += struct.pack("<IIII", seconds, 7, len(frame_), len(frame_)) + frame_
    path.write_bytes(out)


def test_the_end_of_a_packet_and_the_stamp_of_the_next_are_no_address(tmp_path):
    one = frame(payload=bytes(20) + RAW[:1])
    pcap(tmp_path / "lan.pcap", (one, 9), (frame(), int.from_bytes(RAW[1:], "little")))
    assert audit(tmp_path, TOLD).findings == ()


def test_a_stamp_that_looks_like_an_address_is_none_beside_one_that_is(tmp_path):
    stamp = int.from_bytes(RAW, "little")
    pcap(tmp_path / "lan.pcap", (frame(), stamp))
    assert audit(tmp_path, TOLD).findings == ()
    pcap(tmp_path / "lan.pcap", (frame(payload=bytes(9) + RAW), stamp))
    assert "binary" in {each.encoding for each in audit(tmp_path, TOLD).findings}


def test_an_address_in_the_name_resolution_of_a_capture_is_one(tmp_path):
    with open_capture(tmp_path / "lan.pcapng", interfaces=(Interface(link=1),)) as out:
        out.packet(START_NS, frame())
        out.names(struct.pack("<HH", 1, 6) + RAW + b"a\0\0\0" + bytes(4))
        out.packet(START_NS, frame())
    assert "binary" in {each.encoding for each in audit(tmp_path, TOLD).findings}


LINES = Identifier(
    kind="ipv4", value="10.55.51.44"
)  # as bytes: end of line, 7, 3, comma


def test_ends_and_beginnings_of_lines_are_no_address(tmp_path):
    table = b"".join(b"%d,0.%d,1\n" % (70 + k, k) for k in range(9))
    assert LINES.binary in table
    (tmp_path / "a.csv").write_bytes(table)
    assert audit(tmp_path, (LINES,)).findings == ()
    message = b"\x01\x00\x00\x04" + LINES.binary + b"\x00\x00\x01\x02" * 3
    (tmp_path / "a.bin").write_bytes(b"set lamp on" + message)
    (found_,) = audit(tmp_path, (LINES,)).findings
    assert found_.file == "a.bin"


def test_in_a_plain_packet_it_is_one_though_headers_hold_it_by_chance(found):
    noise = bytes(range(150, 250))  # where it would not count among others
    asked = struct.pack(">HHHH", 53, 53, 8 + 204, 0) + noise + RAW + noise
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(asked), 1, 0, 64, 17, 0)
    macs = bytes((0x3C, 0x5A, 0xB4, 0, 1, 1)) * 2
    ends = bytes((10, 9, 8, 7, 10, 9, 8, 9))
    told = found(frame(), macs + b"\x08\x00" + head + ends + asked)
    assert ("bytes", "binary in a plain packet") in told


def test_four_bytes_of_a_table_are_an_address_in_its_values_alone(tmp_path):
    number = int.from_bytes(RAW, "big")
    columns = {"size_b": pa.array([number, number >> 8], type=pa.uint32())}
    pq.write_table(pa.table(columns), tmp_path / "a.parquet", compression="none")
    result = audit(tmp_path, TOLD)
    assert result.findings == ()
    assert result.looked_at.chance > 0
    columns["payload"] = pa.array([bytes(20) + RAW + bytes(20), b""])
    pq.write_table(pa.table(columns), tmp_path / "a.parquet", compression="none")
    assert {each.reader for each in audit(tmp_path, TOLD).findings} == {"table"}
    (tmp_path / "a.parquet").write_bytes(b"PAR1" + bytes(20) + RAW + bytes(20))
    assert {each.kind for each in audit(tmp_path, TOLD).findings} == {"unread"}
