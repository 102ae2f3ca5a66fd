import gzip
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.pcap import blocks
from analysis.pcap.blocks import Interface
from analysis.pcap.decode import decode_frames
from analysis.pcap.errors import CaptureError
from analysis.pcap.framing import to_ns
from analysis.pcap.reader import read_frames
from analysis.pcap.writer import open_capture

T_NS = 1_700_000_000_123_456_789
quick = settings(derandomize=True, deadline=None, max_examples=60)


def pcap(order, magic, packets, link=1):
    out = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65535, link)
    for seconds, ticks, data in packets:
        out += struct.pack(order + "IIII", seconds, ticks, len(data), len(data)) + data
    return out


def section(order):
    body = struct.pack(order + "IHHq", blocks.BYTE_ORDER, 1, 0, -1)
    return blocks.pack_block(blocks.SECTION, body, order)


def interface(order, link=1, options=(), snaplen=0):
    body = struct.pack(order + "HHI", link, 0, snaplen)
    body += blocks.pack_options(list(options), order)
    return blocks.pack_block(blocks.INTERFACE, body, order)


def packet(order, number, ticks, data):
    head = struct.pack(
        order + "IIIII", number, ticks >> 32, ticks & 0xFFFFFFFF, len(data), len(data)
    )
    return blocks.pack_block(blocks.PACKET, head + data, order)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("magic", "unit_ns"), [(0xA1B2C3D4, 1000), (0xA1B23C4D, 1)])
def test_pcap_of_either_byte_order_and_resolution(tmp_path, order, magic, unit_ns):
    path = tmp_path / "a.pcap"
    path.write_bytes(pcap(order, magic, [(5, 7, b"abc"), (6, 0, b""), (6, 9, b"x")]))
    frames = read_frames(path)
    at = [(5, 7), (6, 0), (6, 9)]
    assert frames.time_ns.tolist() == [s * 10**9 + n * unit_ns for s, n in at]
    assert [frames.frame(row) for row in range(3)] == [b"abc", b"", b"x"]
    assert frames.truncated_at is None


@pytest.mark.parametrize("order", ["<", ">"])
def test_sections_interfaces_resolutions_and_offsets(tmp_path, order, tshark):
    other = "<" if order == ">" else ">"
    data = section(order)
    data += interface(order, options=[(9, b"\x09")])
    data += interface(order, options=[(9, b"\x94")])  # 2^-20 s
    data += packet(order, 0, T_NS, b"a" * 20)
    data += packet(order, 1, (T_NS // 10**9) << 20 | 1 << 19, b"b" * 21)
    data += section(other)
    offset = struct.pack(other + "q", -3600)
    data += interface(other, link=101, options=[(14, offset), (2, b"wlan0")])
    data += packet(other, 0, T_NS // 1000, b"E" + b"c" * 22)
    path = tmp_path / "a.pcapng"
    path.write_bytes(data)
    frames = read_frames(path)
    assert frames.time_ns.tolist() == [
        T_NS,
        T_NS // 10**9 * 10**9 + 500_000_000,
        T_NS // 1000 * 1000 - 3600 * 10**9,
    ]
    assert frames.interface.tolist() == [0, 1, 2]
    assert frames.link.tolist() == [1, 1, 101]
    assert frames.interfaces[2].name == "wlan0"
    rows = tshark(path, "frame.time_epoch", "frame.cap_len")
    assert [row["frame.time_epoch"].replace(".", "") for row in rows] == [
        str(t) for t in frames.time_ns
    ]


def test_simple_and_obsolete_packet_blocks(tmp_path):
    simple = struct.pack("<I", 30) + b"s" * 12
    old = struct.pack("<HHIIII", 0, 3, 1, 2, 5, 9) + b"hello"
    data = section("<") + interface("<", snaplen=12)
    data += blocks.pack_block(blocks.SIMPLE_PACKET, simple)
    data += blocks.pack_block(blocks.OLD_PACKET, old)
    path = tmp_path / "a.pcapng"
    path.write_bytes(data)
    frames = read_frames(path)
    assert frames.captured_b.tolist() == [12, 5]
    assert frames.length_b.tolist() == [30, 9]
    assert frames.time_ns.tolist() == [0, ((1 << 32) + 2) * 1000]
    assert frames.frame(1) == b"hello"


@quick
@given(
    st.lists(
        st.tuples(st.integers(1, 2**62), st.binary(max_size=70), st.integers(0, 9)),
        max_size=8,
    )
)
def test_what_is_written_is_read(tmp_path_factory, packets):
    path = tmp_path_factory.mktemp("w") / "a.pcapng"
    with open_capture(path, comment="a comment") as capture:
        for time_ns, data, more in packets:
            capture.packet(
                time_ns, data, length_b=len(data) + more, comment=b"x" * more
            )
    frames = read_frames(path)
    assert frames.time_ns.tolist() == [p[0] for p in packets]
    assert [frames.frame(row) for row in range(len(frames))] == [p[1] for p in packets]
    assert frames.length_b.tolist() == [len(p[1]) + p[2] for p in packets]


def test_wireshark_reads_what_is_written(tmp_path, craft, tshark, capinfos):
    path = tmp_path / "a.pcapng"
    wlan = Interface(link=1, options=((blocks.OPT_IF_NAME, b"wlan0"),))
    with open_capture(path, interfaces=[wlan], comment="made by a test") as capture:
        capture.packet(T_NS, craft.tcp4(b"a"), comment="s=1,label=δ".encode())
        capture.packet(T_NS + 1, craft.udp4(b"b")[:20], length_b=60)
    assert capinfos(path).returncode == 0
    fields = ("frame.time_epoch", "frame.comment", "frame.len", "frame.interface_name")
    rows = tshark(path, *fields)
    assert rows[0]["frame.time_epoch"] == "1700000000.123456789"
    assert rows[0]["frame.comment"] == "s=1,label=δ"
    assert rows[0]["frame.interface_name"] == "wlan0"
    assert [row["frame.len"] for row in rows] == ["55", "60"]


def test_an_undeclared_interface_or_a_negative_stamp_is_not_written(tmp_path):
    with open_capture(tmp_path / "a.pcapng") as capture:
        with pytest.raises(ValueError, match="not declared"):
            capture.packet(1, b"", interface=1)
        with pytest.raises(ValueError, match="negative"):
            capture.packet(-1, b"")


def sample_files(craft):
    ng = section("<") + interface("<", options=[(9, b"\x09")])
    ng += b"".join(packet("<", 0, T_NS + n, f) for n, f in enumerate(craft.mixed()[:4]))
    old = pcap("<", 0xA1B2C3D4, [(5, n, f) for n, f in enumerate(craft.mixed()[:4])])
    return {"pcapng": ng, "pcap": old}


@pytest.mark.parametrize("kind", ["pcap", "pcapng"])
def test_a_file_cut_anywhere_is_read_up_to_there(tmp_path, craft, kind):
    whole = sample_files(craft)[kind]
    path = tmp_path / "a"
    path.write_bytes(whole)
    full = read_frames(path)
    ends = [24] if kind == "pcap" else [28, 60]
    body_end = full.offset + full.captured_b
    tail = np.zeros(4) if kind == "pcap" else -body_end % 4 + 4
    ends += (body_end + tail).astype(int).tolist()
    for size in range(ends[0], len(whole)):
        cut = tmp_path / "cut"
        cut.write_bytes(whole[:size])
        frames = read_frames(cut)
        n = len(frames)
        assert n == sum(end <= size for end in ends[-4:])
        assert frames.time_ns.tolist() == full.time_ns[:n].tolist()
        assert (frames.truncated_at is None) == (size in ends)


@settings(derandomize=True, deadline=None, max_examples=300)
@given(st.sampled_from(["pcap", "pcapng"]), st.data())
def test_damage_gives_packets_or_one_sentence(tmp_path_factory, craft, kind, data):
    whole = bytearray(sample_files(craft)[kind])
    for _flip in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(whole) - 1))
        whole[at] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("fuzz") / "a"
    path.write_bytes(bytes(whole))
    said = []
    try:
        frames = read_frames(path)
    except CaptureError as exc:
        said.append(str(exc))
    else:
        assert (frames.offset + frames.captured_b <= len(whole)).all()
        assert len(decode_frames(frames)) == len(frames)
    assert all(f"{path}: byte " in sentence for sentence in said)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty"),
        (b"GET / HTTP/1.1", "is not a pcap or pcapng file"),
        (section("<")[:8] + b"\0" * 20, "is not the start of a pcapng section"),
        (section("<") + packet("<", 3, 1, b"x"), "interface 3, which is not declared"),
        (
            section("<") + interface("<") + struct.pack("<III", 3, 12, 12),
            "a packet is longer than its block",
        ),
        (section("<") + struct.pack("<II", 6, 13) + bytes(20), "a block of 13 bytes"),
        (pcap("<", 0xA1B2C3D4, [])[:20], "ends inside the file header"),
        (
            pcap("<", 0xA1B2C3D4, []) + struct.pack("<IIII", 1, 1, 2**31, 9) + bytes(9),
            "a packet of 2147483648 bytes cannot be",
        ),
        (pcap("<", 0xA1B2C3D4, []) + bytes(64) + b"\1" * 9, "a hole of zeros"),
    ],
)
def test_a_damaged_capture_is_one_sentence_with_file_and_byte(tmp_path, data, message):
    path = tmp_path / "a.pcap"
    path.write_bytes(data)
    with pytest.raises(CaptureError, match=message) as caught:
        read_frames(path)
    assert str(caught.value).startswith(f"{path}: byte {caught.value.offset}: ")


@pytest.mark.parametrize("kind", ["pcap", "pcapng"])
def test_zeros_at_the_end_are_what_a_power_cut_leaves(tmp_path, craft, kind):
    whole = sample_files(craft)[kind]
    path = tmp_path / "a"
    path.write_bytes(whole + bytes(4096))
    frames = read_frames(path)
    assert len(frames) == 4
    assert frames.truncated_at == len(whole)


def test_a_missing_capture_is_one_sentence(tmp_path):
    with pytest.raises(CaptureError, match=r"\.pcap: cannot be read: No such file"):
        read_frames(tmp_path / "none.pcap")


def test_gzip_is_found_by_its_magic_and_may_end_early(tmp_path, craft):
    whole = sample_files(craft)["pcap"]
    path = tmp_path / "a.pcap"
    path.write_bytes(gzip.compress(whole[:50]) + gzip.compress(whole[50:]))
    frames = read_frames(path)
    assert len(frames) == 4
    assert frames.truncated_at is None
    noise = np.random.default_rng(1).bytes(4000)
    packed = gzip.compress(whole + struct.pack("<IIII", 6, 0, 4000, 4000) + noise)
    path.write_bytes(packed[: len(packed) - 300])
    frames = read_frames(path)
    assert len(frames) == 4
    assert frames.truncated_at == len(whole)


@settings(derandomize=True, deadline=None, max_examples=300)
@given(st.integers(0, 2**63), st.integers(0, 60), st.booleans())
def test_ticks_become_ns_as_with_whole_numbers(ticks, power, binary):
    per_s = 2**power if binary else 10**power
    expected = ticks * 10**9 // per_s
    if expected >= 2**63:
        return
    got = to_ns(np.uint64(ticks), power | binary << 7)
    # below 2^-33 s bits are dropped first, which can cost the last nanosecond
    assert expected - (binary and power > 33) <= got <= expected
