"""Nearest neighbours on scaled window statistics, the paper's second classifier."""

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

from analysis.classifiers.model import Classifier, Estimator, Float64, Labels

_NEIGHBOURS = 5  # scikit-learn's default; the paper names no other


class Nearest(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # no types there
    """kNN behind a scaler that has seen the training rows only.

    With fewer training rows than neighbours, all of them are asked.
    """

    def __init__(self, n_neighbors: int = _NEIGHBOURS) -> None:
        self.n_neighbors = n_neighbors

    def fit(self, x: Any, y: Any) -> Self:
        """Learn scale and rows."""
        from sklearn.neighbors import KNeighborsClassifier
        from sklearn.preprocessing import StandardScaler
        from sklearn.utils.multiclass import check_classification_targets
        from sklearn.utils.validation import validate_data

        x, y = validate_data(self, x, y, dtype=np.float64)
        check_classification_targets(y)
        self.scaler_ = StandardScaler().fit(x)
        neighbours = KNeighborsClassifier(min(self.n_neighbors, len(x)), n_jobs=1)
        self.neighbours_ = neighbours.fit(self.scaler_.transform(x), y)
        self.classes_: Labels = self.neighbours_.classes_
        return self

    def predict(self, x: Any) -> Labels:
        """Return the activity that most of the nearest windows have."""
        scaled = self._scaled(x)
        return np.asarray(self.neighbours_.predict(scaled))

    def predict_proba(self, x: Any) -> Float64:
        """Return the share of each activity among the nearest windows."""
        scaled = self._scaled(x)
        return np.asarray(self.neighbours_.predict_proba(scaled))

    def _scaled(self, x: Any) -> Float64:
        from sklearn.utils.validation import check_is_fitted, validate_data

        check_is_fitted(self)
        x = validate_data(self, x, reset=False, dtype=np.float64)
        return np.asarray(self.scaler_.transform(x))


def _make(seed: int) -> Estimator:
    del seed  # nothing here is random
    return Nearest()


CLASSIFIERS = (
    Classifier(
        name="nearest",
        title="kNN",
        make=_make,
        short="knn",
        settings=f"{_NEIGHBOURS} neighbours, scaled features",
    ),
)
