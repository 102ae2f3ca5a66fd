"""Which activity the messages of a window name, in studies of whole campaigns."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from analysis.evaluate.campaign import plan_of, studies, studies_between
from analysis.evaluate.samples import cut_of
from analysis.payload import (
    UNKNOWN,
    PayloadMatcher,
)
from testbed.cli import build
from tests.analysis.plain_plug import campaign, frame, trials


def payload_results(folder, devices, splits=("s1",), seed=0):
    found = list(studies(folder, devices, plan_of(["payload"], splits, seed=seed)))
    refusals = tuple(refusal for study in found for refusal in study.refusals)
    return tuple(result for study in found for result in study.results), refusals


def test_a_plug_that_speaks_plainly_is_understood_in_new_sessions(tmp_path):
    folder = campaign(tmp_path / "c", *trials())
    results, refusals = payload_results(folder, ["plug"], ["s1", "s2"], 0)
    assert [(r.classifier, r.split.name, r.accuracy) for r in results] == [
        ("payload", "s1", 1.0),
        ("payload", "s2", 1.0),
    ]
    assert refusals == ()
    assert results[0].null_accuracy < 0.8
    assert results[0].answered == 1


def test_the_matcher_learns_from_training_sessions_only(tmp_path, monkeypatch):
    seen = []

    class Spy(PayloadMatcher):
        def fit(self, rows, activity, session):
            seen.append(set(session))
            return super().fit(rows, activity, session)

    monkeypatch.setattr("analysis.evaluate.patterns.payloads.PayloadMatcher", Spy)
    payload_results(campaign(tmp_path / "c", *trials()), ["plug"], ["s2"])
    assert seen == [{"s0", "s1"}] * 2  # for the accuracy and for its null


def test_what_one_campaign_said_is_understood_in_another(tmp_path):
    packets, rows = trials()
    later = [(at_s + 0.01 * (n % 7), data) for n, (at_s, data) in enumerate(packets)]
    one = campaign(tmp_path / "a", packets, rows)
    other = campaign(tmp_path / "b", later, rows[:12])
    plan = plan_of(["payload"])
    (study,) = studies_between(one, other, ["plug"], plan)
    (result,) = study.results
    assert (result.classifier, result.split.name) == ("payload", "transfer")
    assert (result.n_trials, result.accuracy) == (12, 1.0)
    shutil.rmtree(other / "raw")
    (study,) = studies_between(one, other, ["plug"], plan)
    assert study.results == ()
    assert [each.split for each in study.refusals] == ["transfer"]
    assert "holds no capture" in study.refusals[0].reason


def test_without_raw_captures_payloads_are_refused_in_words(tmp_path):
    folder = campaign(tmp_path / "c", *trials())
    cut_of(folder, "plug")
    shutil.rmtree(folder / "raw")
    results, (refusal,) = payload_results(folder, ["plug"], ["s1"])
    assert results == ()
    assert refusal.reason.startswith("payload: ")
    assert "holds no capture" in refusal.reason


def test_a_device_that_says_too_many_things_is_refused_in_words(tmp_path, monkeypatch):
    monkeypatch.setattr("analysis.payload.matcher._MOST", 3)
    folder = campaign(tmp_path / "c", *trials())
    results, (refusal,) = payload_results(folder, ["plug"], ["s1"])
    assert results == ()
    assert "different messages in plain text are too many" in refusal.reason


def test_devices_whose_profile_says_no_are_passed_over_imported_ones_are_tried(
    tmp_path,
):
    other = campaign(tmp_path / "c", *trials(), plaintext=False)
    assert payload_results(other, ["plug"]) == ((), ())
    imported = campaign(tmp_path / "d", *trials(), plaintext=False, form="imported")
    assert payload_results(imported, ["plug"])[0][0].accuracy == 1


def test_a_device_without_any_text_is_passed_over(tmp_path):
    _packets, rows = trials()
    rng = np.random.default_rng(1)
    dark = [
        (at_s + 1 + rng.random(), frame(rng.bytes(200), outbound=True, port=443))
        for at_s, _activity, _session in rows
    ]
    assert payload_results(campaign(tmp_path / "c", dark, rows), ["plug"]) == ((), ())


def test_an_impossible_split_is_refused_in_words(tmp_path):
    folder = campaign(tmp_path / "c", *trials(n_sessions=1))
    results, (refusal,) = payload_results(folder, ["plug"], ["s1"], 0)
    assert results == ()
    assert refusal.reason == "one session only: no session is new"


def test_encrypted_windows_are_answered_with_unknown_and_count_as_wrong(tmp_path):
    packets, rows = trials()
    rng = np.random.default_rng(1)
    dark = [
        (at_s, frame(b"\x17\x03\x03" + rng.bytes(200), outbound=True, port=443))
        if at_s < 200
        else (at_s, data)
        for at_s, data in packets
    ]
    (result,), _ = payload_results(campaign(tmp_path / "c", dark, rows), ["plug"])
    assert result.activities == ("turn_off", "turn_on", UNKNOWN)
    assert result.matrix[:, 2].sum() == 7
    assert result.answered == pytest.approx(11 / 18)
    assert result.accuracy <= result.answered


# From the published captures of a Kasa plug, see docs/importing.md
REAL = """\
activity,start_epoch,session
turn_on,1687621918,no_firewall
turn_off,1687621978,no_firewall
turn_on,1691328478,base_firewall
turn_off,1691328538,base_firewall
"""


def test_a_real_plug_is_understood_in_another_capture(tmp_path):
    public = os.environ.get("TESTBED_PUBLIC_DATA")
    if not public:
        pytest.skip("TESTBED_PUBLIC_DATA is not set: no public captures here")
    plug = Path(public) / "openwrt-scenarios" / "tplink-plug"
    (tmp_path / "plug.csv").write_text(REAL)
    captures = [
        str(plug / f / "wlan2.4.pcap") for f in ("no-firewall", "base-firewall")
    ]
    command = [sys.executable, "-m", "testbed", "import", "pcap", *captures]
    command += ["--activities", "plug.csv", "--device", "plug=50:c7:bf:ed:0a:54"]
    command += ["--constant", "device=plug", "--delta", "8 s", "--out", "."]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    (result,), _ = payload_results(tmp_path / "plug", ["plug"])
    assert (result.n_trials, result.accuracy) == (4, 1.0)


def test_what_was_never_said_is_scored_by_a_command_of_its_own(tmp_path):
    folder = campaign(tmp_path / "c", *trials())
    app = build(["payloads"])
    done = CliRunner().invoke(app, ["payloads", str(folder), "--json"])
    (row,) = json.loads(done.stdout)
    assert (row["device"], row["windows"]) == ("plug", 18)
    # the switch is told in the same words each time, only the state has a time in it
    raw, _messages = row["scores"]
    assert (raw["new"], raw["matcher"]["accuracy"]) == ("raw_sets", 1.0)
    assert row["refused"] == {
        "masked_sets": "one distinct set of messages only: turn_off, turn_on"
    }
    shown = CliRunner().invoke(app, ["payloads", str(folder)]).output
    assert shown.startswith("plug: 18 windows say something in plain text\n")
    assert "  messages that nobody sent in training, by session: " in shown


def test_a_device_without_plain_text_is_said_to_have_none(tmp_path):
    secret = bytes(range(128, 250))
    packets = [(at_s, frame(secret, outbound=True)) for at_s in (1.0, 9.0)]
    acts = [(0, "turn_on", "s"), (8, "turn_off", "t")]
    folder = campaign(tmp_path / "c", packets, acts)
    app = build(["payloads"])
    shown = CliRunner().invoke(app, ["payloads", str(folder)]).output
    assert shown == "plug: says nothing in plain text in any labelled window\n"
    (row,) = json.loads(
        CliRunner().invoke(app, ["payloads", str(folder), "--json"]).stdout
    )
    assert (row["windows"], row["scores"]) == (0, [])
    assert set(row["refused"]) == {"raw_sets", "raw_messages", "masked_sets"}
