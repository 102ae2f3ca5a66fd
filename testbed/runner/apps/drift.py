"""Drift: the phone and its apps are not those of the app lock.

A campaign on an app that was updated meanwhile would label what nobody has looked at.
So it does not begin; a report says what changed and which selectors are still found.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from testbed.clock import Clock, basic_time
from testbed.errors import DriverError, JournalError, LabError
from testbed.model.applock import (
    AppLock,
    LockedApp,
    LockedPhone,
    LockedSelector,
    digest_of,
)
from testbed.model.inspection import PhoneFacts, PhoneInspector
from testbed.model.profile import DeviceProfile
from testbed.model.protocols import Phone
from testbed.runner.apps.state import AppState, app_state
from testbed.runner.apps.walk import Seen, Walked, by_place, walk

Change = tuple[str, str]  # what it was, what it is
_PHONE = ("model", "width", "height", "density", "locale", "font_scale")


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectorDrift:
    """A selector then and now; rung '' is 'not found'."""

    place: str
    selector: str
    was: LockedSelector | None
    rung: str
    text: str
    view: str

    @property
    def verdict(self) -> str:
        """Say how it is: lost, new, another rung, another text, moved or same."""
        if not self.rung:
            return "lost"
        if self.was is None:
            return "new"
        if self.rung != self.was.rung:
            return "another rung"
        if self.text != self.was.text:
            return "another text"
        return "same" if self.view == self.was.view else "moved"


@dataclass(frozen=True, slots=True, kw_only=True)
class AppDrift:
    """One app that changed: its builds, its selectors, what the walk met.

    picture, tree  files of the report, '' where the phone gave none
    """

    device: str
    package: str
    changes: Mapping[str, Change]
    selectors: tuple[SelectorDrift, ...] = ()
    trouble: str = ""
    picture: str = ""
    tree: str = ""


def phone_changes(facts: PhoneFacts, locked: LockedPhone) -> dict[str, Change]:
    """Return what is not as in the lock: name -> (there, here)."""
    pairs = {n: (str(getattr(locked, n)), str(getattr(facts, n))) for n in _PHONE}
    return {n: p for n, p in pairs.items() if p[0] not in ("", "0") and p[0] != p[1]}


def changed_apps(
    phone: Phone,
    profiles: Mapping[str, DeviceProfile],
    devices: Iterable[str],
    lock: AppLock,
) -> dict[str, dict[str, Change]]:
    """Return the devices whose app is another build than in the lock, and how.

    A device that the lock does not know is not among them. Raises DriverError.
    """
    found = {}
    for device in devices:
        locked, app = lock.devices.get(device), profiles[device].app
        if locked is None or app is None:
            continue
        changes = app_state(phone, app.package).differs_from(state_in(locked))
        if changes:
            found[device] = changes
    return found


def state_in(locked: LockedApp) -> AppState:
    """Return the build that a lock holds."""
    return AppState(
        package=locked.package,
        version=locked.version,
        version_code=locked.version_code,
        signer=locked.signer,
    )


def locked_app(state: AppState, walked: Walked) -> LockedApp:
    """Return the entry of an app lock for what was just seen."""
    return LockedApp(
        package=state.package,
        version=state.version,
        version_code=state.version_code,
        signer=state.signer,
        selectors={
            place: LockedSelector(
                rung=seen.rung,
                text=seen.text,
                view=_view(seen),
            )
            for place, seen in by_place(walked).items()
        },
    )


def locked_phone(facts: PhoneFacts) -> LockedPhone:
    """Return the entry of an app lock for a phone."""
    return LockedPhone(
        model=facts.model,
        android=facts.android,
        width=facts.width,
        height=facts.height,
        density=facts.density,
        locale=facts.locale,
        font_scale=facts.font_scale,
    )


def require_no_drift(
    phone: Phone,
    profiles: Mapping[str, DeviceProfile],
    devices: Iterable[str],
    *,
    lock: AppLock,
    folder: Path,
    clock: Clock,
) -> None:
    """Raise LabError, after a report into `folder`, when an app is not the locked one.

    Only asks for versions where all is well. Raises LabError as well when the phone
    does not answer.
    """
    try:
        changed = changed_apps(phone, profiles, devices, lock)
        if not changed:
            return
        drifts = [
            _walked(phone, profiles[device], lock.devices[device], changes, folder)
            for device, changes in changed.items()
        ]
        facts = phone.describe() if isinstance(phone, PhoneInspector) else None
    except DriverError as exc:
        raise LabError(f"the phone is not ready: {exc}") from exc
    screen = phone_changes(facts, lock.phone) if facts is not None else {}
    write_report(folder, drifts, screen, made=basic_time(clock.now_ns()))
    told = ", ".join(f"{d.device} ({d.package}: {_told(d.changes)})" for d in drifts)
    raise LabError(
        f"apps are not those of app.lock.yaml: {told}; look at "
        f"{folder / 'drift.html'}, then `testbed doctor --lock` accepts them"
    )


def write_report(
    folder: Path,
    drifts: Iterable[AppDrift],
    screen: Mapping[str, Change],
    *,
    made: str,
) -> None:
    """Write `drift.json` and `drift.html`; raises JournalError."""
    drifts = tuple(drifts)
    plain = {
        "schema": 1,
        "made": made,
        "phone": {n: {"was": a, "is": b} for n, (a, b) in screen.items()},
        "apps": [_plain(drift) for drift in drifts],
    }
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # seldom needed

    pages = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,  # apps decide what is in it
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = pages.get_template("drift.html.j2")
    html = page.render(made=made, screen=screen, drifts=drifts)
    _write(folder / "drift.json", json.dumps(plain, indent=2, ensure_ascii=False))
    _write(folder / "drift.html", html)


def _walked(
    phone: Phone,
    profile: DeviceProfile,
    locked: LockedApp,
    changes: Mapping[str, Change],
    folder: Path,
) -> AppDrift:
    """Walk through an app that changed, and keep what its screen shows."""
    walked = walk(phone, profile)
    picture = tree = ""
    try:
        shown = phone.evidence()
    except DriverError:
        pass  # the report does without
    else:
        picture, tree = f"{profile.device}.png", f"{profile.device}.xml"
        _write(folder / picture, shown.screenshot_png)
        _write(folder / tree, shown.view_tree_xml)
    return AppDrift(
        device=profile.device,
        package=locked.package,
        changes=changes,
        selectors=_selectors(walked, locked),
        trouble=walked.trouble,
        picture=picture,
        tree=tree,
    )


def _selectors(walked: Walked, locked: LockedApp) -> tuple[SelectorDrift, ...]:
    found = by_place(walked)
    wants = {s.want.place: s.want for s in walked.seen}
    wants |= {w.place: w for w in walked.missing}
    rows = []
    for place, want in wants.items():
        seen = found.get(place)
        rows.append(
            SelectorDrift(
                place=place,
                selector=want.selector.words(),
                was=locked.selectors.get(place),
                rung=seen.rung if seen else "",
                text=seen.text if seen else "",
                view=_view(seen) if seen else "",
            )
        )
    return tuple(rows)


def _view(seen: Seen) -> str:
    """Return the digest of a view, '' of a bare point, which is none."""
    return digest_of(seen.text, seen.point) if seen.index >= 0 else ""


def _plain(drift: AppDrift) -> dict[str, object]:
    return {
        "device": drift.device,
        "package": drift.package,
        "changes": {n: {"was": a, "is": b} for n, (a, b) in drift.changes.items()},
        "trouble": drift.trouble,
        "picture": drift.picture,
        "tree": drift.tree,
        "selectors": [
            {
                "place": s.place,
                "selector": s.selector,
                "verdict": s.verdict,
                "was": s.was.model_dump() if s.was is not None else None,
                "is": {"rung": s.rung, "text": s.text, "view": s.view},
            }
            for s in drift.selectors
        ],
    }


def _told(changes: Mapping[str, Change]) -> str:
    return ", ".join(f"{n} {a} -> {b or 'none'}" for n, (a, b) in changes.items())


def _write(path: Path, data: str | bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)
    except OSError as exc:
        raise JournalError(f"{path} cannot be written: {exc.strerror}") from exc
