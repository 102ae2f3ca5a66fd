"""The same again: a run of events with the very gaps that an earlier run had.

People repeat what they do, but not to the second. Every pair of events of one activity
has a distance in time; where several pairs near each other share it, to a second, an
earlier trace was done once more.
"""

import numpy as np

from analysis.detectors.events import Name
from analysis.detectors.hours import HOUR_NS, Hours
from analysis.detectors.model import (
    Detection,
    Detector,
    Float64,
    columns_of,
    strangest,
)
from analysis.detectors.typical import TYPICAL
from analysis.features.model import Int64

_SAME_NS = 1_000_000_000  # distances that differ less are the same
_TOGETHER_NS = 6 * HOUR_NS  # events of one trace are no farther apart
_BEFORE_NS = 12 * HOUR_NS  # a trace that is repeated is at least that old
_MOST_CELLS = 2_000_000  # pairs of one activity; of very many events the latest ones
_FEWEST_BEFORE = 50
_MOST_PAIRS = 15  # pairs of one distance that are looked at for each pair


class Replay(Detection):
    """How many events near an event repeat an earlier trace together with it.

    Score of an event: how many others of the six hours before it are as far from an
    earlier event of their own activity as this one is from one of its own. Earlier
    events are those of training, and those that are scored; nothing after the event
    counts. The score of a cell is that of its strangest event.
    """

    typical = TYPICAL.get("replay")

    def __init__(self, seed: int = 0) -> None:
        super().__init__(seed)
        self.names_: tuple[Name, ...] = ()
        self.time_ns_: Int64 = np.zeros(0, dtype=np.int64)
        self.what_: Int64 = np.zeros(0, dtype=np.int64)

    def learn(self, hours: Hours) -> None:
        """Keep the events."""
        self.names_ = hours.names
        self.time_ns_, self.what_ = hours.events.time_ns, hours.events.what

    def score(self, hours: Hours) -> Float64:
        """Return (h, a) float64, the strangest event of each cell."""
        new = hours.events.time_ns
        what = columns_of(hours.names, self.names_)[hours.events.what]
        # what was learnt may be among what is scored: it counts once
        other = ~np.isin(self.time_ns_, new)
        old_ns = np.concatenate((self.time_ns_[other], new))
        old_what = np.concatenate((self.what_[other], what))
        event, apart = _pairs(new, what, (old_ns, old_what))
        found = np.zeros(new.size)
        np.maximum.at(found, event, _shared(new[event], apart))
        return strangest(hours, found)

    def explain(self, hours: Hours, row: int, column: int) -> str:
        """Say that it repeats something."""
        n = int(self.score(hours)[row, column])
        return f"with {n} other activities, repeats an earlier trace to the second"


def _pairs(new: Int64, what: Int64, old: tuple[Int64, Int64]) -> tuple[Int64, Int64]:
    """Return (new event, distance) of all pairs of one activity, by distance."""
    events, apart = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    for each in np.unique(what[what >= 0]):
        mine = np.flatnonzero(what == each)
        before = np.sort(old[0][old[1] == each])
        n_before = np.searchsorted(before, new[mine] - _BEFORE_NS, side="left")
        most = min(before.size, max(_FEWEST_BEFORE, _MOST_CELLS // mine.size))
        at = n_before[:, None] - 1 - np.arange(most)[None, :]
        row, column = np.nonzero(at >= 0)
        events.append(mine[row])
        apart.append(new[mine][row] - before[at[row, column]])
    event, distance = np.concatenate(events), np.concatenate(apart)
    order = np.argsort(distance, kind="stable")
    return event[order], distance[order]


def _shared(time_ns: Int64, apart: Int64) -> Float64:
    """Return for each pair how many shortly before it in time share its distance."""
    n_shared = np.zeros(apart.size)
    for step in range(1, min(_MOST_PAIRS, apart.size)):
        gap = time_ns[step:] - time_ns[:-step]
        same = (apart[step:] - apart[:-step] < _SAME_NS) & (np.abs(gap) < _TOGETHER_NS)
        n_shared[:-step] += same & (gap < 0)
        n_shared[step:] += same & (gap > 0)
    return n_shared


DETECTORS = (Detector(name="replay", title="replay", make=Replay),)
