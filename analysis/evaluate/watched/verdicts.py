"""What detectors that have learnt say of hours: how strange, and which are alarms."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

import analysis.detectors
from analysis.detectors.conformal import weekly_discoveries
from analysis.detectors.hours import Hours
from analysis.detectors.model import Detection, Detector, Float64
from analysis.errors import RequestError
from analysis.evaluate.watched.spans import Split
from analysis.registry import discover, find

PAPER = "kmeans_paper"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What one detector says.

    cells   (h, a) float64, how strange each activity of each hour is
    scores  (h,) float64, how strange each hour is
    p       (h,) float64, how often a usual hour is as strange
    alarms  (h,) bool
    """

    detector: str
    title: str
    detection: Detection
    hours: Hours
    cells: Float64
    scores: Float64
    p: Float64
    alarms: np.ndarray


def detectors_of(names: Sequence[str]) -> tuple[Detector, ...]:
    """Return the detectors of these names. Raises RequestError for one that is none."""
    known = discover(analysis.detectors, "DETECTORS")
    return tuple(find(known, name, "detector") for name in dict.fromkeys(names))


def check_rate(rate: float | None) -> None:
    """Raise RequestError for a false-discovery rate that is not between 0 and 1."""
    if rate is not None and not 0 < rate < 1:
        raise RequestError(f"a rate of false discoveries lies in (0, 1), not at {rate}")


def learnt(detector: Detector, hours: Hours, seed: int) -> Detection:
    """Return a detector that has learnt from hours without an intruder."""
    return detector.make(seed).fit(hours)


def verdict(
    detector: Detector, split: Split, *, seed: int = 0, rate: float | None = None
) -> Verdict:
    """Learn and score.

    rate  false-discovery rate of the alarms in a week; None for the detector's own
          threshold, which one usual hour in five days exceeds
    """
    detection = learnt(detector, split.learn, seed)
    return judged(detector, detection, split.score, rate)


def judged(
    detector: Detector, detection: Detection, hours: Hours, rate: float | None
) -> Verdict:
    """Score hours by a detector that has learnt; see `verdict`.

    Raises RequestError for a rate that is not between 0 and 1.
    """
    check_rate(rate)
    return decided(detector, detection, hours, detection.judge(hours), rate)


def decided(
    detector: Detector,
    detection: Detection,
    hours: Hours,
    told: tuple[Float64, Float64],
    rate: float | None,
) -> Verdict:
    """Say which hours are alarms.

    told  cells and scores of the hours, as `Detection.judge` returns them
    """
    cells, scores = told
    p = detection.p_values(scores)
    if rate is None:
        alarms = scores > -detection.offset_
    else:
        alarms = weekly_discoveries(p, hours.day, rate)
    return Verdict(
        detector=detector.name,
        title=detector.title,
        detection=detection,
        hours=hours,
        cells=cells,
        scores=scores,
        p=p,
        alarms=alarms & (hours.total > 0),
    )
