"""Usual detectors of outliers under the same contract, to stand beside ours.

They learn from the same flows of the same homes, and their limit is set in the same
way: on homes that they have not learnt from.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from analysis.detectors.cadesh.autoencoder import Scale
from analysis.detectors.cadesh.detector import Scored, peers
from analysis.detectors.cadesh.flows import Float64
from analysis.detectors.cadesh.rows import Rows
from analysis.errors import RequestError

Ask = Callable[[Float64], Float64]


def _isolation_forest(x: Float64, seed: int) -> Ask:
    from sklearn.ensemble import IsolationForest

    forest = IsolationForest(n_estimators=200, random_state=seed, n_jobs=1).fit(x)
    return lambda rows: -np.asarray(forest.score_samples(rows), dtype=np.float64)


def _pca(x: Float64, seed: int) -> Ask:
    from sklearn.decomposition import PCA

    pca = PCA(n_components=min(12, *x.shape), random_state=seed).fit(x)

    def ask(rows: Float64) -> Float64:
        drawn = pca.inverse_transform(pca.transform(rows))
        return np.asarray(((rows - drawn) ** 2).mean(axis=1), dtype=np.float64)

    return ask


def _lof(x: Float64, seed: int) -> Ask:
    from sklearn.neighbors import LocalOutlierFactor

    rng = np.random.default_rng(seed)
    some = np.unique(x[rng.permutation(len(x))[:8_000]], axis=0)
    lof = LocalOutlierFactor(n_neighbors=min(35, len(some) - 1), novelty=True)
    lof.fit(some)
    return lambda rows: -np.asarray(lof.score_samples(rows), dtype=np.float64)


def _big(x: Float64, seed: int) -> Ask:
    from analysis.detectors.cadesh.autoencoder import SklearnNetwork

    drawn_by = SklearnNetwork(seed, 12, shares=(3.0, 0.5, 3.0)).learn(x)
    return lambda rows: np.asarray(
        ((rows - drawn_by.redrawn(rows)) ** 2).mean(axis=1), dtype=np.float64
    )


ALTERNATIVES: Mapping[str, Callable[[Float64, int], Ask]] = {
    "isolation_forest": _isolation_forest,
    "pca": _pca,
    "lof": _lof,
    "big_autoencoder": _big,
}


@dataclass(slots=True)
class Alternative:
    """One of `ALTERNATIVES` over a pool of homes; above 1 is an alarm."""

    name: str
    seed: int = 0
    false_rate: float = 0.002
    sample: int = 5_000
    scale: Scale | None = None
    limit: float = np.inf
    ask: Ask = field(default=lambda rows: np.zeros(len(rows)))

    def fit(self, homes: Mapping[str, Rows]) -> "Alternative":
        """Learn what is usual. Raises RequestError where no home has a flow."""
        homes = peers(homes)
        rng = np.random.default_rng(self.seed)
        samples = {
            name: rows.x[rng.permutation(len(rows))[: self.sample]]
            for name, rows in homes.items()
        }
        scale = Scale.of(np.vstack(list(samples.values())))
        make = ALTERNATIVES[self.name]
        names = list(homes)
        halves = (names[::2], names[1::2]) if len(names) > 1 else (names, names)
        limits = []
        for learnt, asked in (halves, halves[::-1]):
            ask = make(scale(np.vstack([samples[n] for n in learnt])), self.seed)
            limits += [self._limit(ask(scale(samples[n]))) for n in asked]
        self.limit = max(1e-9, float(np.median(limits)))
        self.scale = scale
        self.ask = make(scale(np.vstack(list(samples.values()))), self.seed)
        return self

    def score(self, rows: Rows) -> Scored:
        """Return the scores of a home's flows."""
        if self.scale is None:
            raise RequestError("the detector has learnt nothing; train it first")
        error = self.ask(self.scale(rows.x)) if len(rows) else np.zeros(0)
        score = error / self.limit
        return Scored(score=score, error=error, infrequent=score > 1.0)

    def _limit(self, strange: Float64) -> float:
        return float(np.quantile(strange, 1.0 - self.false_rate))


def alternative(name: str, **choices: Any) -> Alternative:
    """Return an alternative by its name. Raises RequestError."""
    if name not in ALTERNATIVES:
        raise RequestError(f"{name!r} is none of: {', '.join(ALTERNATIVES)}")
    return Alternative(name, **choices)
