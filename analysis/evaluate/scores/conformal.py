"""Do sets of activities hold the truth as often as they promise.

The sets are those of `analysis.classifiers.decision`, cross-conformal (Vovk 2015): for
each fold, limits come from answers to the sessions of the other folds. No estimator has
learnt what it answers for, and no limit comes from answers to the sessions it is tried
on; but the estimators of the other folds had learnt these. So what is measured is close
to, and not, what split conformal sets are proven to keep. A set may be empty: the
window is like none.
"""

from dataclasses import dataclass

import numpy as np

from analysis.classifiers.calibration import Held, fit_rule
from analysis.evaluate.fits import Answers
from analysis.evaluate.samples import Strings
from analysis.evaluate.scores.intervals import Interval, session_interval

LEVELS = (0.90, 0.95)


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
    covered = np.zeros(truth.size, dtype=np.bool_)
    size = np.zeros(truth.size, dtype=np.int64)
    for fold in np.unique(answers.fold):
        here, other = np.flatnonzero(answers.fold == fold), answers.fold != fold
        held = Held(
            classes=answers.classes,
            shares=answers.probability[other],
            truth=truth[other],
            session=session[other],
        )
        sets = fit_rule(held, coverage=level).sets(answers.probability[here])
        size[here] = [len(each) for each in sets]
        covered[here] = [truth[i] in each for i, each in zip(here, sets, strict=True)]
    return Conformal(
        level=level,
        covered=float(covered.mean()),
        interval=session_interval(covered.astype(np.float64), session, seed),
        size=float(size.mean()),
        empty=float((size == 0).mean()),
        single=float((size == 1).mean()),
    )
