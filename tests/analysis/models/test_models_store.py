"""Models come back as they were, or not at all, and in one sentence."""

import dataclasses
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

from analysis.classifiers.model import Reads
from analysis.errors import AnalysisError
from analysis.models import load, load_parts, save
from tests.analysis.models.spoilt import refused, replace_estimator, spoil_header


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


class Plain:
    """A type that no model of ours consists of."""

    classes_ = ("a", "b")


def test_an_estimator_that_could_not_be_loaded_is_not_saved(model, tmp_path):
    device = dataclasses.replace(model.devices["plug"], estimator=Plain())
    odd = dataclasses.replace(model, devices={"plug": device})
    with pytest.raises(AnalysisError, match=r"no model of ours has, .*Plain"):
        save(odd, tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


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
