"""Local calendar hours, and how often each activity happens in them.

A day on which the clock changes has 23 or 25 hours; where it changes by half an hour,
the hour of the change is a short one. Hours without events are hours as well.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from analysis.detectors.events import Events, Name, check_zone
from analysis.errors import RequestError
from analysis.features.model import Int64

HOUR_NS = 3600 * 10**9
DAY_NS = 24 * HOUR_NS
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_WEEKDAY = 3  # 1 January 1970 was a Thursday
_LONGEST_DAYS = 3660
_STEP_S = 6 * 3600  # no zone changes its clock and back within it

Bools = np.ndarray


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """A span of local hours (rows) and activities (columns), with the events in it.

    start_ns  (h,) int64 UTC, when each hour begins
    end_ns    (h,) int64 UTC, when it is over
    hour      (h,) int64, hour of day 0..23 on the clock of the zone
    day       (h,) int64, local date as days since 1 January 1970
    counts    (h, a) int64, events of each activity of `names`
    events    what happened in these hours
    row       (n,) int64, in which row each event lies
    local_ns  (n,) int64, time of day of each event on the clock of the zone
    """

    start_ns: Int64
    end_ns: Int64
    hour: Int64
    day: Int64
    counts: Int64
    events: Events
    row: Int64
    local_ns: Int64

    def __len__(self) -> int:
        return int(self.start_ns.size)

    @property
    def names(self) -> tuple[Name, ...]:
        """(device, activity) of each column."""
        return self.events.names

    @property
    def weekend(self) -> Bools:
        """(h,) bool: Saturday or Sunday."""
        is_weekend: Bools = (self.day + _EPOCH_WEEKDAY) % 7 >= 5
        return is_weekend

    @property
    def total(self) -> Int64:
        """(h,) int64, events of all activities."""
        total: Int64 = self.counts.sum(axis=1)
        return total

    def take(self, rows: Bools) -> "Hours":
        """Return the chosen hours, (h,) bool, and the events in them."""
        kept = rows[self.row]
        new_row = np.cumsum(rows) - 1
        return Hours(
            start_ns=self.start_ns[rows],
            end_ns=self.end_ns[rows],
            hour=self.hour[rows],
            day=self.day[rows],
            counts=self.counts[rows],
            events=Events(
                time_ns=self.events.time_ns[kept],
                what=self.events.what[kept],
                names=self.names,
                zone=self.events.zone,
            ),
            row=new_row[self.row[kept]],
            local_ns=self.local_ns[kept],
        )


def count_hours(
    events: Events, start_ns: int | None = None, end_ns: int | None = None
) -> Hours:
    """Count events by local hour from `start_ns` to before `end_ns`.

    Without them the span is from the hour of the first event to that of the last; no
    events have no hours then. Events outside the span are left out.
    Raises RequestError for a span of more than ten years: a clock has jumped.
    """
    span = _span(events, start_ns, end_ns)
    pieces = list(_pieces(events.zone, *span)) if span[1] > span[0] else []
    rows = [_rows(*piece) for piece in pieces]
    empty = np.zeros(0, dtype=np.int64)
    start = np.concatenate([empty, *(r[0] for r in rows)])
    end = np.concatenate([empty, *(r[1] for r in rows)])
    clock_hour = np.concatenate([empty, *(r[2] for r in rows)])
    inside = events.between(*span)
    row = np.searchsorted(start, inside.time_ns, side="right") - 1
    begins = np.array([piece[0] for piece in pieces], dtype=np.int64)
    offsets = np.array([piece[2] for piece in pieces], dtype=np.int64)
    piece_of = np.searchsorted(begins, inside.time_ns, side="right") - 1
    local = inside.time_ns + offsets[piece_of] if len(pieces) else inside.time_ns
    counts = np.zeros((start.size, len(events.names)), dtype=np.int64)
    np.add.at(counts, (row, inside.what), 1)
    return Hours(
        start_ns=start,
        end_ns=end,
        hour=clock_hour % 24,
        day=clock_hour // 24,
        counts=counts,
        events=inside,
        row=row,
        local_ns=local % DAY_NS,
    )


def _span(events: Events, start_ns: int | None, end_ns: int | None) -> tuple[int, int]:
    if len(events):
        first, last = int(events.time_ns[0]), int(events.time_ns[-1]) + 1
    else:
        first = last = 0
        if start_ns is None or end_ns is None:
            return first, first
    begin = first if start_ns is None else start_ns
    end = last if end_ns is None else end_ns
    if start_ns is None and end > begin:
        begin = _hour_begins(events.zone, begin)
    if end_ns is None and end > begin:
        end = _hour_begins(events.zone, end - 1) + HOUR_NS
    if end - begin > _LONGEST_DAYS * DAY_NS:
        raise RequestError(
            f"the events span {(end - begin) // DAY_NS} days, so a clock has jumped; "
            "leave out the stamps that are wrong"
        )
    return begin, end


def _hour_begins(zone: str, at_ns: int) -> int:
    offset = _offset_ns(zone, at_ns)
    return (at_ns + offset) // HOUR_NS * HOUR_NS - offset


def _offset_ns(zone: str, at_ns: int) -> int:
    try:
        moment = _EPOCH + timedelta(seconds=at_ns // 10**9)
        offset = moment.astimezone(check_zone(zone)).utcoffset()
    except OverflowError:
        raise RequestError(
            f"the stamp {at_ns} lies outside the calendar; leave it out"
        ) from None
    return int((offset or timedelta()) / timedelta(microseconds=1)) * 1000


def _pieces(zone: str, begin: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield (start, end, offset) of stretches in which the clock does not change."""
    start, offset = begin, _offset_ns(zone, begin)
    at = begin
    while at < end:
        later = min(at + _STEP_S * 10**9, end)
        if _offset_ns(zone, later) != offset:
            change = _change(zone, at, later)
            if change > start:
                yield start, min(change, end), offset
            start, offset = change, _offset_ns(zone, later)
        at = later
    if end > start:
        yield start, end, offset


def _change(zone: str, before: int, after: int) -> int:
    """Return when the clock changes between two stamps, to the second."""
    old = _offset_ns(zone, before)
    low, high = before // 10**9, after // 10**9
    while high - low > 1:
        middle = (low + high) // 2
        if _offset_ns(zone, middle * 10**9) == old:
            low = middle
        else:
            high = middle
    return high * 10**9


def _rows(start: int, end: int, offset: int) -> tuple[Int64, Int64, Int64]:
    """Return start and end (UTC) and local hour since the epoch of each hour."""
    first, last = (start + offset) // HOUR_NS, (end - 1 + offset) // HOUR_NS
    clock = np.arange(first, last + 1, dtype=np.int64)
    starts = np.maximum(clock * HOUR_NS - offset, start)
    ends = np.minimum((clock + 1) * HOUR_NS - offset, end)
    return starts, ends, clock
