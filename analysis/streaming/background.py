"""What a device says by itself: bursts that come again and again when nobody acts.

Learnt from stretches in which nothing was done. A burst is explained when it goes to
the same kind of place as a heartbeat that is known, has as many packets in the same
directions, and about their lengths. What is explained opens no window.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Any

from analysis.streaming.bursts import Burst

_NEAR_B = 8  # lengths that differ by so much are of the same message
_LEAST = 4  # times that a heartbeat was seen
_LEAST_PER_DAY = 12.0
# what opens activities is no heartbeat, however often it is seen: so many times the
# rate in idle stretches, right after something was done
_LIFT = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """One kind of burst that a device makes by itself.

    destination  number of `Destination`
    shape        lengths of its frames with a payload, negative when received
    near_b       by how much each length may differ
    per_day      how often it comes;  period_s  median pause between two
    """

    destination: int
    shape: tuple[int, ...]
    near_b: tuple[int, ...]
    per_day: float
    period_s: float

    def fits(self, shape: Sequence[int]) -> bool:
        """Say whether a burst of the same destination may be one."""
        return len(shape) == len(self.shape) and all(
            (a > 0) == (b > 0) and abs(a - b) <= near
            for a, b, near in zip(shape, self.shape, self.near_b, strict=True)
        )


class Background:
    """The heartbeats of one device."""

    def __init__(self, heartbeats: Iterable[Heartbeat] = ()) -> None:
        self.heartbeats = tuple(heartbeats)
        self._by_kind: dict[tuple[int, int], list[Heartbeat]] = defaultdict(list)
        for each in self.heartbeats:
            self._by_kind[each.destination, len(each.shape)].append(each)

    def explains(self, burst: Burst) -> bool:
        """Say whether a burst that is over is one that the device makes by itself."""
        if burst.is_long:
            return False
        known = self._by_kind.get((burst.destination, len(burst.shape)), ())
        return any(each.fits(burst.shape) for each in known)

    def as_record(self) -> list[dict[str, Any]]:
        """Return the heartbeats as values that JSON knows."""
        return [
            {
                "destination": each.destination,
                "shape": list(each.shape),
                "near_b": list(each.near_b),
                "per_day": each.per_day,
                "period_s": each.period_s,
            }
            for each in self.heartbeats
        ]

    @classmethod
    def of_record(cls, record: Iterable[Mapping[str, Any]]) -> "Background":
        """Return what `as_record` was made of."""
        return cls(
            Heartbeat(
                destination=int(each["destination"]),
                shape=tuple(map(int, each["shape"])),
                near_b=tuple(map(int, each["near_b"])),
                per_day=float(each["per_day"]),
                period_s=float(each["period_s"]),
            )
            for each in record
        )


def learn_background(
    idle: Sequence[Burst], opening: Sequence[Burst], *, idle_s: float, acted_s: float
) -> Background:
    """Return the heartbeats that bursts of idle stretches tell of.

    idle     bursts while nothing was done, of `idle_s` seconds together
    opening  bursts right after something was done, within `acted_s` seconds together
    """
    found = []
    for destination, members in _alike(idle):
        per_day = len(members) * 86_400 / max(idle_s, 1.0)
        if len(members) < _LEAST or per_day < _LEAST_PER_DAY:
            continue
        beat = _heartbeat(destination, members, per_day)
        expected = len(members) * acted_s / max(idle_s, 1.0)
        after = sum(
            each.destination == destination and beat.fits(each.shape)
            for each in opening
        )
        if after <= _LIFT * max(expected, 1.0):
            found.append(beat)
    return Background(found)


def _alike(bursts: Sequence[Burst]) -> Iterable[tuple[int, list[Burst]]]:
    """Yield groups of bursts whose lengths differ little from the first of each."""
    groups: dict[tuple[Any, ...], list[list[Burst]]] = defaultdict(list)
    for burst in bursts:
        if burst.is_long:
            continue
        ways = tuple(length > 0 for length in burst.shape)
        near = groups[burst.destination, ways]
        for members in near:
            pairs = zip(burst.shape, members[0].shape, strict=True)
            if all(abs(a - b) <= _NEAR_B for a, b in pairs):
                members.append(burst)
                break
        else:
            near.append([burst])
    for (destination, _ways), near in groups.items():
        for members in near:
            yield destination, members


def _heartbeat(destination: int, members: list[Burst], per_day: float) -> Heartbeat:
    columns = list(zip(*(each.shape for each in members), strict=True))
    middle = [round((min(column) + max(column)) / 2) for column in columns]
    near = [
        max(max(column) - at, at - min(column)) + 2
        for column, at in zip(columns, middle, strict=True)
    ]
    stamps = sorted(each.start_ns for each in members)
    gaps = [(b - a) / 1e9 for a, b in pairwise(stamps)]
    return Heartbeat(
        destination=destination,
        shape=tuple(middle),
        near_b=tuple(near),
        per_day=per_day,
        period_s=median(gaps) if gaps else 0.0,
    )
