"""From planned trials to attempts: does a trial make sense, and is it done again."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from testbed.model.events import Outcome
from testbed.model.plan import PlannedTrial
from testbed.runner.journal.fold import (
    NOT_TRIED,
    SPENT,
    CampaignState,
    changed_by,
    plan_of,
)
from testbed.runner.journal.states import LOST, apply_outcome, unmet, unsure
from testbed.runner.trials.late import TooLate
from testbed.runner.trials.trial import Trials

Prepare = Callable[[PlannedTrial, dict[str, str]], Sequence[PlannedTrial]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """One attempt that came to its end, for those who report progress."""

    trial: PlannedTrial
    attempt: int
    outcome: Outcome


class Course:
    """Takes trials to their end, as often as they need; safe for several threads.

    known    device -> what is known of its state
    limit    attempts at one trial, with those that were voided on the spot
    late     tells why a trial is left out, since its time has passed
    prepare  plans what brings a device to where a trial needs it; it may add what
             plugs tell to what is known
    ended    called after each attempt, in the thread that did it
    """

    def __init__(
        self,
        trials: Trials,
        before: CampaignState,
        known: Mapping[str, dict[str, str]],
        *,
        limit: int,
        late: TooLate,
        prepare: Prepare,
        ended: Callable[[Ended], None],
    ) -> None:
        self._trials = trials
        self._known = {device: dict(state) for device, state in known.items()}
        self._planned = plan_of(before).trials
        self._attempts = plan_of(before).attempts
        self._limit = limit
        self._late = late
        self._n_offline = {d: trials.n_offline(d) for d in self._known}
        self._prepare = prepare
        self._ended = ended
        self._report = threading.Lock()
        self._spent = {trial: before.n_spent(trial) for trial in before.attempts}
        self._next = {trial: before.next_attempt(trial) for trial in before.attempts}

    def known(self, device: str) -> Mapping[str, str]:
        """Return what is known of a device now."""
        return self._known.get(device, {})

    def do(self, trial: PlannedTrial, *, rank: float = 0.0) -> None:
        """Do attempts at a trial until it is finished.

        Where it is not known whether the device is as the trial needs it, preparations
        bring it there first. Raises StoppedError when a stop was requested.
        """
        spent = self._spent.get(trial.trial, 0)
        first = attempt = self._next.get(trial.trial, 1)
        known = self._known.setdefault(trial.device, {})
        while attempt - first < self._limit:
            self._trials.wait(trial)
            self._doubt(trial, known)
            late = self._late(trial)
            trusted = bool(late) or self._make_sure(trial, known, rank)
            reason = late or ("" if trusted else why_not(trial, known))
            if reason:
                kind = Outcome.ABORTED if late else Outcome.FAILED
                done = self._trials.refuse(trial, attempt, reason, kind)
            else:
                tried = self._trials.run(trial, attempt, rank=rank)
                if tried is None:
                    continue  # what it needs went bad; nothing was begun
                done = tried
            apply_outcome(known, trial.gives, done.outcome, issued=done.issued)
            if done.doubtful:
                known.update(dict.fromkeys(trial.gives, LOST))
            with self._report:
                one = Ended(trial=trial, attempt=attempt, outcome=done.outcome)
                self._ended(one)
            again = done.outcome in (*SPENT, Outcome.ABORTED)
            spent += done.outcome in SPENT
            attempt += 1
            self._next[trial.trial] = attempt
            if reason or not again or spent >= self._attempts:
                return

    def _doubt(self, trial: PlannedTrial, known: dict[str, str]) -> None:
        """Trust no state of a device that was offline: it may have begun anew."""
        n_offline = self._trials.n_offline(trial.device)
        if n_offline > self._n_offline.get(trial.device, 0):
            self._n_offline[trial.device] = n_offline
            keys = changed_by(self._planned, trial.device)
            known.update(dict.fromkeys(keys, LOST))

    def _make_sure(
        self, trial: PlannedTrial, known: dict[str, str], rank: float
    ) -> bool:
        """Prepare a trial of unsure needs; say whether it is tried without them.

        It is when nothing leads to what it needs, and nothing was ever known of it:
        then the lab is trusted to be as the profile says. A state that an attempt of
        ours made unsure is not trusted.
        """
        if trial.preparation or not unsure(trial.needs, known):
            return False
        untouched = all(known.get(key) != LOST for key in trial.needs)
        way = self._prepare(trial, known)
        for step in way:
            self.do(step, rank=rank)
        return not way and untouched and unsure(trial.needs, known)


def why_not(trial: PlannedTrial, known: Mapping[str, str]) -> str:
    """Return why a trial makes no sense in what is known of its device, or ''."""
    for key, value in unmet(trial.needs, known).items():
        found = known.get(key, LOST)
        state = f"may not have {key}={value}"
        if found != LOST:
            state = f"is known to have {key}={found}"
        return (
            f"{NOT_TRIED}{trial.device} must have {key}={value} and {state}; no "
            "earlier trial brought it there"
        )
    return ""
