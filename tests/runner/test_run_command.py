"""The commands, on the fast form of the virtual lab."""

import csv
import json
import re

import pytest
from typer.testing import CliRunner

import testbed.cli.run as command
from testbed.cli import build
from testbed.cli.places import Place
from testbed.clock import SystemClock
from testbed.errors import ConfigError, JournalError, LabError
from testbed.model.events import LABELLED
from testbed.model.load import load_lab
from testbed.runner.journal.leases import Lease
from testbed.runner.journal.store import open_store

SCENARIO = """\
scenario: short
seed: 3
select:
  - {device: arlo_q, activities: [open_settings], networks: [lan]}
  - {device: omna_180, activities: [power_off, power_on]}
  - {device: echo_dot, activities: [ask_time], channels: [voice]}
  - {device: wemo_insight, activities: [turn_on], channels: [api]}
rest: 1 s
idle: 2 s
"""


@pytest.fixture
def place(tmp_path):
    (tmp_path / "short.yaml").write_text(SCENARIO)
    return tmp_path


def invoke(*words):
    return CliRunner().invoke(build(), [str(w) for w in words], catch_exceptions=False)


def run_short(place):
    out = place / "out"
    result = invoke("run", place / "short.yaml", "--fast", "--out", out)
    return result, out


def campaign_of(out):
    (folder,) = out.glob("short-*")
    return folder


def test_a_fast_run_leaves_a_labelled_campaign_and_says_where(place):
    result, out = run_short(place)
    folder = campaign_of(out)
    assert result.exit_code == 0, result.output
    assert f"campaign: {folder}" in result.output
    with (folder / "activities.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {r["outcome"] for r in rows} <= {o.value for o in LABELLED}
    assert {r["channel"] for r in rows} == {"phone", "voice", "power", "api"}
    assert {r["simulated"] for r in rows} == {"true"}
    for part in ("labelled", "packets", "raw"):
        assert any((folder / part).iterdir())
    assert (folder / "MANIFEST.sha256").exists()
    assert re.fullmatch(r"short-\d{8}T\d{6}\.\d{3}Z", folder.name)


def test_the_same_seed_makes_the_same_rows(place, tmp_path):
    logs = []
    for name in ("one", "two"):
        invoke("run", place / "short.yaml", "--fast", "--out", tmp_path / name)
        text = (campaign_of(tmp_path / name) / "activities.csv").read_text()
        logs.append(re.sub(r"short-\w+\.\w+", "short", text))
    assert logs[0] == logs[1]


def test_status_tells_coverage_to_people_and_machines(place):
    _, out = run_short(place)
    said = invoke("status", "--out", out).output
    assert "closed" in said
    found = json.loads(invoke("status", "--out", out, "--json").stdout)
    assert found["done"] == found["trials"]
    assert found["left_s"] == 0
    cells = {(c["device"], c["activity"]): c for c in found["coverage"]}
    assert cells["arlo_q", "open_settings"]["labelled"] == 1


def test_ctrl_c_exits_with_130_and_resume_goes_on(place, monkeypatch):
    began = command.run_campaign

    def interrupted(inputs, means, ended, say):
        def ask(one):
            ended(one)
            means.stop.request()

        return began(inputs, means, ask, say)

    monkeypatch.setattr(command, "run_campaign", interrupted)
    result, out = run_short(place)
    assert result.exit_code == 130
    folder = campaign_of(out)
    assert f"testbed resume {folder}" in result.output
    status = json.loads(invoke("status", folder, "--json").stdout)
    assert status["state"] == "interrupted"
    assert status["done"] == 1
    monkeypatch.undo()
    resumed = invoke("resume", folder)
    assert resumed.exit_code == 0, resumed.output
    status = json.loads(invoke("status", folder, "--json").stdout)
    assert status["state"] == "closed"
    assert status["done"] == status["trials"]


def test_while_a_fast_campaign_runs_it_says_so_and_nobody_else_goes_on(
    place, monkeypatch
):
    began = command.run_campaign
    met = []

    def watched(inputs, means, ended, say):
        def look(one):
            ended(one)
            if met:
                return
            folder = campaign_of(place / "out")
            met.append(json.loads(invoke("status", folder, "--json").stdout)["state"])
            monkeypatch.setattr(command, "run_campaign", began)
            with pytest.raises(LabError, match=r"is held by short-.*, process") as told:
                invoke("resume", folder)
            met.append(str(told.value))

        return began(inputs, means, look, say)

    monkeypatch.setattr(command, "run_campaign", watched)
    result, out = run_short(place)
    assert result.exit_code == 0, result.output
    assert met[0] == "running"
    assert len(met) == 2
    assert not list(out.glob("*.lock"))
    state = json.loads(invoke("status", "--out", out, "--json").stdout)["state"]
    assert state == "closed"


def test_who_holds_a_lab_is_named_before_its_instruments_are_asked(place, monkeypatch):
    def never(*_):
        raise AssertionError("the instruments were asked")

    monkeypatch.setenv("TESTBED_IN_LAB", "1")
    monkeypatch.setattr(command, "open_bench", never)
    out = place / "out"
    lab = load_lab(command.LAB)
    clock = SystemClock()
    with open_store(Place.of(lab, out).journal, clock) as store:
        held = Lease(store, lab.lab, clock)
        held.acquire("evening-1")
        with pytest.raises(LabError, match="is held by evening-1 on "):
            invoke("run", place / "short.yaml", "--out", out)
        held.release()


def test_who_holds_a_lab_is_named_before_one_is_brought_up(place, monkeypatch):
    def never(*_, **__):
        raise AssertionError("the lab was brought up")

    monkeypatch.delenv("TESTBED_IN_LAB", raising=False)
    monkeypatch.setattr(command, "go_inside", never)
    out = place / "out"
    lab = load_lab(command.LAB)
    clock = SystemClock()
    with open_store(Place.of(lab, out).journal, clock) as store:
        held = Lease(store, lab.lab, clock)
        held.acquire("evening-1")
        with pytest.raises(LabError, match="is held by evening-1 on "):
            invoke("run", place / "short.yaml", "--out", out)
        held.release()
        with pytest.raises(AssertionError):
            invoke("run", place / "short.yaml", "--out", out)


def test_a_campaign_that_fails_on_its_way_is_named_with_what_goes_on(
    place, monkeypatch
):
    began = command.run_campaign

    def full(*given):
        began(*given)
        raise JournalError("the disk is full")

    monkeypatch.setattr(command, "run_campaign", full)
    with pytest.raises(JournalError) as told:
        run_short(place)
    folder = campaign_of(place / "out")
    assert told.value.__notes__ == [f"testbed resume {folder} goes on"]


def test_an_unknown_campaign_is_named_with_those_that_exist(place):
    _, out = run_short(place)
    with pytest.raises(ConfigError, match=r"'shrt' is not a campaign .* short-"):
        invoke("resume", "shrt", "--out", out)


def test_a_folder_that_is_no_campaign_is_said_so(tmp_path):
    with pytest.raises(ConfigError, match=r"campaign.yaml cannot be read"):
        invoke("resume", tmp_path)


def test_a_scenario_in_which_nobody_does_anything_is_refused(tmp_path):
    scenario = tmp_path / "empty.yaml"
    habit = "{device: arlo_q, activity: stream_video, channel: phone, weekday: {}}"
    scenario.write_text(
        "scenario: empty\nseed: 1\ndays: 2\n"
        f"users: [{{name: nobody, habits: [{habit}]}}]\n"
    )
    with pytest.raises(ConfigError, match="nobody does anything in it"):
        invoke("run", scenario, "--fast", "--out", tmp_path / "captures")
    assert not (tmp_path / "captures").exists()
