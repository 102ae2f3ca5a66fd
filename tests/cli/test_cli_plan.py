"""The command as a user meets it: words, exit codes, nothing touched."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def place(tmp_path):
    for name in ("lab.yaml", "devices", "scenarios"):
        source = ROOT / name
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, tmp_path / name)
    return tmp_path


@pytest.fixture
def testbed(place, call_in):
    return lambda *words: call_in(place, *words)


@pytest.fixture
def program(place):
    """Return what starts the command as a process of its own."""

    def call(*words):
        return subprocess.run(
            [sys.executable, "-m", "testbed", *words],
            cwd=place,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    return call


def test_check_says_what_it_read(testbed):
    done = testbed("check")
    assert done.returncode == 0
    assert "9 devices" in done.stdout


def test_check_lists_faults_of_several_files_and_leaves_with_2(testbed, tmp_path):
    lab = tmp_path / "lab.yaml"
    lab.write_text(lab.read_text().replace("interface: br-lan", "interfce: br-lan"))
    demo = tmp_path / "scenarios" / "demo.yaml"
    demo.write_text(demo.read_text().replace("echo_dot", "ecko_dot"))
    done = testbed("check")
    assert done.returncode == 2
    assert "did you mean 'interface'?" in done.stderr
    assert "did you mean 'echo_dot'?" in done.stderr
    assert "Traceback" not in done.stderr


def test_check_for_machines(program, tmp_path):
    (tmp_path / "devices" / "arlo_q.yaml").write_text("device: arlo_q\n")
    done = program("check", "--json")
    found = json.loads(done.stdout)
    assert done.returncode == 2
    assert not found["ok"]
    assert any(fault["message"] == "is missing" for fault in found["faults"])


def test_plan_shows_the_matrix_and_the_time_and_touches_nothing(testbed, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    done = testbed("plan", "demo", "--trials")
    assert done.returncode == 0
    assert "56 trials" in done.stdout
    assert sorted(tmp_path.rglob("*")) == before


def test_plan_for_machines_lists_every_trial(testbed):
    found = json.loads(testbed("plan", "demo", "--json", "--seed", "3").stdout)
    assert found["seed"] == 3
    assert len({trial["device"] for trial in found["trials"]}) == 9


def test_an_unknown_scenario_names_the_nearest(program):
    done = program("plan", "dmo")
    assert done.returncode == 2
    assert done.stderr == (
        "testbed: 'dmo' is not a scenario in scenarios; did you mean 'demo'?\n"
    )


def test_a_scenario_that_is_like_no_other_lists_those_there_are(testbed, tmp_path):
    done = testbed("run", "nosuch", "--fast")
    assert done.returncode == 2
    names = sorted(path.stem for path in (tmp_path / "scenarios").glob("*.yaml"))
    assert done.stderr == (
        "testbed: 'nosuch' is not a scenario in scenarios; there are: "
        f"{', '.join(names)}\n"
    )


def test_init_makes_a_lab_that_check_accepts(testbed, tmp_path):
    assert testbed("init", "mine").returncode == 0
    done = testbed(
        "check",
        *("--lab", "mine/lab.yaml"),
        *("--devices", "mine/devices"),
        *("--scenarios", "mine/scenarios"),
    )
    assert done.returncode == 0, done.stderr
    again = testbed("init", "mine")
    assert again.returncode == 2
    assert "is not empty" in again.stderr


def test_a_wrong_depth_is_refused_before_anything_starts(testbed):
    done = testbed("run", "demo", "--depth", "activities")
    assert done.returncode == 2
    assert "goes with --fast" in done.stderr


def test_a_week_without_packets_is_a_campaign_all_the_same(testbed, tmp_path):
    done = testbed("run", "week_resident", "--fast", "--depth", "activities")
    assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / "captures").glob("week_resident-*")
    rows = (folder / "activities.csv").read_text().splitlines()
    assert len(rows) > 100
    assert all(row.endswith(",confirmed,true") for row in rows[1:])


def test_a_plan_names_what_no_plug_of_the_lab_serves(testbed, tmp_path):
    lab = tmp_path / "lab.yaml"
    lines = lab.read_text().splitlines(keepends=True)
    lab.write_text("".join(x for x in lines if "plug_camera" not in x))
    power = "omna_180 power_on, power_off (power): no plug of lab.yaml feeds it"
    assert f"left out: {power}\n" in testbed("plan", "demo").stdout
    assert json.loads(testbed("plan", "demo", "--json").stdout)["left_out"] == [power]


@pytest.mark.parametrize(("name", "warned"), [("demo", True), ("table_1", False)])
def test_a_plan_of_one_session_says_what_cannot_be_scored(testbed, name, warned):
    sentence = "one session: only leaky scores (S0) are possible"
    assert (sentence in testbed("plan", name).stdout) is warned
    remarks = json.loads(testbed("plan", name, "--json").stdout)["remarks"]
    assert [each.startswith(sentence) for each in remarks] == [True] * warned


def test_run_tells_all_faults_that_check_tells(testbed, tmp_path):
    lab = tmp_path / "lab.yaml"
    lab.write_text(lab.read_text().replace("host: 10.77.0.31", "host: 127.0.0.999"))
    told = testbed("run", "demo").stderr
    assert "plugs.plug_camera.host" in told
    assert testbed("check").stderr.strip() in told
