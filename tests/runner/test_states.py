"""A device is where it was seen to go, and is brought to where a trial needs it."""

import pytest

from testbed.errors import DriverTimeoutError
from testbed.model.events import LABELLED, Outcome, StimulusIssued
from testbed.model.types import Channel
from testbed.runner.trials.states import LOST, apply_outcome, unmet

ON = {"switch": "on"}


def plan_of(kit, device, channel):
    return kit.small_plan(trials=(kit.planned(1, device, "turn_on", channel),))


def issued(lab):
    return [e.trial for e in lab.events() if isinstance(e, StimulusIssued)]


@pytest.mark.parametrize(
    ("outcome", "was_issued", "known"),
    [
        (Outcome.CONFIRMED, True, "on"),
        (Outcome.UNCHECKED, True, "on"),
        (Outcome.FAILED, True, LOST),
        (Outcome.ABORTED, True, LOST),
        (None, True, LOST),
        (Outcome.FAILED, False, "off"),
        (Outcome.ABORTED, False, "off"),
        (Outcome.NO_EFFECT, True, "off"),
    ],
)
def test_a_stimulus_without_a_verdict_leaves_the_state_unknown(
    outcome, was_issued, known
):
    state = {"switch": "off"}
    apply_outcome(state, ON, outcome, issued=was_issued)
    assert state == {"switch": known}


def test_what_is_not_known_does_not_hold():
    assert unmet(ON, {}) == unmet(ON, {"switch": LOST}) == ON
    assert unmet(ON, {"switch": "not off"}) == ON
    assert unmet(ON, ON) == {}


def test_a_trial_whose_packets_were_lost_is_done_again_from_its_first_state(rig, kit):
    lab = rig()
    lab.capture.lost = True
    start = lab.capture.start_capture

    def again(name, poke):
        lab.capture.lost = not lab.capture.names  # lost in the first session only
        start(name, poke)

    lab.capture.start_capture = again
    lab.run(plan_of(kit, "bulb", Channel.PHONE))
    state = lab.state()
    assert state.attempts["0001"][0].outcome is Outcome.CONFIRMED
    assert state.attempts["0001"][0].voided
    assert [(t.trial, t.activity) for t in state.plan.trials] == [
        ("0001p1", "turn_off"),
        ("0001", "turn_on"),
    ]
    assert issued(lab) == ["0001", "0001p1", "0001"]
    assert state.outcome("0001p1") is Outcome.CONFIRMED
    assert state.outcome("0001") is Outcome.CONFIRMED


def test_a_kill_after_the_stimulus_left_makes_the_state_unknown(rig, kit):
    plan = plan_of(kit, "bulb", Channel.PHONE)
    whole = rig()
    whole.run(plan)
    n = [type(e) for e in whole.events()].index(StimulusIssued) + 1
    lab = rig()
    with pytest.raises(kit.Killed):
        lab.run(plan, store=kit.DyingStore(lab.store, lab.world, n, after=True))
    lab.resume(plan=plan)
    state = lab.state()
    assert issued(lab) == ["0001", "0001p1", "0001"]
    assert state.outcome("0001") is Outcome.CONFIRMED
    (step,) = state.attempts["0001p1"]
    assert step.final not in LABELLED, "it may have changed nothing"
    assert step.did_its_work


def test_an_answer_that_was_lost_after_the_relay_moved_is_asked_for(rig, kit):
    lab = rig()
    plug = lab.bench.plugs["plug_relay"]
    moved, lost = plug.set_power, []

    def answers_late(on):
        bracket = moved(on)
        if not lost:
            lost.append(on)
            raise DriverTimeoutError("plug_relay", "switch on", "no answer")
        return bracket

    plug.set_power = answers_late
    lab.run(plan_of(kit, "relay", Channel.API))
    state = lab.state()
    acts = [a for a in lab.world.acts if a.startswith("plug_relay")]
    assert acts == ["plug_relay on", "plug_relay off", "plug_relay on"]
    finals = [a.final for a in state.attempts["0001"]]
    assert finals == [Outcome.FAILED, Outcome.CONFIRMED]
    assert state.outcome("0001p1") is Outcome.CONFIRMED


def test_a_new_campaign_brings_devices_to_where_its_plan_begins(rig, kit):
    lab = rig()
    lab.run(plan_of(kit, "bulb", Channel.PHONE), fresh=False)
    assert issued(lab) == ["0001p1", "0001"]
    assert lab.state().attempts["0001p1"][0].did_its_work
    assert lab.state().n_labelled() == 1


@pytest.mark.parametrize("is_on", [False, True])
def test_a_plug_is_asked_before_it_is_switched(rig, kit, is_on):
    lab = rig()
    lab.world.power["plug_relay"] = is_on
    lab.run(plan_of(kit, "relay", Channel.API), fresh=False)
    assert issued(lab) == (["0001p1", "0001"] if is_on else ["0001"])
    labelled = ["0001p1", "0001"] if is_on else ["0001"]
    assert lab.state().n_labelled() == len(labelled)


def test_a_fresh_lab_has_the_trials_of_the_plan_and_no_others(rig, kit):
    lab = rig()
    lab.run(fresh=True)
    assert lab.state().plan.trials == kit.small_plan().trials
