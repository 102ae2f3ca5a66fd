"""K-means on (hour of day, frequency in that hour), as in Figure 3 of the paper.

The paper clusters the owner's hours with two centres and draws a boundary, but does not
say which. Here a point is inside when it is no farther from its nearest centre than the
farthest training hour of that centre is. Known weaknesses are kept, because this is the
paper's method: 23:00 and 00:00 lie 23 hours apart, one hour counts as much as one
event, and hours without an event are no points at all.
"""

import numpy as np

from analysis.detectors.model import Detector, Float64

_CENTRES = 2
# A centre whose training hours are all alike still has a neighbourhood: one hour or
# one event away is inside.
_SMALLEST_RADIUS = 1.0


class KMeansPaper:
    """Two centres and a radius for each; see the module for what the paper says."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self.centres: Float64 = np.zeros((0, 2))
        self.radii: Float64 = np.zeros(0)

    def fit(self, x: Float64) -> "KMeansPaper":
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
        """Return the distance to the nearest centre in radii of that centre."""
        distance, own = self._nearest(x)
        return np.asarray(distance / self.radii[own])

    def _nearest(self, x: Float64) -> tuple[Float64, np.ndarray]:
        apart = np.linalg.norm(x[:, None, :] - self.centres[None, :, :], axis=2)
        return apart.min(axis=1), apart.argmin(axis=1)


DETECTORS = (Detector(name="kmeans_paper", title="K-means (paper)", make=KMeansPaper),)
