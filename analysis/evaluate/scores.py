"""From predictions to scores: accuracy, precision, recall, F1, how sure they are."""

from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

import numpy as np

from analysis.evaluate.samples import Strings
from analysis.features.model import Int64

_DRAWS = 2000
_LEVEL = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivityScore:
    """How one activity was recognised; `support` is its number of test trials."""

    activity: str
    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A 95 % interval of an accuracy; see `session_interval`."""

    low: float
    high: float


def confusion(truth: Strings, said: Strings, activities: tuple[str, ...]) -> Int64:
    """Return (c, c) int64: row is the true activity, column the predicted one."""
    c = len(activities)
    position = {name: i for i, name in enumerate(activities)}
    cells = [position[t] * c + position[s] for t, s in zip(truth, said, strict=True)]
    return np.bincount(np.array(cells, dtype=np.int64), minlength=c * c).reshape(c, c)


def by_activity(
    matrix: Int64, activities: tuple[str, ...]
) -> tuple[ActivityScore, ...]:
    """Return precision, recall and F1 of each activity; 0 where they have no value."""
    hits = np.diag(matrix).astype(np.float64)
    support, claimed = matrix.sum(axis=1), matrix.sum(axis=0)
    precision = hits / np.maximum(claimed, 1)
    recall = hits / np.maximum(support, 1)
    f1 = 2 * hits / np.maximum(support + claimed, 1)
    return tuple(
        ActivityScore(
            activity=name,
            precision=float(precision[i]),
            recall=float(recall[i]),
            f1=float(f1[i]),
            support=int(support[i]),
        )
        for i, name in enumerate(activities)
    )


def session_interval(right: Int64, session: Strings, seed: int) -> Interval | None:
    """Return the interval of an accuracy; None for fewer than two sessions.

    It reaches as far as a bootstrap over whole sessions does, and never less far than
    Wilson's interval over trials: a bootstrap over two sessions, or over trials that
    were all right, would claim to be certain.

    right  (n,) 1 where the prediction was right, else 0;  session  (n,) str
    """
    names, group = np.unique(session, return_inverse=True)
    if names.size < 2:
        return None
    hits = np.bincount(group, weights=right)
    size = np.bincount(group)
    draws = np.random.default_rng(seed).integers(names.size, size=(_DRAWS, names.size))
    accuracy = hits[draws].sum(axis=1) / size[draws].sum(axis=1)
    tail = (1 - _LEVEL) / 2
    low, high = np.quantile(accuracy, [tail, 1 - tail])
    trials = wilson(float(right.mean()), right.size)
    return Interval(low=min(float(low), trials.low), high=max(float(high), trials.high))


def wilson(share: float, n: int) -> Interval:
    """Return Wilson's score interval (1927) of a share of n independent trials."""
    z = NormalDist().inv_cdf(0.5 + _LEVEL / 2)
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    reach = z / (1 + z * z / n) * sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return Interval(low=max(0.0, middle - reach), high=min(1.0, middle + reach))


def shuffled_within(activity: Strings, session: Strings, seed: int) -> Strings:
    """Return the labels shuffled inside each session: the null keeps the sessions."""
    rng = np.random.default_rng(seed)
    shuffled = activity.copy()
    for name in np.unique(session):
        rows = np.flatnonzero(session == name)
        shuffled[rows] = activity[rng.permutation(rows)]
    return shuffled
