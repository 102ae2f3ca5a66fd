"""The capture that the benchmark makes must be one that real programs believe."""

import subprocess
from collections import Counter

import numpy as np
import pytest

from analysis.dataset import load_activities, load_campaign
from analysis.labelling import label_windows
from tests.bench.plan import ACKED, BAD, FLAGS, KIND, PAYLOAD, SEQ, SYN, TCP, TIME
from tests.bench.workload import DEVICES, Workload, write_campaign

CHECKSUMS = tuple(
    word
    for name in ("ip", "tcp", "udp")
    for word in ("-o", f"{name}.check_checksum:TRUE")
)
FIELDS = ("ip.checksum.status", "tcp.checksum.status", "udp.checksum.status")
KINDS = ("retransmission", "fast_retransmission", "spurious_retransmission")
KINDS += ("out_of_order", "keep_alive")


@pytest.fixture(scope="module")
def block():
    return Workload(4_000_000, seed=3)


@pytest.fixture(scope="module", params=["pcap", "pcapng"])
def capture(request, block, tmp_path_factory):
    path = tmp_path_factory.mktemp("made") / f"made.{request.param}"
    block.write(path, pcapng=request.param == "pcapng")
    return path


def fields(capture, names):
    words = [word for name in names for word in ("-e", name)]
    done = subprocess.run(
        ["tshark", "-n", "-r", capture, *CHECKSUMS, "-T", "fields", *words],
        capture_output=True,
        text=True,
        check=True,
    )
    return [line.split("\t") for line in done.stdout.splitlines()]


def test_tshark_reads_every_packet_at_its_time_and_length(block, capture):
    rows = fields(capture, ("frame.time_epoch", "frame.len", "tcp.seq_raw"))
    step = 1 if capture.suffix == ".pcapng" else 1_000
    stamps = [int(time.replace(".", "")) // step * step for time, _, _ in rows]
    assert stamps == (block.rows[:, TIME] // step * step).tolist()
    assert [int(row[1]) for row in rows] == block.lengths.tolist()
    own = block.rows[:, KIND] == TCP
    assert [int(s) for *_, s in rows if s] == block.rows[own, SEQ].tolist()


def test_only_the_checksums_that_are_meant_to_be_wrong_are_wrong(block, capture):
    bad = np.zeros(len(block.rows), bool)
    for k, row in enumerate(fields(capture, FIELDS)):
        assert row[0] in ("", "1")
        assert row[2] in ("", "1")
        bad[k] = row[1] == "0"
    assert bad.tolist() == (block.rows[:, BAD] == 1).tolist()


def test_nothing_is_malformed_but_what_tshark_says_of_repeated_data(capture):
    rows = fields(capture, ("_ws.malformed", "_ws.expert.message"))
    wrong = [text for malformed, text in rows if malformed]
    assert [text for text in wrong if "overlaps old data" not in text] == []


def test_all_kinds_of_repeated_segments_are_there(capture):
    rows = fields(capture, [f"tcp.analysis.{kind}" for kind in KINDS])
    seen = Counter(
        kind for row in rows for kind, v in zip(KINDS, row, strict=True) if v
    )
    assert all(seen[kind] > 0 for kind in KINDS)
    assert 0.004 < seen["retransmission"] / len(rows) < 0.02


def test_a_stream_carries_the_same_bytes_when_they_are_sent_again(block, capture):
    names = ("tcp.stream", "ip.src", "ipv6.src", "tcp.seq_raw", "tcp.len")
    known = {}
    for row in fields(capture, (*names, "tcp.payload")):
        if row[5] and int(row[4]) > 1:  # not the byte of a keep-alive
            assert known.setdefault(tuple(row[:5]), row[5]) == row[5]
    segments = (block.rows[:, KIND] == TCP) & (block.rows[:, PAYLOAD] > 1)
    assert 0 < len(known) < segments.sum()


def test_the_same_seed_makes_the_same_bytes_and_another_does_not(block, tmp_path):
    for name, made in (
        ("a", block),
        ("b", Workload(4_000_000, seed=3)),
        ("c", Workload(4_000_000, seed=4)),
    ):
        made.write(tmp_path / name, pcapng=True)
    a, b, c = ((tmp_path / name).read_bytes() for name in "abc")
    assert a == b
    assert a != c


def test_a_longer_capture_repeats_the_block_later_and_from_other_ports(block, tmp_path):
    path = tmp_path / "long.pcapng"
    assert block.write(path, pcapng=True, repeats=2) == 2 * len(block.rows)
    rows = fields(path, ("frame.time_epoch", "tcp.flags", "tcp.srcport"))
    times = [int(time.replace(".", "")) for time, _, _ in rows]
    assert times == sorted(times)
    opened = [row[2] for row in rows if row[1] and int(row[1], 16) & 18 == SYN]
    half = len(opened) // 2
    assert set(opened[:half]).isdisjoint(opened[half:])
    syns = (block.rows[:, FLAGS] & (SYN | ACKED)) == SYN
    assert len(opened) == 2 * (syns & (block.rows[:, KIND] == TCP)).sum()


def test_the_campaign_folder_is_one_that_our_commands_take(tmp_path):
    facts = write_campaign(tmp_path / "made", 2_000_000, slices=(100,))
    campaign = load_campaign(tmp_path / "made")
    assert tuple(device.name for device in campaign.devices) == DEVICES
    log = load_activities(tmp_path / "made")
    windows = [label_windows(log, device) for device in DEVICES]  # none overlap
    assert sum(map(len, windows)) == len(log) == facts["activities"]
    assert len(fields(facts["slices"]["100"], ("frame.len",))) == 100
