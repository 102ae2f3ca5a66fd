"""Promises that every classifier keeps; a new one is found by itself."""

import numpy as np
import pytest
from scipy.sparse import csr_array

import analysis.classifiers
from analysis.classifiers.model import Reads, inputs_of
from analysis.features.matrix import feature_names
from analysis.features.sequence import n_columns
from analysis.registry import discover

CLASSIFIERS = discover(analysis.classifiers, "CLASSIFIERS")
every_classifier = pytest.mark.parametrize(
    "classifier", CLASSIFIERS.values(), ids=CLASSIFIERS
)


def fresh(classifier, seed):
    """Return an estimator with fewer trees, where it has many and can tell."""
    estimator = classifier.make(seed)
    if "n_trees" in estimator.get_params():
        estimator.set_params(n_trees=15)
    return estimator


def windows(classifier, n=90, apart=3.0, seed=1):
    """Return what the classifier reads of n windows of three activities, and these."""
    rng = np.random.default_rng(seed)
    activity = np.array([f"activity_{i % 3}" for i in range(n)])
    x = rng.normal(size=(n, len(feature_names())))
    for informative in (0, *range(3, 30)):
        x[:, informative] += apart * (np.arange(n) % 3)
    x[:, 1] *= 1e6  # bytes beside seconds
    x[:, 2] = 0.0  # a feature that never varies
    if classifier.reads is Reads.STATISTICS:
        return x, activity
    size = rng.integers(0, 40, (n, 30)) + (20 * (np.arange(n) % 3))[:, None]
    row = np.repeat(np.arange(n), 30)
    cells = np.ones(row.size), (row, size.ravel())
    sequence = csr_array(cells, shape=(n, n_columns()))
    return inputs_of(x, sequence, classifier.reads), activity


def test_the_three_of_the_paper_are_there():
    assert {"random_forest", "nearest", "naive_bayes"} <= set(CLASSIFIERS)


@every_classifier
def test_probabilities_of_a_window_sum_to_one(classifier):
    x, activity = windows(classifier)
    estimator = fresh(classifier, 0)
    estimator.fit(x, activity)
    share = estimator.predict_proba(x)
    assert share.shape == (x.shape[0], 3)
    assert np.allclose(share.sum(axis=1), 1.0)
    assert list(estimator.classes_) == sorted(set(activity))


@every_classifier
def test_same_seed_same_answers(classifier):
    x, activity = windows(classifier, apart=1.0)
    answers = []
    for _ in range(2):
        estimator = fresh(classifier, 3)
        estimator.fit(x, activity)
        answers.append(estimator.predict_proba(x))
    assert np.array_equal(*answers)


@every_classifier
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)], ids=str)
def test_names_of_activities_do_not_matter(classifier, order):
    x, activity = windows(classifier)
    new = {f"activity_{i}": f"renamed_{order[i]}" for i in range(3)}
    one, other = fresh(classifier, 3), fresh(classifier, 3)
    one.fit(x[:60], activity[:60])
    other.fit(x[:60], np.array([new[a] for a in activity[:60]]))
    said = np.array([new[a] for a in one.predict(x[60:])])
    assert (said == other.predict(x[60:])).mean() > 0.93  # ties may fall elsewhere


@every_classifier
def test_the_order_of_rows_does_not_matter(classifier):
    x, activity = windows(classifier)
    order = np.random.default_rng(8).permutation(60)
    one, other = fresh(classifier, 3), fresh(classifier, 3)
    one.fit(x[:60], activity[:60])
    other.fit(x[order], activity[order])
    assert (one.predict(x[60:]) == other.predict(x[60:])).mean() > 0.93


@every_classifier
def test_it_predicts_the_likeliest_activity(classifier):
    x, activity = windows(classifier, apart=1.0)
    estimator = fresh(classifier, 0)
    estimator.fit(x[:60], activity[:60])
    best = estimator.predict_proba(x[60:]).argmax(axis=1)
    assert list(estimator.classes_[best]) == list(estimator.predict(x[60:]))


@every_classifier
def test_it_is_found_by_its_name_and_says_how_it_is_set(classifier):
    assert CLASSIFIERS[classifier.name] is classifier
    assert classifier.title
    assert classifier.settings


@every_classifier
def test_it_beats_chance_by_far_where_there_is_something_to_see(classifier):
    x, activity = windows(classifier, n=180)
    estimator = fresh(classifier, 0)
    estimator.fit(x[:90], activity[:90])
    assert (estimator.predict(x[90:]) == activity[90:]).mean() > 0.75


@every_classifier
def test_it_learns_from_three_windows(classifier):
    x, activity = windows(classifier, n=3)
    estimator = fresh(classifier, 0)
    estimator.fit(x, activity)
    assert set(estimator.predict(x)) <= set(activity)


@every_classifier
def test_input_is_left_as_it_was(classifier):
    x, activity = windows(classifier)
    copy = x.copy()
    estimator = fresh(classifier, 0)
    estimator.fit(x, activity)
    estimator.predict(x)
    assert abs(x - copy).max() == 0
