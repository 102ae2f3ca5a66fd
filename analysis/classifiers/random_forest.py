"""Random forest on window statistics (Breiman 2001), the paper's first classifier."""

from analysis.classifiers.model import Classifier, Estimator

# 60 trees: on the windows of this project the accuracy is that of 100 within a trial
# or two, and the evaluation, which fits some hundreds of forests, is nearly twice as
# fast. n_jobs=1: a thread pool per call costs more than it saves on such tables.
_TREES = 60


def _make(seed: int) -> Estimator:
    from sklearn.ensemble import RandomForestClassifier

    forest: Estimator = RandomForestClassifier(_TREES, random_state=seed, n_jobs=1)
    return forest


CLASSIFIERS = (Classifier(name="random_forest", title="Random forest", make=_make),)
