"""Score classifiers on the trials of one device, split by split."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.classifiers.model import Classifier
from analysis.evaluate.samples import Samples, Strings
from analysis.evaluate.scores import (
    ActivityScore,
    Interval,
    by_activity,
    confusion,
    session_interval,
    shuffled_within,
)
from analysis.evaluate.splits import SPLITS, Split, SplitRefusedError
from analysis.features.model import Int64


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One classifier on one device under one split.

    All scores pool the test rows of all folds. `interval` is None with fewer than two
    sessions. `null_accuracy` is the accuracy of the same classifier, learnt and tested
    on labels shuffled within sessions; where each session holds one activity only there
    is nothing to shuffle, and `confounded` says so: what was learnt may be the session.
    `majority` is the accuracy of always saying the commonest activity. `answered` is
    the share of test rows that were given an activity at all: the payload matcher may
    say `unknown`, which counts as wrong. `matrix` is (c, c), rows true, columns
    predicted, as `activities`, of which an answer like `unknown` is the last.
    """

    device: str
    classifier: str
    split: Split
    seed: int
    accuracy: float
    precision: float
    recall: float
    f1: float
    interval: Interval | None
    null_accuracy: float
    confounded: bool
    answered: float
    majority: float
    n_trials: int
    n_sessions: int
    activities: tuple[str, ...]
    scores: tuple[ActivityScore, ...]
    matrix: Int64


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A split that this device's trials do not allow, and why."""

    device: str
    split: str
    reason: str


def study(
    samples: Samples,
    classifiers: Sequence[Classifier],
    splits: Sequence[str],
    *,
    seed: int = 0,
) -> tuple[tuple[Result, ...], tuple[Refusal, ...]]:
    """Return a result per classifier and split, and a refusal per impossible split."""
    results: list[Result] = []
    refusals: list[Refusal] = []
    for name in splits:
        try:
            split = SPLITS[name].split(samples, seed)
        except SplitRefusedError as exc:
            refusals.append(Refusal(device=samples.device, split=name, reason=str(exc)))
            continue
        results += [score(samples, c, split, seed=seed) for c in classifiers]
    return tuple(results), tuple(refusals)


def score(
    samples: Samples, classifier: Classifier, split: Split, *, seed: int
) -> Result:
    """Learn and test in every fold; the same input and seed give the same result."""

    def predict(labels: Strings) -> Strings:
        return _predict(samples, labels, classifier, split, seed)

    return result_of(samples, classifier.name, split, predict, seed=seed)


def result_of(
    samples: Samples,
    name: str,
    split: Split,
    predict: Callable[[Strings], Strings],
    *,
    seed: int,
) -> Result:
    """Score anything that predicts the test rows of a split, and the same on a null.

    predict  labels of all samples -> predictions for the test rows of all folds, fold
             after fold, made from labels of training rows only
    """
    test = np.concatenate([fold.test for fold in split.folds])
    truth, session = samples.activity[test], samples.session[test]
    said = predict(samples.activity)
    null = _null_labels(samples, split, seed)
    names = np.unique(samples.activity[_used(split)])
    activities = tuple(str(a) for a in (*names, *np.setdiff1d(said, names)))
    matrix = confusion(truth, said, activities)
    scores = by_activity(matrix, activities)
    tested = [s for s in scores if s.support]
    right = (truth == said).astype(np.int64)
    return Result(
        device=samples.device,
        classifier=name,
        split=split,
        seed=seed,
        accuracy=float(right.mean()),
        precision=float(np.mean([s.precision for s in tested])),
        recall=float(np.mean([s.recall for s in tested])),
        f1=float(np.mean([s.f1 for s in tested])),
        interval=session_interval(right, session, seed),
        null_accuracy=float((predict(null) == null[test]).mean()),
        confounded=_one_each(samples, split),
        answered=float(np.isin(said, names).mean()),
        majority=float(np.unique(truth, return_counts=True)[1].max() / truth.size),
        n_trials=int(truth.size),
        n_sessions=int(np.unique(session).size),
        activities=activities,
        scores=scores,
        matrix=matrix,
    )


def _used(split: Split) -> Int64:
    """Return the rows that the split uses: the same in every fold."""
    return np.union1d(split.folds[0].train, split.folds[0].test)


def _null_labels(samples: Samples, split: Split, seed: int) -> Strings:
    used, labels = _used(split), samples.activity.copy()
    labels[used] = shuffled_within(labels[used], samples.session[used], seed)
    return labels


def _one_each(samples: Samples, split: Split) -> bool:
    """Say whether each session holds one activity only."""
    used = _used(split)
    session, activity = samples.session[used], samples.activity[used]
    pairs = set(zip(session.tolist(), activity.tolist(), strict=True))
    return len(pairs) == np.unique(session).size


def _predict(
    samples: Samples, labels: Strings, classifier: Classifier, split: Split, seed: int
) -> Strings:
    said = []
    x = samples.inputs(classifier.reads)
    for fold in split.folds:
        estimator = classifier.make(seed)
        estimator.fit(x[fold.train], labels[fold.train])
        said.append(estimator.predict(x[fold.test]))
    return np.concatenate(said)
