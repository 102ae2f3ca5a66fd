import errno
import os
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.pcap import blocks
from analysis.pcap.convert import write_pcapng
from analysis.pcap.errors import CaptureError
from analysis.pcap.reader import read_frames
from analysis.pcap.rewrite import rewritten
from analysis.pcap.stream import open_capture_stream

ABOUT = "campaign=evening,device=lamp,simulated=true"
COMMENTS = ["s=1,label=turn_on", "δ", "x" * 70_000, "four"]
SECTION, INTERFACE, OLD, SIMPLE, PACKET = 0x0A0D0D0A, 1, 2, 3, 6


def rewrite(sources, target, choose, comments=COMMENTS):
    """Copy packets of captures; `choose` gives a frame its label, None to leave it."""
    with rewritten(target, about=ABOUT, comments=comments) as writer:
        for source in sources:
            with open_capture_stream(source) as stream:
                writer.begin(stream)
                for batch in stream:
                    numbers = range(batch.first_frame, batch.first_frame + len(batch))
                    labels = [choose(n) for n in numbers]
                    rows = [r for r, label in enumerate(labels) if label is not None]
                    kept = np.array([labels[r] for r in rows], dtype=np.int32)
                    writer.write(batch, np.array(rows, dtype=np.int64), kept)
        writer.close()
        writer.keep()


def walk(data):
    """Yield (byte order, type, block); written anew, so as to share no mistake."""
    order, at = "<", 0
    while at < len(data):
        if data[at : at + 4] == b"\x0a\x0d\x0d\x0a":
            order = "<" if data[at + 8 : at + 12] == b"\x4d\x3c\x2b\x1a" else ">"
        kind, size = struct.unpack_from(order + "II", data, at)
        block = data[at : at + size]
        assert struct.unpack(order + "I", block[-4:])[0] == size
        yield order, kind, block
        at += size


def stripped(order, block, text):
    """Take the comment `text` out of a packet block; it must be the first option."""
    captured_b = struct.unpack_from(order + "I", block, 20)[0]
    tail = 28 + captured_b + -captured_b % 4
    option = blocks.pack_option(1, text, order)
    assert block[tail : tail + len(option)] == option
    rest = block[tail + len(option) : -4]
    if rest[:2] == b"\0\0":
        rest = rest[4:]
    size = tail + len(rest) + 4
    length = struct.pack(order + "I", size)
    return block[:4] + length + block[8:tail] + rest + length


def check(old, new, choose):
    """Compare a rewritten pcapng file with its source, block by block."""
    expected, number = [], 0
    for order, kind, block in walk(old):
        if kind in (OLD, SIMPLE, PACKET):
            label = choose(number)
            number += 1
            if label is None:
                continue
            expected.append((order, kind, block, label))
        else:
            expected.append((order, kind, block, None))
    got = list(walk(new))
    assert len(got) == len(expected)
    for (order, kind, block), (order_0, kind_0, before, label) in zip(
        got, expected, strict=True
    ):
        assert (order, kind) == (order_0, kind_0)
        if kind == SECTION:
            assert block[8:16] == before[8:16]
            assert block[16:24] == b"\xff" * 8
            option = blocks.pack_option(1, ABOUT.encode(), order)
            assert block[24 : 24 + len(option)] == option
            assert before[24:-4] in block[24 + len(option) : -4]
        elif label is not None and label >= 0 and kind != SIMPLE:
            text = COMMENTS[label].encode()[:65535]
            assert stripped(order, block, text) == before
        else:
            assert block == before


def block_of(order, kind, body):
    body += bytes(-len(body) % 4)
    size = 12 + len(body)
    return struct.pack(order + "II", kind, size) + body + struct.pack(order + "I", size)


OPTIONS = st.sampled_from(
    [
        [],
        ["end"],
        [(1, b"was here before")],
        [(1, b"one"), (1, b"two!"), "end"],
        [(2, b"\1\0\0\0"), "end"],
        [(2, b"\1\0\0\0"), (4, bytes(8)), "end"],
        ["end", (1, b"after the end")],
    ]
)


def option_bytes(order, options):
    return b"".join(
        bytes(4) if each == "end" else blocks.pack_option(*each, order)
        for each in options
    )


@st.composite
def packet(draw, order, interfaces):
    kind = draw(st.sampled_from([PACKET, PACKET, OLD, SIMPLE]))
    data = draw(st.binary(max_size=9))
    padded = data + b"\x5a" * (-len(data) % 4)
    if kind == SIMPLE:
        return block_of(order, kind, struct.pack(order + "I", len(data)) + padded)
    number = draw(st.integers(0, interfaces - 1))
    first = struct.pack(
        order + ("I" if kind == PACKET else "HH"), number, *[7][: kind == OLD]
    )
    stamp = struct.pack(order + "II", 380_000, draw(st.integers(0, 2**32 - 1)))
    sizes = struct.pack(order + "II", len(data), len(data) + draw(st.integers(0, 9)))
    body = first + stamp + sizes + padded + option_bytes(order, draw(OPTIONS))
    return block_of(order, kind, body)


@st.composite
def section(draw):
    order = draw(st.sampled_from("<>"))
    other = st.sampled_from([4, 5, 0x0A, 0x0BAD, 0x40000BAD])
    length = draw(st.sampled_from([-1, 4]))
    head = struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, length)
    parts = [block_of(order, SECTION, head + option_bytes(order, draw(OPTIONS)))]
    interfaces = draw(st.integers(1, 2))
    for _ in range(interfaces):
        body = struct.pack(order + "HHI", 1, 0, 0) + blocks.pack_option(
            9, b"\x09", order
        )
        parts.append(block_of(order, INTERFACE, body))
    for _ in range(draw(st.integers(0, 6))):
        if draw(st.integers(0, 3)) == 0:
            parts.append(block_of(order, draw(other), draw(st.binary(max_size=8))))
        parts.append(draw(packet(order, interfaces)))
    return b"".join(parts)


@settings(derandomize=True, deadline=None, max_examples=150)
@given(
    st.lists(section(), min_size=1, max_size=3),
    st.lists(st.sampled_from([None, -1, 0, 1, 2, 3]), min_size=18, max_size=18),
)
def test_without_its_comments_every_block_is_what_it_was(
    tmp_path_factory, sections, labels
):
    folder = tmp_path_factory.mktemp("odd")
    old = b"".join(sections)
    (folder / "a.pcapng").write_bytes(old)
    rewrite([folder / "a.pcapng"], folder / "b.pcapng", labels.__getitem__)
    check(old, (folder / "b.pcapng").read_bytes(), labels.__getitem__)
    assert sorted(p.name for p in folder.iterdir()) == ["a.pcapng", "b.pcapng"]


@pytest.fixture
def capture(craft, write):
    return write(
        [(n * 0.37, frame) for n, frame in enumerate(craft.mixed())], comment="kept"
    )


def test_wireshark_shows_our_comments_and_those_of_before(
    capture, tmp_path, tshark, capinfos
):
    target = tmp_path / "commented.pcapng"
    rewrite([capture], target, lambda n: {1: 0, 4: 1}.get(n, -1))
    rows = tshark(target, "frame.comment")
    assert [row["frame.comment"] for row in rows[:6]] == [
        "",
        "s=1,label=turn_on",
        "",
        "",
        "δ",
        "",
    ]
    assert capinfos(target).returncode == 0
    again = tmp_path / "again.pcapng"
    rewrite([target], again, lambda n: 3 if n == 1 else -1)
    assert b"kept" in again.read_bytes()
    assert tshark(again, "frame.comment")[1]["frame.comment"] == "four"
    assert b"s=1,label=turn_on" in again.read_bytes()


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("magic", "decimals"), [(0xA1B2C3D4, 6), (0xA1B23C4D, 9)])
def test_a_pcap_file_becomes_a_section_with_its_ticks(
    tmp_path, order, magic, decimals, tshark, capinfos
):
    path = tmp_path / "a.pcap"
    data = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65535, 1)
    stamps = [(1_700_000_000 + n, 999_000 + n) for n in range(5)]
    for n, (seconds, ticks) in enumerate(stamps):
        body = b"\x02" * (14 + n)
        data += struct.pack(order + "IIII", seconds, ticks, len(body), 60) + body
    path.write_bytes(data)
    target = tmp_path / "b.pcapng"
    rewrite([path], target, lambda n: None if n == 2 else 0 if n == 3 else -1)
    before, after = read_frames(path), read_frames(target)
    kept = [0, 1, 3, 4]
    assert after.time_ns.tolist() == before.time_ns[kept].tolist()
    assert after.length_b.tolist() == [60] * 4
    assert [after.frame(r) for r in range(4)] == [before.frame(r) for r in kept]
    assert after.interfaces[0].resolution == decimals
    assert after.interfaces[0].snaplen == 65535
    seen = tshark(target, "frame.time_epoch", "frame.comment")
    scale = 10 ** (9 - decimals)
    assert [row["frame.time_epoch"] for row in seen] == [
        f"{stamps[n][0]}.{stamps[n][1] * scale:09d}" for n in kept
    ]
    assert [row["frame.comment"] for row in seen] == ["", "", COMMENTS[0], ""]
    assert capinfos(target).returncode == 0


def test_captures_follow_each_other_as_sections(capture, tmp_path, tshark, capinfos):
    pcap = tmp_path / "b.pcap"
    head = struct.pack(">IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    record = struct.pack(">IIII", 10, 999_999, 14, 14) + b"\x02" * 14
    pcap.write_bytes(head + record)
    target = tmp_path / "c.pcapng"
    rewrite([capture, pcap, capture], target, lambda _n: 0)
    n = len(read_frames(capture))
    rows = tshark(target, "frame.comment", "frame.time_epoch")
    assert [row["frame.comment"] for row in rows] == [COMMENTS[0]] * (2 * n + 1)
    assert rows[n]["frame.time_epoch"] == "10.999999000"
    assert f"= {2 * n + 1}" in capinfos(target).stdout.replace(":  ", "=")
    one = capture.read_bytes()
    data = target.read_bytes()
    half = data.index(b"\x0a\x0d\x0d\x0a", 4)
    check(one, data[:half], lambda _n: 0)


class _Full:
    def __init__(self, after):
        self.left = after

    def __call__(self, fd, data):
        if self.left <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.left -= 1
        return os.pwrite(fd, data[:7], os.lseek(fd, 0, os.SEEK_END))


def test_a_full_disk_is_told_and_leaves_nothing(capture, tmp_path, monkeypatch):
    target = tmp_path / "b.pcapng"
    monkeypatch.setattr("analysis.pcap.rewrite.os.write", _Full(after=2))
    with pytest.raises(OSError, match="No space left") as told:
        rewrite([capture], target, lambda _n: 0)
    assert told.value.filename == str(target)
    assert list(tmp_path.iterdir()) == [capture]


def test_short_writes_are_gone_on_with(capture, tmp_path, monkeypatch):
    monkeypatch.setattr("analysis.pcap.rewrite.os.write", _Full(after=10**6))
    rewrite([capture], tmp_path / "b.pcapng", lambda _n: 0)
    monkeypatch.undo()
    check(capture.read_bytes(), (tmp_path / "b.pcapng").read_bytes(), lambda _n: 0)


def test_a_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none/b\.pcapng"):
        rewrite([], tmp_path / "none" / "b.pcapng", lambda _n: 0)


def test_what_is_whole_and_pcapng_stays_byte_for_byte(capture, tmp_path):
    write_pcapng(capture, tmp_path / "b.pcapng", whole=True)
    assert (tmp_path / "b.pcapng").read_bytes() == capture.read_bytes()


def test_the_broken_end_of_a_capture_is_left_out(capture, tmp_path, capinfos):
    capture.write_bytes(capture.read_bytes()[:-9])
    before = read_frames(capture)
    write_pcapng(capture, tmp_path / "b.pcapng", whole=False)
    after = read_frames(tmp_path / "b.pcapng")
    assert after.truncated_at is None
    assert before.truncated_at is not None
    assert after.time_ns.tolist() == before.time_ns.tolist()
    assert capinfos(tmp_path / "b.pcapng").returncode == 0


def test_a_damaged_capture_is_not_converted(tmp_path):
    (tmp_path / "a.pcap").write_bytes(b"\xd4\xc3\xb2\xa1")
    with pytest.raises(CaptureError, match="inside the file header"):
        write_pcapng(tmp_path / "a.pcap", tmp_path / "b.pcapng", whole=False)
    assert [p.name for p in tmp_path.iterdir()] == ["a.pcap"]


def test_odd_captures_of_others_come_back_byte_for_byte(public_data, tmp_path):
    target = tmp_path / "b.pcapng"
    n_checked = 0
    for path in sorted((public_data / "pcap-robustness").rglob("*.pcapng")):
        if path.stat().st_size > 3_000_000:
            continue
        try:
            rewrite([path], target, lambda _n: 0)
        except CaptureError:
            assert list(tmp_path.iterdir()) == []
            continue
        with open_capture_stream(path) as stream:
            for _batch in stream:
                pass
        if stream.is_pcapng and not stream.packed:
            old = path.read_bytes()[: stream.truncated_at]
            check(old, target.read_bytes(), lambda _n: 0)
            n_checked += 1
        target.unlink()
    assert n_checked > 20


def test_what_is_said_of_a_file_is_cut_between_characters(craft, write, tmp_path):
    source, target = write([(1, craft.udp4(b"x"))]), tmp_path / "copy.pcapng"
    with (
        rewritten(target, about="δ" * 40_000) as writer,
        open_capture_stream(source) as stream,
    ):
        writer.begin(stream)
        for batch in stream:
            writer.write(batch, np.arange(len(batch), dtype=np.int64))
        writer.close()
        writer.keep()
    _order, _kind, section = next(iter(walk(target.read_bytes())))
    code, size_b = struct.unpack_from("<HH", section, 24)
    assert (code, size_b) == (blocks.OPT_COMMENT, 65_534)
    assert section[28 : 28 + size_b].decode() == "δ" * 32_767
