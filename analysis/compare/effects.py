"""How large a difference is, and which one could have been found."""

from math import sqrt
from statistics import NormalDist

import numpy as np

from analysis.compare.exchange import Vectors
from analysis.compare.model import Bool, Effect, Float64, Int64

_DRAWS = 1000
_POWER = 0.8
_WIDTH = 1e-9


def effect_of(
    values: tuple[Float64, Float64],
    units: tuple[Int64, Int64],
    seed: int,
    *,
    with_interval: bool = True,
) -> Effect:
    """Return the effect from values of A to those of B; NaN are left out.

    units  of the values, which are drawn as a whole for the interval
    """
    known = [~np.isnan(each) for each in values]
    a, b = (each[rows] for each, rows in zip(values, known, strict=True))
    days = [each[rows] for each, rows in zip(units, known, strict=True)]
    if not a.size or not b.size:
        return Effect(
            median_a=None,
            median_b=None,
            ratio=None,
            ratio_low=None,
            ratio_high=None,
            delta=0.0,
        )
    one, two = float(np.median(a)), float(np.median(b))
    low, high = None, None
    ratio = _ratio(one, two)
    if ratio is not None and with_interval:
        low, high = _interval((a, b), (days[0], days[1]), seed)
    return Effect(
        median_a=_finite(one),
        median_b=_finite(two),
        ratio=ratio,
        ratio_low=low,
        ratio_high=high,
        delta=cliffs_delta(a, b),
    )


def cliffs_delta(a: Float64, b: Float64) -> float:
    """Return the share of pairs in which b is larger less that in which a is."""
    ordered = np.sort(a)
    below = np.searchsorted(ordered, b, side="left").sum()
    above = (a.size - np.searchsorted(ordered, b, side="right")).sum()
    return float((below - above) / (a.size * b.size))


def detectable(vectors: Vectors, in_b: Bool, critical: float) -> float | None:
    """Return the difference of means that is found in 80 of 100 such comparisons.

    Of ranks, that is Cliff's delta; of shares, their difference. None where not even
    the largest would be. Units are taken to scatter as they do here, and t as Johnson
    and Welch (1940) have it where the campaigns differ.

    critical  score that reports drift
    """
    n_b = float(in_b.sum())
    n_a, freedom = in_b.size - n_b, in_b.size - 2
    sums = float(in_b @ vectors.gram @ in_b)
    within = float(np.trace(vectors.gram)) - sums * (1 / n_a + 1 / n_b)
    variance = max(within / freedom, vectors.noise)
    if variance <= 0:  # the same on all days: any other value would have been found
        return 0.0
    bar = sqrt(critical)
    more = NormalDist().inv_cdf(_POWER) * sqrt(1 + critical / (2 * freedom))
    delta = (bar + more) * sqrt(variance * (1 / n_a + 1 / n_b))
    return delta if delta <= 1 else None


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _ratio(one: float, two: float) -> float | None:
    both = one > 0 and np.isfinite(one) and np.isfinite(two)
    return two / one if both else None


def _interval(
    values: tuple[Float64, Float64], units: tuple[Int64, Int64], seed: int
) -> tuple[float | None, float | None]:
    """Return the central 95 % of the ratio of medians, units drawn with returning.

    None where a campaign has one unit, and where all give the same: nobody can say how
    days differ.
    """
    if any(np.unique(each).size < 2 for each in units):
        return None, None
    rng = np.random.default_rng(seed)
    one, two = (_medians(v, u, rng) for v, u in zip(values, units, strict=True))
    usable = (one > 0) & np.isfinite(one) & np.isfinite(two)
    if not usable.any():
        return None, None
    low, high = np.quantile(two[usable] / one[usable], [0.025, 0.975])
    if high - low < _WIDTH * abs(high):
        return None, None  # the same on these few days, which is no certainty
    return float(low), float(high)


def _medians(values: Float64, unit: Int64, rng: np.random.Generator) -> Float64:
    names, number = np.unique(unit, return_inverse=True)
    groups: list[Float64] = [values[number == k] for k in range(names.size)]
    drawn = rng.integers(names.size, size=(_DRAWS, names.size))
    return np.array([np.median(np.concatenate([groups[k] for k in r])) for r in drawn])
