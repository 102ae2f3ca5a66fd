import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from analysis.classifiers.model import Classifier
from analysis.dataset import load_activities
from analysis.evaluate.splits.folds import Fold
from analysis.pcap.writer import open_capture
from tests.bench.public import TASKS, macro, main
from tests.bench.public_digests import data_digest
from tests.bench.public_page import page
from tests.bench.public_scores import (
    answer_key,
    mean_over_devices,
    over_devices,
    paired,
)
from tests.bench.public_sets import SETS, campaign_of
from tests.bench.public_words import ABOUT, HEAD

CIC = (
    "ip_dst_new,ethernet_frame_size ,protocol ,source_port,dest_port,epoch_timestamp\n"
)
OWN, FAR = 3232270669, 911297469  # 192.168.137.77 and an address outside


@pytest.fixture
def data(tmp_path):
    """Write sets of a few traces in the layouts of the public ones."""
    rng = np.random.default_rng(0)
    vcfp = tmp_path / "vcfp-alexa"
    (vcfp / "trace_csv").mkdir(parents=True)
    labels = "file,command,set,repeat\n"
    for command, size in (("ask", 300), ("stop", 900), ("play", 1200)):
        for letter, k in [("L", k) for k in range(5)] + [("K", 0)] * (size > 300):
            name = f"{command}_{letter}_{k}.csv"
            labels += f"{name},{command},{letter},{k}\n"
            rows = [
                f"{i},{i / 7},{size + int(rng.integers(9))},{1 - 2 * (i % 2)}\n"
                for i in range(20)
            ]
            text = ",time,size,direction\n" + "".join(rows)
            (vcfp / "trace_csv" / name).write_text(text)
    (vcfp / "labels.csv").write_text(labels)
    cic = tmp_path / "cic-iot2022-interactions" / "plug"
    cic.mkdir(parents=True)
    for medium in ("LAN", "ALEXA"):
        for action, size in (("ON", 200), ("OFF", 400)):
            for repeat in (1, 2):
                rows = [f"{FAR},{size},6,40000,443,1633440886.{repeat}5\n"]
                rows += [
                    f"{OWN},99,6,443,40000,1633440886.{repeat}6\n",
                    "0,60,0,0,0,2\n",
                ]
                name = f"plug{medium}{action}_{repeat}.csv"
                (cic / name).write_text(CIC + "".join(rows))
    for folder, mac in (("WeMoSwitch", "02" * 6), ("WeMoSwitch2", "04" * 6)):
        held = tmp_path / "iot-sentinel" / folder
        held.mkdir(parents=True)
        (held / "_iotdevice-mac.txt").write_text(":".join([mac[:2]] * 6))
        with open_capture(held / "Setup-A-1-STA.pcap") as capture:
            for k, ends in enumerate((mac + "06" * 6, "06" * 6 + mac, "08" * 12)):
                frame = bytes.fromhex(ends) + b"\x88\xb5" + bytes(50)
                capture.packet(10**18 + k, frame)
    return tmp_path


def taken(data, tmp_path, name):
    folder, make = SETS[name]
    return {
        device: campaign_of(data / folder, tmp_path / "out", name, source)
        for device, source in make(data / folder).items()
    }


def test_two_units_of_a_type_are_one_class_and_directions_go_by_mac(data, tmp_path):
    campaign = taken(data, tmp_path, "sentinel")["sentinel"]
    log = load_activities(campaign).frame
    assert log["activity"].to_list() == ["WeMoSwitch", "WeMoSwitch"]
    assert log["unit"].to_list() == ["WeMoSwitch", "WeMoSwitch2"]
    from analysis.packets import load_packets

    packets = load_packets(campaign, "sentinel")
    assert packets.outbound.tolist() == [False, True] * 2
    assert packets.length_b.tolist() == [64] * 4


def test_actions_come_with_medium_and_what_has_no_direction_is_left_out(data, tmp_path):
    campaign = taken(data, tmp_path, "cic")["plug"]
    log = load_activities(campaign).frame
    assert set(log["activity"]) == {"on", "off"}
    assert set(log["session"]) == {"repeat_1", "repeat_2"}
    channels = dict(zip(log["trial"], log["channel"], strict=True))
    assert channels["plugLANON_1"] == "phone"
    assert channels["plugALEXAOFF_2"] == "voice"
    from analysis.packets import load_packets

    packets = load_packets(campaign, "plug")
    assert len(packets) == 2 * len(log)
    assert sorted(set(packets.remotes)) == ["54.81.75.189"]
    assert packets.outbound.tolist() == [True, False] * len(log)


def test_a_set_is_scored_printed_and_put_on_a_page(data, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TESTBED_PUBLIC_DATA", str(data))
    words = ["--classifier", "nearest", "--classifier", "naive_bayes"]
    main(["--set", "vcfp", "--page", str(tmp_path / "page.md"), *words])
    facts = json.loads((tmp_path / "build/bench/public-vcfp.json").read_text())
    (device,) = facts["devices"]
    found = {task["task"]: task for task in device["tasks"]}
    assert list(found) == [task.name for task in TASKS["vcfp"]]
    within = found["within L, 5 folds"]
    assert (within["leaky"], within["n_trials"], within["n_sessions"]) == (True, 15, 3)
    assert within["null"] == "over all rows"
    beyond = found["L to K, among all commands of L"]
    assert (beyond["leaky"], beyond["n_trials"], beyond["n_classes"]) == (False, 2, 3)
    assert beyond["results"][1]["accuracy"] == 1
    assert found["L to K, among those of K"]["n_classes"] == 2
    shown = capsys.readouterr().out
    assert (within["chance"], within["majority"]) == (1 / 3, 1 / 3)
    said = "(leaky; 15 tested traces, 3 sessions, 3 classes; chance 0.333, majority"
    assert said in shown
    text = (tmp_path / "page.md").read_text()
    assert "nothing here is simulated" in text
    assert "15 traces of 3 commands (set L) and 2 of\n2 of these commands" in text
    assert {len(facts["code"]), len(facts["data"])} == {16}
    assert shown.split("\n", 2)[2].strip() in text
    # asked again, nothing is learnt again
    monkeypatch.setattr("tests.bench.public_scores.fold_fits", None)
    main(["--set", "vcfp", *words])
    assert capsys.readouterr().out == shown


def test_without_the_data_it_says_so(monkeypatch):
    monkeypatch.delenv("TESTBED_PUBLIC_DATA", raising=False)
    with pytest.raises(SystemExit, match="TESTBED_PUBLIC_DATA is not set"):
        main(["--set", "vcfp"])


def test_a_difference_is_paired_and_its_interval_is_over_whole_sessions():
    right = np.array([1, 1, 1, 0] * 30, dtype=bool)
    other = np.array([1, 0, 1, 0] * 30, dtype=bool)
    group = np.repeat(np.arange(30), 4)
    found = paired(right, other, group, 0)
    assert found["difference"] == pytest.approx(0.25)
    assert found["difference_interval"] == pytest.approx([0.25, 0.25])
    assert found["error_reduction"] == pytest.approx(0.5)
    assert found["n_groups"] == 30
    # one session that holds all of the difference says little
    one = np.arange(120) < 4
    lonely = paired(one, np.zeros(120, bool), group, 0)
    assert lonely["difference_interval"][0] == 0
    none = paired(right, np.ones(120, bool), group, 0)
    assert none["error_reduction_interval"] is None


def test_means_over_devices_have_intervals_over_devices():
    found = over_devices([0.9, 0.5, 0.7], [0.8, 0.4, 0.6], 0)
    assert found["difference"] == pytest.approx(0.1)
    assert found["difference_interval"] == pytest.approx([0.1, 0.1])
    low, high = mean_over_devices([0.0, 1.0], 0)["interval"]
    assert (low, high) == (0, 1)


def test_a_page_of_no_set_has_its_rules():
    assert "must lie at chance" in page([])


def test_a_page_says_what_was_looked_at_in_choosing_and_is_not_comparable():
    text = " ".join(HEAD.split())
    assert "chosen by cross-validation on set L of vcfp, on sentinel and on cic" in text
    assert "vcfp from L to K is all that was not looked at in choosing" in text
    assert "chooses nothing" not in text
    assert "**not comparable**" in ABOUT["vcfp"]


@pytest.mark.parametrize("leaky", [True, False])
def test_a_mean_over_devices_says_chance_majority_and_whether_it_is_leaky(leaky):
    result = {"classifier": "nearest", "accuracy": 0.5, "null_accuracy": 0.2}
    shares = {"chance": 0.25, "majority": 0.375, "n_classes": 4}
    task = {"task": "action", "leaky": leaky, "n_trials": 8, **shares}
    whole = {**task, "results": [{**result, "n_trials": 8}]}
    refused = {"task": "action", "refused": "too few"}
    devices = [
        {"device": name, "n_traces": 8, "tasks": [held]}
        for name, held in (("plug", whole), ("lamp", whole), ("fan", refused))
    ]
    facts = {"set": "cic", "source": "s", "seed": 0, "devices": devices}
    facts |= {"command": "c", "tasks": {}, "settings": {}}
    text = page([{**facts, "over_devices": macro(devices, 0)}])
    said = "leaky" if leaky else "not leaky"
    assert f"**action** ({said}; mean over 2 devices, 16 tested traces; " in text
    assert "chance 0.250, majority 0.375)" in text
    assert "actions of 3 devices" in text
    (row,) = (line for line in text.splitlines() if line.startswith("| plug "))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells == ["plug", "action", "4", "8", "0.250", "0.375", "0.500"]


def test_a_file_of_data_that_changes_has_another_digest(tmp_path):
    (tmp_path / "a.csv").write_text("1")
    before = data_digest(tmp_path)
    assert data_digest(tmp_path) == before
    (tmp_path / "a.csv").write_text("2")
    data_digest.cache_clear()
    assert data_digest(tmp_path) != before


def test_answers_are_known_again_in_another_process_and_not_for_other_code(
    monkeypatch,
):
    samples = SimpleNamespace(x=np.zeros((2, 1)))
    folds = (Fold(train=np.array([0]), test=np.array([1])),)
    labels = np.array(["a", "b"])
    makes = [lambda seed: None for _ in range(2)]  # equal code at other addresses
    one, same = (Classifier(name="x", title="X", make=make) for make in makes)
    key = answer_key(samples, one, folds, labels, 0)
    assert key == answer_key(samples, same, folds, labels, 0)
    others = [
        answer_key(samples, replace(one, settings="9 trees"), folds, labels, 0),
        answer_key(samples, one, folds, labels, 1),
        answer_key(samples, one, folds, labels[::-1], 0),
        answer_key(SimpleNamespace(x=np.ones((2, 1))), one, folds, labels, 0),
    ]
    assert len({key, *others}) == 5
    # any module of the analysis is code that an answer depends on
    monkeypatch.setattr("tests.bench.public_scores.code_digest", lambda: "other")
    assert answer_key(samples, one, folds, labels, 0) not in {key, *others}
