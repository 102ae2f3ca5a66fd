"""The project's own classifier: three views of a window, each by what suits it best.

Random trees look at statistics and at how many packets of each length there were, a
forest that seeks the best threshold at statistics alone, a linear model at which
lengths follow each other. Where lengths are the same each time, the first and the last
are right, where they are random, the second is. How much each is believed is found on
training rows that were held out for it. Why it is made so: docs/decisions/0014.
"""

from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, clone

from analysis.classifiers import tokens
from analysis.classifiers.folds import dealt
from analysis.classifiers.linear import fit_linear, softmax
from analysis.classifiers.mixture import Mixture, fit_mixture, mixed
from analysis.classifiers.model import Classifier, Estimator, Float64, Labels, Reads
from analysis.classifiers.tokens import Int64
from analysis.classifiers.trees import Drawn, grown, mean_share

_TREES = 200
_GREEDY_SHARE = 0.5  # of as many trees are there on statistics alone
_LOOKED_AT = 0.2  # of the statistics at each threshold
_STRENGTH = 30.0
_SEEN_IN = 2  # rows; a length that one training row has says nothing of others
_MOST = 4_096  # columns of counts for the trees, which want them dense
_MOST_WORDS = 60_000
_FOLDS = 3
_HELD_OUT_SHARE = 0.4  # of as many trees are there while rows are held out
_TREE_ROWS = 2_000  # that a tree learns from, drawn anew for each where there are more
_BLOCK = 4_096  # rows that are looked at together


class Fusion(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # no types there
    """Weighted mean of two forests and of a linear model on the sequence.

    n_statistics  columns of x that are dense features; what follows is the sequence
                  block. None: all are features, and only the forests are asked
    n_trees       how many random trees, and half as many of the other forest
    strength      how much errors of the linear model weigh against large weights
    calibrated    whether weights and temperatures are found, by three more fits
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
        rows = self._parted(x)
        self._learn(rows, code, self.n_trees, seed)
        prior = self._prior()
        ones = np.ones(prior.size)
        found = Mixture(temperatures=ones, weights=prior, temperature=1.0)
        if self.calibrated and self.classes_.size > 1:
            folds = dealt(code, groups, _FOLDS, seed)
            found = fit_mixture(*self._held_out(rows, code, folds, seed), prior)
        self.part_temperatures_ = found.temperatures
        self.part_weights_ = found.weights
        self.temperature_ = found.temperature
        return self

    def predict_proba(self, x: Any) -> Float64:
        """Return (k, c) float64, columns as `classes_`, each row sums to 1."""
        from sklearn.utils.validation import check_is_fitted, validate_data

        check_is_fitted(self)
        x = validate_data(self, x, accept_sparse="csr", dtype=np.float64, reset=False)
        mixture = Mixture(
            temperatures=self.part_temperatures_,
            weights=self.part_weights_,
            temperature=self.temperature_,
        )
        blocks = [
            mixed(self._parts(self._parted(x[at : at + _BLOCK])), mixture)
            for at in range(0, x.shape[0], _BLOCK)
        ]
        return np.concatenate(blocks)

    def predict(self, x: Any) -> Labels:
        """Return (k,): the likeliest activity of each window."""
        shares = self.predict_proba(x)
        best: Labels = self.classes_[shares.argmax(axis=1)]
        return best

    def _learn(self, rows: "_Rows", code: Int64, n_trees: int, seed: int) -> None:
        from sklearn.tree import DecisionTreeClassifier, ExtraTreeClassifier

        n_classes = int(code.max()) + 1
        self.lengths_ = tokens.common(rows.singles, _SEEN_IN, _MOST)
        self.bins_ = tokens.common(rows.bins, _SEEN_IN, _MOST)
        # trees go through a column at a time
        seen = rows.dense(self.lengths_, self.bins_, "F")
        whole, n = code.size <= _TREE_ROWS, max(1, rows.statistics.shape[1])
        drawn = Drawn(n_rows=min(code.size, _TREE_ROWS), again=False)
        random = ExtraTreeClassifier(max_features="sqrt")
        self.forest_ = grown(
            random, seen, code, n_trees, seed, None if whole else drawn
        )
        drawn = Drawn(n_rows=min(code.size, _TREE_ROWS), again=True)
        best = DecisionTreeClassifier(max_features=_LOOKED_AT)
        n_best = max(1, int(_GREEDY_SHARE * n_trees))
        self.greedy_ = grown(best, seen[:, :n], code, n_best, seed, drawn)
        self.words_ = tokens.common(rows.words, 1, _MOST_WORDS)
        known = tokens.picked(rows.words, self.words_)
        self.rarity_ = tokens.rarity(known)
        self.weights_ = np.zeros((0, n_classes))
        self.intercept_ = np.zeros(n_classes)
        if self.words_.size and n_classes > 1:
            self.weights_, self.intercept_ = fit_linear(
                tokens.weighted(known, self.rarity_), code, n_classes, self.strength
            )

    def _parted(self, x: Any) -> "_Rows":
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
        singles = tokens.unigrams(words)
        return _Rows(
            statistics=dense, words=words, singles=singles, bins=tokens.coarse(singles)
        )

    def _prior(self) -> Float64:
        """Return how much each part is believed before any row was held out.

        One repeat of an activity is enough for lengths, hardly ever for thresholds.
        """
        if not self.weights_.size:
            return np.array((0.5, 0.5))
        return np.array((0.5, 0.0, 0.5))

    def _parts(self, rows: "_Rows") -> Float64:
        """Return (m, k, c) float64: what each part says, before any temperature."""
        seen = rows.dense(self.lengths_, self.bins_, "C")
        said = [mean_share(self.forest_, seen), mean_share(self.greedy_, seen)]
        if self.weights_.size:
            picked = tokens.picked(rows.words, self.words_)
            known = tokens.weighted(picked, self.rarity_)
            said.append(softmax(known @ self.weights_ + self.intercept_))
        return np.stack(said)

    def _held_out(
        self, rows: "_Rows", code: Int64, folds: Int64, seed: int
    ) -> tuple[Float64, Int64]:
        """Return what fresh parts say of rows they have not seen, and the truth.

        The truth is -1 for a class that only the rows held out have. The fresh parts
        have fewer trees: how much to believe a part needs no more.
        """
        n_parts, n_classes = self._prior().size, self.classes_.size
        n_trees = max(1, round(_HELD_OUT_SHARE * self.n_trees))
        shares, truth = np.zeros((n_parts, 0, n_classes)), np.zeros(0, np.int64)
        for fold in range(_FOLDS):
            held = np.flatnonzero(folds == fold)
            rest = np.flatnonzero(folds != fold)
            names, known = np.unique(code[rest], return_inverse=True)
            if not held.size or names.size < 2:
                continue
            fresh = clone(self)
            fresh._learn(rows.take(rest), known, n_trees, seed)
            said = fresh._parts(rows.take(held))
            if said.shape[0] != n_parts:
                continue
            found = np.zeros((n_parts, held.size, n_classes))
            found[:, :, names] = said
            shares = np.concatenate((shares, found), axis=1)
            mine = np.where(np.isin(code[held], names), code[held], -1)
            truth = np.concatenate((truth, mine))
        return shares, truth


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rows:
    """Windows as the parts look at them; what is in here was learnt from nothing.

    statistics  (k, f) float64;  words (k, v), singles (k, u), bins (k, w)  csr_array,
    counts of tokens, of single packets and of bins of lengths
    """

    statistics: Float64
    words: Any
    singles: Any
    bins: Any

    def take(self, rows: Int64) -> "_Rows":
        """Return some of the rows."""
        return _Rows(
            statistics=self.statistics[rows],
            words=self.words[rows],
            singles=self.singles[rows],
            bins=self.bins[rows],
        )

    def dense(
        self, lengths: Int64, bins: Int64, order: Literal["C", "F"]
    ) -> tokens.Float32:
        """Return what the trees look at, (k, f + l + b) float32."""
        k, n = self.statistics.shape
        seen = np.zeros((k, n + lengths.size + bins.size), np.float32, order)
        largest = np.finfo(np.float32).max
        seen[:, :n] = np.clip(self.statistics, -largest, largest)
        tokens.put(seen, n, tokens.picked(self.singles, lengths))
        tokens.put(seen, n + lengths.size, tokens.picked(self.bins, bins))
        return seen


def _make(seed: int) -> Estimator:
    from analysis.features.matrix import feature_names

    return Fusion(len(feature_names()), random_state=seed)


CLASSIFIERS = (
    Classifier(
        name="fusion",
        title="Fusion",
        make=_make,
        settings=f"{_TREES} trees on lengths, a forest on statistics, linear on pairs",
        reads=Reads.WINDOW,
    ),
)
