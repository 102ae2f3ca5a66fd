"""Exact tests by exchange of whole days, for all questions at once.

Trials of one day are alike, and days differ. So what is exchanged is a unit: all of a
day (or of a session, where days are not known). If nothing drifted, it says nothing of
a unit in which campaign it was: exchanging units gives values that could as well have
been seen. For every exchange the most conspicuous of all tests is noted; a test reports
drift when it is more conspicuous than that is in all but alpha of the exchanges. So the
chance that anything is reported where nothing drifted is at most alpha, over all tests,
however they hang together (Westfall and Young's step-down maxT).

A question is a vector per unit: one number (a mean rank, a share), or many (how sizes
are distributed). Its statistic is the variance between the campaigns over that between
units of one campaign (the square of Student's t for one number, Anderson's pseudo-F for
many), where the latter is taken to be no less than what so few trials scatter by
themselves. What is the same on all days of a campaign and another in the other is
infinitely conspicuous, as it should be: a rank over trials could not tell it from the
one arrangement in which days happen to be in order.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np
from scipy.stats import rankdata

from analysis.compare.model import Bool, Float64, Int64

LEAST_UNITS = 4  # of each campaign
_CHUNK = 512
_FLAT = 1e-9  # of all that a question varies: less counts as none
_SAME = 1e-9  # two statistics that differ by less, relatively, are one


@dataclass(frozen=True, slots=True, kw_only=True)
class Vectors:
    """What units say to one question.

    gram   (u, u) inner products of the units' vectors, less their mean; 0 for units
           that say nothing
    noise  variance of a unit's vector that comes of its few trials alone
    """

    gram: Float64
    noise: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Answers to all questions, in their order.

    score  pseudo-F of the real arrangement;  critical  the score that reports drift
    n  arrangements with the real one;  exact  whether these are all there are
    """

    score: Float64
    p: Float64
    p_adjusted: Float64
    critical: float
    n: int
    exact: bool


def ranked(values: Float64) -> Float64:
    """Return (n, m) ranks as shares from -1 to 1, less their mean; NaN stays.

    The mean over one sample less that over the other is Cliff's delta of the two.
    """
    out = np.full(values.shape, np.nan)
    for column in range(values.shape[1]):
        known = ~np.isnan(values[:, column])
        if known.any():
            rank = rankdata(values[known, column])
            out[known, column] = 2 * (rank - rank.mean()) / rank.size
    return out


def evened(unit: Int64, in_b: Bool, seed: int) -> Bool:
    """Return which windows to keep so that units of both campaigns have as many.

    A day of two trials scatters more than one of twenty, so that they could not be
    exchanged. Units with more than the usual number of the campaign that has fewer
    are drawn from.

    unit  (k,) number of the unit of each window;  in_b (k,) whether it is of B
    """
    kept = np.ones(unit.size, dtype=np.bool_)
    counts = [np.unique(unit[in_b == b], return_counts=True)[1] for b in (False, True)]
    if not all(map(len, counts)):
        return kept
    most = int(min(np.median(each) for each in counts))
    rng = np.random.default_rng(seed)
    for number in np.unique(unit).tolist():
        rows = np.flatnonzero(unit == number)
        if rows.size > most:
            kept[rng.permutation(rows)[most:]] = False
    return kept


def least_p(units_a: int, units_b: int) -> float:
    """Return the least p that exchanges of so many units can give."""
    mirrored = 2 if units_a == units_b else 1
    return mirrored / comb(units_a + units_b, units_a)


def can_tell(units_a: int, units_b: int, alpha: float) -> bool:
    """Say whether so many units can tell drift at all at this level."""
    enough = min(units_a, units_b) >= LEAST_UNITS
    return enough and least_p(units_a, units_b) <= alpha


def units_needed(alpha: float) -> int:
    """Return of how many units of each campaign drift can be told at this level."""
    n = LEAST_UNITS
    while not can_tell(n, n, alpha):
        n += 1
    return n


def vectors_of(rows: Float64, unit: Int64, n_units: int) -> Vectors:
    """Sum windows up by unit.

    rows  (k, d) a vector per window, wholly NaN where it says nothing
    unit  (k,) number of the unit
    """
    known = ~np.isnan(rows).any(axis=1)
    rows, unit = rows[known].astype(np.float64), unit[known]
    n = np.bincount(unit, minlength=n_units).astype(np.float64)
    means = np.zeros((n_units, rows.shape[1]))
    np.add.at(means, unit, rows)
    means /= np.maximum(n, 1)[:, None]
    within = ((rows - means[unit]) ** 2).sum()
    freedom = float((n[n > 0] - 1).sum())
    noise = within / freedom * float((1 / n[n > 0]).mean()) if freedom > 0 else 0.0
    return shares_of(means, n, float(noise))


def shares_of(means: Float64, n: Float64, noise: float) -> Vectors:
    """Return what units say; means (u, d), n (u,) windows or packets of each."""
    held = n > 0
    centred = np.zeros_like(means)
    if held.any():
        centred[held] = means[held] - means[held].mean(axis=0)
    return Vectors(gram=centred @ centred.T, noise=noise)


def together(parts: Sequence[Vectors]) -> Vectors:
    """Join the answers of several kinds of windows, each of them with equal weight."""
    n_units = len(parts[0].gram)
    gram, noise = np.zeros((n_units, n_units)), 0.0
    for each in parts:
        size = float(np.trace(each.gram))
        if size > 0:
            gram += each.gram / size
            noise += each.noise / size
    return Vectors(gram=gram, noise=noise)


def answer(
    questions: Sequence[Vectors],
    in_b: Bool,
    *,
    alpha: float,
    permutations: int,
    seed: int,
) -> Answer:
    """Answer all questions; in_b (u,) whether each unit is of B."""
    scorer = _Scorer(questions, in_b)
    score = scorer(in_b[None].astype(float))[0]
    order = np.argsort(-score, kind="stable")
    bar = score * (1 - _SAME)
    own, stepped = np.ones(score.size), np.ones(score.size)
    most: list[Float64] = [score.max(initial=0.0)[None]]
    masks, exact = arrangements(in_b, permutations, seed)
    n = 1 + len(masks)
    for first in range(0, len(masks), _CHUNK):
        scores = scorer(masks[first : first + _CHUNK])
        own += (scores >= bar).sum(axis=0)
        tail = np.maximum.accumulate(scores[:, order][:, ::-1], axis=1)[:, ::-1]
        stepped += (tail >= bar[order]).sum(axis=0)
        most.append(scores.max(axis=1, initial=0.0))
    adjusted = np.empty(score.size)
    adjusted[order] = np.maximum.accumulate(stepped / n)
    bound = np.sort(np.concatenate(most))[::-1]
    return Answer(
        score=score,
        p=own / n,
        p_adjusted=np.minimum(adjusted, 1.0),
        critical=float(bound[min(int(alpha * n), n - 1)]),
        n=n,
        exact=exact,
    )


class _Scorer:
    """Pseudo-F of all questions for arrangements of the units."""

    def __init__(self, questions: Sequence[Vectors], in_b: Bool) -> None:
        n, self._n_b = in_b.size, float(in_b.sum())
        self._n_a = n - self._n_b
        self._freedom = max(n - 2.0, 1.0)
        shape = (len(questions), n * n)
        self._grams = np.array([q.gram.ravel() for q in questions]).reshape(shape)
        self._total = np.array([np.trace(q.gram) for q in questions])
        self._noise = np.array([q.noise for q in questions])

    def __call__(self, masks: Float64) -> Float64:
        """Return (r, questions) for masks (r, u), 1 where a unit is of B."""
        r, n = masks.shape
        # units that say nothing are at the mean; sums over A are those of B, negative
        pairs = (masks[:, :, None] * masks[:, None, :]).reshape(r, n * n)
        between = (pairs @ self._grams.T) * (1 / self._n_a + 1 / self._n_b)
        within = np.maximum(self._total - between, 0.0) / self._freedom
        least = np.maximum(self._noise, _FLAT * self._total / self._freedom)
        below = np.maximum(within, least)
        none = self._total < 1e-18
        return np.where(none, 0.0, between / np.where(none, 1.0, below))


def arrangements(in_b: Bool, permutations: int, seed: int) -> tuple[Float64, bool]:
    """Return (r, u) which units are of B, without the real one, and if these are all.

    All that there are, where these are no more than asked for; else drawn.
    """
    n, n_b = in_b.size, int(in_b.sum())
    if comb(n, n_b) - 1 <= permutations:
        masks = np.zeros((comb(n, n_b), n))
        for row, chosen in enumerate(combinations(range(n), n_b)):
            masks[row, list(chosen)] = 1.0
        return masks[~(masks == in_b).all(axis=1)], True
    rng = np.random.default_rng(seed)
    order = np.argsort(rng.random((permutations, n)), axis=1)
    return in_b.astype(np.float64)[order], False
