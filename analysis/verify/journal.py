"""The journal of a campaign: whole, in order, and what the activity log came from."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from analysis.dataset import Times
from analysis.verify.model import Findings
from analysis.verify.receipt import Offsets, Sample
from analysis.verify.rows import Row, is_on_day

NAME = "journal.jsonl"
_CLOSED = ("campaign_closed", "campaign_imported")
_SLACK_NS = 1_000_000  # of a difference of two stamps, besides their uncertainty
Key = tuple[str, int]
_SAME = ("session", "device", "activity", "channel", "network", "user")


@dataclass(slots=True, kw_only=True)
class Attempt:
    """What the journal tells of an attempt.

    line      where it began
    voided    it ended, and was declared worthless later
    """

    line: int
    started: Mapping[str, Any]
    issued: Mapping[str, Any] = field(default_factory=dict)
    returned: Mapping[str, Any] = field(default_factory=dict)
    outcome: str = ""
    voided: bool = False

    @property
    def final(self) -> str:
        """Return the outcome that counts."""
        return "aborted" if self.voided and self.outcome else self.outcome


def check_journal(
    folder: Path, found: Findings, rows: list[Row], samples: list[Sample], times: Times
) -> None:
    """Compare the journal of a campaign with its activity log."""
    path = folder / NAME
    if not path.exists():
        found.skip(f"{found.name(path)}: is not there: nothing to hold the log against")
        return
    attempts: dict[Key, Attempt] = {}
    closed = False
    with found.guarded(path):
        for line, event, facts, at_ns in _events(path, found):
            closed = event in _CLOSED
            with found.guarded(path):
                _take(path, found, attempts, line, event, facts)
            if event == "session_started" and times is Times.RECORDED:
                _check_day(path, found, line, str(facts.get("session")), at_ns)
    if not closed:
        found.fault(path, "does not end with the close of the campaign")
    if attempts:
        _compare(folder, found, attempts, rows, samples)


def _events(
    path: Path, found: Findings
) -> Iterator[tuple[int, str, Mapping[str, Any], int]]:
    """Yield line, event, facts and stamp of each fact; tell of what is out of order."""
    last_seq, last_ns = 0, 0
    with path.open(encoding="utf-8") as file:
        for line, text in enumerate(file, start=1):
            try:
                data = json.loads(text)
                seq, at_ns = int(data["seq"]), int(data["at_ns"])
                event, facts = str(data["event"]), dict(data["facts"])
            except (ValueError, KeyError, TypeError):
                found.fault(path, "is no event of a journal", f"line {line}")
                continue
            if seq <= last_seq:
                what = f"seq {seq} does not follow {last_seq}"
                found.fault(path, what, f"line {line}")
            if at_ns < last_ns and event not in _CLOSED:
                found.fault(path, "is earlier than the event before", f"line {line}")
            last_seq, last_ns = seq, max(last_ns, at_ns)
            yield line, event, facts, at_ns


def _take(
    path: Path,
    found: Findings,
    attempts: dict[Key, Attempt],
    line: int,
    event: str,
    facts: Mapping[str, Any],
) -> None:
    if event == "trial_started":
        key = (facts["trial"], facts["attempt"])
        attempts[key] = Attempt(line=line, started=facts)
        return
    enter = _ENTER.get(event)
    if enter is None:
        return
    attempt = attempts.get((facts["trial"], facts["attempt"]))
    if attempt is None:
        found.fault(path, f"{event} of an attempt that never began", f"line {line}")
    else:
        enter(attempt, facts)


def _issued(attempt: Attempt, facts: Mapping[str, Any]) -> None:
    attempt.issued = facts


def _returned(attempt: Attempt, facts: Mapping[str, Any]) -> None:
    attempt.returned = facts


def _ended(attempt: Attempt, facts: Mapping[str, Any]) -> None:
    attempt.outcome = str(facts["outcome"])


def _voided(attempt: Attempt, facts: Mapping[str, Any]) -> None:
    del facts
    attempt.voided = True


_ENTER: Mapping[str, Callable[[Attempt, Mapping[str, Any]], None]] = {
    "stimulus_issued": _issued,
    "stimulus_returned": _returned,
    "trial_ended": _ended,
    "attempt_voided": _voided,
}


def _check_day(
    path: Path, found: Findings, line: int, session: str, at_ns: int
) -> None:
    if not is_on_day(session, at_ns):
        what = f"session {session!r} did not begin on its day"
        found.fault(path, what, f"line {line}")


def _compare(
    folder: Path,
    found: Findings,
    attempts: Mapping[Key, Attempt],
    rows: list[Row],
    samples: list[Sample],
) -> None:
    log = folder / "activities.csv"
    if not log.is_file():
        return  # told already
    there, offsets = {row.key for row in rows}, Offsets(samples)
    for key, attempt in attempts.items():
        if attempt.final and key not in there:
            what = f"lacks attempt {key[1]} of trial {key[0]}"
            found.fault(log, f"{what}, which {NAME} has in line {attempt.line}")
    for row in rows:
        known = attempts.get(row.key)
        if known is None:
            what = f"attempt {row['attempt']} of trial {row['trial']}"
            found.fault(log, f"{what} is not in {NAME}", row.place)
            continue
        with found.guarded(folder / NAME):
            for what in (*_differences(row, known), *_shifts(row, known, offsets)):
                found.fault(log, what, row.place)


def _differences(row: Row, attempt: Attempt) -> Iterator[str]:
    """Yield what the log says otherwise than the journal."""
    for name in _SAME:
        wanted = attempt.started.get(name)
        if name in attempt.started and row[name] != (wanted or ""):
            yield f"{name}: is {row[name]!r}, but {NAME} says {wanted!r}"
    if row["outcome"] != attempt.final:
        yield f"outcome: is {row['outcome']!r}, but {NAME} says {attempt.final!r}"
    parameters = attempt.issued.get("parameters")
    if isinstance(parameters, Mapping):
        wanted = ";".join(f"{key}={parameters[key]}" for key in sorted(parameters))
        if row["parameters"] != wanted:
            yield f"parameters: is {row['parameters']!r}, but {NAME} says {wanted!r}"


def _shifts(row: Row, attempt: Attempt, offsets: Offsets) -> Iterator[str]:
    """Yield what the stamps of the log say otherwise, as far as clocks can tell."""
    told = attempt.returned
    if not told or None in (row["t_ns"], row["t_issue_ns"], row["t_return_ns"]):
        return
    slack_ns = (row["t_uncertainty_ns"] or 0) + _SLACK_NS
    for name, stamp in (("t_ns", "instant_ns"), ("t_return_ns", "return_ns")):
        away_ns = (row[name] - row["t_issue_ns"]) - (told[stamp] - told["issue_ns"])
        if abs(away_ns) > slack_ns:
            yield f"{name}: lies {away_ns / 1e6:+.3f} ms from where {NAME} has it"
    offset = offsets.at(told["issue_ns"])
    if offset is not None:
        away_ns = row["t_issue_ns"] - told["issue_ns"] - offset[0]
        if abs(away_ns) > offset[1] + slack_ns:
            where = f"where {NAME} and the clock of the receipt have it"
            yield f"t_issue_ns: lies {away_ns / 1e6:+.3f} ms from {where}"
