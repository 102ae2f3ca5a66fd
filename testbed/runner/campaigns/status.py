"""What a campaign has come to, folded from its journal."""

import csv
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from testbed.model.estimate import expected_s
from testbed.model.events import LABELLED, Outcome
from testbed.model.plan import Plan, PlannedTrial
from testbed.model.profile import DeviceProfile
from testbed.runner.journal.fold import CampaignState, SessionFold, left_to_do, plan_of
from testbed.runner.trials.stimulus import REMARKS

_ENOUGH = 5  # finished trials after which their own times are believed
_FACTOR = (0.5, 3.0)  # how far they may be from the estimate

Key = tuple[str, str, str, str]  # device, activity, channel, network


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One device, activity, channel and network of the coverage matrix.

    needed    trials of the plan; 0 where nobody planned
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
class Paused:
    """Something that is bad now, and what waits for it."""

    condition: str
    target: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """What the phone had to do otherwise than the profile says, n times.

    kind  'fallback': a lower rung of a selector was used; 'interrupt': a pop-up closed
    """

    device: str
    activity: str
    kind: str
    said: str
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """A campaign at a glance.

    state   planned, running, paused, interrupted, done, closed; or not run here
    n_void  attempts that were voided, and so done again
    remarks  what the phone remarked about steps that went another way
    left_s  by the estimate, and by how long the trials so far really took
    """

    campaign: str
    scenario: str
    state: str
    simulated: bool
    n_trials: int
    n_done: int
    left_s: float
    outcomes: dict[str, int]
    cells: tuple[Cell, ...]
    n_void: int = 0
    remarks: tuple[Remark, ...] = ()
    paused: tuple[Paused, ...] = field(default_factory=tuple)

    def plain(self) -> dict[str, Any]:
        """Return it for machines."""
        return {
            "campaign": self.campaign,
            "scenario": self.scenario,
            "state": self.state,
            "simulated": self.simulated,
            "trials": self.n_trials,
            "done": self.n_done,
            "voided": self.n_void,
            "left_s": round(self.left_s, 1),
            "remarks": [asdict(remark) for remark in self.remarks],
            "paused": [
                {"condition": p.condition, "target": p.target, "detail": p.detail}
                for p in self.paused
            ],
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
    is_held: bool = False,
    now_ns: int | None = None,
) -> Status:
    """Return the status of a campaign; raises JournalError when it has no plan.

    is_held  whether a living controller holds the lab for this campaign, as
             `vacancy.is_run(...)` tells
    now_ns   ns UTC on the campaign's clock; its last fact where that is all one knows
    """
    left = left_to_do(state)
    plan = plan_of(state)
    final = {t.trial: _shown(state, t.trial) for t in plan.trials}
    outcomes = Counter(o.value for o in final.values() if o is not None)
    return Status(
        campaign=campaign,
        scenario=plan.scenario,
        state=_word(state, len(left), is_held=is_held),
        simulated=state.planned is not None and state.planned.simulated,
        n_trials=len(plan.trials),
        n_done=len(plan.trials) - len(left),
        left_s=left_s(state, left, profiles, now_ns),
        outcomes=dict(outcomes),
        cells=_cells(_planned(plan), ((_key(t), final[t.trial]) for t in _real(plan))),
        n_void=sum(a.voided is not None and not a.did_its_work for a in _all(state)),
        remarks=_remarks(state),
        paused=tuple(
            Paused(condition=s.condition, target=s.target, detail=s.detail)
            for s in state.suspended.values()
        )
        if is_held
        else (),
    )


def status_of_log(campaign: str, log: Path, *, simulated: bool) -> Status:
    """Return the status of a campaign of which there is but an activity log.

    log  an `activities.csv`; one that is not there holds no activity
    """
    rows: list[dict[str, str]] = []
    if log.exists():
        with log.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    last = {(r["session"], r["trial"]): r for r in rows}  # the last attempt counts
    ended = [(_key_of(r), Outcome(r["outcome"])) for r in last.values()]
    counts = Counter(outcome.value for _, outcome in ended)
    return Status(
        campaign=campaign,
        scenario="",
        state="not run here",
        simulated=simulated,
        n_trials=len(last),
        n_done=len(last),
        left_s=0.0,
        outcomes=dict(counts),
        cells=_cells(Counter(), ended),
        n_void=len(rows) - len(last),
    )


def left_s(
    state: CampaignState,
    left: tuple[PlannedTrial, ...],
    profiles: Mapping[str, DeviceProfile],
    now_ns: int | None = None,
) -> float:
    """Return the seconds that are left: by the estimate, and by what was measured.

    The trials so far took so many times as long as they were expected to; what is left
    is taken to do the same. Acts of users have their times, whatever others took.
    """
    if not left:
        return 0.0
    plan = plan_of(state)
    if any(t.not_before_s is not None for t in left):
        return _until_last_act_s(state, plan, left, profiles, now_ns)
    of_left_s = _expected_s(plan, left, profiles)
    names = {t.trial for t in left}
    done = tuple(t for t in plan.trials if t.trial not in names)
    if len(done) < _ENOUGH:
        return of_left_s
    passed_s = sum(_passed_s(state, s) for s in state.sessions.values())
    lowest, highest = _FACTOR
    done_s = _expected_s(plan, done, profiles)
    return of_left_s * min(max(passed_s / done_s, lowest), highest)


def _passed_s(state: CampaignState, session: SessionFold) -> float:
    """Return how long something was done in a session that ended, goes on or died."""
    if session.ended_ns is not None:
        return (session.ended_ns - session.started_ns) / 1e9
    own = [a for a in state.all_attempts() if a.started.session == session.session]
    # What was voided may have been so by the next controller, whenever that came.
    known = [a.ended_ns for a in own if a.ended_ns is not None and a.voided is None]
    begun = [a.issued_ns or a.started_ns for a in own]
    last_ns = max([session.started_ns, *known, *begun])
    return (last_ns - session.started_ns) / 1e9


def _until_last_act_s(
    state: CampaignState,
    plan: Plan,
    left: tuple[PlannedTrial, ...],
    profiles: Mapping[str, DeviceProfile],
    now_ns: int | None,
) -> float:
    ends_s = _expected_s(plan, left, profiles)
    if not state.sessions:
        return ends_s
    origin_ns = min(s.started_ns for s in state.sessions.values())
    passed_s = ((now_ns or state.last_ns) - origin_ns) / 1e9
    return max(0.0, ends_s - passed_s)


def _expected_s(
    plan: Plan,
    trials: tuple[PlannedTrial, ...],
    profiles: Mapping[str, DeviceProfile],
) -> float:
    return expected_s(replace(plan, trials=trials), profiles)


def _all(state: CampaignState) -> list[Any]:
    return [a for attempts in state.attempts.values() for a in attempts]


def _remarks(state: CampaignState) -> tuple[Remark, ...]:
    found: Counter[tuple[str, str, str, str]] = Counter()
    for attempt in _all(state):
        detail = attempt.returned.detail if attempt.returned is not None else {}
        for kind in REMARKS:
            if kind in detail:
                trial = attempt.started
                found[trial.device, trial.activity, kind, detail[kind]] += 1
    return tuple(
        Remark(device=device, activity=activity, kind=kind, said=said, n=n)
        for (device, activity, kind, said), n in sorted(found.items())
    )


def _shown(state: CampaignState, trial: str) -> Outcome | None:
    done = state.attempts.get(trial, [])
    return None if done and done[-1].did_its_work else state.outcome(trial)


def _word(state: CampaignState, n_left: int, *, is_held: bool) -> str:
    if is_held:
        return "paused" if state.suspended else "running"
    if state.closed is not None:
        return "closed"
    if not state.sessions:
        return "planned"
    last = list(state.sessions.values())[-1]
    return "interrupted" if n_left or last.reason is None else "done"


def _real(plan: Plan) -> list[PlannedTrial]:
    return [t for t in plan.trials if not t.preparation]


def _planned(plan: Plan) -> Counter[Key]:
    return Counter(_key(t) for t in _real(plan))


def _key(trial: PlannedTrial) -> Key:
    network = trial.network.value if trial.network is not None else ""
    return trial.device, trial.activity, trial.channel.value, network


def _key_of(row: Mapping[str, str]) -> Key:
    names = ("device", "activity", "channel", "network")
    device, activity, channel, network = (row.get(n) or "" for n in names)
    return device, activity, channel, network


def _cells(
    needed: Counter[Key], ended: Iterable[tuple[Key, Outcome | None]]
) -> tuple[Cell, ...]:
    outcomes: dict[Key, Counter[str]] = {}
    for key, outcome in ended:
        if outcome is not None:
            outcomes.setdefault(key, Counter())[outcome.value] += 1
    return tuple(
        Cell(
            device=key[0],
            activity=key[1],
            channel=key[2],
            network=key[3],
            needed=needed.get(key, 0),
            outcomes=dict(outcomes.get(key, {})),
        )
        for key in sorted(needed.keys() | outcomes.keys())
    )
