"""When the people of a home use its device: no two days are the same."""

from collections.abc import Sequence
from operator import itemgetter
from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from testbed.model.profile import DeviceProfile
from testbed.model.types import Channel
from testbed.virtual.homes.places import Home
from testbed.virtual.homes.span import Span, local_ns

# Share of a day's acts in each local hour; the shift worker's on a day after a night.
_RESIDENT = (1, 0, 0, 0, 0, 1, 6, 10, 5, 2, 2, 2, 3, 2, 2, 3, 4, 6, 9, 10, 9, 7, 4, 2)
_NIGHTS = (6, 5, 5, 4, 4, 5, 7, 6, 1, 0, 0, 0, 0, 0, 1, 3, 6, 8, 7, 5, 4, 5, 7, 7)
_FAMILY = (0, 0, 0, 0, 0, 1, 7, 12, 5, 2, 2, 3, 5, 4, 5, 7, 9, 10, 10, 9, 6, 4, 2, 1)
_WEEKEND = (2, 1, 0, 0, 0, 0, 1, 3, 6, 9, 9, 8, 7, 6, 6, 6, 6, 7, 8, 8, 8, 7, 5, 3)
_A_DAY = {"resident": 16.0, "shift_worker": 13.0, "family": 34.0}
_SATURDAY = 5


class Use(NamedTuple):
    """One act of somebody: when, which activity, by which channel, phone where."""

    time_ns: int
    activity: str
    channel: str
    network: str | None


def uses(
    home: Home, profile: DeviceProfile, span: Span, rng: Generator
) -> tuple[Use, ...]:
    """Draw what the people of a home do with the device, by time."""
    ways = _ways(profile)
    liking = rng.dirichlet(np.full(len(ways), 0.6)) * 0.85 + 0.15 / len(ways)
    drift = 0.0
    found: list[Use] = []
    away = _absences(span, rng)
    for day, _ in span.local_days(home.zone):
        drift += float(rng.normal(0.0, 0.05))
        n = _n_acts(home.user, drift, rng)
        if any(begin <= day.toordinal() < end for begin, end in away):
            n = 0
        hours = _hours(home.user, day.toordinal(), day.weekday() >= _SATURDAY)
        drawn = rng.choice(24, n, p=hours / hours.sum()) + rng.random(n)
        for hour, way in zip(drawn, rng.choice(len(ways), n, p=liking), strict=True):
            at_ns = local_ns(day, float(hour), home.zone)
            found.append(_use(at_ns, ways[way], rng))
    inside = (u for u in found if span.start_ns <= u.time_ns < span.end_ns)
    return tuple(sorted(inside, key=itemgetter(0)))


def _ways(profile: DeviceProfile) -> list[tuple[str, str]]:
    return [
        (name, channel.value)
        for name, activity in profile.activities.items()
        for channel in activity.channels
        if channel is not Channel.POWER
    ]


def _use(at_ns: int, way: tuple[str, str], rng: Generator) -> Use:
    activity, channel = way
    network = None
    if channel == Channel.PHONE.value:
        network = "lan" if rng.random() < 0.8 else "wan"
    return Use(at_ns, activity, channel, network)


def _n_acts(user: str, drift: float, rng: Generator) -> int:
    mean = _A_DAY[user] * float(np.exp(drift)) * float(rng.gamma(3.0, 1 / 3.0))
    return int(rng.poisson(mean))


def _hours(user: str, ordinal: int, weekend: bool) -> NDArray[np.float64]:
    if user == "shift_worker":
        nights = ordinal // 7 % 2 == 0  # one week nights, one week days
        return np.array(_NIGHTS if nights else _RESIDENT, dtype=np.float64)
    if weekend:
        return np.array(_WEEKEND, dtype=np.float64)
    return np.array(_FAMILY if user == "family" else _RESIDENT, dtype=np.float64)


def _absences(span: Span, rng: Generator) -> Sequence[tuple[int, int]]:
    """Draw journeys: from which day to which nobody is at home."""
    first = span.start.toordinal()
    found = []
    for _ in range(int(rng.poisson(span.days / 30.0))):
        begin = first + int(rng.integers(0, span.days))
        found.append((begin, begin + 1 + int(rng.geometric(0.3))))
    return found
