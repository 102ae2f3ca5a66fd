import csv
import json
import shutil
import struct

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from analysis.dataset import COLUMNS
from analysis.pcap.writer import open_capture
from testbed.cli import build

S = 10**9
START_NS = 1_780_000_000 * S
MAC = "02:00:00:00:00:11"
CLOUD = bytes.fromhex("020000000001")
ANSWERS_S = {"snapshot": 2.0, "stream": 8.0, "off": 0.0}
REPEATS, SESSIONS = 12, 3


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    rng = np.random.default_rng(2)
    folder = tmp_path_factory.mktemp("campaign") / "week"
    (folder / "raw").mkdir(parents=True)
    packets, rows = [], []
    for k in range(REPEATS * len(ANSWERS_S)):
        activity = list(ANSWERS_S)[k % 3]
        day, place = k // 3 % SESSIONS, 3 * (k // 9) + k % 3
        at_s = 86_400 * day + 300 + 40 * place
        n = int(30 * ANSWERS_S[activity])
        packets += [at_s + t for t in rng.uniform(0, max(ANSWERS_S[activity], 1), n)]
        rows.append((at_s, activity, f"day-{day}"))
    packets += [86_400 * day + t for day in range(SESSIONS) for t in (0, 1200)]
    with open_capture(folder / "raw" / "lan-00001.pcapng") as capture:
        for at_s in sorted(packets):
            capture.packet(START_NS + round(at_s * S), frame(rng))
    about = {
        "campaign": "week",
        "simulated": True,
        "form": "fast",
        "devices": [{"device": "camera", "mac": MAC}],
    }
    (folder / "campaign.yaml").write_text(yaml.safe_dump(about))
    with (folder / "activities.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, tuple(COLUMNS))
        writer.writeheader()
        for number, row in enumerate(sorted(rows)):
            writer.writerow(described(number, *row))
    return folder


def frame(rng):
    ends = (bytes.fromhex(MAC.replace(":", "")), CLOUD)
    dst, src = ends if rng.random() < 0.5 else reversed(ends)
    return dst + src + struct.pack(">H", 0x88B5) + bytes(int(rng.integers(60, 800)))


def described(number, at_s, activity, session):
    blank = dict.fromkeys(COLUMNS, "")
    return blank | {
        "campaign": "week",
        "device": "camera",
        "activity": activity,
        "trial": f"{number:04d}",
        "attempt": 1,
        "session": session,
        "t_ns": START_NS + at_s * S,
        "t_uncertainty_ns": 1_000_000,
        "delta_ns": 10 * S,
        "outcome": "confirmed",
        "simulated": "true",
    }


def run(*words):
    return CliRunner().invoke(build(["delta"]), ["delta", *map(str, words)])


def test_delta_is_printed_beside_the_profile_with_its_interval(folder):
    done = run(folder)
    assert done.exit_code == 0, done.output
    assert "campaign week: simulated, fast; seed 0" in done.output
    lines = {line.split()[1]: line for line in done.output.splitlines()[2:]}
    assert "no answer is heard" in lines["off"]
    for name, answer_s in (("snapshot", 2.0), ("stream", 8.0)):
        words = lines[name].split()
        low, high = map(float, words[4].split("–"))
        assert words[2] == "10"
        assert low <= 0.95 * answer_s <= high
        assert words[6:8] == [str(REPEATS), str(SESSIONS)]


def test_accuracy_by_delta_comes_as_json_and_as_a_picture(folder, tmp_path):
    picture = tmp_path / "new" / "delta.svg"
    options = ("--classifier", "nb", "--json", "--picture", picture)
    done = run(folder, *options)
    assert done.exit_code == 0, done.output
    (device,) = json.loads(done.stdout)["devices"]
    assert set(device["estimates"]) == {"snapshot", "stream"}
    rules = {each["rule"] for each in device["scores"]}
    assert rules == {"profile", "group", "estimated", "longest", "seconds"}
    best = max(each["accuracy"] for each in device["scores"])
    assert best > 0.9
    assert picture.read_text().startswith("<?xml")
    assert json.loads(run(folder, *options).stdout)["devices"] == [device]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--split", "s6"), "--split: must be one of"),
        (("--picture", "a.svg"), "name a --classifier"),
        (("--classifier", "payload"), "payload reads single messages, whatever δ is"),
        (("--picture", "a.png", "--classifier", "nb"), "must end in .svg"),
        (("--device", "lamp"), "has no device 'lamp'"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_sentence(folder, words, said):
    done = run(folder, *words)
    assert done.exit_code != 0
    assert said in str(done.exception)


def test_what_an_import_recorded_is_not_called_a_profile(folder, tmp_path):
    assert "profile s" in run(folder).output
    made = tmp_path / "theirs"
    shutil.copytree(folder, made)
    about = made / "campaign.yaml"
    about.write_text(about.read_text().replace("form: fast", "form: imported"))
    told = run(made).output
    assert "recorded s" in told
    assert "profile s" not in told


def crowd(folder, made, activities, n):
    """Copy a campaign in which acts without effect follow n of each activity."""
    shutil.copytree(folder, made)
    with (made / "activities.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    more = [
        row | {"t_ns": int(row["t_ns"]) + 4 * S, "attempt": 2, "outcome": "no_effect"}
        for name in activities
        for row in [row for row in rows if row["activity"] == name][:n]
    ]
    with (made / "activities.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, tuple(COLUMNS))
        writer.writeheader()
        writer.writerows(rows + more)
    return made


@pytest.fixture
def crowded(folder, tmp_path):
    """The same campaign, each act followed by one without effect 4 s later."""
    return crowd(folder, tmp_path / "crowded", ANSWERS_S, REPEATS)


def test_trials_that_are_not_learnt_from_are_told_beside_the_estimate(folder, tmp_path):
    done = run(crowd(folder, tmp_path / "slips", ["stream"], 2))
    lines = {line.split()[1]: line for line in done.output.splitlines()[2:]}
    assert "2 not learnt from, the next act came too soon" in lines["stream"]
    assert lines["stream"].split()[6] == str(REPEATS - 2)
    assert "not learnt from" not in lines["snapshot"]


def test_trials_that_are_all_cut_short_are_the_reason_and_shown_before_a_picture_fails(
    crowded, tmp_path
):
    picture = tmp_path / "a.svg"
    reason = "all 36 trials are followed by another act within 10 s, the longest δ"
    done = run(crowded, "--classifier", "nb")
    assert done.exit_code == 0, done.output
    assert f"camera: refused: {reason}" in done.output
    done = run(crowded, "--classifier", "nb", "--picture", picture, "--json")
    assert done.exit_code != 0
    (device,) = json.loads(done.stdout)["devices"]
    assert device["refused"].startswith(reason)
    assert f"nothing could be scored: camera: {reason}" in str(done.exception)
    assert not picture.exists()
