"""The state of a campaign, folded from its journal.

Nothing but the journal is asked, so that resume, status and the activity log see the
same campaign that the runner saw, whenever it stopped.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from testbed.errors import JournalError
from testbed.model.events import (
    LABELLED,
    AttemptVoided,
    CampaignClosed,
    CampaignPlanned,
    CaptureFileFetched,
    CaptureStarted,
    CaptureStopped,
    Cleared,
    ClockMeasured,
    Outcome,
    SessionEnded,
    SessionStarted,
    StimulusIssued,
    StimulusReturned,
    Suspended,
    TrialEnded,
    TrialsInserted,
    TrialStarted,
)
from testbed.model.plan import Plan, PlannedTrial
from testbed.runner.journal.event_text import plan_from, trials_from
from testbed.runner.journal.states import LOST, apply_outcome
from testbed.runner.journal.store import Recorded

NOT_TRIED = "not tried: "  # begins the detail of a trial that made no sense
TOO_LATE = "left out: "  # begins the detail of a user's act whose time has passed
NO_LABEL = "no label: "  # begins the reason to void a preparation that did its work
SPENT = frozenset({Outcome.FAILED, Outcome.NO_EFFECT})  # attempts that count


@dataclass(slots=True, kw_only=True)
class Attempt:
    """One attempt at a trial, as far as the journal knows it. Stamps: controller."""

    started: TrialStarted
    started_ns: int
    issued_ns: int | None = None
    parameters: dict[str, str] = field(default_factory=dict)
    returned: StimulusReturned | None = None
    voided: str | None = None
    outcome: Outcome | None = None
    detail: str = ""
    ended_ns: int | None = None

    @property
    def final(self) -> Outcome | None:
        """Return the outcome that counts: a voided attempt is aborted."""
        if self.voided is not None and self.outcome is not None:
            return Outcome.ABORTED
        return self.outcome

    @property
    def did_its_work(self) -> bool:
        """Say whether it is a preparation that succeeded and must be no label."""
        return self.voided is not None and self.voided.startswith(NO_LABEL)


@dataclass(slots=True, kw_only=True)
class CaptureFold:
    """One rolling capture: what the journal knows of it.

    clock  measured since it began, also in sessions after the one that began it
    """

    capture: str
    session: str
    tool: str
    started_ns: int
    files: list[CaptureFileFetched] = field(default_factory=list)
    clock: list[ClockMeasured] = field(default_factory=list)
    end: CaptureStopped | None = None
    ended_ns: int | None = None


@dataclass(slots=True, kw_only=True)
class SessionFold:
    """One session; `reason` is None while it goes on, or when it was killed."""

    session: str
    started_ns: int
    ended_ns: int | None = None
    reason: str | None = None


@dataclass(slots=True, kw_only=True)
class PauseFold:
    """One time for which something was bad. since_ns: when it was last seen good."""

    suspended: Suspended
    since_ns: int
    at_ns: int
    cleared_ns: int | None = None


@dataclass(slots=True, kw_only=True)
class CampaignState:
    """All that a journal says of one campaign.

    suspended  what is bad now: (condition, target) -> the fact that says so
    pauses     all that ever was bad, in the order of the journal
    """

    planned: CampaignPlanned | None = None
    plan: Plan | None = None
    last_ns: int = 0
    sessions: dict[str, SessionFold] = field(default_factory=dict)
    captures: dict[str, CaptureFold] = field(default_factory=dict)
    clock: list[ClockMeasured] = field(default_factory=list)
    attempts: dict[str, list[Attempt]] = field(default_factory=dict)
    suspended: dict[tuple[str, str], Suspended] = field(default_factory=dict)
    pauses: list[PauseFold] = field(default_factory=list)
    closed: CampaignClosed | None = None

    def all_attempts(self) -> list[Attempt]:
        """Return every attempt, in the order of their starts."""
        found = [a for attempts in self.attempts.values() for a in attempts]
        return sorted(found, key=lambda a: a.started_ns)

    def open_attempts(self) -> list[Attempt]:
        """Return the attempts that were begun and never ended."""
        return [a for a in self.all_attempts() if a.outcome is None]

    def outcome(self, trial: str) -> Outcome | None:
        """Return the outcome of the latest ended attempt at a trial, or None."""
        ended = [a.final for a in self.attempts.get(trial, ()) if a.final is not None]
        return ended[-1] if ended else None

    def next_attempt(self, trial: str) -> int:
        """Return the number that the next attempt at a trial has, from 1."""
        return len(self.attempts.get(trial, ())) + 1

    def is_finished(self, trial: str, attempts: int) -> bool:
        """Say whether a trial needs no other attempt, of those that it may have.

        It is when it became a label, when the attempts that count are spent, and when
        it makes no sense any more.
        """
        outcome = self.outcome(trial)
        if outcome is None or outcome in LABELLED:
            return outcome is not None
        done = self.attempts[trial]
        last = done[-1]
        if last.did_its_work:
            return True
        if last.voided is None and last.detail.startswith((NOT_TRIED, TOO_LATE)):
            return True
        return outcome in SPENT and self.n_spent(trial) >= attempts

    def n_spent(self, trial: str) -> int:
        """Return how many attempts at a trial count: voided ones do not."""
        return sum(a.final in SPENT for a in self.attempts.get(trial, ()))

    def n_labelled(self) -> int:
        """Return how many trials ended with an outcome that becomes a label."""
        return sum(self.outcome(trial) in LABELLED for trial in self.attempts)


def fold(rows: Iterable[Recorded]) -> CampaignState:
    """Return the state that the rows of one campaign lead to."""
    state = CampaignState()
    planned: CampaignPlanned | None = None
    inserted: list[TrialsInserted] = []
    for row in rows:
        if isinstance(row.event, CampaignPlanned):
            planned, inserted = row.event, []
        elif isinstance(row.event, TrialsInserted):
            inserted.append(row.event)
        state.last_ns = row.at_ns
        state.closed = None  # until it is closed again
        _add_to_campaign(state, row)
        _add_to_captures(state, row)
        _add_to_attempt(state, row)
        _add_to_pauses(state, row)
    if planned is not None:  # only the last one counts, and to read one takes long
        state.plan = _with_inserted(plan_from(planned.plan_json), inserted)
    return state


def _with_inserted(plan: Plan, inserted: Sequence[TrialsInserted]) -> Plan:
    """Return the plan with what was put into it since; raises JournalError."""
    before: dict[str, list[PlannedTrial]] = {}
    for one in inserted:
        before.setdefault(one.before, []).extend(trials_from(one.trials_json))

    def way_to(trial: PlannedTrial) -> Iterator[PlannedTrial]:
        for step in before.pop(trial.trial, ()):
            yield from way_to(step)
        yield trial

    trials = tuple(step for trial in plan.trials for step in way_to(trial))
    if before:
        raise JournalError(
            f"the journal puts trials before {sorted(before)[0]}, which is not in the "
            "plan; restore it from a copy"
        )
    return replace(plan, trials=trials) if inserted else plan


def plan_of(state: CampaignState) -> Plan:
    """Return the plan; raises JournalError when the journal holds none."""
    if state.plan is None:
        raise JournalError(
            "the journal holds no plan of this campaign; run the scenario"
        )
    return state.plan


def left_to_do(state: CampaignState) -> tuple[PlannedTrial, ...]:
    """Return the planned trials that need another attempt, in the plan's order."""
    plan = plan_of(state)
    return tuple(
        t for t in plan.trials if not state.is_finished(t.trial, plan.attempts)
    )


def known_state(
    trials: Sequence[PlannedTrial],
    attempts: Iterable[Attempt],
    before: Mapping[str, Mapping[str, str]],
    pauses: Sequence[PauseFold] = (),
) -> dict[str, dict[str, str]]:
    """Return what is known of each device's state after some attempts.

    attempts  in the order of their starts
    before    device -> what was known of its state before them
    pauses    a device that was offline may have come back in another state
    """
    known = {device: dict(values) for device, values in before.items()}
    planned = {t.trial: t for t in trials}
    offline = [p for p in pauses if p.suspended.condition == "device"]
    for attempt in attempts:
        trial = planned[attempt.started.trial]
        while offline and offline[0].at_ns < attempt.started_ns:
            _lose(known, trials, offline.pop(0).suspended.target)
        apply_outcome(
            known.setdefault(trial.device, {}),
            trial.gives,
            attempt.outcome,
            issued=attempt.issued_ns is not None,
        )
    for pause in offline:
        _lose(known, trials, pause.suspended.target)
    return known


def changed_by(trials: Iterable[PlannedTrial], device: str) -> set[str]:
    """Return the keys of a device's state that trials of the plan change."""
    return {key for t in trials if t.device == device for key in t.gives}


def _lose(
    known: dict[str, dict[str, str]], trials: Iterable[PlannedTrial], device: str
) -> None:
    known.setdefault(device, {}).update(dict.fromkeys(changed_by(trials, device), LOST))


def busy_until_ns(state: CampaignState, settle_s: float) -> dict[str, int]:
    """Return until when (ns, controller) each device may still react to a stimulus."""
    length_s = {
        t.trial: t.delta_s + max(t.settle_s, settle_s) for t in plan_of(state).trials
    }
    until: dict[str, int] = {}
    for attempt in state.all_attempts():
        if attempt.issued_ns is None:
            continue
        device, trial = attempt.started.device, attempt.started.trial
        returned = attempt.returned
        begin_ns = returned.instant_ns if returned is not None else attempt.issued_ns
        end_ns = begin_ns + round(length_s[trial] * 1e9)
        until[device] = max(until.get(device, 0), end_ns)
    return until


def _add_to_campaign(state: CampaignState, row: Recorded) -> None:
    match row.event:
        case CampaignPlanned() as event:
            if state.planned is None:
                state.planned = event
        case SessionStarted(session=session):
            state.sessions[session] = SessionFold(session=session, started_ns=row.at_ns)
        case SessionEnded(session=session, reason=reason):
            ended = state.sessions[session]
            ended.reason, ended.ended_ns = reason, row.at_ns
        case CampaignClosed() as event:
            state.closed = event
        case _:
            pass


def _add_to_captures(state: CampaignState, row: Recorded) -> None:
    match row.event:
        case CaptureStarted(capture=name, session=session, tool=tool):
            state.captures[name] = CaptureFold(
                capture=name, session=session, tool=tool, started_ns=row.at_ns
            )
        case CaptureFileFetched(capture=name) as event:
            state.captures[name].files.append(event)
        case CaptureStopped(capture=name) as event:
            capture = state.captures[name]
            capture.end, capture.ended_ns = event, row.at_ns
        case ClockMeasured() as event:
            state.clock.append(event)
            for latest in list(state.captures.values())[-1:]:
                latest.clock.append(event)
        case _:
            pass


def _add_to_attempt(state: CampaignState, row: Recorded) -> None:
    event = row.event
    if isinstance(event, TrialStarted):
        attempt = Attempt(started=event, started_ns=row.at_ns)
        state.attempts.setdefault(event.trial, []).append(attempt)
        return
    if not isinstance(
        event,
        StimulusIssued | StimulusReturned | AttemptVoided | TrialEnded,
    ):
        return
    attempt = _attempt(state, event.trial, event.attempt)
    match event:
        case StimulusIssued(parameters=parameters):
            attempt.issued_ns, attempt.parameters = row.at_ns, dict(parameters)
        case StimulusReturned():
            attempt.returned = event
        case AttemptVoided(reason=reason):
            attempt.voided = reason
        case TrialEnded(outcome=outcome, detail=detail):
            attempt.outcome, attempt.detail = outcome, detail
            attempt.ended_ns = row.at_ns


def _add_to_pauses(state: CampaignState, row: Recorded) -> None:
    match row.event:
        case Suspended(condition=condition, target=target) as event:
            state.suspended[condition, target] = event
            since_ns = event.since_ns or row.at_ns
            state.pauses.append(
                PauseFold(suspended=event, since_ns=since_ns, at_ns=row.at_ns)
            )
        case Cleared(condition=condition, target=target):
            state.suspended.pop((condition, target), None)
            for pause in state.pauses:
                one = pause.suspended
                if (one.condition, one.target) == (condition, target):
                    pause.cleared_ns = pause.cleared_ns or row.at_ns
        case _:
            pass


def _attempt(state: CampaignState, trial: str, number: int) -> Attempt:
    for attempt in state.attempts.get(trial, ()):
        if attempt.started.attempt == number:
            return attempt
    raise JournalError(
        f"the journal speaks of attempt {number} at trial {trial} that it never began; "
        "restore it from a copy"
    )
