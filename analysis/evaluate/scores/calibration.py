"""Do probabilities mean what they say: calibration error, Brier score, log-loss."""

from dataclasses import dataclass

import numpy as np

from analysis.evaluate.samples import Strings
from analysis.features.model import Float64

_BINS = 10
_LEAST = 1e-12  # a probability of 0 that comes true would cost without bound


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One bin of the reliability diagram: n answers of about one confidence."""

    confidence: float
    accuracy: float
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """How far probabilities can be believed.

    ece       mean distance of confidence and accuracy over bins of equal mass
    brier     mean squared distance of all probabilities from what came true, 0 to 2
    log_loss  mean -ln of the probability of what came true
    points    the bins, the least confident first
    """

    ece: float
    brier: float
    log_loss: float
    points: tuple[Point, ...]


def calibration_of(
    truth: Strings, probability: Float64, classes: tuple[str, ...]
) -> Calibration:
    """Score probabilities.

    truth  (n,) str;  probability  (n, c), columns as `classes`. What is true but among
    no class had probability 0.
    """
    hits = truth[:, None] == np.array(classes, dtype=np.str_)
    confidence = probability.max(axis=1)
    right = hits[np.arange(truth.size), probability.argmax(axis=1)]
    of_truth = np.where(hits, probability, 0).sum(axis=1)
    missing = ~hits.any(axis=1)
    points = _bins(confidence, right)
    return Calibration(
        ece=sum(p.n * abs(p.confidence - p.accuracy) for p in points) / truth.size,
        brier=float(((probability - hits) ** 2).sum(axis=1).mean() + missing.mean()),
        log_loss=float(-np.log(np.maximum(of_truth, _LEAST)).mean()),
        points=points,
    )


def _bins(confidence: Float64, right: np.ndarray) -> tuple[Point, ...]:
    order = np.argsort(confidence, kind="stable")
    parts = np.array_split(order, min(_BINS, order.size))
    return tuple(
        Point(
            confidence=float(confidence[part].mean()),
            accuracy=float(right[part].mean()),
            n=int(part.size),
        )
        for part in parts
    )
