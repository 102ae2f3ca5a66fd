"""The command `doctor` where no lab has to be up: what it prints and how it ends."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from testbed.cli import build
from testbed.errors import ConfigError
from testbed.model.applock import load_lock
from testbed.model.load import load_lab, load_profiles
from testbed.runner.apps.walk import screens

ROOT = Path(__file__).parents[2]
REAL = """\
lab: bench
router:
  host: "192.0.2.1"
  interface: br-lan
  beacon: "127.0.0.1:47777"
  key_file: no-such-key
  host_key_file: keys
limits: {free_mb: 1}
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "devices").symlink_to(ROOT / "devices")
    (tmp_path / "scenarios").symlink_to(ROOT / "scenarios")
    (tmp_path / "lab.yaml").write_text(REAL)
    return tmp_path


def doctor(*words):
    return CliRunner().invoke(build(), ["doctor", *words, "--out", "out"])


def test_a_table_says_what_is_wrong_and_what_to_do(here):
    done = doctor("--only", "files,here,router")
    assert done.exit_code == 3
    assert re.search(r"router.link\W+BAD", done.output)
    assert "private key" in done.output
    assert "bench: not fit for a campaign" in done.output
    assert "\x1b[" not in done.output  # colours are for terminals
    assert "router.test_capture" in done.output


def test_the_json_is_all_that_is_printed(here):
    done = doctor("--only", "files,here", "--json")
    found = json.loads(done.stdout)
    assert (done.exit_code, found["exit_code"], found["ok"]) == (0, 0, True)
    assert {f["part"] for f in found["findings"]} == {"files", "here"}


def test_a_scenario_that_is_not_there_is_a_bad_file(here):
    done = doctor("no_such_thing", "--only", "files,here", "--json")
    (bad,) = [f for f in json.loads(done.stdout)["findings"] if f["verdict"] == "bad"]
    assert (done.exit_code, bad["check"]) == (2, "files.plan")
    assert "no_such_thing" in bad["said"]


def test_a_scenario_says_how_large_it_will_be(here):
    done = doctor("house", "--only", "files,here", "--json")
    found = {f["check"]: f for f in json.loads(done.stdout)["findings"]}
    assert found["here.disk"]["measured"]["expected_mb"] > 100
    assert found["files.plan"]["measured"]["trials"] > 1000


@pytest.mark.parametrize("only", ["rooter", "router,,fon"])
def test_a_part_that_does_not_exist_is_named(here, only):
    done = doctor("--only", only)
    assert isinstance(done.exception, ConfigError)
    assert "--only" in str(done.exception)


def test_a_lock_needs_a_look_at_the_phone(here):
    done = doctor("--only", "router", "--lock")
    assert isinstance(done.exception, ConfigError)


def test_text_of_a_lab_is_not_taken_for_markup(here):
    (here / "lab.yaml").write_text(REAL + "colour: '[red]x[/red]'\n")
    done = doctor()
    assert done.exit_code == 2
    assert "colour" in done.output
    assert not (here / "out").exists()


def test_the_lock_that_ships_is_of_the_shipped_lab_and_its_profiles():
    lock = load_lock(ROOT / "app.lock.yaml")
    profiles = load_profiles(ROOT / "devices")
    assert lock.lab == load_lab(ROOT / "lab.yaml").lab
    assert set(lock.devices) == set(profiles)
    for device, entry in lock.devices.items():
        profile = profiles[device]
        assert (entry.package, entry.version) == (
            profile.app.package,
            profile.app.version,
        )
        wanted = {w.place for s in screens(profile) for w in s.wants}
        assert set(entry.selectors) == wanted
