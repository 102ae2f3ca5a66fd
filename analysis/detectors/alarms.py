"""Alarms: which hours are too strange, at a stated rate of false ones, and why."""

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from analysis.detectors.conformal import Usual, weekly_discoveries
from analysis.detectors.events import check_zone
from analysis.detectors.hours import Hours
from analysis.detectors.model import Detection
from analysis.errors import RequestError


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """An hour that is too strange, and its strangest activity.

    start_ns  when the hour begins, UTC
    hour      the same on the clock of the zone, ISO 8601
    p         how often an hour is as strange, usually
    reason    in words
    """

    user: str
    device: str
    activity: str
    start_ns: int
    hour: str
    score: float
    p: float
    detector: str
    reason: str


def find_alarms(
    detection: Detection,
    hours: Hours,
    *,
    detector: str,
    user: str = "",
    fdr: float | None = None,
) -> tuple[Alarm, ...]:
    """Return the alarms of a detector that has learnt, in order of time.

    user  whose hours they are
    fdr   share of false ones among the alarms of a week (Benjamini and Hochberg on
          p-values with an exponential tail); by default the detector's own threshold
    Raises RequestError for a rate that is not between 0 and 1.
    """
    if fdr is not None and not 0 < fdr < 1:
        raise RequestError(f"a rate of false discoveries lies in (0, 1), not at {fdr}")
    scores = detection.hour_scores(hours)
    p = Usual.of(detection.usual_).tail_p_values(scores)
    if fdr is None:
        chosen = detection.predict(hours) < 0
    else:
        chosen = weekly_discoveries(p, hours.day, fdr)
    chosen &= hours.total > 0
    cells = detection.score(hours)
    zone = check_zone(hours.events.zone)
    found = []
    for row in np.flatnonzero(chosen):
        column = int(np.where(hours.counts[row] > 0, cells[row], -1.0).argmax())
        device, activity = hours.names[column]
        start_ns = int(hours.start_ns[row])
        local = datetime.fromtimestamp(start_ns // 10**9, UTC).astimezone(zone)
        found.append(
            Alarm(
                user=user,
                device=device,
                activity=activity,
                start_ns=start_ns,
                hour=local.isoformat(timespec="minutes"),
                score=float(scores[row]),
                p=float(p[row]),
                detector=detector,
                reason=detection.explain(hours, int(row), column),
            )
        )
    return tuple(found)
