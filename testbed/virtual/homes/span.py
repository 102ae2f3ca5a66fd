"""The days of a simulation, and what happens when: stamps, spells, moments by rate."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from numpy.random import Generator

from testbed.virtual.homes.lines import Lines

DAY_NS = 86_400_000_000_000
MINUTE_NS = 60_000_000_000


class Happening(NamedTuple):
    """Something that happens once: when, and what it makes the lines carry."""

    time_ns: int
    play: Callable[[Lines, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Whole days from midnight UTC on."""

    start: date
    days: int

    @property
    def start_ns(self) -> int:
        """Return the first moment."""
        begin = datetime.combine(self.start, time(), tzinfo=UTC)
        return int(begin.timestamp()) * 1_000_000_000

    @property
    def end_ns(self) -> int:
        """Return the moment after the last."""
        return self.start_ns + self.days * DAY_NS

    def moments(self, per_week: float, rng: Generator) -> list[int]:
        """Draw moments of a Poisson process, sorted."""
        n = int(rng.poisson(per_week * self.days / 7.0))
        drawn = rng.integers(self.start_ns, self.end_ns, n)
        return sorted(int(at) for at in drawn)

    def zone_changes(self, zone: str) -> list[int]:
        """Return when the clocks of a zone change, to the minute."""
        found = []
        info = ZoneInfo(zone)

        def offset(at_ns: int) -> timedelta | None:
            return datetime.fromtimestamp(at_ns / 1e9, info).utcoffset()

        for k in range(self.days):
            low, high = self.start_ns + k * DAY_NS, self.start_ns + (k + 1) * DAY_NS
            if offset(low) == offset(high):
                continue
            while high - low > MINUTE_NS:
                middle = (low + high) // 2
                same = offset(middle) == offset(low)
                low, high = (middle, high) if same else (low, middle)
            found.append(high)
        return found


def local_ns(ordinal: int, hour: float, zone: str) -> int:
    """Return the stamp of a local hour of a day, which `date.toordinal` numbers."""
    midnight = datetime.combine(date.fromordinal(ordinal), time(), ZoneInfo(zone))
    begin = midnight + timedelta(hours=hour)
    return int(begin.timestamp() * 1e9)
