"""The rounds of a campaign: trials are done until all are covered, or given up.

A round does what is left, session by session. After it, what is not proven recorded, or
was touched by something bad, is voided, and another round does it again.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import wait
from contextlib import contextmanager
from functools import partial

from testbed.errors import TestbedError
from testbed.model.events import AttemptVoided
from testbed.model.plan import PlannedTrial
from testbed.runner.campaigns.means import Inputs, Means
from testbed.runner.campaigns.scheduler import one_by_one, side_by_side
from testbed.runner.campaigns.watchlist import watches_of
from testbed.runner.journal.fold import (
    Attempt,
    CampaignState,
    busy_until_ns,
    fold,
    known_state,
    left_to_do,
    plan_of,
)
from testbed.runner.journal.sessions import Sessions
from testbed.runner.journal.states import fixed
from testbed.runner.pauses.suspenders import GROUPS
from testbed.runner.pauses.touched import needs_of, touched
from testbed.runner.pauses.watches import ClockWatch
from testbed.runner.recording.activities import clocks_of, doubtful
from testbed.runner.recording.beside import Beside
from testbed.runner.recording.capture import RollingCapture
from testbed.runner.recording.witness import Witness, unproven
from testbed.runner.stop import StoppedError
from testbed.runner.trials.course import Course, Ended
from testbed.runner.trials.late import origin_ns, too_late
from testbed.runner.trials.replan import Replanner
from testbed.runner.trials.site import Site
from testbed.runner.trials.trial import Trials

_LAST_LOOK_S = 20.0  # what a look at something that is gone may take


class Rounds:
    """What one run does of a campaign."""

    def __init__(
        self, inputs: Inputs, means: Means, site: Site, witness: Witness
    ) -> None:
        self._inputs = inputs
        self._means = means
        self._site = site
        self._witness = witness
        self._replanner = Replanner(site)
        self._course: Course | None = None
        # device -> its state at the last look, and how many attempts and pauses there
        # were by then
        self._start: dict[str, dict[str, str]] = {}
        self._n_before: dict[str, int] = {}
        self._n_pauses = 0
        self._said: set[str] = set()

    def work(
        self,
        heartbeat: Callable[[], None],
        ended: Callable[[Ended], None],
        say: Callable[[str], None],
    ) -> None:
        """Do what is left; raises StoppedError, LabError, JournalError."""
        state = self._state()
        clock = ClockWatch(self._site.lab.limits.clock_uncertainty)
        sessions = Sessions(
            self._site.journal, self._means.clock, state.sessions, self._inputs.versions
        )
        capture = RollingCapture(self._site, state, heartbeat, clock)
        capture.recover()
        settle_s = self._means.settings.settle_s
        trials = Trials(self._site, sessions, busy_until_ns(state, settle_s))
        self._look_back(state)

        def on_end(one: Ended) -> None:
            ended(one)
            if not self._means.settings.threads:
                self._site.pauses.tend()
                capture.tend()

        pauses = self._site.pauses
        pauses.say = say
        if not self._means.settings.threads:
            pauses.idle = capture.tend
        pauses.watch(
            watches_of(self._site, plan_of(state), clock, self._is_off),
            state.suspended.values(),
        )
        with self._looking():
            if _has_left_files(state):
                # They are listed by a new capture only, and prove what was done.
                with self._session(sessions, capture, idle_s=0.0):
                    pass
            self._rounds(sessions, capture, trials, on_end, say)

    def _rounds(
        self,
        sessions: Sessions,
        capture: RollingCapture,
        trials: Trials,
        ended: Callable[[Ended], None],
        say: Callable[[str], None],
    ) -> None:
        begun = _n_attempts(self._state())
        number = 0
        while True:
            n_void = self._void_wrong(say)
            state = self._state()
            left = self._left(state)
            able = self._able(state, left, begun)
            if number and not able:
                _say_given_up(say, len(left), self._site.lab.limits.attempts)
                return
            if n_void and able:
                say(f"{_trials(n_void)} done again: what was seen is not safe")
            if number or state.sessions or not self._means.fresh:
                self._prepare_again()
                able = self._able(self._state(), self._left(self._state()), begun)
            for index in sorted({t.session for t in able}):
                self._means.between(index)
                idle_s = self._inputs.plan.idle_s
                with self._session(sessions, capture, idle_s=idle_s):
                    self._trials_of(index, able, trials, ended)
            number += 1

    def _able(
        self,
        state: CampaignState,
        left: tuple[PlannedTrial, ...],
        begun: Mapping[str, int],
    ) -> tuple[PlannedTrial, ...]:
        """Return those trials that may have another attempt in this run."""
        limit = self._site.lab.limits.attempts
        done = _n_attempts(state)
        return tuple(
            t for t in left if done.get(t.trial, 0) - begun.get(t.trial, 0) < limit
        )

    def _state(self) -> CampaignState:
        return fold(self._site.journal.read())

    def _left(self, state: CampaignState) -> tuple[PlannedTrial, ...]:
        return left_to_do(state)

    @contextmanager
    def _looking(self) -> Iterator[None]:
        """Look at what may go bad while the context lasts, in threads of their own.

        Raises LabError instead of StoppedError where a look stopped the campaign.
        """
        if not self._means.settings.threads:
            yield
            return
        beside = Beside("looks", self._means.stop, self._means.settings.tick_s)
        over = threading.Event()
        tend = self._site.pauses.tend
        looks = beside.begin(*((partial(tend, group), over) for group in GROUPS))
        try:
            yield
        except StoppedError:
            beside.raise_failure()
            raise
        finally:
            over.set()
            wait(looks, timeout=_LAST_LOOK_S)
        beside.raise_failure()

    def _look_back(self, state: CampaignState) -> None:
        """Find out what is known of the devices before anything is done in this run."""
        devices = {t.device for t in plan_of(state).trials}
        self._n_before, self._n_pauses = _n_attempts(state), len(state.pauses)
        if self._means.fresh:
            profiles = self._inputs.profiles
            self._start = {d: dict(profiles[d].initial) for d in devices}
            return
        kept = {d: fixed(self._replanner.profile(d)) for d in devices}
        done = state.all_attempts()
        self._start = known_state(plan_of(state).trials, done, kept, state.pauses)

    def _known(self, state: CampaignState) -> dict[str, dict[str, str]]:
        own = [
            a
            for a in state.all_attempts()
            if a.started.attempt > self._n_before.get(a.started.trial, 0)
        ]
        pauses = state.pauses[self._n_pauses :]
        return known_state(plan_of(state).trials, own, self._start, pauses)

    def _prepare_again(self) -> None:
        """Plan how devices get back to where the trials that are left need them."""
        state = self._state()
        known = self._known(state)
        late = too_late(plan_of(state), origin_ns(state), self._means.clock)
        self._replanner.ahead([t for t in self._left(state) if not late(t)], known)
        # plugs were asked
        self._start, self._n_before = known, _n_attempts(state)
        self._n_pauses = len(state.pauses)

    def _is_off(self, device: str) -> bool:
        """Say whether a device has no power as far as we know, or may have none."""
        activities = self._replanner.profile(device).activities.values()
        if not any("power" in a.gives for a in activities):
            return False
        course = self._course
        known = course.known(device) if course else self._start.get(device, {})
        return known.get("power") != "on"

    @contextmanager
    def _session(
        self, sessions: Sessions, capture: RollingCapture, *, idle_s: float
    ) -> Iterator[None]:
        """Record one session with its idle stretches; journal why it ended."""
        stop, clock = self._means.stop, self._means.clock
        reason = "failed"
        try:
            with capture.recording(sessions.current()):
                stop.sleep(clock, idle_s)
                yield
                stop.sleep(clock, idle_s)
            reason = "done"
        except (StoppedError, KeyboardInterrupt):
            reason = stop.reason
            raise
        except TestbedError as exc:
            reason = str(exc)
            raise
        finally:
            sessions.end(reason)

    def _trials_of(
        self,
        index: int,
        able: tuple[PlannedTrial, ...],
        trials: Trials,
        ended: Callable[[Ended], None],
    ) -> None:
        state = self._state()
        plan = plan_of(state)
        names = {t.trial for t in able}
        since_ns = origin_ns(state) or self._means.clock.now_ns()
        course = self._course = Course(
            trials,
            state,
            self._known(state),
            limit=self._site.lab.limits.attempts,
            late=too_late(plan, since_ns, self._means.clock),
            prepare=self._replanner.before,
            ended=ended,
        )
        overlapping = plan.interleave and self._means.settings.threads
        tend = self._site.pauses.idle or (lambda: None)
        run = side_by_side if overlapping else partial(one_by_one, tend=tend)
        run(
            course,
            [t for t in self._left(state) if t.session == index and t.trial in names],
            clock=self._means.clock,
            stop=self._means.stop,
            origin_ns=since_ns,
        )
        self._site.pauses.look_in_hand({("app", t.device) for t in able}, force=True)

    def _void_wrong(self, say: Callable[[str], None]) -> int:
        """Void attempts that must not be used; return how many.

        Their packets are not proven recorded, or it is not known well enough when they
        were, or what they needed was bad meanwhile.
        """
        state = self._state()
        planned = {t.trial: t for t in plan_of(state).trials}
        found: dict[tuple[str, int], str] = {}
        profiles, lab = self._site.profiles, self._site.lab
        bad = touched(state, lambda t: needs_of(t, profiles[t.device], lab), planned)
        for attempt, reason in [*bad, *self._unlabelled(state, say)]:
            key = (attempt.started.trial, attempt.started.attempt)
            found.setdefault(key, reason)
        for (trial, number), reason in found.items():
            self._site.journal.write(
                AttemptVoided(trial=trial, attempt=number, reason=reason)
            )
        return len(found)

    def _unlabelled(
        self,
        state: CampaignState,
        say: Callable[[str], None],
    ) -> list[tuple[Attempt, str]]:
        seen = self._witness.of_campaign(state)
        unreadable = self._witness.unreadable
        for name in sorted(unreadable.keys() - self._said):
            say(f"{name} cannot be read, so it proves nothing: {unreadable[name]}")
        self._said |= unreadable.keys()
        limit_s = self._site.lab.limits.clock_uncertainty
        unsure = doubtful(state, clocks_of(state, seen), limit_s)
        return [*unproven(state, seen, unreadable), *unsure]


def _n_attempts(state: CampaignState) -> dict[str, int]:
    return {trial: len(done) for trial, done in state.attempts.items()}


def _say_given_up(say: Callable[[str], None], n_left: int, limit: int) -> None:
    if n_left:
        say(
            f"{_trials(n_left)} given up after {limit} attempts each in this run; "
            "resume tries them again"
        )


def _trials(number: int) -> str:
    return "1 trial is" if number == 1 else f"{number} trials are"


def _has_left_files(state: CampaignState) -> bool:
    """Say whether files may be on the router that nobody fetched.

    So it is after a kill, and when the router was out of reach at the end.
    """
    captures = list(state.captures.values())
    lost = [c.end for c in captures[-1:] if c.end and c.end.stopped_by == "gone"]
    return bool(lost) or any(c.end is None for c in captures)
