"""A few windows are answered at once, and as scikit-learn would."""

import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier

from analysis.models.asking import shares_of

N_TREES = 30


@pytest.fixture(scope="module")
def x():
    return np.random.default_rng(5).lognormal(3, 4, (120, 9))


@pytest.fixture(scope="module")
def forest(x):
    labels = np.array(["a", "b", "c"])[(x[:, 0] > 20).astype(int) + (x[:, 1] > 20)]
    return RandomForestClassifier(N_TREES, random_state=1).fit(x, labels)


def test_a_forest_answers_to_the_bit_what_it_answers_itself(forest, x):
    for rows in (x, x[:1], np.asfortranarray(x[::7]), x[:0]):
        said = shares_of(forest, rows)
        assert said.shape == (len(rows), 3)
        if len(rows):
            assert np.array_equal(said, forest.predict_proba(rows))


def test_a_forest_is_not_asked_tree_by_tree_through_scikit_learn(
    forest, x, monkeypatch
):
    def never(*_arguments, **_options):
        raise AssertionError("this takes ten times as long")

    monkeypatch.setattr(RandomForestClassifier, "predict_proba", never)
    assert shares_of(forest, x[:1]).shape == (1, 3)


@pytest.mark.parametrize("column", [slice(0, 8), [*range(9), 0]])
def test_rows_of_another_width_are_refused_before_a_tree_looks_at_them(
    forest, x, column
):
    with pytest.raises(ValueError, match="features"):
        shares_of(forest, x[:1, column])


def test_what_is_no_number_is_left_to_scikit_learn(forest, x):
    with pytest.raises(ValueError, match="contains infinity"):
        shares_of(forest, np.where(x == x[0], np.inf, x))
    gaps = np.where(x == x[0], np.nan, x)
    assert np.array_equal(shares_of(forest, gaps), forest.predict_proba(gaps))


def test_others_answer_themselves(x):
    trees = ExtraTreesClassifier(3, random_state=1).fit(x, x[:, 0] > 20)
    assert np.array_equal(shares_of(trees, x), trees.predict_proba(x))
