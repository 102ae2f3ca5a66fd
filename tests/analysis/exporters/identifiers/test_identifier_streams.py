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


def records(rng, *sizes_b):
    heads = [b"\x17\x03\x03" + size_b.to_bytes(2) for size_b in sizes_b]
    return b"".join(h + rng.bytes(n) for h, n in zip(heads, sizes_b, strict=True))


def test_a_capture_that_begins_within_a_record_of_tls_reads_the_rest_of_it_alone(
    tmp_path,
):
    rng = np.random.default_rng(5)
    rest = rng.bytes(5000)
    text = rest + records(rng, *[16_401] * 40)
    text = text[:-700]  # and ends within one
    frames = [segment(k, text[k : k + 1400]) for k in range(0, len(text), 1400)]
    stretches = said(tmp_path, frames)
    assert [s.data for s in stretches if not s.tls] == [rest]
    assert sum(len(s.data) for s in stretches) < 50_000


@pytest.mark.parametrize("body", [b"Maja's letter, ", b"\0\0\0\1Maja\0\0\0\2lamp"])
def test_frames_that_look_like_records_but_are_not_encrypted_are_put_together(
    tmp_path, body
):
    rng = np.random.default_rng(6)
    size_b = len(body) * 40
    text = rng.bytes(300) + (b"\x17\x03\x03" + size_b.to_bytes(2) + body * 40) * 9
    frames = [segment(k, text[k : k + 1400]) for k in range(0, len(text), 1400)]
    (stretch,) = said(tmp_path, frames)
    assert stretch.data == text
    assert not stretch.tls


def test_what_stands_behind_records_of_tls_makes_them_none(tmp_path):
    rng = np.random.default_rng(7)
    text = rng.bytes(300) + records(rng, 900, 900, 900, 900) + b"Maja is at home"
    frames = [segment(k, text[k : k + 1400]) for k in range(0, len(text), 1400)]
    assert [s.data for s in said(tmp_path, frames)] == [text]


def test_two_records_of_tls_in_a_row_are_no_chain(tmp_path):
    rng = np.random.default_rng(8)
    text = rng.bytes(300) + records(rng, 900, 900)
    assert [s.data for s in said(tmp_path, [segment(0, text)])] == [text]


def test_what_only_begins_like_tls_is_put_together(tmp_path):
    said_b = 200_000
    text = b"\x17\x03\x03\x00\x02no" + b"tls at all " * (said_b // 11)
    frames = [segment(k, text[k : k + 1000]) for k in range(0, len(text), 1000)]
    assert b"".join(s.data[s.old_b :] for s in said(tmp_path, frames)) == text


def test_a_copy_that_says_otherwise_is_a_stretch_of_its_own(tmp_path):
    frames = [segment(0, b"first said"), segment(0, b"first"), segment(6, b"lied")]
    assert [s.data for s in said(tmp_path, frames)] == [b"lied", b"first said"]
