"""Names and order of the statistics that describe one distribution of values."""

import numpy as np

from analysis.features import ragged
from analysis.features.model import Direction, Feature, Float64, Int64

PERCENT = np.arange(10.0, 100.0, 10.0)


def describe(values: Float64, offsets: Int64) -> Float64:
    """Return (k, 13) float64 in the order of `names_of`."""
    return np.hstack(
        (
            ragged.moments(values, offsets),
            ragged.percentiles(values, offsets, PERCENT),
        )
    )


def names_of(what: str, unit: str) -> tuple[Feature, ...]:
    """Name the statistics of `what`, incoming, outgoing, both."""
    return tuple(
        Feature(name=f"{d}_{what}_{statistic}", unit=u)
        for d in Direction
        for statistic, u in (
            (f"mean_{unit}", unit),
            (f"variance_{unit}2", f"{unit}2"),
            ("skew", "1"),
            ("kurtosis", "1"),
            *((f"p{p:.0f}_{unit}", unit) for p in PERCENT),
        )
    )
