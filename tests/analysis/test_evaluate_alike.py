"""Windows that are equally long: in one campaign, in two, and what that costs."""

import csv
import json
import shutil
import struct
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import yaml
from typer.testing import CliRunner

from analysis.dataset import COLUMNS
from analysis.errors import DatasetError
from analysis.evaluate.campaign import plan_of, studies_between
from analysis.evaluate.delta.alike import alike, alike_both, n_too_close
from analysis.evaluate.samples import open_recorded, samples_of
from analysis.evaluate.splits.transfer import joined
from analysis.models import load
from analysis.pcap.writer import open_capture
from testbed.cli import build
from testbed.errors import ConfigError

S = 10**9
START_NS = 1_780_000_000 * S
MAC = "020000000011"
KINDS = ("stream", "snapshot", "settings")


def make(folder, deltas_s, gaps_s=(), seed=3):
    """Make a campaign of two sessions of a camera, whose acts differ in δ.

    gaps_s  number of an act -> seconds until the next instead of 30
    """
    rng = np.random.default_rng(seed)
    (folder / "raw").mkdir(parents=True)
    rows, packets, at_s = [], [], 0.0
    for number in range(24):
        if number == 12:
            at_s += 86_400
        kind = number % 3
        rows.append(
            dict.fromkeys(COLUMNS, "")
            | {
                "campaign": folder.name,
                "session": f"day-{number // 12}",
                "trial": f"{number:04d}",
                "attempt": 1,
                "device": "camera",
                "activity": KINDS[kind],
                "channel": "phone",
                "t_ns": START_NS + round(at_s * S),
                "delta_ns": deltas_s[kind] * S,
                "outcome": "confirmed",
                "simulated": "true",
            }
        )
        for offset_s in np.sort(rng.uniform(0.05, 4, 4 + 5 * kind)):
            packets.append((at_s + offset_s, int(rng.integers(80, 900))))
        at_s += dict(gaps_s).get(number, 30)
    with open_capture(folder / "raw" / "lan-00001.pcapng") as capture:
        for stamp_s, size_b in sorted(packets):
            ends = bytes.fromhex("020000000001" + MAC)
            frame = ends + struct.pack(">H", 0x88B5) + bytes(size_b - 14)
            capture.packet(START_NS + round(stamp_s * S), frame)
    mac = ":".join(MAC[i : i + 2] for i in range(0, 12, 2))
    about = {
        "campaign": folder.name,
        "simulated": True,
        "form": "fast",
        "devices": [{"device": "camera", "mac": mac}],
    }
    (folder / "campaign.yaml").write_text(yaml.safe_dump(about))
    with (folder / "activities.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, tuple(COLUMNS))
        writer.writeheader()
        writer.writerows(rows)
    return folder


def command(*arguments):
    return CliRunner().invoke(build(), [str(a) for a in arguments])


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    return make(folder / "one", (5, 8, 12)), make(folder / "other", (5, 8, 9))


def test_windows_of_two_campaigns_are_alike_where_that_is_asked(two):
    one, other = (open_recorded(each) for each in two)
    for window_s, length_s in ((0.0, 9), (6.0, 6)):
        for each in alike_both((one, other), ("camera", "camera"), window_s):
            assert set(samples_of(each, "camera").length_ns) == {length_s * S}


def test_two_campaigns_are_scored_by_windows_of_one_length(two, monkeypatch):
    seen = joined_samples(monkeypatch)
    asked = ("evaluate", two[0], "--test", two[1], "--classifier", "nb", "--json")
    found = json.loads(command(*asked, "--window", "longest").stdout)
    (both,) = seen
    assert {length for each in both for length in each.length_ns} == {9 * S}
    assert found["devices"][0]["window_s"] == 9.0
    assert found["splits"] == []
    assert found["test"]["campaign"] == "other"


def joined_samples(monkeypatch):
    seen = []

    def look(train, test, names):
        seen.append((train, test))
        return joined(train, test, names)

    monkeypatch.setattr("analysis.evaluate.campaign.joined", look)
    return seen


def under_the_name_of(device, folder, target):
    """Copy a campaign whose camera is called otherwise."""
    shutil.copytree(folder, target, ignore=shutil.ignore_patterns("packets*", "flows"))
    for name in ("campaign.yaml", "activities.csv"):
        text = (target / name).read_text()
        (target / name).write_text(text.replace("camera", device))
    return target


def test_a_twin_is_scored_as_what_it_was_learnt_from(two, tmp_path):
    other = make(tmp_path / "other", (5, 8, 9), seed=7)
    twin = under_the_name_of("camera_twin", other, tmp_path / "twin")
    door = under_the_name_of("door", other, tmp_path / "door")
    scores = []
    for test, more in ((other, ()), (twin, ()), (door, ("--as", "camera=door"))):
        asked = ("--classifier", "nb", "--window", "longest", *more)
        done = command("evaluate", two[0], "--test", test, *asked, "--json")
        found = json.loads(done.stdout)
        (device,) = found["devices"]
        assert device["device"] == "camera"
        (result,) = found["results"]
        figures = [result[each] for each in ("accuracy", "confusion", "n_trials")]
        scores.append((found["called"], figures, device))
    called, figures, devices = zip(*scores, strict=True)
    assert called == ({}, {"camera": "camera_twin"}, {"camera": "door"})
    assert figures[0] == figures[1] == figures[2]
    assert devices[0] == devices[1] == devices[2]
    said = command("evaluate", two[0], "--test", twin, "--classifier", "nb").stdout
    assert "\ncamera: tested on camera_twin\n" in said


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ((), "has no device that .* has; name two that are one by --as NAME=NAME"),
        (("--device", "camera"), "has no device 'camera'; it has door"),
        (("--as", "camera=doo"), "/door has no device 'doo'; did you mean door"),
        (("--as", "camera"), "--as camera: must be NAME=NAME"),
    ],
)
def test_a_device_that_the_other_campaign_lacks_is_told(two, tmp_path, more, reason):
    door = under_the_name_of("door", two[1], tmp_path / "door")
    with pytest.raises((ConfigError, DatasetError), match=reason):
        raise command("evaluate", two[0], "--test", door, *more).exception


def test_other_names_go_with_another_campaign(two):
    with pytest.raises(ConfigError, match="--as: goes with --test"):
        raise command("evaluate", two[0], "--as", "camera=door").exception


def test_a_packet_that_does_not_come_is_as_late_in_both_campaigns(two, monkeypatch):
    seen = joined_samples(monkeypatch)
    plan = plan_of(["nb"], ["s1"], canaries=False)
    list(studies_between(*two, ["camera"], plan))
    ((train, test),) = seen
    # no packet of these leaves the camera's cloud, so none ever comes in
    late = [float(each.x[:, each.names.index("in_delay_s")].max()) for each in seen[0]]
    assert late == [12.0, 12.0]
    assert train.length_ns.max() == 12 * S
    assert test.length_ns.max() == 9 * S


def test_one_act_that_is_followed_too_soon_does_not_shorten_all_windows(tmp_path):
    folder = make(tmp_path / "week", (5, 8, 12), {4: 0.5})
    opened = open_recorded(folder)
    same = alike(opened, "camera", 0.0)
    found = samples_of(same, "camera")
    assert set(found.length_ns) == {12 * S}
    assert n_too_close(same, "camera") == 2
    assert not {"0004", "0005"} & set(found.trial)
    assert len(found) == 22
    # they stay in the log: no idle window lies over them
    assert len(same.log) == len(opened.log)
    assert n_too_close(opened, "camera") == 0


def test_acts_that_are_usually_close_shorten_windows_and_none_is_left_out(tmp_path):
    folder = make(tmp_path / "week", (5, 8, 40), dict.fromkeys(range(12), 29.5))
    same = alike(open_recorded(folder), "camera", 0.0)
    assert set(samples_of(same, "camera").length_ns) == {29_500_000_000}
    assert n_too_close(same, "camera") == 0


def test_acts_that_are_close_but_have_room_are_kept(tmp_path):
    folder = make(tmp_path / "week", (5, 8, 8), {4: 10})
    same = alike(open_recorded(folder), "camera", 0.0)
    assert set(samples_of(same, "camera").length_ns) == {8 * S}
    assert n_too_close(same, "camera") == 0


def test_what_makes_a_score_again_is_in_the_json_and_the_length_is_printed(tmp_path):
    folder = make(tmp_path / "week", (5, 8, 12), {4: 0.5})
    asked = ("evaluate", folder, "--classifier", "nb", "--split", "s1", "--idle", "3")
    shown = command(*asked, "--window", "longest")
    assert (
        "camera: all windows are 12 s; 2 acts left out, another follows too soon"
        in (shown.output)
    )
    found = json.loads(
        command(*asked, "--window", "longest", "--overlap", "cut", "--json").output
    )
    assert {name: found[name] for name in ("window", "idle", "overlap", "splits")} == {
        "window": "longest",
        "idle": 3,
        "overlap": "cut",
        "splits": ["s1"],
    }
    assert found["classifiers"] == ["naive_bayes"]
    (device,) = found["devices"]
    assert (device["window_s"], device["too_close"]) == (12.0, 2)
    plain = json.loads(command(*asked, "--overlap", "drop", "--json").stdout)
    assert plain["window"] is None
    assert plain["devices"][0]["window_s"] is None


def test_a_session_of_one_name_in_two_homes_is_two_sessions(two):
    opened = open_recorded(two[0])
    frame = opened.log.frame.with_columns(
        home=pl.Series([f"home_{i // 12}" for i in range(24)]),
        session=pl.lit("day-0"),
    )
    there = replace(opened, log=replace(opened.log, frame=frame))
    assert samples_of(there, "camera").sessions() == (
        "home_0: day-0",
        "home_1: day-0",
    )
    assert samples_of(opened, "camera").sessions() == ("day-0", "day-1")


def test_training_tells_what_it_left_out_to_make_windows_alike(tmp_path):
    folder = make(tmp_path / "week", (5, 8, 12), {4: 0.5})
    asked = ("train", folder, "--classifier", "nb", "--out", tmp_path / "model")
    trained = command(*asked, "--window", "longest").output.splitlines()
    line = "camera: all windows are 12 s; 2 acts left out, another follows too soon"
    assert trained[1] == line
    facts = load(tmp_path / "model").devices["camera"].facts
    assert facts.learnt.n_too_close == 2
    card = (tmp_path / "model" / "CARD.md").read_text()
    assert "2 acts are left out: another follows too soon" in card
