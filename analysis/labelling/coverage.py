"""Where packets could be seen: outside of every capture, no packet means nothing.

A window that lies wholly outside is not silence; it makes no label. When all of them
do, a clock or a time zone is wrong, and this finds out which is likely.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

Bool = NDArray[np.bool_]
Int64 = NDArray[np.int64]

_S = 1_000_000_000
_HALF_HOUR_NS = 1800 * _S
_FURTHEST = 28  # half hours that a zone can be away from UTC
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# below this, a clock that was never set right is likelier than a time zone
_CLOCK_NS = 900 * _S
# a shift explains what is wrong when so many of the windows then lie in a capture
_MOST = 0.9


class StampSpan:
    """First and last stamp of a capture, batch by batch.

    ns  (first, last), None before the first stamp
    """

    def __init__(self) -> None:
        self.ns: tuple[int, int] | None = None

    def add(self, time_ns: Int64) -> None:
        """Take in the stamps of a batch, in any order; 0 stands for none."""
        stamps = time_ns[time_ns != 0]
        if stamps.size:
            first, last = self.ns or (int(stamps[0]), int(stamps[0]))
            self.ns = min(first, int(stamps.min())), max(last, int(stamps.max()))


def is_covered(
    start_ns: Int64, end_ns: Int64, covered_ns: Sequence[tuple[int, int]]
) -> Bool:
    """Say for each window whether it shares an instant with a capture.

    start_ns, end_ns  (k,) int64, windows [start, end)
    covered_ns        (first, last) stamp of each capture, both inside
    returns           (k,) bool
    """
    inside = np.zeros(start_ns.shape, dtype=np.bool_)
    for first, last in covered_ns:
        inside |= (start_ns <= last) & (end_ns > first)
    return inside


def explain_outside(
    start_ns: Int64,
    end_ns: Int64,
    covered_ns: Sequence[tuple[int, int]],
    names: Sequence[str],
    zone: tuple[str, int] = ("UTC", 0),
) -> str:
    """Say by how much windows miss the captures, and what is likely wrong.

    start_ns, end_ns  (k,) int64, windows that all lie in no capture, k > 0
    covered_ns        (first, last) stamp of each capture, at least one
    names             what the captures are called
    zone              what the stamps were taken as, and its offset from UTC in ns
    """
    earliest = min(range(len(names)), key=lambda row: covered_ns[row][0])
    first, last = covered_ns[earliest]
    at = int(start_ns.min())
    side = "before" if at < first else "after"
    return (
        f"the first is at {_stamp(at)}, {_span(abs(at - first))} {side} the start of "
        f"{names[earliest]}, which goes from {_stamp(first)} to {_stamp(last)}; "
        f"{_guess(start_ns, end_ns, covered_ns, zone)}"
    )


def _guess(
    start_ns: Int64,
    end_ns: Int64,
    covered_ns: Sequence[tuple[int, int]],
    taken: tuple[str, int],
) -> str:
    offset = _least_shift(start_ns, end_ns, covered_ns)
    if offset == 0:
        return "they lie on both sides of captures; is a capture missing?"
    late = offset < 0
    if abs(offset) > _CLOCK_NS:
        zone = _zone_shift(start_ns, end_ns, covered_ns)
        if zone is not None:
            return (
                f"the activities look like local time of UTC{_zone(taken[1] - zone)} "
                f"taken as {taken[0]}; is the time zone right?"
            )
    return (
        f"the clock of the activities seems to be at least {_span(abs(offset))} "
        f"{'ahead of' if late else 'behind'} that of the captures, or they are of "
        "another day"
    )


def _least_shift(
    start_ns: Int64, end_ns: Int64, covered_ns: Sequence[tuple[int, int]]
) -> int:
    """Return the smallest shift in ns that brings all windows near the captures."""
    first = min(first for first, _last in covered_ns)
    last = max(last for _first, last in covered_ns)
    if int(end_ns.max()) <= first:
        return first - int(start_ns.min())
    if int(start_ns.min()) > last:
        return last - int(end_ns.max())
    return 0


def _zone_shift(
    start_ns: Int64, end_ns: Int64, covered_ns: Sequence[tuple[int, int]]
) -> int | None:
    """Return the shift by half hours that puts nearly all windows into a capture.

    Of several that do so equally well, whole hours come first, then small ones.
    """
    steps = [step for step in range(-_FURTHEST, _FURTHEST + 1) if step]
    steps.sort(key=lambda step: (step % 2, abs(step)))
    held = [
        int(is_covered(start_ns + shift, end_ns + shift, covered_ns).sum())
        for shift in (step * _HALF_HOUR_NS for step in steps)
    ]
    best = max(held)
    if best < _MOST * start_ns.size:
        return None
    return steps[held.index(best)] * _HALF_HOUR_NS


def _zone(offset_ns: int) -> str:
    """Return an offset as '+1' or '-3:30'."""
    minutes = abs(offset_ns) // (60 * _S)
    text = f"{'-' if offset_ns < 0 else '+'}{minutes // 60}"
    return f"{text}:{minutes % 60:02d}" if minutes % 60 else text


def _stamp(time_ns: int) -> str:
    when = _EPOCH + timedelta(microseconds=time_ns // 1000)
    return f"{when:%Y-%m-%d %H:%M:%S} UTC"


def _span(length_ns: int) -> str:
    """Return a length as a person would say it."""
    if length_ns < 120 * _S:
        return f"{length_ns / _S:g} s"
    minutes, hours, days = (length_ns // (n * _S) for n in (60, 3600, 86_400))
    if minutes < 120:
        return f"{minutes} min"
    if hours < 48:
        return f"{hours} h {minutes % 60} min"
    return f"{days} days"
