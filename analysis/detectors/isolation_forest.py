"""An isolation forest over the hours of a household: hour of day and all counts."""

from typing import Any

import numpy as np

from analysis.detectors.circular import circular
from analysis.detectors.events import Name
from analysis.detectors.hours import Hours
from analysis.detectors.model import Detection, Detector, Float64, columns_of

_TREES = 100


class IsolationForests(Detection):
    """How few cuts set an hour apart from the others in which something happened.

    Score: that of the hour above that of half of the training hours with events, from 0
    to 1, for each activity that happened in it; so the hour is as strange as any of
    them. All activities that were never learnt count as one.
    """

    def __init__(self, seed: int = 0) -> None:
        super().__init__(seed)
        self.names_: tuple[Name, ...] = ()
        self.forest_: Any = None
        self.middle_ = 0.0

    def learn(self, hours: Hours) -> None:
        """Grow the forest on hours with events, or on all where there are none."""
        from sklearn.ensemble import IsolationForest

        self.names_ = hours.names
        there = hours.total > 0
        rows = there if there.any() else np.ones(len(hours), dtype=bool)
        forest = IsolationForest(n_estimators=_TREES, random_state=self.seed, n_jobs=1)
        known = self._points(hours)[rows]
        self.forest_ = forest.fit(known)
        self.middle_ = float(np.median(-self.forest_.score_samples(known)))

    def score(self, hours: Hours) -> Float64:
        """Return (h, a) float64, 0 without an event."""
        scores = np.zeros(hours.counts.shape)
        rows = np.flatnonzero(hours.total)
        if rows.size:
            points = self._points(hours)[rows]
            strange = -self.forest_.score_samples(points) - self.middle_
            scores[rows] = np.maximum(strange, 0.0)[:, None] * (hours.counts[rows] > 0)
        return scores

    def _points(self, hours: Hours) -> Float64:
        counts = np.zeros((len(hours), len(self.names_) + 1))
        for column, at in enumerate(columns_of(hours.names, self.names_)):
            counts[:, at] += hours.counts[:, column]
        return np.hstack((circular(hours.hour, hours.total), np.log1p(counts)))


DETECTORS = (
    Detector(name="isolation_forest", title="isolation forest", make=IsolationForests),
)
