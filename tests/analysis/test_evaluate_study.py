"""Calibration, open set, comparisons, groups, curves: each against what is known."""

import os
import pickle
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, f1_score, log_loss, roc_auc_score

import analysis.classifiers
from analysis.classifiers.model import Classifier
from analysis.errors import AnalysisError
from analysis.evaluate.decisions import calibration_folds
from analysis.evaluate.fits import Answers
from analysis.evaluate.scores.activities import macro_f1
from analysis.evaluate.scores.calibration import calibration_of
from analysis.evaluate.scores.conformal import conformal_of
from analysis.evaluate.scores.intervals import f1_interval, session_interval
from analysis.evaluate.scores.open_set import auroc, open_set_of
from analysis.evaluate.splits.named import SPLITS
from analysis.evaluate.splits.transfer import joined, transfer
from analysis.evaluate.study import score, scored
from analysis.evaluate.trust.curves import learning_curve
from analysis.registry import discover
from tests.given import trials

CLASSIFIERS = discover(analysis.classifiers, "CLASSIFIERS")
BAYES, NEAREST = CLASSIFIERS["naive_bayes"], CLASSIFIERS["nearest"]


def drawn(n=300, seed=2):
    rng = np.random.default_rng(seed)
    names = ("a", "b", "c")
    probability = rng.dirichlet([1, 1, 1], n)
    truth = np.array([rng.choice(names, p=p) for p in probability])
    return truth, probability, names


def test_calibration_is_that_of_scikit_learn():
    truth, probability, names = drawn()
    found = calibration_of(truth, probability, names)
    assert found.log_loss == pytest.approx(log_loss(truth, probability, labels=names))
    wanted = brier_score_loss(truth, probability, labels=names, scale_by_half=False)
    assert found.brier == pytest.approx(wanted)


def test_true_probabilities_have_a_small_calibration_error_and_bold_ones_a_large_one():
    truth, probability, names = drawn(3000)
    assert calibration_of(truth, probability, names).ece < 0.03
    bold = np.eye(3)[probability.argmax(axis=1)]
    found = calibration_of(truth, bold, names)
    right = (np.array(names)[probability.argmax(axis=1)] == truth).mean()
    assert found.ece == pytest.approx(1 - right)
    assert sum(point.n for point in found.points) == 3000


def test_bins_of_the_reliability_diagram_hold_equally_many():
    truth, probability, names = drawn(95)
    points = calibration_of(truth, probability, names).points
    assert {point.n for point in points} == {9, 10}
    confidence = [point.confidence for point in points]
    assert confidence == sorted(confidence)


def test_what_is_true_but_not_among_the_classes_had_no_probability():
    found = calibration_of(np.array(["z"]), np.array([[0.5, 0.5]]), ("a", "b"))
    assert found.brier == pytest.approx(1.5)
    assert found.log_loss > 20


def test_the_area_under_the_curve_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    high, low = rng.integers(0, 9, 80) + 2.0, rng.integers(0, 9, 50) * 1.0
    sessions = np.repeat(["a", "b"], [80, 50])
    area, interval = auroc(high, sessions[:80], low, sessions[80:])
    truth = np.repeat([1, 0], [80, 50])
    assert area == pytest.approx(roc_auc_score(truth, np.concatenate((high, low))))
    assert interval.low < area < interval.high


def test_the_interval_of_the_area_is_wider_when_sessions_differ():
    rng = np.random.default_rng(1)
    session = np.repeat([f"s{i}" for i in range(8)], 100)
    shift = np.repeat(rng.normal(0, 2, 8), 100)
    high, low = rng.normal(1, 1, 800), rng.normal(0, 1, 800)
    _, alike = auroc(high, session, low, session)
    _, unlike = auroc(high + shift, session, low, session)
    assert unlike.high - unlike.low > 3 * (alike.high - alike.low)


def test_an_open_set_that_is_told_apart_and_one_that_is_not():
    rng = np.random.default_rng(4)
    known, right = rng.uniform(0.6, 1, 200), np.ones(200, dtype=bool)
    session = np.repeat(["a", "b"], 100)
    apart = open_set_of(known, right, session, known * 0.5, session)
    assert (apart.auroc, apart.accepted) == (1.0, 0.0)
    assert apart.oscr == pytest.approx(1.0)
    same = open_set_of(known, right, session, known, session)
    assert same.auroc == pytest.approx(0.5)
    assert same.accepted == pytest.approx(0.95, abs=0.01)
    assert same.oscr == pytest.approx(0.5, abs=0.01)
    assert open_set_of(known, right, session, known[:0], session[:0]) is None


def test_wrong_names_lower_the_open_set_classification_rate():
    rng = np.random.default_rng(4)
    known, session = rng.uniform(0.6, 1, 200), np.repeat(["a", "b"], 100)
    right = np.arange(200) % 2 == 0
    found = open_set_of(known, right, session, known * 0.5, session)
    assert found.oscr == pytest.approx(0.5)
    assert found.auroc == 1.0


def test_the_open_set_split_scores_activities_that_were_never_learnt():
    rows = trials(apart=9.0, n_kinds=6)
    result = score(rows, NEAREST, SPLITS["s6"].split(rows, 0), seed=0)
    assert result.open_set.n_unknown > 0
    assert result.n_trials == result.open_set.n_known
    assert result.open_set.known_answered > 0.85
    assert result.open_set_doubt.known_answered is None
    assert "unknown" not in result.activities
    assert score(rows, NEAREST, SPLITS["s1"].split(rows, 0), seed=0).open_set is None


def sets_of(n=4000, n_sessions=40, seed=3, **changes):
    truth, probability, names = drawn(n, seed)
    session = np.array([f"s{i * n_sessions // n}" for i in range(n)])
    answers = Answers(
        rows=np.arange(n),
        fold=np.arange(n) * 5 // n,
        said=np.array(names)[probability.argmax(axis=1)],
        classes=names,
        probability=probability,
        unknown=np.zeros(0, np.int64),
        unknown_fold=np.zeros(0, np.int64),
    )
    return conformal_of(truth, session, replace(answers, **changes), 0)


def test_conformal_sets_hold_the_truth_as_often_as_they_promise():
    for each in sets_of():
        # a little more: one more session is reckoned with than the 32 that calibrate
        assert each.level - 0.01 < each.covered < each.level + 0.04
        assert each.interval.low < each.covered < each.interval.high
        assert 1 <= each.size < 3
    few, many = sets_of()
    assert few.size < many.size


def test_sure_answers_have_small_sets_and_one_fold_has_none():
    names = ("a", "b", "c")
    truth = np.tile(names, 100)
    sure = 0.9 * (truth[:, None] == np.array(names)) + 0.1 / 3
    session = np.repeat([f"s{i}" for i in range(10)], 30)
    answers = Answers(
        rows=np.arange(300),
        fold=np.arange(300) // 60,
        said=truth,
        classes=names,
        probability=sure,
        unknown=np.zeros(0, np.int64),
        unknown_fold=np.zeros(0, np.int64),
    )
    for each in conformal_of(truth, session, answers, 0):
        assert (each.size, each.single, each.empty) == (1.0, 1.0, 0.0)
    assert sets_of(fold=np.zeros(4000, np.int64)) == ()


def test_novelty_tells_unknown_activities_of_which_a_classifier_is_sure():
    rows = trials(apart=0.0, n_kinds=5)
    kind = np.array([int(name[-1]) for name in rows.activity])
    x = rows.x.copy()
    x[:, 0] = 10.0 * (1 + kind) + 0.1 * x[:, 0]  # the ends are beyond, others between
    seen = replace(rows, x=x)
    found = score(seen, BAYES, SPLITS["s6"].split(seen, 0), seed=0)
    assert found.open_set.auroc > max(0.95, found.open_set_doubt.auroc + 0.05)
    assert found.open_set.unknown_answered < 0.1 < 0.8 < found.open_set.known_answered


def test_rules_of_the_open_set_learn_nothing_from_test_rows():
    rows = trials(apart=6.0, n_kinds=5)
    for fold in SPLITS["s6"].split(rows, 0).folds:
        parts = calibration_folds(rows, fold, 0)
        learnt = np.concatenate([each.test for each in parts])
        assert sorted(learnt) == sorted(fold.train)
        for part in parts:
            assert set(part.train) | set(part.test) == set(fold.train)
            assert not set(rows.session[part.train]) & set(rows.session[part.test])


def test_macro_f1_is_that_of_scikit_learn_and_lies_in_its_interval():
    rng = np.random.default_rng(1)
    truth, said = rng.choice(["a", "b", "c"], (2, 200))
    said = np.where(rng.random(200) < 0.5, truth, said)
    session = np.repeat([f"s{i}" for i in range(10)], 20)
    value = macro_f1(truth, said)
    assert value == pytest.approx(f1_score(truth, said, average="macro"))
    interval = f1_interval(truth, said, session, 0)
    assert interval.low < value < interval.high
    accuracy = session_interval((truth == said).astype(int), session, 0)
    assert interval.high - interval.low == pytest.approx(
        accuracy.high - accuracy.low, abs=0.03
    )


def test_more_sessions_to_learn_from_are_better():
    rows = trials(apart=3.0, n_sessions=16, repeats=1)
    split = SPLITS["s2"].split(rows, 0)
    points = learning_curve(rows, [NEAREST], split, seed=0)
    assert [point.value for point in points] == [1, 2, 4, 8, 12]
    assert points[-1].accuracy > points[0].accuracy + 0.03
    whole = score(rows, NEAREST, split, seed=0)
    assert points[-1].accuracy == whole.accuracy
    assert points[-1].n_trials == split.folds[0].train.size
    assert {point.of for point in points} == {"sessions"}


def test_one_session_to_learn_from_gives_no_curve():
    rows = trials(n_sessions=2)
    split = SPLITS["s2"].split(rows, 0)
    assert learning_curve(rows, [NEAREST], split, seed=0) == ()


def test_another_campaign_is_tested_whole_and_never_learnt_from():
    ours, theirs = trials(seed=0), trials(seed=1, n_sessions=2)
    activity = theirs.activity.copy()
    activity[activity == "activity_0"] = "only_there"
    both = joined(ours, replace(theirs, activity=activity), ("one", "two"))
    split = transfer(both, ("one", "two"))
    (fold,) = split.folds
    assert set(both.recording[fold.train]) == {"one (1)"}
    assert set(both.recording[fold.test]) == {"two (2)"}
    assert split.note == "not in both campaigns: activity_0, only_there"
    assert fold.test.size == 3 * len(theirs) // 4
    result = score(both, NEAREST, split, seed=0)
    assert result.n_sessions == 2
    assert "activity_0" not in result.activities


def sent(value):
    return pickle.loads(pickle.dumps(value))  # noqa: S301 - our own


class Elsewhere:
    """Stands for processes: what goes there and comes back is pickled."""

    def __init__(self, jobs, *, mp_context, initializer, initargs):
        assert (jobs, mp_context.get_start_method()) == (2, "spawn")
        sent(initializer)(*sent(initargs))

    def __enter__(self):
        return self

    def __exit__(self, *ended):
        pass

    def map(self, function, fits):
        assert os.environ["OMP_NUM_THREADS"] == "1"
        for fit in fits:
            yield sent(sent(function)(sent(fit)))


def test_several_processes_give_the_same_answers(monkeypatch):
    monkeypatch.setattr("analysis.evaluate.fits._WORTH_IT", 0)
    monkeypatch.setattr("analysis.evaluate.fits.ProcessPoolExecutor", Elsewhere)
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    rows = trials(1.0)
    split = SPLITS["s1"].split(rows, 0)
    told = []
    one = scored(rows, [BAYES], [split], seed=0)
    two = scored(
        rows,
        [BAYES],
        [split],
        seed=0,
        jobs=2,
        progress=lambda done, total: told.append((done, total)),
    )
    assert np.array_equal(one[0].answers.probability, two[0].answers.probability)
    assert one[0].null == two[0].null
    assert told[-1] == (10, 10)
    assert os.environ["OMP_NUM_THREADS"] == "7"


def test_a_process_that_was_ended_is_told_in_a_sentence(monkeypatch):
    class Ended(Elsewhere):
        def map(self, function, fits):
            raise BrokenProcessPool

    monkeypatch.setattr("analysis.evaluate.fits._WORTH_IT", 0)
    monkeypatch.setattr("analysis.evaluate.fits.ProcessPoolExecutor", Ended)
    rows = trials()
    with pytest.raises(AnalysisError, match=r"ended from outside.* --jobs 1"):
        scored(rows, [BAYES], [SPLITS["s1"].split(rows, 0)], seed=0, jobs=2)


def test_an_estimator_that_holds_rows_out_is_told_of_which_sessions_they_are():
    rows = trials()
    seen = []

    class Careful(type(BAYES.make(0))):
        def fit(self, x, y, groups=None):
            seen.append(set(groups))
            return super().fit(x, y)

    plan = Classifier(
        name="careful", title="", make=lambda seed: Careful(BAYES.make(seed).steps)
    )
    split = SPLITS["s2"].split(rows, 0)
    score(rows, plan, split, seed=0)
    assert seen[0] == set(rows.session[split.folds[0].train])


def test_nobody_is_calibrated_whose_probabilities_nobody_looks_at():
    rows = trials(n_sessions=4)
    seen = []

    class Calibrating(type(BAYES.make(0))):
        calibrated = True

        def set_params(self, **changed):
            self.calibrated = changed["calibrated"]

        def fit(self, x, y):
            seen.append(self.calibrated)
            return super().fit(x, y)

    plan = Classifier(
        name="calibrating",
        title="",
        make=lambda seed: Calibrating(BAYES.make(seed).steps),
    )
    score(rows, plan, SPLITS["s2"].split(rows, 0), seed=0)
    assert seen == [True, False]  # the second is the null


def test_a_leaking_classifier_is_caught_by_its_null():
    rows = trials(apart=0.0)

    class Thief:
        """Looks its answers up where no estimator may look."""

        def fit(self, x, y):
            self.classes_ = np.unique(rows.activity)
            return self

        def predict_proba(self, x):
            place = {row.tobytes(): i for i, row in enumerate(rows.x)}
            found = [labels[place[row.tobytes()]] for row in x]
            return (np.array(found)[:, None] == self.classes_).astype(float)

    split = SPLITS["s1"].split(rows, 0)
    from analysis.evaluate.scores.chance import null_labels

    labels = null_labels(rows, split, 0)
    thief = Classifier(name="thief", title="Thief", make=lambda seed: Thief())
    result = score(rows, thief, split, seed=0)
    assert result.null_accuracy == 1.0
    assert not result.null.by_chance
