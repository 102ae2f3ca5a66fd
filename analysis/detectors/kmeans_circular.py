"""K-means as the paper might have had it: a day is a circle, a count a logarithm.

The number of centres is that of the best silhouette, and the boundary of a cluster
holds 95 % of its own hours.
"""

import warnings

import numpy as np

from analysis.detectors.circular import all_cells, cells, enough
from analysis.detectors.events import Name
from analysis.detectors.hours import Hours
from analysis.detectors.model import Detection, Detector, Float64

_CENTRES = (2, 3, 4)
_INSIDE = 0.95
_SMALLEST_RADIUS = 0.2  # about half an hour on the circle, or a fifth more events


class _Clusters:
    """Centres of (n, 3) points, and a radius for each."""

    def __init__(self, points: Float64, seed: int) -> None:
        from sklearn.cluster import KMeans
        from sklearn.metrics import silhouette_score

        n_places = len(np.unique(points, axis=0))
        best = -1.0
        own = np.zeros(len(points), dtype=int)
        self.centres: Float64 = points.mean(axis=0, keepdims=True)
        for n_centres in (n for n in _CENTRES if n < n_places):
            means = KMeans(n_centres, n_init=3, random_state=seed).fit(points)
            quality = float(silhouette_score(points, means.labels_))
            if quality > best:
                best, own = quality, means.labels_
                self.centres = np.asarray(means.cluster_centers_)
        distance = np.linalg.norm(points - self.centres[own], axis=1)
        self.radii = np.array(
            [
                max(_SMALLEST_RADIUS, float(np.quantile(distance[own == i], _INSIDE)))
                for i in range(len(self.centres))
            ]
        )

    def score(self, points: Float64) -> Float64:
        """Return (k,) distances in radii, to the centre that is nearest so."""
        apart = np.linalg.norm(points[:, None] - self.centres[None], axis=2)
        nearest: Float64 = (apart / self.radii).min(axis=1)
        return nearest


class KMeansCircular(Detection):
    """Clusters of each activity; activities with few hours share the household's.

    Score: distance to the nearest centre in radii. An hour is as strange as its
    strangest activity.
    """

    n_folds = 2  # it takes long to learn

    def __init__(self, seed: int = 0) -> None:
        super().__init__(seed)
        self.own_: dict[Name, _Clusters] = {}
        self.shared_: _Clusters | None = None

    def learn(self, hours: Hours) -> None:
        """Cluster the hours of each activity."""
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Number of distinct clusters")
            self.shared_ = _Clusters(all_cells(hours), self.seed)
            self.own_ = {}
            for column, name in enumerate(hours.names):
                points = cells(hours, column)[1]
                if enough(points):
                    self.own_[name] = _Clusters(points, self.seed)

    def explain(self, hours: Hours, row: int, column: int) -> str:
        """Say that it is far from the clusters."""
        return "far from the clusters of hours in which it usually happens"

    def score(self, hours: Hours) -> Float64:
        """Return (h, a) distances in radii, 0 without an event."""
        scores = np.zeros(hours.counts.shape)
        for column, name in enumerate(hours.names):
            rows, points = cells(hours, column)
            model = self.own_.get(name, self.shared_)
            if rows.size and model is not None:
                scores[rows, column] = model.score(points)
        return scores


DETECTORS = (
    Detector(name="kmeans_circular", title="K-means (circular)", make=KMeansCircular),
)
