"""How sure a score is: intervals over sessions, none narrower than over trials."""

from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

import numpy as np

from analysis.evaluate.samples import Strings
from analysis.evaluate.scores.activities import macro_f1
from analysis.features.model import Float64, Int64

_DRAWS = 5000
_FEWER_DRAWS = 1000  # of very many sessions, whose interval varies less
_MANY = 500
_BLOCK = 250
_LEVEL = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """From where to where a share may lie, at 95 % unless said otherwise."""

    low: float
    high: float


def session_interval(
    right: Int64 | Float64, session: Strings, seed: int
) -> Interval | None:
    """Return the interval of an accuracy; None for fewer than two sessions.

    It reaches as far as a bootstrap over whole sessions does, and never less far than
    Wilson's interval over trials: a bootstrap over two sessions, or over trials that
    were all right, would claim to be certain.

    right  (n,) 1 where the prediction was right, else 0, or how often it was
    session  (n,) str
    """
    names, group = np.unique(session, return_inverse=True)
    if names.size < 2:
        return None
    sums = session_draws(np.column_stack((right, np.ones(right.size))), group, seed)
    return never_narrower(sums[:, 0] / sums[:, 1], float(right.mean()), right.size)


def f1_interval(
    truth: Strings, said: Strings, session: Strings, seed: int
) -> Interval | None:
    """Return the interval of the mean F1 over activities, from whole sessions.

    As `session_interval`: it never reaches less far than that of as many trials.
    """
    names, group = np.unique(session, return_inverse=True)
    if names.size < 2:
        return None
    activities = np.unique(truth)
    is_true = truth[:, None] == activities
    is_said = said[:, None] == activities
    columns = np.hstack((is_true & is_said, is_true, is_said)).astype(np.float64)
    hits, support, claimed = np.split(session_draws(columns, group, seed), 3, axis=1)
    value = 2 * hits / np.maximum(support + claimed, 1)
    tested = np.maximum((support > 0).sum(axis=1), 1)
    mean = np.where(support > 0, value, 0).sum(axis=1) / tested
    middle = macro_f1(truth, said)
    return never_narrower(mean, middle, truth.size)


def session_draws(columns: Float64, group: Int64, seed: int) -> Float64:
    """Return (draws, m) sums of columns over sessions drawn with returning.

    columns  (n, m), one row per trial;  group  (n,) number of its session, from 0
    """
    n_groups = int(group.max()) + 1
    totals = np.zeros((n_groups, columns.shape[1]))
    np.add.at(totals, group, columns)
    rng = np.random.default_rng(seed)
    draws = _DRAWS if n_groups <= _MANY else _FEWER_DRAWS
    sums = []
    for _block in range(draws // _BLOCK):
        drawn = rng.integers(n_groups, size=(_BLOCK, n_groups))
        place = drawn + n_groups * np.arange(_BLOCK)[:, None]
        times = np.bincount(place.ravel(), minlength=_BLOCK * n_groups)
        sums.append(times.reshape(_BLOCK, n_groups) @ totals)
    return np.concatenate(sums)


def never_narrower(drawn: Float64, middle: float, n: int) -> Interval:
    """Return the central 95 % of what was drawn, but no less than of n trials."""
    tail = (1 - _LEVEL) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    trials = wilson(middle, n)
    return Interval(low=min(float(low), trials.low), high=max(float(high), trials.high))


def wilson(share: float, n: int, level: float = _LEVEL) -> Interval:
    """Return Wilson's score interval (1927) of a share of n independent trials."""
    z = NormalDist().inv_cdf(0.5 + level / 2)
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    reach = z / (1 + z * z / n) * sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return Interval(low=max(0.0, middle - reach), high=min(1.0, middle + reach))
