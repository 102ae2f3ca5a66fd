"""Exact tests by exchange, for all questions at once.

If nothing drifted, it says nothing of a trial (or of a session) in which campaign it
was: exchanging them gives values that could as well have been seen. For every exchange
the most conspicuous of all tests is noted; a test reports drift when it is more
conspicuous than that is in all but alpha of the exchanges. So the chance that anything
is reported where nothing drifted is at most alpha, over all tests, however they hang
together (Westfall and Young's step-down maxT).

A test is a rank sum within each kind of activity (Wilcoxon; ties get their mean rank),
over its standard deviation. All activities of a device together are summed with van
Elteren's weights.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import comb

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from analysis.compare.model import Bool, Float64, Text, Unit

_CHUNK = 256
Masks = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stratum:
    """Trials that are compared with each other.

    in_b     (n,) whether of B
    session  (n,) number of the session, over both campaigns and all devices
    ranks    (n, m) ranks less their mean; 0 where a value is unknown
    """

    in_b: Bool
    session: NDArray[np.int64]
    ranks: Float64

    @property
    def spread(self) -> Float64:
        """(m,) sum of squares over n (n - 1): variance of the sum, per n_a n_b."""
        n = self.in_b.size
        return np.asarray((self.ranks**2).sum(axis=0) / max(n * (n - 1), 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """The strata of one device; all have the same m measures.

    cells  (strata, m) which measures are questions of the stratum alone
    """

    strata: tuple[Stratum, ...]
    cells: Bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Answers to all questions of all blocks, in their order.

    Of each block: m for all strata together, then those of each stratum that are asked.

    z  of the real one, above 0 where B is larger;  critical  |z| that reports drift
    n  exchanges with the real one;  exact  whether these are all there are
    """

    z: Float64
    p: Float64
    p_adjusted: Float64
    critical: float
    n: int
    exact: bool


def ranked(values: Float64) -> Float64:
    """Return (n, m) mean ranks less their mean, 0 for NaN."""
    out = np.zeros(values.shape)
    for column in range(values.shape[1]):
        known = ~np.isnan(values[:, column])
        if known.any():
            rank = rankdata(values[known, column])
            out[known, column] = rank - rank.mean()
    return out


def unit_of(sessions_a: int, sessions_b: int, alpha: float) -> Unit:
    """Return what to exchange: sessions, where there are enough of them to tell."""
    if min(sessions_a, sessions_b) < 2:
        return Unit.TRIAL
    ways = comb(sessions_a + sessions_b, sessions_a)
    mirrored = 2 if sessions_a == sessions_b else 1
    return Unit.SESSION if mirrored / ways <= alpha else Unit.TRIAL


def answer(
    blocks: Sequence[Block],
    session_in_b: Bool,
    unit: Unit,
    *,
    alpha: float,
    permutations: int,
    seed: int,
) -> Answer:
    """Answer all questions.

    session_in_b  (s,) whether each session is of B
    """
    real = _scores(
        blocks, [[s.in_b[None].astype(float) for s in b.strata] for b in blocks]
    )
    z = real[0]
    size = np.abs(z)
    order = np.argsort(-size, kind="stable")
    if unit is Unit.SESSION:
        ways = _session_ways(session_in_b, permutations, seed)
        exact, drawn = ways.exact, _by_session(blocks, ways.masks)
    else:
        exact, drawn = False, _by_trial(blocks, permutations, seed)
    own, stepped = np.ones(z.size), np.ones(z.size)
    most: list[Float64] = [size.max(initial=0.0)[None]]
    n = 1
    for masks in drawn:
        scores = np.abs(_scores(blocks, masks))
        n += len(scores)
        own += (scores >= size - 1e-9).sum(axis=0)
        tail = np.maximum.accumulate(scores[:, order][:, ::-1], axis=1)[:, ::-1]
        stepped += (tail >= size[order] - 1e-9).sum(axis=0)
        most.append(scores.max(axis=1, initial=0.0))
    adjusted = np.empty(z.size)
    adjusted[order] = np.maximum.accumulate(stepped / n)
    bound = np.sort(np.concatenate(most))[::-1]
    return Answer(
        z=z,
        p=own / n,
        p_adjusted=np.minimum(adjusted, 1.0),
        critical=float(bound[min(int(alpha * n), n - 1)]),
        n=n,
        exact=exact,
    )


def _scores(blocks: Sequence[Block], masks: Sequence[Sequence[Masks]]) -> Float64:
    """Return (r, questions) z for r exchanges.

    masks  of each stratum of each block (r, n), 1 where a trial is of B then
    """
    parts = []
    for block, of_strata in zip(blocks, masks, strict=True):
        total: Float64 | float = 0.0
        variance: Float64 | float = 0.0
        cells = []
        for row, (stratum, mask) in enumerate(
            zip(block.strata, of_strata, strict=True)
        ):
            n = stratum.in_b.size
            n_b = mask.sum(axis=1, keepdims=True)
            sums = mask @ stratum.ranks
            spread = n_b * (n - n_b) * stratum.spread
            weight = 1 / (n + 1)
            total = total + weight * sums
            variance = variance + weight**2 * spread
            cells.append(_standard(sums, spread)[:, block.cells[row]])
        parts += [_standard(np.asarray(total), np.asarray(variance)), *cells]
    return np.concatenate(parts, axis=1)


def _standard(sums: Float64, variance: Float64) -> Float64:
    deviation = np.sqrt(variance)
    flat = deviation < 1e-12
    return np.where(flat, 0.0, sums / np.where(flat, 1.0, deviation))


def _by_trial(
    blocks: Sequence[Block], permutations: int, seed: int
) -> Iterator[list[list[Masks]]]:
    """Yield exchanges of trials within each stratum, chunk by chunk."""
    rng = np.random.default_rng(seed)
    left = permutations
    while left > 0:
        rows = min(left, _CHUNK)
        left -= rows
        yield [[_drawn(rng, rows, s.in_b) for s in b.strata] for b in blocks]


def _drawn(rng: np.random.Generator, rows: int, in_b: Bool) -> Masks:
    order = np.argsort(rng.random((rows, in_b.size)), axis=1)
    return in_b.astype(np.float64)[order]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ways:
    """(r, s) which sessions are of B, without the real one, and if these are all."""

    masks: Float64
    exact: bool


def _session_ways(in_b: Bool, permutations: int, seed: int) -> _Ways:
    from itertools import combinations

    n, n_b = in_b.size, int(in_b.sum())
    ways = comb(n, n_b)
    if ways - 1 <= permutations:
        masks = np.zeros((ways, n))
        for row, chosen in enumerate(combinations(range(n), n_b)):
            masks[row, list(chosen)] = 1.0
        real = (masks == in_b).all(axis=1)
        return _Ways(masks=masks[~real], exact=True)
    rng = np.random.default_rng(seed)
    return _Ways(masks=_drawn(rng, permutations, in_b), exact=False)


def _by_session(blocks: Sequence[Block], ways: Float64) -> Iterator[list[list[Masks]]]:
    for first in range(0, len(ways), _CHUNK):
        some = ways[first : first + _CHUNK]
        yield [[some[:, s.session] for s in b.strata] for b in blocks]


def number_sessions(
    parts: Sequence[tuple[Text, bool]],
) -> tuple[dict[tuple[str, bool], int], Bool]:
    """Return a number per (session, is it of B), and (s,) whether each is of B."""
    known: dict[tuple[str, bool], int] = {}
    for sessions, in_b in parts:
        for name in sorted(set(sessions.tolist())):
            known.setdefault((name, in_b), len(known))
    return known, np.array([in_b for _name, in_b in known], dtype=np.bool_)
