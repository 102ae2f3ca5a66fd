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
    cells = np.where(hours.counts > 0, detection.score(hours), -1.0)
    return tuple(
        _alarm(
            detection,
            hours,
            (int(row), int(cells[row].argmax())),
            (user, detector),
            (float(scores[row]), float(p[row])),
        )
        for row in np.flatnonzero(chosen)
    )


def _alarm(
    detection: Detection,
    hours: Hours,
    cell: tuple[int, int],
    names: tuple[str, str],
    values: tuple[float, float],
) -> Alarm:
    row, column = cell
    device, activity = hours.names[column]
    start_ns = int(hours.start_ns[row])
    zone = check_zone(hours.events.zone)
    local = datetime.fromtimestamp(start_ns // 10**9, UTC).astimezone(zone)
    return Alarm(
        user=names[0],
        device=device,
        activity=activity,
        start_ns=start_ns,
        hour=local.isoformat(timespec="minutes"),
        score=values[0],
        p=values[1],
        detector=names[1],
        reason=detection.explain(hours, row, column),
    )
