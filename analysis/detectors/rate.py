"""How often each activity happens at an hour: Gamma-Poisson rates with heavy tails.

Each rate is learnt by activity, hour of day and kind of day (weekday, weekend). It is
drawn from a Gamma distribution around the rate of that hour on all days, which is drawn
around the share of the activity times the rate of the household at that hour; hours
lean on their neighbours. People have busy days: counts are told by a negative binomial
whose dispersion is learnt as well.
"""

from dataclasses import dataclass

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

_SMOOTH = ((-2, 0.05), (-1, 0.2), (0, 0.5), (1, 0.2), (2, 0.05))  # weights of hours
_TRUST_HOUR = 4.0  # days that the household's rhythm is worth beside an activity's own
_TRUST_KIND = 6.0  # days that all days are worth beside those of one kind
_UNSEEN = 0.5  # events of an activity that never happened in training
_FEWEST = 0.02  # events per hour that anybody may cause at any time
_SELDOM = 0.01  # events per hour below which people are told it never happens
_LEAST, _MOST = 0.3, 100.0  # shape of the distribution of busy hours
_HIGHEST = 500.0  # surprise beyond which numbers underflow


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Events per hour: by kind of day and hour of day, (2, 24); with its shape."""

    per_hour: Float64
    shape: float

    def surprise(self, hours: Hours, counts: np.ndarray) -> Float64:
        """Return (h,) -ln of the chance of as many events or more; 0 for none."""
        rate = self.per_hour[hours.weekend.astype(int), hours.hour]
        return tail(counts, rate, self.shape)


def tail(counts: np.ndarray, rate: Float64, shape: float) -> Float64:
    """Return -ln P(N >= counts) of a negative binomial of that mean; 0 for none."""
    from scipy.special import betainc

    found = np.zeros(counts.shape)
    there = counts > 0
    mean = rate[there]
    chance = betainc(counts[there], shape, mean / (shape + mean))
    found[there] = -np.log(np.maximum(chance, np.exp(-_HIGHEST)))
    return np.maximum(found, 0.0)


class Rate(Detection):
    """Surprise at how often things happen.

    Score of an activity: -ln of the chance that it happens as often or more at that
    hour, less ln of how many activities there are; or the same for the count of all
    events of the hour up to one of its own, or of the 60 minutes up to it, if that is
    more. Where more of those lie in the hour before, what that hour alone says is taken
    off: no hour inherits a burst. An hour is as strange as its strangest activity.
    """

    unit = 1.0
    reach_ns = 2 * HOUR_NS

    def __init__(self, seed: int = 0) -> None:
        super().__init__(seed)
        self.names_: tuple[Name, ...] = ()
        self.seen_ = np.zeros(0, dtype=bool)
        self.rates_: tuple[Rates, ...] = ()
        self.unseen_: Rates = Rates(per_hour=np.full((2, 24), 1e-3), shape=1.0)
        self.all_: Rates = self.unseen_

    def learn(self, hours: Hours) -> None:
        """Learn the rates of each activity, of unseen ones, and of all together."""
        rhythm = _rhythm(hours)
        n_events = max(1.0, float(hours.total.sum()))
        self.names_ = hours.names
        self.seen_ = hours.counts.sum(axis=0) > 0
        shares = hours.counts.sum(axis=0) / n_events
        found = [
            _rates(
                hours,
                hours.counts[:, i],
                np.maximum(share, _UNSEEN / n_events) * rhythm,
            )
            for i, share in enumerate(shares)
        ]
        shape = _shape(hours, found, hours.counts)
        self.rates_ = tuple(Rates(per_hour=r, shape=shape) for r in found)
        self.unseen_ = Rates(
            per_hour=_UNSEEN / n_events * rhythm[None].repeat(2, 0), shape=shape
        )
        both = _rates(hours, hours.total, rhythm) + _FEWEST
        self.all_ = Rates(
            per_hour=both, shape=_shape(hours, [both], hours.total[:, None])
        )

    def score(self, hours: Hours) -> Float64:
        """Return (h, a) float64; see the class."""
        scores = np.zeros(hours.counts.shape)
        for column, at in enumerate(columns_of(hours.names, self.names_)):
            rates = self.rates_[at] if at >= 0 else self.unseen_
            scores[:, column] = rates.surprise(hours, hours.counts[:, column])
        scores -= np.log(max(1, len(self.names_)))
        return np.maximum(
            np.maximum(scores, 0), strangest(hours, self._together(hours))
        )

    def explain(self, hours: Hours, row: int, column: int) -> str:
        """Say how often it happened, and how often is usual."""
        n, in_all = int(hours.counts[row, column]), int(hours.total[row])
        kind = int(hours.weekend[row])
        (at,) = columns_of((hours.names[column],), self.names_)
        if at < 0 or not self.seen_[at]:
            return "never seen before"
        rates = self.rates_[at]
        usual = rates.per_hour[kind, hours.hour[row]]
        both = self.all_.per_hour[kind, hours.hour[row]]
        day = ("weekdays", "weekends")[kind]
        return (
            f"{_times(n)} in this hour, usually {_often(usual)} at this time on {day}; "
            f"{in_all} activit{'y' if in_all == 1 else 'ies'} in all, "
            f"usually {_often(both)}"
        )

    def _together(self, hours: Hours) -> Float64:
        """Return (n,) surprise at how much happened up to each event; see the class."""
        time_ns = hours.events.time_ns
        seen = np.arange(1, time_ns.size + 1)
        began = np.searchsorted(time_ns, hours.start_ns[hours.row], side="left")
        first = np.searchsorted(time_ns, time_ns - HOUR_NS, side="right")
        first = np.minimum(first, began)
        kind, hour = hours.weekend.astype(int)[hours.row], hours.hour[hours.row]
        part = hours.local_ns % HOUR_NS / HOUR_NS
        rate = self.all_.per_hour[kind, hour]
        before = (1 - part) * self.all_.per_hour[kind, (hour - 1) % 24]
        shape = self.all_.shape
        own = tail(seen - began, rate, shape)
        both = tail(seen - first, part * rate + before, shape)
        inherited = tail(began - first, before, shape)
        is_mine = 2 * (seen - began) >= seen - first
        return np.maximum(own, np.where(is_mine, both, both - inherited))


def _times(n: int) -> str:
    return "once" if n == 1 else f"{n} times"


def _often(rate: float) -> str:
    return "never" if rate < _SELDOM else f"{rate:.2g}"


def _rhythm(hours: Hours) -> Float64:
    """Return (24,) events per hour of the household, smoothed."""
    events = np.bincount(hours.hour, hours.total, minlength=24).astype(np.float64)
    n_hours = np.bincount(hours.hour, minlength=24).astype(np.float64)
    rate: Float64 = (_smooth(events) + 0.1) / (_smooth(n_hours) + 1.0)
    return rate


def _smooth(by_hour: Float64) -> Float64:
    smooth = np.zeros(24)
    for step, weight in _SMOOTH:
        smooth += weight * np.roll(by_hour, step)
    return smooth


def _rates(hours: Hours, counts: np.ndarray, prior: Float64) -> Float64:
    """Return (2, 24) events per hour on weekdays and on weekends."""
    kind = hours.weekend.astype(int)
    n = np.zeros((2, 24))
    d = np.zeros((2, 24))
    np.add.at(n, (kind, hours.hour), counts)
    np.add.at(d, (kind, hours.hour), 1)
    n, d = np.array([_smooth(r) for r in n]), np.array([_smooth(r) for r in d])
    whole = (_TRUST_HOUR * prior + n.sum(axis=0)) / (_TRUST_HOUR + d.sum(axis=0))
    rates: Float64 = (_TRUST_KIND * whole + n) / (_TRUST_KIND + d)
    return rates


def _shape(hours: Hours, rates: list[Float64], counts: np.ndarray) -> float:
    """Return the shape of a negative binomial, by moments over all hours."""
    kind = hours.weekend.astype(int)
    mean = np.column_stack([r[kind, hours.hour] for r in rates])
    excess = float(((counts - mean) ** 2 - counts).sum())
    if excess <= 0:
        return _MOST
    return float(np.clip((mean**2).sum() / excess, _LEAST, _MOST))


DETECTORS = (Detector(name="rate", title="rate", make=Rate),)
