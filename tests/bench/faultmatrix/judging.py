"""What became of a campaign, held against the lab's ground truth."""

import csv
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from testbed.runner.journal.fold import NO_LABEL
from testbed.virtual.live.truth import true_activities, true_capture_ns
from tests.bench.faultmatrix.bench import Fact
from tests.bench.faultmatrix.case import Case

_UNTOUCHED = frozenset({"confirmed"})


@dataclass(frozen=True, slots=True, kw_only=True)
class True_:  # noqa: N801 - a word that Python has taken
    """One true activity; capture_ns is its start on the capture's clock."""

    device: str
    activity: str
    channel: str
    parameters: str
    capture_ns: int


def truth_of(folder: Path) -> list[True_]:
    """Return the true activities of a lab's truth folder, of either form."""
    if (folder / "clock.json").exists():
        return [
            True_(
                device=t.device,
                activity=t.activity,
                channel=t.channel,
                parameters=t.parameters,
                capture_ns=true_capture_ns(t.true_ns, folder),
            )
            for t in true_activities(folder)
        ]
    with (folder / "activities.csv").open(newline="", encoding="utf-8") as file:
        return [
            True_(
                device=row["device"],
                activity=row["activity"],
                channel=row["channel"],
                parameters=row["parameters"],
                capture_ns=int(row["true_capture_ns"]),
            )
            for row in csv.DictReader(file)
        ]


def wrong_labels(campaign: Path, truth: Sequence[True_]) -> list[str]:
    """Return each label for which nothing truly happened at its instant."""
    left, wrong = list(truth), []
    for row in rows_of(campaign):
        if row["outcome"] not in ("confirmed", "unchecked") or not row["t_ns"]:
            continue
        wide_ns = int(row["t_uncertainty_ns"])
        first = int(row["t_issue_ns"]) - wide_ns
        last = int(row["t_return_ns"]) + wide_ns
        found = [
            t
            for t in left
            if (t.device, t.activity, t.channel)
            == (row["device"], row["activity"], row["channel"])
            and first <= t.capture_ns <= last
        ]
        if found:
            left.remove(found[0])
            continue
        near = [
            (t.capture_ns - int(row["t_ns"])) / 1e9
            for t in truth
            if (t.device, t.activity) == (row["device"], row["activity"])
        ]
        nearest = f"{min(near, key=abs):+.3f} s" if near else "never"
        wrong.append(
            f"trial {row['trial']}: {row['device']} {row['activity']} is "
            f"{row['outcome']} and truly began {nearest} from it"
        )
    return wrong


def rows_of(campaign: Path) -> list[dict[str, str]]:
    """Return the rows of the activity log."""
    with (campaign / "activities.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def marks(facts: Sequence[Fact]) -> set[str]:
    """Return what can be seen of a fault in a journal."""
    found = set(_marks(facts))
    return found or {"untouched"}


def _marks(facts: Sequence[Fact]) -> Iterator[str]:
    n_sessions = sum(f.kind == "session_started" for f in facts)
    n_captures = sum(f.kind == "capture_started" for f in facts)
    if n_captures > n_sessions:
        yield "restarted"
    for fact in facts:
        match fact.kind:
            case "attempt_voided":
                yield "voided"
            case "trial_ended" if fact.facts["outcome"] not in _UNTOUCHED:
                yield str(fact.facts["outcome"])
            case "suspended":
                yield f"suspended {fact.facts['condition']}"
            case "capture_stopped" if fact.facts.get("dropped"):
                yield "dropped"
            case "stimulus_returned":
                yield from _of_detail(fact.facts["detail"])


def _of_detail(detail: object) -> Iterator[str]:
    if isinstance(detail, dict):
        if "interrupt" in detail:
            yield "interrupt"
        if str(detail.get("engine", "")).startswith("espeak"):
            yield "fallback"


def wanted(facts: Sequence[Fact]) -> set[str]:
    """Return the trials that were asked for, preparations left out."""
    planned = [f for f in facts if f.kind == "campaign_planned"]
    trials = json.loads(str(planned[0].facts["plan_json"]))["trials"] if planned else []
    return {t["trial"] for t in trials if not t.get("preparation")}


def finals(facts: Sequence[Fact]) -> dict[str, str]:
    """Return trial -> outcome of its last attempt; voided ones are aborted.

    Preparations are left out: if one fails, its trial is prepared again.
    """
    ended: dict[tuple[str, int], str] = {}
    for fact in facts:
        if fact.kind in ("trial_ended", "attempt_voided"):
            key = (str(fact.facts["trial"]), int(str(fact.facts["attempt"])))
            if str(fact.facts.get("reason", "")).startswith(NO_LABEL):
                continue  # a preparation that did its work
            voided = fact.kind == "attempt_voided" or ended.get(key) == "aborted"
            ended[key] = "aborted" if voided else str(fact.facts["outcome"])
    last: dict[str, tuple[int, str]] = {}
    for (trial, attempt), outcome in ended.items():
        last[trial] = max(last.get(trial, (0, "")), (attempt, outcome))
    asked = wanted(facts)
    return {trial: outcome for trial, (_, outcome) in last.items() if trial in asked}


def complaints(
    case: Case, exits: Sequence[int], facts: Sequence[Fact], campaign: Path | None
) -> list[str]:
    """Return in what a campaign did not end as the case expects, truth aside."""
    wrong = []
    if tuple(exits) != case.exits:
        wrong.append(f"exit codes {list(exits)} and not {list(case.exits)}")
    shown = marks(facts)
    missing = [one for one in case.shows if not shown & set(one.split(" or "))]
    if missing:
        wrong.append(f"no {', '.join(missing)}; seen: {seen(facts)}")
    allowed = {"confirmed", *case.outcomes}
    others = {t: o for t, o in finals(facts).items() if o not in allowed}
    if others:
        wrong.append(f"not confirmed: {others}")
    for outcome in set(case.outcomes) - set(finals(facts).values()):
        wrong.append(f"no trial ended {outcome}")
    if not finals(facts) or finals(facts).keys() != wanted(facts):
        wrong.append("not all planned trials were done")
    closed = any(f.kind == "campaign_closed" for f in facts)
    if not closed or campaign is None or not (campaign / "MANIFEST.sha256").exists():
        wrong.append("the campaign is not closed")
    return wrong


def seen(facts: Sequence[Fact]) -> str:
    """Return what was seen, in words, for the table."""
    counts = Counter(finals(facts).values())
    paused = Counter(
        f"{f.facts['condition']} {float(str(f.facts['down_s'])):.0f} s"
        for f in facts
        if f.kind == "cleared"
    )
    n_voided = sum(f.kind == "attempt_voided" for f in facts)
    words = [f"paused ({one})" for one in paused]
    if n_voided:
        words.append(f"{n_voided} voided")
    own = marks(facts) - {"voided"} - set(counts)
    words += sorted(m for m in own if not m.startswith("suspended"))
    words += [f"{n} {outcome}" for outcome, n in counts.most_common()]
    return ", ".join(words)
