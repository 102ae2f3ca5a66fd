"""Answers, sets and `unknown`: coverage as stated, sessions apart, as after JSON."""

import json

import numpy as np
import pytest

from analysis.classifiers.calibration import Held, fit_rule, held_out
from analysis.classifiers.decision import Rule
from analysis.classifiers.model import UNKNOWN, Classifier
from analysis.classifiers.novelty import Novelty
from analysis.classifiers.temperature import fit_temperature, tempered

NAMES = ("idle", "turn_off", "turn_on")


def windows(n, seed, sharpness=1.0):
    """Return probabilities and activities drawn from these, and then sharpened."""
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet((0.5, 0.5, 0.5), n)
    truth = (shares.cumsum(axis=1) < rng.random(n)[:, None]).sum(axis=1)
    return tempered(shares, 1 / sharpness), np.minimum(truth, 2)


def held(n, seed, n_sessions=50, **options):
    shares, truth = windows(n, seed, **options)
    session = np.array([f"s{i % n_sessions}" for i in range(n)])
    return Held(
        classes=NAMES, shares=shares, truth=np.array(NAMES)[truth], session=session
    )


@pytest.mark.parametrize("true", [0.4, 1.0, 3.0])
def test_the_temperature_that_was_applied_is_found_again(true):
    shares, truth = windows(4000, seed=1, sharpness=true)
    assert fit_temperature(shares, truth) == pytest.approx(true, rel=0.15)


def test_few_rows_do_not_make_an_extreme_temperature():
    sure = np.array([[0.9, 0.1], [0.1, 0.9], [0.9, 0.1]])
    assert 0.3 < fit_temperature(sure, np.array([0, 1, 0])) < 1
    assert 1 < fit_temperature(sure, np.array([1, 0, 1])) < 3
    assert fit_temperature(sure[:0], np.zeros(0, int)) == 1


@pytest.mark.parametrize("coverage", [0.8, 0.9, 0.95])
def test_sets_hold_the_truth_as_often_as_stated(coverage):
    inside = []
    for seed in range(12):
        rule = fit_rule(held(300, seed), coverage=coverage)
        shares, truth = windows(1000, seed=100 + seed)
        sets = rule.sets(shares)
        inside += [NAMES[t] in s for t, s in zip(truth.tolist(), sets, strict=True)]
    assert np.mean(inside) == pytest.approx(coverage, abs=0.015)


def test_with_sessions_enough_the_sets_of_each_class_cover_as_stated():
    """One class is never said to be likely: a common limit would leave it out."""

    def shy(shares):
        made = shares * (1.0, 1.0, 0.15)
        return made / made.sum(axis=1, keepdims=True)

    of_one = {True: [], False: []}
    for seed in range(12):
        few, many = held(600, seed, n_sessions=8), held(600, seed, n_sessions=300)
        shares, truth = windows(1000, seed=100 + seed)
        for own, given in ((False, few), (True, many)):
            values = {n: getattr(given, n) for n in ("classes", "truth", "session")}
            rule = fit_rule(
                Held(shares=shy(given.shares), **values), coverage=0.9, temperature=1.0
            )
            sets = np.array(rule.sets(shy(shares)), dtype=object)[truth == 2]
            of_one[own] += ["turn_on" in each for each in sets]
    assert np.mean(of_one[True]) == pytest.approx(0.9, abs=0.02)
    assert np.mean(of_one[False]) < 0.86


def test_nearly_all_known_windows_are_answered():
    answered = []
    for seed in range(12):
        rule = fit_rule(held(300, seed), known=0.9)
        said = rule.decide(windows(1000, seed=100 + seed)[0])
        answered += [each.label != UNKNOWN or not each.conformal_set for each in said]
    assert np.mean(answered) == pytest.approx(0.9, abs=0.02)


@pytest.mark.parametrize("n_sessions", [12, 30])
def test_sets_cover_new_sessions_where_windows_of_one_are_alike(n_sessions):
    rng = np.random.default_rng(5)
    inside = []
    for _repeat in range(400):
        sure = np.repeat(rng.random(n_sessions), 20)
        given = Held(
            classes=("a", "b"),
            shares=np.column_stack((sure, 1 - sure)),
            truth=np.array(["a"] * sure.size),
            session=np.repeat([f"s{i}" for i in range(n_sessions)], 20),
        )
        limit = fit_rule(given, coverage=0.8, temperature=1.0).set_limits[0]
        inside.append(limit)  # the share of new sessions that are as sure
    assert 0.8 <= np.mean(inside) < 0.87


@pytest.mark.parametrize("long", [1, 7, 50])
def test_nineteen_sessions_are_just_enough_for_95_percent(long):
    size = np.where(np.arange(19) % 2, 3, 3 * long)
    sure = np.repeat(np.linspace(0.5, 0.95, 19), size)
    given = Held(
        classes=("a", "b"),
        shares=np.column_stack((sure, 1 - sure)),
        truth=np.array(["a"] * sure.size),
        session=np.repeat([f"s{i}" for i in range(19)], size),
    )
    rule = fit_rule(given, coverage=0.95, temperature=1.0)
    assert rule.set_limits[0] == pytest.approx(0.5)


def test_too_few_sessions_for_a_promise_reckon_with_one_window_more():
    sure = np.concatenate((np.full(79, 0.9), [0.2]))
    given = Held(
        classes=("a", "b"),
        shares=np.column_stack((sure, 1 - sure)),
        truth=np.array(["a"] * 80),
        session=np.repeat(["s0", "s1", "s2", "s3"], 20),
    )
    rule = fit_rule(given, coverage=0.9, temperature=1.0)
    assert rule.set_limits.tolist() == pytest.approx([0.1, 0.1])


def test_a_session_of_many_windows_weighs_as_much_as_another():
    shares = np.array([[0.9, 0.1]] * 5 + [[0.6, 0.4]] * 500)
    sessions = np.array([f"s{i}" for i in range(5)] + ["long"] * 500)
    truth = np.array(["a"] * 505)
    given = Held(classes=("a", "b"), shares=shares, truth=truth, session=sessions)
    rule = fit_rule(given, coverage=0.5, temperature=1.0)
    assert rule.set_limits[0] == pytest.approx(0.1)


def test_what_is_like_nothing_is_unknown_and_its_set_is_empty():
    sure = np.tile([0.97, 0.02, 0.01], (100, 1))
    session = np.array([f"s{i % 10}" for i in range(100)])
    truth = np.array([NAMES[0]] * 100)
    rule = fit_rule(
        Held(classes=NAMES, shares=sure, truth=truth, session=session), temperature=1.0
    )
    known, torn = rule.decide(np.array([[0.98, 0.01, 0.01], [0.4, 0.3, 0.3]]))
    assert (known.label, known.conformal_set) == ("idle", ("idle",))
    assert (torn.label, torn.conformal_set) == (UNKNOWN, ())
    assert torn.probability == pytest.approx(0.4)


def test_without_calibration_nothing_is_refused_and_nothing_left_out():
    nothing = Held(
        classes=NAMES,
        shares=np.zeros((0, 3)),
        truth=np.zeros(0, str),
        session=np.zeros(0, str),
    )
    (said,) = fit_rule(nothing).decide(np.array([[0.2, 0.5, 0.3]]))
    assert said.label == "turn_off"
    assert said.conformal_set == ("turn_off", "turn_on", "idle")


def test_rows_of_activities_that_were_not_learnt_calibrate_nothing():
    given = held(60, 3)
    foreign = given.truth.copy()
    foreign[:20] = "dance"
    values = {n: getattr(given, n)[20:] for n in ("shares", "truth", "session")}
    rest = Held(classes=NAMES, **values)
    more = Held(
        classes=NAMES, shares=given.shares, truth=foreign, session=given.session
    )
    assert fit_rule(more).record() == fit_rule(rest).record()


def test_a_rule_answers_the_same_after_a_way_through_json():
    rule = fit_rule(held(700, 5))
    again = Rule.of_record(json.loads(json.dumps(rule.record())))
    shares, _truth = windows(50, seed=6)
    assert again.decide(shares) == rule.decide(shares)


def features(n, seed):
    """Return statistics of n windows: two that tell activities apart, and noise."""
    rng = np.random.default_rng(seed)
    truth = np.arange(n) % 3
    delay = np.array([0.5, 2.0, 2.6])[truth] + rng.normal(0, 0.01, n)
    volume = np.array([100.0, 5e4, 2e5])[truth] * rng.lognormal(0, 0.1, n)
    x = np.column_stack((delay, volume, rng.lognormal(3, 2, (n, 4))))
    return x, np.array(NAMES)[truth], truth


def test_novelty_looks_at_what_tells_activities_apart_and_not_at_noise():
    x, y, truth = features(150, seed=1)
    learnt = Novelty.learn(x, y, NAMES)
    weight = dict(zip(learnt.columns.tolist(), learnt.weights.tolist(), strict=True))
    assert weight[0] + weight[1] > 0.85
    usual = learnt.of(x, truth)
    strange = x[2:3].copy()
    strange[0, 0] = 2.3  # between two activities that are known
    odd = x[2:3].copy()
    odd[0, 2:] = 1e9
    assert learnt.of(strange, truth[2:3]) > np.quantile(usual, 0.9)
    assert learnt.of(odd, truth[2:3]) < np.quantile(usual, 0.9)


def test_novelty_is_of_the_activity_that_a_window_is_taken_for():
    x, y, truth = features(150, seed=1)
    learnt = Novelty.learn(x, y, NAMES)
    assert learnt.of(x, truth).mean() < 1.1
    assert learnt.of(x, (truth + 1) % 3).min() > 2


def test_known_windows_that_were_not_learnt_are_evenly_surprising():
    x, y, _truth = features(180, seed=1)
    more, _names, truth = features(3000, seed=2)
    learnt = Novelty.learn(x, y, NAMES)
    surprise = learnt.of(more, truth)
    assert surprise.mean() == pytest.approx(1, abs=0.15)  # of -log of a uniform share


def test_novelty_needs_no_more_than_one_window_or_none_of_an_activity():
    x, y, truth = features(30, seed=3)
    few = np.flatnonzero((truth < 2) | (np.arange(30) == 2))
    learnt = Novelty.learn(x[few], y[few], (*NAMES, "zoom"))
    assert np.isfinite(learnt.of(x, truth)).all()
    assert learnt.of(x[:1], np.array([3])) == 0
    assert learnt.of(x[2:3], np.array([2])) < learnt.of(x[5:6], np.array([2]))


@pytest.mark.parametrize("n", [6, 400])
def test_novelty_is_the_same_after_a_way_through_json(n):
    x, y, truth = features(n, seed=4)
    learnt = Novelty.learn(x, y, NAMES)
    record = json.loads(json.dumps(learnt.record()))
    again = Novelty.of_record(record, NAMES)
    assert again.of(x, truth).tolist() == learnt.of(x, truth).tolist()
    with pytest.raises(ValueError, match="other features"):
        Novelty.of_record(record | {"weights": [1.0]}, NAMES)
    with pytest.raises(ValueError, match="other activities"):
        Novelty.of_record(record, NAMES[:2])


@pytest.mark.parametrize(
    ("key", "number"),
    [
        ("weights", np.nan),
        ("weights", -0.1),
        ("widths", 0.0),
        ("widths", np.inf),
        ("values", np.inf),
    ],
)
def test_novelty_of_numbers_that_make_no_sense_is_refused(key, number):
    x, y, _truth = features(60, seed=4)
    record = json.loads(json.dumps(Novelty.learn(x, y, NAMES).record()))
    held = record[key] if key == "weights" else record[key][NAMES[0]]
    (held[0] if key == "values" else held)[0] = number
    with pytest.raises(ValueError, match="that"):
        Novelty.of_record(record, NAMES)


def test_where_nothing_can_be_told_apart_nothing_is_novel():
    learnt = Novelty.learn(np.ones((4, 3)), np.array(["a", "b"] * 2), ("a", "b"))
    again = Novelty.of_record(learnt.record(), ("a", "b"))
    assert learnt.columns.size == 0
    assert again.of(np.full((2, 3), 9.0), np.array([0, 1])).tolist() == [0, 0]


def test_novelty_makes_a_window_strange_however_sure_the_classifier_is():
    given = held(200, 8)
    novelty = np.random.default_rng(2).beta(1, 9, 200)
    values = {n: getattr(given, n) for n in ("classes", "shares", "truth", "session")}
    rule = fit_rule(Held(novelty=novelty, **values))
    sure = np.array([[0.55, 0.35, 0.1]] * 2)
    usual, strange = rule.decide(sure, np.array([0.0, 0.9]))
    assert (usual.label, strange.label) == ("idle", UNKNOWN)
    assert usual.strangeness < rule.strange_from < strange.strangeness
    with pytest.raises(ValueError, match="novelty"):
        rule.decide(sure)


def test_a_window_in_doubt_between_known_activities_is_not_unknown():
    given = held(200, 8)
    novelty = np.random.default_rng(2).beta(1, 9, 200)
    values = {n: getattr(given, n) for n in ("classes", "shares", "truth", "session")}
    rule = fit_rule(Held(novelty=novelty, **values))
    (torn,) = rule.decide(np.array([[0.46, 0.45, 0.09]]), np.array([0.0]))
    assert torn.label == "idle"


class Remembers:
    """Says which sessions it has seen: none of them may be asked for."""

    def fit(self, x, y):
        self.classes_, self.seen = np.unique(y), set(x[:, 0].tolist())
        return self

    def predict_proba(self, x):
        assert not self.seen & set(x[:, 0].tolist())
        return np.tile([0.7, 0.3], (len(x), 1))


def test_whole_sessions_are_held_out_and_each_window_is_answered_once():
    session = np.repeat([f"s{i}" for i in range(6)], 4)
    x = np.repeat(np.arange(6.0), 4)[:, None]
    y = np.tile(["off", "on"], 12)
    plain = Classifier(name="r", title="r", make=lambda _seed: Remembers())
    found = held_out(plain, x, None, y, session)
    assert found.shares.shape == (24, 2)
    assert sorted(found.session) == sorted(session)
    assert found.novelty is not None
    assert found.novelty.shape == (24,)
