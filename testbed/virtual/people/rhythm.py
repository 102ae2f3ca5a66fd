"""The hours of a person's day, and how what he does is spread over them."""

import math
from dataclasses import dataclass

from testbed.virtual.people.repertoire import Part

_FEWEST = 0.004  # events per hour below which an hour is left out


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """One kind of day: hours of the clock, which may lie beyond 24.

    leave, back  when he goes out and comes home; equal on a day at home
    """

    wake: float
    leave: float
    back: float
    sleep: float

    def moved(self, hours: float) -> "Hours":
        """Return the same day, later."""
        return Hours(
            wake=self.wake + hours,
            leave=self.leave + hours,
            back=self.back + hours,
            sleep=self.sleep + hours,
        )


def table(hours: Hours, part: Part, per_day: float, awake: float) -> dict[str, float]:
    """Return hour of day -> events per hour, `per_day` events in all.

    awake  share of the events that happen at any hour, also at night
    """
    weights = [_weight(hours, part, hour + 0.5) for hour in range(48)]
    folded = [weights[h] + weights[h + 24] for h in range(24)]
    total = sum(folded)
    rates = [per_day * ((1 - awake) * w / total + awake / 24) for w in folded]
    return {str(h): round(r, 4) for h, r in enumerate(rates) if r >= _FEWEST}


def _weight(hours: Hours, part: Part, at: float) -> float:
    if part is Part.MORNING:
        return _bump(at, hours.wake + 0.7, 0.6)
    if part is Part.LATE:
        return _bump(at, hours.sleep - 0.8, 0.7)
    if part is Part.EVENING:
        middle = (max(hours.back, hours.wake + 4) + hours.sleep) / 2
        return _bump(at, middle, max(0.8, (hours.sleep - hours.back) / 4))
    if part is Part.AWAY and hours.back > hours.leave:
        return _between(at, hours.leave, hours.back)
    return _between(at, hours.wake + 0.5, hours.sleep)


def _bump(at: float, middle: float, width: float) -> float:
    return math.exp(-(((at - middle) / width) ** 2) / 2)


def _between(at: float, first: float, last: float) -> float:
    return 1.0 if first <= at < last else 0.0
