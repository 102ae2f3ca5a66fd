"""The journal of a campaign: whole, in order, and what the activity log came from."""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from analysis.dataset import Times
from analysis.verify.facts import (
    Attempt,
    Campaign,
    out_of_order,
    unlike_plan,
    unlike_planned,
    unlike_receipt,
)
from analysis.verify.model import Findings
from analysis.verify.receipt import NAME as RECEIPT
from analysis.verify.receipt import Offsets, samples_of
from analysis.verify.rows import Row, is_on_day

NAME = "journal.jsonl"
_CLOSED = ("campaign_closed", "campaign_imported")
_LEAST_NS = 500_000  # that tools, kernel and helper add to every stamp
_SLACK_NS = 1_000_000  # of a difference of two stamps, besides their uncertainty
Key = tuple[str, int]
_SAME = ("session", "device", "activity", "channel", "network", "user")


def check_journal(
    folder: Path,
    found: Findings,
    rows: list[Row],
    captures: list[dict[str, Any]],
    times: Times,
) -> None:
    """Compare the journal of a campaign with its log, its receipt and itself.

    captures  of the receipt
    """
    path = folder / NAME
    if not path.exists():
        found.skip(f"{found.name(path)}: is not there: nothing to hold the log against")
        return
    attempts: dict[Key, Attempt] = {}
    campaign, closed = Campaign(), False
    with found.guarded(path):
        for line, event, facts, at_ns in _events(path, found):
            closed = event in _CLOSED
            with found.guarded(path):
                campaign.take(event, facts)
                _take(path, found, attempts, (line, event, at_ns), facts)
            if event == "session_started" and times is Times.RECORDED:
                _check_day(path, found, line, str(facts.get("session")), at_ns)
    if not closed:
        found.fault(path, "does not end with the close of the campaign")
    with found.guarded(folder / RECEIPT):
        for place, what in unlike_receipt(captures, campaign):
            found.fault(folder / RECEIPT, what, place)
    for (trial, _), attempt in attempts.items():
        with found.guarded(path):
            told = (*unlike_plan(trial, attempt, campaign),)
            for what in (*told, *out_of_order(attempt, campaign)):
                found.fault(path, what, f"line {attempt.line}")
    if attempts:
        offsets = Offsets(samples_of(captures))
        _compare(folder, found, attempts, rows, (offsets, campaign))


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
    where: tuple[int, str, int],
    facts: Mapping[str, Any],
) -> None:
    """Enter a fact of an attempt; where is its line, its event and its stamp."""
    line, event, at_ns = where
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
        enter(attempt, facts, at_ns)


def _issued(attempt: Attempt, facts: Mapping[str, Any], at_ns: int) -> None:
    attempt.issued, attempt.issued_at_ns = facts, at_ns


def _returned(attempt: Attempt, facts: Mapping[str, Any], at_ns: int) -> None:
    attempt.returned, attempt.returned_at_ns = facts, at_ns


def _ended(attempt: Attempt, facts: Mapping[str, Any], _at_ns: int) -> None:
    attempt.outcome = str(facts["outcome"])


def _voided(attempt: Attempt, _facts: Mapping[str, Any], _at_ns: int) -> None:
    attempt.voided = True


_ENTER: Mapping[str, Callable[[Attempt, Mapping[str, Any], int], None]] = {
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
    known_of: tuple[Offsets, Campaign],
) -> None:
    """Hold the log against the attempts; known_of: the clock, and the campaign."""
    offsets, campaign = known_of
    log = folder / "activities.csv"
    if not log.is_file():
        return  # told already
    there = {row.key for row in rows}
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
            told = (*_differences(row, known), *_shifts(row, known, offsets))
            for what in (*told, *unlike_planned(row.values, campaign)):
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
        if row["t_uncertainty_ns"] is not None and row["t_uncertainty_ns"] < _LEAST_NS:
            least = f"{_LEAST_NS / 1e6:g} ms, as unsure as every stamp is"
            yield f"t_uncertainty_ns: is {row['t_uncertainty_ns']}, less than {least}"
        away_ns = row["t_issue_ns"] - told["issue_ns"] - offset[0]
        if abs(away_ns) > offset[1] + slack_ns:
            where = f"where {NAME} and the clock of the receipt have it"
            yield f"t_issue_ns: lies {away_ns / 1e6:+.3f} ms from {where}"
