"""What a classifier is: a scikit-learn estimator that is made fresh for each fold."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from analysis.windows import UNKNOWN

__all__ = [
    "UNKNOWN",
    "Classifier",
    "Estimator",
    "Float64",
    "Labels",
    "Reads",
    "inputs_of",
]

Float64 = NDArray[np.float64]
Labels = NDArray[np.str_]


class Reads(StrEnum):
    """What of a window a classifier is given."""

    STATISTICS = "statistics"  # (k, f) array of the dense features
    WINDOW = "window"  # (k, f + v) csr_array: the same, then the sequence block


def inputs_of(x: Float64, sequence: Any, reads: Reads) -> Any:
    """Return what a classifier is given of k windows.

    x         (k, f) float64;  sequence  (k, v) csr_array, None where it was not made
    returns   x, or (k, f + v) csr_array

    Raises ValueError when the sequence is needed and not there.
    """
    if reads is Reads.STATISTICS:
        return x
    from scipy.sparse import csr_array, hstack

    if sequence is None:
        raise ValueError("these windows were made without their sequence")
    return hstack((csr_array(x), sequence), format="csr")


class Estimator(Protocol):
    """The part of scikit-learn's classifiers that is used here.

    x  (k, f) float64, finite, or csr_array, as `Classifier.reads` says
    y  (k,) str, the activity of each window
    """

    classes_: Labels

    def fit(self, x: Any, y: Labels) -> object:
        """Learn from windows whose activity is known."""

    def predict(self, x: Any) -> Labels:
        """Return (k,) str: the likeliest activity of each window."""

    def predict_proba(self, x: Any) -> Float64:
        """Return (k, c) float64, columns as `classes_`, each row sums to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Classifier:
    """A way to name the activity of a window.

    name      what people ask for, or `short`;  title  what tables show
    settings  what a reader of the table must know of it
    make      seed -> a fresh estimator; the same seed gives the same answers
    reads     what its estimators are given as x
    """

    name: str
    title: str
    make: Callable[[int], Estimator]
    short: str = ""
    settings: str = ""
    reads: Reads = Reads.STATISTICS
