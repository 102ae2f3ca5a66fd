"""Step 2: how far an infrequent flow is from anything that several homes have shown.

`knn`      distance to the nearest flows of the m-th nearest home
`hdbscan`  distance to the nearest member of a cluster that m homes have in common
`dbscan`   likewise

One home alone can make nothing known, so whoever controls one home of the pool cannot
hide there what he does elsewhere.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.detectors.cadesh.flows import Float64, Int64
from analysis.errors import RequestError

METHODS = ("knn", "hdbscan", "dbscan")
_CHUNK = 4_096
_NEVER_ALONE = 2  # homes: who has one home must not make anything known by it
_CLUSTER = 15
_EPS_QUANTILE = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Flows that homes have shown.

    points  (k, f) scaled;  home  (k,) number of the home of each
    cluster (k,) number of the cluster, -1 for none; all 0 with `knn`
    least   homes that must have shown something
    """

    points: Float64
    home: Int64
    cluster: Int64
    least: int
    method: str

    def distance(
        self, x: Float64, spared: Int64 | None = None, without: int = -1
    ) -> Float64:
        """Return (n,) distances, larger for less known; without one home's flows.

        spared  (n,) how many homes fewer than `least` are enough; never one alone,
                unless `least` says so
        """
        homes = [h for h in np.unique(self.home).tolist() if h != without]
        if not len(x) or not homes:
            return np.full(len(x), np.inf)
        fewer = np.zeros(len(x), dtype=np.int64) if spared is None else spared
        asked = min(self.least, len(homes))
        least = np.maximum(asked - fewer, min(asked, _NEVER_ALONE))
        if self.method == "knn":
            each = [nearest(x, self.points[self.home == h]) for h in homes]
            ranked = np.sort(np.stack(each), axis=0)
            found: Float64 = ranked[least - 1, np.arange(len(x))]
            return found
        found = np.empty(len(x))
        for n in np.unique(least).tolist():
            found[least == n] = nearest(x[least == n], self._supported(without, n))
        return found

    def _supported(self, without: int, least: int) -> Float64:
        rows = (self.home != without) & (self.cluster >= 0)
        pairs = np.unique(np.column_stack((self.cluster, self.home))[rows], axis=0)
        numbers, homes = np.unique(pairs[:, 0], return_counts=True)
        shown = rows & np.isin(self.cluster, numbers[homes >= least])
        points: Float64 = self.points[shown]
        return points


def learn_known(
    points: Mapping[str, Float64], *, method: str = "knn", least: int = 2
) -> Known:
    """Learn from scaled flows of each home.

    Raises RequestError for a method that is not there.
    """
    if method not in METHODS:
        raise RequestError(f"{method!r} is no method; there are: {', '.join(METHODS)}")
    parts = list(points.values())
    every = np.vstack(parts)
    home = np.repeat(np.arange(len(parts)), [len(p) for p in parts])
    return Known(
        points=every,
        home=home,
        cluster=_clusters(every, method),
        least=least,
        method=method,
    )


def _clusters(x: Float64, method: str) -> Int64:
    if method == "knn" or len(x) <= _CLUSTER:
        return np.zeros(len(x), dtype=np.int64)
    if method == "hdbscan":
        from sklearn.cluster import HDBSCAN

        found = HDBSCAN(min_cluster_size=_CLUSTER, copy=True).fit_predict(x)
    else:
        from sklearn.cluster import DBSCAN
        from sklearn.neighbors import NearestNeighbors

        beside = NearestNeighbors(n_neighbors=6).fit(x).kneighbors(x)[0][:, -1]
        eps = max(float(np.quantile(beside, _EPS_QUANTILE)), 1e-6)
        found = DBSCAN(eps=eps, min_samples=5).fit_predict(x)
    return np.asarray(found, dtype=np.int64)


def nearest(x: Float64, points: Float64) -> Float64:
    """Return (n,) Euclidean distances to the nearest point; infinite without any."""
    if not len(points):
        return np.full(len(x), np.inf)
    squares = (points**2).sum(axis=1)
    found = np.empty(len(x))
    for begin in range(0, len(x), _CHUNK):
        part = x[begin : begin + _CHUNK]
        best = (squares - 2.0 * (part @ points.T)).min(axis=1)
        found[begin : begin + _CHUNK] = best + (part**2).sum(axis=1)
    return np.sqrt(np.maximum(found, 0.0))


def chosen(
    x: Float64, rows: Sequence[Int64], sizes: Sequence[int], rng: np.random.Generator
) -> Float64:
    """Return different rows of each group, at most so many, as points to compare with.

    Rows that are alike to a tenth of a spread count as one: thousands of equal flows
    must not push out the rare ones.
    """
    parts = []
    for group, size in zip(rows, sizes, strict=True):
        first = np.unique(np.round(x[group], 1), axis=0, return_index=True)[1]
        some = rng.permutation(group[first])[:size]
        parts.append(x[np.sort(some)])
    points: Float64 = np.vstack(parts)
    return points
