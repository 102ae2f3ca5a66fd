import csv
import json
import subprocess

import pytest
import yaml

from testbed.errors import DriverNoEffectError, DriverTimeoutError, LabError
from testbed.model.events import (
    BeaconSent,
    CampaignPlanned,
    EvidenceKept,
    Outcome,
    StimulusIssued,
    StimulusReturned,
    TrialEnded,
    TrialStarted,
)
from testbed.runner.journal.store import Journal


def rows_of(result):
    with (result.folder / "activities.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_campaign_leaves_a_complete_folder(rig, kit):
    lab = rig()
    result = lab.run()
    kit.close_campaign(result.folder, Journal(lab.store, "small-1"))
    assert result.no_labels == ""
    assert not result.interrupted
    assert [r["outcome"] for r in rows_of(result)] == [
        "confirmed",
        "confirmed",
        "confirmed",
        "confirmed",
        "unchecked",
        "confirmed",
    ]
    inputs = yaml.safe_load((result.folder / "campaign.yaml").read_text())
    assert inputs["simulated"] is True
    assert {d["device"]: d["app_version"] for d in inputs["devices"]} == {
        "lamp": "9.1",
        "speaker": "9.1",
        "wemo": "",
    }
    receipt = json.loads((result.folder / "raw/receipt.json").read_text())
    (capture,) = receipt["captures"]
    assert capture["dropped"] == 0
    assert capture["first_beacon"]["phase"] == "probe"
    lines = (result.folder / "journal.jsonl").read_text().splitlines()
    assert len(lines) == len(lab.events())
    assert json.loads(lines[-1])["event"] == "campaign_closed"
    checked = subprocess.run(
        ["sha256sum", "-c", "MANIFEST.sha256"],
        cwd=result.folder,
        capture_output=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr


def test_the_plan_is_journalled_before_anything_is_touched(rig):
    lab = rig()
    lab.run()
    assert isinstance(lab.events()[0], CampaignPlanned)


def test_a_trial_goes_from_rest_to_rest_in_this_order(rig):
    lab = rig()
    lab.run()
    kinds = (TrialStarted, BeaconSent, StimulusIssued, StimulusReturned, TrialEnded)
    events = [e for e in lab.events() if isinstance(e, kinds) and e.trial == "0003"]
    words = [getattr(e, "phase", type(e).__name__) for e in events]
    assert words == [
        "TrialStarted",
        "before",
        "StimulusIssued",
        "after",
        "StimulusReturned",
        "rest",
        "TrialEnded",
    ]


def test_a_trial_lasts_until_its_label_window_is_over(rig):
    lab = rig()
    lab.run()
    for attempt in lab.state().all_attempts():
        planned = {t.trial: t for t in lab.state().plan.trials}[attempt.started.trial]
        length_ns = attempt.ended_ns - attempt.returned.instant_ns
        assert length_ns >= planned.delta_s * 1e9


def test_stamps_are_on_the_clock_of_the_capture(rig):
    lab = rig()
    result = lab.run()
    attempts = {a.started.trial: a for a in lab.state().all_attempts()}
    for row in rows_of(result):
        instant_ns = attempts[row["trial"]].returned.instant_ns
        true_ns = lab.world.router_ns(instant_ns)
        assert abs(int(row["t_ns"]) - true_ns) <= int(row["t_uncertainty_ns"])
        assert abs(int(row["t_ns"]) - true_ns) < 1_000_000
        assert int(row["t_issue_ns"]) <= int(row["t_ns"]) <= int(row["t_return_ns"])


def no_answer():
    return DriverTimeoutError("phone", "tap On", "no answer")


def lying():
    return DriverNoEffectError("plug_lamp", "switch on", "it still reports off")


def test_a_failed_attempt_is_done_again_as_a_new_one(rig):
    lab = rig()
    lab.world.broken["phone tap"] = [no_answer()]
    lab.run()
    attempts = lab.state().attempts["0003"]
    assert [a.outcome for a in attempts] == [Outcome.FAILED, Outcome.CONFIRMED]
    assert "no answer" in attempts[0].detail
    kept = [e for e in lab.events() if isinstance(e, EvidenceKept)]
    moments = [e.moment for e in kept if (e.trial, e.attempt) == ("0003", 1)]
    assert moments == ["failure", "failure"]


def test_a_trial_that_fails_twice_stays_failed(rig):
    lab = rig()
    lab.world.broken["phone tap"] = [no_answer(), no_answer()]
    result = lab.run()
    assert lab.state().outcome("0003") is Outcome.FAILED
    assert result.count(Outcome.FAILED) == 1


def test_a_stimulus_is_never_given_twice_in_one_attempt(rig):
    lab = rig()
    lab.world.broken["phone tap"] = [no_answer()]
    lab.run()
    issued = [e for e in lab.events() if isinstance(e, StimulusIssued)]
    assert len(issued) == len({(e.trial, e.attempt) for e in issued})
    assert lab.world.acts.count("phone tap") == 3  # turn_on twice, look once


def test_a_plug_that_says_yes_and_does_nothing_is_no_effect_and_asked_again(rig):
    lab = rig()
    lab.world.broken["plug_lamp on"] = [lying()]
    lab.run()
    done = [a.outcome for a in lab.state().attempts["0001"]]
    assert done == [Outcome.NO_EFFECT, Outcome.CONFIRMED]


def test_attempts_without_effect_are_spent_as_the_plan_says(rig, kit):
    lab = rig()
    lab.world.broken["plug_lamp on"] = [lying() for _ in range(9)]
    lab.run(kit.small_plan(attempts=4))
    done = [a.outcome for a in lab.state().attempts["0001"]]
    assert done == [Outcome.NO_EFFECT] * 4


def test_failures_and_attempts_without_effect_are_spent_together(rig, kit):
    lab = rig()
    lab.world.broken["plug_lamp on"] = [no_answer(), lying(), no_answer()]
    lab.run(kit.small_plan(attempts=3))
    done = [a.outcome for a in lab.state().attempts["0001"]]
    assert sorted(done) == ["failed", "failed", "no_effect"]


def test_a_lying_plug_is_no_effect_and_what_needs_it_is_not_tried(rig):
    lab = rig()
    lab.world.dead.add("plug_lamp")
    lab.run()
    state = lab.state()
    assert state.outcome("0001") is Outcome.NO_EFFECT
    assert "draw 0 W" in state.attempts["0001"][0].detail
    assert state.outcome("0003") is Outcome.FAILED
    assert "must have power=on" in state.attempts["0003"][0].detail
    assert state.attempts["0003"][0].issued_ns is None
    assert len(state.attempts["0003"]) == 1


def test_a_deaf_speaker_is_no_effect(rig):
    lab = rig()
    lab.world.deaf = True
    lab.run()
    assert lab.state().outcome("0002") is Outcome.NO_EFFECT


def test_a_bug_of_ours_aborts_the_trial_and_goes_on_up(rig):
    lab = rig()
    lab.world.broken["voice play"] = [ZeroDivisionError("a bug")]
    with pytest.raises(ZeroDivisionError):
        lab.run()
    assert lab.state().attempts["0002"][0].outcome is Outcome.ABORTED
    lab.resume()
    assert lab.state().outcome("0002") is Outcome.CONFIRMED


def test_a_lab_without_the_instrument_is_not_touched(rig):
    lab = rig()
    lab.lab = lab.lab.model_copy(update={"plugs": {}})
    with pytest.raises(LabError, match="no plug is there for lamp"):
        lab.run()
    assert lab.world.acts == []


def test_trials_whose_packets_were_lost_are_voided_and_topped_up(rig):
    lab = rig()

    def lose(ended):
        lab.capture.lost = ended.trial.trial == "0003" and ended.attempt == 1

    lab.run(ended=lose)
    voided = [a for a in lab.state().all_attempts() if a.voided]
    assert [a.started.trial for a in voided] == ["0004"]
    assert lab.state().outcome("0004") is Outcome.CONFIRMED


def test_a_clock_that_is_not_known_well_enough_makes_no_labels(rig):
    lab = rig()
    measure = lab.capture.clock_offset

    def badly():
        sample = measure()
        return type(sample)(
            at_ns=sample.at_ns, offset_ns=sample.offset_ns, error_ns=150_000_000
        )

    lab.capture.clock_offset = badly
    assert "the limit is 0.05 s" in lab.run().no_labels
