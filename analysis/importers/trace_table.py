"""Read traces that somebody else wrote as CSV; find all faults of all files at once.

A trace is what one device sent and received over one activity, a row per packet:

    time         s, from any zero, not decreasing
    size         bytes, of the frame or of the IP packet: the recipe says which
    direction    +1 or out: the device sent it; -1 or in: it received it
    protocol     tcp, udp, icmp or the number; optional
    remote, port    IP address of the other end, and its port; optional

What a trace is called is either in the same rows (one CSV for all) or in a second CSV
with one row per file:

    activity     needed
    session      needed; one uninterrupted recording, the unit of honest splits
    file         of the second CSV: the name of the trace's CSV
    trace        of one CSV for all: which rows belong together; without it, rows that
                 follow each other with the same names
    day, unit, channel, network, user, home, firmware, app_version, repeat, trial,
    parameters   optional
"""

import difflib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from analysis.errors import ImportDataError
from analysis.importers.activity_table import CHANNELS, NETWORKS, RESERVED
from analysis.importers.faults import (
    few,
    few_files,
    lacking,
    misspelt,
    no_such_column,
)
from analysis.importers.names import unprintable, unprintable_files
from analysis.importers.trace_rows import (
    MORE,
    NEEDED,
    PacketRows,
    Packets,
    Sheet,
    read_sheet,
)

_PACKET = (*NEEDED, *MORE)
_NAMED = ("activity", "session")
_OPTIONAL = (
    *("day", "unit", "channel", "network", "user", "home", "firmware", "app_version"),
    *("repeat", "trial", "parameters"),
)
Row = tuple[int, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceRecipe:
    """How to read somebody's traces.

    columns    our column -> theirs
    constants  our column of the names -> one value for all traces
    extra_b    bytes to add to a size to have that of the frame: 14 where sizes are
               those of IP packets
    sort       put packets that go back in time into order, instead of a fault
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)
    extra_b: int = 0
    sort: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """One activity: its packets, the line that names it, what it is called."""

    path: Path
    line: int
    packets: Packets
    texts: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceTable:
    """Traces in the order of their names, the files they are of, and the faults.

    unlabelled  files that no row of the labels names
    """

    traces: tuple[Trace, ...]
    files: tuple[Path, ...]
    unlabelled: tuple[Path, ...]
    faults: tuple[str, ...]


def load_traces(
    tables: Sequence[Path], labels: Path | None, recipe: TraceRecipe
) -> TraceTable:
    """Read all; faulty traces are left out and each fault is a sentence.

    tables  files, or folders of which every *.csv is taken
    labels  which trace each file is; None when the files themselves say so

    Raises ImportDataError when the recipe names columns that there are not.
    """
    _refuse_unknown(recipe)
    faults: list[str] = []
    given = _files(tables, labels, faults)
    traces: list[Trace] = []
    of_files: list[list[str]] = []
    if labels is None:
        for path in given.values():
            of_files.append([])
            traces += _in_one(path, recipe, of_files[-1])
        files = tuple(given.values())
    else:
        told: list[str] = []
        named = list(_named(labels, given, recipe, told))
        faults += few(labels, told)
        for each in named:
            of_files.append([])
            traces += _of_file(*each, recipe, of_files[-1])
        files = tuple(path for path, _line, _texts in named)
    faults += few_files(of_files)
    faults += [*_twice(traces), *_over_days(traces)]
    if not traces and not faults:
        faults.append(f"{labels or tables[0]}: holds no trace")
    return TraceTable(
        traces=tuple(traces),
        files=files,
        unlabelled=tuple(p for p in given.values() if p not in set(files)),
        faults=tuple(faults),
    )


def _refuse_unknown(recipe: TraceRecipe) -> None:
    names = (*_NAMED, *_OPTIONAL)
    known = (*_PACKET, *names, "file", "trace")
    faults = [
        no_such_column(ours, theirs, known)
        for ours, theirs in recipe.columns.items()
        if ours not in known
    ]
    faults += [
        f"no value for all traces can be given to {ours!r}; use {', '.join(names)}"
        for ours in recipe.constants
        if ours not in names
    ]
    if faults:
        raise ImportDataError(tuple(faults))


def _files(
    tables: Sequence[Path], labels: Path | None, faults: list[str]
) -> dict[str, Path]:
    """Return the files by the name that labels may use: relative to their folder."""
    found: dict[str, Path] = {}
    for table in tables:
        if not table.exists():
            faults.append(f"{table}: is not there")
            continue
        inside = sorted(table.rglob("*.csv")) if table.is_dir() else [table]
        if not inside:
            faults.append(f"{table}: holds no file *.csv")
        faults += unprintable_files(inside)
        for path in inside:
            if labels is not None and path.resolve() == labels.resolve():
                continue
            name = path.relative_to(table).as_posix() if path != table else path.name
            if name in found and found[name] != path:
                faults.append(f"{path}: {found[name]} has the same name; rename one")
            found[name] = path
    return found


def _places(
    sheet: Sheet, ours: Iterable[str], needed: Sequence[str], recipe: TraceRecipe
) -> dict[str, int]:
    """Return our column -> place, or -1. Raises ImportDataError for needed ones."""
    places: dict[str, int] = {}
    absent: dict[str, list[str]] = {}
    for name in ours:
        theirs = recipe.columns.get(name, name).strip()
        places[name] = sheet.column(theirs)
        if places[name] < 0 and (name in needed or name in recipe.columns):
            absent.setdefault(_remedy(name), []).append(theirs)
    faults = [lacking(sheet.path, n, sheet.header, r) for r, n in absent.items()]
    there = {sheet.header[place] for place in places.values() if place >= 0}
    others = {name for name, place in places.items() if place < 0}
    others -= {*needed, *recipe.columns, *recipe.constants}
    faults += misspelt(sheet.path, sheet.header, others, there)
    if faults:
        raise ImportDataError(tuple(faults))
    return places


def _remedy(name: str) -> str:
    if name in _NAMED:
        return (
            "add it, name theirs with --column, give one value with --constant, or "
            "give a CSV of names with --labels"
        )
    return "add it, or name theirs with --column"


def _named(
    labels: Path, given: Mapping[str, Path], recipe: TraceRecipe, faults: list[str]
) -> Iterator[tuple[Path, int, Mapping[str, str]]]:
    """Yield the file, line and texts of each row of the labels."""
    needed = [name for name in ("file", *_NAMED) if name not in recipe.constants]
    try:
        sheet = read_sheet(labels)
        places = _places(sheet, ("file", *_NAMED, *_OPTIONAL), needed, recipe)
    except ImportDataError as exc:
        faults += exc.faults
        return
    by_base = Counter(Path(name).name for name in given)
    known = dict(given) | {p.name: p for p in given.values() if by_base[p.name] == 1}
    line_of: dict[Path, int] = {}
    for line, row in sheet.rows:
        texts = _texts(labels, line, row, places, recipe, faults)
        name = row[places["file"]] if places["file"] < len(row) else ""
        path = known.get(name)
        if path is None:
            faults.append(f"{labels}: line {line}: file: {_lost(name, known)}")
        elif path in line_of:
            reason = f"{name!r} is that of line {line_of[path]} already"
            faults.append(f"{labels}: line {line}: file: {reason}")
        elif texts is not None:
            line_of[path] = line
            yield path, line, texts


def _lost(name: str, known: Mapping[str, Path]) -> str:
    if not name:
        return "is empty"
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"no file that was given is called {name!r}{hint}"


def _texts(
    path: Path,
    line: int,
    row: tuple[str, ...],
    places: Mapping[str, int],
    recipe: TraceRecipe,
    faults: list[str],
) -> dict[str, str] | None:
    """Return what a trace is called, or None when something is wrong with it."""
    texts = {}
    for name in (*_NAMED, *_OPTIONAL):
        place = places[name]
        texts[name] = row[place] if 0 <= place < len(row) else ""
    texts |= recipe.constants
    wrong = [f"{name}: is empty" for name in _NAMED if not texts[name]]
    wrong += [
        fault for name, text in texts.items() for fault in unprintable(name, text)
    ]
    if texts["activity"].lower() in RESERVED:
        wrong.append(
            f"activity: {texts['activity']!r} is what windows without an activity are "
            "called; leave the trace out, or give it another name"
        )
    for name, allowed in (("channel", CHANNELS), ("network", NETWORKS)):
        if texts[name] not in allowed:
            reason = f"must be one of {', '.join(allowed[1:])}, got {texts[name]!r}"
            wrong.append(f"{name}: {reason}")
    faults += [f"{path}: line {line}: {reason}" for reason in wrong]
    return None if wrong else texts


def _of_file(
    path: Path,
    line: int,
    texts: Mapping[str, str],
    recipe: TraceRecipe,
    faults: list[str],
) -> Iterator[Trace]:
    """Yield the trace of a file that is one, nothing where it has a fault."""
    try:
        sheet = read_sheet(path)
        places = _places(sheet, _PACKET, NEEDED, recipe)
    except ImportDataError as exc:
        faults += exc.faults
        return
    reader = PacketRows(places=places, extra_b=recipe.extra_b, sort=recipe.sort)
    if not sheet.rows:
        faults.append(f"{path}: holds no packet; leave its row out of the labels")
        return
    packets = reader.packets(path, sheet.rows)
    faults += few(path, reader.faults)
    if packets is not None:
        yield Trace(path=path, line=line, packets=packets, texts=texts)


def _in_one(path: Path, recipe: TraceRecipe, faults: list[str]) -> Iterator[Trace]:
    """Yield the traces of a file whose rows say what they are of."""
    needed = [name for name in (*NEEDED, *_NAMED) if name not in recipe.constants]
    columns = (*_PACKET, *_NAMED, *_OPTIONAL, "trace")
    try:
        sheet = read_sheet(path)
        places = _places(sheet, columns, needed, recipe)
    except ImportDataError as exc:
        faults += exc.faults
        return
    reader = PacketRows(places=places, extra_b=recipe.extra_b, sort=recipe.sort)
    wrong: list[str] = []
    if not sheet.rows:
        faults.append(f"{path}: holds no packet")
    for rows in _together(path, sheet.rows, places, wrong):
        line, first = rows[0]
        texts = _texts(path, line, first, places, recipe, wrong)
        packets = reader.packets(path, rows)
        if texts is not None and packets is not None:
            yield Trace(path=path, line=line, packets=packets, texts=texts)
    faults += few(path, sorted([*wrong, *reader.faults], key=_line_of))


def _together(
    path: Path, rows: Sequence[Row], places: Mapping[str, int], faults: list[str]
) -> list[list[Row]]:
    """Return the rows of each trace, in the order of the first of each."""
    by_trace = places["trace"] >= 0
    told = [places[name] for name in (*_NAMED, *_OPTIONAL) if places[name] >= 0]
    groups: dict[object, list[Row]] = {}
    run, before = 0, None
    for line, row in rows:
        names = tuple(row[p] if p < len(row) else "" for p in told)
        if by_trace:
            trace = row[places["trace"]] if places["trace"] < len(row) else ""
            group = groups.setdefault(trace, [])
            if not trace:
                faults.append(f"{path}: line {line}: trace: is empty")
            elif group and names != _names(group[0][1], told):
                reason = f"{trace!r} is called else in line {group[0][0]}"
                faults.append(f"{path}: line {line}: trace: {reason}")
        else:
            run += names != before
            group = groups.setdefault(run, [])
        group.append((line, row))
        before = names
    return list(groups.values())


def _names(row: tuple[str, ...], told: Sequence[int]) -> tuple[str, ...]:
    return tuple(row[p] if p < len(row) else "" for p in told)


def _line_of(fault: str) -> int:
    digits = fault.partition(": line ")[2].partition(":")[0]
    return int(digits) if digits.isdecimal() else 0


def _twice(traces: Sequence[Trace]) -> list[str]:
    """Find trials that are named twice, or only in some traces."""
    faults = []
    known: dict[str, Trace] = {}
    some = any(trace.texts["trial"] for trace in traces)
    for trace in traces if some else ():
        name = trace.texts["trial"]
        where = f"{trace.path}: line {trace.line}: trial:"
        if not name:
            faults.append(f"{where} is empty, in others it is not")
        elif name in known:
            faults.append(f"{where} {name!r} is that of {known[name].path} already")
        known.setdefault(name, trace)
    return faults


def _over_days(traces: Sequence[Trace]) -> list[str]:
    """Find sessions that are said to be of two days: a session lies within one."""
    faults = []
    known: dict[str, Trace] = {}
    for trace in traces:
        session, day = trace.texts["session"], trace.texts["day"]
        first = known.setdefault(session, trace)
        if day != first.texts["day"]:
            faults.append(
                f"{trace.path}: line {trace.line}: day: session {session!r} is of day "
                f"{first.texts['day']!r} already; give each day sessions of its own"
            )
            known[session] = trace
    return faults
