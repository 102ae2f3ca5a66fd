"""Runs what is due, one campaign at a time, and goes on after whatever ended it.

A campaign is a process of its own: whatever becomes of it, the server goes on, and a
server that was killed finds the campaign again, at work or half done. Every decision
is in the journal before it is acted on, so that nothing is started twice.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Protocol

from testbed.clock import Clock, iso_time
from testbed.model.events import StartDecided
from testbed.runner.campaigns.folder import campaign_name
from testbed.runner.journal.fold import CampaignState, fold, left_to_do
from testbed.runner.journal.leases import Lease
from testbed.runner.journal.store import Journal, JournalStore
from testbed.runner.schedules.alarm import Alarm
from testbed.runner.schedules.schedule import (
    Begun,
    Book,
    Decision,
    Schedule,
    all_due,
    decide,
)
from testbed.runner.stop import Stop

RETRY_S = (1.0, 5.0, 15.0, 30.0, 60.0)  # before a campaign that failed is resumed
MAX_TRIES = 10  # in a row, after which a campaign is left to people
_POLL_S = 0.5  # how soon it is seen that a campaign ended, or that the lab is free
_IDLE_S = 5.0  # how soon another schedule is seen where nothing is at hand
_LEAVE_S = 90.0  # how long a campaign gets to stop at a safe point


class _Exit(IntEnum):
    DONE = 0
    SOME_FAILED = 1
    BAD_CONFIG = 2
    INTERRUPTED = 130


# With these codes a run ends that did all it could; but so may one that crashed.
_DID_ALL = (_Exit.DONE, _Exit.SOME_FAILED)


class Child(Protocol):
    """The process of one campaign."""

    def poll(self) -> int | None:
        """Return its exit code, or None while it works."""

    def stop(self) -> None:
        """Ask it to stop at the next safe point."""

    def kill(self) -> None:
        """End it, and whatever it started, now."""


class Launcher(Protocol):
    """Starts the processes of campaigns, and knows of those of others."""

    def launch(self, schedule: Schedule, campaign: str, *, resume: bool) -> Child:
        """Start a campaign of this name, or go on with it."""

    def busy(self, schedule: Schedule, campaign: str) -> str:
        """Return why the lab is not free for a campaign of this name, or ''.

        A living controller has it: of an earlier server, or one started by hand.
        """

    def is_complete(self, campaign: str) -> bool:
        """Say whether a campaign is closed, and its folder is whole."""


@dataclass(slots=True, kw_only=True)
class _Work:
    """The campaign at hand. `child` is None while it waits to be tried again."""

    begun: Begun
    child: Child | None = None
    tries: int = 0
    n_done: int = 0
    again_s: float = field(default=float("-inf"))


class Server:
    """Serves the schedules of one lab; `run` returns when it is asked to stop.

    lease  the right to serve this lab, taken already
    say    called with a sentence that people should see
    """

    def __init__(
        self,
        store: JournalStore,
        lab: str,
        *,
        launcher: Launcher,
        clock: Clock,
        stop: Stop,
        lease: Lease,
        say: Callable[[str], None],
    ) -> None:
        self._store = store
        self._lab = lab
        self._launcher = launcher
        self._clock = clock
        self._stop = stop
        self._lease = lease
        self._say = say
        self.book = Book(store)
        self._work: _Work | None = None
        self._why = "nobody served then"
        self._told: set[str] = set()

    def run(self, alarm: Alarm, *, until_s: float | None, once: bool) -> None:
        """Serve until a stop is requested.

        until_s  or until then, on the monotonic clock
        once     or until nothing is begun and no start is to come

        A campaign at work is stopped at a safe point; another server resumes it.
        """
        try:
            while not self._stop.requested:
                self.step()
                now_s = self._clock.monotonic_s()
                if until_s is not None and now_s >= until_s:
                    break
                if once and self._is_idle():
                    break
                times = self._times()
                alarm.set(times)
                most_s = _POLL_S if self._has_to_look(times) else _IDLE_S
                alarm.wait(most_s if until_s is None else min(most_s, until_s - now_s))
        finally:
            self._leave()

    def step(self) -> None:
        """Look once at the campaign at hand, else at what is due."""
        self._lease.renew_in_time()
        self.book.refresh()
        if self._work is None:
            self._find_work()
        if self._work is None:
            self._start_due()
        elif self._work.child is not None:
            self._look(self._work, self._work.child)
        elif self._clock.monotonic_s() >= self._work.again_s:
            self._go_on(self._work)

    def _is_idle(self) -> bool:
        return self._work is None and not self._times()

    def _has_to_look(self, times: dict[str, int]) -> bool:
        """Say whether something may change that nobody rings for."""
        now_ns = self._clock.now_ns()
        return self._work is not None or any(due <= now_ns for due in times.values())

    def _times(self) -> dict[str, int]:
        known = {s.schedule: s.next_ns() for s in self.book.active(self._lab)}
        return {name: stamp for name, stamp in known.items() if stamp is not None}

    def _find_work(self) -> None:
        """Take up the oldest campaign that was begun and has not ended."""
        begun = self.book.begun(self._lab)
        if begun:
            self._work = _Work(begun=begun[0])

    def _start_due(self) -> None:
        """Decide about all starts that are due; begin the one that waited longest."""
        now_ns = self._clock.now_ns()
        for schedule, due in all_due(self.book.active(self._lab), now_ns):
            campaign = campaign_name(schedule.scenario, now_ns)
            if why := self._launcher.busy(schedule, campaign):
                self._why = why
                self._once(f"{schedule.schedule} is due and waits: {why}")
                return
            decided = decide(schedule, due, now_ns, campaign=campaign, why=self._why)
            self.book.write(*decided)
            for one in decided:
                self._tell(one)
            begun = self.book.begun(self._lab)
            if begun:
                self._work = _Work(begun=begun[0])
                self._launch(self._work, resume=False)
                return
        self._why = "the server was not ready"

    def _go_on(self, work: _Work) -> None:
        """Take a campaign of before up again, or find that it is at work or over."""
        begun = work.begun
        if why := self._launcher.busy(begun.schedule, begun.campaign):
            self._once(f"{begun.campaign} waits: {why}")
            work.again_s = self._clock.monotonic_s() + 1.0
            return
        # Not closed alone: after that fact the export and the manifest are written.
        if self._launcher.is_complete(begun.campaign):
            self._end(work, "it ended while nobody served")
            return
        began = self._state(begun.campaign).plan is not None
        if began:
            self._write(begun, Decision.RESUMED, "it had not ended")
        self._launch(work, resume=began)

    def _launch(self, work: _Work, *, resume: bool) -> None:
        begun = work.begun
        work.n_done = self._n_done(begun.campaign)
        work.tries += 1
        work.child = self._launcher.launch(
            begun.schedule, begun.campaign, resume=resume
        )

    def _look(self, work: _Work, child: Child) -> None:
        """See whether the campaign at hand has ended, and how."""
        code = child.poll()
        if code is None:
            if work.begun.schedule.removed:
                self._once(f"{work.begun.schedule.schedule} was removed; it is stopped")
                child.stop()
            return
        work.child = None
        if work.begun.schedule.removed:
            self._work = None
            return
        if self._is_over(work.begun.campaign, code):
            self._end(work, f"exit code {code}")
            return
        if self._n_done(work.begun.campaign) > work.n_done:
            work.tries = 0  # it came further, so it is worth going on
        if work.tries >= MAX_TRIES:
            self._end(work, f"exit code {code}, {MAX_TRIES} times; left to people")
            return
        wait_s = RETRY_S[min(work.tries, len(RETRY_S) - 1)]
        work.again_s = self._clock.monotonic_s() + wait_s
        self._say(
            f"{work.begun.campaign}: exit code {code}; it goes on in {wait_s:g} s"
        )

    def _is_over(self, campaign: str, code: int) -> bool:
        """Say whether nothing is left to do for a campaign that ended so."""
        if code in _DID_ALL:
            return self._launcher.is_complete(campaign)
        return code == _Exit.BAD_CONFIG

    def _end(self, work: _Work, detail: str) -> None:
        self._write(work.begun, Decision.ENDED, detail)
        self._work = None
        self._why = f"the lab was busy with {work.begun.campaign}"

    def _write(self, begun: Begun, decision: Decision, detail: str) -> None:
        one = StartDecided(
            schedule=begun.schedule.schedule,
            due_ns=begun.due_ns,
            decision=decision.value,
            campaign=begun.campaign,
            detail=detail,
        )
        self.book.write(one)
        self._tell(one)

    def _leave(self) -> None:
        """Stop the campaign at hand at a safe point, and wait for it."""
        if self._work is None or self._work.child is None:
            return
        child = self._work.child
        child.stop()
        self._say(f"{self._work.begun.campaign} stops at the next safe point")
        end_s = self._clock.monotonic_s() + _LEAVE_S
        while (code := child.poll()) is None:
            if self._clock.monotonic_s() > end_s:
                child.kill()
                return
            self._clock.sleep(0.05)
        begun = self._work.begun
        if not begun.schedule.removed and self._is_over(begun.campaign, code):
            self._end(self._work, f"exit code {code}")

    def _state(self, campaign: str) -> CampaignState:
        return fold(Journal(self._store, campaign).read())

    def _n_done(self, campaign: str) -> int:
        state = self._state(campaign)
        if state.plan is None:
            return 0
        return len(state.plan.trials) - len(left_to_do(state))

    def _tell(self, one: StartDecided) -> None:
        campaign = f" {one.campaign}" if one.campaign else ""
        detail = f": {one.detail}" if one.detail else ""
        due = iso_time(one.due_ns)
        self._say(f"{one.schedule} due {due}: {one.decision}{campaign}{detail}")

    def _once(self, sentence: str) -> None:
        if sentence not in self._told:
            self._told.add(sentence)
            self._say(sentence)
