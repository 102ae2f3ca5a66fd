"""What a campaign has come to, folded from its journal."""

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

from testbed.model.estimate import estimate
from testbed.model.events import LABELLED, Outcome
from testbed.model.profile import DeviceProfile
from testbed.runner.fold import CampaignState, left_to_do, plan_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One device, activity, channel and network of the coverage matrix.

    needed    trials of the plan
    outcomes  how many trials ended so; the others are still to be done
    """

    device: str
    activity: str
    channel: str
    network: str
    needed: int
    outcomes: dict[str, int]

    @property
    def labelled(self) -> int:
        """Return how many trials became labels."""
        return sum(self.outcomes.get(o.value, 0) for o in LABELLED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """A campaign at a glance. state: planned, running, interrupted, done or closed."""

    campaign: str
    scenario: str
    state: str
    simulated: bool
    n_trials: int
    n_done: int
    left_s: float
    outcomes: dict[str, int]
    cells: tuple[Cell, ...]

    def plain(self) -> dict[str, Any]:
        """Return it for machines."""
        return {
            "campaign": self.campaign,
            "scenario": self.scenario,
            "state": self.state,
            "simulated": self.simulated,
            "trials": self.n_trials,
            "done": self.n_done,
            "left_s": round(self.left_s, 1),
            "outcomes": self.outcomes,
            "coverage": [
                {
                    "device": c.device,
                    "activity": c.activity,
                    "channel": c.channel,
                    "network": c.network,
                    "needed": c.needed,
                    "labelled": c.labelled,
                    **c.outcomes,
                }
                for c in self.cells
            ],
        }


def status_of(
    campaign: str,
    state: CampaignState,
    profiles: dict[str, DeviceProfile],
    *,
    max_attempts: int,
    is_held: bool = False,
) -> Status:
    """Return the status of a campaign; raises JournalError when it has no plan.

    is_held  whether a living controller holds the lab for this campaign, as
             `leases.holder_of(...)` and `Holder.is_at(...)` tell
    """
    left = left_to_do(state, max_attempts)
    plan = plan_of(state)
    expected = estimate(replace(plan, trials=left), profiles).duration_s if left else 0
    final = {t.trial: _shown(state, t.trial) for t in plan.trials}
    outcomes = Counter(o.value for o in final.values() if o is not None)
    return Status(
        campaign=campaign,
        scenario=plan.scenario,
        state=_word(state, len(left), is_held=is_held),
        simulated=state.planned is not None and state.planned.simulated,
        n_trials=len(plan.trials),
        n_done=len(plan.trials) - len(left),
        left_s=expected,
        outcomes=dict(outcomes),
        cells=_cells(state, final),
    )


def _shown(state: CampaignState, trial: str) -> Outcome | None:
    done = state.attempts.get(trial, [])
    return None if done and done[-1].did_its_work else state.outcome(trial)


def _word(state: CampaignState, n_left: int, *, is_held: bool) -> str:
    if is_held:
        return "running"
    if state.closed is not None:
        return "closed"
    if not state.sessions:
        return "planned"
    last = list(state.sessions.values())[-1]
    return "interrupted" if n_left or last.reason is None else "done"


def _cells(state: CampaignState, final: dict[str, Outcome | None]) -> tuple[Cell, ...]:
    needed: Counter[tuple[str, str, str, str]] = Counter()
    ended: dict[tuple[str, str, str, str], Counter[str]] = {}
    for trial in plan_of(state).trials:
        if trial.preparation:
            continue
        network = trial.network.value if trial.network is not None else ""
        key = (trial.device, trial.activity, trial.channel.value, network)
        needed[key] += 1
        outcome = final[trial.trial]
        if outcome is not None:
            ended.setdefault(key, Counter())[outcome.value] += 1
    return tuple(
        Cell(
            device=device,
            activity=activity,
            channel=channel,
            network=network,
            needed=n,
            outcomes=dict(ended.get((device, activity, channel, network), {})),
        )
        for (device, activity, channel, network), n in sorted(needed.items())
    )
