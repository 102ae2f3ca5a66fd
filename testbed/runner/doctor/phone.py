"""The phone: whether it answers and is usable, and its apps are those of the lock."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from testbed.errors import DriverError
from testbed.model.applock import AppLock, LockedApp
from testbed.model.inspection import PhoneFacts, PhoneInspector
from testbed.model.profile import DeviceProfile
from testbed.model.protocols import Phone, Voice
from testbed.runner.apps.drift import phone_changes, state_in
from testbed.runner.apps.state import AppState, app_state
from testbed.runner.apps.walk import POINT, Walked, by_place, walk
from testbed.runner.doctor.findings import Finding, Said, Value, Verdict
from testbed.runner.doctor.voice import ask_speaker
from testbed.runner.doctor.ward import Ward

_OPEN_S = 40.0
_ASK_S = 20.0
_WALK_S = 45.0
_HEARD = "voice.heard"  # it looks into an app, too
_GOES_ON = "an earlier look at the phone was not over in time and may still touch it"
_REMAKE = "`testbed doctor --lock` accepts what is there now"


@dataclass(slots=True)
class PhoneSeen:
    """What was seen of a phone, for an app lock."""

    facts: PhoneFacts | None = None
    apps: dict[str, AppState] = field(default_factory=dict)
    walks: dict[str, Walked] = field(default_factory=dict)


def look_at_phone(ward: Ward, voice: Callable[[], Voice | None]) -> PhoneSeen:
    """Look at the phone and its apps; ask the speakers whether they hear.

    voice  waits for the loudspeaker; None when there is none that speaks
    """
    seen, examiner = PhoneSeen(), ward.examiner
    devices = [d for d, p in ward.profiles.items() if _matters(ward, p)]
    if ward.lab.phone is None:
        if devices:
            examiner.skip("phone.answers", "the lab file names no phone")
        return seen
    phone = examiner.look("phone.answers", lambda: _opened(ward), deadline_s=_OPEN_S)
    if phone is None:
        for check in ("phone.screen", "phone.lock"):
            examiner.skip(check, "the phone does not answer")
        for device in devices:
            _skip(ward, device, "the phone does not answer")
        return seen
    if examiner.wants("phone"):
        _look_at_screen(ward, phone, seen)
    order = sorted(devices, key=lambda d: _speaks(ward.profiles[d]))
    lost = _GOES_ON if _is_late(ward) else ""
    for device in order:
        if lost:
            _skip(ward, device, lost)
            continue
        _look_at_device(ward, phone, device, seen, voice)
        lost = _lost(ward, phone, device)
    return seen


def on_phone(finding: Finding) -> bool:
    """Say whether a look uses the phone."""
    return finding.part == "phone" or finding.check == _HEARD


def _is_late(ward: Ward) -> bool:
    return ward.examiner.is_late("phone", _HEARD)


def _matters(ward: Ward, profile: DeviceProfile) -> bool:
    """Say whether the phone is used for a device at all."""
    return profile.app is not None and any(
        profile.activities[a].phone or profile.activities[a].voice
        for a in ward.activities(profile.device)
    )


def _package(profile: DeviceProfile) -> str:
    return profile.app.package if profile.app is not None else ""


def _speaks(profile: DeviceProfile) -> bool:
    return any(a.voice is not None for a in profile.activities.values())


def _opened(ward: Ward) -> tuple[Said, Phone]:
    phone: Phone = ward.opened("phone", ward.lab.phone)
    assert ward.lab.phone is not None  # noqa: S101 - looked at before
    at = ward.lab.phone
    measured: dict[str, Value] = {"serial": at.serial, "adb_port": at.adb_port}
    return Said(said=f"{at.serial} answers", measured=measured), phone


def _lost(ward: Ward, phone: Phone, device: str) -> str:
    """Return why the next device cannot be looked at, or ''.

    The phone is asked once more after a device on which something was bad.
    """
    if _is_late(ward):
        return _GOES_ON
    last = [f for f in ward.examiner.findings if f.part == "phone"][-1:]
    if not last or last[0].said.verdict is not Verdict.BAD:
        return ""
    try:
        app_state(phone, _package(ward.profiles[device]))
    except DriverError:
        return "the phone was lost meanwhile"
    return ""


def _skip(ward: Ward, device: str, why: str) -> None:
    for check in ("phone.app", "phone.selectors"):
        ward.examiner.skip(check, why, device)
    if _speaks(ward.profiles[device]):
        ward.examiner.skip(_HEARD, why, device)


def _look_at_screen(ward: Ward, phone: Phone, seen: PhoneSeen) -> None:
    examiner = ward.examiner
    if not isinstance(phone, PhoneInspector):
        examiner.skip("phone.screen", "this driver does not tell")
        return

    def ask() -> tuple[Said, PhoneFacts]:
        facts = phone.describe()
        return _usable(facts), facts

    seen.facts = examiner.look("phone.screen", ask, deadline_s=_ASK_S)
    if seen.facts is not None:
        said = _as_locked(seen.facts, ward.lock)
        examiner.note(Finding(check="phone.lock", target="", said=said))


def _usable(facts: PhoneFacts) -> Said:
    """Judge whether taps will reach the apps."""
    measured: dict[str, Value] = {
        "model": facts.model,
        "android": facts.android,
        "size": f"{facts.width}x{facts.height}",
        "density": facts.density,
        "locale": facts.locale,
        "font_scale": facts.font_scale,
        "awake": facts.awake,
        "locked": facts.locked,
        "stays_on": facts.stays_on,
        "animations": list(facts.animations),
    }
    what = f"{facts.model}, Android {facts.android}, {measured['size']}"
    if facts.locked:
        said, remedy = "it is locked", "unlock it and turn the lock screen off"
        return Said(said=said, verdict=Verdict.BAD, measured=measured, remedy=remedy)
    weak = []
    if not facts.awake:
        weak.append(("its screen is off", "wake it up"))
    if not facts.stays_on:
        weak.append(("its screen may go off", "turn on 'Stay awake' for developers"))
    if any(float(a or 1) > 0 for a in facts.animations if _is_number(a)):
        weak.append(("it shows animations", "set the three animation scales to 0"))
    if not weak:
        return Said(said=f"{what}, awake", measured=measured)
    return Said(
        said="; ".join(w for w, _ in weak),
        verdict=Verdict.WARNING,
        measured=measured,
        remedy="; ".join(r for _, r in weak),
    )


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).isdigit()


def _as_locked(facts: PhoneFacts, lock: AppLock | None) -> Said:
    """Hold the phone against the app lock."""
    if lock is None:
        return Said(
            said="there is no app.lock.yaml beside the lab file",
            verdict=Verdict.WARNING,
            remedy="`testbed doctor --lock` makes one",
        )
    changes = phone_changes(facts, lock.phone)
    measured: dict[str, Value] = {"made": lock.made, "devices": len(lock.devices)}
    if not changes:
        return Said(said="the phone is as in app.lock.yaml", measured=measured)
    told = [f"{name} {was} -> {now}" for name, (was, now) in changes.items()]
    return Said(
        said=f"not as in app.lock.yaml: {', '.join(told)}",
        verdict=Verdict.WARNING,
        measured={**measured, "changes": told},
        remedy=_REMAKE,
    )


def _look_at_device(
    ward: Ward,
    phone: Phone,
    device: str,
    seen: PhoneSeen,
    voice: Callable[[], Voice | None],
) -> None:
    profile, examiner = ward.profiles[device], ward.examiner
    locked = ward.lock.devices.get(device) if ward.lock is not None else None

    def state() -> tuple[Said, AppState]:
        got = app_state(phone, _package(profile))
        return _build(got, profile, locked), got

    if examiner.wants("phone"):
        got = examiner.look("phone.app", state, deadline_s=_ASK_S, target=device)
        if got is None or not got.installed:
            _skip_walk(ward, profile, "its app is not there")
            return
        seen.apps[device] = got

        def go() -> tuple[Said, Walked]:
            walked = walk(phone, profile, ward.activities(device))
            return _found(walked, locked), walked

        walked = examiner.look("phone.selectors", go, deadline_s=_WALK_S, target=device)
        if walked is not None:
            seen.walks[device] = walked
    if examiner.wants("voice") and _speaks(profile):
        _ask(ward, phone, profile, voice)


def _ask(
    ward: Ward,
    phone: Phone,
    profile: DeviceProfile,
    voice: Callable[[], Voice | None],
) -> None:
    """Speak to a device, where both loudspeaker and phone are free for it."""
    speaker = voice()
    if _is_late(ward):
        ward.examiner.skip(_HEARD, _GOES_ON, profile.device)
    elif speaker is None:
        ward.examiner.skip(_HEARD, "the loudspeaker does not speak", profile.device)
    else:
        ask_speaker(ward, phone, speaker, profile)


def _skip_walk(ward: Ward, profile: DeviceProfile, why: str) -> None:
    why = _GOES_ON if _is_late(ward) else why
    ward.examiner.skip("phone.selectors", why, profile.device)
    if _speaks(profile):
        ward.examiner.skip(_HEARD, why, profile.device)


def _build(got: AppState, profile: DeviceProfile, locked: LockedApp | None) -> Said:
    """Judge the build of an app against lock and profile."""
    app = profile.app
    wanted = app.version if app is not None else ""
    measured: dict[str, Value] = {
        "package": got.package,
        "version": got.version,
        "version_code": got.version_code,
        "profile": wanted,
        "lock": locked.version if locked is not None else "",
    }
    if not got.installed:
        return Said(
            said=f"{got.package} is not installed",
            verdict=Verdict.BAD,
            measured=measured,
            remedy="install the app and log in",
        )
    if locked is not None:
        changes = got.differs_from(state_in(locked))
        if changes:
            told = ", ".join(f"{n} {a} -> {b}" for n, (a, b) in changes.items())
            return Said(
                said=f"not as in app.lock.yaml: {told}",
                verdict=Verdict.BAD,
                measured=measured,
                remedy=f"look at it, then {_REMAKE}",
            )
        return Said(said=f"{got.version}, as in app.lock.yaml", measured=measured)
    if wanted and wanted != got.version:
        return Said(
            said=f"{got.version} is installed, the profile was written for {wanted}",
            verdict=Verdict.WARNING,
            measured=measured,
            remedy="`testbed doctor --lock` keeps what works with this one",
        )
    return Said(said=f"{got.version}", measured=measured)


def _found(walked: Walked, locked: LockedApp | None) -> Said:
    """Judge what a dry walk saw."""
    if walked.trouble:
        head, _, remedy = walked.trouble.partition("; ")
        return Said(said=head, verdict=Verdict.BAD, remedy=remedy)
    found = by_place(walked)
    rungs = {place: seen.rung for place, seen in found.items()}
    n_points = sum(rung == POINT for rung in rungs.values())
    measured: dict[str, Value] = {
        "selectors": len(walked.seen),
        "found": len(found) - n_points,
        "points": n_points,
        "rungs": [f"{place}: {rung}" for place, rung in rungs.items()],
    }
    if walked.missing:
        lost = [f"{w.place} ({w.selector.words()})" for w in walked.missing]
        return Said(
            said=f"not on the screen: {', '.join(lost)}",
            verdict=Verdict.BAD,
            measured={**measured, "missing": lost},
            remedy="look at the app; then correct the selectors in the profile",
        )
    said = f"{len(found)} selector{'s' * (len(found) != 1)} found"
    if walked.closed:
        return Said(
            said=f"{said}, after a pop-up was closed by {'; '.join(walked.closed)}",
            verdict=Verdict.WARNING,
            measured={**measured, "closed": list(walked.closed)},
            remedy="it may come back in a trial, where it is closed again",
        )
    return _as_before(walked, locked, said, measured)


def _as_before(
    walked: Walked, locked: LockedApp | None, said: str, measured: dict[str, Value]
) -> Said:
    """Hold what was found against the lock."""
    others = _other_words(walked, locked)
    if others:
        return Said(
            said=f"{said}, some say another thing: {', '.join(others)}",
            verdict=Verdict.WARNING,
            measured={**measured, "others": list(others)},
            remedy=f"is that the right button still? Then {_REMAKE}",
        )
    lower = _lower(walked, locked)
    if lower:
        return Said(
            said=f"{said}, some lower on the ladder: {', '.join(lower)}",
            verdict=Verdict.WARNING,
            measured={**measured, "lower": list(lower)},
            remedy=f"correct the upper rungs in the profile, or {_REMAKE}",
        )
    return Said(said=said, measured=measured)


def _other_words(walked: Walked, locked: LockedApp | None) -> Sequence[str]:
    """Return the views that were found as in the lock, and do not say the same."""
    others = []
    for place, seen in by_place(walked).items():
        then = locked.selectors.get(place) if locked is not None else None
        if then is not None and then.rung == seen.rung and then.text != seen.text:
            others.append(f"{place} {seen.text!r} instead of {then.text!r}")
    return others


def _lower(walked: Walked, locked: LockedApp | None) -> Sequence[str]:
    """Return the selectors that were found by a lower rung than they should be."""
    expected: Mapping[str, str] = (
        {p: s.rung for p, s in locked.selectors.items()} if locked is not None else {}
    )
    lower = []
    for place, seen in by_place(walked).items():
        ladder = [rung.name for rung in seen.want.selector.any]
        first = expected.get(place, ladder[0])
        at = ladder.index(first) if first in ladder else 0
        if seen.index > at:
            lower.append(f"{place} by {seen.rung} instead of {first}")
    return lower
