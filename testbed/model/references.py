"""Faults that one model alone cannot see: names that point elsewhere.

They are looked for in the text, not in the typed model, so that they are found beside
the faults of a file that cannot be typed.
"""

import re
from collections.abc import Iterator, Mapping

from testbed.model.addresses import (
    folder_trouble,
    host_key_trouble,
    host_trouble,
)
from testbed.model.profile import DeviceProfile
from testbed.model.scripted import check_script
from testbed.model.source import Document, Place
from testbed.model.typed import got, nearest, one_of
from testbed.model.types import Channel, parse_seconds

CHANNELS = tuple(channel.value for channel in Channel)

# A device whose profile has faults is known by name, but not what it can do.
Profiles = Mapping[str, DeviceProfile | None]


def check_lab(document: Document, profiles: Profiles | None = None) -> None:
    """Note faults of a lab file; against the profiles too where they are given."""
    lab = document.value
    _check_journal(document, lab)
    _check_voice(document, lab)
    _check_router(document, lab)
    _check_plugs(document, lab, profiles)
    plugs = [name for name, _ in _entries(lab, "plugs")]
    check_script(document, plugs, profiles or None)


def check_profile(document: Document) -> None:
    """Note faults of a device profile."""
    profile = document.value
    groups = dict(_entries(profile, "delta_groups"))
    initial = dict(_entries(profile, "initial"))
    for name, activity in _entries(profile, "activities"):
        place: Place = ("activities", name)
        if not isinstance(activity, dict):
            continue
        if not any(channel in activity for channel in CHANNELS):
            document.fault(place, f"must have a channel: {one_of(CHANNELS)}")
        _check_delta(document, (*place, "delta"), activity.get("delta"), groups)
        if "phone" in activity and "app" not in (profile or {}):  # type: ignore[operator]
            document.fault((*place, "phone"), "needs `app:` in the profile")
        for kind in ("needs", "gives"):
            for key, _ in _entries(activity, kind):
                if key not in initial:
                    message = f"is not a state of `initial`{nearest(key, initial)}"
                    document.fault((*place, kind, key), message, at_key=True)


def check_scenario(document: Document, profiles: Profiles) -> None:
    """Note faults of a scenario: devices, activities and channels that do not exist."""
    scenario = document.value
    if not isinstance(scenario, dict):
        return
    given = [key for key in ("devices", "select", "users") if key in scenario]
    if not given:
        document.fault((), "must name what to do: devices, select or users")
    if "users" in given and len(given) > 1:
        document.fault(("users",), "cannot stand beside devices or select", at_key=True)
    if "users" not in given:
        _check_sessions(document, scenario)
    for i, device in _items(scenario, "devices"):
        _known_device(document, ("devices", i), device, profiles)
    for i, selection in _items(scenario, "select"):
        _check_selection(document, ("select", i), selection, profiles)
    _check_users(document, scenario, profiles)


def _check_users(document: Document, scenario: object, profiles: Profiles) -> None:
    days = _text(scenario, "days") or "1"
    names: set[str] = set()
    for i, user in _items(scenario, "users"):
        name, first = _text(user, "name") or "", _text(user, "first_day") or "0"
        if name in names:
            document.fault(("users", i, "name"), f"{name!r} is another user's already")
        names.add(name)
        if days.isdigit() and first.isdigit() and int(first) >= int(days):
            message = f"must be one of the days 0 to {int(days) - 1}, got {first!r}"
            document.fault(("users", i, "first_day"), message)
        for j, habit in _items(user, "habits"):
            _check_habit(document, ("users", i, "habits", j), habit, profiles)


def _check_sessions(document: Document, scenario: object) -> None:
    sessions = _text(scenario, "sessions") or "1"
    repeats = _text(scenario, "repeats") or "1"
    whole = sessions.isdigit() and repeats.isdigit()
    if whole and int(sessions) > max(int(repeats), 1):
        message = f"cannot be more than repeats, got {sessions!r}"
        document.fault(("sessions",), message)


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


def _check_journal(document: Document, lab: object) -> None:
    journal = _text(lab, "journal") or ""
    place = journal.partition("://")[2]
    before_host = place.rpartition("@")[0].partition(":")[2]
    as_parameter = re.findall(r"[?&](?:ssl)?password=([^&]*)", place)
    if any(p and not p.startswith("${") for p in (before_host, *as_parameter)):
        remedy = "put it into ~/.pgpass, or write ${VARIABLE} in its place"
        document.fault(("journal",), f"must not hold a password; {remedy}")


def _check_voice(document: Document, lab: object) -> None:
    voice = lab.get("voice") if isinstance(lab, dict) else None
    if isinstance(voice, dict) and ("pcm_tcp" in voice) == ("command" in voice):
        document.fault(("voice",), "must have one of pcm_tcp and command", at_key=True)
    command = [part for _, part in _items(voice, "command")]
    if command and not any("{wav}" in part for part in command):
        message = "must have '{wav}', which is replaced by the file to play"
        document.fault(("voice", "command"), message)


def _check_plugs(document: Document, lab: object, profiles: Profiles | None) -> None:
    for name, plug in _entries(lab, "plugs"):
        if not isinstance(plug, dict):
            continue
        if ("feeds" in plug) == ("is_device" in plug):
            document.fault(("plugs", name), "must have one of feeds and is_device")
        for key in ("feeds", "is_device"):
            if profiles and key in plug:
                _known_device(document, ("plugs", name, key), plug[key], profiles)
        host = _text(plug, "host")
        if host is not None and (trouble := host_trouble(host)):
            document.fault(("plugs", name, "host"), trouble)
        if _text(plug, "udn") == "":
            where = f"http://{host or 'PLUG'}:49153/setup.xml"
            message = f"must not be empty; {where} shows it"
            document.fault(("plugs", name, "udn"), message)


def _check_router(document: Document, lab: object) -> None:
    router = lab.get("router") if isinstance(lab, dict) else None
    if not isinstance(router, dict):
        return
    scan = f"`ssh-keyscan {router.get('host', 'HOST')}` prints it to compare"
    if not {"key_file", "key_env"} & set(router):
        document.fault(("router",), "must have key_file or key_env", at_key=True)
    if not {"host_key", "host_key_file"} & set(router):
        message = f"must pin host_key or host_key_file; {scan}"
        document.fault(("router",), message, at_key=True)
    looks = {"host": host_trouble, "folder": folder_trouble}
    looks["host_key"] = host_key_trouble
    for key, trouble_of in looks.items():
        value = _text(router, key)
        if value is not None and (trouble := trouble_of(value)):
            remedy = f"; {scan}" if key == "host_key" else ""
            document.fault(("router", key), trouble + remedy)
    text = _text(router, "beacon")
    if text is not None:
        host, colon, port = text.rpartition(":")
        if not (colon and host and port.isdigit() and 0 < int(port) < 65536):
            document.fault(("router", "beacon"), f"must be host:port, got {text!r}")


def _check_delta(
    document: Document, place: Place, delta: object, groups: Mapping[str, object]
) -> None:
    if not isinstance(delta, str) or delta in groups:
        return
    try:
        parse_seconds(delta)
    except ValueError as exc:
        hint = f" or one of delta_groups, got {delta!r}{nearest(delta, groups)}"
        document.fault(place, f"{exc}{hint}")


def _known_device(
    document: Document, place: Place, device: object, profiles: Profiles
) -> DeviceProfile | None:
    if not isinstance(device, str):
        return None
    if device not in profiles:
        message = f"{device!r} is not a device profile{nearest(device, profiles)}"
        document.fault(place, message)
        return None
    return profiles[device]


def _known_activity(
    document: Document, place: Place, activity: object, profile: DeviceProfile
) -> bool:
    if activity in profile.activities:
        return True
    if isinstance(activity, str):
        hint = nearest(activity, profile.activities)
        message = f"{activity!r} is not an activity of {profile.device}{hint}"
        document.fault(place, message)
    return False


def _check_selection(
    document: Document, place: Place, selection: object, profiles: Profiles
) -> None:
    device = _text(selection, "device")
    profile = _known_device(document, (*place, "device"), device, profiles)
    if profile is None:
        return
    for i, name in _items(selection, "activities"):
        _known_activity(document, (*place, "activities", i), name, profile)
    names = [n for _, n in _items(selection, "activities")] or profile.activities
    chosen = [profile.activities[n] for n in names if n in profile.activities]
    for i, channel in _items(selection, "channels"):
        known = channel in CHANNELS
        if known and not any(channel in activity.channels for activity in chosen):
            message = f"no chosen activity of {profile.device} has channel {channel!r}"
            document.fault((*place, "channels", i), message)


def _check_habit(
    document: Document, place: Place, habit: object, profiles: Profiles
) -> None:
    device = _text(habit, "device")
    profile = _known_device(document, (*place, "device"), device, profiles)
    activity, channel = _text(habit, "activity"), _text(habit, "channel")
    if profile is not None and _known_activity(
        document, (*place, "activity"), activity, profile
    ):
        channels = [str(c) for c in profile.activities[activity or ""].channels]
        if channel in CHANNELS and channel not in channels:
            message = f"{activity} has channel {one_of(channels)}, got {channel!r}"
            document.fault((*place, "channel"), message)
    for kind in ("weekday", "weekend"):
        for key, rate in _entries(habit, kind):
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


def _items(value: object, key: str) -> Iterator[tuple[int, str]]:
    """Yield (index, entry) of a list in a mapping; nothing where it is not one."""
    found = value.get(key) if isinstance(value, dict) else None
    yield from enumerate(found if isinstance(found, list) else ())


def _entries(value: object, key: str) -> Iterator[tuple[str, object]]:
    """Yield (key, value) of a mapping in a mapping; nothing where it is not one."""
    found = value.get(key) if isinstance(value, dict) else None
    yield from found.items() if isinstance(found, dict) else ()


def _text(value: object, key: str) -> str | None:
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, str) else None
