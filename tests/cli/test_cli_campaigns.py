"""Commands on campaigns that exist: journals, manifests, exit codes."""

import csv
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from testbed.model.load import load_profiles

ROOT = Path(__file__).parents[2]
SCENARIO = """\
scenario: short
seed: 3
select:
  - {device: koogeek_plug, activities: [turn_on, turn_off]}
  - {device: echo_dot, activities: [ask_time]}
rest: 1 s
idle: 1 s
"""
DEAF = "  faults:\n    - {kind: deaf_speaker, target: echo_dot}\n"


@pytest.fixture
def place(tmp_path):
    shutil.copy(ROOT / "lab.yaml", tmp_path / "lab.yaml")
    shutil.copytree(ROOT / "devices", tmp_path / "devices")
    (tmp_path / "short.yaml").write_text(SCENARIO)
    return tmp_path


@pytest.fixture
def testbed(place, call_in):
    return lambda *words: call_in(place, *words)


@pytest.fixture
def program(place):
    """Return what starts the command as a process of its own."""

    def call(*words, **env):
        return subprocess.run(
            [sys.executable, "-m", "testbed", *words],
            cwd=place,
            env=os.environ | env,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    return call


def only_campaign(place, folder="captures"):
    (found,) = (place / folder).glob("short-*")
    return found


def holds(folder):
    command = ["sha256sum", "--quiet", "-c", "MANIFEST.sha256"]
    return subprocess.run(command, cwd=folder, check=False).returncode == 0


def test_a_campaign_in_which_something_had_no_effect_leaves_with_1(testbed, place):
    lab = place / "lab.yaml"
    lab.write_text(lab.read_text() + DEAF)
    done = testbed("run", "short.yaml", "--fast")
    assert done.returncode == 1, done.stderr
    assert "1 no_effect" in done.stdout


def test_every_activity_of_every_profile_can_be_caused_by_each_channel(testbed, place):
    shutil.copytree(ROOT / "scenarios", place / "scenarios")
    done = testbed("run", "demo", "--fast")
    assert done.returncode == 0, done.stderr
    (folder,) = (place / "captures").glob("demo-*")
    with (folder / "activities.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    done_cells = {(r["device"], r["activity"], r["channel"]) for r in rows}
    profiles = load_profiles(ROOT / "devices")
    cells = {
        (name, activity, str(channel))
        for name, profile in profiles.items()
        for activity, spec in profile.activities.items()
        for channel in spec.channels
    }
    assert done_cells == cells
    assert {r["outcome"] for r in rows} == {"confirmed"}


def test_what_is_added_to_a_closed_campaign_is_in_its_manifest(program, testbed, place):
    assert program("run", "short.yaml", "--fast").returncode == 0
    folder = only_campaign(place)
    assert holds(folder)
    assert testbed("label", str(folder), "--widen").returncode == 0
    assert holds(folder)
    assert testbed("packets", str(folder)).returncode == 0
    assert holds(folder)


def test_looking_at_a_campaign_makes_no_journal_and_hides_none(testbed, place):
    lab = place / "lab.yaml"
    lab.write_text(
        lab.read_text().replace("captures/journal.sqlite", "elsewhere/j.sqlite")
    )
    assert testbed("run", "short.yaml", "--fast").returncode == 0
    folder = only_campaign(place)
    assert testbed("status", str(folder), "--out", "captures").returncode == 0
    assert not (place / "captures" / "journal.sqlite").exists()
    assert testbed("resume", str(folder)).returncode == 0


def test_debug_adds_a_traceback_and_keeps_the_exit_code(program):
    plain = program("plan", "nothing")
    loud = program("--debug", "plan", "nothing")
    assert plain.returncode == loud.returncode == 2
    assert "Traceback" not in plain.stderr
    assert "Traceback" in loud.stderr
    assert loud.stderr.endswith(plain.stderr)


def test_a_journal_that_cannot_be_opened_leaves_with_4(testbed, place):
    (place / "captures").mkdir()
    (place / "captures" / "journal.sqlite").write_text("this is no database" * 100)
    done = testbed("run", "short.yaml", "--fast")
    assert done.returncode == 4
    assert "not a database" in done.stderr


def test_a_lab_whose_phone_driver_does_not_exist_is_refused(program, place):
    lab = place / "lab.yaml"
    text = lab.read_text().split("virtual:")[0]
    lab.write_text(text.replace("androidviewclient", "androidviewcleint"))
    env = {"TESTBED_LAB_STATE": str(place), "TESTBED_ROUTER_KEY": str(place / "key")}
    done = program("run", "short.yaml", **env)
    assert done.returncode == 2
    assert "did you mean 'androidviewclient'?" in done.stderr


def test_a_lab_that_is_not_ready_leaves_with_3_before_any_trial(program, place):
    lab = place / "lab.yaml"
    lab.write_text(lab.read_text().split("virtual:")[0])
    done = program("run", "short.yaml", TESTBED_LAB_STATE=str(place))
    assert done.returncode == 3, done.stderr
    assert "the lab is not ready" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list((place / "captures").glob("short-*"))
