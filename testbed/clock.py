"""The only reader of time.

Stamps are `int` nanoseconds UTC since the Unix epoch; durations are `float` seconds
from a monotonic clock. The two never mix. Everything that waits takes a `Clock`.
"""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol


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
