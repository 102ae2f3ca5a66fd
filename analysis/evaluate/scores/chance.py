"""What chance gives: the accuracy on labels that were shuffled, and its interval."""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from analysis.evaluate.samples import Samples, Strings
from analysis.evaluate.scores.intervals import Interval, wilson
from analysis.evaluate.splits.folds import Fold, Split
from analysis.features.model import Int64

LEVEL = 0.999  # of the chance interval: one sound score of a thousand lies outside
_MOST_TESTED = 1000  # rows of a null; its interval says how far it may lie off
_MOST_LEARNT = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Null:
    """How a classifier fares on labels that were shuffled within sessions.

    accuracy  on the shuffled labels;  n  trials that were tested
    interval  where it lies by chance alone, in 999 of 1,000 cases
    """

    accuracy: float
    interval: Interval
    n: int

    @property
    def by_chance(self) -> bool:
        """Say whether the accuracy lies where chance puts it."""
        return self.interval.low <= self.accuracy <= self.interval.high


def null_labels(samples: Samples, split: Split, seed: int) -> Strings:
    """Return the labels of all rows, those that the split uses shuffled in sessions."""
    used, labels = used_rows(split), samples.activity.copy()
    labels[used] = shuffled_within(labels[used], samples.session[used], seed)
    return labels


def used_rows(split: Split) -> Int64:
    """Return the rows that some fold uses, each once."""
    parts = [part for f in split.folds for part in (f.train, f.test, f.unknown)]
    return np.unique(np.concatenate(parts))


def null_folds(split: Split, seed: int) -> tuple[Fold, ...]:
    """Return the folds that a null is learnt in: as few as give rows enough."""
    rng = np.random.default_rng(seed)
    folds: list[Fold] = []
    for fold in split.folds:
        if sum(f.test.size for f in folds) >= _MOST_TESTED:
            break
        train = fold.train
        if train.size > _MOST_LEARNT:
            train = np.sort(rng.choice(train, _MOST_LEARNT, replace=False))
        folds.append(Fold(train=train, test=fold.test))
    return tuple(folds)


def null_of(
    samples: Samples, folds: tuple[Fold, ...], labels: Strings, said: Strings
) -> Null:
    """Score answers that were learnt from shuffled labels, and say what to expect.

    labels  of all rows, shuffled;  said  answers to the test rows, fold after fold
    """
    test = np.concatenate([fold.test for fold in folds])
    session = np.unique(samples.session[test], return_inverse=True)[1]
    number = np.repeat(np.arange(len(folds)), [fold.test.size for fold in folds])
    stratum = session * len(folds) + number
    return Null(
        accuracy=float((labels[test] == said).mean()),
        interval=matched_by_chance(labels[test], said, stratum),
        n=int(test.size),
    )


def matched_by_chance(truth: Strings, said: Strings, stratum: Int64) -> Interval:
    """Return where the share of matches lies when `truth` is shuffled in each stratum.

    Mean and variance are exact (Hoeffding 1951: a sum over a random permutation); the
    interval is normal, and no narrower than Wilson's, which minds how skew rare ones
    are.
    """
    names, codes = np.unique(np.concatenate((truth, said)), return_inverse=True)
    true, answer = codes[: truth.size], codes[truth.size :]
    mean = variance = 0.0
    for each in np.unique(stratum):
        here = stratum == each
        one = _matches(true[here], answer[here], names.size)
        mean += one[0]
        variance += one[1]
    n = truth.size
    z = NormalDist().inv_cdf(0.5 + LEVEL / 2)
    reach = float(z * np.sqrt(variance) + 0.5) / n
    trials = wilson(mean / n, n, LEVEL)
    return Interval(
        low=max(0.0, min(mean / n - reach, trials.low)),
        high=min(1.0, max(mean / n + reach, trials.high)),
    )


def _matches(true: Int64, answer: Int64, c: int) -> tuple[float, float]:
    """Return mean and variance of the matches of one stratum."""
    n = true.size
    is_true = np.bincount(true, minlength=c).astype(np.float64)
    is_said = np.bincount(answer, minlength=c).astype(np.float64)
    said, held = np.flatnonzero(is_said), np.flatnonzero(is_true)
    mean = float(is_true @ is_said) / n
    if n < 2:
        return mean, 0.0
    same = (said[:, None] == held).astype(np.float64)
    off = same - is_true[said][:, None] / n - is_said[held] / n + mean / n
    weight = is_said[said][:, None] * is_true[held]
    return mean, float((weight * off**2).sum() / (n - 1))


def shuffled_within(activity: Strings, session: Strings, seed: int) -> Strings:
    """Return the labels shuffled inside each session: the null keeps the sessions."""
    rng = np.random.default_rng(seed)
    shuffled = activity.copy()
    for name in np.unique(session):
        rows = np.flatnonzero(session == name)
        shuffled[rows] = activity[rng.permutation(rows)]
    return shuffled
