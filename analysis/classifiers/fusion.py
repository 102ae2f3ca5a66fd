"""The project's own classifier: two views of a window, each by what suits it best.

Trees look at statistics and at how many packets of each length there were; a linear
model looks at which lengths follow each other. What one of them cannot see, the other
often does, and the mean of their probabilities is right more often than either. The
mean is made neither too sure nor too shy by a temperature that is found on training
rows which were held out for it. Why it is made so: docs/decisions/0014.
"""

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, clone

from analysis.classifiers import tokens
from analysis.classifiers.folds import dealt
from analysis.classifiers.linear import fit_linear, softmax
from analysis.classifiers.model import Classifier, Estimator, Float64, Labels, Reads
from analysis.classifiers.temperature import fit_temperature, tempered
from analysis.classifiers.tokens import Int64

_TREES = 250
_STRENGTH = 30.0
_SEEN_IN = 2  # rows; a length that one training row has says nothing of others
_MOST = 4_096  # columns of counts for the trees, which want them dense
_MOST_WORDS = 60_000
_FOLDS = 3
_BLOCK = 4_096  # rows that are looked at together


class Fusion(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # no types there
    """Mean of extremely randomised trees and of a linear model on the sequence.

    n_statistics  columns of x that are dense features; what follows is the sequence
                  block. None: all are features, and only the trees are asked
    n_trees       how many trees
    strength      how much errors of the linear model weigh against large weights
    calibrated    whether a temperature is found, which takes three more fits
    random_state  seed, generator or None, as everywhere in scikit-learn
    """

    def __init__(
        self,
        n_statistics: int | None = None,
        *,
        n_trees: int = _TREES,
        strength: float = _STRENGTH,
        calibrated: bool = True,
        random_state: Any = None,
    ) -> None:
        self.n_statistics = n_statistics
        self.n_trees = n_trees
        self.strength = strength
        self.calibrated = calibrated
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def fit(self, x: Any, y: Any, groups: Any = None) -> Self:
        """Learn from windows whose activity is known.

        x       (k, f) array, or (k, f + v) csr_array of statistics and sequence
        groups  (k,) session of each window: none is on both sides when the temperature
                is found; without it, rows are held out at random

        Raises ValueError for input that is not as it must be.
        """
        from sklearn.utils import check_random_state
        from sklearn.utils.multiclass import check_classification_targets
        from sklearn.utils.validation import validate_data

        x, y = validate_data(self, x, y, accept_sparse="csr", dtype=np.float64)
        check_classification_targets(y)
        self.classes_, code = np.unique(y, return_inverse=True)
        rng = check_random_state(self.random_state)
        seed = int(rng.randint(2**31 - 1))
        self._learn(x, code, seed)
        self.temperature_ = 1.0
        if self.calibrated and self.classes_.size > 1:
            folds = dealt(code, groups, _FOLDS, seed)
            self.temperature_ = self._found_temperature(x, code, folds, seed)
        return self

    def predict_proba(self, x: Any) -> Float64:
        """Return (k, c) float64, columns as `classes_`, each row sums to 1."""
        from sklearn.utils.validation import check_is_fitted, validate_data

        check_is_fitted(self)
        x = validate_data(self, x, accept_sparse="csr", dtype=np.float64, reset=False)
        blocks = [
            self._mean(x[at : at + _BLOCK]) for at in range(0, x.shape[0], _BLOCK)
        ]
        return tempered(np.concatenate(blocks), self.temperature_)

    def predict(self, x: Any) -> Labels:
        """Return (k,): the likeliest activity of each window."""
        shares = self.predict_proba(x)
        best: Labels = self.classes_[shares.argmax(axis=1)]
        return best

    def _learn(self, x: Any, code: Int64, seed: int) -> None:
        from sklearn.ensemble import ExtraTreesClassifier

        statistics, words = self._parted(x)
        singles = tokens.unigrams(words)
        bins = tokens.coarse(singles)
        self.lengths_ = tokens.common(singles, _SEEN_IN, _MOST)
        self.bins_ = tokens.common(bins, _SEEN_IN, _MOST)
        seen = self._dense(statistics, singles, bins)
        forest = ExtraTreesClassifier(
            n_estimators=self.n_trees, random_state=seed, n_jobs=1
        )
        self.forest_ = forest.fit(seen, code)
        self.words_ = tokens.common(words, 1, _MOST_WORDS)
        known = tokens.picked(words, self.words_)
        self.rarity_ = tokens.rarity(known)
        self.weights_ = np.zeros((0, self.classes_.size))
        self.intercept_ = np.zeros(self.classes_.size)
        if self.words_.size and self.classes_.size > 1:
            self.weights_, self.intercept_ = fit_linear(
                tokens.weighted(known, self.rarity_),
                code,
                self.classes_.size,
                self.strength,
            )

    def _parted(self, x: Any) -> tuple[Float64, Any]:
        """Return the dense features, and the sequence as csr_array, be it empty."""
        from scipy.sparse import csr_array, issparse

        n = x.shape[1] if self.n_statistics is None else self.n_statistics
        if not 0 <= n <= x.shape[1]:
            raise ValueError(f"n_statistics is {n}, but x has {x.shape[1]} columns")
        rows = csr_array(x) if issparse(x) else csr_array(x[:, n:])
        rows.sum_duplicates()
        rows.eliminate_zeros()
        dense, words = tokens.split(rows, n) if issparse(x) else (x[:, :n], rows)
        if words.data.min(initial=0.0) < 0.0:
            raise ValueError("Negative values in data passed as counts of tokens")
        return dense, words

    def _dense(self, statistics: Float64, singles: Any, bins: Any) -> tokens.Float32:
        """Return what the trees look at, (k, f + l + b) float32."""
        largest = np.finfo(np.float32).max
        parts = (
            np.clip(statistics, -largest, largest),
            tokens.picked(singles, self.lengths_).toarray(),
            tokens.picked(bins, self.bins_).toarray(),
        )
        return np.hstack(parts).astype(np.float32)

    def _mean(self, x: Any) -> Float64:
        """Return (k, c) float64: the mean of both parts, before the temperature."""
        statistics, words = self._parted(x)
        singles = tokens.unigrams(words)
        seen = self._dense(statistics, singles, tokens.coarse(singles))
        shares = np.zeros((x.shape[0], self.classes_.size))
        for tree in self.forest_.estimators_:
            shares += tree.tree_.predict(seen)
        shares /= len(self.forest_.estimators_)
        if not self.weights_.size:
            return shares
        known = tokens.weighted(tokens.picked(words, self.words_), self.rarity_)
        return (shares + softmax(known @ self.weights_ + self.intercept_)) / 2.0

    def _found_temperature(self, x: Any, code: Int64, folds: Int64, seed: int) -> float:
        """Return the temperature that suits rows which a fresh fit has not seen."""
        shares, truth = [], []
        for fold in range(_FOLDS):
            held = np.flatnonzero(folds == fold)
            rest = np.flatnonzero(folds != fold)
            names, known = np.unique(code[rest], return_inverse=True)
            if not held.size or names.size < 2:
                continue
            fresh = clone(self).set_params(calibrated=False, random_state=seed)
            fresh.fit(x[rest], known)
            found = np.zeros((held.size, self.classes_.size))
            found[:, names] = fresh.predict_proba(x[held])
            shares.append(found)
            truth.append(np.where(np.isin(code[held], names), code[held], -1))
        if not shares:
            return 1.0
        return fit_temperature(np.concatenate(shares), np.concatenate(truth))


def _make(seed: int) -> Estimator:
    from analysis.features.matrix import feature_names

    return Fusion(len(feature_names()), random_state=seed)


CLASSIFIERS = (
    Classifier(
        name="fusion",
        title="Fusion",
        make=_make,
        settings=f"{_TREES} trees on statistics and lengths, linear on sequences",
        reads=Reads.WINDOW,
    ),
)
