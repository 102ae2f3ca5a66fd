"""Is an activity that was never learnt told from those that were.

Everything here takes a score that is higher for windows that look known.
"""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from analysis.evaluate.samples import Strings
from analysis.evaluate.scores.intervals import Interval, wilson
from analysis.features.model import Float64, Int64

_KNOWN_ACCEPTED = 0.95
_Z = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSet:
    """How unknown activities fare.

    auroc     chance that a known window looks better known than an unknown one
    interval  of it, over sessions (Obuchowski 1997)
    accepted  share of unknown windows that pass where 95 % of the known ones do
    oscr      area under the share of known windows that are rightly named and pass,
              over the share of unknown ones that pass (Dhamija et al. 2018)
    known_answered, unknown_answered  shares of windows to which a rule that knows
              nothing of the test gives an activity; None without such a rule
    """

    auroc: float
    interval: Interval
    accepted: float
    oscr: float
    n_known: int
    n_unknown: int
    known_answered: float | None = None
    unknown_answered: float | None = None


def open_set_of(
    known: Float64,
    right: NDArray[np.bool_],
    known_session: Strings,
    unknown: Float64,
    unknown_session: Strings,
) -> OpenSet | None:
    """Score how known windows look; None without known or unknown ones.

    known  (n,) score of known windows;  right  (n,) whether they were named rightly
    unknown  (m,) score of windows of activities that were never learnt
    """
    if not known.size or not unknown.size:
        return None
    area, interval = auroc(known, known_session, unknown, unknown_session)
    threshold = np.quantile(known, 1 - _KNOWN_ACCEPTED, method="lower")
    return OpenSet(
        auroc=area,
        interval=interval,
        accepted=float((unknown >= threshold).mean()),
        oscr=_oscr(known, right, unknown),
        n_known=int(known.size),
        n_unknown=int(unknown.size),
    )


def auroc(
    high: Float64, high_session: Strings, low: Float64, low_session: Strings
) -> tuple[float, Interval]:
    """Return the area under the ROC curve and its interval over whole sessions.

    high  (n,) scores that should be the higher ones;  low  (m,) the others

    The interval is that of clustered placements (Obuchowski 1997), and never narrower
    than Wilson's for as many trials as the smaller side has.
    """
    above = _placements(high, low)  # (n,) share of low below each of high
    below = 1 - _placements(low, high)  # (m,) share of high above each of low
    area = float(above.mean())
    names, group = np.unique(
        np.concatenate((high_session, low_session)), return_inverse=True
    )
    part = np.bincount(
        group,
        weights=np.concatenate(((above - area) / high.size, (below - area) / low.size)),
    )
    n = names.size
    error = float(np.sqrt(n / (n - 1) * (part**2).sum())) if n > 1 else 1.0
    trials = wilson(area, min(high.size, low.size))
    return area, Interval(
        low=max(0.0, min(area - _Z * error, trials.low)),
        high=min(1.0, max(area + _Z * error, trials.high)),
    )


def _placements(of: Float64, among: Float64) -> Float64:
    """Return (n,) the share of `among` below each of `of`, ties by half."""
    ranked = np.sort(among)
    left: Int64 = np.searchsorted(ranked, of, side="left")
    right: Int64 = np.searchsorted(ranked, of, side="right")
    return (left + right) / (2 * among.size)


def _oscr(known: Float64, right: NDArray[np.bool_], unknown: Float64) -> float:
    """Return the area under the curve of named and passed over unknown and passed."""
    threshold = np.unique(np.concatenate((known, unknown)))[::-1]
    good = np.sort(known[right])
    strange = np.sort(unknown)
    named = 1 - np.searchsorted(good, threshold, side="left") / max(good.size, 1)
    passed = 1 - np.searchsorted(strange, threshold, side="left") / strange.size
    named = named * good.size / known.size
    x = np.concatenate(([0.0], passed))
    y = np.concatenate(([0.0], named))
    return float(np.trapezoid(y, x))
