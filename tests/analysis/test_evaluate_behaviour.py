"""Curves, episodes and intervals, and that the bench draws what scenarios draw."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from analysis.detectors.hours import HOUR_NS
from analysis.evaluate.behaviour.curves import (
    Episodes,
    average_precision,
    carried,
    each_households,
    false_alarms_per_week,
    interval,
    threshold_at,
)
from testbed.model.acts import draw_acts
from testbed.virtual.people import population
from tests.bench.behaviour import KINDS, MONDAY, QUIET_END, household
from tests.bench.behaviour_page import PAGE, filled, sealed, share_by_week


@pytest.mark.parametrize("seed", range(4))
def test_precision_is_that_of_scikit_learn_with_ties(seed):
    random = np.random.default_rng(seed)
    truth = random.random(300) < 0.1
    scores = random.integers(0, 12, 300) + 3.0 * truth
    want = average_precision_score(truth, scores)
    assert average_precision(truth, scores) == pytest.approx(want)


def test_without_a_positive_there_is_no_precision():
    assert np.isnan(average_precision(np.zeros(4, dtype=bool), np.arange(4.0)))


def test_the_threshold_lets_as_many_false_alarms_pass_as_asked():
    random = np.random.default_rng(1)
    truth = random.random((10, 336)) < 0.02
    scores = random.random((10, 336)) + truth
    alarms = scores > threshold_at(truth, scores, 1.0)
    assert false_alarms_per_week(truth, alarms) == pytest.approx(1.0, abs=0.05)


def test_an_attack_is_noticed_by_any_hour_in_which_it_acts():
    episodes = Episodes(
        trial=np.array([0, 0, 0, 1]),
        episode=np.array([1, 1, 2, 1]),
        row=np.array([3, 5, 9, 3]),
        late_s=np.array([600.0, 7800.0, 60.0, 60.0]),
    )
    alarms = np.zeros((2, 12), dtype=bool)
    alarms[0, [5, 8]] = True
    trial, noticed, delay = episodes.found(alarms)
    assert trial.tolist() == [0, 0, 1]
    assert noticed.tolist() == [True, False, False]
    assert delay[0] == 7800.0


def test_an_interval_is_one_over_households():
    values = np.repeat([0.0, 1.0], 500)
    low, high = interval(values, np.repeat([0, 1], 500))
    assert (low, high) == (0.0, 1.0)
    assert np.isnan(interval(values, np.zeros(1000, dtype=int))[0])


def test_an_interval_of_nothing_but_zeros_does_not_claim_to_be_certain():
    low, high = interval(np.zeros(240), np.arange(240) // 10)
    assert low == 0.0
    assert 0.01 < high < 0.02


def test_a_threshold_is_carried_to_the_half_that_did_not_choose_it():
    scores = np.zeros((2, 336))
    scores[0, :10], scores[1, :10] = np.arange(10) + 1, 10 * (np.arange(10) + 1)
    truth = np.zeros(scores.shape, dtype=bool)
    alarms, limits = carried(truth, scores, np.array([True, False]))
    assert limits.tolist() == [80.0, 8.0]
    assert alarms.sum(axis=1).tolist() == [0, 10]
    per_week = each_households(truth, alarms, np.array([0, 1]))
    assert per_week.tolist() == [0.0, 5.0]


def test_households_of_the_bench_do_what_their_scenarios_say():
    scenarios = [population(101, 2, kind)[1] for kind in KINDS]
    train, attacked = household(scenarios)
    for scenario, each in zip(scenarios, attacked, strict=True):
        acts = draw_acts(scenario)
        stamps = [MONDAY + round(a.at_s * 1000) * 10**6 for a in acts]
        want = sorted(
            (t, (a.device, a.activity)) for t, a in zip(stamps, acts, strict=True)
        )
        events = each.hours.events
        names = (events.names[i] for i in events.what)
        got = list(zip(events.time_ns.tolist(), names, strict=True))
        assert got == [w for w in want if w[0] >= QUIET_END]
        old = [train.names[i] for i in train.events.what]
        assert old == [name for t, name in want if t < QUIET_END]
        bad = [t for t, a in zip(stamps, acts, strict=True) if a.malicious]
        assert sorted(each.strikes[:, 1].tolist()) == bad
        assert (each.hours.start_ns == QUIET_END + np.arange(336) * HOUR_NS).all()


def test_a_week_without_an_alarm_has_no_false_ones():
    alarms = np.zeros((2, 336), dtype=bool)
    false = alarms.copy()
    alarms[0, [3, 5, 200]] = True
    false[0, [5, 200]] = True
    assert share_by_week(false, alarms).tolist() == [(1 / 2 + 1) / 2, 0.0]


def test_figures_are_put_into_a_page_that_has_none_yet():
    page = "before\n<!-- figures -->\n<!-- /figures -->\nafter\n"
    once = filled(page, "| 1 |")
    assert once == "before\n<!-- figures -->\n| 1 |\n<!-- /figures -->\nafter\n"
    assert filled(once, "| 1 |") == once
    with pytest.raises(ValueError, match="one place for figures, not 0"):
        filled("no marks", "| 1 |")


def test_figures_of_the_page_are_those_that_were_written():
    page = PAGE.read_text(encoding="utf-8")
    shown = page.partition("<!-- figures -->\n")[2].partition("\n<!-- /figures -->")[0]
    assert sealed(shown.rpartition("\n\n<!-- sha256")[0]) == shown
    assert "| ensemble" in shown
