"""When an answer is given, and which activities it may be instead.

Both are learnt from answers to sessions that the estimator had not seen: those of S1,
where each session was left out once. The sets are those of split conformal prediction
(LAC: Sadinle, Lei and Wasserman 2019).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.classifiers.model import UNKNOWN, Float64
from analysis.evaluate.samples import Strings
from analysis.evaluate.study import Result

KNOWN_SHARE = 0.95  # of windows of known activities that are to be answered
COVERAGE = 0.95  # of sets that are to hold the truth

Int64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """An answer for one window.

    label          an activity, `idle`, or `unknown`
    probability    of the likeliest activity, also when the answer is `unknown`
    conformal_set  the activities that it may be, the likeliest first; 95 of 100 sets
                   hold the truth, in sessions like those that were learnt from
    """

    label: str
    probability: float
    conformal_set: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """Thresholds of the probability.

    accept_from  of the likeliest activity, below which the answer is `unknown`
    choose_from  from which on an activity is in the set; the likeliest always is
    n_rows, n_sessions  of the answers that they were learnt from; with none it always
                 answers, and each set holds every activity
    """

    accept_from: float = 0.0
    choose_from: float = 0.0
    n_rows: int = 0
    n_sessions: int = 0

    def decide(self, shares: Float64, activities: tuple[str, ...]) -> list[Decision]:
        """Answer for k windows.

        shares  (k, c) float64, columns as `activities`
        """
        order = np.argsort(-shares, axis=1, kind="stable")
        return [
            self._decision(row, ranked, activities)
            for row, ranked in zip(shares, order, strict=True)
        ]

    def _decision(
        self, row: Float64, ranked: Int64, activities: tuple[str, ...]
    ) -> Decision:
        best = float(row[ranked[0]])
        n_set = max(1, int((row >= self.choose_from).sum()))
        return Decision(
            label=activities[ranked[0]] if best >= self.accept_from else UNKNOWN,
            probability=best,
            conformal_set=tuple(activities[column] for column in ranked[:n_set]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """How thresholds fare in sessions that they were not learnt from.

    answered  share of windows that get an answer;  right  share of the answers
    covered   share of sets that hold the truth;  set_size  activities in a set, mean
    """

    answered: float
    right: float
    covered: float
    set_size: float
    n_trials: int


def acceptance_of(result: Result | None) -> Acceptance:
    """Learn thresholds from the answers under S1, or none where there are none."""
    if result is None or result.answers.probability is None:
        return Acceptance()
    truth, session = _truth(result), result.session
    return _learnt(result.answers.probability, truth, session)


def tried(result: Result | None) -> Tried | None:
    """Learn thresholds from all folds but one, try them on that, and so on for all.

    None with fewer than two folds.
    """
    if result is None or result.answers.probability is None:
        return None
    probability, fold_of = result.answers.probability, result.answers.fold
    truth = _truth(result)
    if np.unique(fold_of).size < 2:
        return None
    answered, right, size, covered = [], [], [], []
    for fold in np.unique(fold_of):
        other, here = fold_of != fold, fold_of == fold
        shares = probability[here]
        limits = _learnt(probability[other], truth[other], result.session[other])
        best = shares.argmax(axis=1)
        takes = shares.max(axis=1) >= limits.accept_from
        held = (shares >= limits.choose_from) | _marked(best, shares.shape[1])
        answered.append(takes)
        right.append((best == truth[here])[takes])
        size.append(held.sum(axis=1))
        covered.append((held & _marked(truth[here], shares.shape[1])).any(axis=1))
    given = np.concatenate(right)
    return Tried(
        answered=float(np.concatenate(answered).mean()),
        right=float(given.mean()) if given.size else 0.0,
        covered=float(np.concatenate(covered).mean()),
        set_size=float(np.concatenate(size).mean()),
        n_trials=int(truth.size),
    )


def _learnt(shares: Float64, truth: Int64, session: Strings) -> Acceptance:
    """Learn from (n, c) shares; truth  (n,) column, -1 for what is no column."""
    of_truth = np.where(truth >= 0, shares[np.arange(truth.size), truth], 0.0)
    # the finite-sample correction: the k-th smallest of n, or everything
    k = int(np.floor((truth.size + 1) * (1 - COVERAGE)))
    return Acceptance(
        accept_from=float(np.quantile(shares.max(axis=1), 1 - KNOWN_SHARE)),
        choose_from=float(np.sort(of_truth)[k - 1]) if k else 0.0,
        n_rows=int(truth.size),
        n_sessions=int(np.unique(session).size),
    )


def _truth(result: Result) -> Int64:
    """Return (n,) the column of what was true, -1 for what no fold knew."""
    at = {name: column for column, name in enumerate(result.answers.classes)}
    return np.array([at.get(str(name), -1) for name in result.truth], dtype=np.int64)


def _marked(column: Int64, n: int) -> NDArray[np.bool_]:
    """Return (k, n) bool: True at the column of each row, nowhere for -1."""
    return np.asarray(column[:, None] == np.arange(n))
