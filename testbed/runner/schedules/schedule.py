"""Schedules: what is to be started when, folded from the journal.

The facts are kept in the journal of campaigns under a name of their own. Every start
that was due is decided once: it was started, started late, skipped, or moved to the
next day; and every campaign that was started has one fact that says how it ended.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from testbed.clock import iso_time
from testbed.errors import ConfigError
from testbed.model.events import ScheduleAdded, ScheduleRemoved, StartDecided
from testbed.model.types import parse_seconds
from testbed.runner.journal.store import Journal, JournalStore, Recorded
from testbed.runner.schedules.triggers import Trigger, minute, trigger_from

SCHEDULES = "#schedules"  # where the journal keeps their facts
GRACE_S = 60.0
_DAY_NS = 86_400 * 10**9
_MOST = 50  # missed starts of one schedule that get a decision each


class Missed(StrEnum):
    """What is done about a start that nobody made in time."""

    SKIP = "skip"
    LATE = "late"
    RESCHEDULE = "reschedule"


class Decision(StrEnum):
    """What was decided about a start, or happened to the campaign it made."""

    STARTED = "started"
    LATE = "late"
    SKIPPED = "skipped"
    RESCHEDULED = "rescheduled"
    RESUMED = "resumed"  # the campaign had not ended, and goes on
    ENDED = "ended"  # the campaign is over; the detail says with what exit code


_BEGUN = (Decision.STARTED, Decision.LATE)
_OF_CAMPAIGN = (Decision.RESUMED, Decision.ENDED)


@dataclass(slots=True, kw_only=True)
class Schedule:
    """One schedule, and what became of its starts.

    grace_s    how late a start still is in time
    options    with what the scenario is run
    moved      starts (ns UTC) that are due at another time than the trigger's
    decisions  (ns UTC, decision), oldest first
    """

    schedule: str
    scenario: str
    lab: str
    trigger: Trigger
    missed: Missed
    grace_s: float
    options: dict[str, str]
    handled_ns: int
    removed: bool = False
    moved: set[int] = field(default_factory=set)
    decisions: list[tuple[int, StartDecided]] = field(default_factory=list)
    _due: "_Due | None" = field(default=None, compare=False, repr=False)

    def due(self, now_ns: int) -> list[int]:
        """Return the starts that are due and not decided, oldest first.

        Where there are very many, the oldest of those returned stands for all before.
        """
        if self._due is None or not self._due.is_good(now_ns):
            self._due = self._find_due(now_ns)
        return self._due.stamps

    def decided(self, due_ns: int, moved_to_ns: int | None) -> None:
        """Take note that a start, and so each before it, is decided.

        moved_to_ns  when it is due instead, or None
        """
        self._due = None
        self.handled_ns = max(self.handled_ns, due_ns)
        self.moved = {stamp for stamp in self.moved if stamp > due_ns}
        if moved_to_ns is not None:
            self.moved.add(moved_to_ns)

    def _find_due(self, now_ns: int) -> "_Due":
        regular = self.trigger.latest(self.handled_ns, now_ns, _MOST + 2)
        moved = {stamp for stamp in self.moved if stamp <= now_ns}
        later = [stamp for stamp in self.moved if stamp > now_ns]
        following = self.trigger.after(max(now_ns, self.handled_ns))
        if following is not None:
            later.append(following)
        return _Due(
            stamps=sorted({*regular, *moved})[-_MOST - 2 :],
            since_ns=now_ns,
            until_ns=min(later, default=None),
        )

    def next_ns(self) -> int | None:
        """Return the next start that is not decided, due already or not."""
        regular = self.trigger.after(self.handled_ns)
        known = [*self.moved, *([regular] if regular is not None else [])]
        return min(known, default=None)

    def next_start(self, now_ns: int) -> str:
        """Return the next start for people; what of one whose time has come."""
        next_ns = self.next_ns()
        if next_ns is None:
            return "none"
        if next_ns > now_ns:
            return minute(next_ns)
        last_ns = self.due(now_ns)[-1]
        is_in_time = now_ns - last_ns <= self.grace_s * 1e9
        if is_in_time or self.missed is Missed.LATE:
            return "due now"
        return "missed, decided when served"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Due:
    """What is due from `since_ns` on, until `until_ns`, when more is."""

    stamps: list[int]
    since_ns: int
    until_ns: int | None

    def is_good(self, now_ns: int) -> bool:
        """Say whether it holds at a time."""
        return self.since_ns <= now_ns and (
            self.until_ns is None or now_ns < self.until_ns
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A campaign that a schedule started and that has not ended."""

    schedule: Schedule
    due_ns: int
    campaign: str


class Book:
    """All schedules of a journal; `refresh` reads what was added to it."""

    def __init__(self, store: JournalStore) -> None:
        self.journal = Journal(store, SCHEDULES)
        self.schedules: dict[str, Schedule] = {}
        self._last = 0
        self._begun: dict[str, Begun] = {}
        self.refresh()

    def refresh(self) -> None:
        """Fold what was journalled since the last look."""
        for row in self.journal.read(self._last):
            self._last = row.seq
            self._add(row)

    def active(self, lab: str | None = None) -> list[Schedule]:
        """Return the schedules that still start something, of one lab or of all."""
        return [
            s for s in self.schedules.values() if not s.removed and lab in (None, s.lab)
        ]

    def begun(self, lab: str) -> list[Begun]:
        """Return the campaigns that were begun and have not ended, oldest first."""
        return [
            b
            for b in self._begun.values()
            if b.schedule.lab == lab and not b.schedule.removed
        ]

    def write(self, *events: StartDecided) -> None:
        """Journal decisions, each on disk before this returns, and fold them."""
        for event in events:
            self.journal.write(event)
        self.refresh()

    def add(self, added: ScheduleAdded) -> None:
        """Journal a new schedule."""
        self.journal.write(added)
        self.refresh()

    def remove(self, schedule: str) -> None:
        """Journal that a schedule is over; raises ConfigError for an unknown one."""
        known = [s.schedule for s in self.active()]
        if schedule not in known:
            there = f"; there are: {', '.join(known)}" if known else "; there is none"
            raise ConfigError(f"{schedule!r} is not a schedule{there}")
        self.journal.write(ScheduleRemoved(schedule=schedule))
        self.refresh()

    def free_name(self, scenario: str) -> str:
        """Return a name that no schedule had yet, such as `demo-2`."""
        number = 1
        while f"{scenario}-{number}" in self.schedules:
            number += 1
        return f"{scenario}-{number}"

    def _add(self, row: Recorded) -> None:
        match row.event:
            case ScheduleAdded() as event:
                self.schedules[event.schedule] = _schedule(event, row.at_ns)
            case ScheduleRemoved(schedule=name):
                self.schedules[name].removed = True
            case StartDecided() as event:
                self._decided(event, row.at_ns)
            case _:
                pass

    def _decided(self, event: StartDecided, at_ns: int) -> None:
        schedule = self.schedules[event.schedule]
        schedule.decisions.append((at_ns, event))
        if event.decision in _OF_CAMPAIGN:
            if event.decision == Decision.ENDED:
                self._begun.pop(event.campaign, None)
            return
        to_ns = event.moved_to_ns
        if event.decision == Decision.RESCHEDULED and to_ns is None:
            to_ns = moved_ns(event.due_ns, at_ns)  # older versions did not say
        schedule.decided(event.due_ns, to_ns)
        if event.decision in _BEGUN:
            self._begun[event.campaign] = Begun(
                schedule=schedule, due_ns=event.due_ns, campaign=event.campaign
            )


def decide(
    schedule: Schedule, due: Sequence[int], now_ns: int, *, campaign: str, why: str
) -> list[StartDecided]:
    """Decide about starts that are due; at most the last of them is a start.

    due       not empty, oldest first
    campaign  name of the campaign that a start would make
    why       why none was made in time, where one was not
    """
    *earlier, last = due
    decided = _without(schedule, earlier)
    late_s = (now_ns - last) / 1e9
    if late_s <= schedule.grace_s:
        decided.append(_decision(schedule, last, Decision.STARTED, "", campaign))
        return decided
    reason = f"{late_s:.0f} s late: {why}"
    if schedule.missed is Missed.LATE:
        one = _decision(schedule, last, Decision.LATE, reason, campaign)
    elif schedule.missed is Missed.SKIP:
        one = _decision(schedule, last, Decision.SKIPPED, reason)
    else:
        to_ns = moved_ns(last, now_ns)
        detail = f"{reason}; moved to the same time of the next day, {iso_time(to_ns)}"
        one = _decision(schedule, last, Decision.RESCHEDULED, detail)
        one = replace(one, moved_to_ns=to_ns)
    return [*decided, one]


def moved_ns(due_ns: int, now_ns: int) -> int:
    """Return the same time of the day as a missed start, on the next day to come."""
    return due_ns + max(1, -(-(now_ns - due_ns) // _DAY_NS)) * _DAY_NS


def _without(schedule: Schedule, due: Sequence[int]) -> list[StartDecided]:
    """Skip starts since a later one is due too; many of them together.

    Beyond _MOST of them, the oldest stands for all before it.
    """
    many, each = due[:-_MOST], due[-_MOST:]
    decided = [
        _decision(schedule, stamp, Decision.SKIPPED, "a later start was due too")
        for stamp in each
    ]
    if many:
        detail = "with any before it; a later start was due too"
        decided.insert(0, _decision(schedule, many[-1], Decision.SKIPPED, detail))
    return decided


def _decision(
    schedule: Schedule,
    due_ns: int,
    decision: Decision,
    detail: str,
    campaign: str = "",
) -> StartDecided:
    return StartDecided(
        schedule=schedule.schedule,
        due_ns=due_ns,
        decision=decision.value,
        campaign=campaign,
        detail=detail,
    )


def _schedule(event: ScheduleAdded, at_ns: int) -> Schedule:
    trigger = trigger_from(event.trigger)
    first_ns = trigger.at_ns if trigger.at_ns is not None else at_ns
    grace = event.options.get("grace")
    return Schedule(
        schedule=event.schedule,
        scenario=event.scenario,
        lab=event.lab,
        trigger=trigger,
        missed=Missed(event.missed),
        grace_s=parse_seconds(grace) if grace is not None else GRACE_S,
        options={k: v for k, v in event.options.items() if k != "grace"},
        handled_ns=min(first_ns, at_ns) - 1,
    )


def all_due(
    schedules: Iterable[Schedule], now_ns: int
) -> list[tuple[Schedule, list[int]]]:
    """Return the schedules with starts that are due, the longest waiting first."""
    found = [(s, s.due(now_ns)) for s in schedules]
    return sorted(((s, due) for s, due in found if due), key=lambda x: x[1][-1])
