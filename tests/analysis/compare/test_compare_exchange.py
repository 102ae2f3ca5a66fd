"""Exchanges: exact where they can be, and right about chance over all tests."""

from itertools import combinations

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from analysis.compare.effects import cliffs_delta, detectable, effect_of
from analysis.compare.exchange import Block, Stratum, answer, ranked, unit_of
from analysis.compare.model import Unit


def stratum(a, b, sessions=None):
    """Make trials of (n, m) values."""
    both = np.concatenate((a, b))
    in_b = np.repeat([False, True], [len(a), len(b)])
    numbers = np.arange(len(both)) if sessions is None else np.asarray(sessions)
    return Stratum(in_b=in_b, session=numbers, ranks=ranked(both))


def asked(blocks, in_b=None, unit=Unit.TRIAL, n=1999, seed=0):
    in_b = np.zeros(0, np.bool_) if in_b is None else np.asarray(in_b)
    return answer(blocks, in_b, unit, alpha=0.05, permutations=n, seed=seed)


def whole(*strata):
    m = strata[0].ranks.shape[1]
    return Block(strata=strata, cells=np.zeros((len(strata), m), np.bool_))


def test_one_test_alone_is_the_exact_rank_sum_test():
    rng = np.random.default_rng(3)
    for shift in (0.0, 1.0, 2.0):
        a, b = rng.normal(size=(5, 1)), rng.normal(shift, size=(5, 1))
        found = asked([whole(stratum(a, b))], n=20_000)
        exact = mannwhitneyu(b[:, 0], a[:, 0], method="exact").pvalue
        assert found.p[0] == pytest.approx(exact, abs=0.012)
        assert found.p_adjusted[0] == found.p[0]


def test_sessions_are_exchanged_in_every_way_there_is():
    sessions = np.repeat(np.arange(8), 3)
    in_b = np.arange(8) >= 4
    values = sessions + np.tile([0.0, 0.1, 0.2], 8)
    block = whole(stratum(values[:12, None], values[12:, None], sessions))
    found = asked([block], in_b, Unit.SESSION)
    assert (found.n, found.exact) == (70, True)
    sums = [np.isin(sessions, c) @ ranked(values[:, None])[:, 0]
            for c in combinations(range(8), 4)]  # fmt: skip
    most = np.abs(sums) >= np.abs(sums[-1]) - 1e-9
    assert found.p[0] == pytest.approx(most.mean())
    assert found.p[0] == pytest.approx(2 / 70)


@pytest.mark.parametrize(
    ("a", "b", "unit"),
    [
        (1, 9, Unit.TRIAL),
        (3, 3, Unit.TRIAL),
        (4, 4, Unit.SESSION),
        (2, 9, Unit.SESSION),
    ],
)
def test_sessions_are_exchanged_where_there_are_enough_to_tell(a, b, unit):
    assert unit_of(a, b, 0.05) is unit


def test_nothing_is_reported_more_often_than_promised_over_all_tests():
    rng = np.random.default_rng(11)
    wrong = 0
    for seed in range(120):
        blocks = []
        for _device in range(3):
            common = rng.normal(size=(12, 1))  # measures that hang together, with ties
            values = np.round(common + rng.normal(size=(12, 6)), 1)
            parts = (stratum(values[:3], values[3:6]), stratum(values[6:9], values[9:]))
            blocks.append(Block(strata=parts, cells=np.ones((2, 6), np.bool_)))
        wrong += asked(blocks, n=99, seed=seed).p_adjusted.min() <= 0.05
    assert wrong <= 13  # 5 % of 120, and three standard deviations


def test_a_few_trials_of_many_activities_add_up():
    rng = np.random.default_rng(5)
    strata = []
    for level in range(8):
        a, b = (rng.normal(10.0**level + shift, 0.5, (3, 1)) for shift in (0, 3))
        strata.append(stratum(a, b))
    alone = asked([whole(strata[0])])
    assert alone.p_adjusted[0] > 0.05
    assert asked([whole(*strata)]).p_adjusted[0] < 0.01


def test_what_is_unknown_weighs_nothing_and_what_never_came_is_the_latest():
    ranks = ranked(np.array([[1.0], [np.nan], [np.inf], [2.0]]))[:, 0]
    assert ranks.tolist() == [-1.0, 0.0, 1.0, 0.0]
    flat = asked([whole(stratum(np.ones((4, 1)), np.ones((4, 1))))])
    assert (flat.z[0], flat.p[0]) == (0.0, 1.0)


def test_effects_say_how_large_and_how_sure():
    a, b = np.arange(10.0) + 10, np.arange(10.0) * 2 + 40
    effect = effect_of(a, b, None, 0)
    assert effect.delta == cliffs_delta(a, b) == 1.0
    assert effect.ratio == pytest.approx(49 / 14.5)
    assert effect.ratio_low < effect.ratio < effect.ratio_high
    assert cliffs_delta(a, a) == 0.0
    assert effect_of(a * 0, b, None, 0).ratio is None


def test_what_cannot_be_found_is_told():
    assert detectable(3, 3, 2.0) is None  # three of each never reach it
    assert detectable(10, 10, 3.0) == 1.0
    assert 0.2 < detectable(100, 100, 3.0) < 0.4
