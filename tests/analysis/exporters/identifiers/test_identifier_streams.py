import numpy as np
import pytest

from analysis.exporters.identifiers import Streams
from analysis.pcap.decode import decode_batch
from analysis.pcap.stream import open_capture_stream
from analysis.pcap.writer import open_capture


def segment(seq, payload, *, flags=0x18, port=80):
    head = bytes.fromhex("4500") + (40 + len(payload)).to_bytes(2) + bytes(4)
    head += bytes((64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2))
    tcp = (4000).to_bytes(2) + port.to_bytes(2) + (seq % 2**32).to_bytes(4) + bytes(4)
    tcp += bytes((0x50, flags)) + b"\x20\x00" + bytes(4)
    return bytes(12) + b"\x08\x00" + head + tcp + payload


def said(tmp_path, frames, overlap_b=8):
    path = tmp_path / "c.pcapng"
    with open_capture(path) as out:
        for number, frame in enumerate(frames):
            out.packet(number, frame)
    streams, stretches = Streams(overlap_b), []
    with open_capture_stream(path) as capture:
        for batch in capture:
            stretches += streams.add(batch, decode_batch(batch))
        stretches += streams.finish()
    return stretches


def test_segments_in_any_order_and_twice_make_what_was_said(tmp_path):
    rng = np.random.default_rng(3)
    text = rng.bytes(4000)
    base = 2**32 - 700  # the numbers turn over on the way
    parts = [(k, text[k : k + 100]) for k in range(0, 4000, 100)]
    order = [0, *(1 + rng.permutation(39)).tolist(), 5, 6, 7]
    frames = [segment(base + parts[k][0], parts[k][1]) for k in order]
    (stretch,) = said(tmp_path, frames)
    assert stretch.data == text


def test_segments_that_are_sent_again_in_other_sizes_add_nothing(tmp_path):
    text = b"the quick brown fox jumps over the lazy dog"
    spans = [(0, 10), (5, 20), (0, 20), (25, 30), (18, 28), (28, len(text))]
    frames = [segment(100 + a, text[a:b]) for a, b in spans]
    (stretch,) = said(tmp_path, frames)
    assert stretch.data == text


def test_long_streams_come_in_stretches_that_share_their_ends(tmp_path):
    text = np.random.default_rng(4).bytes(700_000)
    frames = [segment(k, text[k : k + 1000]) for k in range(0, len(text), 1000)]
    stretches = said(tmp_path, frames)
    assert len(stretches) > 1
    assert b"".join(s.data[s.old_b :] for s in stretches) == text
    assert all(len(s.data) < 300_000 for s in stretches)
    assert stretches[1].data[:8] == stretches[0].data[-8:]


def test_a_gap_ends_a_stretch_and_what_follows_is_not_lost(tmp_path):
    frames = [segment(0, b"before"), segment(5000, b"after"), segment(5005, b"wards")]
    assert [s.data for s in said(tmp_path, frames)] == [b"before", b"afterwards"]


def test_of_tls_only_the_beginning_is_put_together(tmp_path):
    record = b"\x17\x03\x03\x03\xe3" + bytes(995)
    frames = [segment(k * 1000, record, port=443) for k in range(200)]
    assert sum(len(s.data) - s.old_b for s in said(tmp_path, frames)) < 20_000


def test_what_only_begins_like_tls_is_put_together(tmp_path):
    said_b = 200_000
    text = b"\x17\x03\x03\x00\x02no" + b"tls at all " * (said_b // 11)
    frames = [segment(k, text[k : k + 1000]) for k in range(0, len(text), 1000)]
    assert b"".join(s.data[s.old_b :] for s in said(tmp_path, frames)) == text


def test_a_copy_that_says_otherwise_is_a_stretch_of_its_own(tmp_path):
    frames = [segment(0, b"first said"), segment(0, b"first"), segment(6, b"lied")]
    assert [s.data for s in said(tmp_path, frames)] == [b"lied", b"first said"]


def test_a_first_segment_that_was_lost_and_comes_again_is_put_before_the_others(
    tmp_path,
):
    spans = [(5, 10), (10, 20), (0, 5), (20, 26)]
    text = b"the quick brown fox jumped"
    frames = [segment(100 + a, text[a:b]) for a, b in spans]
    (stretch,) = said(tmp_path, frames)
    assert (stretch.data, stretch.tls) == (text, False)


def test_of_tls_whose_handshake_comes_late_the_beginning_alone_is_told(tmp_path):
    rng = np.random.default_rng(5)
    text = b"\x16\x03\x01\x02\x00" + rng.bytes(512)
    for _ in range(60):
        text += b"\x17\x03\x03\x0d\x05" + rng.bytes(3333)
    frames = [segment(k, text[k : k + 1000]) for k in range(0, len(text), 1000)]
    frames[:3] = [frames[1], frames[2], frames[0]]
    stretches = said(tmp_path, frames)
    assert {s.tls for s in stretches} == {True}
    assert stretches[0].data == text[: len(stretches[0].data)]
    assert 16_000 < sum(len(s.data) for s in stretches) < 20_000


@pytest.mark.parametrize("head", [b"\x17\x03\x03\x3f\xff", b"\x16\x03\x03\x3f\xff"])
def test_no_late_segment_makes_tls_of_what_was_plain(tmp_path, head):
    late = head + bytes(range(128, 256))
    frames = [segment(5000, b"owners"), segment(5006, b"plain" * 200)]
    frames.append(segment(5000 - len(late), late))
    frames += [segment(6006 + 1000 * k, b"plain" * 200) for k in range(40)]
    text = b"".join(s.data[s.old_b :] for s in said(tmp_path, frames))
    assert text == late + b"owners" + b"plain" * 8200


def test_behind_a_gap_no_late_segment_is_put_before(tmp_path):
    frames = [segment(0, b"before"), segment(5000, b"after")]
    frames += [segment(5005 + 9 * k, b"and after") for k in range(70)]
    frames.append(segment(4000, b"\x16" * 1000))
    assert [len(s.data) for s in said(tmp_path, frames)] == [6, 1000, 5 + 9 * 70]


def test_segments_from_before_the_first_are_told_by_themselves(tmp_path):
    hello = b"\x16\x03\x01\x00\x20" + bytes(range(128, 160))
    record = b"\x17" + hello[1:]
    late = [segment(0, hello), segment(400, record), segment(900, b"plain")]
    found = said(tmp_path, [segment(5000, b"later"), *late])
    assert {s.data: (s.tls, s.alone) for s in found} == {
        b"later": (False, False),
        hello: (True, True),
        record: (False, True),
        b"plain": (False, True),
    }


def test_a_side_takes_so_many_segments_before_its_first(tmp_path):
    frames = [segment(5000 - k, b"x") for k in range(100)]
    sizes = sorted(len(s.data) for s in said(tmp_path, frames))
    assert sizes == [1] * 35 + [65]
