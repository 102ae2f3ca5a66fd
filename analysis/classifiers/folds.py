"""Which training rows are held out together, to be calibrated on."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Int64 = NDArray[np.int64]


def dealt(y: Any, groups: Any, n_folds: int, seed: int) -> Int64:
    """Return (k,) int64, the fold of each row.

    groups  (k,) names of groups, of which none is in two folds. None, or where most
            rows are of a class that one group alone has (nothing could be learnt of it
            while that is held out): rows are dealt out at random, each class evenly
    """
    rng = np.random.default_rng(seed)
    y = np.asarray(y)
    folds = np.empty(y.size, dtype=np.int64)
    group = np.zeros(y.size, dtype=np.int64)
    if groups is not None:
        _names, group = np.unique(np.asarray(groups), return_inverse=True)
    if _mostly_alone(y, group):
        order = rng.permutation(y.size)
        order = order[np.argsort(y[order], kind="stable")]
        folds[order] = np.arange(y.size) % n_folds
        return folds
    sizes, held = np.bincount(group), np.zeros(n_folds)
    for each in rng.permutation(sizes.size):
        folds[group == each] = held.argmin()
        held[held.argmin()] += sizes[each]
    return folds


def _mostly_alone(y: NDArray[Any], group: Int64) -> bool:
    """Say whether most rows are of a class that is in one group only."""
    _names, code = np.unique(y, return_inverse=True)
    width = int(group.max(initial=0)) + 1
    pairs = np.unique(code * width + group)
    n_groups = np.bincount(pairs // width, minlength=code.max(initial=0) + 1)
    return bool((n_groups[code] < 2).mean() > 0.5) if code.size else True
