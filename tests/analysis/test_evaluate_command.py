"""What `evaluate` and `features` print of a campaign, and what they refuse."""

import json
import subprocess
import sys

import polars as pl
import pytest

from analysis.evaluate.splits.named import SPLITS
from analysis.evaluate.splits.names import HEADLINE, NAMES
from tests.analysis.made_week import command, make


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make(tmp_path_factory.mktemp("campaign") / "week", n_sessions=4, repeats=5)


def test_groups_and_curves_are_printed_and_in_the_json(folder, monkeypatch):
    monkeypatch.setattr("analysis.evaluate.campaign._GROUPERS", ("naive_bayes",))
    monkeypatch.setattr("analysis.evaluate.trust.curves._PACKETS", (5,))
    monkeypatch.setattr("analysis.evaluate.trust.curves._SHARES", (0.25,))
    asked = ("evaluate", folder, "--classifier", "nb", "--device", "camera", "--split")
    shown = command(*asked, "s2", "--groups", "--curves")
    assert shown.exit_code == 0
    for head in ("By groups that can be told apart", "Accuracy by the first packets"):
        assert head in shown.output
    found = json.loads(command(*asked, "s2", "--groups", "--curves", "--json").stdout)
    curves = {point["of"] for point in found["curves"]}
    assert curves == {"sessions", "packets", "share"}
    whole = [p for p in found["curves"] if (p["of"], p["value"]) == ("share", 1.0)]
    assert whole[0]["accuracy"] == found["results"][0]["accuracy"]
    assert found["groups"][0]["groups"] == [[["settings"], ["snapshot"], ["stream"]]]


def test_evaluate_prints_a_row_per_device_and_calls_the_leaky_splits_leaky(folder):
    shown = command("evaluate", folder, "--classifier", "nb", "--classifier", "knn")
    assert shown.exit_code == 0
    lines = shown.output.splitlines()
    assert "campaign week: simulated, fast; seed 0" in lines
    leaky = [line.split()[0] for line in lines if "(LEAKY)" in line]
    assert leaky == ["S0", "S0"]
    assert sum(line.startswith("camera ") for line in lines) == 4 + 2 + 4
    assert any(
        line.startswith("Table 1 of the paper, split by split") for line in lines
    )
    assert any("found no leak" in line for line in lines)
    heads = [line.split()[1] for line in lines if line.startswith("device ")]
    assert heads == ["Naive"] * 4 + ["classifier", "split"]
    assert "never narrower than over trials" in shown.output
    assert "kNN: 5 neighbours, scaled features" in lines


def test_evaluate_says_why_a_split_is_refused(tmp_path):
    made = make(tmp_path / "week", 1, 5)
    shown = command("evaluate", made, "--classifier", "nb", "--split", "s1")
    reason = "one session only: no session is new"
    assert shown.output == "campaign week: simulated, fast; seed 0\n"
    assert getattr(shown.exception, "exit_code", None) == 2
    told = f"nothing was scored, every split is refused; camera, speaker: s1: {reason}"
    assert str(shown.exception) == told
    asked = ("--split", "s4", "--split", "s1")
    shown = command("evaluate", made, "--classifier", "nb", *asked)
    assert str(shown.exception).splitlines()[0].endswith("every split is refused")
    assert str(shown.exception).endswith(f"\n  camera, speaker: s1: {reason}")
    shown = command("evaluate", made, "--classifier", "nb", "--split", "s1", "--json")
    assert json.loads(shown.stdout)["refusals"][0]["reason"] == reason
    assert shown.exception.exit_code == 2


def test_one_split_that_is_scored_is_enough(tmp_path):
    made = make(tmp_path / "week", 1, 5)
    asked = ("--split", "s0_holdout", "--split", "s2")
    shown = command("evaluate", made, "--classifier", "nb", *asked)
    assert shown.exit_code == 0
    assert "S2 chronological, THE HEADLINE: earlier sessions" in shown.output


@pytest.mark.parametrize("option", [("--split", "s9"), ("--device", "toaster")])
def test_a_wrong_name_is_told_before_anything_is_loaded(folder, option):
    asked = ["evaluate", str(folder), *option]
    code = (
        "import sys\nfrom testbed.cli import build, main\n"
        f"sys.argv[1:] = {asked!r}\n"
        "try:\n    main()\n"
        "finally:\n    print({'sklearn', 'numba', 'scipy'} & set(sys.modules))\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True
    )
    assert told.returncode == 2
    assert option[1] in told.stderr
    assert told.stdout == "set()\n"


def test_the_names_of_splits_are_those_there_are():
    assert tuple(SPLITS) == NAMES
    assert HEADLINE in NAMES


def test_evaluate_for_machines_is_json_with_results_and_refusals(folder):
    asked = ("evaluate", folder, "--classifier", "nb", "--split", "s2", "--json")
    shown = command(*asked, "--device", "camera", "--seed", 5)
    found = json.loads(shown.stdout)
    assert (found["campaign"], found["simulated"], found["seed"]) == ("week", True, 5)
    (result,) = found["results"]
    assert (result["device"], result["split"], result["leaky"]) == (
        "camera",
        "s2",
        False,
    )
    assert found["refusals"] == []


def test_features_writes_a_file_that_says_its_units(folder, tmp_path):
    out = tmp_path / "features.parquet"
    shown = command("features", folder, "--device", "camera", "--out", out)
    assert shown.exit_code == 0
    assert f"{out}: 60 windows" in shown.output
    about = pl.read_parquet_metadata(out)
    assert json.loads(about["testbed"])["units"]["in_size_mean_b"] == "b"


@pytest.mark.parametrize("option", ["--by", "--overlap"])
def test_a_senseless_option_is_a_configuration_error(folder, option):
    shown = command("evaluate", folder, option, "colour")
    assert getattr(shown.exception, "exit_code", None) == 2
    assert "must be" in str(shown.exception)
