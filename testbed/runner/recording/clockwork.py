"""From the controller's clock to the capture's, with the uncertainty of each stamp.

Three things are known of the offset between the two. The round trips over SSH: at each,
the offset lies within half of the trip. The beacons: one that was sent at t by our
clock and captured at c by the other has c - t as an upper bound, since no packet
arrives before it leaves. And rates: neither clock changes its own by much. Together
they make a tube (clocktube.py); the offset is taken in its middle and is not further
away than its walls.

Where two measurements cannot be reconciled by any rate, one of the clocks was stepped.
The tube ends there and another begins; a stamp in between may belong to either.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from testbed.errors import LabError
from testbed.model.events import ClockMeasured
from testbed.runner.recording.clocktube import FASTEST, Bounds, Floats, Tube, tube_of

FLOOR_NS = 500_000  # stamps of tools, kernel and SSH helper are not better than this
PACKET_NS = 20_000_000  # a beacon on its way for longer is no witness (guess)
STEP_NS = 1_000_000  # a jump that is smaller counts as a change of rate

Beacons = Sequence[tuple[int, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """A stamp on the capture's clock. uncertainty_ns bounds its error, both ways."""

    capture_ns: int
    uncertainty_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One of the two clocks jumped, at some time between two controller stamps."""

    from_ns: int
    to_ns: int
    jump_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockMap:
    """Where the offset of the capture's clock lies at any time of one session.

    base_ns, origin_ns  whole numbers that the tubes leave out: offset, controller time
    tubes     one more than `steps`, in order of time
    late      when beacons were sent, less the origin, and for how long each seemed to
              be on its way
    extra_ns  by how much the beacons contradict the measurements
    """

    base_ns: int
    origin_ns: int
    tubes: tuple[Tube, ...]
    late: tuple[Floats, Floats]
    steps: tuple[Step, ...] = ()
    extra_ns: int = 0

    def to_capture(self, stamp_ns: int) -> Stamp:
        """Map a stamp of the controller's clock to the capture's."""
        number = sum(step.to_ns <= stamp_ns for step in self.steps)
        low, high = self._offset(number, stamp_ns)
        if number < len(self.steps) and stamp_ns > self.steps[number].from_ns:
            other = self._offset(number + 1, stamp_ns)
            low, high = min(low, other[0]), max(high, other[1])
        return Stamp(
            capture_ns=stamp_ns + self.base_ns + round((low + high) / 2),
            uncertainty_ns=FLOOR_NS + round((high - low) / 2) + self.extra_ns,
        )

    def of_window(self, stamp_ns: int, delta_ns: int) -> Stamp:
        """Map the start of a label window.

        A step makes the capture's clock show a time twice, or not at all. A window
        that reaches into such a time holds packets that are not its own, or lacks
        some, however well its start is known: it is as uncertain as the step is large.
        """
        start = self.to_capture(stamp_ns)
        slack_ns = start.uncertainty_ns
        first_ns = start.capture_ns - slack_ns
        last_ns = start.capture_ns + delta_ns + slack_ns
        for number, step in enumerate(self.steps):
            low_ns, high_ns = self._disturbed(number)
            if first_ns <= high_ns and last_ns >= low_ns:
                slack_ns = max(slack_ns, abs(step.jump_ns))
        slack_ns = max(slack_ns, self._lateness_ns(stamp_ns))
        return Stamp(capture_ns=start.capture_ns, uncertainty_ns=slack_ns)

    def _lateness_ns(self, stamp_ns: int) -> int:
        """Return how late both beacons around a stamp were; 0 for a usual time.

        A clock that was stepped and stepped back between two measurements shows only
        there.
        """
        at_ns, took_ns = self.late
        right = int(np.searchsorted(at_ns, stamp_ns - self.origin_ns))
        if not 0 < right < at_ns.size:
            return 0
        least_ns = round(min(took_ns[right - 1 : right + 1].tolist()))
        return least_ns if least_ns > PACKET_NS else 0

    def _offset(self, number: int, stamp_ns: int) -> tuple[float, float]:
        return self.tubes[number].at(stamp_ns - self.origin_ns)

    def _disturbed(self, number: int) -> tuple[float, float]:
        """Return what a step makes ambiguous on the capture's clock: first, last."""
        step = self.steps[number]
        shown = [
            stamp_ns + self.base_ns + edge
            for stamp_ns in (step.from_ns, step.to_ns)
            for side in (number, number + 1)
            for edge in self._offset(side, stamp_ns)
        ]
        return min(shown) - FLOOR_NS, max(shown) + FLOOR_NS


def fit(samples: Sequence[ClockMeasured], beacons: Beacons = ()) -> ClockMap:
    """Return the map that the measurements of one session support.

    beacons  (sent_ns by the controller's clock, captured_ns by the capture's) each

    Raises LabError without a measurement.
    """
    if not samples:
        raise LabError(
            "the clock offset was never measured, so no stamp can be put on the "
            "capture's clock; run the campaign again"
        )
    ordered = sorted(samples, key=lambda s: s.at_ns)
    base_ns, origin_ns = ordered[0].offset_ns, ordered[0].at_ns
    measured = _measured(ordered, base_ns, origin_ns)
    ways = _ways(beacons, base_ns, origin_ns)
    parts = _unstepped(measured)
    tubes = [tube_of(part) for part in parts]
    edges = [
        _edges(before, after, tubes[n : n + 2], ways)
        for n, (before, after) in enumerate(pairwise(parts))
    ]
    extra_ns = _contradiction_ns(*_way(tubes, edges, ways))
    if not extra_ns:
        tubes = [
            tube_of(part, _between(ways, edges, number))
            for number, part in enumerate(parts)
        ]
    return ClockMap(
        base_ns=base_ns,
        origin_ns=origin_ns,
        tubes=tuple(tubes),
        steps=_steps(tubes, edges, origin_ns),
        late=(ways.at_ns, _way(tubes, edges, ways)[1]),
        extra_ns=extra_ns,
    )


def _measured(samples: Sequence[ClockMeasured], base_ns: int, origin_ns: int) -> Bounds:
    middle = np.array([s.offset_ns - base_ns for s in samples], dtype=np.float64)
    error = np.array([s.error_ns for s in samples], dtype=np.float64)
    at = np.array([s.at_ns - origin_ns for s in samples], dtype=np.float64)
    return Bounds(at, middle - error, middle + error)


def _ways(beacons: Beacons, base_ns: int, origin_ns: int) -> Bounds:
    """Return what beacons say of the offset: it is at most captured minus sent."""
    ordered = sorted(beacons)
    at = np.array([sent - origin_ns for sent, _ in ordered], dtype=np.float64)
    high = np.array([got - sent - base_ns for sent, got in ordered], dtype=np.float64)
    return Bounds(at, np.full(at.shape, -np.inf), high)


def _unstepped(measured: Bounds) -> list[Bounds]:
    """Part the measurements where no rate leads from one to the next."""
    apart = np.diff(measured.at_ns)
    up = measured.low_ns[1:] - measured.high_ns[:-1]
    down = measured.low_ns[:-1] - measured.high_ns[1:]
    jumped = np.maximum(up, down) > apart * FASTEST + STEP_NS
    cuts = [0, *(np.flatnonzero(jumped) + 1).tolist(), len(measured)]
    return [measured.of(slice(a, b)) for a, b in pairwise(cuts)]


def _edges(
    before: Bounds, after: Bounds, tubes: Sequence[Tube], ways: Bounds
) -> tuple[float, float]:
    """Return the last time before a step, and the first after it.

    A beacon fits the tube in which it was on its way for a plausible time; when it
    fits only one of the two, the step was not there yet, or was over.
    """
    first, last = float(before.at_ns[-1]), float(after.at_ns[0])
    inside = (ways.at_ns > first) & (ways.at_ns < last)
    early, late = first, last
    for at, high in zip(ways.at_ns[inside], ways.high_ns[inside], strict=True):
        fits = [-STEP_NS <= high - _middle(tube, at) <= PACKET_NS for tube in tubes]
        if fits == [True, False]:
            early = max(early, float(at))
        elif fits == [False, True]:
            late = min(late, float(at))
    return (early, late) if early <= late else (first, last)


def _steps(
    tubes: Sequence[Tube], edges: Sequence[tuple[float, float]], origin_ns: int
) -> tuple[Step, ...]:
    return tuple(
        Step(
            from_ns=origin_ns + round(first),
            to_ns=origin_ns + round(last),
            jump_ns=round(_middle(after, last) - _middle(before, first)),
        )
        for (before, after), (first, last) in zip(pairwise(tubes), edges, strict=True)
    )


def _between(ways: Bounds, edges: Sequence[tuple[float, float]], number: int) -> Bounds:
    """Return the beacons that were sent while the clocks ran as in a tube."""
    since = edges[number - 1][1] if number else -np.inf
    until = edges[number][0] if number < len(edges) else np.inf
    return ways.of((ways.at_ns >= since) & (ways.at_ns <= until))


def _middle(tube: Tube, at: float) -> float:
    low, high = tube.at(at)
    return (low + high) / 2


def _way(
    tubes: Sequence[Tube], edges: Sequence[tuple[float, float]], ways: Bounds
) -> tuple[Floats, Floats]:
    """Return for how long each beacon was on its way: at most, and likely."""
    longest, likely = [], []
    for at, high in zip(ways.at_ns, ways.high_ns, strict=True):
        tube = tubes[sum(last <= at for _, last in edges)]
        low, top = tube.at(at)
        longest.append(high - low)
        likely.append(high - (low + top) / 2)
    return np.array(longest), np.array(likely)


def _contradiction_ns(longest: Floats, likely: Floats) -> int:
    """Return by how much the typical beacon arrived before it left, or too late."""
    if not likely.size:
        return 0
    worst = max(-float(np.median(longest)), float(np.median(likely)) - PACKET_NS)
    return round(worst) if worst > FLOOR_NS else 0
