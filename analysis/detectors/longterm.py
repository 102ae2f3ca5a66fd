"""What follows what more often than it should: transitions counted over a day.

BehavIoT tests the share of a transition over some days with a normal approximation,
where there are enough of them. Here the binomial tail is exact, so that few are enough,
and the window is the day up to each event. It sees repetitions of what is usual.
"""

import numpy as np

from analysis.detectors.events import Name
from analysis.detectors.hours import DAY_NS, HOUR_NS, Hours
from analysis.detectors.model import (
    Detection,
    Detector,
    Float64,
    columns_of,
    strangest,
)
from analysis.features.model import Int64

_PRIOR = 0.5  # times that each transition is taken as seen
_LEAST = 1e-300


class LongTerm(Detection):
    """Surprise at how often one activity came after another within a day.

    Score of an event: -ln of the chance that, of the activities after those like its
    predecessor, as many or more are like itself. The score of a cell is that of its
    strangest event.
    """

    unit = 1.0
    reach_ns = DAY_NS + HOUR_NS

    def __init__(self, seed: int = 0) -> None:
        super().__init__(seed)
        self.names_: tuple[Name, ...] = ()
        self.shares_: Float64 = np.zeros((1, 1))

    def learn(self, hours: Hours) -> None:
        """Learn the share of each activity after each other."""
        self.names_ = hours.names
        size = len(self.names_) + 1  # the last one stands for whatever is new
        counts = np.full((size, size), _PRIOR)
        what = hours.events.what
        np.add.at(counts, (what[:-1], what[1:]), 1)
        self.shares_ = counts / counts.sum(axis=1, keepdims=True)

    def score(self, hours: Hours) -> Float64:
        """Return (h, a) float64, the strangest event of each cell."""
        from scipy.special import betainc

        columns = columns_of(hours.names, self.names_)
        columns[columns < 0] = len(self.names_)
        what = columns[hours.events.what]
        surprise = np.zeros(what.size)
        if what.size > 1:
            first, second = what[:-1], what[1:]
            time_ns = hours.events.time_ns[1:]
            n = _recent(first, time_ns)
            k = _recent(first * self.shares_.shape[0] + second, time_ns)
            chance = betainc(k, n - k + 1.0, self.shares_[first, second])
            surprise[1:] = -np.log(np.maximum(chance, _LEAST))
        return strangest(hours, np.maximum(surprise, 0.0))

    def explain(self, hours: Hours, row: int, column: int) -> str:
        """Say that it follows too often."""
        return "follows the activity before it more often in a day than usual"


def _recent(keys: Int64, time_ns: Int64) -> Float64:
    """Return (n,) how many of the same key there were in the day up to each."""
    found = np.zeros(keys.size)
    for key in np.unique(keys):
        mine = np.flatnonzero(keys == key)
        stamps = time_ns[mine]
        first = np.searchsorted(stamps, stamps - DAY_NS, side="right")
        found[mine] = np.arange(1, mine.size + 1) - first
    return found


DETECTORS = (Detector(name="longterm", title="long-term transitions", make=LongTerm),)
