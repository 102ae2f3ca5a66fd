"""Where in time a device answers at all, and where each of its runs falls silent.

A coarse step of a run is loud when it holds more than 95 % of silent steps do. How
much more does not matter: one large heartbeat weighs no more than a small one.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.evaluate.delta.responses import STEP_S, Float64, Int64, Traffic

COARSE = 5  # steps at a time
COARSE_S = COARSE * STEP_S
_LOUD = 95.0  # percentile of silence above which a step is loud
_BY_CHANCE = 0.01  # that any step of any class is taken for an answer by mistake


@dataclass(frozen=True, slots=True, kw_only=True)
class Loudness:
    """What is loud in runs of one activity.

    loud     (n, c, s) bool, runs by classes by coarse steps
    chance   (c,) float64, probability that a step of silence is loud
    answer   (c, s) bool, steps in which more runs are loud than silence explains
    """

    loud: NDArray[np.bool_]
    chance: Float64
    answer: NDArray[np.bool_]

    @property
    def kinds(self) -> Int64:
        """Classes that have an answer."""
        return np.flatnonzero(self.answer.any(axis=1))

    @property
    def last_s(self) -> float:
        """End of the last step with an answer, 0 for none."""
        steps = np.flatnonzero(self.answer.any(axis=0))
        return float((steps[-1] + 1) * COARSE_S) if steps.size else 0.0

    def stops(self) -> Int64:
        """Return (n,) coarse steps after which each run is silent, 0 for one that is.

        The likeliest place at which a run goes over from the habits of all runs, step
        by step, to those of silence.
        """
        kinds, n_steps = self.kinds, round(self.last_s / COARSE_S)
        # after the last answer of all, what is loud is so by chance
        loud, chance = self.loud[:, kinds, :n_steps], self.chance[kinds][:, None]
        n = loud.shape[0]
        usual = (loud.sum(axis=0) + 0.5) / (n + 1)
        usual = np.maximum(usual, chance)
        when_loud = np.log(usual / chance)
        when_quiet = np.log((1 - usual) / (1 - chance))
        gain = np.where(loud, when_loud, when_quiet).sum(axis=1)
        total = np.cumsum(gain, axis=1)
        best = np.argmax(total, axis=1)
        return np.where(total[np.arange(n), best] > 0, best + 1, 0).astype(np.int64)


def loudness(runs: Traffic, idle: Traffic) -> Loudness:
    """Say which steps of runs are loud, and in which that is an answer.

    The number of loud runs in a step is binomial when nothing was caused; it is an
    answer when that has a chance of `_BY_CHANCE` over all classes and steps together.

    runs, idle  stretches after triggers and of silence, of any length
    """
    said, silent = runs.coarse(COARSE), idle.coarse(COARSE)
    n, n_classes, n_steps = said.shape
    limit = _BY_CHANCE / max(1, n_classes * n_steps)
    loud = np.zeros(said.shape, dtype=np.bool_)
    answer = np.zeros((n_classes, n_steps), dtype=np.bool_)
    chance = np.full(n_classes, 1 - _LOUD / 100)
    for kind in range(n_classes):
        usual = silent[:, kind].ravel()
        above_b = float(np.percentile(usual, _LOUD)) if usual.size else 0.0
        if usual.size:
            # one more of each: what was not seen in so many steps may still be
            chance[kind] = (1 + int((usual > above_b).sum())) / (2 + usual.size)
        loud[:, kind] = said[:, kind] > above_b
        answer[kind] = loud[:, kind].sum(axis=0) >= _fewest(n, chance[kind], limit)
    return Loudness(loud=loud, chance=chance, answer=answer)


def _fewest(n: int, chance: float, limit: float) -> int:
    """Return the least k so that k or more of n have a probability below `limit`.

    n + 1 where even all of them are likelier.
    """
    from scipy.stats import binom

    k = np.arange(n + 1)
    unlikely = np.flatnonzero(binom.sf(k - 1, n, chance) < limit)
    return int(unlikely[0]) if unlikely.size else n + 1
