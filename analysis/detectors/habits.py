"""How often each activity happens in each hour: what behaviour detectors look at."""

from dataclasses import dataclass

import numpy as np

from analysis.features.model import Float64, Int64

_HOUR_NS = 3600 * 10**9
_DAY_HOURS = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Habit:
    """The hours in which one user caused one activity, each hour of each day once.

    day   (n,) int64, days since the Unix epoch, UTC
    hour  (n,) int64, hour of day 0..23, UTC
    count (n,) int64, events in that hour, at least 1
    """

    day: Int64
    hour: Int64
    count: Int64

    def points(self) -> Float64:
        """Return (n, 2) float64: hour of day, events in that hour."""
        return np.column_stack((self.hour, self.count)).astype(np.float64)


def habit(time_ns: Int64) -> Habit:
    """Count events by hour; hours without an event are left out, as in the paper.

    time_ns  (n,) int64 UTC, any order
    """
    hours, count = np.unique(time_ns // _HOUR_NS, return_counts=True)
    day, hour = np.divmod(hours, _DAY_HOURS)
    return Habit(day=day, hour=hour, count=count.astype(np.int64))
