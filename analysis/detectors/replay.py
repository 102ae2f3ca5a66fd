"""The same again: a run of events with the very gaps that an earlier run had.

People repeat what they do, but not to the second. Every pair of events of one activity
has a distance in time; where several pairs near each other share it, to a second, an
earlier trace was done once more.
"""

import numpy as np

from analysis.detectors.events import Events, Name
from analysis.detectors.hours import DAY_NS, HOUR_NS, Hours
from analysis.detectors.model import (
    Detection,
    Detector,
    Float64,
    columns_of,
    day_folds,
    strangest,
)
from analysis.features.model import Int64

_SAME_NS = 1_000_000_000  # distances that differ less are the same
_TOGETHER_NS = 6 * HOUR_NS  # events of one trace are no farther apart
_BEFORE_NS = 12 * HOUR_NS  # a trace that is repeated is at least that old
_WEEK_HOURS = 168
_MOST_PAIRS = 2_000_000  # in a week like those learnt from; of many the latest ones
_FEWEST_BEFORE = 50
_USUAL = 0.1  # others that share a distance, as people have routines
_LEAST = 1e-300
_MOST_NEAR = 15  # pairs of one distance that are looked at for each pair


class Replay(Detection):
    """Surprise at how many events near an event repeat an earlier trace with it.

    Score of an event: -ln of the chance that as many others, of the six hours before
    it, are as far from an earlier event of their own activity as it is from one of its
    own. By chance others are so as often as their activities happen, for each earlier
    event of its own; people have routines, so that a tenth of one comes to that.
    Earlier events are those of training, and those that are scored; nothing after the
    event counts. The score of a cell is that of its strangest event.
    """

    unit = 1.0

    def __init__(self, seed: int = 0) -> None:
        super().__init__(seed)
        self.names_: tuple[Name, ...] = ()
        self.time_ns_: Int64 = np.zeros(0, dtype=np.int64)
        self.what_: Int64 = np.zeros(0, dtype=np.int64)
        self.per_s_: Float64 = np.zeros(0)  # how often each activity happens
        self.most_ = _FEWEST_BEFORE

    def learn(self, hours: Hours) -> None:
        """Keep the events, and how often each activity happens."""
        self.names_ = hours.names
        self.time_ns_, self.what_ = hours.events.time_ns, hours.events.what
        self.per_s_ = hours.counts.sum(axis=0) / max(1, 3600 * len(hours))
        in_a_week = _WEEK_HOURS * len(hours.events) / max(1, len(hours))
        self.most_ = max(_FEWEST_BEFORE, int(_MOST_PAIRS / max(1.0, in_a_week)))

    def _held_out(self, hours: Hours) -> Float64:
        """Return scores of days left out, to which the others are the days before.

        What comes after a stretch of days is taken for its past, as if the weeks went
        round: so each stretch has as long a past as days to come have.
        """
        folds = day_folds(hours, self.n_folds)
        scores = np.zeros(len(hours))
        if folds.max(initial=0) == 0:
            return np.zeros(0)
        span_ns = int(np.unique(hours.day).size) * DAY_NS
        other = type(self)(self.seed)
        for fold in range(int(folds.max()) + 1):
            out = folds == fold
            rest = hours.take(~out)
            other.learn(rest)
            later = rest.events.time_ns > hours.start_ns[out][0]
            stamps = rest.events.time_ns - later * span_ns
            order = np.argsort(stamps, kind="stable")
            other.time_ns_, other.what_ = stamps[order], rest.events.what[order]
            scores[out] = other.hour_scores(hours.take(out))
        return scores

    def score(self, hours: Hours) -> Float64:
        """Return (h, a) float64, the strangest event of each cell."""
        return self._scored(hours, hours.events)

    def latest(self, hours: Hours, first: int) -> Float64:
        """Return (h - first, a): `score` of the rows from `first` on."""
        if not 0 < first < len(hours):
            return super().latest(hours, first)
        near = hours.start_ns >= hours.start_ns[first] - _TOGETHER_NS - HOUR_NS
        return self._scored(hours.take(near), hours.events)[first - len(hours) :]

    def _scored(self, hours: Hours, known: Events) -> Float64:
        """Return the scores of hours that are the last of what is known."""
        from scipy.special import gammainc

        n_shared, n_before, expected = self._found(hours, known)
        there = n_shared > 0
        usual = _USUAL + expected[there] * n_before[there]
        surprise = np.zeros(n_shared.size)
        surprise[there] = -np.log(np.maximum(gammainc(n_shared[there], usual), _LEAST))
        return strangest(hours, np.maximum(surprise, 0.0))

    def _found(self, hours: Hours, known: Events) -> tuple[Float64, Int64, Float64]:
        """Return of each event what its score is made of.

        That is how many others share a distance with it, to how many earlier events it
        has one, and how many would share any one of them by chance.
        """
        new = hours.events.time_ns
        what = columns_of(hours.names, self.names_)[hours.events.what]
        # what was learnt may be among what is scored: it counts once
        other = ~np.isin(self.time_ns_, known.time_ns)
        old_ns = np.concatenate((self.time_ns_[other], known.time_ns))
        of_known = columns_of(known.names, self.names_)[known.what]
        old_what = np.concatenate((self.what_[other], of_known))
        event, apart = self._pairs(new, what, (old_ns, old_what))
        found = np.zeros(new.size)
        np.maximum.at(found, event, _shared(new[event], apart))
        per_s = np.append(self.per_s_, 0.0)[what] * 2 * _SAME_NS / 1e9
        so_far = np.concatenate(([0.0], np.cumsum(per_s)))
        first = np.searchsorted(new, new - _TOGETHER_NS, side="right")
        expected = so_far[:-1] - so_far[first]
        n_before = np.bincount(event, minlength=new.size)
        return found, n_before, expected

    def explain(self, hours: Hours, row: int, column: int) -> str:
        """Say that it repeats something."""
        mine = (hours.row == row) & (hours.events.what == column)
        n = int(self._found(hours, hours.events)[0][mine].max(initial=0))
        others = f"{n} other activit{'y' if n == 1 else 'ies'} of the six hours before"
        return f"{others} came, to a second, as long after earlier ones of their kind"

    def _pairs(
        self, new: Int64, what: Int64, old: tuple[Int64, Int64]
    ) -> tuple[Int64, Int64]:
        """Return (new event, distance) of all pairs of one activity, by distance."""
        events, apart = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
        for each in np.unique(what[what >= 0]):
            mine = np.flatnonzero(what == each)
            before = np.sort(old[0][old[1] == each])
            end = np.searchsorted(before, new[mine] - _BEFORE_NS, side="left")
            n = np.minimum(end, self.most_)
            event = np.repeat(mine, n)
            step = np.arange(event.size) - np.repeat(np.cumsum(n) - n, n)
            events.append(event)
            apart.append(new[event] - before[np.repeat(end, n) - 1 - step])
        event, distance = np.concatenate(events), np.concatenate(apart)
        order = np.argsort(distance, kind="stable")
        return event[order], distance[order]


def _shared(time_ns: Int64, apart: Int64) -> Float64:
    """Return for each pair how many shortly before it in time share its distance."""
    n_shared = np.zeros(apart.size)
    for step in range(1, min(_MOST_NEAR, apart.size)):
        gap = time_ns[step:] - time_ns[:-step]
        same = (apart[step:] - apart[:-step] < _SAME_NS) & (np.abs(gap) < _TOGETHER_NS)
        n_shared[:-step] += same & (gap < 0)
        n_shared[step:] += same & (gap > 0)
    return n_shared


DETECTORS = (Detector(name="replay", title="replay", make=Replay),)
