"""Cut a packet table into windows: one per labelled activity, and idle ones.

Windows are ranges of rows of the table; no packet is copied.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analysis.dataset import LABELLED, ActivityLog, Times
from analysis.errors import LabelError
from analysis.labelling import LabelWindows, Overlap, label_windows, spans
from analysis.packets import PacketTable

Int64 = NDArray[np.int64]
Text = NDArray[np.str_]

IDLE_ACTIVITY = "idle"
UNKNOWN = "unknown"  # what a window is called that is like none that was learnt
# packets of an activity may still trickle in after its window; idle starts later
IDLE_MARGIN_NS = 5_000_000_000
# what the activities are called that take a device's power and give it back
POWER_OFF, POWER_ON = "power_off", "power_on"
_FAR_NS = 2**62  # before and after every stamp
_SCALARS = ("device", "n_uncovered", "unpowered_ns", "times")


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """k windows of one device, in order of time; arrays are read-only.

    device                      name of the device
    first, last                 (k,) int64, rows [first, last) of the packet table
    start_ns, end_ns            (k,) int64, the window [start, end)
    activity                    (k,) text, `IDLE_ACTIVITY` for idle windows
    session, trial, channel,    (k,) text, as in the activity log; idle windows have the
    network, user, unit, home   session, user, unit and home of the activity before them
    firmware                    and no trial, channel or network
    attempt                     (k,) int64, 0 for idle windows
    n_uncovered                 label windows that lie wholly outside every capture;
                                they are not among the k
    unpowered_ns                captured time in which, after the log, the device had
                                no power, and no idle window was drawn
    times                       what is real of these times
    """

    device: str
    first: Int64
    last: Int64
    start_ns: Int64
    end_ns: Int64
    activity: Text
    session: Text
    trial: Text
    channel: Text
    network: Text
    user: Text
    unit: Text
    home: Text
    firmware: Text
    attempt: Int64
    n_uncovered: int = 0
    unpowered_ns: int = 0
    times: Times = Times.RECORDED

    def __post_init__(self) -> None:
        for name in _COLUMNS:
            getattr(self, name).setflags(write=False)

    def __len__(self) -> int:
        return self.start_ns.size

    @property
    def n_packets(self) -> Int64:
        """(k,) int64, packets in each window."""
        return self.last - self.first

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> "Windows":
        """Return the chosen windows."""
        columns: dict[str, Any] = {name: getattr(self, name)[rows] for name in _COLUMNS}
        return replace(self, **columns)


_COLUMNS = tuple(field.name for field in fields(Windows) if field.name not in _SCALARS)


def cut(
    table: PacketTable,
    log: ActivityLog,
    device: str,
    *,
    overlap: Overlap = Overlap.REFUSE,
    widen: bool = True,
    n_idle: int = 0,
    rng: np.random.Generator | None = None,
) -> Windows:
    """Cut one window per confirmed or unchecked activity, and up to `n_idle` idle ones.

    A window that lies wholly outside every capture is left out, and counted.

    table    packets of `device`, cleaned or not
    log      the activity log of the campaign
    overlap  what to do when two windows overlap; see `analysis.labelling`
    widen    widen each window by its t_uncertainty at both ends
    n_idle   how many idle windows to draw; fewer come back when there is no room
    rng      draws the idle windows; needed when n_idle > 0

    Raises LabelError when windows overlap and `overlap` is REFUSE, and when idle
    windows are to be drawn beside an activity of that very name.
    """
    labelled = label_windows(log, device, overlap=overlap, widen=widen)
    if n_idle > 0 and (labelled.log.frame["activity"] == IDLE_ACTIVITY).any():
        raise LabelError(
            f"{device}: the log has an activity {IDLE_ACTIVITY!r} of its own, which "
            "drawn idle windows would join; leave out --idle, or rename it in "
            f"{log.path.name}"
        )
    if table.covered_ns:
        labelled = labelled.covered_by(table.covered_ns)
    windows = _of_rows(table, labelled)
    if n_idle <= 0:
        return windows
    if rng is None:
        raise ValueError("idle windows are drawn at random; give a generator")
    idle = _idle_windows(table, log.of_device(device), labelled, n_idle, rng)
    return _merged(windows, idle)


def rows_between(time_ns: Int64, start_ns: Int64, end_ns: Int64) -> tuple[Int64, Int64]:
    """Return first and last (exclusive) row of the packets in each [start, end).

    time_ns           (n,) int64, not decreasing
    start_ns, end_ns  (k,) int64
    returns           (k,) int64 each
    """
    first = np.searchsorted(time_ns, start_ns, side="left").astype(np.int64)
    last = np.searchsorted(time_ns, end_ns, side="left").astype(np.int64)
    return first, np.maximum(first, last)


_FROM_LOG = (
    "session",
    "trial",
    "channel",
    "network",
    "user",
    "unit",
    "home",
    "firmware",
)
_OF_PLACE = ("session", "user", "unit", "home", "firmware")


def _of_rows(table: PacketTable, labelled: LabelWindows) -> Windows:
    """Return the windows of labelled rows of the log."""
    frame = labelled.log.frame
    columns: dict[str, Any] = {name: _text(frame[name]) for name in _FROM_LOG}
    first, last = rows_between(table.time_ns, labelled.start_ns, labelled.end_ns)
    return Windows(
        device=table.device,
        first=first,
        last=last,
        start_ns=labelled.start_ns,
        end_ns=labelled.end_ns,
        activity=_text(frame["activity"]),
        attempt=frame["attempt"].to_numpy().astype(np.int64),
        n_uncovered=labelled.n_uncovered,
        **columns,
    )


def _text(column: pl.Series) -> Text:
    return np.array(column.to_list(), dtype=np.str_)


def _idle_windows(
    table: PacketTable,
    rows: ActivityLog,
    labelled: LabelWindows,
    n_idle: int,
    rng: np.random.Generator,
) -> Windows:
    """Draw idle windows, as long as the device's label windows, that touch nothing.

    Every attempt keeps idle windows away, whatever its outcome: one without effect
    has traffic of its own. So does a time without power: it is no idleness to be
    silent then, and nobody could tell it from the moment of power off.
    """
    acted = ActivityLog(
        path=rows.path,
        frame=rows.frame.filter(
            pl.col("t_ns").is_not_null() & pl.col("delta_ns").is_not_null()
        ),
    )
    start_ns, end_ns = spans(acted, widen=True)
    length_ns = labelled.end_ns - labelled.start_ns
    if length_ns.size == 0:
        length_ns = end_ns - start_ns
    length_ns = length_ns[length_ns > 0]
    busy = list(zip(start_ns.tolist(), end_ns.tolist(), strict=True))
    if not length_ns.size:
        return _idle_at(table, acted, np.zeros(0, np.int64), np.zeros(0, np.int64))
    off = without_power(acted)
    slots = draw_idle(table.covered_ns, [*busy, *off], length_ns, n_idle, rng)
    starts = np.array([start for start, _end in slots], dtype=np.int64)
    ends = np.array([end for _start, end in slots], dtype=np.int64)
    return replace(
        _idle_at(table, acted, starts, ends),
        unpowered_ns=_covered_of(off, table.covered_ns),
    )


def without_power(log: ActivityLog) -> list[tuple[int, int]]:
    """Return the disjoint [start, end) in which one device had no power, or may not.

    log  its attempts with a stamp, in order of time, of every outcome

    That is from each attempt to take the power, which may have come true whatever its
    outcome, to the next act with an effect; and what lies before a power that came on.
    """
    frame = log.frame.filter(
        pl.col("t_ns").is_not_null()
        & ((pl.col("activity") == POWER_OFF) | pl.col("outcome").is_in(LABELLED))
    )
    acts = zip(frame["t_ns"].to_list(), frame["activity"].to_list(), strict=True)
    off: list[tuple[int, int]] = []
    before_ns, before = -_FAR_NS, ""
    for at_ns, activity in acts:
        if before == POWER_OFF or activity == POWER_ON:
            off.append((before_ns, at_ns))
        before_ns, before = at_ns, activity
    if before == POWER_OFF:
        off.append((before_ns, _FAR_NS))
    return off


def _covered_of(
    spans_ns: Iterable[tuple[int, int]], covered_ns: Iterable[tuple[int, int]]
) -> int:
    """Return how much of some disjoint spans was captured, in ns."""
    covered = free_stretches(covered_ns, ())
    return sum(
        max(0, min(end, until) - max(start, since))
        for start, end in spans_ns
        for since, until in covered
    )


def draw_idle(
    covered_ns: Iterable[tuple[int, int]],
    busy_ns: Iterable[tuple[int, int]],
    length_ns: Int64,
    n_idle: int,
    rng: np.random.Generator,
) -> list[tuple[int, int]]:
    """Draw disjoint stretches that were captured and in which nothing was done.

    covered_ns  (first, last) stamps of the captures
    busy_ns     [start, end) of all that was done; idle keeps IDLE_MARGIN_NS after it
    length_ns   (m,) int64, lengths to draw from, m > 0
    returns     at most n_idle (start, end), in order of time
    """
    slots: list[tuple[int, int]] = []
    for start, end in free_stretches(covered_ns, busy_ns):
        at = start + int(rng.integers(0, int(length_ns.min())))
        while (stop := at + int(rng.choice(length_ns))) <= end:
            slots.append((at, stop))
            at = stop
    if len(slots) > n_idle:
        chosen = np.sort(rng.choice(len(slots), size=n_idle, replace=False))
        slots = [slots[each] for each in chosen.tolist()]
    return slots


def free_stretches(
    covered_ns: Iterable[tuple[int, int]], busy_ns: Iterable[tuple[int, int]]
) -> list[tuple[int, int]]:
    """Return what is covered and not busy, as disjoint [start, end) in order."""
    busy = sorted((start, end + IDLE_MARGIN_NS) for start, end in busy_ns)
    free = []
    done = None
    for first, last in sorted(covered_ns):
        at, end = first if done is None else max(first, done), last + 1
        done = end if done is None else max(done, end)
        for start, stop in busy:
            if stop <= at or start >= end:
                continue
            if start > at:
                free.append((at, start))
            at = max(at, stop)
        if at < end:
            free.append((at, end))
    return free


def _idle_at(
    table: PacketTable, acted: ActivityLog, start_ns: Int64, end_ns: Int64
) -> Windows:
    """Return idle windows, with the place of the activity before each."""
    k = start_ns.size
    first, last = rows_between(table.time_ns, start_ns, end_ns)
    stamps = acted.frame["t_ns"].to_numpy()
    before = np.maximum(np.searchsorted(stamps, start_ns, side="right") - 1, 0)
    nothing = np.array([""] * k, dtype=np.str_)
    place: dict[str, Any] = dict.fromkeys(_FROM_LOG, nothing)
    if stamps.size:
        place |= {name: _text(acted.frame[name])[before] for name in _OF_PLACE}
    return Windows(
        device=table.device,
        first=first,
        last=last,
        start_ns=start_ns,
        end_ns=end_ns,
        activity=np.array([IDLE_ACTIVITY] * k, dtype=np.str_),
        attempt=np.zeros(k, dtype=np.int64),
        **place,
    )


def _merged(one: Windows, two: Windows) -> Windows:
    """Return the windows of both, in order of time."""
    order = np.argsort(np.concatenate((one.start_ns, two.start_ns)), kind="stable")
    columns: dict[str, Any] = {
        name: np.concatenate((getattr(one, name), getattr(two, name)))[order]
        for name in _COLUMNS
    }
    return replace(one, unpowered_ns=two.unpowered_ns, **columns)
