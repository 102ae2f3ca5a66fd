"""A campaign from its plan to a complete folder.

To resume is to run with a journal that is not empty: what is finished is folded out,
what was half done is voided and done again as a new attempt.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from testbed.clock import Clock, SystemClock
from testbed.errors import TestbedError
from testbed.model.events import (
    AttemptVoided,
    CampaignClosed,
    CampaignPlanned,
    Outcome,
    TrialEnded,
)
from testbed.model.lab import Lab
from testbed.model.plan import Plan, PlannedTrial
from testbed.model.profile import DeviceProfile
from testbed.runner.activities import (
    activities_csv,
    clocks_of,
    unusable,
    why_no_labels,
)
from testbed.runner.arbiter import Arbiter
from testbed.runner.bench import Bench
from testbed.runner.capture import RAW, RollingCapture
from testbed.runner.course import Course, Ended
from testbed.runner.fold import (
    CampaignState,
    busy_until_ns,
    fold,
    known_state,
    left_to_do,
    plan_of,
)
from testbed.runner.folder import (
    ACTIVITIES,
    Export,
    frozen_inputs,
    load_inputs,
    make_folder,
    write_inputs,
    write_manifest,
    write_receipt,
    write_whole,
)
from testbed.runner.holding import held, leased
from testbed.runner.journal import Journal, JournalStore
from testbed.runner.leases import Lease
from testbed.runner.ready import (
    app_versions,
    check_instruments,
    check_space,
    render_sentences,
)
from testbed.runner.records import plan_text
from testbed.runner.replan import Replanner
from testbed.runner.scheduler import one_by_one, side_by_side
from testbed.runner.sessions import Sessions
from testbed.runner.site import Settings, Site
from testbed.runner.states import fixed
from testbed.runner.stop import Stop, StoppedError
from testbed.runner.trial import Trials
from testbed.runner.witness import Seen, Witness

_ROUNDS = 2  # a trial whose packets were lost is topped up once


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """All that a campaign is made from; frozen in `campaign.yaml`.

    form      'live' or 'fast'
    depth     'packets'; 'activities' where the fast form writes no packets
    scenario  the scenario as plain values, for the record
    """

    campaign: str
    form: str
    simulated: bool
    lab: Lab
    profiles: Mapping[str, DeviceProfile]
    plan: Plan
    scenario: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    depth: str = "packets"


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """With what a campaign is run.

    captures  folder of all campaigns
    between   called before each session with its index in the plan, while nothing is
              captured; a lab under a virtual clock moves to another day
    wall      the time of controllers, where `clock` is a virtual one
    fresh     whether the devices are in their initial state, as in a virtual lab that
              was just made; else nothing is known of what can change
    lease     the right to all this, when it is held already; else it is taken here
    """

    bench: Bench
    store: JournalStore
    clock: Clock
    stop: Stop
    captures: Path
    settings: Settings = field(default_factory=Settings)
    between: Callable[[int], None] = lambda _: None
    wall: Clock = field(default_factory=SystemClock)
    fresh: bool = False
    lease: Lease | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How a run of a campaign ended.

    no_labels  why no label may be made, or ''
    """

    campaign: str
    folder: Path
    state: CampaignState
    interrupted: bool
    no_labels: str

    def count(self, outcome: Outcome) -> int:
        """Return how many trials have an outcome."""
        return sum(
            self.state.outcome(trial) is outcome
            for trial, attempts in self.state.attempts.items()
            if not attempts[-1].did_its_work
        )


def run_campaign(
    inputs: Inputs,
    means: Means,
    ended: Callable[[Ended], None] = lambda _: None,
    say: Callable[[str], None] = lambda _: None,
) -> Result:
    """Run what is left of a campaign; the folder is complete but for what labels add.

    ended  called after each attempt
    say    called with a sentence that people should see

    Raises LabError when the lab is not ready or was lost, JournalError when the record
    is not safe. Whatever happens, the journal can be resumed.
    """
    folder = make_folder(means.captures, inputs.campaign)
    check_space(folder, inputs.lab)
    with ExitStack() as stack:
        lease = means.lease
        if lease is None:
            # Virtual time says nothing of who is alive.
            clock = means.clock if inputs.form == "live" else means.wall
            name = leased(inputs.form, inputs.campaign, inputs.lab.lab)
            lease = stack.enter_context(held(means.store, name, inputs.campaign, clock))
        renew = lease.renew if inputs.form == "live" else lease.renew_in_time
        return _Campaign(inputs, means, folder, renew).run(ended, say)


def close_campaign(folder: Path, journal: Journal) -> None:
    """Close a campaign whose labels are made: last fact, export, manifest."""
    state = fold(journal.read())
    if state.closed is None:
        journal.write(CampaignClosed(n_labelled=state.n_labelled()))
    Export(folder, journal).rewrite()
    write_manifest(folder)


class _Campaign:
    """The parts of one run, put together."""

    def __init__(
        self,
        inputs: Inputs,
        means: Means,
        folder: Path,
        heartbeat: Callable[[], None],
    ) -> None:
        self._inputs = inputs
        self._means = means
        self._folder = folder
        self._heartbeat = heartbeat
        self._journal = Journal(means.store, inputs.campaign)
        self._export = Export(folder, self._journal)
        self._witness = Witness(folder / RAW, inputs.campaign)
        self._site = Site(
            lab=inputs.lab,
            profiles=inputs.profiles,
            bench=means.bench,
            journal=self._journal,
            clock=means.clock,
            stop=means.stop,
            arbiter=Arbiter(means.stop),
            folder=folder,
            settings=means.settings,
        )
        self._replanner = Replanner(self._site)
        # device -> its state at the last look, and how many attempts were done by then
        self._start: dict[str, dict[str, str]] = {}
        self._n_before: dict[str, int] = {}
        self._said: set[str] = set()

    def run(self, ended: Callable[[Ended], None], say: Callable[[str], None]) -> Result:
        self._begin()
        interrupted = False
        try:
            self._work(ended, say)
        except StoppedError:
            interrupted = True
        finally:
            self._export.rewrite()
        no_labels = self._derive()
        return Result(
            campaign=self._inputs.campaign,
            folder=self._folder,
            state=self._state(),
            interrupted=interrupted,
            no_labels=no_labels,
        )

    def _state(self) -> CampaignState:
        return fold(self._journal.read())

    def _left(self, state: CampaignState) -> tuple[PlannedTrial, ...]:
        return left_to_do(state, self._means.settings.max_attempts)

    def _begin(self) -> None:
        """Freeze the inputs and journal the plan, or void what was half done.

        The plan comes last: once it is there, so is all that resume needs.
        """
        state = self._state()
        if state.plan is None:
            check_instruments(self._site, self._inputs.plan.trials)
            self._freeze(self._inputs.plan)
            self._write_plan(self._inputs.plan)
            return
        for attempt in state.open_attempts():
            self._void(
                attempt.started.trial,
                attempt.started.attempt,
                "the controller ended in the middle of it",
            )
        check_instruments(self._site, self._left(self._state()))
        self._freeze(state.plan)

    def _write_plan(self, plan: Plan) -> None:
        self._journal.write(
            CampaignPlanned(
                scenario=plan.scenario,
                seed=plan.seed,
                n_trials=len(plan.trials),
                plan_json=plan_text(plan),
                simulated=self._inputs.simulated,
            )
        )

    def _look_back(self, state: CampaignState) -> None:
        """Find out what is known of the devices before anything is done in this run."""
        devices = {t.device for t in plan_of(state).trials}
        self._n_before = _n_attempts(state)
        if self._means.fresh:
            profiles = self._inputs.profiles
            self._start = {d: dict(profiles[d].initial) for d in devices}
            return
        kept = {d: fixed(self._replanner.profile(d)) for d in devices}
        done = state.all_attempts()
        self._start = known_state(plan_of(state).trials, done, kept)

    def _known(self, state: CampaignState) -> dict[str, dict[str, str]]:
        own = [
            a
            for a in state.all_attempts()
            if a.started.attempt > self._n_before.get(a.started.trial, 0)
        ]
        return known_state(plan_of(state).trials, own, self._start)

    def _prepare_again(self) -> None:
        """Plan how devices get back to where the trials that are left need them."""
        state = self._state()
        known = self._known(state)
        self._replanner.ahead(self._left(state), known)
        self._start, self._n_before = known, _n_attempts(state)  # plugs were asked

    def _freeze(self, plan: Plan) -> None:
        inputs = self._inputs
        render_sentences(self._site, plan)
        write_inputs(
            self._folder,
            frozen_inputs(
                campaign=inputs.campaign,
                form=inputs.form,
                depth=inputs.depth,
                plan=plan,
                scenario=inputs.scenario,
                lab=inputs.lab,
                profiles=inputs.profiles,
                app_versions=app_versions(self._site, plan),
                versions=inputs.versions,
                simulated=inputs.simulated,
            ),
        )

    def _work(self, ended: Callable[[Ended], None], say: Callable[[str], None]) -> None:
        state = self._state()
        sessions = Sessions(
            self._journal, self._means.clock, state.sessions, self._inputs.versions
        )
        capture = RollingCapture(self._site, state, self._heartbeat)
        capture.recover()
        settle_s = self._means.settings.settle_s
        trials = Trials(self._site, sessions, busy_until_ns(state, settle_s))
        self._look_back(state)

        def on_end(one: Ended) -> None:
            self._export.extend()
            if not self._means.settings.threads:
                capture.tend()
            ended(one)

        if any(c.end is None for c in state.captures.values()):
            # What a killed controller did not fetch is listed by a new capture only.
            with self._session(sessions, capture):
                pass
        for number in range(_ROUNDS):
            n_void = self._void_unproven(say)
            if n_void:
                say(f"{n_void} trials are done again: their packets were not recorded")
            if number or state.sessions or not self._means.fresh:
                self._prepare_again()
            for index in sorted({t.session for t in self._left(self._state())}):
                self._means.between(index)
                with self._session(sessions, capture):
                    self._trials_of(index, trials, on_end)
        self._void_unproven(say)

    @contextmanager
    def _session(self, sessions: Sessions, capture: RollingCapture) -> Iterator[None]:
        """Record one session with its idle stretches; journal why it ended."""
        idle_s = self._inputs.plan.idle_s
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
        self, index: int, trials: Trials, ended: Callable[[Ended], None]
    ) -> None:
        state = self._state()
        plan = plan_of(state)
        course = Course(
            trials,
            state,
            self._known(state),
            max_attempts=self._means.settings.max_attempts,
            prepare=self._replanner.before,
            ended=ended,
        )
        overlapping = plan.interleave and self._means.settings.threads
        run = side_by_side if overlapping else one_by_one
        run(
            course,
            [t for t in self._left(state) if t.session == index],
            clock=self._means.clock,
            stop=self._means.stop,
            origin_ns=min(s.started_ns for s in state.sessions.values()),
        )

    def _void_unproven(self, say: Callable[[str], None]) -> int:
        """Void attempts that cannot be labelled; return how many."""
        state = self._state()
        seen = self._seen(state)
        unreadable = self._witness.unreadable
        for name in sorted(unreadable.keys() - self._said):
            say(f"{name} cannot be read, so it proves nothing: {unreadable[name]}")
        self._said |= unreadable.keys()
        limit_s = self._inputs.lab.limits.clock_uncertainty
        found = unusable(state, seen, unreadable, limit_s)
        for attempt, reason in found:
            self._journal.write(
                AttemptVoided(
                    trial=attempt.started.trial,
                    attempt=attempt.started.attempt,
                    reason=reason,
                )
            )
        return len(found)

    def _void(self, trial: str, attempt: int, reason: str) -> None:
        self._journal.write(AttemptVoided(trial=trial, attempt=attempt, reason=reason))
        self._journal.write(
            TrialEnded(
                trial=trial, attempt=attempt, outcome=Outcome.ABORTED, detail=reason
            )
        )

    def _seen(self, state: CampaignState) -> dict[str, list[Seen]]:
        return {n: self._witness.of_capture(c) for n, c in state.captures.items()}

    def _derive(self) -> str:
        """Write what follows from journal and captures; return why not to label."""
        state = self._state()
        seen = self._seen(state)
        write_receipt(self._folder, state, seen, self._witness.unreadable)
        self._export.rewrite()
        clocks = clocks_of(state, seen)
        devices = {d["device"]: d for d in load_inputs(self._folder)["devices"]}
        text = activities_csv(
            state,
            clocks,
            devices,
            campaign=self._inputs.campaign,
            home=self._inputs.lab.home,
        )
        write_whole(self._folder / ACTIVITIES, text)
        return why_no_labels(state, clocks, self._inputs.lab.limits.clock_uncertainty)


def _n_attempts(state: CampaignState) -> dict[str, int]:
    return {trial: len(done) for trial, done in state.attempts.items()}
