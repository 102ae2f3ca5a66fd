"""From planned trials to attempts: does a trial make sense, and is it done again."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from testbed.model.events import Outcome
from testbed.model.plan import PlannedTrial
from testbed.runner.fold import NOT_TRIED, CampaignState, apply_outcome
from testbed.runner.trial import Trials


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """One attempt that came to its end, for those who report progress."""

    trial: PlannedTrial
    attempt: int
    outcome: Outcome


class Course:
    """Takes trials to their end, as often as they need; safe for several threads.

    known   device -> what is known of its state
    ended   called after each attempt, in the thread that did it
    """

    def __init__(
        self,
        trials: Trials,
        before: CampaignState,
        known: Mapping[str, dict[str, str]],
        *,
        max_attempts: int,
        ended: Callable[[Ended], None],
    ) -> None:
        self._trials = trials
        self._known = {device: dict(state) for device, state in known.items()}
        self._max_attempts = max_attempts
        self._ended = ended
        self._report = threading.Lock()
        self._failed = {
            trial: sum(a.final is Outcome.FAILED for a in attempts)
            for trial, attempts in before.attempts.items()
        }
        self._next = {trial: before.next_attempt(trial) for trial in before.attempts}

    def do(self, trial: PlannedTrial, *, rank: float = 0.0) -> None:
        """Do attempts at a trial until it is finished.

        Raises StoppedError when a stop was requested.
        """
        failed = self._failed.get(trial.trial, 0)
        attempt = self._next.get(trial.trial, 1)
        known = self._known.setdefault(trial.device, {})
        while True:
            reason = unmet(trial, known)
            if reason:
                outcome = self._trials.refuse(trial, attempt, reason)
            else:
                outcome = self._trials.run(trial, attempt, rank=rank)
            apply_outcome(known, trial, outcome)
            with self._report:
                self._ended(Ended(trial=trial, attempt=attempt, outcome=outcome))
            failed += outcome is Outcome.FAILED
            attempt += 1
            if reason or outcome is not Outcome.FAILED or failed >= self._max_attempts:
                return


def unmet(trial: PlannedTrial, known: Mapping[str, str]) -> str:
    """Return why the precondition of a trial is known not to hold, or ''."""
    for key, value in trial.needs.items():
        if known.get(key, value) != value:
            return (
                f"{NOT_TRIED}{trial.device} must have {key}={value} and is known to "
                f"have {key}={known[key]}; an earlier trial did not bring it there"
            )
    return ""
