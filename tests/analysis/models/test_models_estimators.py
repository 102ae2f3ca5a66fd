"""Packed estimators come back to the bit; of forged ones nothing is made."""

import io
import json
import sys
import zipfile

import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesClassifier

from analysis.classifiers.fusion import Fusion
from analysis.classifiers.model import Classifier
from analysis.errors import AnalysisError
from analysis.evaluate.campaign import all_classifiers
from analysis.models.estimators import (
    KINDS,
    TRUSTED,
    from_bytes,
    kinds_in,
    to_bytes,
    types_in,
)
from tests.analysis.models.spoilt import forged, refused, replace_estimator

FEW = {"n_estimators": 6, "n_trees": 6, "max_iter": 6}


# what `analysis.streaming` may keep beside a model
TREES = Classifier(
    name="extra_trees",
    title="",
    make=lambda seed: ExtraTreesClassifier(20, random_state=seed),
)


@pytest.fixture(scope="module")
def kept(samples):
    """Return each classifier with some activities, and with two: fitted, and bytes."""
    found = []
    for classifier in (*all_classifiers().values(), TREES):
        for rows in (
            slice(None, None, 3),
            np.isin(samples.activity, ("idle", "stream")),
        ):
            estimator = classifier.make(3)
            known = estimator.get_params()
            estimator.set_params(**{k: v for k, v in FEW.items() if k in known})
            x = samples.inputs(classifier.reads)[rows]
            estimator.fit(x, samples.activity[rows])
            found.append((classifier, estimator, x, to_bytes(estimator)))
    return found


def test_every_classifier_comes_back_to_the_bit(kept):
    for classifier, estimator, x, data in kept:
        again, said = from_bytes(data), estimator.predict_proba(x)
        assert np.array_equal(again.predict_proba(x), said), classifier.name
        assert said.any()


@pytest.mark.parametrize(
    ("module", "kind"),
    [
        (b"os", b"system"),
        (b"builtins", b"eval"),
        (b"sklearn.preprocessing._function_transformer", b"FunctionTransformer"),
        (b"nowhere.at_all", b"Thing"),
    ],
)
def test_another_type_is_refused_by_its_name_and_never_imported(folder, module, kind):
    data = (folder / "camera.skops").read_bytes()
    old = b'"__class__": "GaussianNB",\n          "__module__": "sklearn.naive_bayes"'
    schema = zipfile.ZipFile(io.BytesIO(data)).read("schema.json")
    at = schema.index(b'"GaussianNB"')
    old = schema[schema.rindex(b'"__class__"', 0, at) : schema.index(b",", at + 14)]
    new = b'"__class__": "%s", "__module__": "%s"' % (kind, module)
    replace_estimator(folder, forged(data, old, new))
    sentence = refused(folder)
    name = f"{module.decode()}.{kind.decode()}"
    assert f"a type that no model of ours has, {name!r}" in sentence
    assert "nowhere" not in sys.modules


@pytest.mark.parametrize(
    "kind", [b"FunctionNode", b"MethodNode", b"OperatorFuncNode", b"PartialNode"]
)
def test_another_kind_of_node_is_refused_whatever_type_it_names(kept, kind):
    data = kept[0][-1]
    with pytest.raises(AnalysisError, match=f"has, '{kind.decode()}'; nothing of it"):
        from_bytes(forged(data, b'"ListNode"', b'"%s"' % kind))


def test_a_generator_of_numbers_is_made_by_no_other_name(kept):
    (data, *_more) = (d for *_, d in kept if "RandomGeneratorNode" in kinds_in(d))
    old = rb"\"PCG64\""
    for name in (b"seed", b"MT19937"):
        with pytest.raises(AnalysisError, match="has, 'RandomGeneratorNode'"):
            from_bytes(forged(data, old, old.replace(b"PCG64", name)))


@pytest.mark.parametrize("said", [b"4" + 12 * b"0", b"5", b"3", b"-4"])
def test_an_array_that_is_not_as_long_as_it_says_takes_no_memory(kept, said):
    head, room = b"'shape': (4,), }", 12
    forgery = head.replace(b"4", said).ljust(len(head) + room)
    data = forged(kept[0][-1], head + room * b" ", forgery, ending=".npy")
    with pytest.raises(AnalysisError, match="an array of a length that it has not"):
        from_bytes(data)


@pytest.fixture(scope="module")
def forest(kept):
    """Return the bytes of a random forest."""
    return next(d for each, *_, d in kept if each.name == "random_forest")


def with_schema(data, change):
    """Return an estimator whose description was changed by hand."""
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        parts = {name: packed.read(name) for name in packed.namelist()}
    about = json.loads(parts["schema.json"])
    change(about)
    parts["schema.json"] = json.dumps(about).encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as target:
        for name, part in parts.items():
            target.writestr(name, part)
    return out.getvalue()


def trees_in(about):
    pending, found = [about], []
    while pending:
        node = pending.pop(0)
        if isinstance(node, dict) and node.get("__loader__") == "TreeNode":
            found.append(node["__reduce__"]["args"]["content"])
        if isinstance(node, dict | list):
            pending += node.values() if isinstance(node, dict) else node
    return found


def test_a_tree_of_many_outputs_is_refused_before_memory_is_taken(forest, monkeypatch):
    def never(*_arguments, **_options):
        raise AssertionError("nothing is to be made of it")

    def widen(about):
        for n, each in enumerate(trees_in(about)):
            each[2] = {**each[2], "content": str(10**11), "__id__": -n - 1}

    monkeypatch.setattr("skops.io.loads", never)
    with pytest.raises(AnalysisError, match="holds a tree that is not ours"):
        from_bytes(with_schema(forest, widen))


def test_two_parts_under_one_number_are_refused(forest, monkeypatch):
    monkeypatch.setattr("skops.io.loads", lambda *_a, **_o: pytest.fail("was made"))

    def alias(about):
        columns, _n_classes, n_outputs = trees_in(about)[0]
        n_outputs["__id__"] = columns["__id__"]

    with pytest.raises(AnalysisError, match="two parts under one number"):
        from_bytes(with_schema(forest, alias))


@pytest.mark.parametrize("name", ["n_outputs_", "n_classes_"])
def test_a_forest_of_more_classes_than_it_names_is_refused(forest, name):
    whole = from_bytes(forest)
    setattr(whole, name, 10**11)
    with pytest.raises(AnalysisError, match="a number that leads nowhere"):
        from_bytes(to_bytes(whole))


def test_boosting_with_more_trees_a_round_than_classes_is_refused(kept):
    data = next(d for each, *_, d in kept if each.name == "gradient_boosting")
    whole = from_bytes(data)
    whole.n_trees_per_iteration_ = 10**11
    with pytest.raises(AnalysisError, match="a number that leads nowhere"):
        from_bytes(to_bytes(whole))


@pytest.mark.parametrize("ours", [MemoryError("none left"), ImportError("no sklearn")])
def test_what_is_no_fault_of_the_file_is_not_called_damage(kept, monkeypatch, ours):
    def fails(*_arguments, **_options):
        raise ours

    monkeypatch.setattr("skops.io.loads", fails)
    with pytest.raises(type(ours), match=str(ours)):
        from_bytes(kept[0][-1])


@pytest.mark.parametrize("column", ["left_child", "feature"])
def test_trees_that_lead_nowhere_are_refused(samples, column):
    forest = all_classifiers()["random_forest"].make(0).set_params(n_estimators=2)
    forest.fit(samples.x, samples.activity)
    assert from_bytes(to_bytes(forest)).predict(samples.x).size
    tree = forest.estimators_[1].tree_
    state = tree.__getstate__()
    state["nodes"][column][0] = 10**6
    tree.__setstate__(state)
    with pytest.raises(AnalysisError, match="a number that leads nowhere"):
        from_bytes(to_bytes(forest))


def test_trees_that_look_at_more_than_they_are_given_are_refused(kept):
    for _classifier, estimator, _x, data in kept:
        if isinstance(estimator, Fusion):
            whole = from_bytes(data)
            whole.greedy_["feature"][0] = whole.n_statistics
            with pytest.raises(AnalysisError, match="a number that leads nowhere"):
                from_bytes(to_bytes(whole))


def test_trees_that_lead_in_a_circle_are_refused(samples):
    forest = all_classifiers()["random_forest"].make(0).set_params(n_estimators=1)
    forest.fit(samples.x, samples.activity)
    tree = forest.estimators_[0].tree_
    state = tree.__getstate__()
    state["nodes"]["right_child"][0] = 0
    tree.__setstate__(state)
    with pytest.raises(AnalysisError, match="a number that leads nowhere"):
        from_bytes(to_bytes(forest))


def test_the_trusted_types_are_only_those_that_classifiers_consist_of(kept):
    used = {name for *_, data in kept for name in types_in(data)}
    assert sorted(TRUSTED - used) == []
    assert {kind for *_, data in kept for kind in kinds_in(data)} == KINDS
