"""Ragged statistics against scipy and numpy, group by group."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis.features import ragged

groups = st.lists(
    st.lists(st.floats(0.001, 1e6).map(lambda v: round(v, 3)), max_size=30),
    min_size=1,
    max_size=8,
)
PERCENT = np.arange(10.0, 100.0, 10.0)


def flat(lists):
    offsets = np.concatenate(([0], np.cumsum([len(g) for g in lists])))
    return np.array([v for g in lists for v in g], dtype=float), offsets


@given(lists=groups)
@settings(deadline=None, derandomize=True)
def test_moments_are_those_of_scipy(lists):
    got = ragged.moments(*flat(lists))
    for row, values in zip(got, lists, strict=True):
        if not values:
            assert row.tolist() == [0, 0, 0, 0]
            continue
        assert row[0] == pytest.approx(np.mean(values))
        assert row[1] == pytest.approx(np.var(values), rel=1e-9, abs=1e-9)
        if np.ptp(values) > 1e-3 * max(values):
            assert row[2] == pytest.approx(stats.skew(values), abs=1e-6)
            assert row[3] == pytest.approx(stats.kurtosis(values), abs=1e-6)


@pytest.mark.parametrize("values", [[5.0], [0.1, 0.1, 0.1], [0.0, 0.0]])
def test_a_group_without_spread_has_no_skew_and_no_kurtosis(values):
    got = ragged.moments(*flat([values]))
    assert got[0, 2:].tolist() == [0, 0]


@given(lists=groups)
@settings(deadline=None, derandomize=True)
def test_percentiles_are_those_of_numpy(lists):
    got = ragged.percentiles(*flat(lists), PERCENT)
    for row, values in zip(got, lists, strict=True):
        want = np.percentile(values, PERCENT) if values else np.zeros(9)
        assert row == pytest.approx(want)


@given(lists=st.lists(st.lists(st.integers(0, 10**10), max_size=9), min_size=1))
@settings(deadline=None, derandomize=True)
def test_gaps_are_differences_within_a_group(lists):
    lists = [sorted(g) for g in lists]
    values, offsets = flat(lists)
    gaps, shorter = ragged.gaps_s(values.astype(np.int64), offsets)
    for i, group in enumerate(lists):
        want = np.diff(group) / 1e9 if len(group) > 1 else []
        assert gaps[shorter[i] : shorter[i + 1]] == pytest.approx(want)


@given(lists=st.lists(st.lists(st.integers(1, 99), max_size=4), min_size=1))
@settings(deadline=None, derandomize=True)
def test_ends_are_first_and_last_or_the_given_value(lists):
    values, offsets = flat(lists)
    empty = np.full(len(lists), -1)
    first, last = ragged.ends(values.astype(np.int64), offsets, empty)
    assert first.tolist() == [g[0] if g else -1 for g in lists]
    assert last.tolist() == [g[-1] if g else -1 for g in lists]
