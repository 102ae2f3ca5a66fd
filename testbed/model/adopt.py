"""Profiles of another lab, adopted by this one: its activities, our copies.

What is done, how and for how long a label lasts comes from there; whose packets these
are (MAC, unit, firmware, version of the app) from here.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from testbed.model.lab import Lab
from testbed.model.plan import PlannedTrial
from testbed.model.profile import App, DeviceProfile
from testbed.model.types import Channel
from testbed.model.wired import Wired

_IDENTITY = ("mac", "unit", "firmware", "vendor", "model", "category", "plaintext")
_TOLD = ("unit", "firmware", "vendor", "model")
_CONDUCT = ("rest", "settle", "initial", "interrupts", "permissions")


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopted:
    """Profiles to run with, by device.

    differences  a line for each thing that is not as it was there
    refusals     a sentence for each thing that cannot be done here
    """

    profiles: Mapping[str, DeviceProfile]
    differences: tuple[str, ...]
    refusals: tuple[str, ...]


def adopt(
    theirs: Mapping[str, DeviceProfile],
    ours: Mapping[str, DeviceProfile],
    trials: Sequence[PlannedTrial],
    lab: Lab,
) -> Adopted:
    """Return profiles with what their trials do and who our devices are.

    theirs, ours  profiles by device;  trials  those that are to be done again
    """
    used: dict[str, dict[str, None]] = {}
    for trial in trials:
        used.setdefault(trial.device, {})[trial.activity] = None
    made: dict[str, DeviceProfile] = {}
    differences: list[str] = []
    refusals: list[str] = []
    for device in sorted(used):
        if device not in theirs:
            refusals.append(f"{device}: campaign.yaml has no profile of it")
        elif device not in ours:
            remedy = f"write devices/{device}.yaml with the MAC of your copy"
            refusals.append(f"{device}: this lab has no profile of it; {remedy}")
        else:
            made[device] = merged(theirs[device], ours[device])
            differences += _differences(theirs[device], ours[device], used[device])
    refusals += _unserved(trials, lab)
    return Adopted(
        profiles=made, differences=tuple(differences), refusals=tuple(refusals)
    )


def merged(theirs: DeviceProfile, our: DeviceProfile) -> DeviceProfile:
    """Return their profile of a device, of our copy."""
    own: dict[str, object] = {name: getattr(our, name) for name in _IDENTITY}
    if theirs.app is not None and _same_app(theirs.app, our.app):
        own["app"] = our.app
    return theirs.model_copy(update=own)


def _same_app(their: App, our: App | None) -> bool:
    return our is not None and our.package == their.package


def _differences(
    theirs: DeviceProfile, our: DeviceProfile, activities: Mapping[str, None]
) -> Iterator[str]:
    device = theirs.device
    for name in _TOLD:
        then, now = getattr(theirs, name), getattr(our, name)
        if then != now:
            yield f"{device}: {name} is {_shown(now)} here, was {_shown(then)}"
    yield from _app_differs(theirs, our)
    for name in _CONDUCT:
        if getattr(theirs, name) != getattr(our, name):
            yield f"{device}: {name} is another here; that of the campaign is taken"
    for activity in activities:
        yield from _activity_differs(theirs, our, activity)


def _app_differs(theirs: DeviceProfile, our: DeviceProfile) -> Iterator[str]:
    if theirs.app is None:
        return
    if not _same_app(theirs.app, our.app):
        here = _shown(our.app.package if our.app is not None else "")
        yield f"{theirs.device}: app is {here} here; {theirs.app.package} is needed"
    elif our.app is not None and our.app.version != theirs.app.version:
        then, now = _shown(theirs.app.version), _shown(our.app.version)
        yield f"{theirs.device}: app version is {now} here, was {then}"


def _activity_differs(
    theirs: DeviceProfile, our: DeviceProfile, name: str
) -> Iterator[str]:
    where = f"{theirs.device} {name}"
    if name not in theirs.activities:
        return  # an old plan; `run` will say so
    if name not in our.activities:
        yield f"{where}: your profile has no such activity; the campaign's is taken"
        return
    then, now = theirs.delta_s(name), our.delta_s(name)
    if then != now:
        yield f"{where}: δ is {now:g} s here; the campaign's {then:g} s is taken"
    one, two = theirs.activities[name], our.activities[name]
    for field in ("needs", "gives", "parameters", "check", *map(str, Channel)):
        if getattr(one, field) != getattr(two, field):
            yield f"{where}: {field} is another here; that of the campaign is taken"


def _shown(text: object) -> str:
    return str(text) if text not in ("", None) else "unknown"


def _unserved(trials: Sequence[PlannedTrial], lab: Lab) -> Iterator[str]:
    """Yield what no instrument of the lab can do, once for a device and channel."""
    wired = Wired.of(lab)
    for device, channel in sorted({(t.device, t.channel) for t in trials}):
        if channel is Channel.PHONE and lab.phone is None:
            yield f"{device}: its {channel} activities need `phone:` in the lab file"
        elif channel is Channel.VOICE and lab.voice is None:
            yield f"{device}: its {channel} activities need `voice:` in the lab file"
        elif not wired.serves(device, channel):
            key = "feeds" if channel is Channel.POWER else "is_device"
            yield f"{device}: its {channel} activities need a plug with {key}: {device}"
