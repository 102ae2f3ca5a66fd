"""How long a device answers to an activity: δ, learnt from runs of it.

Runs of one activity are aligned at their triggers. Classes of destination in which more
of the runs are loud than silence explains, at some time after the trigger, carry its
answer. Of each run, what it has of these classes beyond their idle rate adds up to a
plateau; it ends where 95 % of that are reached, in bytes and in packets. δ is the
median end, with an interval over sessions.
"""

from dataclasses import dataclass
from math import inf

import numpy as np
from numpy.typing import NDArray

from analysis.evaluate.delta.answers import COARSE, COARSE_S, Loudness, loudness
from analysis.evaluate.delta.responses import STEP_S, Float64, Int64, Traffic

MIN_RUNS = 4  # fewer have no median worth the name
PLATEAU = 0.95  # share of what a run says that it has said when it ends
_DRAWS = 1000
_LEVEL = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class DeltaEstimate:
    """δ of one activity, as learnt.

    delta_s        the median run's end, seconds after the trigger
    low_s, high_s  its 95 % interval: bootstrap over sessions, never narrower than what
                   the order of the runs alone allows (a median is binomial)
    n_trials, n_sessions  runs that it was learnt from, and their sessions
    capped         True when more was heard than δ may be long, or the answer was still
                   going on where runs were no longer followed
    """

    activity: str
    delta_s: float
    low_s: float
    high_s: float
    n_trials: int
    n_sessions: int
    capped: bool = False


def estimate_delta(
    activity: str,
    runs: Traffic,
    session: NDArray[np.str_],
    idle: Traffic,
    *,
    cap_s: float = inf,
    seed: int = 0,
) -> DeltaEstimate | None:
    """Return δ of an activity, None when its runs are too few or no louder than idle.

    runs     from each trigger up to as long as it may be followed
    session  (n,) str, the session of each run
    idle     pieces in which nothing was done, of any length; none where none is known
    cap_s    what δ and its interval may be at most
    """
    if len(runs) < MIN_RUNS:
        return None
    found = loudness(runs, idle)
    if not found.kinds.size:
        return None
    ends = _ends(runs, idle, found)
    heard = np.isfinite(ends)
    if heard.sum() < MIN_RUNS:
        return None
    low_s, high_s = _interval(ends[heard], session[heard], seed)
    return DeltaEstimate(
        activity=activity,
        delta_s=min(cap_s, _median(ends[heard])),
        low_s=min(cap_s, low_s),
        high_s=min(cap_s, high_s),
        n_trials=int(heard.sum()),
        n_sessions=int(np.unique(session[heard]).size),
        capped=high_s > cap_s or found.last_s + COARSE_S > runs.length_s,
    )


def _ends(runs: Traffic, idle: Traffic, heard: Loudness) -> Float64:
    """Return (n,) seconds at which each run has said its share; NaN when it is silent.

    The later of bytes and packets.
    """
    stops = heard.stops() * COARSE
    by_bytes = _ends_of(runs.bytes_b, idle.bytes_b, heard.kinds, stops)
    by_packets = _ends_of(runs.packets, idle.packets, heard.kinds, stops)
    return np.asarray(np.maximum(by_bytes, by_packets), dtype=np.float64)


def _ends_of(runs: Float64, idle: Float64, kinds: Int64, stops: Int64) -> Float64:
    said = runs[:, kinds].sum(axis=1)
    usual = idle[:, kinds]
    per_step = float(usual.sum(axis=1).mean()) if usual.size else 0.0
    excess = np.cumsum(said - per_step, axis=1)
    plateau = excess[np.arange(stops.size), np.maximum(stops - 1, 0)]
    reached = excess >= PLATEAU * plateau[:, None]
    ends = (np.argmax(reached, axis=1) + 1) * STEP_S
    return np.where((plateau > 0) & (stops > 0), ends, np.nan)


def _median(ends: Float64) -> float:
    return round(float(np.median(ends)), 3)


def _interval(
    ends: Float64, session: NDArray[np.str_], seed: int
) -> tuple[float, float]:
    """Return the 95 % interval of the median end."""
    tail = (1 - _LEVEL) / 2
    low, high = _by_order(ends)
    names, group = np.unique(session, return_inverse=True)
    if names.size > 1:
        rng = np.random.default_rng(seed)
        rows = [np.flatnonzero(group == each) for each in range(names.size)]
        medians = [
            float(np.median(ends[np.concatenate([rows[i] for i in drawn])]))
            for drawn in rng.integers(names.size, size=(_DRAWS, names.size))
        ]
        by_session = np.quantile(medians, [tail, 1 - tail])
        low, high = min(low, float(by_session[0])), max(high, float(by_session[1]))
    # an end is known to a step: it lies in the one that it is the end of
    return round(max(0.0, low - STEP_S), 3), round(high, 3)


def _by_order(ends: Float64) -> tuple[float, float]:
    """Return the interval of a median that the order of independent runs gives."""
    from scipy.stats import binom

    ordered = np.sort(ends)
    k = int(binom.ppf((1 - _LEVEL) / 2, ends.size, 0.5))
    below = max(0, k - 1)
    return float(ordered[below]), float(ordered[ends.size - 1 - below])
