"""Precision and recall of hours, and of attacks at a number of false alarms a week."""

from dataclasses import dataclass

import numpy as np

from analysis.evaluate.scores.intervals import never_narrower
from analysis.features.model import Float64, Int64

WEEK_HOURS = 168

Bools = np.ndarray


@dataclass(frozen=True, slots=True, kw_only=True)
class Episodes:
    """Attacks by the hours in which they act; one row for each such hour.

    trial    (k,) int64, which stretch of hours
    episode  (k,) int64, which attack of that stretch
    row      (k,) int64, the hour
    late_s   (k,) float64, from the first act of the attack to the end of that hour
    """

    trial: Int64
    episode: Int64
    row: Int64
    late_s: Float64

    def found(self, alarms: Bools) -> tuple[Int64, Bools, Float64]:
        """Return trial, whether it is noticed, and delay in seconds of each attack.

        The delay is infinite where it is not noticed: an hour's alarm comes when the
        hour is over.

        alarms  (trials, hours) bool
        """
        key = self.trial * (int(self.episode.max(initial=0)) + 1) + self.episode
        names, of_key = np.unique(key, return_inverse=True)
        rung = alarms[self.trial, self.row]
        delay = np.full(names.size, np.inf)
        np.minimum.at(delay, of_key, np.where(rung, self.late_s, np.inf))
        trial = np.zeros(names.size, dtype=np.int64)
        trial[of_key] = self.trial
        return trial, np.isfinite(delay), delay


def average_precision(truth: Bools, scores: Float64) -> float:
    """Return the area under precision over recall, in steps; NaN without a positive.

    Hours of one score are taken together, as scikit-learn does.
    """
    if not truth.any():
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    ordered, hits = scores[order], np.cumsum(truth[order])
    last = np.append(np.flatnonzero(np.diff(ordered)), ordered.size - 1)
    precision = hits[last] / (last + 1)
    gained = np.diff(hits[last], prepend=0)
    return float((precision * gained).sum() / hits[-1])


def threshold_at(truth: Bools, scores: Float64, false_per_week: float = 1.0) -> float:
    """Return the lowest threshold that benign hours exceed no more often than that.

    truth, scores  (trials, hours)
    """
    benign = np.sort(scores[~truth])[::-1]
    allowed = int(false_per_week * scores.size / WEEK_HOURS)
    return float(benign[min(allowed, benign.size - 1)]) if benign.size else 0.0


def false_alarms_per_week(truth: Bools, alarms: Bools) -> float:
    """Return alarms on benign hours for each week watched; (trials, hours)."""
    return float((alarms & ~truth).sum() * WEEK_HOURS / max(1, alarms.size))


def interval(values: Float64, group: Int64, seed: int = 0) -> tuple[float, float]:
    """Return the 95 % interval of a mean by a bootstrap over whole groups.

    Of shares (values 0 and 1) it reaches no less far than Wilson's over as many values:
    a bootstrap of values that are all alike would claim to be certain.

    values  (n,) NaN is left out;  group  (n,) int64, whose each value is
    """
    kept = np.isfinite(values)
    sums = np.bincount(group[kept], values[kept])
    counts = np.bincount(group[kept])
    sums, counts = sums[counts > 0], counts[counts > 0]
    if sums.size < 2:
        return float("nan"), float("nan")
    random = np.random.default_rng(seed)
    drawn = random.integers(sums.size, size=(5000, sums.size))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    if ((values[kept] == 0) | (values[kept] == 1)).all():
        share = float(sums.sum() / counts.sum())
        found = never_narrower(means, share, int(counts.sum()))
        return found.low, found.high
    return float(low), float(high)


def carried(truth: Bools, scores: Float64, half: Bools) -> tuple[Bools, Float64]:
    """Return alarms of each half at the threshold of the other, and both thresholds.

    That threshold is the one of one false alarm a week, on the half that is not asked.

    truth, scores  (trials, hours);  half  (trials,) bool
    """
    alarms = np.zeros(scores.shape, dtype=bool)
    limits = np.zeros(2)
    for i, asked in enumerate((half, ~half)):
        limits[i] = threshold_at(truth[~asked], scores[~asked])
        alarms[asked] = scores[asked] > limits[i]
    return alarms, limits


def each_households(truth: Bools, alarms: Bools, group: Int64) -> Float64:
    """Return (groups,) false alarms for each week watched of each household."""
    false = np.bincount(group, (alarms & ~truth).sum(axis=1))
    weeks = np.bincount(group) * alarms.shape[1] / WEEK_HOURS
    per_week: Float64 = false / weeks
    return per_week
