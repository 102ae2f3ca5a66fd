"""Nearest neighbours on scaled window statistics, the paper's second classifier."""

import numpy as np

from analysis.classifiers.model import Classifier, Estimator, Float64, Labels

_NEIGHBOURS = 5  # scikit-learn's default; the paper names no other


class Nearest:
    """kNN behind a scaler that has seen the training rows only.

    With fewer training rows than neighbours, all of them are asked.
    """

    classes_: Labels

    def fit(self, x: Float64, y: Labels) -> "Nearest":
        """Learn scale and rows."""
        from sklearn.neighbors import KNeighborsClassifier
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        neighbours = KNeighborsClassifier(min(_NEIGHBOURS, len(x)), n_jobs=1)
        self._pipeline = make_pipeline(StandardScaler(), neighbours).fit(x, y)
        self.classes_ = self._pipeline.classes_
        return self

    def predict(self, x: Float64) -> Labels:
        """Return the activity that most of the nearest windows have."""
        return np.asarray(self._pipeline.predict(x))

    def predict_proba(self, x: Float64) -> Float64:
        """Return the share of each activity among the nearest windows."""
        return np.asarray(self._pipeline.predict_proba(x))


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
