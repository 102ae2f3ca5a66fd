"""Gaussian mixtures of hours on the circle of the day, one for each activity."""

from typing import Any

import numpy as np

from analysis.detectors.circular import all_cells, cells, enough
from analysis.detectors.events import Name
from analysis.detectors.hours import Hours
from analysis.detectors.model import Detection, Detector, Float64

_MOST_PARTS = 3
_ROWS_PER_PART = 8
_WIDTH = 0.02  # variance that each part has at least


class GaussianMixtures(Detection):
    """Surprise at the hour and the count of an activity.

    Score: -ln of the density of the activity's mixture, above that of its densest
    training hour. Activities with few hours share the household's. An hour is as
    strange as its strangest activity.
    """

    def __init__(self, seed: int = 0) -> None:
        super().__init__(seed)
        self.own_: dict[Name, tuple[Any, float]] = {}
        self.shared_: tuple[Any, float] | None = None

    def learn(self, hours: Hours) -> None:
        """Fit the mixtures."""
        self.shared_ = self._mixture(all_cells(hours))
        self.own_ = {}
        for column, name in enumerate(hours.names):
            points = cells(hours, column)[1]
            if enough(points):
                self.own_[name] = self._mixture(points)

    def score(self, hours: Hours) -> Float64:
        """Return (h, a) float64, 0 without an event."""
        scores = np.zeros(hours.counts.shape)
        for column, name in enumerate(hours.names):
            rows, points = cells(hours, column)
            model = self.own_.get(name, self.shared_)
            if rows.size and model is not None:
                mixture, densest = model
                scores[rows, column] = densest - mixture.score_samples(points)
        return np.maximum(scores, 0.0)

    def _mixture(self, points: Float64) -> tuple[Any, float]:
        from sklearn.mixture import GaussianMixture

        n_places = len(np.unique(points, axis=0))
        if len(points) == 1:
            points = np.repeat(points, 2, axis=0)
        n_parts = min(_MOST_PARTS, n_places, max(1, len(points) // _ROWS_PER_PART))
        mixture = GaussianMixture(
            n_parts, reg_covar=_WIDTH, random_state=self.seed, max_iter=200
        ).fit(points)
        return mixture, float(mixture.score_samples(points).max())


DETECTORS = (
    Detector(name="gaussian_mixture", title="Gaussian mixtures", make=GaussianMixtures),
)
