"""One attempt at a trial, from rest to rest.

An instrument that fails ends the attempt as FAILED, one that says yes and does nothing
as NO_EFFECT. One that failed because it is gone ends it as ABORTED, and whoever needs
it waits. Anything else, a bug or Ctrl-C, is journalled as ABORTED and goes on up.
"""

from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass

from analysis.pcap.beacons import Beacon, encode
from testbed.errors import DriverError, DriverNoEffectError, DriverTimeoutError
from testbed.model.events import (
    LABELLED,
    AttemptVoided,
    BeaconSent,
    Outcome,
    StimulusIssued,
    StimulusReturned,
    TrialEnded,
    TrialStarted,
)
from testbed.model.plan import PlannedTrial
from testbed.model.protocols import Bracket, Lookout
from testbed.model.types import Channel
from testbed.runner.journal.fold import NO_LABEL
from testbed.runner.journal.sessions import Sessions
from testbed.runner.pauses.suspenders import ROUTER, Need
from testbed.runner.pauses.touched import EVERYBODY, needs_of
from testbed.runner.trials.arbiter import LOOK, PHONE, STIMULUS, Priority
from testbed.runner.trials.checks import (
    PrematureError,
    Verdict,
    check_of,
    check_power,
    check_screen,
    is_premature,
    looks_at_phone,
)
from testbed.runner.trials.evidence import EvidenceKeeper
from testbed.runner.trials.replan import is_blind
from testbed.runner.trials.site import Site
from testbed.runner.trials.stimulus import PhonePlace, Stimulus, stimulus_for

_HEARD_LATE_S = 2.0  # bridges keep the time of the last packet roughly


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What an attempt came to.

    issued    whether the stimulus was about to leave
    doubtful  whether the device was found not to be as the trial needs it
    """

    outcome: Outcome
    issued: bool
    doubtful: bool = False


@dataclass(slots=True, kw_only=True)
class _Run:
    """One attempt in flight; `held` is what it holds until its check is done."""

    trial: PlannedTrial
    attempt: int
    stimulus: Stimulus
    held: ExitStack
    rank: float
    issued: bool = False
    doubtful: bool = False
    premature: bool = False  # the effect was seen before the stimulus
    since_s: float | None = None  # when the stimulus was given


class Trials:
    """Does attempts at trials; several threads may, one per device.

    busy_until_ns  device -> until when it may still react to an earlier controller
    """

    def __init__(
        self, site: Site, sessions: Sessions, busy_until_ns: Mapping[str, int]
    ) -> None:
        self._site = site
        self._sessions = sessions
        self._evidence = EvidenceKeeper(site)
        self._place = PhonePlace()
        self._n_away = 0  # how often the phone had gone when it was used last
        now_s, now_ns = site.clock.monotonic_s(), site.clock.now_ns()
        # device -> end of its last label window
        self._free_s = {
            device: now_s + max(0, until_ns - now_ns) / 1e9
            for device, until_ns in busy_until_ns.items()
        }

    def needs(self, trial: PlannedTrial) -> frozenset[Need]:
        """Return what must not be bad while a trial is done."""
        return needs_of(trial, self._site.profiles[trial.device], self._site.lab)

    def wait(self, trial: PlannedTrial) -> None:
        """Wait until nothing that a trial needs is bad; raises StoppedError."""
        self._site.pauses.wait(self.needs(trial))

    def n_offline(self, device: str) -> int:
        """Return how often a device was offline in this run."""
        return self._site.pauses.n_suspended({("device", device)})

    def run(
        self, trial: PlannedTrial, attempt: int, *, rank: float = 0.0
    ) -> Done | None:
        """Do one attempt; return when the device rests again, or the attempt failed.

        rank  place among those who wait for an instrument; smaller goes first

        None is returned when nothing was begun: what it needs went bad meanwhile.
        Raises StoppedError when a stop was requested (the attempt is then ABORTED, or
        was never begun) and JournalError when the record is not safe.
        """
        self._rest(trial)
        stimulus = stimulus_for(self._site, self._place, trial)
        with ExitStack() as held:
            place = Priority(STIMULUS, rank)
            held.enter_context(self._site.arbiter.hold(stimulus.holds, place))
            if self._is_suspended(trial, stimulus):
                return None
            if stimulus.holds == PHONE:
                self._doubt_place()
            return self._attempt(
                _Run(
                    trial=trial,
                    attempt=attempt,
                    stimulus=stimulus,
                    held=held,
                    rank=rank,
                )
            )

    def refuse(
        self,
        trial: PlannedTrial,
        attempt: int,
        reason: str,
        outcome: Outcome = Outcome.FAILED,
    ) -> Done:
        """Record that a trial was not tried because it would make no sense."""
        self._start(trial, attempt)
        self._end(trial, attempt, outcome, reason)
        return Done(outcome=outcome, issued=False)

    def _is_suspended(self, trial: PlannedTrial, stimulus: Stimulus) -> bool:
        pauses, needs = self._site.pauses, self.needs(trial)
        if stimulus.holds == PHONE and not pauses.bad(needs):
            pauses.look_in_hand({("app", trial.device)})
            if pauses.bad({("app", trial.device)}):
                with suppress(DriverError):
                    self._evidence.keep_app(trial.device)
        return bool(pauses.bad(needs))

    def _doubt_place(self) -> None:
        """Forget where a phone is that was away: it may have begun anew."""
        n_away = self._site.pauses.n_suspended({("phone", "")})
        if n_away != self._n_away:
            self._n_away = n_away
            self._place.forget()

    def _rest(self, trial: PlannedTrial) -> None:
        clock = self._site.clock
        free_s = self._free_s.get(trial.device, clock.monotonic_s())
        self._site.stop.sleep(clock, free_s + trial.rest_s - clock.monotonic_s())

    def _attempt(self, run: _Run) -> Done:
        outcome, detail = Outcome.ABORTED, ""
        self._start(run.trial, run.attempt)
        try:
            verdict = self._stimulate_and_check(run)
            run.held.close()
            self._wait_for_rest(run)
            # Seen in the capture, it proves that the whole window was recorded.
            self._beacon(run, "rest")
            outcome, detail = self._heard_or_not(run, verdict)
        except DriverNoEffectError as exc:
            outcome, detail = Outcome.NO_EFFECT, str(exc)
        except PrematureError as exc:
            outcome, detail, run.doubtful = Outcome.FAILED, str(exc), True
            self._keep_failure(run)
        except DriverError as exc:
            outcome, detail = self._blame(run, exc)
        finally:
            self._end(run.trial, run.attempt, outcome, detail)
        return Done(outcome=outcome, issued=run.issued, doubtful=run.doubtful)

    def _blame(self, run: _Run, exc: DriverError) -> Verdict:
        """Tell a trial that failed from an instrument that is gone."""
        own = self.needs(run.trial) - EVERYBODY
        if run.stimulus.holds != PHONE:
            own -= {("app", run.trial.device)}  # somebody else may be at work on it
        # The way to the instruments may lead through the router.
        why = self._site.pauses.suspect(own | {ROUTER})
        why = why or self._site.pauses.bad(EVERYBODY)
        if not why:
            self._keep_failure(run)
            return Outcome.FAILED, str(exc)
        self._place.forget()
        self._site.journal.write(
            AttemptVoided(
                trial=run.trial.trial, attempt=run.attempt, reason=f"{exc}; {why}"
            )
        )
        return Outcome.ABORTED, why

    def _stimulate_and_check(self, run: _Run) -> Verdict:
        trial, clock = run.trial, self._site.clock
        run.stimulus.prepare()
        if not trial.preparation:
            again = run.stimulus.prepare
            run.premature = is_premature(self._site, trial, again=again)
        if run.stimulus.holds == PHONE:
            self._keep(run, "trigger")
        self._beacon(run, "before")
        self._site.stop.check()
        run.issued = True
        self._site.journal.write(
            StimulusIssued(
                trial=trial.trial, attempt=run.attempt, parameters=trial.parameters
            )
        )
        self._busy(trial, clock.now_ns())
        begun_s = clock.monotonic_s()
        bracket = run.stimulus.trigger()
        self._busy(trial, bracket.instant_ns)
        used = {n for n in self.needs(trial) if n[0] in ("plug", "voice")}
        self._site.pauses.used(used, bracket.return_ns)
        self._beacon(run, "after")
        self._site.journal.write(
            StimulusReturned(
                trial=trial.trial,
                attempt=run.attempt,
                issue_ns=bracket.issue_ns,
                return_ns=bracket.return_ns,
                instant_ns=bracket.instant_ns,
                detail=bracket.detail,
            )
        )
        self._refuse_vague(trial, bracket)
        run.stimulus.finish()
        run.since_s = begun_s
        verdict = self._checked(run, clock.monotonic_s())
        if run.premature and verdict[0] is Outcome.CONFIRMED:
            return Outcome.UNCHECKED, "the effect was seen before the stimulus already"
        return verdict

    def _refuse_vague(self, trial: PlannedTrial, bracket: Bracket) -> None:
        """Raise DriverError when nobody can say when a stimulus acted."""
        spoken = trial.channel is Channel.VOICE  # its end is that of the sentence
        end_ns = bracket.instant_ns if spoken else bracket.return_ns
        took_s = (end_ns - bracket.issue_ns) / 1e9
        limit_s = self._site.lab.limits.act
        if not 0.0 <= took_s <= limit_s:
            reason = f"it took {took_s:.1f} s, so its instant is not known"
            raise DriverTimeoutError(trial.channel.value, "give the stimulus", reason)

    def _checked(self, run: _Run, since_s: float) -> Verdict:
        check = check_of(self._site, run.trial)
        if check is None:
            return Outcome.UNCHECKED, ""
        outcome, detail = check_power(self._site, run.trial, check)
        if outcome is not Outcome.CONFIRMED or not looks_at_phone(check):
            return outcome, detail
        with ExitStack() as looking:
            if run.stimulus.holds != PHONE:
                place = Priority(LOOK, run.rank)
                looking.enter_context(self._site.arbiter.hold(PHONE, place))
            late_s = self._site.clock.monotonic_s() - since_s
            verdict = check_screen(self._site, run.trial, check, late_s=late_s)
            moment = "failure" if verdict[0] is Outcome.NO_EFFECT else "check"
            self._keep(run, moment)
        return verdict

    def _wait_for_rest(self, run: _Run) -> None:
        """Stay until the label window is over, so that no act of ours disturbs it."""
        clock = self._site.clock
        end_s = self._free_s[run.trial.device]
        self._site.stop.sleep(clock, end_s - clock.monotonic_s())

    def _heard_or_not(self, run: _Run, verdict: Verdict) -> Verdict:
        """Confirm nothing of a device that sent no packet in its whole window.

        What the phone shows may be what its app only supposes.
        """
        router, trial = self._site.bench.capture, run.trial
        if verdict[0] not in LABELLED or not isinstance(router, Lookout):
            return verdict
        if run.since_s is None or trial.gives.get("power") == "off":
            return verdict
        try:
            heard_s = router.heard_s(self._site.profiles[trial.device].mac)
        except DriverError:
            return verdict  # the beacons will tell
        since_s = self._site.clock.monotonic_s() - run.since_s
        if heard_s is None or heard_s <= since_s + _HEARD_LATE_S:
            return verdict
        reason = f"{trial.device} sent nothing for {heard_s:.0f} s, all of its window"
        return Outcome.NO_EFFECT, reason

    def _busy(self, trial: PlannedTrial, instant_ns: int) -> None:
        """Note that the device's label window began at `instant_ns`."""
        clock = self._site.clock
        ago_s = (clock.now_ns() - instant_ns) / 1e9
        length_s = trial.delta_s + max(trial.settle_s, self._site.settings.settle_s)
        self._free_s[trial.device] = clock.monotonic_s() - ago_s + length_s

    def _beacon(self, run: _Run, phase: str) -> None:
        sent_ns = self._site.clock.now_ns()
        beacon = Beacon(
            campaign=self._site.journal.campaign,
            trial=run.trial.trial,
            attempt=run.attempt,
            phase=phase,
            sent_ns=sent_ns,
        )
        self._site.bench.beacons.send(encode(beacon))
        self._site.journal.write(
            BeaconSent(
                trial=run.trial.trial,
                attempt=run.attempt,
                phase=phase,
                sent_ns=sent_ns,
            )
        )

    def _keep(self, run: _Run, moment: str) -> None:
        # A picture that cannot be had says nothing of the trial; the phone itself may
        # be what failed.
        with suppress(DriverError):
            if self._evidence.wanted(run.trial, moment):
                self._evidence.keep(run.trial, run.attempt, moment)

    def _keep_failure(self, run: _Run) -> None:
        if run.stimulus.holds != PHONE:
            return
        self._place.forget()
        self._keep(run, "failure")

    def _start(self, trial: PlannedTrial, attempt: int) -> None:
        self._site.journal.write(
            TrialStarted(
                trial=trial.trial,
                attempt=attempt,
                session=self._sessions.current(),
                device=trial.device,
                activity=trial.activity,
                channel=trial.channel,
                network=trial.network,
            )
        )

    def _end(
        self, trial: PlannedTrial, attempt: int, outcome: Outcome, detail: str
    ) -> None:
        if outcome is Outcome.ABORTED and not detail:
            stopped = self._site.stop.requested
            detail = self._site.stop.reason if stopped else "the testbed itself failed"
        if outcome in LABELLED and is_blind(trial, self._site.profiles[trial.device]):
            reason = f"{NO_LABEL}{trial.device} may have been in that state already"
            self._site.journal.write(
                AttemptVoided(trial=trial.trial, attempt=attempt, reason=reason)
            )
        self._site.journal.write(
            TrialEnded(
                trial=trial.trial, attempt=attempt, outcome=outcome, detail=detail
            )
        )
