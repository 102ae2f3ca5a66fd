"""Whether each single event has its usual time of day, and its usual company.

A lamp that is always switched off with four other things is strange alone; a camera
that is looked at by day is strange at breakfast. How rare the activity is plays no
part: an intruder may choose among all that he has seen.
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
from analysis.detectors.sequence import NEAR_NS
from analysis.features.model import Int64

_BINS = 96  # of a day
_WIDTH = 2.4  # standard deviation of a time of day, in bins
_TRUST = 5.0  # events that the household's rhythm is worth beside the activity's own
_ANY_TIME = 0.03  # share of events that may happen at any time


class Context(Detection):
    """Surprise at time of day and company of single events.

    Score of an event: ln of how much likelier its time of day is for the household than
    for its activity, and where it is alone, -ln of the share of such events that are;
    no less than 0. Alone is what has no other event within 100 s; an event of the last
    100 s of an hour is not scored as alone, as that shows when the hour is over only.
    Activities that never happened in training get 0. The score of a cell is that of its
    strangest event.
    """

    unit = 1.0

    def __init__(self, seed: int = 0) -> None:
        super().__init__(seed)
        self.names_: tuple[Name, ...] = ()
        self.likelier_: Float64 = np.zeros((_BINS, 0))
        self.alone_: Float64 = np.zeros((_BINS, 0))

    def learn(self, hours: Hours) -> None:
        """Learn time of day and company of each activity."""
        self.names_ = hours.names
        what = hours.events.what
        one = np.zeros((what.size, len(self.names_)))
        one[np.arange(what.size), what] = 1
        kernel = _kernel()[:, _bins(hours)]
        mass = kernel @ one
        alone = kernel @ (one * alone_of(hours.events.time_ns)[:, None])
        n_events = one.sum(axis=0)
        own = mass / np.maximum(mass.sum(axis=0), 1e-12)
        house = mass.sum(axis=1, keepdims=True) / max(mass.sum(), 1e-12)
        mixed = (own * n_events + _TRUST * house) / (n_events + _TRUST)
        any_time = _ANY_TIME / _BINS
        usual = (1 - _ANY_TIME) * np.stack((np.broadcast_to(house, own.shape), mixed))
        self.likelier_ = np.log((usual[0] + any_time) / (usual[1] + any_time))
        self.alone_ = -np.log((alone + 1.0) / (mass + 1.5))
        self.likelier_[:, n_events == 0] = 0
        self.alone_[:, n_events == 0] = 0

    def score(self, hours: Hours) -> Float64:
        """Return (h, a) float64, the strangest event of each cell."""
        what = columns_of(hours.names, self.names_)[hours.events.what]
        known = what >= 0
        surprise = np.zeros(what.size)
        at = _bins(hours)[known], what[known]
        lonely = _surely_alone(hours)[known]
        surprise[known] = self.likelier_[at] + lonely * self.alone_[at]
        return strangest(hours, np.maximum(surprise, 0.0))

    def explain(self, hours: Hours, row: int, column: int) -> str:
        """Say whether it is the time of day, or the company."""
        (at,) = columns_of((hours.names[column],), self.names_)
        mine = (hours.row == row) & (hours.events.what == column)
        if at < 0 or not mine.any():
            return "unusual at this time of day"
        at_bin = int(_bins(hours)[mine][0])
        if self.likelier_[at_bin, at] >= self.alone_[at_bin, at]:
            return "unusual at this time of day"
        return "alone, although it usually comes with other activities"


def _kernel() -> Float64:
    bins = np.arange(_BINS)
    apart = np.abs(bins[:, None] - bins[None, :])
    apart = np.minimum(apart, _BINS - apart)
    kernel: Float64 = np.exp(-((apart / _WIDTH) ** 2) / 2)
    return kernel


def _bins(hours: Hours) -> Int64:
    return np.asarray(hours.local_ns * _BINS // DAY_NS, dtype=np.int64)


def alone_of(time_ns: Int64) -> np.ndarray:
    """Return (n,) bool: no other event is near; stamps in order."""
    near = np.zeros(time_ns.size + 1, dtype=bool)
    near[1:-1] = np.diff(time_ns) < NEAR_NS
    return ~(near[1:] | near[:-1])


def _surely_alone(hours: Hours) -> np.ndarray:
    """Return (n,) bool: alone, as can be told when the hour is over."""
    time_ns = hours.events.time_ns
    return alone_of(time_ns) & (hours.end_ns[hours.row] - time_ns >= NEAR_NS)


DETECTORS = (Detector(name="context", title="time and company", make=Context),)
