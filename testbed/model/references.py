"""Faults that one model alone cannot see: names that point elsewhere.

They are looked for in the text, not in the typed model, so that they are found beside
the faults of a file that cannot be typed.
"""

import re
from collections.abc import Mapping

from testbed.model.addresses import (
    folder_trouble,
    host_key_trouble,
    host_trouble,
)
from testbed.model.lookup import (
    CHANNELS,
    Profiles,
    entries,
    items,
    known_activity,
    known_device,
    text_of,
)
from testbed.model.scripted import check_script
from testbed.model.source import Document, Place
from testbed.model.typed import nearest, one_of
from testbed.model.types import parse_seconds
from testbed.model.user_references import check_users


def check_lab(document: Document, profiles: Profiles | None = None) -> None:
    """Note faults of a lab file; against the profiles too where they are given."""
    lab = document.value
    _check_journal(document, lab)
    _check_voice(document, lab)
    _check_router(document, lab)
    _check_plugs(document, lab, profiles)
    plugs = [name for name, _ in entries(lab, "plugs")]
    check_script(document, plugs, profiles or None)


def check_profile(document: Document) -> None:
    """Note faults of a device profile."""
    profile = document.value
    groups = dict(entries(profile, "delta_groups"))
    initial = dict(entries(profile, "initial"))
    for name, activity in entries(profile, "activities"):
        place: Place = ("activities", name)
        if not isinstance(activity, dict):
            continue
        if not any(channel in activity for channel in CHANNELS):
            document.fault(place, f"must have a channel: {one_of(CHANNELS)}")
        _check_delta(document, (*place, "delta"), activity.get("delta"), groups)
        if "phone" in activity and "app" not in (profile or {}):  # type: ignore[operator]
            document.fault((*place, "phone"), "needs `app:` in the profile")
        for kind in ("needs", "gives"):
            for key, _ in entries(activity, kind):
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
    for i, device in items(scenario, "devices"):
        known_device(document, ("devices", i), device, profiles)
    for i, selection in items(scenario, "select"):
        _check_selection(document, ("select", i), selection, profiles)
    check_users(document, scenario, profiles)


def _check_sessions(document: Document, scenario: object) -> None:
    sessions = text_of(scenario, "sessions") or "1"
    repeats = text_of(scenario, "repeats") or "1"
    whole = sessions.isdigit() and repeats.isdigit()
    if whole and int(sessions) > max(int(repeats), 1):
        message = f"cannot be more than repeats, got {sessions!r}"
        document.fault(("sessions",), message)


def _check_journal(document: Document, lab: object) -> None:
    journal = text_of(lab, "journal") or ""
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
    command = [part for _, part in items(voice, "command")]
    if command and not any("{wav}" in part for part in command):
        message = "must have '{wav}', which is replaced by the file to play"
        document.fault(("voice", "command"), message)


def _check_plugs(document: Document, lab: object, profiles: Profiles | None) -> None:
    for name, plug in entries(lab, "plugs"):
        if not isinstance(plug, dict):
            continue
        if ("feeds" in plug) == ("is_device" in plug):
            document.fault(("plugs", name), "must have one of feeds and is_device")
        for key in ("feeds", "is_device"):
            if profiles and key in plug:
                known_device(document, ("plugs", name, key), plug[key], profiles)
        host = text_of(plug, "host")
        if host is not None and (trouble := host_trouble(host)):
            document.fault(("plugs", name, "host"), trouble)
        if text_of(plug, "udn") == "":
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
        value = text_of(router, key)
        if value is not None and (trouble := trouble_of(value)):
            remedy = f"; {scan}" if key == "host_key" else ""
            document.fault(("router", key), trouble + remedy)
    text = text_of(router, "beacon")
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


def _check_selection(
    document: Document, place: Place, selection: object, profiles: Profiles
) -> None:
    device = text_of(selection, "device")
    profile = known_device(document, (*place, "device"), device, profiles)
    if profile is None:
        return
    for i, name in items(selection, "activities"):
        known_activity(document, (*place, "activities", i), name, profile)
    names = [n for _, n in items(selection, "activities")] or profile.activities
    chosen = [profile.activities[n] for n in names if n in profile.activities]
    for i, channel in items(selection, "channels"):
        known = channel in CHANNELS
        if known and not any(channel in activity.channels for activity in chosen):
            message = f"no chosen activity of {profile.device} has channel {channel!r}"
            document.fault((*place, "channels", i), message)
