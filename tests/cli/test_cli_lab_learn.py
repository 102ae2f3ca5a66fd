import sys
from pathlib import Path

import numpy as np
import pytest

from analysis.dataset import load_activities
from analysis.evaluate.samples import samples_of
from analysis.packets import load_packets
from testbed.cli import main

EXAMPLE = Path(__file__).parents[2] / "captures" / "example"
TWIN = "tplink_hs110_twin"


@pytest.fixture
def testbed(monkeypatch):
    """Run a command as a shell does; return its exit code."""

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["testbed", *map(str, words)])
        with pytest.raises(SystemExit) as left:
            main()
        return left.value.code

    return run


def learn(testbed, out, *words):
    return testbed("lab", "learn", EXAMPLE, "--out", out, *words)


def test_a_twin_is_learnt_and_its_lab_records_labelled_trials(
    testbed, tmp_path, monkeypatch, capsys
):
    assert learn(testbed, tmp_path / "lab", "--device", "tplink_hs110") == 0
    assert f"{TWIN}, learnt from 4 trials" in capsys.readouterr().out
    monkeypatch.chdir(tmp_path / "lab")
    assert testbed("check") == 0
    assert testbed("run", TWIN, "--fast") == 0
    (campaign,) = (tmp_path / "lab" / "captures").glob(f"{TWIN}-*")
    log = load_activities(campaign).frame
    assert log["outcome"].to_list() == ["confirmed"] * 20
    twin, source = samples_of(campaign, TWIN), samples_of(EXAMPLE, "tplink_hs110")
    assert set(twin.activity) == set(source.activity)
    assert (twin.n_packets > 0).all()
    for name in ("both_packets", "both_total_b", "in_total_b"):
        column = twin.names.index(name)
        usual = np.median(source.x[:, column])
        assert np.median(twin.x[:, column]) == pytest.approx(usual, rel=0.35)


def test_what_was_not_learnt_few_trials_and_the_next_command_are_said(
    testbed, tmp_path, capsys
):
    out, other = tmp_path / "my lab", tmp_path / "my lab.draft"
    other.mkdir()  # of a publication, which has to go on there
    words = ("--device", "tplink_hs110", "--activity", "turn_on")
    assert learn(testbed, out, *words) == 0
    assert sorted(tmp_path.iterdir()) == [out, other]
    said = capsys.readouterr().out
    assert "turn_on: 2 trials, 1 session" in said
    assert "not learnt: turn_off (2): their trials have no packet" in said
    assert "not learnt: what was plain text in packets" in said
    assert "warning: few trials of turn_on (2): figures" in said
    assert f"twin: {out}/twins/{TWIN}.json" in said
    assert f"cd '{out}' && testbed run {TWIN} --fast" in said


def test_a_run_goes_the_same_way_again_and_a_live_one_is_refused(
    testbed, tmp_path, monkeypatch, capsys
):
    learn(testbed, tmp_path / "lab", "--device", "tplink_hs110")
    files = ("--lab", "lab/lab.yaml", "--devices", "lab/devices")
    files += ("--scenarios", "lab/scenarios")
    monkeypatch.chdir(tmp_path)
    tables = []
    for name in ("one", "two"):
        assert testbed("run", TWIN, *files, "--fast", "--out", name) == 0
        (campaign,) = Path(name).glob(f"{TWIN}-*")
        tables.append(load_packets(campaign, TWIN))
    for column in ("time_ns", "length_b", "seq", "src_port"):
        one, two = (getattr(table, column).tolist() for table in tables)
        assert one == two
    capsys.readouterr()
    assert testbed("run", TWIN, *files) == 3
    assert "add --fast" in capsys.readouterr().err


def test_what_cannot_be_learnt_is_said_and_leaves_nothing(testbed, tmp_path, capsys):
    out = tmp_path / "lab"
    assert learn(testbed, out) == 2
    assert "has several devices; name one by --device" in capsys.readouterr().err
    assert learn(testbed, out, "--device", "toaster") == 2
    assert list(tmp_path.iterdir()) == []
    out.mkdir()
    assert learn(testbed, out, "--device", "tplink_hs110") == 2
    assert "is there already" in capsys.readouterr().err
    assert testbed("lab", "learn", EXAMPLE, "--device", "tplink_hs110") == 2
    assert "go with --out" in capsys.readouterr().err


def test_the_only_campaign_of_a_dataset_is_found(tmp_path):
    from testbed.cli.datasets import find_campaign
    from testbed.errors import ConfigError

    inner = tmp_path / "data" / "campaigns" / "one"
    inner.mkdir(parents=True)
    (inner / "campaign.yaml").touch()
    assert find_campaign(tmp_path).folder == inner
    other = inner.with_name("two")
    other.mkdir()
    (other / "campaign.yaml").touch()
    with pytest.raises(ConfigError, match="holds 2 campaigns: one, two; name one"):
        find_campaign(tmp_path)
