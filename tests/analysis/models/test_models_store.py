"""Models come back as they were, or not at all, and in one sentence."""

import dataclasses
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesClassifier

from analysis.classifiers.fusion import Fusion
from analysis.classifiers.model import Classifier, Reads
from analysis.errors import AnalysisError
from analysis.evaluate.campaign import all_classifiers
from analysis.evaluate.samples import samples_of
from analysis.models import load, load_parts, save
from analysis.models.estimators import (
    KINDS,
    TRUSTED,
    from_bytes,
    kinds_in,
    to_bytes,
    types_in,
)


@pytest.fixture(scope="module")
def samples(campaign):
    return samples_of(campaign, "camera", n_idle=8)


@pytest.fixture(scope="module")
def saved(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved") / "model"
    size_b = save(model, folder)
    assert size_b == sum(p.stat().st_size for p in folder.iterdir())
    return folder


@pytest.fixture
def folder(saved, tmp_path):
    """Return a copy that a test may spoil."""
    return shutil.copytree(saved, tmp_path / "model")


def test_a_model_is_its_header_its_card_and_an_estimator_per_device(saved):
    names = sorted(path.name for path in saved.iterdir())
    assert names == ["CARD.md", "camera.skops", "model.json", "plug.skops"]


def test_what_is_loaded_is_what_was_saved(saved, model, samples):
    again = load(saved)
    assert again.origin == model.origin
    for name, device in model.devices.items():
        assert again.devices[name].facts == device.facts
        given = samples.x, samples.sequence
        shares = [m.devices[name].probabilities(*given) for m in (model, again)]
        assert np.array_equal(*shares)
        said = [m.devices[name].decide(*given) for m in (model, again)]
        assert said[0] == said[1]


def test_another_process_gives_the_same_probabilities_to_the_bit(
    saved, model, samples, tmp_path
):
    np.save(tmp_path / "x.npy", samples.x)
    script = (
        "import sys, numpy as np\n"
        "from pathlib import Path\n"
        "from analysis.models import load\n"
        "device = load(Path(sys.argv[1])).devices['camera']\n"
        "said = device.estimator.predict_proba(np.load(sys.argv[2]))\n"
        "sys.stdout.write(said.tobytes().hex())\n"
    )
    words = [sys.executable, "-c", script, str(saved), str(tmp_path / "x.npy")]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    here = model.devices["camera"].estimator.predict_proba(samples.x)
    assert done.stdout == here.tobytes().hex()


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


def test_a_folder_that_is_there_is_not_overwritten(folder, model):
    before = (folder / "model.json").read_bytes()
    with pytest.raises(AnalysisError, match="is there already; remove it"):
        save(model, folder)
    assert (folder / "model.json").read_bytes() == before


def test_nothing_is_left_when_there_is_no_room(model, tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        save(model, tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def spoil_header(folder, change):
    path = folder / "model.json"
    about = json.loads(path.read_text())
    change(about)
    path.write_text(json.dumps(about))


def replace_estimator(folder, data, name="camera"):
    """Put other bytes in place, with a header that agrees, as a forger would."""
    (folder / f"{name}.skops").write_bytes(data)

    def change(about):
        about["devices"][name]["sha256"] = hashlib.sha256(data).hexdigest()
        about["devices"][name]["size_b"] = len(data)

    spoil_header(folder, change)


def refused(folder):
    with pytest.raises(AnalysisError) as caught:
        load(folder)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert len(sentence) < 400 + 2 * len(str(folder))
    return sentence


def test_a_file_that_was_cut_short_or_changed_is_refused(folder):
    path = folder / "plug.skops"
    data = path.read_bytes()
    path.write_bytes(data[:-9])
    assert "was cut short after it was written; train the model again" in refused(
        folder
    )
    path.write_bytes(data[:-9] + bytes(9))
    assert "was changed after it was written" in refused(folder)
    path.unlink()
    assert "plug.skops: no such file" in refused(folder)


@pytest.mark.parametrize("at", [0, 30, 700, -30, -4])
def test_damage_that_the_header_agrees_with_is_refused_or_harmless(folder, at):
    data = bytearray((folder / "camera.skops").read_bytes())
    data[at] ^= 0xFF
    replace_estimator(folder, bytes(data))
    try:
        load(folder)
    except AnalysisError as exc:
        assert "is damaged; train the model again" in str(exc)  # noqa: PT017


def forged(data, old, new, ending="schema.json"):
    """Return a packed estimator with a part of its schema, or arrays, exchanged."""
    packed = zipfile.ZipFile(io.BytesIO(data))
    out, n_exchanged = io.BytesIO(), 0
    with zipfile.ZipFile(out, "w") as target:
        for name in packed.namelist():
            part = packed.read(name)
            if name.endswith(ending):
                n_exchanged += part.count(old)
                part = part.replace(old, new)
            target.writestr(name, part)
    assert n_exchanged
    return out.getvalue()


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


class Plain:
    """A type that no model of ours consists of."""

    classes_ = ("a", "b")


def test_an_estimator_that_could_not_be_loaded_is_not_saved(model, tmp_path):
    device = dataclasses.replace(model.devices["plug"], estimator=Plain())
    odd = dataclasses.replace(model, devices={"plug": device})
    with pytest.raises(AnalysisError, match=r"no model of ours has, .*Plain"):
        save(odd, tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


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


def test_versions_of_skops_that_load_what_nobody_trusts_are_not_installed():
    path = Path(__file__).parents[3] / "pyproject.toml"
    wanted = tomllib.loads(path.read_text("utf-8"))["project"]["dependencies"]
    (skops,) = (each for each in wanted if each.startswith("skops"))
    assert skops == "skops>=0.13,<1"


def test_another_format_is_refused(folder):
    spoil_header(folder, lambda about: about.update(format=1))
    assert "has format 1, this version reads 2; train the model again" in refused(
        folder
    )


def test_another_version_of_the_learner_is_refused(folder):
    def older(about):
        about["origin"]["versions"]["scikit-learn"] = "1.2.3"

    spoil_header(folder, older)
    sentence = refused(folder)
    assert "was trained with scikit-learn 1.2.3, and " in sentence
    assert "train the model again, or install scikit-learn 1.2.3" in sentence


def test_other_features_are_refused(folder):
    spoil_header(folder, lambda about: about["origin"]["features"].pop())
    assert "trained on other features than this version computes" in refused(folder)


def test_a_header_that_says_something_else_is_refused(folder):
    def taller(about):
        about["devices"]["plug"]["facts"]["longest_s"] = "tall"

    spoil_header(folder, taller)
    assert "devices.plug.facts.longest_s: input should be a" in refused(folder)
    (folder / "model.json").write_text('{"format": ')
    assert "is no description of a model" in refused(folder)
    (folder / "model.json").unlink()
    assert "is this the folder of a model" in refused(folder)


def test_a_device_cannot_lead_out_of_the_folder(folder):
    def renamed(about):
        entry = about["devices"].pop("camera")
        entry["facts"]["device"]["name"] = "../camera"
        about["devices"]["../camera"] = entry

    spoil_header(folder, renamed)
    assert "'../camera' is no device" in refused(folder)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("classes", ["a", "b"]),
        ("set_limits", [0.5]),
        ("doubts", "many"),
        ("temperature", None),
    ],
)
def test_thresholds_that_make_no_sense_are_refused(folder, key, value):
    def spoilt(about):
        about["devices"]["camera"]["decision"][key] = value

    spoil_header(folder, spoilt)
    assert "camera: has thresholds that cannot be understood" in refused(folder)


def test_an_estimator_that_reads_something_else_is_refused(folder):
    def widened(about):
        about["devices"]["camera"]["facts"]["reads"] = "window"

    spoil_header(folder, widened)
    assert "has other columns than model.json" in refused(folder)


def test_activities_of_another_estimator_are_refused(folder):
    def renamed(about):
        about["devices"]["camera"]["facts"]["activities"][0] = "dance"

    spoil_header(folder, renamed)
    assert "has other activities than model.json" in refused(folder)


def test_parts_of_others_are_kept_and_watched_over(model, tmp_path):
    parts = {"streaming.json": b"{}", "plug.stream0.skops": b"123"}
    folder = tmp_path / "model"
    save(model, folder, parts=parts)
    assert load_parts(folder) == parts
    assert load(folder).origin == model.origin
    assert (folder / "CARD.md").read_text().endswith(" --streaming\n```\n")
    (folder / "streaming.json").write_bytes(b"[]")
    with pytest.raises(AnalysisError, match="was changed after it was written"):
        load_parts(folder)


@pytest.mark.parametrize("name", ["model.json", "../stream.json"])
def test_parts_have_names_of_their_own(model, tmp_path, name):
    with pytest.raises(ValueError, match="file names of their own"):
        save(model, tmp_path / "model", parts={name: b""})


def test_what_is_read_is_one_of_the_known_kinds(model):
    assert {d.facts.reads for d in model.devices.values()} <= set(Reads)
