"""Which activities cannot be told apart at all, from training data only.

A bulb that is turned on and one that is turned off may send the same. Two activities
are merged when no classifier tells them apart by cross-validation within the training
rows: the 95 % interval of the pairwise area under the ROC curve begins below 0.6. This
is done in each fold anew, so that nothing of the test rows has a say.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TypeAlias

import numpy as np

from analysis.classifiers.folds import dealt
from analysis.classifiers.model import Classifier
from analysis.evaluate.fits import Answers, Fit, Progress, done, nobody, pooled
from analysis.evaluate.samples import Samples, Strings
from analysis.evaluate.scores.activities import macro_f1
from analysis.evaluate.scores.intervals import Interval, f1_interval, session_interval
from analysis.evaluate.scores.open_set import auroc
from analysis.evaluate.splits.folds import Fold, Split, SplitRefusedError
from analysis.evaluate.splits.held_out import session_groups
from analysis.evaluate.study import Result
from analysis.features.model import Float64, Int64

Groups: TypeAlias = tuple[tuple[str, ...], ...]

_TOLD_APART = 0.6  # area under the ROC curve that the interval must lie above
_INNER = 3  # folds within the training rows
_JOIN = "|"


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupScore:
    """The same answers, scored by groups of activities that can be told apart.

    A probability of a group is the sum of those of its activities. `groups` are those
    of each fold; `single` says that all activities of some fold fell into one group,
    where there is nothing to tell apart and the accuracy is 1 for nothing.
    """

    device: str
    classifier: str
    split: str
    accuracy: float
    interval: Interval | None
    f1: float
    f1_interval: Interval | None
    majority: float
    groups: tuple[Groups, ...]

    @property
    def single(self) -> bool:
        """Say whether some fold has one group only."""
        return any(len(each) < 2 for each in self.groups)


def identifiable_groups(
    samples: Samples,
    split: Split,
    classifiers: Sequence[Classifier],
    *,
    seed: int,
    jobs: int = 1,
    progress: Progress = nobody,
) -> tuple[Groups, ...]:
    """Return the groups of each fold of a split, learnt from its training rows.

    Estimators do not calibrate themselves here: what counts is how shares of two
    activities rank windows, which needs no calibration, though it may differ a little
    from how calibrated shares rank them.
    """
    parts: list[tuple[Fold, ...]] = []
    fits: list[Fit] = []
    for fold in split.folds:
        inner = _inner_folds(samples, fold.train, seed)
        parts.append(inner)
        for classifier in classifiers:
            fits += [
                Fit(
                    classifier=classifier,
                    labels=samples.activity,
                    train=each.train,
                    asked=each.test,
                    seed=seed,
                    likeliest_only=True,
                )
                for each in inner
            ]
    made = done(samples, fits, jobs=jobs, progress=progress)
    found = []
    for fold, inner in zip(split.folds, parts, strict=True):
        told: set[tuple[str, str]] = set()
        names = np.unique(samples.activity[fold.train])
        for _classifier in classifiers if inner else ():
            answers = pooled(inner, [next(made) for _each in inner])
            told |= _told_apart(samples, answers)
        found.append(merged(names, told))
    return tuple(found)


def _inner_folds(samples: Samples, train: Int64, seed: int) -> tuple[Fold, ...]:
    """Part training rows by session, or each activity evenly where that cannot be."""
    try:
        parts = session_groups(samples, train, _INNER)
    except SplitRefusedError:
        fold = dealt(samples.activity[train], None, _INNER, seed)
        parts = tuple((train[fold != n], train[fold == n]) for n in np.unique(fold))
    return tuple(
        Fold(train=outside, test=inside)
        for outside, inside in parts
        if np.unique(samples.activity[outside]).size > 1
    )


def _told_apart(samples: Samples, answers: Answers) -> set[tuple[str, str]]:
    assert answers.probability is not None  # noqa: S101 - estimators have them
    truth, session = samples.activity[answers.rows], samples.session[answers.rows]
    if np.unique(session).size < 2:
        session = samples.trial[answers.rows]  # how sessions differ nobody can say
    return told_apart(answers.probability, answers.classes, truth, session)


def told_apart(
    shares: Float64, classes: Sequence[str], truth: Strings, session: Strings
) -> set[tuple[str, str]]:
    """Return the pairs of activities that answers to n windows tell apart.

    shares  (n, c) float64, columns as `classes`;  truth, session  (n,) str
    """
    column = {name: i for i, name in enumerate(classes)}
    found = set()
    for one, other in combinations(np.unique(truth).tolist(), 2):
        if one not in column or other not in column:
            continue
        p = shares[:, [column[one], column[other]]]
        total = p.sum(axis=1)
        share = np.divide(p[:, 0], total, out=np.full(total.size, 0.5), where=total > 0)
        high, low = truth == one, truth == other
        _area, interval = auroc(share[high], session[high], share[low], session[low])
        if interval.low >= _TOLD_APART:
            found.add((one, other))
    return found


def merged(names: Strings, told: set[tuple[str, str]]) -> Groups:
    """Return groups of names: whoever is not told apart from one of them is in it."""
    root = {name: name for name in names.tolist()}

    def find(name: str) -> str:
        while root[name] != name:
            name = root[name]
        return name

    for one, other in combinations(names.tolist(), 2):
        if (one, other) not in told:
            root[find(other)] = find(one)
    heads: dict[str, list[str]] = {}
    for name in names.tolist():
        heads.setdefault(find(name), []).append(name)
    return tuple(tuple(group) for group in heads.values())


def group_score(result: Result, groups: tuple[Groups, ...], seed: int) -> GroupScore:
    """Score a result by the groups of each of its folds."""
    truth, said = in_groups(result, groups)
    right = (truth == said).astype(np.int64)
    return GroupScore(
        device=result.device,
        classifier=result.classifier,
        split=result.split.name,
        accuracy=float(right.mean()),
        interval=session_interval(right, result.session, seed),
        f1=macro_f1(truth, said),
        f1_interval=f1_interval(truth, said, result.session, seed),
        majority=float(np.unique(truth, return_counts=True)[1].max() / truth.size),
        groups=groups,
    )


def in_groups(result: Result, groups: tuple[Groups, ...]) -> tuple[Strings, Strings]:
    """Return (n,) the group of what is true and of what was said, fold by fold."""
    truth, said = result.truth.tolist(), result.answers.said.tolist()
    for number, each in enumerate(groups):
        label = {name: _JOIN.join(group) for group in each for name in group}
        rows = np.flatnonzero(result.answers.fold == number)
        best = _likeliest(result.answers, rows, each)
        for at, i in enumerate(rows.tolist()):
            truth[i] = label.get(truth[i], truth[i])
            said[i] = best[at] if best else label.get(said[i], said[i])
    return np.array(truth, dtype=np.str_), np.array(said, dtype=np.str_)


def _likeliest(answers: Answers, rows: Int64, groups: Groups) -> list[str]:
    """Return the group with the greatest probability; nothing without probabilities."""
    if answers.probability is None:
        return []
    column = {name: i for i, name in enumerate(answers.classes)}
    sums = np.column_stack(
        [
            answers.probability[rows][:, [column[n] for n in group if n in column]].sum(
                axis=1
            )
            for group in groups
        ]
    )
    return [_JOIN.join(groups[i]) for i in sums.argmax(axis=1).tolist()]
