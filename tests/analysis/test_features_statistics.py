"""Statistics of groups against scipy and numpy, group by group."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis.features import statistics

PERCENT = np.arange(10.0, 100.0, 10.0)
sizes = st.one_of(st.integers(0, 65_600), st.sampled_from((60, 66, 1514)))
groups = st.lists(st.lists(sizes, max_size=70), min_size=1, max_size=6)
HOUR_NS = 3600 * 10**9


def ranges(lists):
    ends = np.cumsum([len(g) for g in lists], dtype=np.int64)
    return ends - [len(g) for g in lists], ends


def described(lists):
    """Return the statistics of groups of sizes that went out."""
    flat = np.array([v for g in lists for v in g], dtype=np.uint32)
    out = np.ones(flat.size, dtype=bool)
    return statistics.size_statistics(*ranges(lists), flat, out)[:, 13:26]


@given(lists=groups)
@settings(deadline=None, derandomize=True)
def test_moments_are_those_of_scipy(lists):
    for row, values in zip(described(lists), lists, strict=True):
        if not values:
            assert row.tolist() == [0] * 13
            continue
        assert row[0] == pytest.approx(np.mean(values), rel=1e-12)
        assert row[1] == pytest.approx(np.var(values), rel=1e-9)
        if np.ptp(values):
            assert row[2] == pytest.approx(stats.skew(values), rel=1e-9, abs=1e-9)
            assert row[3] == pytest.approx(stats.kurtosis(values), rel=1e-9, abs=1e-9)
        else:
            assert row[2:4].tolist() == [0, 0]


@given(lists=groups)
@example(lists=[list(range(70_000, 0, -7))])
@settings(deadline=None, derandomize=True)
def test_percentiles_are_those_of_numpy(lists):
    for row, values in zip(described(lists), lists, strict=True):
        want = np.percentile(values, PERCENT) if values else np.zeros(9)
        assert row[4:] == pytest.approx(want, rel=1e-12)


@pytest.mark.parametrize("n", [0, 1, 2, 47, 48, 49, 50, 300, 5000])
@pytest.mark.parametrize("top", [1, 255, 256, 65_535, HOUR_NS, 2**62])
def test_values_are_sorted_whatever_their_number_and_range(n, top):
    values = np.random.default_rng(n).integers(0, top, n, endpoint=True)
    want = np.sort(values)
    statistics._sort(values, np.empty(5000, dtype=np.int64))
    assert np.array_equal(values, want)


@given(
    stamps=st.lists(
        st.tuples(st.integers(0, 10**11), st.booleans()), min_size=1, max_size=80
    )
)
@settings(deadline=None, derandomize=True)
def test_gaps_lie_between_neighbours_of_a_direction(stamps):
    stamps.sort(key=lambda each: each[0])
    time_ns = np.array([t for t, _ in stamps])
    out = np.array([o for _, o in stamps])
    first, last = np.array([0]), np.array([time_ns.size])
    (row,) = statistics.gap_statistics(first, last, time_ns, out)
    for i, chosen in enumerate((~out, out, out | True)):
        gaps = np.diff(time_ns[chosen]) / 1e9
        want = [gaps.mean(), *np.percentile(gaps, PERCENT)] if gaps.size else [0] * 10
        got = row[13 * i : 13 * i + 13]
        assert [got[0], *got[4:]] == pytest.approx(want, rel=1e-12)


def test_equal_gaps_of_any_length_have_no_variance_skew_or_kurtosis():
    time_ns = np.arange(90) * 300_000_001 + 1_780_000_000 * 10**9
    out = np.ones(90, dtype=bool)
    (row,) = statistics.gap_statistics(np.array([0]), np.array([90]), time_ns, out)
    assert row[[14, 15, 16, 27, 28, 29]].tolist() == [0] * 6


@given(lists=groups, seed=st.integers(0, 99))
@settings(deadline=None, derandomize=True)
def test_amounts_are_counts_and_sums_by_direction(lists, seed):
    flat = np.array([v for g in lists for v in g], dtype=np.uint32)
    out = np.random.default_rng(seed).random(flat.size) < 0.5
    first, last = ranges(lists)
    got = statistics.amounts(first, last, flat, out)
    for row, a, b in zip(got.tolist(), first, last, strict=True):
        size, sent = flat[a:b].astype(int), out[a:b]
        assert row == [
            *((~sent).sum(), size[~sent].sum()),
            *(sent.sum(), size[sent].sum()),
            *(size.size, size.sum()),
        ]


def test_bytes_of_a_window_may_be_more_than_a_packet_length_can_say():
    flat = np.full(3, 2**32 - 1, dtype=np.uint32)
    first, last, out = np.array([0]), np.array([3]), np.zeros(3, dtype=bool)
    got = statistics.amounts(first, last, flat, out)
    assert got[0, [1, 5]].tolist() == [3 * (2**32 - 1)] * 2


@pytest.mark.parametrize(
    ("sent", "stamps", "want"),
    [
        ([1, 0], [5, 9], 4e-9),
        ([0, 1], [5, 9], -1),
        ([0, 1], [7, 7], 0),  # came at the same instant, but stands before it
        ([0, 0, 1, 1, 0], [1, 2, 3, 4, 8], 5e-9),
        ([1, 1], [1, 2], -1),
        ([0, 0], [1, 2], -1),
        ([], [], -1),
    ],
)
def test_the_reply_is_the_first_that_comes_in_after_the_first_that_went_out(
    sent, stamps, want
):
    time_ns, out = np.array(stamps, dtype=np.int64), np.array(sent, dtype=bool)
    first, last = np.array([0]), np.array([time_ns.size])
    assert statistics.reply_s(first, last, time_ns, out)[0] == pytest.approx(want)
