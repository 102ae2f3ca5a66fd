"""Gaussian naive Bayes on window statistics, the paper's third classifier.

Scaled first: scikit-learn adds a share of the *largest* variance to every variance, and
next to a variance in squared bytes this would drown every feature in seconds.
"""

from analysis.classifiers.model import Classifier, Estimator


def _make(seed: int) -> Estimator:
    del seed  # nothing here is random
    from sklearn.naive_bayes import GaussianNB
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    pipeline: Estimator = make_pipeline(StandardScaler(), GaussianNB())
    return pipeline


CLASSIFIERS = (
    Classifier(
        name="naive_bayes",
        title="Naive Bayes",
        make=_make,
        short="nb",
        settings="Gaussian, scaled features",
    ),
)
