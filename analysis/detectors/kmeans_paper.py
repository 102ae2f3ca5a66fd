"""K-means on (hour of day, frequency in that hour), as in Figure 3 of the paper.

The paper clusters the owner's hours of one activity with two centres and draws a
boundary, but does not say which. Here a point is inside when it is no farther from its
nearest centre than the farthest training hour of that centre is. Known weaknesses are
kept, because this is the paper's method: 23:00 and 00:00 lie 23 hours apart, one hour
counts as much as one event, and hours without an event are no points at all.
"""

import numpy as np

from analysis.detectors.events import Name
from analysis.detectors.hours import Hours
from analysis.detectors.model import Detection, Detector, Float64

_CENTRES = 2
# A centre whose training hours are all alike still has a neighbourhood: one hour or
# one event away is inside.
_SMALLEST_RADIUS = 1.0


class Clusters:
    """Two centres of (n, 2) points (hour of day, events), and a radius for each."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self.centres: Float64 = np.zeros((0, 2))
        self.radii: Float64 = np.zeros(0)

    def fit(self, x: Float64) -> "Clusters":
        """Learn centres and radii from (n, 2) hours; one centre if all are alike."""
        from sklearn.cluster import KMeans

        n_centres = min(_CENTRES, len(np.unique(x, axis=0)))
        means = KMeans(n_centres, n_init=10, random_state=self._seed).fit(x)
        self.centres = np.asarray(means.cluster_centers_)
        distance, own = self._nearest(x)
        self.radii = np.full(n_centres, _SMALLEST_RADIUS)
        np.maximum.at(self.radii, own, distance)
        return self

    def score(self, x: Float64) -> Float64:
        """Return the distance to the nearest centre in radii of that centre.

        A point above 1 lies outside.
        """
        distance, own = self._nearest(x)
        return np.asarray(distance / self.radii[own])

    def _nearest(self, x: Float64) -> tuple[Float64, np.ndarray]:
        apart = np.linalg.norm(x[:, None, :] - self.centres[None, :, :], axis=2)
        return apart.min(axis=1), apart.argmin(axis=1)


class KMeansPaper(Detection):
    """The clusters of the paper, for each activity its own.

    Score: distance to the nearest centre in radii; hours in which the activity did not
    happen are no points and get 0. An hour is as strange as its strangest activity.
    An activity that never happened in training has no clusters, and the paper no word
    on it: it gets 0 as well.
    """

    n_folds = 1  # the paper draws its boundary around the very hours it learns from

    def __init__(self, seed: int = 0) -> None:
        super().__init__(seed)
        self.clusters_: dict[Name, Clusters] = {}

    def learn(self, hours: Hours) -> None:
        """Cluster the hours of each activity that happens at all."""
        self.clusters_ = {}
        for column, name in enumerate(hours.names):
            there = hours.counts[:, column] > 0
            if there.any():
                self.clusters_[name] = Clusters(self.seed).fit(
                    points(hours, column, there)
                )

    def threshold(self) -> float:
        """Return 1: the boundary of a cluster."""
        return 1.0

    def explain(self, hours: Hours, row: int, column: int) -> str:
        """Say that it is far from the clusters."""
        return "far from the clusters of hours in which it usually happens"

    def score(self, hours: Hours) -> Float64:
        """Return (h, a) distances in radii, 0 without an event."""
        scores = np.zeros(hours.counts.shape)
        for column, name in enumerate(hours.names):
            there = hours.counts[:, column] > 0
            found = self.clusters_.get(name)
            if found is not None and there.any():
                scores[there, column] = found.score(points(hours, column, there))
        return scores


def points(hours: Hours, column: int, there: np.ndarray) -> Float64:
    """Return (k, 2) float64: hour of day, events of one activity in that hour."""
    found = np.column_stack((hours.hour[there], hours.counts[there, column]))
    return found.astype(np.float64)


DETECTORS = (Detector(name="kmeans_paper", title="K-means (paper)", make=KMeansPaper),)
