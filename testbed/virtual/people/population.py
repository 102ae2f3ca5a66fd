"""Many households, each as a scenario; with an intruder in each where one is asked for.

For the study of detectors at activity depth. Days differ, habits drift, people fall
ill, travel and have guests; nothing here is written down to be easily told apart.
"""

import zlib
from collections.abc import Callable

import numpy as np

from testbed.model.scenario import Scenario
from testbed.model.types import Channel
from testbed.model.users import Action, Attack, AttackKind, User
from testbed.virtual.people.households import Home, Person, furnish, guest, inhabit
from testbed.virtual.people.repertoire import Thing
from testbed.virtual.people.rhythm import Hours

DAYS = 42
QUIET_DAYS = 28  # days without an intruder, to learn from
EPISODES = {AttackKind.LOW_AND_SLOW: 1}
_EPISODES = 3


def population(
    seed: int,
    n_users: int = 24,
    attack: AttackKind | str | None = None,
    days: int = DAYS,
    quiet_days: int = QUIET_DAYS,
) -> tuple[Scenario, ...]:
    """Return households: residents alone, shift workers, families, in turn.

    The households of a seed, and what they do, are the same whatever the attack, but
    for the routines in whose place an order swap is done. The intruder is the user
    `intruder`; he appears on day `quiet_days` at the earliest.

    attack  one of `AttackKind`; nobody intrudes where it is left out
    """
    kind = AttackKind(attack) if attack is not None else None
    names = list(_KINDS)
    return tuple(
        _household(seed, i, names[i % len(names)], kind, (days, quiet_days))
        for i in range(n_users)
    )


def _household(
    seed: int, number: int, name: str, kind: AttackKind | None, days: tuple[int, int]
) -> Scenario:
    random = np.random.default_rng([seed, number, zlib.crc32(name.encode())])
    home = furnish(random)
    people = [inhabit(p, home, days, random) for p in _KINDS[name](random)]
    visitor = guest(home, days[0], random)
    users = [*people, *([visitor] if visitor is not None else [])]
    if kind is not None:
        users.append(_intruder(kind, home, days, random))
    return Scenario(
        scenario=f"{name}_{number:02d}",
        description=f"household {number} of the population of seed {seed}",
        seed=int(np.random.default_rng([seed, number]).integers(1 << 31)),
        days=days[0],
        users=tuple(users),
    )


def _resident(random: np.random.Generator) -> tuple[Person, ...]:
    return (_worker("resident", random, activity=1.0),)


def _shift_worker(random: np.random.Generator) -> tuple[Person, ...]:
    """Return somebody who is awake across midnight, also on days off, but then less."""
    wake = float(random.uniform(11.5, 14))
    week = Hours(wake=wake, leave=wake + 2.5, back=wake + 10.5, sleep=wake + 15)
    rest = Hours(wake=wake - 1, leave=wake - 1, back=wake - 1, sleep=wake + 13)
    return (Person(name="shift_worker", weekday=week, weekend=rest),)


def _family(random: np.random.Generator) -> tuple[Person, ...]:
    wake = float(random.uniform(6, 7.5))
    parent = Hours(wake=wake, leave=wake + 2, back=wake + 7, sleep=wake + 16)
    child = Hours(wake=wake + 0.5, leave=wake + 1.5, back=wake + 8, sleep=wake + 14)
    late = child.moved(float(random.uniform(1.5, 3)))
    free = Hours(wake=late.wake, leave=late.wake, back=late.wake, sleep=late.sleep)
    slow = parent.moved(1.5)
    home = Hours(wake=slow.wake, leave=slow.wake, back=slow.wake, sleep=slow.sleep)
    return (
        _worker("parent_a", random, activity=0.6),
        Person(name="parent_b", weekday=parent, weekend=home, activity=0.6),
        Person(name="child", weekday=child, weekend=free, activity=0.5),
    )


def _worker(name: str, random: np.random.Generator, activity: float) -> Person:
    wake = float(random.uniform(5.5, 8))
    week = Hours(wake=wake, leave=wake + 1.5, back=wake + 10.5, sleep=wake + 16)
    late = week.moved(float(random.uniform(1, 2.5)))
    rest = Hours(wake=late.wake, leave=late.wake, back=late.wake, sleep=late.sleep)
    return Person(name=name, weekday=week, weekend=rest, activity=activity)


_KINDS: dict[str, Callable[[np.random.Generator], tuple[Person, ...]]] = {
    "resident": _resident,
    "shift_worker": _shift_worker,
    "family": _family,
}


def _intruder(
    kind: AttackKind, home: Home, days: tuple[int, int], random: np.random.Generator
) -> User:
    attack = Attack(
        kind=kind,
        episodes=EPISODES.get(kind, _EPISODES),
        actions=_actions(kind, home, random),
    )
    return User(name="intruder", first_day=min(days[1], days[0] - 1), attack=attack)


def _actions(
    kind: AttackKind, home: Home, random: np.random.Generator
) -> tuple[Action, ...]:
    """Return what is done: new things, or sentences of which a third is new."""
    if kind is AttackKind.NEW_ACTION:
        return tuple(_action(t) for t in _some(home.unknown, 2, random))
    if kind is AttackKind.VOICE_INJECTION:
        old = [t for t in home.known if t.channel is Channel.VOICE]
        new = [t for t in home.unknown if t.channel is Channel.VOICE]
        chosen = (*_some(old, 2, random), *_some(new, 1, random))
        return tuple(_action(t) for t in chosen)
    return ()


def _some(
    things: tuple[Thing, ...] | list[Thing], n: int, random: np.random.Generator
) -> tuple[Thing, ...]:
    return tuple(things[int(i)] for i in random.permutation(len(things))[:n])


def _action(thing: Thing) -> Action:
    return Action(device=thing.device, activity=thing.activity, channel=thing.channel)
