"""Read which activity happened when: what `classify --json` says, or somebody's CSV.

A file of JSON lines has `start_ns`, `device` and `activity` in each. A CSV has columns
`device`, `activity`, and one of `start` (ISO 8601 with an offset, or in the given
zone), `start_epoch` (seconds) and `start_ns`. Other columns are not looked at.
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from analysis.detectors.events import Events, events_of_answers, make_events
from analysis.errors import ImportDataError
from analysis.importers.faults import few, misspelt, other_separator
from analysis.importers.stamps import INSTANTS, load_zone

_LARGEST = 1 << 63


def read_events(path: Path, zone: str = "UTC") -> Events:
    """Return the events in a file of JSON lines, or a CSV by the name.

    Raises ImportDataError for what cannot be read, RequestError for no such zone.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as exc:
        raise ImportDataError((f"{path}: is no text; give JSON lines or CSV",)) from exc
    if path.suffix.lower() == ".csv":
        return _of_table(path, text, zone)
    # not by splitlines, which ends lines at U+2028 and others that names may hold
    answers = answers_of(io.StringIO(text), str(path))
    return events_of_answers(answers, zone)


def answers_of(lines: Iterable[str], name: str) -> Iterator[dict[str, Any]]:
    """Yield what each line says as soon as it is there; empty lines are left out.

    name  of where they come from. Raises ImportDataError for a line that is no event.
    """
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            found = None
        if not _is_event(found):
            reason = (
                "is no JSON object with start_ns (whole nanoseconds UTC), device and "
                "activity (texts)"
            )
            remedy = "give what `testbed classify --json` prints"
            raise ImportDataError((f"{name}: line {number}: {reason}; {remedy}",))
        yield found


def _is_event(found: Any) -> bool:
    if not isinstance(found, dict):
        return False
    start_ns = found.get("start_ns")
    names = (found.get("device"), found.get("activity"))
    is_stamp = type(start_ns) is int and abs(start_ns) < _LARGEST
    return is_stamp and all(isinstance(name, str) for name in names)


def _of_table(path: Path, text: str, zone: str) -> Events:
    rows = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    stamps: list[int] = []
    names: list[tuple[str, str]] = []
    faults: list[str] = []
    try:
        rows.fieldnames = [name.strip() for name in rows.fieldnames or ()]
        column, parse = _start_of(path, rows.fieldnames)
        for row in rows:
            try:
                name = (_text(row, "device"), _text(row, "activity"))
                stamps.append(_stamp(row, column, parse, zone))
                names.append(name)
            except ValueError as exc:
                faults.append(f"{path}: line {rows.line_num}: {exc}")
    except csv.Error as exc:
        reason = f"{exc}; is a quote open?"
        raise ImportDataError((f"{path}: line {rows.line_num}: {reason}",)) from exc
    if faults:
        raise ImportDataError(tuple(few(path, faults)))
    return make_events(stamps, names, zone)


def _start_of(path: Path, columns: Sequence[str]) -> tuple[str, Any]:
    there = set(columns)
    for suffix, parse in INSTANTS.items():
        if {f"start{suffix}", "device", "activity"} <= there:
            return f"start{suffix}", parse
    starts = [f"start{suffix}" for suffix in INSTANTS]
    needed = ["device", "activity", *([] if there & set(starts) else starts)]
    if faults := [
        *other_separator(path, columns),
        *misspelt(path, columns, set(needed) - there, option=False),
    ]:
        raise ImportDataError(tuple(faults))
    reason = "has no columns device, activity and start (or start_epoch, start_ns)"
    raise ImportDataError((f"{path}: {reason}; name them in the first line",))


def _stamp(row: dict[str, str | None], column: str, parse: Any, zone: str) -> int:
    try:
        return int(parse(row[column] or "", load_zone(zone)).time_ns)
    except ValueError as exc:
        raise ValueError(f"{column}: {exc}") from exc


def _text(row: dict[str, str | None], column: str) -> str:
    text = (row[column] or "").strip()
    if not text:
        raise ValueError(f"has an empty {column}")
    return text
