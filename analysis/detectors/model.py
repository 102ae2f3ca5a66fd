"""What a detector is: it learns what is usual, then says how strange each hour is."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from analysis.detectors.conformal import Usual
from analysis.detectors.events import Name
from analysis.detectors.hours import HOUR_NS, Hours
from analysis.errors import RequestError
from analysis.features.model import Int64

Float64 = NDArray[np.float64]

# One usual hour in five days is above a threshold. Nights are quiet, and p-values no
# smaller than they should be: in weeks to come about one a week is.
HOURS_PER_ALARM = 120


class Detection(ABC):
    """A detector that can learn and score, with the conventions of scikit-learn.

    Higher scores are stranger; `decision_function` is negative and `predict` is -1
    where an hour is stranger than all but one usual hour in five days. What is usual is
    told by training days of which each was scored by a copy that had not learnt from
    it.

    n_folds  parts of the training days, each scored by what the others teach; with 1,
             the training hours are scored by the detector that knows them
    unit     difference of scores below which hours are equally strange: 1 where they
             are logarithms of chances, 0 where nobody knows
    reach_ns how long before an hour the events lie on which its score depends
    """

    n_folds: ClassVar[int] = 4
    unit: ClassVar[float] = 0.0
    reach_ns: ClassVar[int] = HOUR_NS

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed
        self.usual_: Float64 = np.zeros(0)  # scores of usual hours, in order of time
        self.offset_ = 0.0

    @abstractmethod
    def learn(self, hours: Hours) -> None:
        """Learn what is usual from hours without an intruder; they may have gaps."""

    @abstractmethod
    def score(self, hours: Hours) -> Float64:
        """Return (h, a) float64, finite, at least 0; 0 where nothing happened.

        Scoring does not learn. Activities that were never learnt are allowed.
        """

    def hour_scores(self, hours: Hours) -> Float64:
        """Return (h,) float64: the strangest activity of each hour."""
        return self.judge(hours)[1]

    def judge(self, hours: Hours, first: int = 0) -> tuple[Float64, Float64]:
        """Return `score` and `hour_scores` of the rows from `first` on.

        What lies before them is the past, of which no more is looked at than needed.
        """
        cells = self.latest(hours, first)
        strangest: Float64 = cells.max(axis=1, initial=0.0)
        return cells, strangest

    def latest(self, hours: Hours, first: int) -> Float64:
        """Return (h - first, a): `score` of the rows from `first` on."""
        if first <= 0 or first >= len(hours):
            return self.score(hours)[first:]
        near = hours.start_ns >= hours.start_ns[first] - self.reach_ns
        return self.score(hours.take(near))[first - len(hours) :]

    def fit(self, hours: Hours) -> Self:
        """Learn, and set the threshold from what is usual.

        Raises RequestError where there is not a single hour to learn from.
        """
        if not len(hours):
            raise RequestError("there is no hour to learn from; give a longer stretch")
        self.usual_ = self._held_out(hours)
        self.learn(hours)
        if not self.usual_.size:
            self.usual_ = self.hour_scores(hours)
        self.offset_ = -self.threshold()
        return self

    def threshold(self) -> float:
        """Return the score above which an hour is strange; after `fit`."""
        return self.usual().threshold(1 / HOURS_PER_ALARM)

    def usual(self) -> Usual:
        """Return what is usual, which turns scores into p-values; after `fit`."""
        return Usual.of(self.usual_, self.unit)

    def p_values(self, scores: Float64) -> Float64:
        """Return how often a usual hour has such a score or more; after `fit`."""
        return self.usual().tail_p_values(scores)

    def explain(self, hours: Hours, row: int, column: int) -> str:
        """Say in words why an activity (column) of an hour (row) is strange."""
        return "farther from what is usual than other hours are"

    def decision_function(self, hours: Hours) -> Float64:
        """Return (h,) float64, negative where an hour is strange."""
        return -self.hour_scores(hours) - self.offset_

    def predict(self, hours: Hours) -> Int64:
        """Return (h,) int64: -1 strange, +1 usual."""
        return np.where(self.decision_function(hours) < 0, -1, 1).astype(np.int64)

    def _held_out(self, hours: Hours) -> Float64:
        """Return (h,) scores of days that were left out; empty with too few days."""
        folds = day_folds(hours, self.n_folds)
        scores = np.zeros(len(hours))
        if folds.max(initial=0) == 0:
            return np.zeros(0)
        for fold in range(int(folds.max()) + 1):
            other = type(self)(self.seed)
            other.learn(hours.take(folds != fold))
            out = np.flatnonzero(folds == fold)
            known = hours.take(np.arange(len(hours)) <= out[-1])
            scores[out] = other.judge(known, int(out[0]))[1]
        return scores


def day_folds(hours: Hours, n_folds: int) -> Int64:
    """Return (h,) int64: stretches of whole days of about the same length, from 0."""
    days, of_day = np.unique(hours.day, return_inverse=True)
    n = min(n_folds, days.size)
    return np.asarray(of_day * n // max(1, days.size), dtype=np.int64)


def columns_of(names: tuple[Name, ...], known: tuple[Name, ...]) -> Int64:
    """Return for each of `names` its index in `known`, -1 where it is not there."""
    at = {name: i for i, name in enumerate(known)}
    return np.array([at.get(name, -1) for name in names], dtype=np.int64)


def strangest(hours: Hours, per_event: Float64) -> Float64:
    """Return (h, a) float64: the largest value among the events of each cell, or 0."""
    scores = np.zeros(hours.counts.shape)
    np.maximum.at(scores, (hours.row, hours.events.what), per_event)
    return scores


@dataclass(frozen=True, slots=True, kw_only=True)
class Detector:
    """A way to notice strange behaviour.

    name   what people ask for;  title  what pictures show
    make   seed -> a fresh detector; the same seed gives the same scores
    """

    name: str
    title: str
    make: Callable[[int], Detection]
