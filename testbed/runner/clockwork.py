"""From the controller's clock to the capture's, with the uncertainty of each stamp.

The offset is measured over SSH by the shortest round trip, again and again. Between two
measurements it is a straight line, so that a drifting router clock is followed; beyond
the last it goes on along the trend. Beacons are a second witness: one that was sent at
t by our clock and captured at c by the other was on its way for c - t - offset, which
is small and never negative.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from testbed.errors import LabError
from testbed.model.events import ClockMeasured

FLOOR_NS = 500_000  # stamps of tools, kernel and SSH helper are not better than this
WANDER_PPM = 20.0  # by how much a clock's rate may change between two measurements
PACKET_NS = 20_000_000  # a beacon on its way for longer is no witness (guess)
_OUTLIER = 4.0  # a trip that is longer than so many usual ones says little


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapping:
    """A stamp on the capture's clock. uncertainty_ns bounds its error, both ways."""

    capture_ns: int
    uncertainty_ns: int


@dataclass(frozen=True, slots=True, eq=False)
class ClockMap:
    """Offset of the capture's clock over time, as a broken line.

    at_ns, offset_ns, error_ns  (n,) int64, n >= 1, at_ns increasing
    extra_ns  by how much the beacons contradict the line
    """

    at_ns: NDArray[np.int64]
    offset_ns: NDArray[np.int64]
    error_ns: NDArray[np.int64]
    extra_ns: int = 0

    def to_capture(self, stamp_ns: int) -> Mapping:
        """Map a stamp of the controller's clock to the capture's."""
        offset_ns = self.offset_at(stamp_ns)
        near = int(np.abs(self.at_ns - stamp_ns).argmin())
        far_ns = abs(int(self.at_ns[near]) - stamp_ns)
        left = max(0, int(np.searchsorted(self.at_ns, stamp_ns)) - 1)
        error_ns = int(self.error_ns[left : left + 2].max())
        drift_ns = round(far_ns * WANDER_PPM * 1e-6)
        return Mapping(
            capture_ns=stamp_ns + offset_ns,
            uncertainty_ns=FLOOR_NS + error_ns + drift_ns + self.extra_ns,
        )

    def offset_at(self, stamp_ns: int) -> int:
        """Return capture's minus controller's clock at a stamp of the controller."""
        at = self.at_ns
        if at.size == 1:
            return int(self.offset_ns[0])
        right = int(np.clip(np.searchsorted(at, stamp_ns), 1, at.size - 1))
        first, last = right - 1, right
        if not at[0] <= stamp_ns <= at[-1]:
            # One short gap says nothing of the rate; the whole line does.
            first, last = 0, at.size - 1
        change_ns = int(self.offset_ns[last]) - int(self.offset_ns[first])
        rate = change_ns / (int(at[last]) - int(at[first]))
        anchor = last if stamp_ns > at[-1] else first
        since_ns = stamp_ns - int(at[anchor])
        return int(self.offset_ns[anchor]) + round(since_ns * rate)


def fit(
    samples: Sequence[ClockMeasured], beacons: Sequence[tuple[int, int]] = ()
) -> ClockMap:
    """Return the map that the measurements of one session support.

    beacons  (sent_ns by the controller's clock, captured_ns by the capture's) each

    Raises LabError without a measurement.
    """
    if not samples:
        raise LabError(
            "the clock offset was never measured, so no stamp can be put on the "
            "capture's clock; run the campaign again"
        )
    kept = _merged(_plausible(samples))
    line = ClockMap(
        np.array([s.at_ns for s in kept], dtype=np.int64),
        np.array([s.offset_ns for s in kept], dtype=np.int64),
        np.array([s.error_ns for s in kept], dtype=np.int64),
    )
    extra_ns = _contradiction_ns(line, beacons)
    return ClockMap(line.at_ns, line.offset_ns, line.error_ns, extra_ns)


def _plausible(samples: Sequence[ClockMeasured]) -> list[ClockMeasured]:
    """Leave out measurements whose trip was much longer than usual."""
    usual_ns = float(np.median([s.error_ns for s in samples]))
    limit_ns = max(_OUTLIER * usual_ns, float(FLOOR_NS))
    return sorted((s for s in samples if s.error_ns <= limit_ns), key=lambda s: s.at_ns)


def _merged(samples: Sequence[ClockMeasured]) -> list[ClockMeasured]:
    """Of measurements within one second keep the surest: they make no line."""
    kept: list[ClockMeasured] = []
    for sample in samples:
        if kept and sample.at_ns - kept[-1].at_ns < 10**9:
            kept[-1] = min(kept[-1], sample, key=lambda s: s.error_ns)
        else:
            kept.append(sample)
    return kept


def _contradiction_ns(line: ClockMap, beacons: Sequence[tuple[int, int]]) -> int:
    """Return by how much the typical beacon arrived before it left, or too late."""
    if not beacons:
        return 0
    ways = [got - sent - line.offset_at(sent) for sent, got in beacons]
    typical_ns = float(np.median(ways))
    return round(max(0.0, -typical_ns, typical_ns - PACKET_NS))
