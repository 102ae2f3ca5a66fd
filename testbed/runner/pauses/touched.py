"""What a trial needs to be good, and which attempts a bad time has touched.

An attempt is touched when something that it needed was bad between its stimulus and
the end of its label window. Bad begins at the last look that was good. A router that is
not reached and a full disk touch nothing by themselves: the beacons in the captures
tell what was recorded all the same (witness.py).
"""

from collections.abc import Callable, Mapping

from testbed.model.events import Outcome
from testbed.model.lab import Lab
from testbed.model.plan import PlannedTrial
from testbed.model.profile import Check, DeviceProfile
from testbed.model.types import Channel
from testbed.runner.journal.fold import Attempt, CampaignState, PauseFold
from testbed.runner.pauses.suspenders import DISKS, ROUTER, Need, named

EVERYBODY = DISKS | {ROUTER, ("internet", ""), ("clock", "")}
_PROVEN_OTHERWISE = frozenset({"router", "disk"})


def needs_of(trial: PlannedTrial, profile: DeviceProfile, lab: Lab) -> frozenset[Need]:
    """Return what must not be bad while a trial is done: (condition, target) each."""
    check = profile.activities[trial.activity].check_for(trial.channel)
    needs = {*EVERYBODY, ("device", trial.device)}
    if trial.channel is Channel.PHONE or (check is not None and check.see is not None):
        needs |= {("phone", ""), ("app", trial.device)}
    if trial.channel is Channel.VOICE:
        needs.add(("voice", ""))
    if _uses_plug(trial, check):
        needs |= {("plug", name) for name in _plugs(trial, lab)}
    return frozenset(needs)


def touched(
    state: CampaignState,
    needs: Callable[[PlannedTrial], frozenset[Need]],
    trials: Mapping[str, PlannedTrial],
) -> list[tuple[Attempt, str]]:
    """Return the attempts that a bad time has touched, with reasons.

    trials  name -> planned trial
    """
    pauses = [p for p in state.pauses if p.suspended.condition not in _PROVEN_OTHERWISE]
    found = []
    for attempt in state.all_attempts() if pauses else ():
        if not _counts(attempt):
            continue
        trial = trials[attempt.started.trial]
        needed = needs(trial)
        begin_ns, end_ns = _window(attempt, trial.delta_s)
        for pause in pauses:
            need = (pause.suspended.condition, pause.suspended.target)
            if need in needed and _overlaps(pause, begin_ns, end_ns):
                reason = f"{named(need)} was bad meanwhile: {pause.suspended.detail}"
                found.append((attempt, reason))
                break
    return found


def _counts(attempt: Attempt) -> bool:
    # Also one that was not tried: the trial that went wrong before it was touched.
    return attempt.voided is None and attempt.outcome not in (None, Outcome.ABORTED)


def _window(attempt: Attempt, delta_s: float) -> tuple[int, int]:
    begin_ns = attempt.started_ns if attempt.issued_ns is None else attempt.issued_ns
    if attempt.returned is not None:
        return begin_ns, attempt.returned.instant_ns + round(delta_s * 1e9)
    return begin_ns, attempt.ended_ns or begin_ns


def _overlaps(pause: PauseFold, begin_ns: int, end_ns: int) -> bool:
    if end_ns < pause.since_ns:
        return False
    return pause.cleared_ns is None or begin_ns <= pause.cleared_ns


def _uses_plug(trial: PlannedTrial, check: Check | None) -> bool:
    if trial.channel in (Channel.POWER, Channel.API):
        return True
    return check is not None and bool(check.power or check.power_w)


def _plugs(trial: PlannedTrial, lab: Lab) -> set[str]:
    return {
        name
        for name, at in lab.plugs.items()
        if trial.device in (at.feeds, at.is_device)
    }
