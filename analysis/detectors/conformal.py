"""From scores to p-values: how often a usual hour is as strange.

The conformal p-value of a score is (1 + usual hours at least as strange) / (n + 1),
never below 1 / (n + 1). It would be valid whatever the detector does if one and the
same detector, which has learnt from neither, scored usual hours and hours to come, and
these were exchangeable. Here copies that learnt from some of the days score the others
(cross-conformal), hours of a day are alike, and people change: it holds roughly. Where
one must tell strange from stranger, the strangest usual hours are continued by an
exponential tail; that is an assumption. How fast it falls is known from few hours only,
so what is used is the mean over all that it may be.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from analysis.features.model import Float64, Int64

_TAIL_SHARE = 0.02  # of the usual hours, which tell how the tail goes on
_FEWEST_TAIL = 5
_WIDE_SHARE = 0.1  # of the usual hours, whose spread is taken for that of more hours
_PRIOR = 10.0  # as many
_LEAST = 1e-300
_STEEP = 1e-7  # below it tan((1/2 - p) pi) is 1 / (pi p)
_HALVINGS = 60
_FARTHEST = 1e12  # times the highest score; where nobody looks for a threshold any more


@dataclass(frozen=True, slots=True, kw_only=True)
class Usual:
    """Scores of usual hours, in ascending order.

    start, scale, share  of the usual hours this share lies above `start`, by an excess
                         of `scale` in the mean; 0 where nobody knows
    weight               of how many hours that is known
    """

    scores: Float64
    start: float
    scale: float
    share: float
    weight: float

    @classmethod
    def of(cls, scores: Float64, unit: float = 0.0) -> Self:
        """Learn from (n,) scores of hours that the detector had not seen.

        unit  difference of scores below which hours are taken to be equally strange,
              whatever the spread: e times likelier, where scores are logarithms of
              chances. Scores and unit times any factor give the same p-values.
        """
        ordered = np.sort(scores) if scores.size else np.zeros(1)
        n_strange = max(1, int((ordered > 0).sum()))
        n_tail = max(_FEWEST_TAIL, int(_TAIL_SHARE * ordered.size))
        n_tail = min(n_tail, n_strange)
        start = float(ordered[-n_tail])
        excess = float((ordered[-n_tail:] - start).sum())
        n_wide = min(int(np.ceil(_WIDE_SHARE * ordered.size)), n_strange)
        below = float(ordered[-n_wide - 1]) if n_wide < ordered.size else 0.0
        spread = max(unit, float(ordered[-n_wide:].mean()) - below)
        return cls(
            scores=ordered,
            start=start,
            scale=(excess + _PRIOR * spread) / (n_tail + _PRIOR),
            share=(n_tail + 1) / (ordered.size + 1),
            weight=n_tail + _PRIOR,
        )

    def p_values(self, scores: Float64) -> Float64:
        """Return conformal p-values, at least 1 / (n + 1)."""
        below = np.searchsorted(self.scores, scores, side="left")
        p: Float64 = (1.0 + self.scores.size - below) / (self.scores.size + 1)
        return p

    def tail_p_values(self, scores: Float64) -> Float64:
        """Return p-values that go on falling above the strangest usual hours.

        The mean of exponential tails over the scales that so many hours allow for.
        """
        p = self.p_values(scores)
        if self.scale > 0:
            beyond = np.maximum(scores - self.start, 0.0) / self.scale
            far = self.share * np.exp(-self.weight * np.log1p(beyond / self.weight))
            p = np.where(scores > self.start, far, p)
        return np.asarray(np.clip(p, _LEAST, 1.0))

    def threshold(self, p: float) -> float:
        """Return the score above which an hour has a smaller tail p-value."""
        low, high = 0.0, float(self.scores[-1]) or 1.0
        farthest = high * _FARTHEST
        while self.tail_p_values(np.array([high]))[0] >= p and high < farthest:
            high *= 2
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            if self.tail_p_values(np.array([middle]))[0] >= p:
                low = middle
            else:
                high = middle
        return high


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
    """Return (n,) bool: what Benjamini and Yekutieli reject at a discovery rate.

    Hours of a day depend on each other; theirs is the rule that allows for it.
    """
    n = p.size
    order = np.argsort(p, kind="stable")
    steps = rate * np.arange(1, n + 1) / max(1, n)
    passes = np.flatnonzero(p[order] <= steps / (1 / np.arange(1, n + 1)).sum())
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
