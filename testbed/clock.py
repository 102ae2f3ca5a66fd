"""The only reader of time.

Stamps are `int` nanoseconds UTC since the Unix epoch; durations are `float` seconds
from a monotonic clock. The two never mix. Everything that waits takes a `Clock`.
"""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

_TRIES = 9  # one of them is not interrupted in its midst


class Clock(Protocol):
    """Stamps, durations and waiting."""

    def now_ns(self) -> int:
        """Return UTC in nanoseconds since the Unix epoch."""

    def monotonic_s(self) -> float:
        """Return seconds from an arbitrary start; never goes back."""

    def sleep(self, duration_s: float) -> None:
        """Return after `duration_s` seconds (at once when it is not positive)."""


class SystemClock:
    """The clock of this machine; `sleep` ends early when `wake` is set."""

    def __init__(self, wake: threading.Event | None = None) -> None:
        self._wake = wake

    def now_ns(self) -> int:
        """Return UTC in nanoseconds since the Unix epoch."""
        return time.time_ns()

    def monotonic_s(self) -> float:
        """Return seconds from an arbitrary start; never goes back."""
        return time.monotonic()

    def sleep(self, duration_s: float) -> None:
        """Return after `duration_s` seconds, or at once when `wake` is set."""
        if duration_s <= 0:
            return
        if self._wake is None:
            time.sleep(duration_s)
        else:
            self._wake.wait(duration_s)


class VirtualClock:
    """A clock that stands still until somebody sleeps on it."""

    def __init__(self, start_ns: int = 0) -> None:
        self._start_ns = start_ns
        self._elapsed_ns = 0

    def now_ns(self) -> int:
        """Return virtual UTC in nanoseconds since the Unix epoch."""
        return self._start_ns + self._elapsed_ns

    def monotonic_s(self) -> float:
        """Return virtual seconds since the clock was made."""
        return self._elapsed_ns / 1e9

    def sleep(self, duration_s: float) -> None:
        """Advance by `duration_s` and return at once."""
        if duration_s > 0:
            self._elapsed_ns += round(duration_s * 1e9)


class SkewedClock:
    """A clock that is wrong: by an offset, and by a rate.

    What it shows at a true instant t is t + offset + (t - since) * drift. Its
    monotonic time runs at the same wrong rate, as that of one oscillator does; a
    `sleep` lasts as long as this clock says.

    since_ns  true instant from which the drift counts; by default now
    """

    def __init__(
        self,
        clock: Clock,
        offset_s: float,
        drift_ppm: float,
        since_ns: int | None = None,
    ) -> None:
        self._clock = clock
        self._offset_ns = round(offset_s * 1e9)
        self._drift_ppm = drift_ppm
        self._since_ns = clock.now_ns() if since_ns is None else since_ns

    def now_ns(self) -> int:
        """Return the wrong UTC in nanoseconds since the Unix epoch."""
        return self.shown_ns(self._clock.now_ns())

    def shown_ns(self, true_ns: int) -> int:
        """Return what this clock shows at a true instant."""
        drifted_ns = (true_ns - self._since_ns) / 1e6 * self._drift_ppm
        return true_ns + self._offset_ns + round(drifted_ns)

    def monotonic_s(self) -> float:
        """Return seconds from an arbitrary start, at the wrong rate."""
        return self._clock.monotonic_s() * (1 + self._drift_ppm / 1e6)

    def sleep(self, duration_s: float) -> None:
        """Return after `duration_s` seconds of this clock."""
        self._clock.sleep(duration_s / (1 + self._drift_ppm / 1e6))


def _both(clock: Clock) -> tuple[int, float]:
    """Return a stamp and the monotonic time of the same moment, as near as can be."""
    found = []
    for _ in range(_TRIES):
        before_s = clock.monotonic_s()
        stamp_ns = clock.now_ns()
        after_s = clock.monotonic_s()
        found.append((after_s - before_s, stamp_ns, (before_s + after_s) / 2))
    _, stamp_ns, at_s = min(found)
    return stamp_ns, at_s


class SteadyClock:
    """Stamps that never jump: UTC when it was made, and the time that went by since.

    NTP may step the clock of this machine in mid-campaign; stamps of one process must
    not. Those who share `like`'s start agree with it.
    """

    def __init__(self, clock: Clock, like: "SteadyClock | None" = None) -> None:
        self._clock = clock
        start = _both(clock) if like is None else (like._start_ns, like._start_s)
        self._start_ns: int = start[0]
        self._start_s: float = start[1]

    def now_ns(self) -> int:
        """Return UTC in nanoseconds since the Unix epoch, as it was at the start."""
        return self._start_ns + round((self.monotonic_s() - self._start_s) * 1e9)

    def stepped_s(self) -> float:
        """Return by how much the clock below jumped since the start."""
        return (self._clock.now_ns() - self.now_ns()) / 1e9

    def monotonic_s(self) -> float:
        """Return seconds from an arbitrary start; never goes back."""
        return self._clock.monotonic_s()

    def sleep(self, duration_s: float) -> None:
        """Sleep on the clock below."""
        self._clock.sleep(duration_s)


def stepped_ns(clock: Clock) -> int:
    """Return by how much the clock below a steady one jumped; 0 for any other."""
    return round(clock.stepped_s() * 1e9) if isinstance(clock, SteadyClock) else 0


def wait_until(
    condition: Callable[[], bool],
    *,
    clock: Clock,
    deadline_s: float,
    poll_s: float = 0.05,
) -> bool:
    """Poll `condition` until it holds; return whether it did within `deadline_s`."""
    end_s = clock.monotonic_s() + deadline_s
    while not condition():
        if clock.monotonic_s() >= end_s:
            return False
        clock.sleep(poll_s)
    return True


def basic_time(stamp_ns: int) -> str:
    """Return a stamp as UTC basic time for file names: `20261121T101530.123Z`."""
    seconds, rest_ns = divmod(stamp_ns, 10**9)
    moment = datetime.fromtimestamp(seconds, tz=UTC)
    return f"{moment:%Y%m%dT%H%M%S}.{rest_ns // 10**6:03d}Z"


def utc_day(stamp_ns: int) -> str:
    """Return the UTC calendar day of a stamp, as `2026-11-21`."""
    return f"{datetime.fromtimestamp(stamp_ns // 10**9, tz=UTC):%Y-%m-%d}"


def iso_time(stamp_ns: int) -> str:
    """Return a stamp as UTC, to the microsecond where it is not a whole second."""
    whole, rest_ns = divmod(stamp_ns, 10**9)
    moment = datetime.fromtimestamp(whole, tz=UTC)
    part = f".{rest_ns // 1000:06d}" if rest_ns // 1000 else ""
    return f"{moment:%Y-%m-%dT%H:%M:%S}{part}+00:00"
