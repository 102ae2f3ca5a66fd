"""How much of a window is made of packets that its activity was never seen to have."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from analysis.classifiers import tokens
from analysis.classifiers.model import Float64, Labels

Int64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Novelty:
    """The signed lengths of each activity, by destination class.

    classes  names, in the order of a classifier's columns
    seen     per class (m,) int64, columns of the sequence block, sorted
    """

    classes: tuple[str, ...]
    seen: tuple[Int64, ...]

    @classmethod
    def learn(cls, sequence: Any, y: Labels, classes: Sequence[str]) -> Self:
        """Note which lengths the windows of each activity have.

        sequence  (k, v) csr_array;  y  (k,) str, of which all are in `classes`
        """
        singles = tokens.unigrams(sequence)
        names = np.asarray(y)
        seen = tuple(np.unique(singles[names == name].indices) for name in classes)
        return cls(
            classes=tuple(str(name) for name in classes),
            seen=tuple(each.astype(np.int64) for each in seen),
        )

    def shares(self, sequence: Any, column: Int64) -> Float64:
        """Return (k,) float64, 0 ... 1: packets of a length that is new to the class.

        column   (k,) int64, the class that each window is taken for

        A window without packets has nothing new.
        """
        singles = tokens.unigrams(sequence)
        new = np.zeros(singles.shape[0])
        for each in np.unique(column):
            rows = np.flatnonzero(column == each)
            part = singles[rows]
            known = tokens.picked(part, self.seen[each]).sum(axis=1)
            total = part.sum(axis=1)
            new[rows] = (total - known) / np.maximum(total, 1.0)
        return new
