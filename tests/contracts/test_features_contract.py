"""Promises that every family of features keeps; a new one is found by itself."""

from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest

import analysis.features
from analysis.features.matrix import features_of
from analysis.features.model import WindowPackets
from analysis.features.sequence import BLOCKS, sequence_of
from analysis.packets import PacketTable
from analysis.registry import discover

FAMILIES = discover(analysis.features, "FEATURES")
every_family = pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)

START_NS = 1_780_000_000 * 10**9
DAY_NS = 86_400 * 10**9


def windows(counts, shift_ns=0, seed=1):
    rng = np.random.default_rng(seed)
    starts_ns = START_NS + shift_ns + np.arange(len(counts)) * 60 * 10**9
    offsets = np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
    n = int(offsets[-1])
    times = [
        start + np.sort(rng.integers(0, 8 * 10**9, n))
        for start, n in zip(starts_ns, counts, strict=True)
    ]
    return WindowPackets(
        start_ns=starts_ns,
        length_s=np.full(len(counts), 8.0),
        longest_s=8.0,
        first=offsets[:-1],
        last=offsets[1:],
        time_ns=np.concatenate(times).astype(np.int64),
        length_b=rng.integers(60, 1515, n).astype(np.uint32),
        outbound=rng.random(n) < 0.4,
    )


@every_family
@pytest.mark.parametrize(
    "counts", [[0], [1], [2], [500], [0, 0], [0, 1, 0, 2, 40, 0]], ids=str
)
def test_is_finite_for_any_number_of_packets(family, counts):
    x = family.compute(windows(counts))
    assert x.shape == (len(counts), len(family.features))
    assert x.dtype == np.float64
    assert np.isfinite(x).all()


@every_family
def test_does_not_depend_on_absolute_time(family):
    now = family.compute(windows([3, 0, 60]))
    tomorrow = family.compute(windows([3, 0, 60], shift_ns=DAY_NS + 12_345_678_901))
    assert tomorrow == pytest.approx(now)


@every_family
def test_a_window_does_not_depend_on_its_neighbours(family):
    together = windows([30, 30, 30])
    alone = replace(
        together,
        start_ns=together.start_ns[1:2],
        length_s=together.length_s[1:2],
        first=np.array([0]),
        last=np.array([30]),
        time_ns=together.time_ns[30:60],
        length_b=together.length_b[30:60],
        outbound=together.outbound[30:60],
    )
    assert family.compute(alone)[0] == pytest.approx(family.compute(together)[1])


@every_family
def test_a_feature_with_a_unit_says_so_in_its_name(family):
    for feature in family.features:
        assert feature.unit == "1" or feature.name.endswith(f"_{feature.unit}")


@every_family
def test_input_is_left_as_it_was(family):
    packets, same = windows([5, 0, 9]), windows([5, 0, 9])
    family.compute(packets)
    for name in ("start_ns", "first", "last", "time_ns", "length_b", "outbound"):
        assert np.array_equal(getattr(packets, name), getattr(same, name))


def table(addresses, ports, shift_ns=0, seed=3):
    """Return 200 packets with four hosts; what the hosts say is the same each time."""
    rng = np.random.default_rng(seed)
    n = 200
    outbound, remote = rng.random(n) < 0.4, rng.integers(-1, 4, n).astype(np.int32)
    service = np.array([443, 53, 1900, 9999, 0])[remote]
    own = np.array([*ports, 0])[remote]
    zeros = {
        name: np.zeros(n, kind)
        for name, kind in (
            *(("ethertype", np.uint16), ("payload_b", np.uint32)),
            *(("tcp_flags", np.uint8), ("seq", np.uint32), ("ack", np.uint32)),
            *(("flow", np.int32), ("retransmission", np.uint8)),
            *(("error", np.uint8), ("capture", np.int32), ("frame", np.int64)),
        )
    }
    return PacketTable(
        device="lamp",
        time_ns=np.sort(rng.integers(0, 60 * 10**9, n)) + START_NS + shift_ns,
        length_b=rng.integers(60, 1515, n).astype(np.uint32),
        outbound=outbound,
        protocol=np.array([6, 17, 17, 6, 0], np.uint8)[remote],
        remote=remote,
        src_port=np.where(outbound, own, service).astype(np.uint16),
        dst_port=np.where(outbound, service, own).astype(np.uint16),
        remotes=addresses,
        **zeros,
    )


def of_table(packets):
    """Return all dense features and the sequence of three windows of it."""
    start_ns = packets.time_ns[[0, 40, 90]]
    end_ns = start_ns + 15 * 10**9
    first, last = np.searchsorted(packets.time_ns, (start_ns, end_ns))
    made = SimpleNamespace(start_ns=start_ns, end_ns=end_ns, first=first, last=last)
    return features_of(packets, made)[1], sequence_of(packets, made)


HERE = ("203.0.113.9", "10.0.0.1", "239.255.255.250", "10.0.0.7")
THERE = ("8.8.4.4", "192.168.7.254", "ff02::c", "fe80::12")


@pytest.mark.parametrize(
    "other",
    [
        table(THERE, (50_001, 50_002, 50_003, 50_004)),
        table(HERE, (60_999, 32_768, 49_152, 1_024)),
        table(HERE, (50_001, 50_002, 50_003, 50_004), shift_ns=DAY_NS * 40 + 7),
    ],
    ids=["addresses", "ephemeral ports", "date"],
)
def test_neither_features_nor_sequence_change_with(other):
    x, sequence = of_table(table(HERE, (50_001, 50_002, 50_003, 50_004)))
    y, same = of_table(other)
    assert sequence.nnz > 100
    assert y == pytest.approx(x)
    assert (same != sequence).nnz == 0


def test_a_service_port_is_no_address_and_may_be_seen():
    _x, sequence = of_table(table(HERE, (50_001, 50_002, 50_003, 50_004)))
    moved = table(("203.0.113.9", *HERE[1:3], "198.51.100.1"), (50_001,) * 4)
    assert (of_table(moved)[1] != sequence).nnz


def test_blocks_of_the_sequence_follow_each_other_without_a_gap():
    edges = [(block.start, block.stop) for block in BLOCKS.values()]
    assert edges[0][0] == 0
    assert all(a[1] == b[0] for a, b in pairwise(edges))


def test_a_name_is_given_to_one_feature_only():
    names = [f.name for family in FAMILIES.values() for f in family.features]
    assert len(names) == len(set(names))


def test_the_features_that_the_paper_names_are_there():
    names = {f.name for family in FAMILIES.values() for f in family.features}
    assert {
        "both_delay_s",
        "in_size_mean_b",
        "in_packets",
        "out_size_p30_b",
        "out_size_p20_b",
        "in_out_packets_ratio",
        "both_size_kurtosis",
        "both_size_variance_b2",
        "in_size_p10_b",
        "in_size_p60_b",
        "out_size_mean_b",
        "out_size_skew",
    } <= names
