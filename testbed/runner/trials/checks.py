"""Did the activity take effect? Saw it, saw nothing, or did not look."""

from collections.abc import Callable

from testbed.clock import wait_until
from testbed.errors import DriverError
from testbed.model.events import Outcome
from testbed.model.inspection import PopupTeller
from testbed.model.plan import PlannedTrial
from testbed.model.profile import Check, PowerAbove
from testbed.model.types import Channel
from testbed.runner.bench import Plug
from testbed.runner.trials.site import Site
from testbed.runner.trials.stimulus import perform_all

Verdict = tuple[Outcome, str]
_POLL_S = 0.25


class PrematureError(DriverError):
    """A device is not as a trial needs it: the effect is there before the stimulus."""


def check_of(site: Site, trial: PlannedTrial) -> Check | None:
    """Return the check of a trial, or None when its profile has none."""
    profile = site.profiles[trial.device]
    return profile.activities[trial.activity].check_for(trial.channel)


def is_premature(site: Site, trial: PlannedTrial, *, again: Callable[[], None]) -> bool:
    """Say whether the effect is seen before the stimulus: seeing it proves nothing.

    again  what led to this screen; it is done once more where the effect is on it,
           since an earlier trial may have left it there

    A check that opens an app itself, beside a spoken sentence, is not asked: the app
    tells how old a sentence is. Raises PrematureError where the trial needs a device in
    another state than it gives it.
    """
    check = check_of(site, trial)
    if check is None or not _holds_now(site, trial, check):
        return False
    if check.see is not None:
        again()
        if not _holds_now(site, trial, check):
            return False
    for key in sorted(trial.needs.keys() & trial.gives.keys()):
        raise PrematureError(
            trial.device,
            f"check {trial.activity}",
            f"the effect is there before the stimulus, though the trial needs "
            f"{key}={trial.needs[key]}",
        )
    return True


def _holds_now(site: Site, trial: PlannedTrial, check: Check) -> bool:
    """Say whether all that a check looks for is seen now, on a phone that is held."""
    if check.see is not None:
        if trial.channel is not Channel.PHONE or check.steps:
            return False
        if not site.phone.see(check.see, 0.0):
            return False
    if check.power is None and check.power_w is None:
        return True
    plug = site.plug(trial.device, trial.channel)
    return _power_holds(plug, check, {}, site.stop.check)()


def check_power(site: Site, trial: PlannedTrial, check: Check) -> Verdict:
    """Poll the plug until it reports what the check wants; raises DriverError."""
    if check.power is None and check.power_w is None:
        return Outcome.CONFIRMED, ""
    plug = site.plug(trial.device, trial.channel)
    seen: dict[str, str] = {}
    holds = wait_until(
        _power_holds(plug, check, seen, site.stop.check),
        clock=site.clock,
        deadline_s=check.within,
        poll_s=_POLL_S,
    )
    if holds:
        return Outcome.CONFIRMED, ""
    report = ", ".join(f"{key} {value}" for key, value in seen.items())
    return Outcome.NO_EFFECT, f"the plug reported {report} for {check.within:g} s"


def check_screen(
    site: Site, trial: PlannedTrial, check: Check, *, late_s: float
) -> Verdict:
    """Look for the selector on the phone; the caller holds it. Raises DriverError.

    late_s  how long after the stimulus the phone was to be had. A look that came too
            late and saw nothing is no look.
    """
    if check.see is None:
        return Outcome.CONFIRMED, ""
    site.phone.expect(site.profiles[trial.device].expected)
    perform_all(site.phone, check.steps)
    if site.phone.see(check.see, check.within):
        closed = site.phone.closed() if isinstance(site.phone, PopupTeller) else ()
        return Outcome.CONFIRMED, f"closed {'; '.join(closed)}" if closed else ""
    if late_s > check.within:
        late = f"the phone was in use for {late_s:.1f} s after the stimulus"
        return Outcome.UNCHECKED, f"{late}, too long to see the effect"
    looked = f"no {check.see.words()} on the screen within {check.within:g} s"
    return Outcome.NO_EFFECT, looked


def looks_at_phone(check: Check | None) -> bool:
    """Say whether a check needs the phone."""
    return check is not None and check.see is not None


def _power_holds(
    plug: Plug, check: Check, seen: dict[str, str], stop: Callable[[], None]
) -> Callable[[], bool]:
    def holds() -> bool:
        stop()
        if check.power is not None:
            on = plug.read_power()
            seen["power"] = "on" if on else "off"
            if on is not (check.power == "on"):
                return False
        if check.power_w is not None:
            watts = plug.read_power_w()
            seen["draw"] = f"{watts:g} W"
            return within_bounds(watts, check.power_w)
        return True

    return holds


def within_bounds(watts: float, bounds: PowerAbove) -> bool:
    """Say whether a power lies within bounds."""
    if bounds.above is not None and not watts > bounds.above:
        return False
    return bounds.below is None or watts < bounds.below
