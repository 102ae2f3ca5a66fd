"""Faults that one model alone cannot see: names that point elsewhere."""

from collections.abc import Mapping

from testbed.model.lab import Lab
from testbed.model.profile import DeviceProfile
from testbed.model.scenario import Habit, Scenario, Selection
from testbed.model.source import Document, Place
from testbed.model.typed import nearest, one_of
from testbed.model.types import Channel, parse_seconds

VIRTUAL_FAULTS = (
    "capture_killed",
    "deaf_speaker",
    "lying_plug",
    "phone_offline",
    "popup",
    "router_disk_full",
    "router_link_down",
    "stuck_plug",
    "tts_down",
)


def check_lab(
    document: Document, lab: Lab, profiles: Mapping[str, DeviceProfile] | None = None
) -> None:
    """Note faults of a lab file; against the profiles too where they are given."""
    if lab.voice is not None and (lab.voice.pcm_tcp is None) == (not lab.voice.command):
        document.fault(("voice",), "must have one of pcm_tcp and command")
    if lab.router.key_file is None and lab.router.key_env is None:
        document.fault(("router",), "must have key_file or key_env")
    if lab.router.host_key is None and lab.router.host_key_file is None:
        remedy = f"; `ssh-keyscan {lab.router.host}` prints it, check it by hand"
        document.fault(("router",), f"must pin host_key or host_key_file{remedy}")
    _check_host_port(document, ("router", "beacon"), lab.router.beacon)
    for name, plug in lab.plugs.items():
        if (plug.feeds is None) == (plug.is_device is None):
            document.fault(("plugs", name), "must have one of feeds and is_device")
        device = plug.feeds or plug.is_device
        if profiles and device and device not in profiles:
            message = f"{device!r} is not a device profile{nearest(device, profiles)}"
            key = "feeds" if plug.feeds else "is_device"
            document.fault(("plugs", name, key), message)
    for i, fault in enumerate(lab.virtual.faults if lab.virtual else ()):
        if fault.kind not in VIRTUAL_FAULTS:
            message = f"must be one of {one_of(VIRTUAL_FAULTS)}, got {fault.kind!r}"
            document.fault(("virtual", "faults", i, "kind"), message)


def check_profile(document: Document, profile: DeviceProfile) -> None:
    """Note faults of a device profile."""
    for name, activity in profile.activities.items():
        place: Place = ("activities", name)
        if not activity.channels:
            message = f"must have a channel: {one_of(c.value for c in Channel)}"
            document.fault(place, message)
        if activity.delta not in profile.delta_groups:
            try:
                parse_seconds(activity.delta)
            except ValueError as exc:
                groups = profile.delta_groups
                hint = f" or one of delta_groups{nearest(activity.delta, groups)}"
                document.fault(
                    (*place, "delta"), f"{exc}{hint}, got {activity.delta!r}"
                )
        if activity.phone is not None and profile.app is None:
            document.fault((*place, "phone"), "needs `app:` in the profile")
        for key in (*activity.needs, *activity.gives):
            if key not in profile.initial:
                kind = "needs" if key in activity.needs else "gives"
                message = f"is not a state of `initial`{nearest(key, profile.initial)}"
                document.fault((*place, kind, key), message, at_key=True)


def check_scenario(
    document: Document,
    scenario: Scenario,
    profiles: Mapping[str, DeviceProfile],
    lab: Lab | None = None,
) -> None:
    """Note faults of a scenario: devices, activities and channels that do not exist."""
    if not (scenario.devices or scenario.select or scenario.users):
        document.fault((), "must name what to do: devices, select or users")
    if scenario.users and (scenario.devices or scenario.select):
        document.fault(("users",), "cannot stand beside devices or select")
    if scenario.sessions > scenario.repeats and not scenario.users:
        message = f"cannot be more than repeats, {scenario.repeats}"
        document.fault(("sessions",), f"{message}, got {scenario.sessions}")
    for i, device in enumerate(scenario.devices):
        _known_device(document, ("devices", i), device, profiles)
    for i, selection in enumerate(scenario.select):
        _check_selection(document, ("select", i), selection, profiles)
    for i, user in enumerate(scenario.users):
        for j, habit in enumerate(user.habits):
            _check_habit(document, ("users", i, "habits", j), habit, profiles)
    if lab is not None:
        _check_instruments(document, scenario, profiles, lab)


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


def _known_device(
    document: Document,
    place: Place,
    device: str,
    profiles: Mapping[str, DeviceProfile],
) -> DeviceProfile | None:
    if device in profiles:
        return profiles[device]
    message = f"{device!r} is not a device profile{nearest(device, profiles)}"
    document.fault(place, message)
    return None


def _known_activity(
    document: Document, place: Place, activity: str, profile: DeviceProfile
) -> bool:
    if activity in profile.activities:
        return True
    hint = nearest(activity, profile.activities)
    document.fault(place, f"{activity!r} is not an activity of {profile.device}{hint}")
    return False


def _check_selection(
    document: Document,
    place: Place,
    selection: Selection,
    profiles: Mapping[str, DeviceProfile],
) -> None:
    profile = _known_device(document, (*place, "device"), selection.device, profiles)
    if profile is None:
        return
    for i, name in enumerate(selection.activities):
        _known_activity(document, (*place, "activities", i), name, profile)
    names = selection.activities or tuple(profile.activities)
    chosen = [profile.activities[n] for n in names if n in profile.activities]
    for i, channel in enumerate(selection.channels):
        if not any(channel in activity.channels for activity in chosen):
            message = f"no chosen activity of {profile.device} has channel {channel!s}"
            document.fault((*place, "channels", i), message)


def _check_habit(
    document: Document,
    place: Place,
    habit: Habit,
    profiles: Mapping[str, DeviceProfile],
) -> None:
    profile = _known_device(document, (*place, "device"), habit.device, profiles)
    if profile is not None and _known_activity(
        document, (*place, "activity"), habit.activity, profile
    ):
        channels = profile.activities[habit.activity].channels
        if habit.channel not in channels:
            valid = one_of(c.value for c in channels)
            message = f"{habit.activity} has channel {valid}, got {habit.channel!s}"
            document.fault((*place, "channel"), message)
    for kind in ("weekday", "weekend"):
        for key, rate in getattr(habit, kind).items():
            try:
                hours_of(key)
            except ValueError as exc:
                message = f"{exc}, got {key!r}"
                document.fault((*place, kind, key), message, at_key=True)
            if not 0 <= rate <= 60:
                message = f"must be 0 to 60 events per hour, got {rate:g}"
                document.fault((*place, kind, key), message)


def _check_instruments(
    document: Document,
    scenario: Scenario,
    profiles: Mapping[str, DeviceProfile],
    lab: Lab,
) -> None:
    powered = {p.feeds for p in lab.plugs.values()}
    for i, selection in enumerate(scenario.select):
        wants_power = Channel.POWER in selection.channels
        if wants_power and selection.device not in powered:
            message = f"no plug of the lab feeds {selection.device}"
            document.fault(("select", i, "channels"), message)


def _check_host_port(document: Document, place: Place, text: str) -> None:
    host, colon, port = text.rpartition(":")
    if not (colon and host and port.isdigit() and 0 < int(port) < 65536):
        document.fault(place, f"must be host:port, got {text!r}")
