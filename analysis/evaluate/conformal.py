"""Sets of activities that hold the truth as often as they promise.

Split conformal prediction (Sadinle, Lei and Wasserman 2019): an activity is in the set
when its probability is at least that which the true one had in all but a few of the
calibration rows. Calibrated are the sets of each fold by the answers to the other
folds, whose sessions are others. A set may be empty: the window is like none.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.evaluate.fits import Answers
from analysis.evaluate.samples import Strings
from analysis.evaluate.scores import Interval, session_interval
from analysis.features.model import Float64

LEVELS = (0.90, 0.95)
_ALONE = 20  # calibration sessions of an activity, from which it has its own threshold


@dataclass(frozen=True, slots=True, kw_only=True)
class Conformal:
    """How sets fare that promise to hold the truth in a share `level` of the windows.

    covered  share that does;  interval  of it, over sessions
    size     activities in a set, the mean;  empty, single  shares of such sets
    """

    level: float
    covered: float
    interval: Interval | None
    size: float
    empty: float
    single: float


def conformal_of(
    truth: Strings, session: Strings, answers: Answers, seed: int
) -> tuple[Conformal, ...]:
    """Return the scores of sets per level; nothing with fewer than two folds."""
    if answers.probability is None or np.unique(answers.fold).size < 2:
        return ()
    return tuple(_scored(truth, session, answers, level, seed=seed) for level in LEVELS)


def _scored(
    truth: Strings, session: Strings, answers: Answers, level: float, *, seed: int
) -> Conformal:
    assert answers.probability is not None  # noqa: S101 - the caller has looked
    classes = np.array(answers.classes, dtype=np.str_)
    held = np.zeros(answers.probability.shape, dtype=np.bool_)
    for fold in np.unique(answers.fold):
        here, other = answers.fold == fold, answers.fold != fold
        limits = thresholds(
            truth[other], session[other], answers.probability[other], classes, level
        )
        held[here] = answers.probability[here] >= limits
    covered = (held & (truth[:, None] == classes)).any(axis=1)
    size = held.sum(axis=1)
    return Conformal(
        level=level,
        covered=float(covered.mean()),
        interval=session_interval(covered.astype(np.float64), session, seed),
        size=float(size.mean()),
        empty=float((size == 0).mean()),
        single=float((size == 1).mean()),
    )


def thresholds(
    truth: Strings,
    session: Strings,
    probability: Float64,
    classes: NDArray[np.str_],
    level: float,
) -> Float64:
    """Return (c,) the probability from which on each class is in a set.

    An activity with calibration rows from 20 sessions has a threshold of its own; the
    others share one.
    """
    is_true = truth[:, None] == classes
    of_truth = np.where(is_true, probability, 0).sum(axis=1)
    limits = np.full(classes.size, _limit(of_truth, level))
    for column in range(classes.size):
        mine = is_true[:, column]
        if np.unique(session[mine]).size >= _ALONE:
            limits[column] = _limit(of_truth[mine], level)
    return limits


def _limit(of_truth: Float64, level: float) -> float:
    """Return what all but the allowed share reach, corrected for few rows."""
    k = int(np.floor((of_truth.size + 1) * (1 - level) + 1e-9))
    return float(np.sort(of_truth)[k - 1]) if k else 0.0
