"""Acts of users whose time has passed: while nothing ran, or something was waited for.

A user does what he does at his time. A little late is as good; an hour late would be
another habit. So an act that is too late is left out, with a record that says so.
"""

from collections.abc import Callable

from testbed.clock import Clock, iso_time
from testbed.model.plan import Plan, PlannedTrial
from testbed.runner.journal.fold import TOO_LATE, CampaignState

TooLate = Callable[[PlannedTrial], str]


def origin_ns(state: CampaignState) -> int | None:
    """Return when (ns UTC, controller) the times of a plan began, or None before."""
    return min((s.started_ns for s in state.sessions.values()), default=None)


def too_late(plan: Plan, since_ns: int | None, clock: Clock) -> TooLate:
    """Return what tells why a trial must be left out, or '' where it may be done.

    since_ns  when the times of the plan began, None where they begin now
    """

    def why(trial: PlannedTrial) -> str:
        if trial.not_before_s is None or since_ns is None:
            return ""
        due_ns = since_ns + round(trial.not_before_s * 1e9)
        late_s = (clock.now_ns() - due_ns) / 1e9
        if late_s <= plan.late_s:
            return ""
        return (
            f"{TOO_LATE}it was due at {iso_time(due_ns // 10**9 * 10**9)}, "
            f"{late_s:.0f} s ago, and may be {plan.late_s:g} s late"
        )

    return why
