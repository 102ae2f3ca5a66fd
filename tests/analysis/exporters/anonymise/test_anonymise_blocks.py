"""Blocks, options and cuts: what a file says besides its packets."""

import struct

import pytest

from analysis.exporters.anonymise import Policy, Pseudonyms
from analysis.exporters.identifiers import Identifier
from analysis.pcap.blocks import INTERFACE as DESCRIPTION
from analysis.pcap.blocks import (
    NAMES,
    PACKET,
    SECTION,
    SIMPLE_PACKET,
    STATISTICS,
    pack_block,
    pack_options,
)
from analysis.pcap.reader import read_frames

SERIAL = "LMP-77Q4-Q93X-Z81"
SECRET = (Identifier(kind="serial", value=SERIAL),)
SECRETS_BLOCK, CUSTOM_BLOCK = 10, 0x0BAD
TICKS = 1_700_000_000_000_000


def section(order, options=()):
    body = struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1)
    return pack_block(SECTION, body + pack_options(list(options), order), order)


def interface(order, options=()):
    body = struct.pack(order + "HHI", 1, 0, 0)
    return pack_block(DESCRIPTION, body + pack_options(list(options), order), order)


def packet(order, frame, options=(), ticks=TICKS):
    head = struct.pack(
        order + "IIIII", 0, ticks >> 32, ticks & 0xFFFFFFFF, len(frame), len(frame)
    )
    body = head + frame + bytes(-len(frame) % 4)
    return pack_block(PACKET, body + pack_options(list(options), order), order)


@pytest.fixture
def capture(tmp_path, craft):
    def write(order="<", more=b"", options=()):
        path = tmp_path / "a.pcapng"
        told = [(1, b"for " + SERIAL.encode()), (2, b"Intel i7"), (4, b"dumpcap")]
        about = [(2, b"toms-stick"), (3, b"desk of Tom"), (9, b"\x06"), (4, bytes(8))]
        frame = craft.udp(b"id=" + SERIAL.encode())
        data = section(order, told) + interface(order, about)
        data += packet(order, frame, options) + more + packet(order, frame)
        path.write_bytes(data)
        return path

    return write


@pytest.mark.parametrize("order", ["<", ">"])
def test_what_was_said_about_machines_and_people_is_left_out(bench, capture, order):
    names = struct.pack(order + "HH", 1, 9) + bytes((192, 168, 1, 23)) + b"toms\0"
    more = pack_block(NAMES, names + bytes(3) + bytes(4), order)
    more += pack_block(SECRETS_BLOCK, b"CLIENT_RANDOM 12", order)
    more += pack_block(CUSTOM_BLOCK, b"anything", order)
    counters = pack_options([(1, b"a word of Tom"), (4, bytes(8))], order)
    stamp = struct.pack(order + "III", 0, TICKS >> 32, TICKS & 0xFFFFFFFF)
    more += pack_block(STATISTICS, stamp + counters, order)
    note = [(1, b"Tom comes home"), (2, struct.pack(order + "I", 1)), (2988, b"x" * 9)]
    tom = (Identifier(kind="hostname", value="toms"), *SECRET)
    made = bench.made(capture(order, more, note), tom).read_bytes()
    for word in (b"Tom", b"toms", SERIAL.encode(), b"Intel", b"RANDOM", b"anything"):
        assert word not in made
    assert b"dumpcap" in made
    assert struct.pack(order + "HHI", 2, 4, 1) in made  # direction of the packet
    assert bytes((192, 168, 1, 23)) not in made
    assert (bench.counts.blocks, bench.counts.comments) == (2, 3)
    assert len(read_frames(bench.folder / "made-a.pcapng")) == 2


@pytest.mark.parametrize("order", ["<", ">"])
def test_stamps_shift_and_all_else_of_them_stays(bench, capture, order):
    shift_ns = Pseudonyms(bytes(range(32))).shift_ns
    path = capture(order, pack_block(STATISTICS, bytes(12), order))
    before = read_frames(path).time_ns
    after = read_frames(bench.made(path, shift_ns=shift_ns)).time_ns
    assert (after - before).tolist() == [shift_ns, shift_ns]
    same = read_frames(bench.made(path)).time_ns
    assert same.tolist() == before.tolist()


def test_without_anything_to_do_packets_are_copied(bench, tmp_path):
    frame = bytes(range(60))[:12] + b"\x88\xb5" + bytes(46)
    frame = b"\x01\x00\x5e\x00\x00\x01" * 2 + frame[12:]
    path = tmp_path / "a.pcapng"
    path.write_bytes(section("<") + interface("<") + packet("<", frame))
    assert bench.made(path).read_bytes() == path.read_bytes()


def test_a_simple_packet_is_rewritten_in_its_place(bench, craft, tmp_path):
    frame = craft.udp(b"id=" + SERIAL.encode())
    body = struct.pack("<I", len(frame)) + frame
    path = tmp_path / "a.pcapng"
    path.write_bytes(
        section("<") + interface("<") + pack_block(SIMPLE_PACKET, body, "<")
    )
    made = bench.made(path, SECRET)
    (whole,) = bench.frames(made)
    assert len(whole) == len(frame)
    assert SERIAL.encode() not in whole
    (cut,) = bench.frames(bench.made(path, SECRET, payload="headers"))
    assert cut[42:] == bytes(len(frame) - 42)


@pytest.mark.parametrize(("policy", "kept"), [("headers", 0), ("truncate:5", 5)])
def test_payloads_are_cut_as_if_they_had_not_been_captured(bench, craft, policy, kept):
    frames = [craft.tcp(b"secret and long"), craft.udp(b"secret and long")]
    one, two = bench.run(frames, payload=policy)
    assert (len(one), len(two)) == (54 + kept, 42 + kept)
    read = read_frames(bench.folder / "made-a.pcap")
    assert read.length_b.tolist() == [len(frame) for frame in frames]
    (whole,) = bench.run([craft.udp(b"few")], payload="truncate:5")
    assert whole[42:] == b"few"


def test_a_cut_packet_of_pcapng_is_whole_as_a_block(bench, capture):
    made = bench.made(capture(options=[(2, bytes(4))]), payload="truncate:2")
    read = read_frames(made)
    assert read.captured_b.tolist() == [44, 44]
    assert read.length_b.tolist() == [62, 62]


def test_arp_stays_when_payloads_go(bench, craft):
    mac, ip = bytes.fromhex("50c7bf6be019"), bytes((192, 168, 1, 23))
    arp = bytes.fromhex("0001080006040001") + mac + ip + bytes(6) + ip[:3] + b"\x01"
    (made,) = bench.run([craft.ether(arp, 0x0806)], payload="headers")
    assert len(made) == 42
    assert made[22:28] == made[6:12] != mac
    assert made[28:31] == made[38:41]


@pytest.mark.parametrize(
    "wrong",
    [{"payload": "some"}, {"payload": "truncate:x"}, {"names": "no"}, {"shift_ns": 5}],
)
def test_a_policy_that_cannot_be_is_refused(wrong):
    with pytest.raises(ValueError, match=r"must|can"):
        Policy(**wrong)


def test_a_damaged_capture_leaves_nothing_behind(bench, tmp_path, craft):
    path = craft.pcap(tmp_path / "a.pcap", [craft.udp(b"x")])
    path.write_bytes(path.read_bytes()[:24] + b"\xff" * 40)
    with pytest.raises(Exception, match="cannot be"):
        bench.made(path)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.pcap"]


def test_the_same_input_gives_the_same_bytes(bench, capture):
    path = capture()
    first = bench.made(path, SECRET).read_bytes()
    assert bench.made(path, SECRET).read_bytes() == first
