"""How large a difference is, and which one could have been found."""

from math import sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from analysis.compare.model import Effect, Float64, Text

_DRAWS = 1000
_POWER = 0.8


def effect_of(
    a: Float64,
    b: Float64,
    sessions: tuple[Text, Text] | None,
    seed: int,
    *,
    with_interval: bool = True,
) -> Effect:
    """Return the effect from values of A to those of B; NaN are left out.

    sessions  of the values, where these are drawn as a whole for the interval
    """
    known_a, known_b = ~np.isnan(a), ~np.isnan(b)
    if sessions is not None:
        sessions = sessions[0][known_a], sessions[1][known_b]
    a, b = a[known_a], b[known_b]
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
        low, high = _interval(a, b, sessions, seed)
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


def detectable(n_a: int, n_b: int, critical: float) -> float | None:
    """Return the Cliff's delta that is found in 80 of 100 (Noether 1987).

    None where n_a and n_b are so few that none can be, however large.

    critical  |z| that reports drift
    """
    scale = sqrt(12 * n_a * n_b / (n_a + n_b + 1))
    if critical >= scale / 2 or not scale:  # z of samples that do not overlap
        return None
    delta = 2 * (critical + NormalDist().inv_cdf(_POWER)) / scale
    return min(delta, 1.0)


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _ratio(one: float, two: float) -> float | None:
    both = one > 0 and np.isfinite(one) and np.isfinite(two)
    return two / one if both else None


def _interval(
    a: Float64, b: Float64, sessions: tuple[Text, Text] | None, seed: int
) -> tuple[float | None, float | None]:
    """Return the central 95 % of the ratio of medians, drawn anew with returning."""
    rng = np.random.default_rng(seed)
    if sessions is None:
        one, two = (_medians(each, rng) for each in (a, b))
    else:
        one = _medians_of_sessions(a, sessions[0], rng)
        two = _medians_of_sessions(b, sessions[1], rng)
    usable = (one > 0) & np.isfinite(one) & np.isfinite(two)
    if not usable.any():
        return None, None
    low, high = np.quantile(two[usable] / one[usable], [0.025, 0.975])
    return float(low), float(high)


def _medians(values: Float64, rng: np.random.Generator) -> Float64:
    rows = rng.integers(values.size, size=(_DRAWS, values.size))
    return np.asarray(np.median(values[rows], axis=1))


def _medians_of_sessions(
    values: Float64, session: Text, rng: np.random.Generator
) -> Float64:
    names, number = np.unique(session, return_inverse=True)
    groups: list[NDArray[np.float64]] = [values[number == k] for k in range(names.size)]
    chosen = rng.integers(names.size, size=(_DRAWS, names.size))
    return np.array([np.median(np.concatenate([groups[k] for k in r])) for r in chosen])
