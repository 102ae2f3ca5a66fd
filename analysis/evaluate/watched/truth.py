"""Who was malicious, where a simulation knows it: for scores, never for learning."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.detectors.hours import DAY_NS, HOUR_NS, Hours
from analysis.detectors.model import Float64
from analysis.evaluate.behaviour.curves import average_precision
from analysis.features.model import Int64

_EPISODE_NS = 12 * HOUR_NS  # acts of one intruder farther apart are two attacks


@dataclass(frozen=True, slots=True, kw_only=True)
class Attack:
    """What one intruder did in a row.

    time_ns  (n,) int64 UTC, in order
    """

    user: str
    time_ns: Int64


def attacks_of(
    acts: Mapping[str, Sequence[int]], whole: Collection[str] = ()
) -> tuple[Attack, ...]:
    """Part the acts of each intruder (stamps, ns UTC) into attacks, by time.

    whole  intruders whose acts are one attack, however far apart they are
    """
    found = []
    for user, stamps in acts.items():
        time_ns = np.sort(np.array(stamps, dtype=np.int64))
        apart = (np.diff(time_ns) > _EPISODE_NS) & (user not in whole)
        cuts = np.flatnonzero(apart) + 1
        parts = np.split(time_ns, cuts) if time_ns.size else []
        found += [Attack(user=user, time_ns=part) for part in parts]
    return tuple(sorted(found, key=lambda a: (int(a.time_ns[0]), a.user)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """How well strange hours were found.

    auprc     average precision over hours; NaN without malicious or without other hours
    base      share of malicious hours: what guessing reaches
    caught, attacks  attacks with an alarm in one of their hours, and all
    delay_h   median hours from the first act to the end of the first hour with an alarm
    false     alarms in hours without malicious acts
    weeks     watched
    """

    auprc: float
    base: float
    hours: int
    malicious: int
    noticed: int
    caught: int
    attacks: int
    delay_h: float
    false: int
    weeks: float

    @property
    def false_per_week(self) -> float:
        """Alarms in benign hours per week."""
        return self.false / self.weeks if self.weeks else float("nan")


def score_hours(
    hours: Hours, scores: Float64, alarms: np.ndarray, attacks: Sequence[Attack]
) -> Found:
    """Compare scores and alarms with what is known."""
    bad = malicious_hours(hours, attacks)
    both = bad.any() and not bad.all()
    caught, delays = 0, []
    for attack in attacks:
        rows = _rows(hours, attack.time_ns)
        hit = rows[alarms[rows]]
        if hit.size:
            caught += 1
            delays.append(int(hours.end_ns[hit.min()] - attack.time_ns[0]) / HOUR_NS)
    span_ns = int((hours.end_ns - hours.start_ns).sum())
    return Found(
        auprc=average_precision(bad, scores) if both else float("nan"),
        base=float(bad.mean()) if bad.size else float("nan"),
        hours=len(hours),
        malicious=int(bad.sum()),
        noticed=int((bad & alarms).sum()),
        caught=caught,
        attacks=len(attacks),
        delay_h=float(np.median(delays)) if delays else float("nan"),
        false=int((alarms & ~bad).sum()),
        weeks=span_ns / (7 * DAY_NS),
    )


def malicious_hours(hours: Hours, attacks: Sequence[Attack]) -> np.ndarray:
    """Return (h,) bool: an intruder acted in it."""
    bad = np.zeros(len(hours), dtype=bool)
    for attack in attacks:
        bad[_rows(hours, attack.time_ns)] = True
    return bad


def _rows(hours: Hours, time_ns: Int64) -> Int64:
    rows = np.searchsorted(hours.start_ns, time_ns, side="right") - 1
    inside = (rows >= 0) & (time_ns < hours.end_ns[np.maximum(rows, 0)])
    return np.unique(rows[inside])
