"""When users do things: habits by the hour, routines, and how the days differ.

Every user, habit, routine and day has a stream of draws of its own, made from the seed:
one more of any of them changes the draws of no other.
"""

import math
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from testbed.model.scenario import Scenario
from testbed.model.users import Action, DayKind, Habit, Routine, User, hours_of

DAY_S = 86_400.0
_FIRST_WEEKEND_DAY = 5  # day 0 of a scenario is a Monday


@dataclass(frozen=True, slots=True, kw_only=True)
class Doing:
    """One thing that a member of the household does.

    at_s     seconds after the first midnight
    routine  (name of the user, index of his routine, day); None outside routines
    """

    at_s: float
    user: User
    action: Action
    routine: tuple[str, int, int] | None = None


def stream(seed: int, name: str, day: int = 0) -> np.random.Generator:
    """Return the draws of one thing on one day."""
    return np.random.default_rng([seed, zlib.crc32(name.encode()), day])


def rates_per_hour(
    habit: Habit, day: int, *, rests: bool | None = None
) -> tuple[float, ...]:
    """Return the 24 rates (events per hour) of a habit on a day; day 0 is a Monday.

    Without `weekend` the weekday's rates hold on all days.

    rests  whether the day is like a weekend; as the day of the week says by default
    """
    weekend = day % 7 >= _FIRST_WEEKEND_DAY if rests is None else rests
    table = habit.weekend if weekend and habit.weekend else habit.weekday
    rates = [0.0] * 24
    for key, rate in table.items():
        for hour in hours_of(key):
            rates[hour] = rate
    return tuple(rates)


def doings(scenario: Scenario, seed: int | None = None) -> list[Doing]:
    """Draw what users do by habit and routine, attacks left out, in order of time.

    Events of a habit in one hour are Poisson distributed and uniform within it. What
    the scenario begins too late for is left out.

    seed  the scenario's own by default
    """
    chosen = scenario.seed if seed is None else seed
    drawn: list[Doing] = []
    for user in scenario.users:
        for day in user.days(scenario.days):
            if not user.is_away(day):
                mood = _mood(chosen, user, day)
                drawn += _by_habit(chosen, user, day, mood)
                drawn += _by_routine(chosen, user, day, mood)
    last_s = scenario.days * DAY_S
    kept = (d for d in drawn if scenario.begins <= d.at_s < last_s)
    return sorted(kept, key=lambda d: d.at_s)


@dataclass(frozen=True, slots=True)
class _Mood:
    """How one day of one user differs from the others."""

    shift_s: float = 0.0
    factor: float = 1.0


def _mood(seed: int, user: User, day: int) -> _Mood:
    varies = user.variation
    if not (varies.shift or varies.drift or varies.busy):
        return _Mood()
    random = stream(seed, f"{user.name} mood", day)
    late, busy = random.standard_normal(2)
    shift_s = varies.shift * float(late) + varies.drift * day / 7
    return _Mood(shift_s, _factor(varies.busy, float(busy)))


def _factor(sigma: float, drawn: float) -> float:
    return math.exp(sigma * drawn - sigma**2 / 2)


def _by_habit(seed: int, user: User, day: int, mood: _Mood) -> Iterator[Doing]:
    rests, tails = user.rests(day), user.variation.tails
    for habit, random in _streams(seed, user, day):
        if not _is_done(habit, day):
            continue
        for hour, rate in enumerate(rates_per_hour(habit, day, rests=rests)):
            if not rate:
                continue
            mean = rate * mood.factor
            if tails:
                mean *= _factor(tails, float(random.standard_normal()))
            n = random.poisson(mean)
            for second in random.uniform(0, 3600, n) if n else ():
                at_s = day * DAY_S + hour * 3600 + float(second) + mood.shift_s
                yield Doing(at_s=round(at_s, 3), user=user, action=habit)


def _streams(
    seed: int, user: User, day: int
) -> Iterator[tuple[Habit, np.random.Generator]]:
    """Yield each habit of a user with its draws of one day.

    Habits of the same act have one each, in their order.
    """
    same: Counter[str] = Counter()
    for habit in user.habits:
        what = f"{habit.device} {habit.activity} {habit.channel} {habit.network}"
        name = f"{user.name} {what} {same[what]}"
        same[what] += 1
        yield habit, stream(seed, name, day)


def _by_routine(seed: int, user: User, day: int, mood: _Mood) -> Iterator[Doing]:
    for index, routine in enumerate(user.routines):
        if not _is_done(routine, day) or not _fits(routine, rests=user.rests(day)):
            continue
        random = stream(seed, f"{user.name} routine {index}", day)
        if random.random() >= routine.chance:
            continue
        first_s = day * DAY_S + routine.at + mood.shift_s
        first_s += routine.spread * float(random.standard_normal())
        for at_s, action in _steps(routine, user.variation.slips, first_s, random):
            origin = (user.name, index, day)
            yield Doing(at_s=round(at_s, 3), user=user, action=action, routine=origin)


def _steps(
    routine: Routine, slips: float, at_s: float, random: np.random.Generator
) -> list[tuple[float, Action]]:
    times: list[float] = []
    actions: list[Action] = []
    for number, step in enumerate(routine.steps):
        gap_s = float(random.uniform(*step.after.uniform))
        at_s += gap_s if number else 0.0
        if random.random() < step.chance:
            times.append(at_s)
            actions.append(step)
    if slips and len(actions) > 1 and random.random() < slips:
        i = int(random.integers(len(actions) - 1))
        actions[i], actions[i + 1] = actions[i + 1], actions[i]
    return list(zip(times, actions, strict=True))


def _is_done(thing: Habit | Routine, day: int) -> bool:
    last = day if thing.last_day is None else thing.last_day
    return thing.first_day <= day <= last


def _fits(routine: Routine, *, rests: bool) -> bool:
    kinds = (DayKind.ALL, DayKind.WEEKEND if rests else DayKind.WEEKDAY)
    return routine.days in kinds
