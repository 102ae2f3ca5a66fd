"""A dry walk through the apps, to see whether all is there that steps will want.

Done are the steps that lead to the screen of a trigger (they open apps and pages); the
trigger itself, and whatever comes after it, is only looked for. So nothing happens to a
device but what opening its app does.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from testbed.errors import DriverError
from testbed.model.inspection import PhoneInspector, Sighting
from testbed.model.profile import DeviceProfile
from testbed.model.protocols import Phone
from testbed.model.steps import Selector, Step
from testbed.runner.trials.stimulus import split_steps

PATIENCE_S = 4.0  # how long a screen may take to show what is looked for
POINT = "at"  # the rung that is a bare point
_INTERRUPT = "interrupt"  # in the detail of a bracket: pop-ups that were closed


@dataclass(frozen=True, slots=True, kw_only=True)
class Want:
    """A selector of a profile. place: activity and number of its step, 'turn_on/2'."""

    device: str
    place: str
    selector: Selector


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """A screen: the steps that lead there, and what is wanted on it."""

    steps: tuple[Step, ...]
    wants: tuple[Want, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """How one selector was found.

    rung   of the ladder that matched; 'at' for one that is but a point, '' for none
    index  place of that rung in the ladder, from 0; -1 for none
    """

    want: Want
    rung: str = ""
    index: int = -1
    text: str = ""
    point: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Walked:
    """What a walk through one app saw.

    closed   pop-ups that were in the way and were closed
    trouble  why the walk ended early, or ''
    """

    device: str
    seen: tuple[Seen, ...]
    closed: tuple[str, ...] = ()
    trouble: str = ""
    missing: tuple[Want, ...] = field(default=())


def screens(
    profile: DeviceProfile, activities: Iterable[str] | None = None
) -> tuple[Screen, ...]:
    """Return the screens of a device's app, each once, the nearest first.

    activities  those that matter; None means all
    """
    found: dict[str, tuple[tuple[Step, ...], list[Want]]] = {}
    names = profile.activities if activities is None else activities
    for name in names:
        described = profile.activities[name].phone
        if described is None:
            continue
        before, trigger, _ = split_steps(described.steps)
        for number, step in enumerate((*before, trigger), 1):
            path = before[: number - 1]
            selector = step.tap or step.wait_for
            if selector is not None and path:
                want = Want(
                    device=profile.device, place=f"{name}/{number}", selector=selector
                )
                found.setdefault(repr(path), (path, []))[1].append(want)
    return tuple(
        Screen(steps=steps, wants=tuple(wants))
        for steps, wants in sorted(found.values(), key=lambda each: len(each[0]))
    )


def walk(
    phone: Phone, profile: DeviceProfile, activities: Iterable[str] | None = None
) -> Walked:
    """Walk through the app of a device; never raises for what is not there.

    A phone that cannot be inspected is asked selector by selector, which takes longer
    and tells only whether one matches.
    """
    seen: list[Seen] = []
    closed: list[str] = []
    trouble = ""
    here: tuple[Step, ...] = ()
    todo = list(screens(profile, activities))
    try:
        phone.expect(profile.expected)
        for screen in todo:
            closed += _go(phone, here, screen.steps)
            here = screen.steps
            found, popups = _look(phone, screen.wants)
            seen += found
            closed += popups
    except DriverError as exc:
        trouble = str(exc)
    known = {s.want.place for s in seen if s.rung}
    wants = [w for screen in todo for w in screen.wants]
    return Walked(
        device=profile.device,
        seen=tuple(seen),
        closed=tuple(dict.fromkeys(closed)),
        trouble=trouble,
        missing=tuple(w for w in wants if w.place not in known),
    )


def by_place(walked: Walked) -> Mapping[str, Seen]:
    """Return what was found, by activity and step."""
    return {seen.want.place: seen for seen in walked.seen if seen.rung}


def _go(phone: Phone, here: tuple[Step, ...], there: tuple[Step, ...]) -> Iterator[str]:
    """Do the steps to a screen, from another one where that is on the way."""
    done = len(here) if there[: len(here)] == here else 0
    for step in there[done:]:
        yield from _closed(phone.perform(step).detail)


def _look(
    phone: Phone, wants: Sequence[Want]
) -> tuple[tuple[Seen, ...], tuple[str, ...]]:
    """Look for selectors on one screen; a pop-up in the way is closed."""
    found = _sight(phone, wants)
    lost = [w for w, s in zip(wants, found, strict=True) if not s.rung]
    if not lost:
        return found, ()
    wait = Step(wait_for=lost[0].selector, within=PATIENCE_S)
    try:
        closed = tuple(_closed(phone.perform(wait).detail))
    except DriverError:
        closed = ()  # it is not there; the second look says so of all that are not
    return _sight(phone, wants), closed


def _sight(phone: Phone, wants: Sequence[Want]) -> tuple[Seen, ...]:
    selectors = [w.selector for w in wants]
    if isinstance(phone, PhoneInspector):
        sights = phone.sight(selectors)
    else:
        sights = tuple(_asked(phone, selector) for selector in selectors)
    return tuple(_seen(w, s) for w, s in zip(wants, sights, strict=True))


def _asked(phone: Phone, selector: Selector) -> Sighting | None:
    if not phone.see(selector, 1.0):
        return None
    return Sighting(rung=selector.any[0].name, text="", point=(0, 0))


def _seen(want: Want, sighting: Sighting | None) -> Seen:
    ladder = [rung.name for rung in want.selector.any]
    if sighting is None:
        only_point = set(ladder) == {POINT}
        return Seen(want=want, rung=POINT if only_point else "")
    return Seen(
        want=want,
        rung=sighting.rung,
        index=ladder.index(sighting.rung) if sighting.rung in ladder else 0,
        text=sighting.text,
        point=sighting.point,
    )


def _closed(detail: Mapping[str, str]) -> Iterator[str]:
    if said := detail.get(_INTERRUPT):
        yield said
