"""Is one classifier better than another on the same trials: paired differences.

Intervals are those of a bootstrap over sessions, which over few sessions may claim to
be certain. So none is narrower than it would be if trials were independent: neither
than the exact interval of Clopper and Pearson on the discordant pairs (those that one
of the two gets right and the other wrong), nor than the scores of both kinds of these
pairs allow (Newcombe 1998, method 10 without correlation).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from analysis.evaluate.scores.intervals import Interval, session_draws, wilson
from analysis.evaluate.study import Result

_TAIL = 0.025


# the classifiers of Table 1: others are compared with them, not they with others
OF_PAPER = ("random_forest", "nearest", "naive_bayes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two classifiers on the same test rows of one split.

    difference  accuracy of `one` less that of `other`, with an interval over sessions
    fewer       share of the errors of `other` that `one` does not make, with an
                interval; None where `other` makes none
    """

    device: str
    split: str
    one: str
    other: str
    difference: float
    interval: Interval | None
    fewer: float | None
    fewer_interval: Interval | None


def comparisons(results: Sequence[Result], seed: int = 0) -> tuple[Comparison, ...]:
    """Compare every pair of results of the same device and split, the later as `one`.

    One of the paper's is always the `other` of one that is not, whichever came first.
    """
    found = []
    ordered = sorted(results, key=lambda each: each.classifier not in OF_PAPER)
    for other, one in combinations(ordered, 2):
        same = (one.device, one.split.digest) == (other.device, other.split.digest)
        if same and one.split.name == other.split.name:
            found.append(compare(one, other, seed))
    return tuple(found)


def compare(one: Result, other: Result, seed: int = 0) -> Comparison:
    """Return how much better `one` is than `other`; both of the same split."""
    if not np.array_equal(one.answers.rows, other.answers.rows):
        raise ValueError("only answers to the same rows can be compared")
    wrong = np.column_stack(
        [(r.truth != r.answers.said).astype(np.float64) for r in (one, other)]
    )
    group = np.unique(one.session, return_inverse=True)[1]
    mine, theirs = wrong.mean(axis=0)
    pairs = _Pairs.of(wrong[:, 0] > 0, wrong[:, 1] > 0)
    interval = fewer_interval = None
    if group.max() > 0:
        sums = session_draws(np.column_stack((wrong, np.ones(len(wrong)))), group, seed)
        drawn = _central((sums[:, 1] - sums[:, 0]) / sums[:, 2])
        interval = _widened(drawn, pairs.difference())
        if theirs:
            # a draw in which the other makes no error has no share; it counts as the
            # worst when `one` makes some, as nothing gained when it makes none either
            some = sums[:, 1] > 0
            share = 1 - sums[:, 0] / np.where(some, sums[:, 1], 1)
            worst = np.where(sums[:, 0] > 0, -np.inf, 0.0)
            drawn = _central(np.where(some, share, worst))
            fewer_interval = _widened(drawn, pairs.fewer())
    return Comparison(
        device=one.device,
        split=one.split.name,
        one=one.classifier,
        other=other.classifier,
        difference=float(theirs - mine),
        interval=interval,
        fewer=float(1 - mine / theirs) if theirs else None,
        fewer_interval=fewer_interval,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """How much better a leaky split looks than an honest one, on the same trials."""

    device: str
    classifier: str
    leaky: str
    honest: str
    difference: float
    interval: Interval | None
    n_trials: int


def gap(leaky: Result, honest: Result, seed: int = 0) -> Gap:
    """Return the difference over the trials that both splits test."""
    rows, one, other = np.intersect1d(
        leaky.answers.rows, honest.answers.rows, return_indices=True
    )
    fails = (leaky.truth != leaky.answers.said)[one]
    honest_fails = (honest.truth != honest.answers.said)[other]
    more = honest_fails.astype(np.float64) - fails
    group = np.unique(honest.session[other], return_inverse=True)[1]
    interval = None
    if rows.size and group.max() > 0:
        sums = session_draws(np.column_stack((more, np.ones(rows.size))), group, seed)
        drawn = _central(sums[:, 0] / sums[:, 1])
        interval = _widened(drawn, _Pairs.of(fails, honest_fails).difference())
    return Gap(
        device=leaky.device,
        classifier=leaky.classifier,
        leaky=leaky.split.name,
        honest=honest.split.name,
        difference=float(more.mean()) if rows.size else 0.0,
        interval=interval,
        n_trials=int(rows.size),
    )


def gaps(results: Sequence[Result], seed: int = 0) -> tuple[Gap, ...]:
    """Return the gap of S0 (five folds) and S1, per device and classifier."""
    by_place = {(r.device, r.classifier, r.split.name): r for r in results}
    return tuple(
        gap(result, by_place[(device, classifier, "s1")], seed)
        for (device, classifier, split), result in by_place.items()
        if split == "s0_folds" and (device, classifier, "s1") in by_place
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pairs:
    """The same trials answered twice, counted as if they were independent.

    gained  only `other` is wrong;  lost  only `one` is;  both  both are
    """

    gained: int
    lost: int
    both: int
    n: int

    @classmethod
    def of(cls, one: NDArray[np.bool_], other: NDArray[np.bool_]) -> "_Pairs":
        """Count pairs from (n,) bool each, True where it was wrong."""
        return cls(
            gained=int((other & ~one).sum()),
            lost=int((one & ~other).sum()),
            both=int((one & other).sum()),
            n=one.size,
        )

    def difference(self) -> Interval:
        """Return from where to where the difference of accuracies may lie."""
        discordant = self.gained + self.lost
        won = _exact(self.gained, discordant)
        exact = Interval(
            low=(2 * won.low - 1) * discordant / self.n,
            high=(2 * won.high - 1) * discordant / self.n,
        )
        return _widened(exact, self._by_scores(self.n))

    def fewer(self) -> Interval:
        """Return the same for the share of the errors of `other` not made by `one`."""
        discordant, theirs = self.gained + self.lost, self.both + self.gained
        won = _exact(self.gained, discordant)

        def share(p: float) -> float:
            left = self.both + p * discordant
            return (2 * p - 1) * discordant / left if left else 0.0

        exact = Interval(low=share(won.low), high=share(won.high))
        errors = self.both + discordant
        found = self._by_scores(errors)
        scale = errors / theirs
        return _widened(
            exact, Interval(low=scale * found.low, high=min(1.0, scale * found.high))
        )

    def _by_scores(self, n: int) -> Interval:
        """Return Newcombe's interval of the difference of two shares of n."""
        p, q = self.gained / n, self.lost / n
        up, down = wilson(p, n), wilson(q, n)
        return Interval(
            low=p - q - sqrt((p - up.low) ** 2 + (down.high - q) ** 2),
            high=p - q + sqrt((up.high - p) ** 2 + (q - down.low) ** 2),
        )


def _exact(k: int, n: int) -> Interval:
    """Return the interval of Clopper and Pearson (1934) of k of n; all of it for 0."""
    from scipy.stats import beta

    low = float(beta.ppf(_TAIL, k, n - k + 1)) if k else 0.0
    high = float(beta.ppf(1 - _TAIL, k + 1, n - k)) if k < n else 1.0
    return Interval(low=low, high=high)


def _widened(one: Interval, other: Interval) -> Interval:
    return Interval(low=min(one.low, other.low), high=max(one.high, other.high))


def _central(drawn: np.ndarray) -> Interval:
    low, high = np.quantile(drawn, [_TAIL, 1 - _TAIL], method="nearest")
    return Interval(low=float(low), high=float(high))
