"""Alarms as people read them: which activity, when, and what is strange about it.

The words compare counts with the days that were learnt from, whichever detector raised
the alarm, as that can be checked in the log; where counts are nothing special, they are
the detector's own.
"""

from datetime import UTC, datetime

import numpy as np

from analysis.detectors.alarms import Alarm
from analysis.detectors.events import check_zone
from analysis.detectors.hours import HOUR_NS, Hours
from analysis.evaluate.watched.verdicts import Verdict

_MANY = 2  # times the most that ever was
_RARE = 1 / 3  # of the days learnt from


def alarms_of(found: Verdict, learn: Hours, user: str = "") -> tuple[Alarm, ...]:
    """Return the alarms in order of time, each named after its strangest activity."""
    hours, zone = found.hours, check_zone(found.hours.events.zone)
    told = []
    for row in np.flatnonzero(found.alarms).tolist():
        column = strangest_of(found, row)
        device, activity = hours.names[column]
        start_ns = int(hours.start_ns[row])
        local = datetime.fromtimestamp(start_ns // 10**9, UTC).astimezone(zone)
        told.append(
            Alarm(
                user=user,
                device=device,
                activity=activity,
                start_ns=start_ns,
                hour=local.isoformat(timespec="minutes"),
                score=float(found.scores[row]),
                p=float(found.p[row]),
                detector=found.detector,
                reason=reason_of(found, row, column, learn),
            )
        )
    return tuple(told)


def strangest_of(found: Verdict, row: int) -> int:
    """Return the column of the strangest activity; of equals, the commonest."""
    there = found.hours.counts[row] > 0
    cells = np.where(there, found.cells[row], -1.0)
    best = np.flatnonzero(cells == cells.max())
    return int(best[found.hours.counts[row][best].argmax()])


def reason_of(found: Verdict, row: int, column: int, learn: Hours) -> str:
    """Say what is strange about an activity in an hour, beside the days of learning.

    Where its counts are nothing special, the detector says what is.
    """
    hours = found.hours
    times = _times(int(hours.counts[row, column]))
    told = _compared(hours, row, column, learn)
    if not told:
        told = found.detection.explain(hours, row, column) + _others(hours, row, column)
    return f"{times}; {told}"


def _compared(hours: Hours, row: int, column: int, learn: Hours) -> str:
    """Return how a count differs from all that was learnt; empty if it does not."""
    n_days = np.unique(learn.day).size
    days = f"{n_days} day{'s' * (n_days != 1)}"
    hour, count = int(hours.hour[row]), int(hours.counts[row, column])
    between = f"between {hour:02d}:00 and {(hour + 1) % 24:02d}:00"
    before = _counts_of(learn, hours.names[column])
    same = learn.hour == hour
    most, here = int(before.max(initial=0)), before[same]
    n_here, most_here = int((here > 0).sum()), int(here.max(initial=0))
    busiest = int(learn.total[same].max(initial=0))
    total = int(hours.total[row])
    run, until = _longest_run(hours, row)
    usual = max(
        (_longest_run(learn, i)[0] for i in np.flatnonzero(same).tolist()), default=0
    )
    cases = (
        (not most, f"it never happened on {days}"),
        (count >= _MANY * most, f"never more than {most} in an hour on {days}"),
        (not n_here, f"never {between} on {days}"),
        (count > most_here, f"never more than {most_here} {between} on {days}"),
        (
            total > busiest,
            f"{total} activities in all, never more than {busiest} {between} on {days}",
        ),
        (
            total > 1 and run > max(usual, total),
            f"{run} activities in the 60 minutes up to {until}, with those of the hour "
            f"before; never more than {usual} up to such a time on {days}",
        ),
        (n_here <= _RARE * n_days, f"only on {n_here} of {days} {between}"),
    )
    return next((words for holds, words in cases if holds), "")


def _longest_run(hours: Hours, row: int) -> tuple[int, str]:
    """Return the most events in 60 minutes up to one of an hour, and up to when.

    They are counted over the full hour, as a burst does not end with it.
    """
    time_ns = hours.events.time_ns
    own = np.flatnonzero(hours.row == row)
    if not own.size:
        return 0, ""
    first = np.searchsorted(time_ns, time_ns[own] - HOUR_NS, side="right")
    counts = own + 1 - first
    best = own[counts.argmax()]
    minute = int(hours.local_ns[best]) // (60 * 10**9)
    return int(counts.max()), f"{minute // 60:02d}:{minute % 60:02d}"


def _counts_of(learn: Hours, name: tuple[str, str]) -> np.ndarray:
    if name not in learn.names:
        return np.zeros(len(learn), dtype=np.int64)
    return learn.counts[:, learn.names.index(name)]


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _others(hours: Hours, row: int, column: int) -> str:
    """Return in which order things happened in the hour, where there are others."""
    inside = hours.events.what[hours.row == row]
    if (inside == column).all():
        return ""
    order = [hours.names[i][1] for i in inside[:6]]
    more = ", ..." if inside.size > len(order) else ""
    return f": {', '.join(order)}{more}"
