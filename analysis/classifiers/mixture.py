"""How much each of several classifiers is believed: weights of their probabilities.

Found on rows that none of them has learnt: each is first made neither too sure nor too
shy, then the weights under which the truth is likeliest are found by expectation and
maximisation, then the mean gets a temperature of its own. A prior of some rows keeps
few rows from deciding.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.classifiers.model import Float64
from analysis.classifiers.temperature import fit_temperature, tempered

Int64 = NDArray[np.int64]

_ROUNDS = 200
_PRIOR_ROWS = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixture:
    """What m classifiers are made one with.

    temperatures  (m,) float64, of each;  weights  (m,) float64, sum to 1
    temperature   of the mean
    """

    temperatures: Float64
    weights: Float64
    temperature: float


def fit_mixture(parts: Float64, truth: Int64, prior: Float64) -> Mixture:
    """Find temperatures and weights.

    parts  (m, k, c) float64, probabilities of k rows that were not learnt from
    truth  (k,) int64, column of the true class; rows with -1 are left out
    prior  (m,) float64, weights without a row; they sum to 1
    """
    rows = np.flatnonzero(truth >= 0)
    parts, truth = parts[:, rows], truth[rows]
    temperatures = np.array([fit_temperature(each, truth) for each in parts])
    weights = prior
    if rows.size:
        made = [tempered(p, t) for p, t in zip(parts, temperatures, strict=True)]
        right = np.stack([each[np.arange(rows.size), truth] for each in made])
        weights = _likeliest(np.maximum(right, 1e-9), prior)
    found = Mixture(temperatures=temperatures, weights=weights, temperature=1.0)
    last = fit_temperature(mixed(parts, found), truth)
    return Mixture(temperatures=temperatures, weights=weights, temperature=last)


def mixed(parts: Float64, mixture: Mixture) -> Float64:
    """Return (k, c) float64: the mean of (m, k, c) probabilities, rows sum to 1."""
    mean = np.zeros(parts.shape[1:])
    for each, own, weight in zip(
        parts, mixture.temperatures, mixture.weights, strict=True
    ):
        mean += weight * tempered(each, float(own))
    return tempered(mean, mixture.temperature)


def _likeliest(right: Float64, prior: Float64) -> Float64:
    """Return (m,) weights for (m, k) probabilities of the truth."""
    weights = np.maximum(prior, 1e-3)
    for _ in range(_ROUNDS):
        share = weights[:, None] * right
        share /= share.sum(axis=0)
        weights = share.sum(axis=1) + _PRIOR_ROWS * prior
        weights = weights / weights.sum()
    return weights
