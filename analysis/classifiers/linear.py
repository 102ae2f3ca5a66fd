"""Multinomial logistic regression on sparse rows, quick also where rows are few.

With fewer rows than columns, the best weights are a sum of rows (the penalty sees to
that), so that as many numbers per class have to be found as there are rows.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.classifiers.model import Float64

_FEW = 1_500  # rows; above, the decomposition costs more than it saves
_ITERATIONS = 200


def softmax(scores: Float64) -> Float64:
    """Return (k, c) float64, rows sum to 1."""
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    whole: Float64 = shares / shares.sum(axis=1, keepdims=True)
    return whole


def fit_linear(
    x: Any, y: NDArray[np.int64], n_classes: int, strength: float
) -> tuple[Float64, Float64]:
    """Return weights (v, c) and intercepts (c,) such that softmax(x w + b) says y.

    x         (k, v) csr_array;  y  (k,) int64, each of 0 ... c - 1 is there, c > 1
    strength  how much errors weigh against the size of weights
    """
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    learner = LogisticRegression(C=strength, max_iter=_ITERATIONS, tol=1e-3)
    # threads that wait for each other take longer than products as small as these
    with threadpool_limits(1):
        return _fitted(learner, x, y, n_classes)


def _fitted(
    learner: Any, x: Any, y: NDArray[np.int64], n_classes: int
) -> tuple[Float64, Float64]:
    few = x.shape[0] <= min(_FEW, x.shape[1])
    rows, basis = _reduced(x) if few else (x, None)
    learner.fit(rows, y)
    weights, intercept = learner.coef_.T, learner.intercept_
    if basis is not None:
        weights = x.T @ (basis @ weights)
    if n_classes == 2:  # scikit-learn has one column for two classes
        weights = np.hstack((-weights, weights)) / 2.0
        intercept = np.concatenate((-intercept, intercept)) / 2.0
    return np.ascontiguousarray(weights), intercept


def _reduced(x: Any) -> tuple[Float64, Float64]:
    """Return rows z (k, r) with the inner products of x, and b such that z = x x' b."""
    inner = (x @ x.T).toarray()
    size, direction = np.linalg.eigh(inner)
    kept = size > max(size[-1], 0.0) * 1e-10
    size, direction = size[kept], direction[:, kept]
    root = np.sqrt(size)
    return direction * root, direction / root
