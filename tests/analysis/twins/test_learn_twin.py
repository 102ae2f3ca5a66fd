from pathlib import Path

import numpy as np
import pytest

from analysis.errors import DatasetError
from analysis.twins import learn, learn_twin, save_twin

EXAMPLE = Path(__file__).parents[3] / "captures" / "example"


@pytest.fixture(scope="module")
def learnt():
    return learn_twin(EXAMPLE, "tplink_hs110")


def test_each_trial_is_learnt_with_the_packets_of_its_window(learnt):
    import polars as pl

    table = pl.read_parquet(EXAMPLE / "packets" / "device=tplink_hs110" / "*.parquet")
    log = pl.read_csv(EXAMPLE / "activities.csv").filter(device="tplink_hs110")
    counts = np.diff(learnt.trials.shapes.first)
    for row, n in zip(log.iter_rows(named=True), counts, strict=True):
        late = row["t_uncertainty_ns"]
        start, end = row["t_ns"] - late, row["t_ns"] + row["delta_ns"] + late
        found = table.filter(pl.col("time_ns").is_between(start, end, closed="left"))
        good = found.filter(~pl.col("retransmission").is_in((1, 2, 3)))
        assert n == good.height


def test_what_is_learnt_is_shapes_and_no_payload(learnt):
    columns = learnt.trials.shapes.packets
    assert "payload" not in columns
    assert columns["outbound"].any()
    assert set(columns["group"].tolist()) == set(range(columns["group"].max() + 1))
    assert learnt.activities == ["turn_off", "turn_on"]
    assert all(8e9 <= delta < 8.1e9 for delta in learnt.delta_ns)


def test_idle_traffic_is_learnt_from_what_is_far_from_all_windows(learnt):
    idle = learnt.idle
    assert idle.observed_s > 30
    assert len(idle.shapes) == 2  # heartbeats
    assert idle.mean_s.tolist() == [pytest.approx(idle.observed_s / 2)]
    offset, first = idle.shapes.packets["offset_ns"], idle.shapes.first
    assert (offset[first[:-1]] == 0).all()


def test_lengths_that_one_trial_has_alone_are_marked(learnt):
    shapes, activity = learnt.trials.shapes, learnt.trials.activity
    trial = np.repeat(np.arange(len(shapes)), np.diff(shapes.first))
    length, rare = shapes.packets["length_b"], shapes.packets["rare"]
    assert 0 < rare.mean() < 1
    for row in range(0, length.size, 7):
        like = (length == length[row]) & (activity[trial] == activity[trial[row]])
        assert rare[row] == (np.unique(trial[like]).size == 1)


def test_of_an_activity_that_a_session_has_often_the_first_are_learnt(
    learnt, monkeypatch
):
    monkeypatch.setattr(learn, "_MOST_TRIALS", 1)
    found = learn_twin(EXAMPLE, "tplink_hs110").trials
    assert len(learnt.trials.activity) > len(found.activity) == 2
    assert sorted(found.activity.tolist()) == [0, 1]
    sizes = np.diff(found.shapes.first).tolist()
    assert sizes == np.diff(learnt.trials.shapes.first).tolist()[:2]


def test_only_the_trials_that_are_named_are_learnt():
    found = learn_twin(EXAMPLE, "tplink_hs110", trials=["0001"])
    assert (len(found.trials.shapes), found.activities) == (1, ["turn_on"])


def test_activities_that_no_trial_has_are_told_with_those_that_there_are():
    with pytest.raises(DatasetError) as told:
        learn_twin(EXAMPLE, "tplink_hs110", activities=["turn_on", "sing", "turnoff"])
    said = "no trial of tplink_hs110 has the activity"
    assert str(told.value).splitlines() == [
        f"{EXAMPLE}: {said} 'sing'; it has turn_off, turn_on",
        f"{EXAMPLE}: {said} 'turnoff'; did you mean 'turn_off'? it has turn_off, "
        "turn_on",
    ]


def test_a_device_without_a_trial_is_said_to_have_none():
    with pytest.raises(DatasetError, match="no trial of tplink_hs110 has a packet"):
        learn_twin(EXAMPLE, "tplink_hs110", trials=["9999"])
    with pytest.raises(DatasetError, match="has no device 'toaster'"):
        learn_twin(EXAMPLE, "toaster")


def test_more_packets_than_a_twin_may_hold_are_refused(monkeypatch):
    monkeypatch.setattr("analysis.twins.learn._MOST_PACKETS", 20)
    with pytest.raises(DatasetError, match="with --activity"):
        learn_twin(EXAMPLE, "tplink_hs110")


def test_the_same_campaign_gives_the_same_bytes(learnt, tmp_path):
    for name in ("one", "two"):
        save_twin(learnt, tmp_path / name)
    again = learn_twin(EXAMPLE, "tplink_hs110")
    save_twin(again, tmp_path / "three")
    for suffix in (".json", ".npz"):
        one, *others = (tmp_path / f"{n}{suffix}" for n in ("one", "two", "three"))
        assert all(one.read_bytes() == other.read_bytes() for other in others)
