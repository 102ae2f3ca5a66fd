"""Households: who lives there, with which devices, habits, routines and odd days."""

from dataclasses import dataclass

import numpy as np

from testbed.model.types import Channel
from testbed.model.users import (
    DayKind,
    Gap,
    Habit,
    Routine,
    RoutineStep,
    User,
    Variation,
)
from testbed.virtual.people.repertoire import (
    CAMERAS,
    COMING,
    LEAVING,
    PLUGS,
    SLEEPING,
    SPEAKERS,
    THINGS,
    Thing,
)
from testbed.virtual.people.rhythm import Hours, table

_KNOWN = 0.6  # share of the things they could do that a household ever does
_ROLES = {"speaker": SPEAKERS, "camera": CAMERAS, "plug": PLUGS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """How one person lives.

    activity  factor of how often he does things
    """

    name: str
    weekday: Hours
    weekend: Hours
    activity: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """Devices of a household, and what its people do and could do with them."""

    devices: frozenset[str]
    known: tuple[Thing, ...]
    unknown: tuple[Thing, ...]

    def of(self, words: str) -> Thing | None:
        """Return what a step such as 'speaker stop' means here; None where nothing."""
        role, activity = words.split()
        devices = _ROLES.get(role, (role,))
        found = (
            t for t in self.known if (t.device in devices, t.activity) == (1, activity)
        )
        return next(found, None)


def furnish(random: np.random.Generator) -> Home:
    """Draw devices, and which of their activities the household uses."""
    devices = {"iview_bulb", "samsung_tv"}
    devices.add(str(random.choice(SPEAKERS)))
    devices.add(str(random.choice(CAMERAS)))
    devices.add(str(random.choice(PLUGS)))
    if random.random() < 0.4:
        devices.add(str(random.choice([*SPEAKERS, *CAMERAS, *PLUGS])))
    there = [t for t in THINGS if t.device in devices]
    known: list[Thing] = []
    for device in sorted(devices):
        own = [t for t in there if t.device == device]
        n = max(2, round(_KNOWN * len(own)))
        rank = random.permutation(len(own))[:n]
        known += [own[int(i)] for i in sorted(rank)]
    unknown = tuple(t for t in there if t not in known)
    return Home(devices=frozenset(devices), known=tuple(known), unknown=unknown)


def inhabit(
    person: Person, home: Home, days: tuple[int, int], random: np.random.Generator
) -> User:
    """Return a person with habits, routines and odd days.

    days  (how many, of which the first are to learn from)
    """
    likes = random.lognormal(0, 0.5, len(home.known)) * person.activity
    owned = random.random(len(home.known)) < 0.85
    awake = float(random.uniform(0.005, 0.03))
    habits = [
        _habit(person, thing, float(likes[i]), awake)
        for i, thing in enumerate(home.known)
        if owned[i]
    ] or [_habit(person, home.known[0], 1.0, awake)]
    return User(
        name=person.name,
        habits=(*habits, *_taken_up(person, home, days, random)),
        routines=_routines(person, home, random),
        variation=Variation(
            shift=float(random.uniform(900, 2700)),
            drift=float(random.uniform(-300, 300)),
            busy=float(random.uniform(0.2, 0.45)),
            tails=float(random.uniform(0.4, 0.8)),
            slips=float(random.uniform(0.02, 0.08)),
        ),
        away=_some_days(days[0], 0.35, (3, 8), random),
        at_home=_some_days(days[0], 0.5, (1, 4), random),
    )


def guest(home: Home, n_days: int, random: np.random.Generator) -> User | None:
    """Return somebody who stays for some days and lives differently, or nobody."""
    if random.random() >= 0.4:
        return None
    first = int(random.integers(0, max(1, n_days - 4)))
    wake = float(random.uniform(8, 11))
    hours = Hours(wake=wake, leave=wake, back=wake, sleep=wake + 15)
    chosen = random.permutation(len(home.known))[:5]
    person = Person(name="guest", weekday=hours, weekend=hours)
    return User(
        name="guest",
        first_day=first,
        last_day=first + int(random.integers(1, 4)),
        habits=tuple(_habit(person, home.known[int(i)], 1.2, 0.02) for i in chosen),
        variation=Variation(busy=0.4, tails=0.6),
    )


def _habit(person: Person, thing: Thing, factor: float, awake: float) -> Habit:
    per_day = thing.per_day * factor
    return Habit(
        device=thing.device,
        activity=thing.activity,
        channel=thing.channel,
        weekday=table(person.weekday, thing.part, per_day, awake),
        weekend=table(person.weekend, thing.part, 1.2 * per_day, awake),
    )


def _taken_up(
    person: Person, home: Home, days: tuple[int, int], random: np.random.Generator
) -> tuple[Habit, ...]:
    """Return a habit that begins after the days to learn from, of one person in five.

    It is one that the household has in part: what nobody knows stays unknown.
    """
    if random.random() >= 0.2 or days[1] >= days[0]:
        return ()
    thing = home.known[int(random.integers(len(home.known)))]
    habit = _habit(person, thing, 1.0, 0.01)
    first = int(random.integers(days[1], days[0]))
    return (habit.model_copy(update={"first_day": first}),)


def _routines(
    person: Person, home: Home, random: np.random.Generator
) -> tuple[Routine, ...]:
    found = []
    plans = (
        (LEAVING, (person.weekday.wake + 0.6) % 24, DayKind.WEEKDAY),
        (COMING, (person.weekday.back + 0.3) % 24, DayKind.WEEKDAY),
        (SLEEPING, (person.weekday.sleep - 0.4) % 24, DayKind.ALL),
    )
    for words, at, kind in plans:
        steps = [t for t in (home.of(w) for w in words) if t is not None]
        if len(steps) < 3:
            continue
        order = random.permutation(len(steps))[:6]
        found.append(
            Routine(
                at=round(at * 3600),
                spread=float(random.uniform(300, 1200)),
                chance=float(random.uniform(0.6, 0.95)),
                days=kind,
                steps=tuple(_step(steps[int(i)], random) for i in order),
            )
        )
    return tuple(found)


def _step(thing: Thing, random: np.random.Generator) -> RoutineStep:
    return RoutineStep(
        device=thing.device,
        activity=thing.activity,
        channel=Channel(thing.channel),
        after=Gap(uniform=(8.0, float(random.uniform(25, 90)))),
        chance=float(random.uniform(0.92, 1.0)),
    )


def _some_days(
    n_days: int, chance: float, length: tuple[int, int], random: np.random.Generator
) -> tuple[str, ...]:
    """Draw one stretch of days for every four weeks, each with a chance."""
    found = []
    for month in range(0, n_days, 28):
        first = month + int(random.integers(28))
        last = min(n_days, first + int(random.integers(length[0], length[1])))
        if random.random() < chance and first < last:
            found.append(f"{first}-{last}")
    return tuple(found)
