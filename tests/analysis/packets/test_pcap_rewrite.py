import struct

import numpy as np
import pytest

from analysis.pcap.errors import CaptureError
from analysis.pcap.reader import read_frames
from analysis.pcap.rewrite import copy_capture, shift_stamps

START_NS = 1_700_000_000_000_000_000


def drift_ns(time_ns):
    """49 s ahead, and 40 ppm too fast."""
    return 49 * 10**9 + (time_ns - START_NS) * 40 // 1_000_000


@pytest.fixture
def capture(craft, write):
    return write(
        [(n * 0.37, frame) for n, frame in enumerate(craft.mixed())], comment="kept"
    )


def test_every_stamp_moves_by_what_the_clock_says_and_nothing_else(capture, tshark):
    before = read_frames(capture)
    old = capture.read_bytes()
    times = before.time_ns.tolist()
    frames = [before.frame(row) for row in range(len(before))]
    shift_stamps(capture, drift_ns)
    after = read_frames(capture)
    assert after.time_ns.tolist() == [t + drift_ns(t) for t in times]
    assert [after.frame(row) for row in range(len(after))] == frames
    new = bytearray(capture.read_bytes())
    for offset in after.offset.tolist():
        new[offset - 16 : offset - 8] = old[offset - 16 : offset - 8]
    assert bytes(new) == old
    assert list(capture.parent.iterdir()) == [capture]
    assert len(tshark(capture, "frame.number")) == len(frames)


@pytest.mark.parametrize("order", ["<", ">"])
def test_stamps_of_a_microsecond_pcap_are_rounded_down(tmp_path, order):
    path = tmp_path / "a.pcap"
    head = struct.pack(order + "IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    path.write_bytes(head + struct.pack(order + "IIII", 10, 999_999, 3, 3) + b"abc")
    shift_stamps(path, lambda _time_ns: 1_999)
    assert read_frames(path).time_ns.tolist() == [11 * 10**9]
    shift_stamps(path, lambda _time_ns: -1)
    assert read_frames(path).time_ns.tolist() == [10 * 10**9 + 999_999_000]


def test_a_capture_that_was_killed_keeps_its_broken_end(capture):
    whole = capture.read_bytes()
    capture.write_bytes(whole[:-9])
    before = read_frames(capture)
    times = before.time_ns.tolist()
    shift_stamps(capture, lambda _time_ns: 5)
    after = read_frames(capture)
    assert after.time_ns.tolist() == [t + 5 for t in times]
    assert after.truncated_at == before.truncated_at is not None
    assert capture.stat().st_size == len(whole) - 9


def test_a_failed_rewrite_leaves_the_file_as_it_was(capture):
    whole = capture.read_bytes()
    with pytest.raises(CaptureError, match="before 1970"):
        shift_stamps(capture, lambda _time_ns: -(10**19))
    assert capture.read_bytes() == whole
    assert list(capture.parent.iterdir()) == [capture]


def test_comments_are_put_beside_chosen_packets(capture, tmp_path, tshark, capinfos):
    target = tmp_path / "commented.pcapng"
    n = copy_capture(capture, target, comments={2: "s=1,label=turn_on", 5: "δ"})
    rows = tshark(target, "frame.comment")
    assert n == len(rows)
    assert [row["frame.comment"] for row in rows[:5]] == [
        "",
        "s=1,label=turn_on",
        "",
        "",
        "δ",
    ]
    assert capinfos(target).returncode == 0
    assert np.array_equal(read_frames(target).time_ns, read_frames(capture).time_ns)


def test_a_copy_without_changes_is_the_same_file(capture, tmp_path):
    copy_capture(capture, tmp_path / "b.pcapng")
    assert (tmp_path / "b.pcapng").read_bytes() == capture.read_bytes()


def test_pcap_has_no_place_for_comments(tmp_path):
    path = tmp_path / "a.pcap"
    path.write_bytes(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
    with pytest.raises(CaptureError, match="cannot hold comments"):
        copy_capture(path, tmp_path / "b", comments={1: "x"})
