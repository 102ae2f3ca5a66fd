"""Faults on the script of a virtual lab: which kinds there are, and what each takes.

docs/virtual-lab.md says what they do.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from testbed.model.source import Document, Place
from testbed.model.typed import nearest, one_of
from testbed.model.types import parse_offset, parse_seconds

DEVICE, PLUG, EITHER = "device", "plug", "device or plug"
_NEEDED = (DEVICE, PLUG, EITHER)
_APP = "app"  # the phone, or a device by its app


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What a fault may say.

    target  DEVICE, PLUG or EITHER, which must be named; _APP, or the only part it has
    value   'time', 'offset', 'words' of `words`, or '' for anything
    """

    target: str
    value: str = ""
    words: tuple[str, ...] = ()


def _worded(target: str, *words: str) -> Kind:
    return Kind(target=target, value="words", words=words)


KINDS: Mapping[str, Kind] = {
    "anr": _worded(_APP, "crash", "touch"),
    "api_garbled": Kind(target=EITHER),
    "app_updated": _worded(_APP, "id", "text", "all", "move", "swap"),
    "capture_drops": Kind(target="router"),
    "capture_killed": Kind(target="router"),
    "clock_step": Kind(target="router", value="offset"),
    "deaf_speaker": Kind(target=DEVICE),
    "device_offline": Kind(target=DEVICE),
    "device_reboots": Kind(target=DEVICE),
    "dump_fails": Kind(target="phone", value="time"),
    "internet_down": Kind(target="router"),
    "lying_plug": Kind(target=PLUG),
    "permission_dialog": _worded(_APP, "touch"),
    "phone_offline": Kind(target="phone"),
    "phone_reboot": Kind(target="phone", value="time"),
    "phone_slow": Kind(target="phone", value="time"),
    "plug_flaps": Kind(target=PLUG),
    "plug_unreachable": Kind(target=EITHER),
    "popup": _worded(_APP, "foreign", "low_battery", "system_update", "touch"),
    "router_disk_full": Kind(target="router"),
    "router_link_down": Kind(target="router"),
    "router_reboot": _worded("router", "lost"),
    "ssh_hang": Kind(target="router"),
    "stale_dump": Kind(target="phone"),
    "stuck_plug": Kind(target=PLUG),
    "tts_down": Kind(target="voice"),
}
VIRTUAL_FAULTS = tuple(KINDS)


def check_script(
    document: Document, plugs: Collection[str], devices: Collection[str] | None
) -> None:
    """Note what is wrong with the faults of a lab file.

    plugs    names of the lab's plugs
    devices  those that have a profile; None where nobody knows
    """
    lab = document.value
    virtual = lab.get("virtual") if isinstance(lab, dict) else None
    faults = virtual.get("faults") if isinstance(virtual, dict) else None
    for i, fault in enumerate(faults if isinstance(faults, list) else ()):
        if not isinstance(fault, dict):
            continue
        place: Place = ("virtual", "faults", i)
        _check_times(document, place, fault)
        name = fault.get("kind")
        if not isinstance(name, str):
            continue
        kind = KINDS.get(name)
        if kind is None:
            message = f"{name!r} is not a fault of the virtual lab"
            message += nearest(name, VIRTUAL_FAULTS)
            document.fault((*place, "kind"), message)
            continue
        named = fault.get("target")
        known = _targets(kind, plugs, devices)
        if named is None and kind.target in _NEEDED:
            message = f"is missing: {name} needs the name of a {kind.target}"
            document.fault((*place, "target"), message, absent=True)
        elif isinstance(named, str) and known is not None and named not in known:
            noun = kind.target if kind.target in _NEEDED else f"target of {name}"
            there = f"; there is {one_of(sorted(known))}" if known else ""
            hint = nearest(named, known) or there
            message = f"{named!r} is not a {noun} of this lab{hint}"
            document.fault((*place, "target"), message)
        _check_value(document, (*place, "value"), kind, fault.get("value"))


def _targets(
    kind: Kind, plugs: Collection[str], devices: Collection[str] | None
) -> set[str] | None:
    """Return what a fault of a kind may name; None where nobody knows."""
    if kind.target == PLUG:
        return set(plugs)
    if kind.target in (DEVICE, EITHER, _APP):
        if devices is None:
            return None
        more = {EITHER: plugs, _APP: ("phone",)}.get(kind.target, ())
        return {*devices, *more}
    return {kind.target}


def _check_times(document: Document, place: Place, fault: Mapping[str, object]) -> None:
    if fault.get("until") is None:
        return
    try:
        at_s = parse_seconds(fault.get("at", "0 s"))
        until_s = parse_seconds(fault["until"])
    except ValueError:  # the typed model says so
        return
    if until_s <= at_s:
        message = f"must be after `at` ({fault.get('at', '0 s')}), "
        document.fault((*place, "until"), f"{message}got {fault['until']!r}")


def _check_value(document: Document, place: Place, kind: Kind, value: object) -> None:
    if not isinstance(value, str) or not value.strip():
        return
    try:
        if kind.value == "time":
            parse_seconds(value)
        elif kind.value == "offset":
            parse_offset(value)
    except ValueError as exc:
        document.fault(place, f"{exc}, got {value!r}")
    wrong = [w for w in value.split() if w not in kind.words]
    if kind.value == "words" and wrong:
        message = f"must be {one_of(kind.words)}, got {value!r}"
        document.fault(place, message + nearest(wrong[0], kind.words))
