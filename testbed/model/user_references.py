"""Faults of the users of a scenario that one model alone cannot see."""

from collections.abc import Mapping, Sequence

from testbed.model.lookup import (
    CHANNELS,
    Profiles,
    entries,
    items,
    known_activity,
    known_device,
    text_of,
)
from testbed.model.source import Document, Place
from testbed.model.typed import got, nearest, one_of
from testbed.model.types import Channel
from testbed.model.users import AttackKind, hours_of

_FEWEST_STEPS = 3  # of a routine whose order can be told


def check_users(document: Document, scenario: object, profiles: Profiles) -> None:
    """Note faults of users: names, days, and what they are said to do."""
    days = text_of(scenario, "days") or "1"
    users = [user for _, user in items(scenario, "users")]
    names: set[str] = set()
    for i, user in enumerate(users):
        place: Place = ("users", i)
        name = text_of(user, "name") or ""
        if name in names:
            document.fault((*place, "name"), f"{name!r} is another user's already")
        names.add(name)
        _check_days(document, place, user, days)
        for j, habit in items(user, "habits"):
            _check_action(document, (*place, "habits", j), habit, profiles)
            _check_rates(document, (*place, "habits", j), habit)
        for j, routine in items(user, "routines"):
            for k, step in items(routine, "steps"):
                step_place = (*place, "routines", j, "steps", k)
                _check_action(document, step_place, step, profiles)
        _check_attack(document, (*place, "attack"), users, profiles)


def _check_days(document: Document, place: Place, user: object, days: str) -> None:
    for key in ("first_day", "last_day"):
        day = text_of(user, key) or "0"
        if days.isdigit() and day.isdigit() and int(day) >= int(days):
            message = f"must be one of the days 0 to {int(days) - 1}, got {day!r}"
            document.fault((*place, key), message)


def _check_attack(
    document: Document, place: Place, users: Sequence[object], profiles: Profiles
) -> None:
    """Note faults of the attack at `place`: ('users', i, 'attack')."""
    user = users[int(place[1])]
    attack = user.get("attack") if isinstance(user, dict) else None
    if not isinstance(attack, dict):
        return
    household = {
        text_of(other, "name") or "": other
        for other in users
        if isinstance(other, dict) and "attack" not in other
    }
    for j, name in items(attack, "of"):
        if name not in household:
            message = f"{name!r} is not a user with habits{nearest(name, household)}"
            document.fault((*place, "of", j), message)
    actions = [action for _, action in items(attack, "actions")]
    for j, action in enumerate(actions):
        _check_action(document, (*place, "actions", j), action, profiles)
    _check_kind(document, place, attack, household)


def _check_kind(
    document: Document,
    place: Place,
    attack: Mapping[str, object],
    household: Mapping[str, object],
) -> None:
    """Note what a kind of attack lacks: something to do, or an order to change."""
    kind = text_of(attack, "kind")
    among = [name for _, name in items(attack, "of")] or list(household)
    if not household:
        document.fault(place, "needs a user with habits, who is attacked")
    elif kind == AttackKind.NEW_ACTION and not attack.get("actions"):
        message = "needs actions: what the household never does"
        document.fault((*place, "kind"), message)
    elif kind == AttackKind.ORDER_SWAP and not any(
        len(list(items(routine, "steps"))) >= _FEWEST_STEPS
        for name in among
        for _, routine in items(household.get(name), "routines")
    ):
        message = (
            f"needs a routine of {_FEWEST_STEPS} steps or more, to change its order"
        )
        document.fault((*place, "kind"), message)
    if kind == AttackKind.VOICE_INJECTION:
        for j, action in items(attack, "actions"):
            channel = text_of(action, "channel")
            if channel in CHANNELS and channel != Channel.VOICE:
                where = (*place, "actions", j, "channel")
                document.fault(where, f"must be 'voice', got {channel!r}")


def _check_action(
    document: Document, place: Place, action: object, profiles: Profiles
) -> None:
    device = text_of(action, "device")
    profile = known_device(document, (*place, "device"), device, profiles)
    activity, channel = text_of(action, "activity"), text_of(action, "channel")
    if profile is not None and known_activity(
        document, (*place, "activity"), activity, profile
    ):
        channels = [str(c) for c in profile.activities[activity or ""].channels]
        if channel in CHANNELS and channel not in channels:
            message = f"{activity} has channel {one_of(channels)}, got {channel!r}"
            document.fault((*place, "channel"), message)


def _check_rates(document: Document, place: Place, habit: object) -> None:
    for kind in ("weekday", "weekend"):
        for key, rate in entries(habit, kind):
            _check_rate(document, (*place, kind, key), key, rate)


def _check_rate(document: Document, place: Place, key: str, rate: object) -> None:
    try:
        hours_of(key)
    except ValueError as exc:
        document.fault(place, f"{exc}, got {key!r}", at_key=True)
    try:
        fits = 0 <= float(str(rate)) <= 60
    except ValueError:
        fits = False
    if not fits:
        document.fault(place, f"must be 0 to 60 events per hour, got {got(rate)}")
