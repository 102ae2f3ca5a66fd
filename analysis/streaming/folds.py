"""Which sessions are held out together when something is learnt only to be scored."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.streaming.gather import Acts, Quiet

Int64 = NDArray[np.int64]

_FOLDS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Folds:
    """What is held out together; time belongs to the act that was the latest then.

    start_ns  (m,) int64, of each act, in order;  fold  (m,) int64, from 0 to n - 1
    """

    start_ns: Int64
    fold: Int64
    n: int

    def at(self, stamps_ns: Int64) -> Int64:
        """Return (k,) int64: the fold of each stamp."""
        before = np.searchsorted(self.start_ns, stamps_ns, side="right") - 1
        found: Int64 = self.fold[np.maximum(before, 0)]
        return found

    def without(self, number: int, acts: Acts, quiet: Quiet) -> tuple[Acts, Quiet]:
        """Return what was done, and where nothing was, outside of a fold."""
        spans = np.array([start for start, _end in quiet.spans_ns], dtype=np.int64)
        kept = np.flatnonzero(self.at(spans) != number).tolist()
        return (
            acts.take(self.at(acts.start_ns) != number),
            Quiet(spans_ns=tuple(quiet.spans_ns[row] for row in kept)),
        )


def folds_of(acts: Acts) -> Folds:
    """Deal sessions to folds in order of time; stretches where there is only one."""
    part = acts.session
    if np.unique(part[acts.is_label]).size < 2:
        part = (np.arange(len(acts)) * 2 * _FOLDS // max(len(acts), 1)).astype(np.str_)
    _names, first, number = np.unique(part, return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first))[number]
    n = min(_FOLDS, first.size)
    return Folds(start_ns=acts.start_ns, fold=rank % max(n, 1), n=n)
