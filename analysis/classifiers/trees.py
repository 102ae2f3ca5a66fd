"""Decision trees of scikit-learn as a few flat arrays, asked all at once.

scikit-learn takes some microseconds per tree and question, which for hundreds of trees
and one window is more than all else. Flat, they are also less to store, and a file can
be checked before anything follows its numbers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.classifiers.model import Float64
from analysis.features.model import read_only
from analysis.pcap.jit import kernel

Float32 = NDArray[np.float32]
Int32 = NDArray[np.int32]
# root      (t,) int32, the first node of each tree
# feature   (n,) int32, the column that a node looks at; of a leaf, LEAF
# threshold (n,) float64; what is not above it goes to the left
# left      (n,) int32, the node to go to; of a leaf, its row of `share`
# right     (n,) int32, the node to go to; of a leaf, LEAF
# share     (s, c) float64, of each class among the rows of a leaf
Trees = Mapping[str, NDArray[Any]]
LEAF = -1
_NUMBERS = ("root", "feature", "left", "right")


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """From how many rows each tree learns, and whether a row may be drawn again."""

    n_rows: int
    again: bool


def grown(
    tree: Any,
    x: Float32,
    code: NDArray[np.int64],
    n_trees: int,
    seed: int,
    drawn: Drawn | None = None,
) -> dict[str, NDArray[Any]]:
    """Return trees that learnt rows, as a forest of scikit-learn has them, but flat.

    tree   a tree of scikit-learn, with its settings;  drawn  None: all rows, once
    x      (k, f) float32, quickest with columns in one piece;  code  (k,) 0 ... c - 1

    The forest of scikit-learn looks at the signature of a tree five times per tree,
    which takes as long as a tree of some hundred rows.
    """
    from sklearn import config_context

    rng = np.random.default_rng(seed)
    kind, settings = type(tree), tree.get_params()
    made = []
    with config_context(skip_parameter_validation=True):
        for each in rng.integers(2**31 - 1, size=n_trees).tolist():
            fresh = kind(**{**settings, "random_state": each})
            weight = None if drawn is None else _weight(rng, code.size, drawn)
            made.append(fresh.fit(x, code, sample_weight=weight, check_input=False))
    return flat(made)


def _weight(rng: np.random.Generator, n_rows: int, drawn: Drawn) -> Float64:
    """Return (n_rows,) float64, how often each row was drawn."""
    rows = rng.choice(n_rows, drawn.n_rows, replace=drawn.again)
    return np.bincount(rows, minlength=n_rows).astype(np.float64)


def flat(trees: Sequence[Any]) -> dict[str, NDArray[Any]]:
    """Return fitted trees of scikit-learn, of the same classes, as flat arrays."""
    made = [each.tree_ for each in trees]
    sizes = np.array([each.node_count for each in made])
    root = np.concatenate((np.zeros(1, np.int64), np.cumsum(sizes)[:-1]))
    offset = np.repeat(root, sizes)
    left = np.concatenate([each.children_left for each in made])
    is_leaf = left == LEAF
    values = np.concatenate([each.value[:, 0, :] for each in made])[is_leaf]
    # most leaves hold one class only, and share the row that says so
    n_classes, is_mixed = values.shape[1], values.max(axis=1) < 1.0
    row = values.argmax(axis=1)
    row[is_mixed] = n_classes + np.arange(is_mixed.sum())
    left = left + offset
    left[is_leaf] = row
    right = np.concatenate([each.children_right for each in made])
    feature = np.concatenate([each.feature for each in made])
    threshold = np.concatenate([each.threshold for each in made])
    return {
        "root": root.astype(np.int32),
        "feature": np.where(is_leaf, LEAF, feature).astype(np.int32),
        "threshold": np.where(is_leaf, 0.0, threshold),
        "left": left.astype(np.int32),
        "right": np.where(is_leaf, LEAF, right + offset).astype(np.int32),
        "share": np.concatenate((np.eye(n_classes), values[is_mixed])),
    }


def mean_share(trees: Trees, x: Float32) -> Float64:
    """Return (k, c) float64: what `predict_proba` of the forest returns, to the bit.

    x  (k, f) float32, rows in one piece are quickest
    """
    total = np.zeros((x.shape[0], trees["share"].shape[1]))
    # compiled for one kind of array only; a file may hold others
    _add_shares(
        read_only(x, np.float32),
        read_only(trees["root"], np.int32),
        read_only(trees["feature"], np.int32),
        read_only(trees["threshold"], np.float64),
        read_only(trees["left"], np.int32),
        read_only(trees["right"], np.int32),
        read_only(trees["share"], np.float64),
        total,
    )
    total /= trees["root"].size
    return total


def lead_down(trees: Trees, n_columns: int) -> bool:
    """Say whether each way through the trees ends at a share, within n columns.

    For trees of a file, before anything is asked of them.
    """
    if not _like_ours(trees):
        return False
    node = np.arange(trees["feature"].size)
    inner = trees["feature"] != LEAF
    feature, shares = trees["feature"][inner], trees["left"][~inner]
    ends = np.stack((trees["left"][inner], trees["right"][inner]))
    return bool(
        trees["root"].size
        and _within(trees["root"], 0, node.size)
        and _within(feature, 0, n_columns)
        and _within(shares, 0, trees["share"].shape[0])
        and _within(ends, node[inner] + 1, node.size)
    )


def _like_ours(trees: Trees) -> bool:
    """Say whether arrays are of the types and lengths that a kernel reckons with."""
    size = trees["feature"].shape
    whole = all(trees[name].dtype == np.int32 for name in _NUMBERS)
    return (
        whole
        and trees["threshold"].dtype == trees["share"].dtype == np.float64
        and trees["root"].ndim == trees["feature"].ndim == 1
        and trees["share"].ndim == 2
        and all(trees[each].shape == size for each in ("threshold", "left", "right"))
    )


def _within(numbers: Int32, low: Any, high: int) -> bool:
    return bool(((numbers >= low) & (numbers < high)).all())


@kernel
def _add_shares(
    x: Float32,
    root: Int32,
    feature: Int32,
    threshold: Float64,
    left: Int32,
    right: Int32,
    share: Float64,
    total: Float64,
) -> None:
    """Add to each row of `total` the shares of the leaves that a row of x ends in."""
    for i in range(x.shape[0]):
        for tree in range(root.size):
            node = root[tree]
            while feature[node] >= 0:
                if x[i, feature[node]] <= threshold[node]:
                    node = left[node]
                else:
                    node = right[node]
            for k in range(share.shape[1]):
                total[i, k] += share[left[node], k]
