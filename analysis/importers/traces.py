"""Make a campaign folder from traces: tables of time, size and direction.

    import_traces(tables, labels=..., device="echo", recipe=..., target=...)

The frames are made up around what a trace tells: the device and one remote (or those
that the trace names), headers without content, the length on the wire as it was. Traces
follow each other with a gap, and each session begins on a day of its own, so that
everything that works on captures works on them. Nothing is drawn at random: the same
traces give the same bytes.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import partial
from pathlib import Path

from analysis.dataset import Times
from analysis.errors import ImportDataError
from analysis.importers.activity_table import TEXTS, ActivityRow
from analysis.importers.folder import Capture, faulty_target, inputs_of, make_folder
from analysis.importers.frames import FrameMaker
from analysis.importers.trace_table import Trace, TraceRecipe, load_traces
from analysis.labelling import LabelReport, Overlap
from analysis.pcap.writer import open_capture

# locally administered; there is one device in a table of traces
DEVICE_MAC = "02:00:00:00:00:01"
COMMENT = "frames made up from traces: headers only, times and lengths as they were"
# Traces have no absolute time. A Monday, so that days of the week are what they seem.
_ZERO_NS = 946_857_600 * 10**9  # 2000-01-03T00:00:00Z
_DAY_NS = 86_400 * 10**9
_END_NS = 9_214_646_400 * 10**9  # 2262-01-01; int64 ends in that year
# Too short for an idle window, which keeps 5 s away from what was before: what lies
# between traces was not recorded, and is no evidence of silence.
_GAP_NS = 4 * 10**9
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedTraces:
    """What came of an import.

    folder      the campaign folder
    labels      what labelling found
    unlabelled  files that no row of the labels names; they were left out
    n_sessions, n_packets    over all traces
    """

    folder: Path
    labels: LabelReport
    unlabelled: tuple[Path, ...]
    n_sessions: int
    n_packets: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Placed:
    """A trace and where its first packet is put."""

    trace: Trace
    start_ns: int

    @property
    def end_ns(self) -> int:
        """Stamp of the last packet."""
        return self.start_ns + int(self.trace.packets.time_ns[-1])


def import_traces(
    tables: Sequence[Path],
    *,
    target: Path,
    labels: Path | None = None,
    device: str = "device",
    recipe: TraceRecipe | None = None,
) -> ImportedTraces:
    """Take over traces as the campaign folder `target`.

    tables  CSV files, or folders of them
    labels  which trace each file is; None when the rows themselves say so
    device  name of the device that all traces are of
    recipe  how to read them

    The window of an activity is the span of its trace: δ is that of the row. All is
    written or nothing: raises ImportDataError with every fault found.
    """
    if faults := faulty_target(target, (device,)):
        raise ImportDataError(tuple(faults))
    table = load_traces(tables, labels, recipe or TraceRecipe())
    if table.faults:
        raise ImportDataError(table.faults)
    sessions = _placed(table.traces)
    captures = _captures(sessions)
    rows = [row for placed in sessions.values() for row in _rows(placed, device)]
    units = {trace.texts["unit"] for trace in table.traces}
    told = {
        "device": device,
        "mac": DEVICE_MAC,
        "unit": units.pop() if len(units) == 1 else "",
        "firmware": "",
        "app_version": "",
        "category": "",
    }
    inputs = inputs_of(target.name, (told,)) | {"times": str(_times(table.traces))}
    report = make_folder(target, inputs, captures, rows, Overlap.REFUSE)
    return ImportedTraces(
        folder=target,
        labels=report,
        unlabelled=table.unlabelled,
        n_sessions=len(sessions),
        n_packets=sum(len(trace.packets) for trace in table.traces),
    )


def _times(traces: Sequence[Trace]) -> Times:
    """Return what is real of the times: days, where every trace names its own."""
    if not all(trace.texts["day"] for trace in traces):
        return Times.INVENTED
    return Times.DATES if _dates(traces) else Times.DAYS


def _dates(traces: Sequence[Trace]) -> Mapping[str, int]:
    """Return day -> stamp of its midnight, where all days are dates; else nothing."""
    found = {}
    for day in dict.fromkeys(trace.texts["day"] for trace in traces):
        try:
            midnight = datetime.combine(date.fromisoformat(day), time(), tzinfo=UTC)
        except ValueError:
            return {}
        at_ns = int(midnight.timestamp()) * 10**9
        if not _DATE.fullmatch(day) or not 0 <= at_ns < _END_NS:
            return {}
        found[day] = at_ns
    return found


def _placed(traces: Sequence[Trace]) -> Mapping[str, tuple[_Placed, ...]]:
    """Return the traces of each session, laid out in time.

    Sessions that name the same day share it; others have a day each. Where all days
    are dates, these are kept. Raises ImportDataError when a day has no room for its
    sessions, or the days run out.
    """
    dates = _dates(traces)
    faults = []
    sessions: dict[str, list[Trace]] = {}
    for trace in traces:
        sessions.setdefault(trace.texts["session"], []).append(trace)
    days: dict[object, list[list[Trace]]] = {}
    for number, held in enumerate(sessions.values()):
        days.setdefault(held[0].texts["day"] or number, []).append(held)
    placed: dict[str, list[_Placed]] = {}
    at = _ZERO_NS
    for day in sorted(days, key=lambda day: dates.get(str(day), 0)):
        midnight_ns = dates.get(str(day), at)
        if midnight_ns < at and placed:
            faults.append(_overrun(days[day][0][0]))
        at = midnight_ns
        for held in days[day]:
            if at - midnight_ns >= _DAY_NS:
                faults.append(_crowded(held[0]))
                break
            for trace in held:
                one = _Placed(trace=trace, start_ns=at)
                placed.setdefault(trace.texts["session"], []).append(one)
                at = one.end_ns + _GAP_NS
        at = -(-at // _DAY_NS) * _DAY_NS  # the next midnight
    if at > _END_NS:
        faults.append(
            f"{len(sessions)} sessions on {len(days)} days would last beyond the year "
            "2262; say in a column day which sessions share one, or import fewer"
        )
    if faults:
        raise ImportDataError(tuple(faults))
    return {session: tuple(held) for session, held in placed.items()}


def _crowded(trace: Trace) -> str:
    session, day = trace.texts["session"], trace.texts["day"]
    return (
        f"{trace.path}: line {trace.line}: day: the sessions before {session!r} fill "
        f"the 24 h of day {day!r}; give it another day, or leave the column day out"
    )


def _overrun(trace: Trace) -> str:
    session, day = trace.texts["session"], trace.texts["day"]
    return (
        f"{trace.path}: line {trace.line}: day: the sessions before {session!r} last "
        f"into day {day!r}; give some another day, or leave the column day out"
    )


def _captures(sessions: Mapping[str, Sequence[_Placed]]) -> list[Capture]:
    """Return a capture per session, in order of time."""
    captures = []
    for session, placed in sessions.items():
        stem = _UNSAFE.sub("_", session).strip("_") or "session"
        paths = dict.fromkeys(one.trace.path for one in placed)
        captures.append(
            Capture(
                session=stem,
                first_ns=placed[0].start_ns,
                last_ns=placed[-1].end_ns,
                n_packets=sum(len(one.trace.packets) for one in placed),
                sources=tuple(paths),
                write=partial(_write, placed),
            )
        )
    return captures


def _write(placed: Sequence[_Placed], path: Path) -> None:
    maker = FrameMaker(DEVICE_MAC)
    with open_capture(path, comment=COMMENT) as capture:
        for one in placed:
            packets = one.trace.packets
            frames = maker.frames(packets)
            times = (one.start_ns + packets.time_ns).tolist()
            lengths = packets.length_b.tolist()
            for time_ns, frame, length_b in zip(times, frames, lengths, strict=True):
                capture.packet(time_ns, frame, length_b=length_b)


def _rows(placed: Sequence[_Placed], device: str) -> list[ActivityRow]:
    rows = []
    for one in placed:
        texts = one.trace.texts
        kept = {name: texts[name] for name in TEXTS}
        if texts["repeat"]:
            said = [text for text in texts["parameters"].split(";") if text]
            kept["parameters"] = ";".join(sorted([*said, f"repeat={texts['repeat']}"]))
        rows.append(
            ActivityRow(
                line=one.trace.line,
                device=device,
                activity=texts["activity"],
                written_ns=(one.start_ns, one.end_ns),
                start_ns=one.start_ns,
                end_ns=one.end_ns + 1,
                uncertainty_ns=None,
                texts=kept,
            )
        )
    return rows
