"""How little a window is like what was learnt of the activity that it is taken for.

For each feature, the density of an activity's windows is estimated by kernels, and a
window gets the share of learnt windows that lie nowhere denser (the level of its
highest density region, Hyndman 1996). The negative logarithms of these shares are
averaged over features (as Fisher 1932 joins tests), each by how much it helps to tell
the known activities apart (Breiman 2001): a feature that does not tell these will
hardly tell an unknown one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from analysis.classifiers.model import Float64, Labels

Int64 = NDArray[np.int64]

_FEATURES = 16  # that are looked at, the most telling ones
_TREES = 60
_LOOKED_AT = 0.3  # of the features at each threshold
_IN_LEAF = 3  # windows
_SHARPENED = 1.5  # power of weights: noise gets a little of a forest's importance
_WINDOWS = 64  # per activity that are kept, evenly spread over each feature's order
_NARROWEST = 0.002  # of a feature's spread over all activities, to each kernel
_DIGITS = 6  # of values after the point, the same in memory and in a file
_BLOCK = 1024  # windows that are looked at together


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """Windows of one activity: values and densities there (n, m), widths (m,)."""

    values: Float64
    widths: Float64
    densities: Float64

    @classmethod
    def of(cls, values: Float64, widths: Float64) -> Self:
        found = np.sort(_density(values, values, widths), axis=0)
        return cls(values=values, widths=widths, densities=found)

    def surprise(self, z: Float64) -> Float64:
        """Return (k, m): -log of the share of windows that lie nowhere denser."""
        n = self.values.shape[0]
        # so that a window which was learnt is no denser than itself
        there = _density(z, self.values, self.widths) * (1 + 1e-9) + 1e-12
        found = np.empty_like(there)
        for j in range(there.shape[1]):
            found[:, j] = np.searchsorted(self.densities[:, j], there[:, j], "right")
        surprise: Float64 = -np.log((found + 1.0) / (n + 1.0))
        return surprise


@dataclass(frozen=True, slots=True, kw_only=True)
class Novelty:
    """The features of each activity, as far as they tell activities apart.

    classes  names, in the order of a classifier's columns
    columns  (m,) int64 of x that are looked at;  weights  (m,) of these, sum 1
    known    per class
    """

    classes: tuple[str, ...]
    columns: Int64
    weights: Float64
    known: tuple[_Known, ...]

    @classmethod
    def learn(cls, x: Float64, y: Labels, classes: Sequence[str]) -> Self:
        """Note which values the windows of each activity have.

        x  (k, f) float64, statistics;  y  (k,) str, of which all are in `classes`
        """
        z, names = _even(x), np.asarray(y)
        weights = _telling(z, names)
        columns = np.argsort(-weights, kind="stable")[:_FEATURES]
        columns = np.sort(columns[weights[columns] > 0.0])
        chosen = weights[columns] / max(weights[columns].sum(), 1e-12)
        z = z[:, columns]
        spread = z.std(axis=0)
        return cls(
            classes=tuple(str(name) for name in classes),
            columns=columns,
            weights=np.round(chosen, _DIGITS),
            known=tuple(_known(z[names == name], spread) for name in classes),
        )

    def of(self, x: Float64, column: Int64) -> Float64:
        """Return (k,) float64, 0 or more: how little windows are like their activity.

        x       (k, f) float64, statistics
        column  (k,) int64, the class that each window is taken for
        """
        found = np.zeros(len(x))
        z = _even(x[:, self.columns])
        for each in np.unique(column):
            rows = np.flatnonzero(column == each)
            for at in range(0, rows.size, _BLOCK):
                part = rows[at : at + _BLOCK]
                found[part] = self.known[each].surprise(z[part]) @ self.weights
        return found

    def record(self) -> dict[str, Any]:
        """Return values that JSON knows."""
        return {
            "columns": self.columns.tolist(),
            "weights": self.weights.tolist(),
            "values": {
                name: each.values.T.tolist()
                for name, each in zip(self.classes, self.known, strict=True)
            },
            "widths": {
                name: each.widths.tolist()
                for name, each in zip(self.classes, self.known, strict=True)
            },
        }

    @classmethod
    def of_record(cls, record: Mapping[str, Any], classes: Sequence[str]) -> Self:
        """Return what `record` told of. Raises KeyError, TypeError, ValueError."""
        columns = np.asarray(record["columns"], dtype=np.int64)
        weights = np.asarray(record["weights"], dtype=np.float64)
        if not ((weights >= 0.0) & (weights <= 1.0)).all():
            raise ValueError("has weights that are no shares")
        known = []
        for name in classes:
            values = np.asarray(record["values"][name], dtype=np.float64)
            widths = np.asarray(record["widths"][name], dtype=np.float64)
            if not (columns.size == widths.size == weights.size == len(values)):
                raise ValueError("has values of other features")
            known_width = np.isfinite(widths) & (widths > 0.0)
            if not (np.isfinite(values).all() and known_width.all()):
                raise ValueError("has values or widths that no window has")
            known.append(
                _Known.of(
                    values.reshape(len(values), -1 if values.size else 0).T, widths
                )
            )
        if (columns < 0).any() or set(record["values"]) != set(classes):
            raise ValueError("has values of other activities or features")
        return cls(
            classes=tuple(classes), columns=columns, weights=weights, known=tuple(known)
        )


def _even(x: Float64) -> Float64:
    """Return values on a scale of orders of magnitude, below 1 nearly as they are."""
    z: Float64 = np.round(np.sign(x) * np.log1p(np.abs(x)), _DIGITS)
    return z


def _telling(z: Float64, y: Labels) -> Float64:
    """Return (f,) float64: how much each feature helps to tell activities apart."""
    from sklearn.ensemble import RandomForestClassifier

    forest = RandomForestClassifier(
        n_estimators=_TREES,
        max_features=_LOOKED_AT,
        min_samples_leaf=_IN_LEAF,
        random_state=0,
        n_jobs=1,
    )
    found: Float64 = forest.fit(z, y).feature_importances_ ** _SHARPENED
    return found


def _known(z: Float64, spread: Float64) -> _Known:
    """Keep some windows of one activity, and the kernel that suits each feature.

    z  (n, m) float64, of the windows;  spread  (m,) over all activities
    """
    n = z.shape[0]
    if not n:
        return _Known.of(z, np.ones(z.shape[1]))
    ranked = np.sort(z, axis=0)
    quarter = np.subtract(*np.quantile(ranked, (0.75, 0.25), axis=0)) / 1.349
    deviation = ranked.std(axis=0)
    width = np.where(quarter > 0.0, np.minimum(quarter, deviation), deviation)
    width = np.maximum(width, _NARROWEST * spread + 1e-9)
    kept = ranked
    if n > _WINDOWS:
        kept = ranked[np.linspace(0, n - 1, _WINDOWS).round().astype(np.int64)]
    return _Known.of(kept, 1.06 * width * n**-0.2)  # Silverman 1986


def _density(z: Float64, values: Float64, widths: Float64) -> Float64:
    """Return (k, m): how many of n values are near, by Gaussian kernels."""
    found = np.zeros(z.shape)
    for j in range(z.shape[1]):
        away = (z[:, j, None] - values[None, :, j]) / widths[j]
        found[:, j] = np.exp(-0.5 * away**2).sum(axis=1)
    return found
