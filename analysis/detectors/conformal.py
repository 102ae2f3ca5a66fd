"""From scores to p-values: how often a usual hour is as strange.

The conformal p-value of a score is (1 + usual hours at least as strange) / (n + 1),
never below 1 / (n + 1). It would be valid whatever the detector does if one and the
same detector, which has learnt from neither, scored usual hours and hours to come, and
these were exchangeable. Here copies that learnt from some of the days score the others
(cross-conformal), hours of a day are alike, and people change: it holds roughly. Where
one must tell strange from stranger, the scores of the strangest usual hours are
continued by an exponential tail; that is an assumption.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from analysis.features.model import Float64, Int64

_TAIL_SHARE = 0.02  # of the usual hours, which tell how the tail goes on
_FEWEST_TAIL = 5
_PRIOR = 10.0  # excesses of 1 (scores are mostly logarithms of chances) beside them
_LEAST = 1e-300
_STEEP = 1e-7  # below it tan((1/2 - p) pi) is 1 / (pi p)


@dataclass(frozen=True, slots=True, kw_only=True)
class Usual:
    """Scores of usual hours, in ascending order.

    start, scale, share  of the usual hours this share lies above `start`, by an excess
                         of `scale` in the mean
    """

    scores: Float64
    start: float
    scale: float
    share: float

    @classmethod
    def of(cls, scores: Float64) -> Self:
        """Learn from (n,) scores of hours that the detector had not seen."""
        ordered = np.sort(scores) if scores.size else np.zeros(1)
        n_tail = max(_FEWEST_TAIL, int(_TAIL_SHARE * ordered.size))
        n_tail = min(n_tail, max(1, int((ordered > 0).sum())))
        start = float(ordered[-n_tail])
        excess = ordered[-n_tail:] - start
        return cls(
            scores=ordered,
            start=start,
            scale=float((excess.sum() + _PRIOR) / (n_tail + _PRIOR)),
            share=(n_tail + 1) / (ordered.size + 1),
        )

    def p_values(self, scores: Float64) -> Float64:
        """Return conformal p-values, at least 1 / (n + 1)."""
        below = np.searchsorted(self.scores, scores, side="left")
        p: Float64 = (1.0 + self.scores.size - below) / (self.scores.size + 1)
        return p

    def tail_p_values(self, scores: Float64) -> Float64:
        """Return p-values that go on falling above the strangest usual hours."""
        far = self.share * np.exp(-(scores - self.start) / self.scale)
        p = np.where(scores > self.start, far, self.p_values(scores))
        return np.asarray(np.clip(p, _LEAST, 1.0))

    def threshold(self, p: float) -> float:
        """Return the score above which an hour has a smaller tail p-value."""
        if p < self.share:
            return self.start + self.scale * float(np.log(self.share / p))
        above = min(int(p * self.scores.size), self.scores.size - 1)
        return float(self.scores[::-1][above])


def cauchy(p: Float64, weights: Float64) -> Float64:
    """Combine (m, ...) p-values of m dependent tests into one each, by Cauchy's sum.

    Liu and Xie 2020: tan((1/2 - p) pi) is standard Cauchy under the null, and so is the
    weighted mean of several, nearly whatever their dependence. Values above a half
    count as a half: scores of 0 have a p-value of 1, whose minus infinity would hide
    what the others see. That makes the result smaller, never larger, and it is no
    p-value in the strict sense: of four independent tests 5.6 % come out below 0.05.
    Compare it with those of usual hours, as the ensemble does.

    weights  (m,) float64, which sum to 1
    """
    upper = np.clip(p, _LEAST, 0.5)
    each = np.where(
        upper < _STEEP,
        1 / (np.pi * upper),
        np.tan((0.5 - np.maximum(upper, _STEEP)) * np.pi),
    )
    mean = np.tensordot(weights, each, axes=1)
    steep = mean > 1 / (np.pi * _STEEP)
    far = 1 / (np.pi * np.where(steep, mean, 1.0))
    near = 0.5 - np.arctan(np.where(steep, 0.0, mean)) / np.pi
    return np.asarray(np.clip(np.where(steep, far, near), _LEAST, 1.0))


def discoveries(p: Float64, rate: float) -> np.ndarray:
    """Return (n,) bool: what Benjamini and Hochberg reject at a discovery rate."""
    n = p.size
    order = np.argsort(p, kind="stable")
    passes = np.flatnonzero(p[order] <= rate * np.arange(1, n + 1) / max(1, n))
    found = np.zeros(n, dtype=bool)
    if passes.size:
        found[order[: passes[-1] + 1]] = True
    return found


def weekly_discoveries(p: Float64, day: Int64, rate: float) -> np.ndarray:
    """Do so within each week of seven days, counted from the first."""
    week = (day - day.min(initial=0)) // 7 if day.size else day
    found = np.zeros(p.size, dtype=bool)
    for each in np.unique(week):
        rows = week == each
        found[rows] = discoveries(p[rows], rate)
    return found
