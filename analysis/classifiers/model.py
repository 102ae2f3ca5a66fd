"""What a classifier is: a scikit-learn estimator that is made fresh for each fold."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]
Labels = NDArray[np.str_]


class Estimator(Protocol):
    """The part of scikit-learn's classifiers that is used here.

    x  (k, f) float64, finite;  y  (k,) str, the activity of each window
    """

    classes_: Labels

    def fit(self, x: Float64, y: Labels) -> object:
        """Learn from windows whose activity is known."""

    def predict(self, x: Float64) -> Labels:
        """Return (k,) str: the likeliest activity of each window."""

    def predict_proba(self, x: Float64) -> Float64:
        """Return (k, c) float64, columns as `classes_`, each row sums to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Classifier:
    """A way to name the activity of a window.

    name      what people ask for, or `short`;  title  what tables show
    settings  what a reader of the table must know of it
    make      seed -> a fresh estimator; the same seed gives the same answers
    """

    name: str
    title: str
    make: Callable[[int], Estimator]
    short: str = ""
    settings: str = ""
