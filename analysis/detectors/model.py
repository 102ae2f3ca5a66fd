"""What a detector is: it learns what is usual, then says how strange a point is."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]


class Detection(Protocol):
    """A detector that can learn and score.

    x  (n, 2) float64: hour of day 0..23, events of one activity in that hour
    """

    def fit(self, x: Float64) -> object:
        """Learn what is usual from the owner's hours."""

    def score(self, x: Float64) -> Float64:
        """Return (n,) float64, finite, higher is stranger, an alarm above 1.

        Scoring does not learn.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Detector:
    """A way to notice strange behaviour.

    name   what people ask for;  title  what pictures show
    make   seed -> a fresh detector; the same seed gives the same scores
    """

    name: str
    title: str
    make: Callable[[int], Detection]
