"""Is one classifier better than another on the same trials: paired differences."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from analysis.evaluate.scores import Interval, session_draws
from analysis.evaluate.study import Result

_TAIL = 0.025


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two classifiers on the same test rows of one split.

    difference  accuracy of `one` less that of `other`, with an interval over sessions
    fewer       share of the errors of `other` that `one` does not make, with an
                interval; None where `other` makes none
    """

    device: str
    split: str
    one: str
    other: str
    difference: float
    interval: Interval | None
    fewer: float | None
    fewer_interval: Interval | None


def comparisons(results: Sequence[Result], seed: int = 0) -> tuple[Comparison, ...]:
    """Compare every pair of results of the same device and split."""
    found = []
    for one, other in combinations(results, 2):
        same = (one.device, one.split.digest) == (other.device, other.split.digest)
        if same and one.split.name == other.split.name:
            found.append(compare(other, one, seed))
    return tuple(found)


def compare(one: Result, other: Result, seed: int = 0) -> Comparison:
    """Return how much better `one` is than `other`; both of the same split."""
    if not np.array_equal(one.answers.rows, other.answers.rows):
        raise ValueError("only answers to the same rows can be compared")
    wrong = np.column_stack(
        [(r.truth != r.answers.said).astype(np.float64) for r in (one, other)]
    )
    group = np.unique(one.session, return_inverse=True)[1]
    mine, theirs = wrong.mean(axis=0)
    interval = fewer_interval = None
    if group.max() > 0:
        sums = session_draws(np.column_stack((wrong, np.ones(len(wrong)))), group, seed)
        interval = _central((sums[:, 1] - sums[:, 0]) / sums[:, 2])
        if theirs:
            # a draw in which the other makes no error has no share; it counts as the
            # worst when `one` makes some, as nothing gained when it makes none either
            some = sums[:, 1] > 0
            share = 1 - sums[:, 0] / np.where(some, sums[:, 1], 1)
            worst = np.where(sums[:, 0] > 0, -np.inf, 0.0)
            fewer_interval = _central(np.where(some, share, worst))
    return Comparison(
        device=one.device,
        split=one.split.name,
        one=one.classifier,
        other=other.classifier,
        difference=float(theirs - mine),
        interval=interval,
        fewer=float(1 - mine / theirs) if theirs else None,
        fewer_interval=fewer_interval,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """How much better a leaky split looks than an honest one, on the same trials."""

    device: str
    classifier: str
    leaky: str
    honest: str
    difference: float
    interval: Interval | None
    n_trials: int


def gap(leaky: Result, honest: Result, seed: int = 0) -> Gap:
    """Return the difference over the trials that both splits test."""
    rows, one, other = np.intersect1d(
        leaky.answers.rows, honest.answers.rows, return_indices=True
    )
    more = (leaky.truth == leaky.answers.said)[one].astype(np.float64)
    more -= (honest.truth == honest.answers.said)[other]
    group = np.unique(honest.session[other], return_inverse=True)[1]
    interval = None
    if rows.size and group.max() > 0:
        sums = session_draws(np.column_stack((more, np.ones(rows.size))), group, seed)
        interval = _central(sums[:, 0] / sums[:, 1])
    return Gap(
        device=leaky.device,
        classifier=leaky.classifier,
        leaky=leaky.split.name,
        honest=honest.split.name,
        difference=float(more.mean()) if rows.size else 0.0,
        interval=interval,
        n_trials=int(rows.size),
    )


def gaps(results: Sequence[Result], seed: int = 0) -> tuple[Gap, ...]:
    """Return the gap of S0 (five folds) and S1, per device and classifier."""
    by_place = {(r.device, r.classifier, r.split.name): r for r in results}
    return tuple(
        gap(result, by_place[(device, classifier, "s1")], seed)
        for (device, classifier, split), result in by_place.items()
        if split == "s0_folds" and (device, classifier, "s1") in by_place
    )


def _central(drawn: np.ndarray) -> Interval:
    low, high = np.quantile(drawn, [_TAIL, 1 - _TAIL], method="nearest")
    return Interval(low=float(low), high=float(high))
