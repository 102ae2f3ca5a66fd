"""Watch events as they come: an alarm is told at the event that makes the hour strange.

The hour of an event is scored at once, so that it need not be over; hours before that
of the event before it keep what they were given. What is still to come of seven days
counts as usual hours do: no alarm is told at a false-discovery rate that a quiet rest
of the week would take back. The newest event ends the last hour: whether it stays alone
is told with the next, or at the end.
"""

from dataclasses import replace

import numpy as np

from analysis.detectors.conformal import discoveries
from analysis.detectors.events import Events
from analysis.detectors.hours import DAY_NS, HOUR_NS, Hours, count_hours
from analysis.detectors.model import Detection, Detector, Float64, columns_of
from analysis.evaluate.watched.spans import joined_events
from analysis.evaluate.watched.verdicts import Verdict, check_rate, decided

_WEEK_NS = 7 * DAY_NS
_WEEK_HOURS = _WEEK_NS // HOUR_NS


class LiveWatch:
    """One detector that has learnt, over events that come one by one.

    n_late  events left out, as they are older than the week before the newest

    Raises RequestError for a rate that is not between 0 and 1.
    """

    def __init__(
        self, detector: Detector, detection: Detection, rate: float | None
    ) -> None:
        check_rate(rate)
        self._detector, self._detection, self._rate = detector, detection, rate
        self._kept: Events | None = None
        self._last: Verdict | None = None
        self._told: set[int] = set()
        self.n_late = 0

    def take(self, event: Events) -> Verdict | None:
        """Take one event; return the week before it, with the new alarms alone.

        Returns None where there is none.
        """
        at_ns = int(event.time_ns[0])
        changed_ns = at_ns
        kept = event
        if self._kept is not None:
            changed_ns = min(at_ns, int(self._kept.time_ns[-1]))
            kept = joined_events([self._kept, event])
        since_ns = int(kept.time_ns[-1]) - _WEEK_NS
        if at_ns < since_ns:
            self.n_late += 1
            return None
        now_ns = int(kept.time_ns[-1]) + 1
        self._kept = kept.between(since_ns, now_ns)
        return self._new(count_hours(self._kept, end_ns=now_ns), changed_ns)

    def finish(self) -> Verdict | None:
        """Return the last week with the alarms that its end alone brings, or None."""
        if self._kept is None:
            return None
        return self._new(count_hours(self._kept), int(self._kept.time_ns[-1]))

    def _new(self, hours: Hours, changed_ns: int) -> Verdict | None:
        """Return what was not told before; hours until then have not changed."""
        found = self._judge(hours, changed_ns)
        new = found.alarms.copy()
        for row in np.flatnonzero(new):
            hour = int(found.hours.start_ns[row]) // HOUR_NS
            new[row] = hour not in self._told
            self._told.add(hour)
        oldest_ns = int(hours.start_ns[0]) - DAY_NS
        self._told = {hour for hour in self._told if hour * HOUR_NS > oldest_ns}
        return replace(found, alarms=new) if new.any() else None

    def _judge(self, hours: Hours, changed_ns: int) -> Verdict:
        first = int(np.searchsorted(hours.start_ns, changed_ns, side="right")) - 1
        cells, scores = np.zeros(hours.counts.shape), np.zeros(len(hours))
        if self._last is None:
            first = 0
        else:
            self._recall(self._last, hours, cells, scores)
        cells[first:], scores[first:] = self._detection.judge(hours, first)
        found = decided(self._detector, self._detection, hours, (cells, scores), None)
        self._last = found
        if self._rate is None:
            return found
        n_to_come = max(0, _WEEK_HOURS - len(found.hours))
        p = np.concatenate((found.p, np.ones(n_to_come)))
        alarms = discoveries(p, self._rate)[: len(found.hours)]
        return replace(found, alarms=alarms & (found.hours.total > 0))

    def _recall(
        self, last: Verdict, hours: Hours, cells: Float64, scores: Float64
    ) -> None:
        """Fill in what was said of the same hours before."""
        _, old, new = np.intersect1d(
            last.hours.start_ns, hours.start_ns, assume_unique=True, return_indices=True
        )
        columns = columns_of(last.hours.names, hours.names)
        kept = columns >= 0
        cells[np.ix_(new, columns[kept])] = last.cells[np.ix_(old, kept)]
        scores[new] = last.scores[old]
