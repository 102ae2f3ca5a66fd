"""Scores against scikit-learn, intervals over sessions, and canaries against leaks."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import precision_recall_fscore_support

import analysis.classifiers
from analysis.classifiers.model import Reads
from analysis.evaluate.samples import Samples
from analysis.evaluate.scores.activities import by_activity, confusion
from analysis.evaluate.scores.chance import shuffled_within
from analysis.evaluate.scores.intervals import session_interval, wilson
from analysis.evaluate.splits.named import SPLITS
from analysis.evaluate.study import result_of, study
from analysis.registry import discover

CLASSIFIERS = discover(analysis.classifiers, "CLASSIFIERS")
STATISTICAL = [n for n, c in CLASSIFIERS.items() if c.reads is Reads.STATISTICS]
QUICK = [CLASSIFIERS["nearest"], CLASSIFIERS["naive_bayes"]]


def trials(apart, n_sessions=8, repeats=5, seed=0):
    rng = np.random.default_rng(seed)
    n = n_sessions * repeats * 4
    kind = np.arange(n) % 4
    x = rng.normal(size=(n, 10))
    x[:, :4] += apart * np.eye(4)[kind]
    return Samples(
        device="echo_dot",
        names=tuple("abcdefghij"),
        x=x,
        activity=np.array([f"activity_{k}" for k in kind]),
        session=np.array([f"s{i * n_sessions // n}" for i in range(n)]),
        trial=np.array([f"{i:04d}" for i in range(n)]),
        start_ns=np.arange(n, dtype=np.int64),
        n_packets=np.full(n, 9),
        channel=np.full(n, "phone"),
    )


def test_scores_of_activities_are_those_of_scikit_learn():
    rng = np.random.default_rng(1)
    names = ("a", "b", "c", "never_said")
    truth, said = rng.choice(names, 200), rng.choice(names[:3], 200)
    got = by_activity(confusion(truth, said, names), names)
    want = precision_recall_fscore_support(
        truth, said, labels=list(names), zero_division=0
    )
    for i, score in enumerate(got):
        assert (score.precision, score.recall, score.f1, score.support) == (
            pytest.approx(tuple(column[i] for column in want))
        )


def test_the_interval_of_like_sessions_is_narrow_and_of_unlike_ones_wide():
    session = np.repeat([f"s{i}" for i in range(10)], 20)
    alike = np.tile([1] * 10 + [0] * 10, 10)
    unlike = np.repeat([1, 0], 100)
    narrow = session_interval(alike, session, 0)
    wide = session_interval(unlike, session, 0)
    assert (narrow.low, narrow.high) == (
        pytest.approx((0.4314, 0.5686), abs=1e-4)  # of 200 independent trials
    )
    assert wide.low < 0.3
    assert wide.high > 0.7


@pytest.mark.parametrize(("hits", "n"), [(0, 5), (5, 5), (80, 80), (27, 30)])
def test_the_interval_over_trials_is_that_of_scipy(hits, n):
    want = stats.binomtest(hits, n).proportion_ci(method="wilson")
    got = wilson(hits / n, n)
    assert (got.low, got.high) == pytest.approx((want.low, want.high))


def test_two_sessions_without_a_mistake_are_not_certain():
    got = session_interval(np.ones(30, dtype=int), np.repeat(["a", "b"], 15), 0)
    assert got.low == pytest.approx(0.886, abs=1e-3)
    assert got.high == pytest.approx(1.0)


def test_one_session_has_no_interval():
    assert session_interval(np.array([1, 0]), np.array(["s", "s"]), 0) is None


def test_the_null_keeps_the_labels_of_each_session():
    rows = trials(1.0)
    shuffled = shuffled_within(rows.activity, rows.session, 5)
    assert list(shuffled) != list(rows.activity)
    for name in rows.sessions():
        here = rows.session == name
        assert sorted(shuffled[here]) == sorted(rows.activity[here])


@pytest.mark.parametrize("name", STATISTICAL)
def test_labels_that_are_noise_score_at_chance(name):
    (result,), _ = study(trials(apart=0.0), [CLASSIFIERS[name]], ["s1"])
    assert 0.13 < result.accuracy < 0.37  # 0.25 within 3.5 standard errors of 160
    assert result.interval.low < 0.30


@pytest.mark.parametrize("name", STATISTICAL)
def test_shuffled_labels_score_at_chance_where_true_ones_score_high(name):
    results, _ = study(trials(apart=5.0), [CLASSIFIERS[name]], ["s0_folds", "s1", "s2"])
    assert len(results) == 3
    for result in results:
        assert result.accuracy > 0.85
        assert result.null_accuracy < 0.50
        assert result.null.by_chance
    assert results[1].null_accuracy < 0.37


def test_marks_of_a_session_help_the_leaky_split_only():
    """Marks by which sessions are known again must not help under S1."""
    rows = trials(apart=0.0)
    rng = np.random.default_rng(2)
    x = rows.x.copy()
    for name in rows.sessions():
        x[rows.session == name] += 8 * rng.normal(size=10)
    order = rng.permutation(len(rows))
    kind = np.array([f"activity_{int(s[1:]) % 4}" for s in rows.session])
    activity = np.where(order < 120, kind, rows.activity)
    leaky = Samples(
        device="d",
        names=rows.names,
        x=x,
        activity=activity,
        session=rows.session,
        trial=rows.trial,
        start_ns=rows.start_ns,
        n_packets=rows.n_packets,
        channel=rows.channel,
    )
    results, _ = study(leaky, QUICK[:1], ["s0_folds", "s1"])
    assert results[0].accuracy > 0.55
    assert results[1].accuracy < 0.37
    assert results[0].null_accuracy > 0.45  # the null sees the marks too


def test_the_null_is_scored_against_the_labels_that_it_was_learnt_on():
    rows = trials(apart=1.0)
    split = SPLITS["s1"].split(rows, 0)
    test = np.concatenate([fold.test for fold in split.folds])
    result = result_of(rows, "oracle", split, lambda labels: labels[test], seed=0)
    assert (result.accuracy, result.null_accuracy) == (1.0, 1.0)
    assert not result.null.by_chance


def test_same_seed_same_result():
    kinds = [*QUICK, CLASSIFIERS["random_forest"]]
    one, other = (
        study(trials(1.0), kinds, ["s0_holdout", "s1"], seed=3)[0] for _ in range(2)
    )
    for a, b in zip(one, other, strict=True):
        assert a.accuracy == b.accuracy
        assert a.interval == b.interval
        assert a.null_accuracy == b.null_accuracy
        assert a.split.digest == b.split.digest
        assert np.array_equal(a.matrix, b.matrix)


def test_a_result_says_how_many_trials_and_sessions_it_rests_on():
    results, _ = study(trials(1.0), QUICK, ["s1", "s2"], seed=0)
    assert {(r.split.name, r.n_trials, r.n_sessions) for r in results} == {
        ("s1", 160, 8),
        ("s2", 40, 2),
    }


def test_an_impossible_split_gives_a_reason_and_no_number():
    results, refusals = study(trials(1.0, n_sessions=1), QUICK, ["s1"])
    assert results == ()
    assert [(r.split, r.reason) for r in refusals] == [
        ("s1", "one session only: no session is new")
    ]
