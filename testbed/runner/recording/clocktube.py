"""Between which bounds one clock's offset from another lies, while neither is stepped.

Each measurement says that at one instant the offset lay in an interval. A clock runs at
a rate that hardly changes, so what was known at one instant holds a little wider at
those near it: all measurements together make a tube along a straight line, and the
offset is inside it. The narrowest places come from the shortest round trips.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

WANDER = 20e-6  # by how much a clock's rate changes: 10 K on a cheap crystal, twice
FASTEST = 500e-6  # no oscillator is worse, and NTP does not slew any faster
_APART_NS = 5e9  # between measurements nearer than this, noise looks like a rate
_LAGS = (1, 2, 3, 5, 8, 13)
_SURE = 64  # measurements at each end that the rate is taken from


@dataclass(frozen=True, slots=True, eq=False)
class Bounds:
    """Bounds of an offset at instants, all less some whole number of ns.

    at_ns       (n,) float64, not decreasing
    low_ns, high_ns  (n,) float64; -inf where nothing bounds it from below
    """

    at_ns: Floats
    low_ns: Floats
    high_ns: Floats

    def __len__(self) -> int:
        return self.at_ns.size

    def of(self, rows: NDArray[np.int64] | NDArray[np.bool_] | slice) -> "Bounds":
        """Return the chosen ones."""
        return Bounds(self.at_ns[rows], self.low_ns[rows], self.high_ns[rows])

    def joined(self, other: "Bounds") -> "Bounds":
        """Return both, in order of time."""
        at_ns = np.concatenate((self.at_ns, other.at_ns))
        order = np.argsort(at_ns, kind="stable")
        return Bounds(
            at_ns[order],
            np.concatenate((self.low_ns, other.low_ns))[order],
            np.concatenate((self.high_ns, other.high_ns))[order],
        )


@dataclass(frozen=True, slots=True, eq=False)
class Tube:
    """Bounds at instants, and a line along which they hold between them.

    knots   the bounds, less the line, each as narrow as all the others make it
    rate    slope of the line, ns per ns
    wander  by how much the true rate may differ from it
    """

    knots: Bounds
    rate: float
    wander: float

    def at(self, at_ns: float) -> tuple[float, float]:
        """Return lowest and highest possible offset at an instant."""
        knots = self.knots
        right = int(np.searchsorted(knots.at_ns, at_ns))
        near = [k for k in (right - 1, right) if 0 <= k < len(knots)]
        apart = [abs(float(knots.at_ns[k]) - at_ns) * self.wander for k in near]
        low = max(float(knots.low_ns[k]) - a for k, a in zip(near, apart, strict=True))
        high = min(
            float(knots.high_ns[k]) + a for k, a in zip(near, apart, strict=True)
        )
        line = self.rate * at_ns
        return line + min(low, high), line + max(low, high)


def tube_of(measured: Bounds, hints: Bounds | None = None) -> Tube:
    """Return the tube that measurements support, n >= 1, bounded on both sides.

    hints  bounds from elsewhere; they make it narrower and say nothing of the rate
    """
    rate, unsure = _rate(measured)
    usual = WANDER if unsure < FASTEST else 0.0
    wander = max(usual, 2 * _contradiction(measured, rate)) + unsure
    every = measured if hints is None else measured.joined(hints)
    return Tube(_narrowed(every, rate, wander), rate, wander)


def _rate(measured: Bounds) -> tuple[float, float]:
    """Return the mean rate, and by how much it may be wrong."""
    half = len(measured) // 2
    first, last = measured.of(slice(0, half)), measured.of(slice(half, None))
    first, last = _surest(first), _surest(last)
    apart = last.at_ns[None, :] - first.at_ns[:, None]
    far = apart > _APART_NS
    if not far.any():
        return 0.0, FASTEST
    rise_low = (last.low_ns[None, :] - first.high_ns[:, None])[far] / apart[far]
    rise_high = (last.high_ns[None, :] - first.low_ns[:, None])[far] / apart[far]
    low, high = float(rise_low.max()), float(rise_high.min())
    return (low + high) / 2, min(abs(high - low) / 2, FASTEST)


def _surest(measured: Bounds) -> Bounds:
    width = measured.high_ns - measured.low_ns
    return measured.of(np.sort(np.argsort(width, kind="stable")[:_SURE]))


def _contradiction(measured: Bounds, rate: float) -> float:
    """Return the least change of rate without which two measurements contradict."""
    line = rate * measured.at_ns
    low, high, at = measured.low_ns - line, measured.high_ns - line, measured.at_ns
    worst = 0.0
    for lag in _LAGS:
        if lag >= len(measured):
            break
        apart = at[lag:] - at[:-lag]
        up, down = low[lag:] - high[:-lag], low[:-lag] - high[lag:]
        far = apart > _APART_NS
        if far.any():
            worst = max(worst, float((np.maximum(up, down)[far] / apart[far]).max()))
    return worst


def _narrowed(every: Bounds, rate: float, wander: float) -> Bounds:
    """Return bounds, less the line, that each know of all others."""
    line, spread = rate * every.at_ns, wander * every.at_ns
    low, high = every.low_ns - line, every.high_ns - line
    low = np.maximum(
        np.maximum.accumulate(low + spread) - spread,
        np.maximum.accumulate((low - spread)[::-1])[::-1] + spread,
    )
    high = np.minimum(
        np.minimum.accumulate(high - spread) + spread,
        np.minimum.accumulate((high + spread)[::-1])[::-1] - spread,
    )
    return Bounds(every.at_ns, np.minimum(low, high), np.maximum(low, high))
