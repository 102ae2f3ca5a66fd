"""`rerun` and `compare`, on the fast form of the virtual lab."""

import json
import re
import shutil
from pathlib import Path

import polars as pl
import pytest
import yaml
from typer.testing import CliRunner

from testbed.cli import build
from testbed.errors import ConfigError

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "captures" / "example"
SCENARIO = """\
scenario: two
seed: 4
select:
  - {device: echo_dot, activities: [ask_time], channels: [voice]}
  - {device: koogeek_plug, activities: [turn_on, turn_off]}
repeats: 6
sessions: 6
rest: 1 s
idle: 5 min
"""


class Lab:
    """A folder with a lab file, profiles and campaigns."""

    def __init__(self, folder):
        self.folder = folder
        self.out = folder / "out"
        shutil.copytree(ROOT / "devices", folder / "devices")
        shutil.copy(ROOT / "lab.yaml", folder)
        (folder / "two.yaml").write_text(SCENARIO)

    def __call__(self, *words):
        told = [str(word) for word in words]
        done = CliRunner().invoke(build([told[0]]), told)
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done

    def here(self, command, *words):
        lab, devices = self.folder / "lab.yaml", self.folder / "devices"
        return self(command, *words, "--lab", lab, "--devices", devices)

    def fast(self, command, *words):
        done = self.here(command, *words, "--fast", "--out", self.out)
        assert done.exit_code == 0, done.output
        return done

    def edit(self, device, old, new):
        path = self.folder / "devices" / f"{device}.yaml"
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """A campaign, its rerun, and others with another seed, one with a new firmware."""
    lab = Lab(tmp_path_factory.mktemp("lab"))
    lab.fast("run", lab.folder / "two.yaml", "--campaign", "a")
    lab.fast("rerun", lab.out / "a", "--name", "again")
    lab.fast("rerun", lab.out / "a", "--seed", "8", "--name", "other")
    lab.edit("echo_dot", 'firmware: "647600110"', 'firmware: "647600110.2"')
    lab.told = lab.fast("rerun", lab.out / "a", "--seed", "9", "--name", "new").output
    return lab


@pytest.fixture
def lab(tmp_path):
    return Lab(tmp_path)


def inputs(folder):
    return yaml.safe_load((folder / "campaign.yaml").read_text(encoding="utf-8"))


def log(folder):
    return pl.read_csv(folder / "activities.csv").drop("campaign")


def test_a_rerun_does_the_same_again_and_says_of_what(recorded):
    a, again = recorded.out / "a", recorded.out / "again"
    assert log(a).equals(log(again))
    about = inputs(again)
    assert about["rerun_of"] == {
        "campaign": "a",
        "form": "fast",
        "seed": 4,
        "kind": "campaign",
        "manifest_sha256": about["rerun_of"]["manifest_sha256"],
        "same_plan": True,
    }
    assert re.fullmatch("[0-9a-f]{64}", about["rerun_of"]["manifest_sha256"])
    assert "rerun_of" not in inputs(a)


def test_another_seed_is_another_order_of_the_same_trials(recorded):
    a, new = log(recorded.out / "a"), log(recorded.out / "new")
    kinds = ["device", "activity", "channel"]
    assert a.select(kinds).sort(kinds).equals(new.select(kinds).sort(kinds))
    assert a["activity"].to_list() != new["activity"].to_list()
    about = inputs(recorded.out / "new")
    assert (about["seed"], about["rerun_of"]["same_plan"]) == (9, False)
    assert "differs: echo_dot: firmware is 647600110.2 here, was 647600110" in (
        recorded.told
    )


def test_a_rerun_has_not_drifted(recorded):
    both = recorded.out / "a", recorded.out / "again"
    done = recorded("compare", *both, "--classifier", "nb")
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[-1].startswith("no drift")
    assert "both hold the very same windows" in done.output


def test_the_same_lab_has_not_drifted_and_what_would_be_found_is_told(recorded):
    both = recorded.out / "a", recorded.out / "other"
    done = recorded("compare", *both, "--classifier", "none")
    assert done.exit_code == 0, done.output
    said = done.stdout.splitlines()[-1]
    found = re.match(
        r"no drift found in (\d+) tests; 80 of 100 would find a difference at all in "
        r"(\d+) of (\d+) measures, a Cliff's delta of 0\.\d+ \(",
        said,
    )
    n_tests, n_found, n_measures = map(int, found.groups())
    assert 0 < n_found < n_measures <= n_tests
    for device in ("echo_dot", "koogeek_plug"):
        assert f"would be found: {device}: 0." in done.output


def test_a_device_under_another_name_is_compared_as_asked(recorded):
    both = recorded.out / "a", recorded.out / "again"
    with pytest.raises(ConfigError, match="--as echo: must be NAME=NAME"):
        recorded("compare", *both, "--as", "echo")
    words = ("--as", "echo_dot=koogeek_plug", "--classifier", "none")
    with pytest.raises(ConfigError, match="no labelled activity of a device in common"):
        recorded("compare", *both, *words)


def test_what_cannot_be_told_is_neither_drift_nor_none(lab, tmp_path):
    done = lab("compare", EXAMPLE, _other_log(tmp_path), "--classifier", "nb", "--json")
    assert done.exit_code == 5, done.output
    found = json.loads(done.stdout)
    assert (found["outcome"], found["drift"]) == ("cannot be told", None)
    assert "A has 1 day, B 1 day" in found["said"]
    assert "record at least 4 days of each" in found["said"]
    assert {t["verdict"] for t in found["tests"]} == {"cannot be told"}


def _other_log(folder):
    """Copy the example with an activity less."""
    copy = folder / "copy"
    shutil.copytree(EXAMPLE, copy)
    path = copy / "activities.csv"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join(lines[:-1]), encoding="utf-8")
    return copy


def test_a_new_firmware_is_drift_of_that_device_alone(recorded, tmp_path):
    words = ("compare", recorded.out / "a", recorded.out / "new", "--classifier", "nb")
    done = recorded(*words, "--json", "--out", tmp_path)
    assert done.exit_code == 1, done.output
    found = json.loads(done.stdout)
    drifted = [t for t in found["tests"] if t["verdict"] == "drift"]
    assert {t["device"] for t in drifted} == {"echo_dot"}
    assert all(t["p_adjusted"] <= 0.05 for t in drifted)
    told = {"what": "echo_dot: firmware", "a": "647600110", "b": "647600110.2"}
    assert told in found["facts"]
    assert found["hosts"]
    way = [t for t in found["transfer"] if t["device"] == "koogeek_plug"]
    assert [t["direction"] for t in way] == ["A to B", "B to A"]
    assert all(0 <= t["across"]["value"] <= 1 for t in way)
    assert all(t["loss"]["low"] < t["loss"]["high"] for t in way)
    names = {"drift.json", "tests.csv", "hosts.csv", "transfer.csv", "facts.csv"}
    names |= {"echo_dot.svg", "koogeek_plug.svg", "index.html"}
    assert {path.name for path in tmp_path.iterdir()} == names
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    recorded(*words, "--out", tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_campaigns_without_a_common_activity_are_bad_input(recorded, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(recorded.out / "a", other)
    text = (other / "activities.csv").read_text(encoding="utf-8")
    text = text.replace(",turn_", ",switch_").replace(",ask_", ",say_")
    (other / "activities.csv").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="no labelled activity of a device in common"):
        recorded("compare", recorded.out / "a", other)
    with pytest.raises(ConfigError, match="is no campaign, and no dataset"):
        recorded("compare", recorded.out / "a", recorded.folder / "devices")
    with pytest.raises(ConfigError, match="--alpha: must be between 0 and 1, got 5"):
        recorded("compare", recorded.out / "a", other, "--alpha", "5")


def test_what_cannot_be_run_is_told_all_at_once_and_nothing_is_run(lab):
    (lab.folder / "devices" / "echo_dot.yaml").unlink()
    about = yaml.safe_load((lab.folder / "lab.yaml").read_text(encoding="utf-8"))
    del about["phone"]
    (lab.folder / "lab.yaml").write_text(yaml.safe_dump(_texts(about)))
    words = ("rerun", EXAMPLE, "--fast", "--out", lab.out)
    runner = CliRunner()
    told = [*map(str, words), "--lab", str(lab.folder / "lab.yaml")]
    told += ["--devices", str(lab.folder / "devices")]
    done = runner.invoke(build(["rerun"]), told)
    assert isinstance(done.exception, ConfigError)
    lines = done.stderr.splitlines()
    assert any("echo_dot: this lab has no profile of it" in line for line in lines)
    for device in ("koogeek_plug", "tplink_hs110"):
        need = f"{device}: its phone activities need `phone:`"
        assert any(need in line for line in lines)
    assert not lab.out.exists()


def _texts(values):
    if isinstance(values, dict):
        return {key: _texts(value) for key, value in values.items()}
    if isinstance(values, list):
        return [_texts(value) for value in values]
    return values if isinstance(values, bool) else str(values)


def test_steps_and_delta_are_those_of_the_campaign_and_copies_are_ours(lab, tmp_path):
    dataset = tmp_path / "set" / "data" / "campaigns" / "example"
    shutil.copytree(EXAMPLE, dataset)
    (tmp_path / "set" / "manifest-sha256.txt").write_text("of a dataset\n")
    published = inputs(dataset)
    published["lab"] = {"lab": "elsewhere", "plugs": {}}
    published["profiles"]["koogeek_plug"] |= {
        "mac": "bc:dd:c2:00:00:01",
        "delta_groups": {"control": 6.0},
    }
    (dataset / "campaign.yaml").write_text(yaml.safe_dump(published, sort_keys=False))
    checked = lab.here("rerun", tmp_path / "set", "--check")
    line = "differs: koogeek_plug turn_on: δ is 8 s here; the campaign's 6 s is taken"
    assert line in checked.output
    assert "lab: this is a virtual lab, that was a real one" in checked.output
    assert not lab.out.exists()
    lab.fast("rerun", tmp_path / "set", "--name", "new")
    about = inputs(lab.out / "new")
    ours = yaml.safe_load((ROOT / "devices" / "koogeek_plug.yaml").read_text())
    assert about["profiles"]["koogeek_plug"]["mac"] == ours["mac"]
    assert about["profiles"]["koogeek_plug"]["delta_groups"] == {"control": 6.0}
    assert about["rerun_of"]["kind"] == "dataset"


def test_a_name_that_is_taken_is_told_with_how_to_go_on(lab):
    folder = lab.out / "again"
    words = ("rerun", EXAMPLE, "--fast", "--out", lab.out, "--name", "again")
    shutil.copytree(EXAMPLE, folder)
    with pytest.raises(ConfigError) as told:
        lab.here(*words)
    said = f"{folder}: is there already;"
    assert str(told.value) == f"{said} name another with --name"
    (folder / "MANIFEST.sha256").unlink()
    with pytest.raises(ConfigError) as told:
        lab.here(*words)
    how = f"it is not finished: `testbed resume {folder}` goes on"
    assert str(told.value) == f"{said} {how}, or name another with --name"


def test_what_was_imported_cannot_be_run_again(lab, tmp_path):
    folder = tmp_path / "imported"
    folder.mkdir()
    made = inputs(EXAMPLE) | {"form": "imported"}
    (folder / "campaign.yaml").write_text(yaml.safe_dump(made))
    with pytest.raises(
        ConfigError, match="was imported; there is nothing of it to run"
    ):
        lab.here("rerun", folder)


def test_a_dataset_of_several_campaigns_wants_a_name(lab, tmp_path):
    for name in ("one", "two"):
        folder = tmp_path / "set" / "data" / "campaigns" / name
        folder.mkdir(parents=True)
        shutil.copy(EXAMPLE / "campaign.yaml", folder)
        shutil.copy(EXAMPLE / "journal.jsonl", folder)
    with pytest.raises(ConfigError, match="holds 2 campaigns: one, two; name one"):
        lab.here("rerun", tmp_path / "set", "--check")
    with pytest.raises(
        ConfigError, match="holds no campaign 'three'; it holds one, two"
    ):
        lab.here("rerun", tmp_path / "set", "--campaign", "three", "--check")
    done = lab.here("rerun", tmp_path / "set", "--campaign", "two", "--check")
    assert "9 trials, seed 5: can be run in lab virtual_house" in done.output
