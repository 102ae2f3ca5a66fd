"""What a journal says, held against itself and against the receipt.

Plan, facts, stamps of the facts, clock and counts of the receipt tell the same thing
several times over: who changes one of them would have to change all.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

PLANNED, INSERTED = "campaign_planned", "trials_inserted"
CLOCK, STOPPED = "clock_measured", "capture_stopped"
_SAME = ("device", "activity", "channel", "network", "user")
_OF_CAPTURE = ("received", "dropped")
_OF_CLOCK = ("offset_ns", "error_ns")
_SLACK_NS = 100_000_000  # of the stamp of a fact, which is written before the act
Facts = Mapping[str, Any]


@dataclass(slots=True, kw_only=True)
class Attempt:
    """What the journal tells of an attempt.

    line    where it began
    voided  it ended, and was declared worthless later
    issued_at_ns, returned_at_ns  when these facts were written, 0 for never
    """

    line: int
    started: Facts
    issued: Facts = field(default_factory=dict)
    returned: Facts = field(default_factory=dict)
    outcome: str = ""
    voided: bool = False
    issued_at_ns: int = 0
    returned_at_ns: int = 0

    @property
    def final(self) -> str:
        """Return the outcome that counts."""
        return "aborted" if self.voided and self.outcome else self.outcome


@dataclass(slots=True)
class Campaign:
    """What the journal tells of the campaign around its attempts.

    planned   trial -> what was planned; the last plan counts
    clock     (session, stamp) -> what was measured
    captures  name -> what was told when it stopped
    stepped   whether this machine's clock jumped: stamps of facts did as well
    """

    planned: dict[str, Facts] = field(default_factory=dict)
    clock: dict[tuple[str, int], Facts] = field(default_factory=dict)
    captures: dict[str, Facts] = field(default_factory=dict)
    stepped: bool = False

    def take(self, event: str, facts: Facts) -> None:
        """Enter a fact, if it is one of the campaign."""
        if event == PLANNED:
            plan = json.loads(facts["plan_json"])
            self.planned = {each["trial"]: each for each in plan["trials"]}
        elif event == INSERTED:
            trials = json.loads(facts["trials_json"])
            self.planned |= {each["trial"]: each for each in trials}
        elif event == CLOCK:
            self.clock[facts["session"], facts["at_ns"]] = facts
            self.stepped |= bool(facts.get("stepped_ns"))
        elif event == STOPPED:
            self.captures[facts["capture"]] = facts


def unlike_plan(trial: str, attempt: Attempt, campaign: Campaign) -> Iterator[str]:
    """Yield what an attempt did that was not planned."""
    if not campaign.planned:
        return
    plan = campaign.planned.get(trial)
    if plan is None:
        yield f"trial {trial} is not in the plan"
        return
    for name in _SAME:
        is_, wanted = attempt.started.get(name), plan.get(name)
        if name in attempt.started and (is_ or "") != (wanted or ""):
            yield f"{name}: is {is_!r}, but the plan of trial {trial} says {wanted!r}"
    done, wanted = attempt.issued.get("parameters"), plan.get("parameters")
    if done is not None and wanted is not None and done != wanted:
        yield f"parameters: are {done}, but the plan of trial {trial} says {wanted}"


def unlike_planned(row: Facts, campaign: Campaign) -> Iterator[str]:
    """Yield what the log says of a trial otherwise than the plan, and no fact tells."""
    plan = campaign.planned.get(row["trial"], {})
    if "user" in plan and row["user"] != (plan["user"] or ""):
        yield f"user: is {row['user']!r}, but the plan says {plan['user']!r}"
    if plan.get("delta_s") is not None and row["delta_ns"] is not None:
        planned_ns = round(float(plan["delta_s"]) * 1e9)
        if row["delta_ns"] != planned_ns:
            yield f"delta_ns: is {row['delta_ns']}, but the plan says {planned_ns}"


def out_of_order(attempt: Attempt, campaign: Campaign) -> Iterator[str]:
    """Yield which stamps of a stimulus lie outside of the facts around it."""
    told = attempt.returned
    if not told or campaign.stepped:
        return
    early_ns = attempt.issued_at_ns - int(told["issue_ns"])
    if attempt.issued_at_ns and early_ns > _SLACK_NS:
        yield f"issue_ns: lies {early_ns / 1e6:.3f} ms before it was announced"
    late_ns = int(told["return_ns"]) - attempt.returned_at_ns
    if attempt.returned_at_ns and late_ns > _SLACK_NS:
        yield f"return_ns: lies {late_ns / 1e6:.3f} ms after it was written down"


def unlike_receipt(
    captures: Sequence[Facts], campaign: Campaign
) -> Iterator[tuple[str, str]]:
    """Yield place and sentence of what the receipt says otherwise than the journal."""
    for capture in captures:
        place = f"capture {capture['capture']}"
        told = campaign.captures.get(capture["capture"], {})
        for name in _OF_CAPTURE:
            if name in told and told[name] != capture.get(name):
                is_ = capture.get(name)
                yield place, f"{name}: is {is_}, but the journal says {told[name]}"
        for number, sample in enumerate(capture.get("clock") or (), start=1):
            known = campaign.clock.get((sample["session"], sample["at_ns"]))
            if known is None and campaign.clock:
                yield place, f"clock measurement {number} is not in the journal"
            elif known and any(known[n] != sample[n] for n in _OF_CLOCK):
                what = "is otherwise in the journal"
                yield place, f"clock measurement {number} {what}"
