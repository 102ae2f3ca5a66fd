"""Which hours are learnt from, and which are scored: whole days on the local clock.

Hours before the first event of a day and after its last are hours without events, which
is something to learn from. Logs to learn from that overlap what is scored, as simulated
ones do, are moved back by whole weeks on the local clock: weekdays and times of day
stay what they are, whether or not the clock is changed in between.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from analysis.detectors.events import Events, make_events
from analysis.detectors.hours import DAY_NS, HOUR_NS, Hours, count_hours
from analysis.errors import RequestError

_WEEK_DAYS = 7
_NONE = np.zeros(0, dtype=np.int64)
_LONGEST_DAY_NS = 26 * HOUR_NS  # with a clock that is put back by an hour, or by two


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Hours to learn from, and hours to score; the second are later."""

    learn: Hours
    score: Hours


def whole_days(events: Events) -> Hours:
    """Return the hours of all days from that of the first event to that of the last.

    Raises RequestError where there is no event.
    """
    if not len(events):
        raise RequestError("there is no event; give a log in which something happens")
    at = events.time_ns[[0, -1]]
    around = (int(at[0]) - _LONGEST_DAY_NS, int(at[1]) + _LONGEST_DAY_NS)
    near = count_hours(events, *around)
    rows = np.searchsorted(near.start_ns, at, side="right") - 1
    first, last = near.day[rows]
    return near.take((near.day >= first) & (near.day <= last))


def split_days(events: Events, n_days: int | None = None) -> Split:
    """Learn from the first `n_days` local days, score the rest.

    By default two thirds of the days are learnt from. Raises RequestError where
    nothing is left to learn from, or to score.
    """
    hours = whole_days(events)
    day = hours.day - hours.day[0]
    total = int(day[-1]) + 1
    first = total * 2 // 3 if n_days is None else n_days
    if not 0 < first < total:
        days = "is one day" if total == 1 else f"are days 0 to {total - 1}"
        remedy = "learn from at least one and score at least one, or name an --owner"
        raise RequestError(f"there {days}; {remedy}")
    return Split(learn=hours.take(day < first), score=hours.take(day >= first))


def learn_elsewhere(owners: Sequence[Events], watched: Hours) -> Split:
    """Learn from logs of their own, put before what is watched."""
    return Split(learn=in_a_row(owners, int(watched.day[0])), score=watched)


def in_a_row(owners: Sequence[Events], before_day: int | None = None) -> Hours:
    """Return the whole days of logs, one after the other, all before `before_day`.

    Those that are not are moved back by whole weeks. Days between logs are no hours.

    before_day  as in `Hours.day`
    """
    placed: list[Hours] = []
    for events in sorted(owners, key=_first_ns, reverse=True):
        hours = whole_days(events)
        over = 0 if before_day is None else int(hours.day[-1]) - before_day + 1
        if over > 0:
            hours = whole_days(_weeks_earlier(hours, -(-over // _WEEK_DAYS)))
        placed.append(hours)
        before_day = int(hours.day[0])
    if not placed:
        raise RequestError("there is no log to learn from; name one")
    return _joined(placed[::-1])


def _weeks_earlier(hours: Hours, weeks: int) -> Events:
    """Return the events at the same local times, whole weeks earlier.

    Times that the clock left out then are in the hour after; of times that it showed
    twice it is the first.
    """
    events = hours.events
    days = hours.day[[0, -1]] - weeks * _WEEK_DAYS
    first_ns, last_ns = (int(day) * DAY_NS for day in days)
    near = count_hours(
        replace(events, time_ns=_NONE, what=_NONE),
        first_ns - _LONGEST_DAY_NS,
        last_ns + 2 * _LONGEST_DAY_NS,
    )
    known = np.maximum.accumulate(near.day * 24 + near.hour)
    clock = hours.local_ns // HOUR_NS
    wanted = (hours.day[hours.row] - weeks * _WEEK_DAYS) * 24 + clock
    row = np.searchsorted(known, wanted)
    time_ns = near.start_ns[row] + hours.local_ns % HOUR_NS
    names = [events.names[i] for i in events.what]
    return make_events(time_ns, names, events.zone, known=events.names)


def _first_ns(events: Events) -> int:
    return int(events.time_ns[0]) if len(events) else 0


def _joined(parts: Sequence[Hours]) -> Hours:
    """Return one table of hours with gaps, and the columns of all."""
    together = joined_events([part.events for part in parts])
    start_ns, end_ns = int(parts[0].start_ns[0]), int(parts[-1].end_ns[-1])
    hours = count_hours(together, start_ns, end_ns)
    inside = np.zeros(len(hours), dtype=bool)
    for part in parts:
        begins = hours.start_ns >= part.start_ns[0]
        inside |= begins & (hours.start_ns < part.end_ns[-1])
    return hours.take(inside)


def joined_events(parts: Sequence[Events]) -> Events:
    """Return the events of all parts, which live in one zone."""
    names = sorted({name for part in parts for name in part.names})
    what = [part.names[i] for part in parts for i in part.what]
    stamps = np.concatenate([part.time_ns for part in parts])
    return make_events(stamps, what, parts[0].zone, known=names)
