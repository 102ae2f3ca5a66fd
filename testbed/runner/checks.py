"""Did the activity take effect? Saw it, saw nothing, or did not look."""

from collections.abc import Callable

from testbed.clock import wait_until
from testbed.model.events import Outcome
from testbed.model.plan import PlannedTrial
from testbed.model.profile import Check, PowerAbove
from testbed.model.steps import Rung
from testbed.runner.bench import Plug
from testbed.runner.site import Site
from testbed.runner.stimulus import perform_all

Verdict = tuple[Outcome, str]
_POLL_S = 0.25


def check_of(site: Site, trial: PlannedTrial) -> Check | None:
    """Return the check of a trial, or None when its profile has none."""
    profile = site.profiles[trial.device]
    return profile.activities[trial.activity].check_for(trial.channel)


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
    site.phone.expect(site.profiles[trial.device].interrupts)
    perform_all(site.phone, check.steps)
    if site.phone.see(check.see, check.within):
        return Outcome.CONFIRMED, ""
    if late_s > check.within:
        late = f"the phone was in use for {late_s:.1f} s after the stimulus"
        return Outcome.UNCHECKED, f"{late}, too long to see the effect"
    rungs = " or ".join(_words(rung) for rung in check.see.any)
    return Outcome.NO_EFFECT, f"no {rungs} on the screen within {check.within:g} s"


def _words(rung: Rung) -> str:
    keys = rung.model_dump(exclude_none=True).items()
    return " with ".join(f"{key} {value!r}" for key, value in keys)


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
            return _within(watts, check.power_w)
        return True

    return holds


def _within(watts: float, bounds: PowerAbove) -> bool:
    if bounds.above is not None and not watts > bounds.above:
        return False
    return bounds.below is None or watts < bounds.below
