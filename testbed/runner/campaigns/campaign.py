"""A campaign from its plan to a complete folder.

To resume is to run with a journal that is not empty: what is finished is folded out,
what was half done is voided and done again as a new attempt.
"""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from testbed.model.events import (
    LABELLED,
    AttemptVoided,
    CampaignClosed,
    CampaignPlanned,
    Outcome,
    TrialEnded,
)
from testbed.model.plan import Plan
from testbed.runner.apps.drift import require_no_drift
from testbed.runner.campaigns.folder import (
    ACTIVITIES,
    Export,
    frozen_inputs,
    load_inputs,
    make_folder,
    write_inputs,
    write_manifest,
    write_receipt,
)
from testbed.runner.campaigns.means import Inputs, Means
from testbed.runner.campaigns.ready import (
    app_versions,
    check_instruments,
    check_space,
    render_sentences,
)
from testbed.runner.campaigns.rounds import Rounds
from testbed.runner.filing import write_whole
from testbed.runner.journal.event_text import plan_text
from testbed.runner.journal.fold import CampaignState, fold, left_to_do, plan_of
from testbed.runner.journal.lab_lease import held, leased
from testbed.runner.journal.store import Journal
from testbed.runner.pauses.suspenders import Suspenders
from testbed.runner.recording.activities import activities_csv, clocks_of, why_no_labels
from testbed.runner.recording.capture import RAW
from testbed.runner.recording.witness import Witness
from testbed.runner.stop import StoppedError
from testbed.runner.trials.arbiter import Arbiter
from testbed.runner.trials.course import Ended
from testbed.runner.trials.site import Site

__all__ = [
    "Inputs",
    "Means",
    "Result",
    "close_campaign",
    "leased",
    "run_campaign",
]


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

    @property
    def n_missed(self) -> int:
        """Return how many trials that the scenario asked for became no label.

        A preparation that failed is made good by another, or by the trial itself.
        """
        return sum(
            self.state.outcome(t.trial) not in LABELLED
            for t in plan_of(self.state).trials
            if not t.preparation and t.trial in self.state.attempts
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
            pauses=Suspenders(
                inputs.lab.limits, means.clock, means.stop, self._journal.write
            ),
        )

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

    def _work(self, ended: Callable[[Ended], None], say: Callable[[str], None]) -> None:
        def on_end(one: Ended) -> None:
            self._export.extend()
            ended(one)

        rounds = Rounds(self._inputs, self._means, self._site, self._witness)
        rounds.work(self._heartbeat, on_end, say)

    def _state(self) -> CampaignState:
        return fold(self._journal.read())

    def _begin(self) -> None:
        """Freeze the inputs and journal the plan, or void what was half done.

        The plan comes last: once it is there, so is all that resume needs.
        """
        state = self._state()
        if state.plan is None:
            check_instruments(self._site, self._inputs.plan.trials)
            self._check_apps(self._inputs.plan)
            self._freeze(self._inputs.plan)
            self._write_plan(self._inputs.plan)
            return
        for attempt in state.open_attempts():
            self._void(
                attempt.started.trial,
                attempt.started.attempt,
                "the controller ended in the middle of it",
            )
        check_instruments(self._site, left_to_do(self._state()))
        self._check_apps(state.plan)
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

    def _check_apps(self, plan: Plan) -> None:
        """Raise LabError, with a report, when apps are not those of the app lock."""
        lock, phone = self._inputs.lock, self._means.bench.phone
        if lock is None or phone is None:
            return
        require_no_drift(
            phone,
            self._inputs.profiles,
            sorted({t.device for t in plan.trials}),
            lock=lock,
            folder=self._folder / "drift",
            clock=self._means.clock,
        )

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
                rerun_of=inputs.rerun_of,
            ),
        )

    def _void(self, trial: str, attempt: int, reason: str) -> None:
        self._journal.write(AttemptVoided(trial=trial, attempt=attempt, reason=reason))
        self._journal.write(
            TrialEnded(
                trial=trial, attempt=attempt, outcome=Outcome.ABORTED, detail=reason
            )
        )

    def _derive(self) -> str:
        """Write what follows from journal and captures; return why not to label."""
        state = self._state()
        seen = self._witness.of_campaign(state)
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
