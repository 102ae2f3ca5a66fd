"""From answers to scores: precision, recall and F1 of every activity."""

from dataclasses import dataclass

import numpy as np

from analysis.evaluate.samples import Strings
from analysis.features.model import Int64


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivityScore:
    """How one activity was recognised; `support` is its number of test trials."""

    activity: str
    precision: float
    recall: float
    f1: float
    support: int


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


def macro_f1(truth: Strings, said: Strings) -> float:
    """Return the mean F1 over the activities that are tested."""
    names = np.unique(truth)
    hits = np.array([((truth == n) & (said == n)).sum() for n in names])
    support = np.array([(truth == n).sum() for n in names])
    claimed = np.array([(said == n).sum() for n in names])
    return float(np.mean(2 * hits / (support + claimed)))
