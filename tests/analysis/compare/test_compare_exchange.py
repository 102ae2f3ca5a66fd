"""Exchanges of days: exact, right about chance, and silent where they are too few."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from scipy.stats import ttest_ind

from analysis.compare.compare import answered
from analysis.compare.effects import cliffs_delta, detectable, effect_of
from analysis.compare.exchange import (
    answer,
    can_tell,
    evened,
    ranked,
    together,
    units_needed,
    vectors_of,
)
from analysis.compare.model import (
    MEASURES,
    Asked,
    Comparison,
    Events,
    Kind,
    Outcome,
    Trials,
    Unit,
    Verdict,
)
from analysis.compare.questions import pair_of
from analysis.compare.shapes import counted, exact, first_ranks, spread
from analysis.compare.write import as_plain, verdict_of

ASKED = Asked(permutations=999, intervals=False, classifiers=())
EIGHT = np.arange(8) >= 4


def of_means(values):
    """Make what units say of one number each, without noise of trials."""
    values = np.asarray(values, dtype=float)
    return vectors_of(values[:, None], np.arange(values.size), values.size)


def asked(questions, in_b=EIGHT, n=999, seed=0):
    return answer(questions, np.asarray(in_b), alpha=0.05, permutations=n, seed=seed)


def side(name, days, *, trials=10, spread=0.0, shift=0.0, seed=0, events=None):
    """Draw ten trials a day; days differ by `spread`, trials by 1."""
    rng = np.random.default_rng([seed, ord(name)])
    unit = np.repeat([f"{name}{n}" for n in range(days)], trials)
    day = np.repeat(rng.normal(0, spread, (days, len(MEASURES))), trials, axis=0)
    return Trials(
        device="lamp",
        stratum=np.full(unit.size, "turn_on"),
        unit=unit,
        values=20 + shift + day + rng.normal(size=day.shape),
        hosts={},
        lengths=np.zeros((2, unit.size, 2), np.int32),
        first=np.full((unit.size, 1), np.nan),
        events=events or {},
    )


def compared(a, b, alpha=0.05):
    made = answered([pair_of(a, b)], Asked(**{**_fields(ASKED), "alpha": alpha}))
    return Comparison(
        a="a",
        b="b",
        asked=ASKED,
        unit=Unit.DAY,
        units_a=made.units_a,
        units_b=made.units_b,
        n_exchanges=made.answer.n,
        exact=made.answer.exact,
        tests=made.tests,
        hosts=(),
        facts=(),
    )


def _fields(given):
    return {name: getattr(given, name) for name in given.__slots__}


def test_the_score_of_one_number_is_the_square_of_students_t():
    values = np.random.default_rng(3).normal(size=8)
    found = asked([of_means(values)])
    t = ttest_ind(values[4:], values[:4]).statistic
    assert found.score[0] == pytest.approx(t**2)


def test_days_are_exchanged_in_every_way_there_is():
    values = np.random.default_rng(5).normal(size=8)
    found = asked([of_means(values)])
    assert (found.n, found.exact) == (70, True)
    scores = []
    for chosen in combinations(range(8), 4):
        b = np.isin(np.arange(8), chosen)
        scores.append(ttest_ind(values[b], values[~b]).statistic ** 2)
    assert found.p[0] == pytest.approx(np.mean(np.array(scores) >= scores[-1] - 1e-9))


def test_steps_down_as_the_slow_way_does():
    rng = np.random.default_rng(3)
    days = rng.normal(size=(5, 1, 8)) + rng.normal(size=(5, 4, 8)) / 3
    days[:2] += 1.5 * EIGHT
    questions = [of_means(each) for each in days.reshape(20, 8)]
    found = asked(questions)
    ways = [np.isin(np.arange(8), chosen) for chosen in combinations(range(8), 4)]
    scores = np.array([asked(questions, way, n=0).score for way in ways])
    order, least = np.argsort(-found.score), 0.0
    for at, row in enumerate(order):
        most = scores[:, order[at:]].max(axis=1)
        least = max(least, float(np.mean(most >= found.score[row] * (1 - 1e-9))))
        assert found.p_adjusted[row] == pytest.approx(least)
        alone = np.mean(scores[:, row] >= found.score[row] * (1 - 1e-9))
        assert found.p[row] == pytest.approx(alone)
    assert found.critical == pytest.approx(np.sort(scores.max(axis=1))[-4])  # of 70


def test_what_is_the_same_on_all_days_and_then_another_beats_days_in_order():
    days = np.random.default_rng(1).normal(size=(40, 8))
    noise = [of_means(np.sort(each)[[0, 5, 2, 7, 1, 6, 3, 4]]) for each in days]
    firm = of_means([5.0] * 4 + [6.0] * 4)
    found = asked([*noise, firm])
    assert found.p_adjusted[-1] == pytest.approx(2 / 70)
    assert found.p_adjusted[:-1].min() > 0.05


def test_what_few_trials_scatter_is_no_certainty():
    rows = np.array([1.0, 3.0] * 8)[:, None]  # each day has the same mean by chance
    calm = vectors_of(rows, np.repeat(np.arange(8), 2), 8)
    assert calm.noise == pytest.approx(1.0)
    rows[-2:] += 0.1
    nearly = vectors_of(rows, np.repeat(np.arange(8), 2), 8)
    assert asked([nearly]).score[0] < 0.01


@pytest.mark.parametrize(
    ("a", "b", "alpha", "can"),
    [
        (1, 9, 0.05, False),
        (2, 9, 0.05, False),
        (3, 30, 0.05, False),
        (4, 4, 0.05, True),
        (4, 4, 0.01, False),
        (5, 5, 0.01, True),
    ],
)
def test_few_days_tell_nothing_and_a_strict_level_wants_more(a, b, alpha, can):
    assert can_tell(a, b, alpha) is can
    assert [units_needed(level) for level in (0.05, 0.01, 0.005)] == [4, 5, 6]


@pytest.mark.parametrize("days", [1, 2, 3])
def test_no_difference_however_large_is_drift_below_four_days(days):
    found = compared(side("a", days), side("b", days, shift=9.0))
    assert found.outcome is Outcome.UNTOLD
    assert {t.verdict for t in found.tests} == {Verdict.UNTOLD}
    assert "record at least 4 days of each" in verdict_of(found)
    assert as_plain(found)["drift"] is None
    assert found.tests[0].effect.delta == 1.0


def test_days_that_differ_are_not_drift_more_often_than_promised():
    for spread_of_days in (0.0, 0.5, 1.0):
        wrong = 0
        for seed in range(60):
            a, b = (side(n, 4, spread=spread_of_days, seed=seed) for n in "ab")
            wrong += compared(a, b).outcome is Outcome.DRIFT
        assert wrong <= 8  # 5 % of 60, and three standard deviations


def test_a_shift_is_found_and_what_would_have_been_is_told():
    moved = compared(side("a", 5), side("b", 5, shift=1.5))
    assert moved.outcome is Outcome.DRIFT
    still = compared(side("a", 5), side("b", 5))
    assert still.outcome is Outcome.NO_DRIFT
    assert "no drift found in" in verdict_of(still)
    assert "80 of 100 would find a" in verdict_of(still)
    (power,) = as_plain(still)["least_detectable"]
    assert 0.1 < power["delta"] <= power["half_of_measures"] <= 1


def test_what_would_be_found_is_found_in_about_80_of_100():
    rng = np.random.default_rng(8)
    calm = of_means(rng.normal(size=8) * 0.1)
    bar = asked([calm]).critical
    delta = detectable(calm, EIGHT, bar)
    hits = sum(
        asked([of_means(rng.normal(size=8) * 0.1 + delta * EIGHT)]).score[0] >= bar
        for _ in range(100)
    )
    assert 65 <= hits <= 97
    assert detectable(of_means(np.arange(8.0)), EIGHT, bar) is None


@pytest.mark.parametrize(("differing", "least"), [(0, "0.00 (lamp: fi"), (1, "0.")])
def test_of_what_is_the_same_on_all_days_anything_would_be_found(differing, least):
    sides = []
    for each in (side("a", 5), side("b", 5)):
        values = each.values.copy()
        values[:, differing:] = 7.0
        sides.append(replace(each, values=values))
    told = verdict_of(compared(*sides))
    n = len(MEASURES)
    assert f"a difference at all in {n} of {n} measures" in told
    assert f"Cliff's delta of {least}" in told
    assert ("0.00" in told) is (not differing)


def test_a_device_of_few_days_is_not_told_beside_one_of_many():
    one = pair_of(side("a", 4), side("b", 4))
    other = pair_of(side("c", 2), side("d", 2, shift=9.0))
    tests = answered([one, other], ASKED).tests
    verdicts = [{t.verdict for t in tests[: len(tests) // 2]}]
    verdicts.append({t.verdict for t in tests[len(tests) // 2 :]})
    assert verdicts == [{Verdict.SAME}, {Verdict.UNTOLD}]


def events(name, answers, days=4):
    """Say how much longer answers are than questions, 30 times a day, one stray."""
    unit = np.repeat([f"{name}{n}" for n in range(days)], 2)
    value = np.array([v for n in range(days) for v in (answers, 500 + n + ord(name))])
    n = np.tile([30, 1], days)
    return {"idle_answers": Events(unit=unit, value=value, n=n, kind=Kind.SHAPE)}


def test_keep_alives_that_are_a_byte_longer_are_drift():
    a, b = side("a", 4, events=events("a", 40)), side("b", 4, events=events("b", 42))
    found = compared(a, b)
    assert {t.measure for t in found.drifted} == {"idle_answers"}
    assert found.drifted[0].effect.delta > 0.9
    same = side("b", 4, events=events("b", 40))
    assert compared(a, same).outcome is Outcome.NO_DRIFT


def test_shapes_lie_as_far_apart_as_sizes_do():
    lengths = np.zeros((2, 3, 200), np.int32)
    lengths[0, [0, 1, 2], [100, 101, 190]] = 7
    near, far = (np.square(spread(lengths).rows[k] - spread(lengths).rows[0]).sum()
                 for k in (1, 2))  # fmt: skip
    assert (near, far) == (pytest.approx(1), pytest.approx(90))
    others = exact(lengths).rows
    assert np.square(others[1] - others[0]).sum() == pytest.approx(2)
    assert exact(lengths).apart(np.array([False, True, True])) == pytest.approx(0.5)
    nothing = spread(np.zeros((2, 2, 5), np.int32))
    assert together([vectors_of(nothing.rows, np.arange(2), 2)]).gram.sum() == 0
    gone = first_ranks(np.array([[5.0, np.nan], [np.nan, np.nan]])).rows
    assert np.isnan(gone[1]).all()
    assert not np.isnan(gone[0]).any()


def test_counts_of_units_know_how_much_chance_is_in_them():
    unit, value, n = np.array([0, 1, 1]), np.array([7, 7, 9]), np.array([10, 5, 5])
    other = np.array([2]), np.array([9]), np.array([10])
    made = counted([(unit, value, n), other], 3, ordered=False)
    assert made.shares.tolist() == [[1, 0], [0.5, 0.5], [0, 1]]
    assert made.vectors.noise == pytest.approx((0 + 0.5 / 10 + 0) / 3)


def test_a_campaign_of_fuller_days_is_drawn_from_until_days_are_alike():
    unit = np.repeat([0, 1, 2, 3], [9, 11, 2, 2])
    kept = evened(unit, unit >= 2, 0)
    assert np.bincount(unit[kept]).tolist() == [2, 2, 2, 2]
    a = np.array([0, 0]), np.array([1, 2]), np.array([60, 40])
    b = np.array([1, 1]), np.array([1, 2]), np.array([5, 5])
    made = counted([a, b], 2, ordered=False)
    assert made.n.tolist() == [10, 10]
    wrong = 0
    for seed in range(40):
        sides = (side("a", 4, trials=2, seed=seed), side("b", 12, trials=20, seed=seed))
        wrong += compared(*sides).outcome is Outcome.DRIFT
    assert wrong <= 6  # 27 of 40 where all windows count


def test_ranks_are_of_the_size_of_cliffs_delta():
    values = np.random.default_rng(2).normal(size=(20, 1))
    rank = ranked(values)[:, 0]
    delta = rank[8:].mean() - rank[:8].mean()
    assert delta == pytest.approx(cliffs_delta(values[:8, 0], values[8:, 0]))
    odd = ranked(np.array([[1.0], [np.nan], [np.inf], [2.0]]))[:, 0]
    assert np.isnan(odd[1])
    assert odd[2] > odd[3] > odd[0]


def test_effects_say_how_large_and_how_sure():
    a, b = np.arange(10.0) + 10, np.arange(10.0) * 2 + 40
    days = np.repeat([0, 1], 5), np.repeat([2, 3], 5)
    effect = effect_of((a, b), days, 0)
    assert effect.delta == cliffs_delta(a, b) == 1.0
    assert effect.ratio == pytest.approx(49 / 14.5)
    assert effect.ratio_low < effect.ratio < effect.ratio_high
    one_day = effect_of((a, b), (np.zeros(10), days[1]), 0)
    assert (one_day.ratio_low, one_day.ratio_high) == (None, None)
    assert effect_of((a * 0, b), days, 0).ratio is None
    always = effect_of((np.full(10, 174.0), np.full(10, 170.0)), days, 0)
    assert (always.ratio_low, always.ratio_high) == (None, None)  # no certainty
