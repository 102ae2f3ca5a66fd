"""From a campaign folder to samples, studies and tables of features."""

import csv
import gc
import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from analysis.dataset import COLUMNS
from analysis.errors import AnalysisError, DatasetError, LabelError
from analysis.evaluate.campaign import (
    alike,
    devices_of,
    plan_of,
    record_of,
    studies,
)
from analysis.evaluate.samples import By, open_recorded, samples_of
from analysis.evaluate.table import feature_tables, write_features
from tests.analysis.made_week import BURSTS, DAY_S, START_NS, S, command, make


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make(tmp_path_factory.mktemp("campaign") / "week", n_sessions=4, repeats=5)


def test_samples_are_the_trials_of_one_device_in_order_of_time(folder):
    samples = samples_of(folder, "camera")
    assert len(samples) == 60
    assert set(samples.activity) == set(BURSTS)
    assert samples.sessions() == ("day-0", "day-1", "day-2", "day-3")
    assert (np.diff(samples.start_ns) > 0).all()
    packets = samples.x[:, samples.names.index("both_packets")]
    assert list(packets) == [BURSTS[a][0] for a in samples.activity]
    assert list(samples.n_packets) == list(packets)
    assert len(set(samples.trial)) == 60


def test_one_activity_over_two_channels_is_one_label_unless_asked_otherwise(folder):
    samples = samples_of(folder, "camera", by=By.ACTIVITY_AND_CHANNEL)
    together = {f"{a} by {c}" for a in BURSTS for c in ("phone", "voice")}
    assert set(samples.activity) == together
    assert set(samples_of(folder, "camera").channel) == {"phone", "voice"}


def test_idle_windows_have_a_class_and_an_identity_of_their_own(folder):
    samples = samples_of(folder, "camera", n_idle=20, seed=1)
    idle = samples.activity == "idle"
    assert idle.sum() == 20
    assert samples.n_packets[idle].sum() == 0
    assert len(set(samples.trial)) == 80
    again = samples_of(folder, "camera", n_idle=20, seed=1)
    assert np.array_equal(samples.start_ns, again.start_ns)


def test_an_activity_called_idle_is_its_own_and_no_windows_are_drawn_beside_it(
    tmp_path,
):
    made = make(tmp_path / "week", 2, 5)
    path = made / "activities.csv"
    path.write_text(path.read_text().replace(",settings,", ",idle,"))
    samples = samples_of(made, "camera")
    assert (samples.activity == "idle").sum() == 10
    assert not [name for name in samples.trial if name.startswith("idle")]
    with pytest.raises(LabelError, match="camera: the log has an activity 'idle' of"):
        samples_of(made, "camera", n_idle=3)


def test_all_windows_are_alike_where_that_is_asked(tmp_path):
    made = make(tmp_path / "week", 2, 5)
    path = made / "activities.csv"
    text = path.read_text()
    path.write_text(text.replace(",8000000000,", ",12000000000,", 3))
    opened = open_recorded(made)
    assert set(samples_of(opened, "camera").length_ns) == {8 * S, 12 * S}
    for window_s, length_s in ((0.0, 12), (5.0, 5)):
        same = samples_of(alike(opened, "camera", window_s), "camera")
        assert set(same.length_ns) == {length_s * S}
    path.write_text(text.replace(",8000000000,", ",80000000000,", 1))
    most = samples_of(alike(open_recorded(made), "camera", 0.0), "camera")
    assert set(most.length_ns) == {30 * S}
    shown = command(
        "evaluate", made, "--classifier", "nb", "--split", "s1", "--window", "longest"
    )
    assert shown.exit_code == 0


def test_the_open_set_and_every_other_split_can_be_asked_for(folder):
    asked = ("evaluate", folder, "--classifier", "nb", "--device", "camera")
    shown = command(*asked, "--split", "all")
    assert "Activities that were never learnt" in shown.output
    assert "camera: refused: one unit in one home only" in shown.output
    found = json.loads(command(*asked, "--split", "all", "--json").stdout)
    assert {r["split"] for r in found["results"]} >= {"s3", "s5", "s6"}
    (opened,) = (r for r in found["results"] if r["split"] == "s6")
    assert 0 <= opened["open_set"]["auroc"] <= 1
    assert found["gaps"][0]["leaky"] == "s0_folds"
    assert {c["name"] for c in found["canaries"]} >= {"clock", "length_only"}


def test_learnt_from_one_campaign_and_tested_on_another(folder, tmp_path):
    other = make(tmp_path / "june", 2, 4, devices=("camera",))
    path = other / "activities.csv"
    path.write_text(path.read_text().replace(",settings,", ",only_here,"))
    asked = ("evaluate", folder, "--test", other, "--classifier", "nb")
    found = json.loads(command(*asked, "--json").stdout)
    assert found["test"]["campaign"] == "week"
    by_device = {r["device"]: r for r in found["results"]}
    assert by_device["camera"]["split"] == "transfer"
    assert by_device["camera"]["n_trials"] == 16
    assert by_device["camera"]["accuracy"] == 1.0
    assert "only_here, settings" in by_device["camera"]["split_note"]
    reasons = {r["device"]: r["reason"] for r in found["refusals"]}
    assert reasons == {"speaker": "no trial has a label in one of the campaigns"}
    shown = command(*asked)
    assert "learnt from campaign week, tested on campaign week" in shown.output
    assert command(*asked, "--split", "s1").exception.exit_code == 2


def test_a_folder_without_packet_tables_gets_them(tmp_path):
    made = make(tmp_path / "week", 1, 2)
    samples_of(made, "speaker")
    assert sorted(p.name for p in (made / "packets").iterdir()) == [
        "device=camera",
        "device=speaker",
    ]


def test_an_unknown_device_is_refused_with_those_there_are(folder):
    with pytest.raises(DatasetError, match="no device 'toaster'; it has camera, speak"):
        samples_of(folder, "toaster")
    with pytest.raises(DatasetError, match="toaster"):
        devices_of(folder, ["toaster"])


def test_windows_that_overlap_are_refused(tmp_path):
    made = make(tmp_path / "week", 1, 2)
    path = made / "activities.csv"
    path.write_text(path.read_text().replace(",8000000000,", ",40000000000,"))
    with pytest.raises(LabelError, match="overlap"):
        samples_of(made, "camera")


@pytest.mark.parametrize(
    ("names", "splits", "message"),
    [
        (["random_florist"], [], "did you mean 'random_forest'"),
        (["svm"], [], "there are: random_forest, .*, payload, rf, knn, nb, hgb"),
        (["rf"], ["s9"], "is not a split; there are: s0_folds, .*, s6, s0, all"),
        (["rf"], ["s0_fold"], "did you mean 's0_folds'"),
    ],
)
def test_a_wrong_name_is_answered_with_the_nearest(names, splits, message):
    with pytest.raises(AnalysisError, match=message):
        plan_of(names, splits)


def test_a_plan_without_names_holds_everything_in_the_order_of_the_paper():
    plan = plan_of()
    names = [c.name for c in plan.classifiers]
    assert names[:3] == ["random_forest", "nearest", "naive_bayes"]
    assert plan.with_payload
    assert plan.splits == ("s0_folds", "s0_holdout", "s1", "s2")
    assert plan_of(["rf"], ["s0"]).splits == ("s0_folds", "s0_holdout")


def test_devices_are_scored_one_by_one_and_the_numbers_are_json(folder):
    plan = plan_of(["knn", "nb"], ["s1"])
    found = list(studies(folder, devices_of(folder), plan))
    assert [study.device for study in found] == ["camera", "speaker"]
    for study in found:
        assert [r.classifier for r in study.results] == ["nearest", "naive_bayes"]
        assert all(r.accuracy > 0.9 for r in study.results)
        records = json.loads(json.dumps([record_of(r) for r in study.results]))
        assert records[0]["n_sessions"] == 4
        assert sum(map(sum, records[0]["confusion"])) == 60
        assert study.removed == {"errors": 0, "retransmissions": 0}


def test_a_device_without_trials_is_refused_in_words(tmp_path):
    made = make(tmp_path / "week", 2, 2, devices=("camera",))
    (study,) = studies(made, ["speaker"], plan_of(["nb"], ["s1"]))
    assert [r.reason for r in study.refusals] == ["no trial has a label"]


def test_windows_without_a_packet_are_counted_and_told(tmp_path):
    made = make(tmp_path / "week", 2, 5)
    path = made / "activities.csv"
    first = START_NS + 0 * S
    text = path.read_text().replace(f",{first},", f",{first + DAY_S // 2 * S},", 1)
    path.write_text(text)
    shown = command("evaluate", made, "--classifier", "nb", "--split", "s1")
    assert "camera: 1 of 30 windows hold no packet" in shown.output


def move(folder, activities, by_ns):
    """Move the first `activities` rows of the log in time."""
    path = folder / "activities.csv"
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows[:activities]:
        row["t_ns"] = str(int(row["t_ns"]) + by_ns)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, tuple(COLUMNS))
        writer.writeheader()
        writer.writerows(rows)


def test_windows_outside_every_capture_are_left_out_and_told(tmp_path):
    made = make(tmp_path / "week", 2, 5)
    move(made, 1, -DAY_S * S)
    shown = command("evaluate", made, "--classifier", "nb", "--split", "s1")
    assert "camera: 1 window outside every capture left out" in shown.output
    found = command("evaluate", made, "--classifier", "nb", "--split", "s1", "--json")
    devices = json.loads(found.stdout)["devices"]
    assert [d["uncovered_windows"] for d in devices] == [1, 0]
    assert [d["windows"] for d in devices] == [29, 30]


def test_a_log_in_another_time_zone_is_not_learnt_from(tmp_path):
    made = make(tmp_path / "week", 1, 5)
    move(made, 10**6, 2 * 3600 * S)
    with pytest.raises(LabelError, match=r"local time of UTC\+2 taken as UTC"):
        list(studies(made, ["camera"], plan_of(["nb"], ["s0"])))


def test_sessions_of_one_activity_each_are_called_confounded(tmp_path):
    made = make(tmp_path / "week", 4, 5)
    with (made / "activities.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    with (made / "activities.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, tuple(COLUMNS))
        writer.writeheader()
        writer.writerows(row | {"session": row["activity"]} for row in rows)
    (study,) = studies(made, ["camera"], plan_of(["nb"], ["s0_folds", "s1"]))
    (result,) = study.results
    assert result.confounded
    assert result.null_accuracy == result.accuracy
    reason = "seen in one session only: every activity"
    assert [r.reason for r in study.refusals] == [reason]
    shown = command("evaluate", made, "--classifier", "nb", "--split", "s0")
    assert "what is recognised may be the session" in shown.output


def test_the_feature_table_is_the_samples_with_their_origin(folder, tmp_path):
    table = pl.concat(feature_tables(folder, ["camera", "speaker"]))
    samples = samples_of(folder, "speaker")
    rows = table.filter(pl.col("device") == "speaker")
    assert np.array_equal(rows.select(samples.names).to_numpy(), samples.x)
    assert rows["activity"].to_list() == list(samples.activity)
    assert table["simulated"].all()
    tables = feature_tables(folder, ["camera", "speaker"])
    size = write_features(tables, tmp_path / "features.parquet")
    assert size == table.shape
    assert pl.read_parquet(tmp_path / "features.parquet").equals(table)
    assert [p.name for p in tmp_path.iterdir()] == ["features.parquet"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_features_that_find_no_room_name_their_file_and_leave_nothing(
    folder, tmp_path, capsys
):
    path = tmp_path / "features.parquet"
    path.with_name("features.parquet.part").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left") as told:
        write_features(feature_tables(folder, ["camera"]), path)
    assert told.value.filename == str(path)
    assert not list(tmp_path.iterdir())
    gc.collect()
    assert capsys.readouterr().err == ""


def test_features_of_no_device_are_refused_and_leave_nothing(folder, tmp_path):
    path = tmp_path / "features.parquet"
    with pytest.raises(DatasetError, match="there is no device"):
        write_features(feature_tables(folder, []), path)
    assert not list(tmp_path.iterdir())
