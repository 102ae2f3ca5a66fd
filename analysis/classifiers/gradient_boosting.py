"""Boosted trees on binned window statistics: the second opinion, of another kind.

No early stopping: it would hold out rows at random, across sessions.
"""

from analysis.classifiers.model import Classifier, Estimator

# Fewer rounds than the 100 of scikit-learn, at twice its rate: each round holds a tree
# per activity, and one window is to be answered in less than 5 ms.
_ROUNDS = 40
_RATE = 0.2
_LEAF = 5  # rows; the default of 20 learns nothing from few repeats of an activity


def _make(seed: int) -> Estimator:
    from sklearn.ensemble import HistGradientBoostingClassifier

    boosted: Estimator = HistGradientBoostingClassifier(
        max_iter=_ROUNDS,
        learning_rate=_RATE,
        min_samples_leaf=_LEAF,
        early_stopping=False,
        random_state=seed,
    )
    return boosted


CLASSIFIERS = (
    Classifier(
        name="gradient_boosting",
        title="Gradient boosting",
        make=_make,
        short="hgb",
        settings=f"{_ROUNDS} rounds",
    ),
)
