"""Ask an estimator for a few windows without what scikit-learn takes for each tree."""

from typing import Any

import numpy as np

from analysis.classifiers.model import Estimator, Float64


def shares_of(estimator: Estimator, given: Any) -> Float64:
    """Return (k, c) float64, what `predict_proba` returns, to the bit.

    given  (k, f) as the estimator reads it

    A forest checks and hands out the rows tree by tree, which takes ten times as long
    as the trees take to answer for one.
    """
    from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier

    forest: Any = estimator
    is_forest = type(forest) in (RandomForestClassifier, ExtraTreesClassifier)
    if is_forest and isinstance(given, np.ndarray):
        with np.errstate(over="ignore"):
            rows = given.astype(np.float32)
        # else it is for scikit-learn to say what is wrong
        if rows.shape[1:] == (forest.n_features_in_,) and np.isfinite(rows).all():
            total = np.zeros((len(rows), len(forest.classes_)))
            for tree in forest.estimators_:
                total += tree.tree_.predict(rows)
            total /= len(forest.estimators_)
            return total
    return np.asarray(estimator.predict_proba(given), dtype=np.float64)
