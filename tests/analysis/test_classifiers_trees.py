"""Flat trees answer as the forests of scikit-learn that they were taken from."""

import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier

from analysis.classifiers.trees import LEAF, Drawn, flat, grown, lead_down, mean_share


def rows(n=200, seed=1):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 6)).astype(np.float32)
    return x, np.digitize(x[:, 0] + 0.3 * rng.normal(size=n), (-0.5, 0.5))


@pytest.mark.parametrize("kind", [ExtraTreesClassifier, RandomForestClassifier])
def test_flat_trees_answer_to_the_bit_what_their_forest_answers(kind):
    x, code = rows()
    forest = kind(20, min_samples_leaf=3, random_state=0).fit(x, code)
    made = flat(forest.estimators_)
    new, _code = rows(seed=2)
    assert np.array_equal(mean_share(made, new), forest.predict_proba(new))
    assert mean_share(made, np.asfortranarray(new)[:0]).shape == (0, 3)
    assert made["share"].shape[0] < (made["feature"] == LEAF).sum()


def test_trees_are_as_good_as_those_of_a_forest_and_each_is_another():
    x, code = rows(600)
    tree = DecisionTreeClassifier(max_features=0.5)
    made = grown(tree, x[:400], code[:400], 60, 0, Drawn(n_rows=400, again=True))
    forest = RandomForestClassifier(60, max_features=0.5, random_state=0)
    theirs = forest.fit(x[:400], code[:400]).score(x[400:], code[400:])
    ours = (mean_share(made, x[400:]).argmax(axis=1) == code[400:]).mean()
    assert ours == pytest.approx(theirs, abs=0.04)
    first = made["threshold"][made["root"]]
    assert np.unique(first).size > 40


def test_a_tree_learns_from_as_many_rows_as_are_drawn_for_it():
    x, code = rows()
    tree = DecisionTreeClassifier()
    few = grown(tree, x, code, 5, 0, Drawn(n_rows=20, again=False))
    assert (few["feature"] == LEAF).sum() <= 5 * 20
    same = grown(tree, x, code, 5, 0, Drawn(n_rows=20, again=False))
    assert np.array_equal(few["threshold"], same["threshold"])


@pytest.mark.parametrize(
    ("column", "number"),
    [
        ("feature", 6),
        ("feature", -2),
        ("left", 0),
        ("left", 10**6),
        ("right", 0),
        ("right", -1),
        ("root", -1),
        ("root", 10**6),
    ],
)
def test_numbers_that_lead_nowhere_or_in_a_circle_are_found(column, number):
    x, code = rows()
    made = flat(ExtraTreesClassifier(3, random_state=0).fit(x, code).estimators_)
    assert lead_down(made, 6)
    assert not lead_down(made, int(made["feature"].max()))
    made[column][0] = number
    assert not lead_down(made, 6)


def test_a_leaf_with_a_share_that_is_not_there_is_found():
    x, code = rows()
    made = flat(ExtraTreesClassifier(3, random_state=0).fit(x, code).estimators_)
    made["left"][np.flatnonzero(made["feature"] == LEAF)[0]] = made["share"].shape[0]
    assert not lead_down(made, 6)


@pytest.mark.parametrize("column", ["root", "feature", "threshold", "left", "share"])
def test_arrays_of_another_type_or_length_are_found(column):
    x, code = rows()
    made = flat(ExtraTreesClassifier(3, random_state=0).fit(x, code).estimators_)
    kept = made[column]
    for odd in (kept.astype(np.float32), kept[None], kept.astype(np.uint8)):
        made[column] = odd
        assert not lead_down(made, 6)
    if column not in ("root", "share"):
        made[column] = kept[:-1]
        assert not lead_down(made, 6)
