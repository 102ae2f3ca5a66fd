"""Random forest on window statistics (Breiman 2001), the paper's first classifier."""

from analysis.classifiers.model import Classifier, Estimator

# scikit-learn's default; the paper names no other. n_jobs=1: a thread pool per call
# costs more than it saves on tables of some hundred windows.
_TREES = 100


def _make(seed: int) -> Estimator:
    from sklearn.ensemble import RandomForestClassifier

    forest: Estimator = RandomForestClassifier(
        n_estimators=_TREES, random_state=seed, n_jobs=1
    )
    return forest


CLASSIFIERS = (
    Classifier(
        name="random_forest",
        title="Random forest",
        make=_make,
        short="rf",
        settings=f"{_TREES} trees",
    ),
)
