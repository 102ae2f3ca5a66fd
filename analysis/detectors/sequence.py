"""What follows what: activities that come right after each other, and in which order.

People who leave the house do some things within a minute or two, and mostly in the same
order. Several people have several orders: a run of activities is compared with each run
that was learnt from, and is usual where it is like any of them.
"""

import itertools

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
from analysis.features.model import Int64

NEAR_NS = 100 * 10**9  # events that are no farther apart are neighbours
_FARTHEST = 9  # how many events of a run later an event may come to make a pair
_PRIOR = 0.3  # pairs that a run is taken to have had in either order
_WIDTH = 0.75  # standard deviation of a time of day, in hours
_ANY_TIME = 0.05  # how much a run at any other time of day tells
_NEW = 0.5  # how much a new activity tells beside a new order
_NO_ORDER = 0.5  # runs of no order at all, beside those that were learnt


class Sequence(Detection):
    """Surprise at what comes before what.

    A run is a row of events of which each is near the next. Score of an event: ln of
    how much likelier the run up to it would be the other way round, no less than 0. How
    likely is the mean over runs of about that time of day: the product over pairs of
    the share of such pairs that have this order there. Of activities that never
    happened in training, for each time within an hour: half of -ln of the share of
    training events whose activity happened once (Good and Turing's chance of a new
    one). The score of a cell is that of its strangest event.
    """

    unit = 1.0

    def __init__(self, seed: int = 0) -> None:
        super().__init__(seed)
        self.names_: tuple[Name, ...] = ()
        self.orders_: Float64 = np.zeros((0, 0, 0))  # of each run, ln of odds by pair
        self.hour_: Float64 = np.zeros(0)  # when each of them began
        self.seen_ = np.zeros(0, dtype=bool)
        self.unseen_ = 0.0

    def learn(self, hours: Hours) -> None:
        """Count how often each activity comes before each other in each run."""
        self.names_ = hours.names
        n_names = len(self.names_)
        what = hours.events.what
        run = runs(hours.events.time_ns)
        several = np.flatnonzero(np.bincount(run) > 1)
        found = np.zeros((several.size, n_names, n_names))
        for step in range(1, min(_FARTHEST, what.size)):
            same = run[step:] == run[:-step]
            number = np.searchsorted(several, run[step:][same])
            np.add.at(found, (number, what[:-step][same], what[step:][same]), 1)
        either = (found + found.transpose(0, 2, 1)) / 2 + _PRIOR
        self.orders_ = np.log((found + _PRIOR) / either)
        self.hour_ = _hour_of(hours)[np.searchsorted(run, several)]
        self.seen_ = np.bincount(what, minlength=n_names) > 0
        once = (np.bincount(what, minlength=n_names) == 1).sum()
        self.unseen_ = -_NEW * float(np.log((once + 1) / (what.size + 2)))

    def score(self, hours: Hours) -> Float64:
        """Return (h, a) float64, the strangest event of each cell."""
        what = columns_of(hours.names, self.names_)[hours.events.what]
        known = what >= 0
        known[known] = self.seen_[what[known]]
        run, hour = runs(hours.events.time_ns)[known], _hour_of(hours)[known]
        found = np.zeros(run.size)
        first = np.flatnonzero(np.diff(run, prepend=-1, append=-1))
        for start, end in itertools.pairwise(first):
            if end - start > 1:
                found[start:end] = self._backwards(what[known][start:end], hour[start])
        surprise = np.zeros(what.size)
        surprise[known] = np.maximum(found, 0.0)
        surprise[~known] = self.unseen_ * _lately(hours.events.time_ns[~known])
        return strangest(hours, surprise)

    def latest(self, hours: Hours, first: int) -> Float64:
        """Return (h - first, a): `score` of the rows from `first` on."""
        if not 0 < first < len(hours):
            return super().latest(hours, first)
        since_ns = int(hours.start_ns[first])
        run = runs(hours.events.time_ns)
        at = int(np.searchsorted(hours.events.time_ns, since_ns))
        if at < run.size:
            begun = hours.events.time_ns[np.searchsorted(run, run[at])]
            since_ns = min(since_ns, int(begun))
        near = hours.end_ns > since_ns - self.reach_ns
        return self.score(hours.take(near))[first - len(hours) :]

    def explain(self, hours: Hours, row: int, column: int) -> str:
        """Say whether the activity is new, or its order."""
        (at,) = columns_of((hours.names[column],), self.names_)
        if at < 0 or not self.seen_[at]:
            return "never seen before"
        return "comes with the activities around it in an unusual order"

    def _backwards(self, what: Int64, hour: float) -> Float64:
        """Return (n,) ln of how much likelier a run up to each is backwards."""
        apart = np.abs(self.hour_ - hour)
        apart = np.minimum(apart, 24 - apart)
        weight = np.exp(-((apart / _WIDTH) ** 2) / 2) + _ANY_TIME
        start = np.log(np.append(weight, _NO_ORDER))
        tells = np.zeros((2, start.size, what.size))
        for at in range(1, what.size):
            before, now = what[max(0, at - _FARTHEST + 1) : at], what[at]
            tells[0, :-1, at] = self.orders_[:, before, now].sum(axis=1)
            tells[1, :-1, at] = self.orders_[:, now, before].sum(axis=1)
        likely = start[:, None] + np.cumsum(tells, axis=2)
        forwards, backwards = np.logaddexp.reduce(likely, axis=1)
        found: Float64 = backwards - forwards
        return found


def runs(time_ns: Int64) -> Int64:
    """Return (n,) int64, the number of the run of each event; stamps in order."""
    new = np.diff(time_ns, prepend=time_ns[:1]) >= NEAR_NS
    return np.cumsum(new).astype(np.int64)


def _hour_of(hours: Hours) -> Float64:
    """Return (n,) time of day of each event in hours."""
    hour: Float64 = hours.local_ns / HOUR_NS
    return hour


def _lately(time_ns: Int64) -> Int64:
    """Return (n,) how many stamps, in order, lie in the hour up to each."""
    first = np.searchsorted(time_ns, time_ns - HOUR_NS, side="right")
    return np.arange(1, time_ns.size + 1) - first


DETECTORS = (Detector(name="sequence", title="sequence", make=Sequence),)
