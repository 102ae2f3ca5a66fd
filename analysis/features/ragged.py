"""Statistics of many groups of values at once, without a loop over the groups.

A ragged array is `values (n,)` with `offsets (k + 1,)`: group i is
values[offsets[i]:offsets[i + 1]]. Definitions are pinned: population variance, biased
skew, excess kurtosis, linear percentiles (the defaults of numpy and scipy).

An empty group has 0 for every statistic, and a group without spread (one value, or all
equal) has skew and kurtosis 0, where scipy says NaN: classifiers need finite numbers,
and the count of packets, which is a feature as well, tells the cases apart.
"""

import numpy as np

from analysis.features.model import Float64, Int64


def group_of(offsets: Int64) -> Int64:
    """Return (n,) int64: which group each value is in."""
    return np.repeat(np.arange(offsets.size - 1), np.diff(offsets))


def total(values: Float64, offsets: Int64) -> Float64:
    """Return (k,) float64: the sum of each group, 0 for an empty one."""
    k = offsets.size - 1
    return np.asarray(
        np.bincount(group_of(offsets), weights=values, minlength=k), dtype=np.float64
    )


def moments(values: Float64, offsets: Int64) -> Float64:
    """Return (k, 4) float64: mean, variance, skew, excess kurtosis of each group."""
    group, count = group_of(offsets), np.maximum(np.diff(offsets), 1)
    mean = total(values, offsets) / count
    centred = values - mean[group]
    second, third, fourth = (total(centred**p, offsets) / count for p in (2, 3, 4))
    # the same limit as scipy.stats.skew: below it, differences are rounding errors
    spread = second > (np.finfo(np.float64).eps * mean) ** 2
    safe = np.where(spread, second, 1.0)
    skew = np.where(spread, third / safe**1.5, 0.0)
    kurtosis = np.where(spread, fourth / safe**2 - 3.0, 0.0)
    return np.column_stack((mean, second, skew, kurtosis))


def percentiles(values: Float64, offsets: Int64, percent: Float64) -> Float64:
    """Return (k, p) float64: linear percentiles of each group.

    percent  (p,) float64, each within [0, 100]
    """
    count = np.diff(offsets)
    if values.size == 0:
        return np.zeros((count.size, percent.size))
    ordered = values[np.lexsort((values, group_of(offsets)))]
    rank = np.maximum(count - 1, 0)[:, None] * (percent / 100.0)
    below = np.floor(rank).astype(np.int64)
    above = np.minimum(below + 1, np.maximum(count - 1, 0)[:, None])
    first = np.minimum(offsets[:-1], values.size - 1)[:, None]
    last = values.size - 1
    low = ordered[np.minimum(first + below, last)]
    high = ordered[np.minimum(first + above, last)]
    return np.where(count[:, None] > 0, low + (high - low) * (rank - below), 0.0)


def gaps_s(time_ns: Int64, offsets: Int64) -> tuple[Float64, Int64]:
    """Return the seconds between neighbours of each group, as a ragged array."""
    if time_ns.size == 0:
        return np.zeros(0), offsets.copy()
    gaps = np.diff(time_ns) / 1e9
    count = np.diff(offsets)
    inner = np.ones(time_ns.size, dtype=bool)
    inner[offsets[:-1][count > 0]] = False  # the first packet has none before it
    shorter = np.concatenate(([0], np.cumsum(np.maximum(count - 1, 0))))
    return gaps[inner[1:]], shorter


def ends(values: Int64, offsets: Int64, empty: Int64) -> tuple[Int64, Int64]:
    """Return first and last value of each group; those of `empty` for an empty one."""
    if values.size == 0:
        return empty, empty
    filled = np.diff(offsets) > 0
    first = values[np.minimum(offsets[:-1], values.size - 1)]
    last = values[np.maximum(offsets[1:] - 1, 0)]
    return np.where(filled, first, empty), np.where(filled, last, empty)
