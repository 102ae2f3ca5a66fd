"""Take over the layout of PingPong: captures, and a text file of the times of triggers.

    import_pingpong(folder, device="tplink-plug", mac=..., target=..., zone=...)

    DEVICE/timestamps/DEVICE-nov-8-2018.timestamps    a line per trigger
    DEVICE/wlan1/DEVICE.wlan1.local.pcap              the capture over all of them

A line is `11/08/2018 2:38:04 PM`, the same in 24 hours, or the time alone, which is of
the date in the name of the file and rolls over at midnight. Which event a trigger was
is not written down: they alternate, the first is on.
"""

import re
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta, tzinfo
from itertools import pairwise
from pathlib import Path

from analysis.errors import ImportDataError
from analysis.importers.activity_table import (
    RESERVED,
    TEXTS,
    ActivityRow,
    find_overlaps,
)
from analysis.importers.folder import Capture, faulty_target
from analysis.importers.moniotr import ImportedLayout, at_one_time
from analysis.importers.names import folders_in, unprintable, unprintable_files
from analysis.importers.pcap import FoundRows, take_over
from analysis.importers.stamps import parse_iso
from analysis.labelling import Overlap

# they look for a signature in the 15 s after a trigger
DELTA_NS = 15 * 10**9
ZONE = "America/Los_Angeles"  # of their lab, and fixed in their code
EVENTS = ("on", "off")
_SECOND_NS = 10**9
# each packet would count twice
_TWOFOLD = "give the name of the folder to take with --within"
_LINE = re.compile(
    r"(?:(\d{1,2})/(\d{1,2})/(\d{4})\s+)?(\d{1,2}):(\d\d):(\d\d)(?:\s*([AaPp])[Mm])?"
)
_DATED = re.compile(r"(?<![a-z])([a-z]{3})[a-z]*-(\d{1,2})-(\d{4})(?!\d)")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct")
_MONTH = {name: k for k, name in enumerate((*_MONTHS, "nov", "dec"), start=1)}


def import_pingpong(
    folder: Path,
    *,
    device: str,
    mac: str,
    target: Path,
    zone: tzinfo,
    events: Sequence[str] = EVENTS,
    delta_ns: int = DELTA_NS,
    within: str = "",
    overlap: Overlap = Overlap.REFUSE,
) -> ImportedLayout:
    """Take over one device of a folder in this layout as the campaign `target`.

    folder  holds a folder per device, of which `device` is one
    mac     of the device, or of the phone whose traffic is meant
    zone    of the times
    events  what the triggers were, in turn; the same for each file of times
    within  only captures below a folder of this name, as 'wlan1'

    Each file of times is a session. All or nothing: raises ImportDataError with every
    fault found, CaptureError for a damaged capture.
    """
    stamped, found = _files(folder, device, target)
    captures = [p for p in found if not within or within in p.parts]
    faulty = _faulty(folder, device, stamped, captures, within, events)
    rows, wrong = _triggers(stamped, device, zone, events or EVENTS, delta_ns)
    if faulty or wrong:
        raise ImportDataError((*faulty, *wrong))
    kept: set[Path] = set()
    held = folder / device

    def rows_of(read: Sequence[Capture]) -> FoundRows:
        kept.update(capture.sources[0] for capture in read)
        faults = [*_placeless(rows, read), *at_one_time(read, _TWOFOLD)]
        if overlap is Overlap.REFUSE:
            faults += _overlaps(held, rows)
        return FoundRows(rows=tuple(row for _path, row in rows), faults=tuple(faults))

    report = take_over(
        captures, rows_of=rows_of, devices={device: mac}, target=target, overlap=overlap
    )
    left_out = tuple(path for path in found if path not in kept)
    return ImportedLayout(folder=target, labels=report, left_out=left_out)


def _files(folder: Path, device: str, target: Path) -> tuple[list[Path], list[Path]]:
    """Return files of times, and captures; no folder is walked for a faulty name."""
    if faulty := faulty_target(target, (device,)):
        raise ImportDataError(tuple(faulty))
    stamped = sorted((folder / device).rglob("*.timestamps"))
    found = sorted(p for p in (folder / device).rglob("*.pcap*") if p.is_file())
    if faulty := unprintable_files((*stamped, *found)):
        raise ImportDataError(tuple(faulty))
    return stamped, found


def _faulty(
    folder: Path,
    device: str,
    stamped: Sequence[Path],
    captures: Sequence[Path],
    within: str,
    events: Sequence[str],
) -> list[str]:
    held = folder / device
    if not held.is_dir():
        return [f"{folder}: has no folder {device!r}{folders_in(folder)}"]
    faults = []
    if not stamped:
        faults.append(f"{held}: holds no *.timestamps; is this the layout of PingPong?")
    if not captures:
        where = f" below a folder {within!r}" if within else ""
        faults.append(f"{held}: holds no *.pcap{where}")
    faults += [fault for event in events for fault in unprintable("event", event)]
    if not events or any(not e or e.lower() in RESERVED for e in events):
        shown = ",".join(events)
        faults.append(f"events must be names such as on,off, got {shown!r}")
    return faults


def _triggers(
    stamped: Sequence[Path],
    device: str,
    zone: tzinfo,
    events: Sequence[str],
    delta_ns: int,
) -> tuple[list[tuple[Path, ActivityRow]], list[str]]:
    """Return the file and the row of each trigger in order of time, and the faults."""
    rows: list[tuple[Path, ActivityRow]] = []
    faults: list[str] = []
    for path in stamped:
        starts, wrong = _starts(path, zone)
        faults += wrong
        for number, (line, start_ns) in enumerate(starts):
            texts = dict.fromkeys(TEXTS, "")
            texts |= {"session": path.stem, "channel": "phone"}
            row = ActivityRow(
                line=line,
                device=device,
                activity=events[number % len(events)],
                written_ns=(start_ns, start_ns + delta_ns),
                start_ns=start_ns,
                end_ns=start_ns + delta_ns,
                uncertainty_ns=_SECOND_NS,
                texts=texts,
            )
            rows.append((path, row))
    rows.sort(key=lambda each: each[1].start_ns)
    return rows, faults


def _starts(path: Path, zone: tzinfo) -> tuple[list[tuple[int, int]], list[str]]:
    """Return line and ns UTC of each trigger of a file, and what is wrong with it."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as exc:
        return [], [f"{path}: cannot be read: {exc}"]
    starts: list[tuple[int, int]] = []
    faults = []
    day = _day_of(path)
    before: time | None = None
    for number, text in enumerate(lines, start=1):
        if not text.strip():
            continue
        try:
            said, clock = _parsed(text.strip())
            if said is None and before is not None and clock < before and day:
                day = _next(day)
            before = clock
            starts.append((number, _instant(said or day, clock, zone)))
        except ValueError as exc:
            faults.append(f"{path}: line {number}: {exc}, got {text.strip()!r}")
    faults += [
        f"{path}: line {line}: is not later than line {earlier}"
        for (earlier, early_ns), (line, late_ns) in pairwise(starts)
        if late_ns <= early_ns
    ]
    if not starts and not faults:
        faults.append(f"{path}: holds no time")
    return starts, faults


def _parsed(text: str) -> tuple[date | None, time]:
    """Return the date, where there is one, and the time of a line."""
    match = _LINE.fullmatch(text)
    if match is None:
        raise ValueError("must be a time as 11/08/2018 2:38:04 PM, or 2:38:04 PM")
    month, day, year, hour, minute, second, half = match.groups()
    hours = int(hour)
    if half is not None:
        if not 1 <= hours <= 12:
            raise ValueError("must have an hour from 1 to 12 before AM or PM")
        hours = hours % 12 + (12 if half in "Pp" else 0)
    said = date(int(year), int(month), int(day)) if year else None
    return said, time(hours, int(minute), int(second))


def _next(day: date) -> date:
    try:
        return day + timedelta(days=1)
    except OverflowError as exc:
        raise ValueError("is not between 1990 and 2100") from exc


def _day_of(path: Path) -> date | None:
    """Return the date in the name of a file, as tplink-june-14-2018.timestamps."""
    match = _DATED.search(path.stem.lower())
    if match is None or match[1] not in _MONTH:
        return None
    try:
        return date(int(match[3]), _MONTH[match[1]], int(match[2]))
    except ValueError:
        return None


def _instant(day: date | None, clock: time, zone: tzinfo) -> int:
    if day is None:
        raise ValueError(
            "has no date, nor has the name of the file, as plug-nov-8-2018.timestamps"
        )
    # the reader of other stamps refuses an hour that clocks were changed over
    return parse_iso(datetime.combine(day, clock).isoformat(), zone).time_ns


def _overlaps(held: Path, rows: Sequence[tuple[Path, ActivityRow]]) -> tuple[str, ...]:
    """Return a sentence for each trigger that comes before the last one's δ ended."""
    paths = {path for path, _row in rows}
    where = paths.pop() if len(paths) == 1 else held
    return find_overlaps(where, [row for _path, row in rows])


def _placeless(
    rows: Sequence[tuple[Path, ActivityRow]], captures: Sequence[Capture]
) -> list[str]:
    """Return a sentence for each trigger that no capture holds."""
    faults = []
    for path, row in rows:
        held = (c.first_ns < row.end_ns and row.start_ns <= c.last_ns for c in captures)
        if any(held):
            continue
        near = min(captures, key=lambda each: abs(each.first_ns - row.start_ns))
        by_s = (row.start_ns - near.first_ns) / 1e9
        faults.append(
            f"{path}: line {row.line}: lies in no capture; it is {by_s:+.0f} s from "
            f"the start of {near.sources[0].name}; is the time zone right?"
        )
    return faults
