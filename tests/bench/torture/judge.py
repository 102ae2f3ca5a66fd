"""What a campaign must be after all the kills, looked at from outside.

Nothing of the runner is asked but its journal: files are read as strangers would.
"""

import csv
import hashlib
import json
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa

from analysis.dataset import load_activities
from analysis.packets import load_packets
from analysis.pcap.beacons import find_beacons
from testbed.clock import SystemClock
from testbed.model.events import LABELLED
from testbed.runner.journal.event_text import facts_of, kind_of, plan_from
from testbed.runner.journal.fold import CampaignState, fold
from testbed.runner.journal.store import Journal, JournalStore, open_store

Label = tuple[str, str, str, str]  # trial, device, activity, channel
LOST, DUPLICATED, WRONG, ORPHAN = "lost", "duplicated", "wrong", "orphan"
_SILENT = {"power_off"}  # a device without power sends nothing
_MARK = re.compile(rb"s=([\w.-]+)-(\w+)-(\d+),device=(\w+),label=(\w+)")


@dataclass(slots=True)
class Verdict:
    """What was found: kind of fault -> sentences. labels are those that were made."""

    faults: list[tuple[str, str]] = field(default_factory=list)
    labels: frozenset[Label] = frozenset()
    n_voided: int = 0

    def add(self, kind: str, sentence: str) -> None:
        """Note a fault."""
        self.faults.append((kind, sentence))

    def count(self, kind: str) -> int:
        """Return how many faults of a kind were found."""
        return sum(one == kind for one, _ in self.faults)


def labels_of(state: CampaignState, first_plan: str) -> frozenset[Label]:
    """Return the labels of the trials that were planned at first."""
    return frozenset(
        (t.trial, t.device, t.activity, t.channel.value)
        for t in plan_from(first_plan).trials
        if state.outcome(t.trial) in LABELLED
    )


def judge(
    folder: Path, journal: str, wanted: frozenset[Label] | None = None
) -> Verdict:
    """Judge a campaign that is said to be finished.

    wanted  the labels that it must have; None for the uninterrupted one, which tells
    """
    verdict = Verdict()
    with open_store(journal, SystemClock()) as store:
        rows = Journal(store, folder.name).read()
        _leases(store, {p.name for p in folder.parent.iterdir()}, verdict)
    state = fold(rows)
    if state.planned is None or state.plan is None:
        verdict.add(LOST, "the journal holds no plan")
        return verdict
    verdict.labels = labels_of(state, state.planned.plan_json)
    verdict.n_voided = sum(a.voided is not None for a in state.all_attempts())
    if state.closed is None:
        verdict.add(WRONG, "the campaign is not closed")
    for attempt in state.open_attempts():
        verdict.add(WRONG, f"an attempt at {attempt.started.trial} never ended")
    _against(wanted, state, verdict)
    _exported(folder, rows, verdict)
    _rows(folder, state, verdict)
    _captures(folder, state, verdict)
    _manifest(folder, verdict)
    _leftovers(folder, verdict)
    return verdict


def _leases(store: JournalStore, names: set[str], verdict: Verdict) -> None:
    """Look for leases of these campaigns; a database may have those of others."""
    with store.reading() as connection:
        for row in connection.execute(sa.text("select holder from leases")):
            if row.holder.partition(" on ")[0] in names:
                verdict.add(ORPHAN, f"a lease is left: {row.holder}")


def _against(
    wanted: frozenset[Label] | None, state: CampaignState, verdict: Verdict
) -> None:
    assert state.planned is not None
    assert state.plan is not None
    first = {t.trial for t in plan_from(state.planned.plan_json).trials}
    expected = {label[0] for label in wanted} if wanted is not None else first
    for trial in sorted(expected):
        if state.outcome(trial) not in LABELLED:
            verdict.add(LOST, f"trial {trial} ended as {state.outcome(trial)}")
    if wanted is not None and verdict.labels - wanted:
        verdict.add(WRONG, f"labels too many: {sorted(verdict.labels - wanted)}")
    if wanted is not None and verdict.labels < wanted:
        verdict.add(LOST, f"labels missing: {sorted(wanted - verdict.labels)}")
    for trial in state.plan.trials:
        if trial.trial not in first and not trial.preparation:
            verdict.add(WRONG, f"trial {trial.trial} was never planned")
    for name, attempts in state.attempts.items():
        labelled = [a for a in attempts if a.final in LABELLED]
        if len(labelled) > 1:
            verdict.add(DUPLICATED, f"{len(labelled)} attempts at {name} are labels")
        numbers = [a.started.attempt for a in attempts]
        if numbers != list(range(1, len(numbers) + 1)):
            verdict.add(WRONG, f"attempts at {name} have the numbers {numbers}")


def _exported(folder: Path, rows: list[object], verdict: Verdict) -> None:
    try:
        lines = (folder / "journal.jsonl").read_text().splitlines()
        found = [json.loads(line) for line in lines]
    except (OSError, ValueError) as exc:
        verdict.add(WRONG, f"journal.jsonl cannot be read: {exc}")
        return
    want = [(r.seq, r.at_ns, kind_of(r.event), facts_of(r.event)) for r in rows]  # type: ignore[attr-defined]
    got = [(r["seq"], r["at_ns"], r["event"], r["facts"]) for r in found]
    if want != got:
        verdict.add(WRONG, f"journal.jsonl has {len(got)} of {len(want)} facts")


def _rows(folder: Path, state: CampaignState, verdict: Verdict) -> None:
    try:
        with (folder / "activities.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
    except OSError as exc:
        verdict.add(LOST, f"activities.csv cannot be read: {exc}")
        return
    keys = Counter((r["trial"], int(r["attempt"])) for r in rows)
    for key, n in keys.items():
        if n > 1:
            verdict.add(DUPLICATED, f"{n} rows for trial {key[0]} attempt {key[1]}")
    made = {(a.started.trial, a.started.attempt) for a in state.all_attempts()}
    if made != set(keys):
        verdict.add(WRONG, f"rows and attempts differ: {sorted(made ^ set(keys))}")
    outcomes = {
        (a.started.trial, a.started.attempt): a.final for a in state.all_attempts()
    }
    for row in rows:
        key = (row["trial"], int(row["attempt"]))
        if outcomes.get(key) is not None and row["outcome"] != outcomes[key]:
            verdict.add(WRONG, f"trial {key[0]} is {row['outcome']} in its row")


def _captures(folder: Path, state: CampaignState, verdict: Verdict) -> None:
    known = {f.name: f.sha256 for c in state.captures.values() for f in c.files}
    raw = (folder / "raw").iterdir()
    there = {p.name: p for p in raw if p.suffix in (".pcap", ".pcapng")}
    for name in sorted(known.keys() ^ there.keys()):
        verdict.add(WRONG, f"raw/{name} is known or there, and not both")
    n_entries = sum(len(c.files) for c in state.captures.values())
    if n_entries != len(known):
        verdict.add(DUPLICATED, "a capture file was journalled twice")
    seen: set[tuple[str, int, str]] = set()
    for name, path in there.items():
        if known.get(name) not in (None, _sha256(path)):
            verdict.add(WRONG, f"raw/{name} has another checksum than was journalled")
        for _, _, one in find_beacons(path):
            if one.campaign == folder.name:
                seen.add((one.trial, one.attempt, one.phase))
    labelled = [a for a in state.all_attempts() if a.final in LABELLED]
    for attempt in labelled:
        key = (attempt.started.trial, attempt.started.attempt)
        missing = [p for p in ("before", "after", "rest") if (*key, p) not in seen]
        if missing:
            verdict.add(LOST, f"beacons {missing} of trial {key[0]} are not captured")
    heard = [a for a in labelled if a.started.activity not in _SILENT]
    _marks(folder, {(*_key(a), a.started.device) for a in heard}, verdict)
    _packets(folder, {_key(a) for a in heard}, verdict)


def _key(attempt: object) -> tuple[str, int]:
    started = attempt.started  # type: ignore[attr-defined]
    return started.trial, started.attempt


def _marks(folder: Path, wanted: set[tuple[str, int, str]], verdict: Verdict) -> None:
    """Hold the comments in labelled captures against the labels."""
    found = set()
    for path in (folder / "labelled").glob("*.pcapng"):
        for campaign, trial, attempt, device, _ in _MARK.findall(path.read_bytes()):
            found.add((trial.decode(), int(attempt), device.decode()))
            if campaign.decode() != folder.name or device.decode() != path.stem:
                verdict.add(WRONG, f"{path.name} has a label of something else")
                break
    for one in sorted(wanted - found):
        verdict.add(LOST, f"no labelled packet of trial {one[0]} attempt {one[1]}")
    for one in sorted(found - wanted):
        verdict.add(WRONG, f"packets of trial {one[0]} attempt {one[1]} are labelled")


def _packets(folder: Path, wanted: set[tuple[str, int]], verdict: Verdict) -> None:
    """Look for the packets of each label in the packet tables."""
    for row in load_activities(folder).frame.to_dicts():
        if (row["trial"], row["attempt"]) not in wanted:
            continue
        table = load_packets(folder, row["device"])
        t_ns = row["t_ns"]
        inside = (table.time_ns >= t_ns) & (table.time_ns < t_ns + row["delta_ns"])
        if not inside.any():
            verdict.add(LOST, f"no packet of trial {row['trial']} is in the tables")


def _manifest(folder: Path, verdict: Verdict) -> None:
    try:
        lines = (folder / "MANIFEST.sha256").read_text().splitlines()
    except OSError as exc:
        verdict.add(WRONG, f"there is no manifest: {exc}")
        return
    listed = {name: digest for digest, name in (x.split("  ", 1) for x in lines)}
    there = {
        p.relative_to(folder).as_posix(): p
        for p in folder.rglob("*")
        if p.is_file() and p.name != "MANIFEST.sha256"
    }
    for name in sorted(listed.keys() ^ there.keys()):
        verdict.add(WRONG, f"{name} is listed or there, and not both")
    for name in sorted(listed.keys() & there.keys()):
        if _sha256(there[name]) != listed[name]:
            verdict.add(WRONG, f"{name} is not as the manifest says")


def _leftovers(folder: Path, verdict: Verdict) -> None:
    """Look for what a killed controller left beside the data."""
    place = folder.parent.parent
    for path in (place / "tmp").iterdir():
        verdict.add(ORPHAN, f"{path.name} is left among temporary files")
    for path in place.rglob("*"):
        if path.parent.parent == folder.parent and path.parent != folder:
            continue  # of a run that was killed before it had a plan: no campaign
        hidden = path.name.startswith(".") and path.is_file()
        if hidden or path.suffix in {".part", ".lock", ".tmp"}:
            verdict.add(ORPHAN, f"{path.name} is left in {path.parent.name}")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
