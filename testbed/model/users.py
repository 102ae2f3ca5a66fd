"""People of a scenario: habits, routines, how days differ, and attacks."""

import re
from collections.abc import Iterator
from enum import StrEnum
from functools import cache
from typing import Annotated

from pydantic import BeforeValidator, Field, PositiveInt, model_validator

from testbed.model.types import Channel, Network, Offset, Seconds, Slug, Strict, Truth

_SPAN = re.compile(r"^\s*(\d{1,5})(?:\s*-\s*(\d{1,5}))?\s*$")
_TIME = re.compile(r"^\s*([01]?\d|2[0-3]):([0-5]\d)\s*$")


@cache
def days_of(text: str) -> range:
    """Return the days of text such as '12', or '12-15' (12, 13 and 14).

    Raises ValueError when it is neither.
    """
    match = _SPAN.match(text)
    first = int(match[1]) if match else 0
    days = range(first, int(match[2]) if match and match[2] else first + 1)
    if match is None or not days:
        raise ValueError("must be a day such as '12', or days such as '12-15'")
    return days


@cache
def hours_of(text: str) -> range:
    """Return the hours of a key such as '7-9' (7 and 8) or '22'.

    Raises ValueError when it is neither.
    """
    first, dash, last = text.partition("-")
    if not first.isdigit() or (dash and not last.isdigit()):
        raise ValueError("must be an hour such as '7' or a range such as '7-9'")
    hours = range(int(first), int(last) if dash else int(first) + 1)
    if not hours or hours.stop > 24:
        raise ValueError("must lie in 0-24 and not be empty")
    return hours


def _days(value: object) -> str:
    days_of(str(value))
    return str(value)


def _time_of_day(value: object) -> float:
    """Return seconds after midnight for text such as '07:30'."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    match = _TIME.match(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("must be a time of day such as '07:30'")
    return int(match[1]) * 3600.0 + int(match[2]) * 60.0


def _hours(value: object) -> str:
    hours_of(str(value))
    return str(value)


Days = Annotated[str, BeforeValidator(_days)]
HourRange = Annotated[str, BeforeValidator(_hours)]
TimeOfDay = Annotated[float, BeforeValidator(_time_of_day)]
Share = Annotated[float, Field(ge=0, le=1)]


class DayKind(StrEnum):
    """On which days a routine is done."""

    ALL = "all"
    WEEKDAY = "weekday"
    WEEKEND = "weekend"


class Action(Strict):
    """What somebody does: an activity of a device by a channel."""

    device: Slug
    activity: Slug
    channel: Channel
    network: Network | None = None

    @property
    def what(self) -> tuple[str, str]:
        """Return (device, activity): all that an observer of packets can tell."""
        return self.device, self.activity


class Habit(Action):
    """How often a user does one thing, by hour of the day.

    weekday    hour '22' or range of hours '7-9' -> events per hour (Poisson)
    weekend    the same for Saturday and Sunday; the weekday's where it is left out
    first_day  day on which the user takes it up; last_day: the last one with it
    """

    weekday: dict[str, float] = Field(default_factory=dict)
    weekend: dict[str, float] = Field(default_factory=dict)
    first_day: int = Field(default=0, ge=0)
    last_day: int | None = Field(default=None, ge=0)


class Gap(Strict):
    """Time since the step before: fixed, or uniform between two durations."""

    uniform: tuple[Seconds, Seconds]

    @model_validator(mode="before")
    @classmethod
    def _fixed(cls, value: object) -> object:
        return {"uniform": [value, value]} if isinstance(value, str) else value


class RoutineStep(Action):
    """One step of a routine.

    after   time since the step before, also since one that was left out
    chance  of being done; else it is left out
    """

    after: Gap = Gap(uniform=(30.0, 90.0))
    chance: Share = 1.0


class Routine(Strict):
    """Steps that a user does one after the other, at about the same time of day.

    at      time of day of the first step; spread: its standard deviation
    chance  of being done on a day of its kind
    """

    at: TimeOfDay
    spread: Seconds = 600.0
    chance: Share = 1.0
    days: DayKind = DayKind.ALL
    first_day: int = Field(default=0, ge=0)
    last_day: int | None = Field(default=None, ge=0)
    steps: tuple[RoutineStep, ...] = Field(min_length=1)


class Variation(Strict):
    """How the days of a user differ from each other; nothing varies by default.

    shift  standard deviation of how much later or earlier a whole day is
    drift  how much later everything gets with each week
    busy   spread of a factor of all rates of a day: sigma of a log-normal with mean 1
    tails  the same for each hour of each habit, so that counts have heavy tails
    slips  chance that two neighbouring steps of a routine change places
    """

    shift: Seconds = 0.0
    drift: Offset = 0.0
    busy: float = Field(default=0.0, ge=0, le=2)
    tails: float = Field(default=0.0, ge=0, le=2)
    slips: Share = 0.0


class AttackKind(StrEnum):
    """What an intruder does with the owner's devices."""

    OFF_HOURS = "off_hours"
    BURST = "burst"
    LOW_AND_SLOW = "low_and_slow"
    MIMICRY = "mimicry"
    REPLAY = "replay"
    NEW_ACTION = "new_action"
    ORDER_SWAP = "order_swap"
    VOICE_INJECTION = "voice_injection"


class Attack(Strict):
    """What an intruder does, told relative to what the household does.

    episodes  how often, each on a day (or from a day on) drawn from those of the user
    acts      acts in an episode; the kind's own where it is left out
    within    duration of an episode; the kind's own where it is left out
    hours     hours '1-4' in which it begins; chosen by the kind where left out
    of        users whose ways are used; everybody who is not malicious by default
    actions   what is done; where left out, what those users do, as often as they do it
    """

    kind: AttackKind
    episodes: PositiveInt = 1
    acts: PositiveInt | None = None
    within: Seconds | None = None
    hours: HourRange | None = None
    of: tuple[Slug, ...] = ()
    actions: tuple[Action, ...] = ()


class User(Strict):
    """A person, benign or malicious.

    first_day  day of the scenario on which he appears, 0 is the first; last_day: the
               last one
    away       days on which he does nothing: '12', or '12-15' for 12, 13 and 14
    at_home    days on which he lives as on a weekend: sick, or a holiday at home
    attack     what an intruder does; it makes him malicious
    """

    name: Slug
    malicious: Truth = False
    first_day: int = Field(default=0, ge=0)
    last_day: int | None = Field(default=None, ge=0)
    habits: tuple[Habit, ...] = ()
    routines: tuple[Routine, ...] = ()
    variation: Variation = Variation()
    away: tuple[Days, ...] = ()
    at_home: tuple[Days, ...] = ()
    attack: Attack | None = None

    @model_validator(mode="before")
    @classmethod
    def _intruder(cls, value: object) -> object:
        if isinstance(value, dict) and value.get("attack") is not None:
            return {"malicious": True, **value}
        return value

    @model_validator(mode="after")
    def _acts(self) -> "User":
        if not (self.habits or self.routines or self.attack):
            raise ValueError("must have habits, routines or an attack")
        if self.attack is not None and not self.malicious:
            raise ValueError("cannot have an attack and be malicious: false")
        return self

    def actions(self) -> Iterator[Action]:
        """Yield what he may do: habits, steps of routines, actions of an attack."""
        yield from self.habits
        for routine in self.routines:
            yield from routine.steps
        if self.attack is not None:
            yield from self.attack.actions

    def days(self, n_days: int) -> range:
        """Return the days of a scenario of `n_days` between his first and last."""
        last = n_days - 1 if self.last_day is None else self.last_day
        return range(self.first_day, min(last + 1, n_days))

    def is_away(self, day: int) -> bool:
        """Say whether he does nothing on a day."""
        return any(day in days_of(text) for text in self.away)

    def rests(self, day: int) -> bool:
        """Say whether a day is like a weekend for him; day 0 is a Monday."""
        return day % 7 >= 5 or any(day in days_of(text) for text in self.at_home)
