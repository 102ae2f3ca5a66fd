"""Gaps between packets, moved as far as gaps of the same kind are apart.

A device answers some packets always after the same time and others whenever it can.
How much a gap may move is told by those that were recorded between the same two
packets: it goes a few places up or down among them. Where they are all alike, it stays.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from testbed.virtual.twin.read import Shape

_FEW = 12  # gaps of a kind; of fewer, those of a coarser kind tell
_STEP = 0.06  # of all places that a gap goes up or down, at most
_LEAST_PLACES = 1.5
_MOST = 1.1  # times longer or shorter
_COARSE = (70, 200, 600, 1400)  # lengths that are told apart where few are known
Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]


class Gaps:
    """The gaps of all parts of trials, by what comes before and after them."""

    def __init__(self, parts: Iterable[Shape]) -> None:
        found: dict[int, list[Float64]] = {}
        for part in parts:
            gaps = gaps_of(part)
            for kinds in _kinds(part):
                for kind in np.unique(kinds).tolist():
                    found.setdefault(kind, []).append(gaps[kinds == kind])
        self._known = {kind: np.sort(np.concatenate(g)) for kind, g in found.items()}

    def moved(self, part: Shape, spread: float, rng: Generator) -> Float64:
        """Return the gaps of a part, (n - 1,) in ns, each moved among its like."""
        gaps = gaps_of(part)
        fine, coarse = (kinds.tolist() for kinds in _kinds(part))
        step = rng.uniform(-1.0, 1.0, gaps.size) * spread
        within = rng.random(gaps.size)
        for k in range(gaps.size):
            known = self._known.get(fine[k])
            if known is None or known.size < _FEW:
                known = self._known.get(coarse[k])
            if known is None or known.size < _FEW:
                gaps[k] *= np.exp(0.05 * step[k])
                continue
            low, high = np.searchsorted(known, (gaps[k] * 0.999, gaps[k] * 1.001))
            here = low + within[k] * max(0, high - low - 1)
            place = here + step[k] * max(_LEAST_PLACES, _STEP * known.size)
            gaps[k] = min(max(_at(known, place), gaps[k] / _MOST), gaps[k] * _MOST)
        return gaps


def gaps_of(part: Shape) -> Float64:
    """Return the gaps between the packets of a part, (n - 1,) float64 in ns."""
    gaps: Float64 = np.diff(part.columns["offset_ns"]).astype(np.float64)
    return gaps


def _at(known: Float64, place: float) -> float:
    """Return the value at a place between two of a sorted array, on a scale of logs."""
    place = min(max(place, 0.0), known.size - 1.0)
    below = int(place)
    low = max(float(known[below]), 1.0)
    high = max(float(known[min(below + 1, known.size - 1)]), 1.0)
    return float(low * (high / low) ** (place - below))


def _kinds(part: Shape) -> tuple[Int64, Int64]:
    """Return the kind of each gap, (n - 1,): exact, and coarse (negative)."""
    out = part.columns["outbound"].astype(np.int64)
    length: Any = part.columns["length_b"].astype(np.int64)
    exact = length * 2 + out
    rough = np.searchsorted(_COARSE, length) * 2 + out
    return exact[:-1] * (1 << 20) + exact[1:], -1 - (rough[:-1] * 16 + rough[1:])
