"""Read a CSV of activities that somebody else wrote; find all its faults at once.

Columns (any order; others are ignored and named in the report):

    device, activity              needed
    start | start_epoch | start_ns    needed: ISO 8601 with an offset, seconds, ns
    end | end_epoch | end_ns      the last instant that still belongs to the activity
    delta                         a duration such as '8 s', instead of an end
    session, trial, home, unit, firmware, app_version, parameters, channel, network,
    user                          optional

No activity can be called `idle` or `unknown`: the analysis has classes of these names.

A row with an end gets the window [start, end], both inclusive. Labels are half open and
stamps are commonly written to the microsecond while captures count nanoseconds, so a
packet may lie up to one written unit outside. Such a window therefore begins one
written unit, at most 1 µs, earlier and ends as much later (at least 1 ns, so that a
packet at `end` is in). A row with a delta gets [start, start + delta) exactly.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import tzinfo
from pathlib import Path

from analysis.errors import ImportDataError
from analysis.importers.faults import (
    few,
    lacking,
    misspelt,
    no_such_column,
    other_separator,
)
from analysis.importers.names import unprintable
from analysis.importers.stamps import INSTANTS, Instant, parse_duration

_NEEDED = ("device", "activity")
TEXTS = (
    "session",
    "trial",
    "home",
    "unit",
    "firmware",
    "app_version",
    "parameters",
    "channel",
    "network",
    "user",
)
CHANNELS = ("", "phone", "voice", "power", "api")
NETWORKS = ("", "lan", "wan")
# labels that the analysis gives itself
RESERVED = ("idle", "unknown")
_MOST_SLACK_NS = 1_000
_REMEDY = "name theirs with --column, or give one value with --constant"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How to read somebody's table.

    columns    our column -> theirs
    constants  our column -> one value for all rows
    zone       of starts and ends without an offset; None refuses them
    delta_ns   for rows that give neither an end nor a delta; None refuses them
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)
    zone: tzinfo | None = None
    delta_ns: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivityRow:
    """One activity as it was written, and its half-open window.

    line            line in the file
    written_ns      start and end as written; where an end was not, that of the window
    start_ns        start of the window
    end_ns          end of the window, exclusive
    uncertainty_ns  unit of the last written digit of the start; None where nobody
                    wrote when it was
    texts           the optional columns
    """

    line: int
    device: str
    activity: str
    written_ns: tuple[int, int]
    start_ns: int
    end_ns: int
    uncertainty_ns: int | None
    texts: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivityTable:
    """Rows in order of time, the columns that were ignored, and the faults."""

    rows: tuple[ActivityRow, ...]
    ignored: tuple[str, ...]
    faults: tuple[str, ...]


def load_activity_table(
    path: Path, devices: Sequence[str], recipe: Recipe
) -> ActivityTable:
    """Read the whole table; faulty rows are left out and each fault is a sentence.

    Raises ImportDataError when the file is no CSV or lacks a column.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            header = tuple(name.strip() for name in reader.fieldnames or ())
            reader.fieldnames = header
            lines = [(reader.line_num, line) for line in reader]
    except OSError as exc:
        reason = f"{path}: cannot be read: {exc.strerror}"
        raise ImportDataError((reason,)) from exc
    except (UnicodeDecodeError, csv.Error) as exc:
        reason = f"{path}: is not a CSV file in UTF-8: {exc}"
        raise ImportDataError((reason,)) from exc
    sources = _sources(path, header, recipe)
    rows, faults = [], []
    for number, line in lines:
        values = {
            ours: (line.get(theirs) or "").strip() for ours, theirs in sources.items()
        }
        row, reasons = _row(number, {**values, **recipe.constants}, devices, recipe)
        faults += [f"{path}: line {number}: {reason}" for reason in reasons]
        if row is not None:
            rows.append(row)
    if not lines:
        faults.append(f"{path}: holds no activity")
    rows.sort(key=lambda row: (row.start_ns, row.line))
    ignored = tuple(c for c in header if c not in sources.values())
    return ActivityTable(
        rows=tuple(_untouched(rows)), ignored=ignored, faults=tuple(few(path, faults))
    )


def _sources(path: Path, header: Sequence[str], recipe: Recipe) -> dict[str, str]:
    """Return our column -> theirs, for the columns that we take."""
    starts, ends = ([edge + s for s in INSTANTS] for edge in ("start", "end"))
    known = (*_NEEDED, *starts, *ends, "delta", *TEXTS)
    if faults := other_separator(path, header):
        raise ImportDataError(tuple(faults))
    given_by = {**dict.fromkeys(recipe.constants, ""), **recipe.columns}
    faults = [
        no_such_column(ours, theirs, known)
        for ours, theirs in given_by.items()
        if ours not in known
    ]
    sources = {c: c for c in header if c in known and c not in recipe.columns}
    for ours, theirs in recipe.columns.items():
        sources[ours] = theirs
        if theirs not in header:
            faults.append(lacking(path, [theirs], header))
    given = {*sources, *recipe.constants}
    absent = [name for name in _NEEDED if name not in given]
    if absent:
        faults.append(lacking(path, absent, header, _REMEDY))
    if len(given & set(starts)) != 1:
        faults.append(
            f"{path}: line 1: needs exactly one column of {', '.join(starts)}"
        )
    if len(given & set(ends)) > 1:
        faults.append(f"{path}: line 1: has more than one column of {', '.join(ends)}")
    others = {*starts, *ends, "delta", *TEXTS} - given
    faults += misspelt(path, header, others, tuple(sources.values()))
    if faults:
        raise ImportDataError(tuple(faults))
    return sources


def _row(
    line: int, values: Mapping[str, str], devices: Sequence[str], recipe: Recipe
) -> tuple[ActivityRow | None, list[str]]:
    """Return the row, or None and what is wrong with it."""
    faults = []
    if values["device"] not in devices:
        known = ", ".join(devices)
        reason = f"device: {values['device']!r} is not one of --device ({known})"
        faults.append(reason)
    if not values["activity"]:
        faults.append("activity: is empty")
    if values["activity"].lower() in RESERVED:
        faults.append(
            f"activity: {values['activity']!r} is what windows without an activity are "
            "called; leave the row out, or give it another name"
        )
    for name, allowed in (("channel", CHANNELS), ("network", NETWORKS)):
        if values.get(name, "") not in allowed:
            reason = f"must be one of {', '.join(allowed[1:])}, got {values[name]!r}"
            faults.append(f"{name}: {reason}")
    for name in ("activity", *TEXTS):
        faults += unprintable(name, values.get(name, ""))
    start = _instant("start", values, recipe, faults)
    end = _instant("end", values, recipe, faults)
    delta_ns = _delta(values, end, recipe, faults)
    if start is not None and end is not None and end.time_ns < start.time_ns:
        faults.append("end: is before the start")
    if faults or start is None:
        return None, faults
    first, last = _window(start, end, delta_ns)
    return (
        ActivityRow(
            line=line,
            device=values["device"],
            activity=values["activity"],
            written_ns=(start.time_ns, end.time_ns if end is not None else last),
            start_ns=first,
            end_ns=last,
            uncertainty_ns=start.unit_ns,
            texts={name: values.get(name, "") for name in TEXTS},
        ),
        [],
    )


def _instant(
    edge: str, values: Mapping[str, str], recipe: Recipe, faults: list[str]
) -> Instant | None:
    """Read the start or end in whichever column it is."""
    for suffix, parse in INSTANTS.items():
        text = values.get(edge + suffix)
        if text:
            try:
                return parse(text, recipe.zone)
            except ValueError as exc:
                faults.append(f"{edge + suffix}: {exc}, got {text!r}")
                return None
    if edge == "start":
        faults.append("start: is empty")
    return None


def _delta(
    values: Mapping[str, str], end: Instant | None, recipe: Recipe, faults: list[str]
) -> int:
    """Return the length of a window that has no end; 0 for one that has."""
    text = values.get("delta", "")
    has_end = any(values.get("end" + suffix) for suffix in INSTANTS)
    if text and has_end:
        faults.append("delta: is given beside an end; give one of them")
    elif text:
        try:
            return parse_duration(text)
        except ValueError as exc:
            faults.append(f"delta: {exc}, got {text!r}")
    elif end is None and not has_end:
        if recipe.delta_ns is not None:
            return recipe.delta_ns
        faults.append("end: is empty, and so is delta; give one, or --delta for all")
    return 0


def _window(start: Instant, end: Instant | None, delta_ns: int) -> tuple[int, int]:
    """Return [first, last) in ns; see the head of this module."""
    if end is None:
        return start.time_ns, start.time_ns + delta_ns
    before = min(start.unit_ns, _MOST_SLACK_NS) if start.unit_ns > 1 else 0
    after = min(end.unit_ns, _MOST_SLACK_NS)
    return start.time_ns - before, end.time_ns + after


def _untouched(rows: Sequence[ActivityRow]) -> list[ActivityRow]:
    """Take the slack back where windows overlap by nothing else.

    `rows` are in order of time. Segments that follow each other without a gap, each
    ending where the next starts, stay disjoint: the shared instant is the later one's.
    """
    result = list(rows)
    latest: dict[str, int] = {}
    for at, row in enumerate(result):
        before = latest.get(row.device)
        latest[row.device] = at
        if before is None or result[before].end_ns <= row.start_ns:
            continue
        if result[before].written_ns[1] <= row.written_ns[0]:
            edge = row.written_ns[0]
            result[before] = replace(
                result[before], end_ns=min(result[before].end_ns, edge)
            )
            result[at] = replace(row, start_ns=edge)
    return result


def find_overlaps(path: Path, rows: Sequence[ActivityRow]) -> tuple[str, ...]:
    """Return a sentence for each row that overlaps an earlier one of its device."""
    faults = []
    latest: dict[str, ActivityRow] = {}
    for row in rows:
        before = latest.get(row.device)
        if before is not None and before.end_ns > row.start_ns:
            by_s = (before.end_ns - row.start_ns) / 1e9
            faults.append(
                f"{path}: line {row.line}: {row.activity} of {row.device} overlaps "
                f"{before.activity} of line {before.line} by {by_s:g} s; give shorter "
                "windows, or --overlap cut or drop"
            )
        if before is None or row.end_ns > before.end_ns:
            latest[row.device] = row
    return tuple(faults)
