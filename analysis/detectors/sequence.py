"""What follows what: activities that come right after each other, and in which order.

People who leave the house do some things within a minute or two, and mostly in the same
order. Each pair of neighbours tells how much likelier it is the other way round; what a
run of neighbours tells adds up.
"""

import numpy as np

from analysis.detectors.events import Name
from analysis.detectors.hours import DAY_NS, Hours
from analysis.detectors.model import (
    Detection,
    Detector,
    Float64,
    columns_of,
    strangest,
)
from analysis.features.model import Int64

NEAR_NS = 100 * 10**9  # events that are no farther apart are neighbours
_PRIOR = 1.0  # pairs that are taken as seen in either order
_PARTS = 24  # of a day, whose orders are learnt apart
_NEIGHBOURS = ((-1, 0.5), (0, 1.0), (1, 0.5))  # parts, and how much they tell
_ANY_TIME = 0.1  # how much a pair at any other time of day tells
_FARTHEST = 9  # how many events of a run later an event may come to make a pair


class Sequence(Detection):
    """Surprise at what comes before what.

    A run is a row of events of which each is near the next. Score of an event: over all
    pairs of its run up to it, the sum of ln of how much likelier the pair is the other
    way round at that time of day, no less than 0; of an activity that never happened
    in training, as if it happened once in as many times its events. The score of a cell
    is that of its strangest event.
    """

    def __init__(self, seed: int = 0) -> None:
        super().__init__(seed)
        self.names_: tuple[Name, ...] = ()
        self.pairs_: Float64 = np.zeros((_PARTS, 0, 0))
        self.seen_ = np.zeros(0, dtype=bool)
        self.unseen_ = 0.0

    def learn(self, hours: Hours) -> None:
        """Count how often each activity comes before each other in a run."""
        self.names_ = hours.names
        n_names = len(self.names_)
        found = np.zeros((_PARTS, n_names, n_names))
        what, part = hours.events.what, _parts(hours)
        run = runs(hours.events.time_ns)
        for step in range(1, min(_FARTHEST, what.size)):
            same = run[step:] == run[:-step]
            pair = part[step:][same], what[:-step][same], what[step:][same]
            np.add.at(found, pair, 1)
        self.pairs_ = _ANY_TIME * found.sum(axis=0) + np.zeros((_PARTS, 1, 1))
        for shift, weight in _NEIGHBOURS:
            self.pairs_ += weight * np.roll(found, shift, axis=0)
        self.seen_ = np.bincount(what, minlength=n_names) > 0
        self.unseen_ = 2 * float(np.log(len(what) + 2))

    def score(self, hours: Hours) -> Float64:
        """Return (h, a) float64, the strangest event of each cell."""
        what = columns_of(hours.names, self.names_)[hours.events.what]
        known = what >= 0
        known[known] = self.seen_[what[known]]
        part, run = _parts(hours), runs(hours.events.time_ns)
        tells = np.zeros(what.size)
        for step in range(1, min(_FARTHEST, what.size)):
            both = (run[step:] == run[:-step]) & known[step:] & known[:-step]
            at, first, second = part[step:][both], what[:-step][both], what[step:][both]
            backwards = self.pairs_[at, second, first] + _PRIOR
            forwards = self.pairs_[at, first, second] + _PRIOR
            tells[step:][both] += np.log(backwards / forwards)
        surprise = np.maximum(_sums(tells, run), 0.0)
        surprise[~known] += self.unseen_
        return strangest(hours, surprise)

    def explain(self, hours: Hours, row: int, column: int) -> str:
        """Say whether the activity is new, or its order."""
        (at,) = columns_of((hours.names[column],), self.names_)
        if at < 0 or not self.seen_[at]:
            return "never seen before"
        return "comes with the activities around it in an unusual order"


def runs(time_ns: Int64) -> Int64:
    """Return (n,) int64, the number of the run of each event; stamps in order."""
    new = np.diff(time_ns, prepend=time_ns[:1]) >= NEAR_NS
    return np.cumsum(new).astype(np.int64)


def _parts(hours: Hours) -> Int64:
    return np.asarray(hours.local_ns * _PARTS // DAY_NS, dtype=np.int64)


def _sums(values: Float64, run: Int64) -> Float64:
    """Return (n,) sums of the values of a run up to each event."""
    sums = np.cumsum(values)
    first = np.searchsorted(run, run, side="left")
    found: Float64 = sums - (sums - values)[first]
    return found


DETECTORS = (Detector(name="sequence", title="sequence", make=Sequence),)
