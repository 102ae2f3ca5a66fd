"""How sizes are distributed, as vectors whose distance is that of the distributions.

Cumulated shares, weighted by the steps between sizes, lie as far apart as the energy
distance of the two distributions: near sizes count as nearly the same. Plain shares of
exact sizes lie apart wherever sizes are others, however near: what always has 97 bytes
and now has 98 is another message.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.compare.exchange import Vectors, ranked, shares_of
from analysis.compare.model import Bool, Float64, Int64

Value = NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Vectors (k, d) of windows, wholly NaN where one says nothing.

    scale  (d,) by which columns are larger than shares or ranks; None for plain shares
    """

    rows: Float64
    scale: Float64 | None = None

    def apart(self, in_b: Bool) -> float:
        """Return how far the campaigns' means lie apart, 0 to 1.

        Of plain shares, how many are others; else the largest difference.
        """
        known = ~np.isnan(self.rows).any(axis=1)
        sides = [self.rows[known & (in_b == b)] for b in (False, True)]
        if not all(map(len, sides)) or not self.rows.shape[1]:
            return 0.0
        less = np.abs(sides[1].mean(axis=0) - sides[0].mean(axis=0))
        if self.scale is None:
            return float(less.sum() / 4)  # of two ways; each share is missed twice
        return float((less / self.scale).max())


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Shares (u, c) of what each of u units has seen, n (u,) times, and its vectors."""

    shares: Float64
    n: Float64
    vectors: Vectors

    def apart(self, in_b: Bool) -> float:
        """Return the share of what was seen that is another in B than in A, 0 to 1."""
        sides = [self.shares[(self.n > 0) & (in_b == b)] for b in (False, True)]
        if not all(map(len, sides)):
            return 0.0
        return float(np.abs(sides[1].mean(axis=0) - sides[0].mean(axis=0)).sum() / 2)


def spread(lengths: NDArray[np.int32]) -> Shape:
    """Return cumulated shares of the lengths of frames; lengths (2, k, longest + 1)."""
    parts, steps = [], []
    for way in lengths:
        seen = np.flatnonzero(way.any(axis=0))
        steps.append(np.sqrt(np.diff(seen)))
        parts.append(np.cumsum(_share(way[:, seen]), axis=1)[:, :-1] * steps[-1])
    return Shape(rows=_joined(parts, lengths), scale=np.concatenate(steps))


def exact(lengths: NDArray[np.int32]) -> Shape:
    """Return shares of each length of frames."""
    parts = [_share(way[:, way.any(axis=0)]) for way in lengths]
    return Shape(rows=_joined(parts, lengths))


def first_ranks(first: Float64) -> Shape:
    """Return ranks of the lengths of the first frames; (k, n) with NaN for none."""
    rows = np.nan_to_num(ranked(first))
    rows[np.isnan(first).all(axis=1)] = np.nan
    return Shape(rows=rows, scale=np.ones(rows.shape[1]))


def counted(
    parts: Sequence[tuple[Int64, Value, Int64]],
    n_units: int,
    *,
    ordered: bool,
    seed: int = 0,
) -> Counts:
    """Return what units have seen, from (unit, value, how often) of both campaigns.

    Units that have seen more than is usual in the campaign that has seen less are drawn
    from, for the same reason as in `evened`.
    """
    unit, value, often = (np.concatenate(c) for c in zip(*parts, strict=True))
    names, column = np.unique(value, return_inverse=True)
    whole = np.zeros((n_units, max(names.size, 1)), np.int64)
    np.add.at(whole, (unit, column), often)
    usual = [np.median(np.bincount(u, weights=o)[np.unique(u)]) for u, _v, o in parts]
    counts = _thinned(whole, int(min(usual)), seed)
    n = counts.sum(axis=1)
    shares = counts / np.maximum(n, 1)[:, None]
    rows = np.cumsum(shares, axis=1) if ordered else shares
    held = n > 0
    scatter = (
        (rows * (1 - rows)).sum(axis=1) if ordered else 1 - (shares**2).sum(axis=1)
    )
    noise = float((scatter[held] / n[held]).mean()) if held.any() else 0.0
    return Counts(shares=shares, n=n, vectors=shares_of(rows, n, max(noise, 0.0)))


def _thinned(counts: Int64, most: int, seed: int) -> Float64:
    """Draw from rows with more than so many, without returning."""
    rng = np.random.default_rng(seed)
    made = counts.copy()
    for row in np.flatnonzero(counts.sum(axis=1) > most).tolist():
        made[row] = rng.multivariate_hypergeometric(
            counts[row], most, method="marginals"
        )
    return made.astype(np.float64)


def _share(counts: NDArray[np.int32]) -> Float64:
    total = counts.sum(axis=1, keepdims=True)
    return np.asarray(counts / np.maximum(total, 1), dtype=np.float64)


def _joined(parts: Sequence[Float64], lengths: NDArray[np.int32]) -> Float64:
    rows = np.concatenate(parts, axis=1)
    rows[~lengths.any(axis=(0, 2))] = np.nan
    return rows
