"""A device is where it was seen to go, and is brought to where a trial needs it."""

import json
from dataclasses import replace

import pytest

from testbed.errors import DriverTimeoutError, JournalError
from testbed.model.events import (
    LABELLED,
    CampaignPlanned,
    Outcome,
    StimulusIssued,
    TrialsInserted,
)
from testbed.model.types import Channel
from testbed.runner.journal.event_text import plan_text, trials_text
from testbed.runner.journal.fold import NOT_TRIED, fold
from testbed.runner.journal.states import LOST, apply_outcome, unmet
from testbed.runner.journal.store import Recorded

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


def journal_of(*events):
    rows = enumerate(events, start=1)
    return [Recorded(seq=n, at_ns=n, event=e) for n, e in rows]


def planned_as(plan):
    return CampaignPlanned(
        scenario="small",
        seed=7,
        n_trials=len(plan.trials),
        plan_json=plan_text(plan),
        simulated=True,
    )


def put_before(trial, *trials):
    return TrialsInserted(before=trial, trials_json=trials_text(trials))


def named(plan):
    return [t.trial for t in plan.trials]


def test_a_preparation_is_journalled_by_itself_and_not_with_the_whole_plan(rig, kit):
    lab = rig()
    more = [kit.planned(k, "lamp", "look", Channel.PHONE) for k in range(2, 60)]
    (first,) = plan_of(kit, "bulb", Channel.PHONE).trials
    lab.run(kit.small_plan(trials=(first, *more)), fresh=False)
    events = lab.events()
    assert sum(isinstance(e, CampaignPlanned) for e in events) == 1
    (added,) = [e for e in events if isinstance(e, TrialsInserted)]
    assert added.before == "0001"
    assert [t["trial"] for t in json.loads(added.trials_json)] == ["0001p1"]
    assert named(lab.state().plan)[:3] == ["0001p1", "0001", "0002"]
    assert len(named(lab.state().plan)) == 60


def test_trials_are_inserted_in_the_order_of_the_journal_also_before_inserted_ones(kit):
    plan = kit.small_plan()
    extra = {name: replace(plan.trials[0], trial=name) for name in ("a", "b", "c", "d")}
    facts = [
        planned_as(plan),
        put_before("0002", extra["a"], extra["b"]),
        put_before("0002", extra["c"]),
        put_before("b", extra["d"]),
    ]
    found = fold(journal_of(*facts)).plan
    assert named(found)[:6] == ["0001", "a", "d", "b", "c", "0002"]


def test_a_journal_of_an_older_version_has_whole_plans_of_which_the_last_counts(kit):
    plan = kit.small_plan()
    early, late = (replace(plan.trials[0], trial=name) for name in ("early", "late"))
    wider = replace(plan, trials=(early, *plan.trials))
    facts = [planned_as(plan), put_before("0001", late), planned_as(wider)]
    assert named(fold(journal_of(*facts)).plan) == ["early", *named(plan)]
    again = fold(journal_of(*facts, put_before("0001", late))).plan
    assert named(again)[:3] == ["early", "late", "0001"]


def test_a_journal_that_inserts_before_nothing_is_refused(kit):
    plan = kit.small_plan()
    facts = [planned_as(plan), put_before("0099", plan.trials[0])]
    with pytest.raises(JournalError, match="before 0099, which is not in the plan"):
        fold(journal_of(*facts))


def test_a_preparation_that_failed_is_made_good_by_the_trial_that_needs_it(rig, kit):
    lab = rig()
    perform, failing = lab.bench.phone.perform, [True]

    def fails_after_the_tap(step):
        bracket = perform(step)
        if step.trigger and step.tap.any[0].text == "Off" and failing:
            failing.clear()
            raise DriverTimeoutError("phone", "tap", "no answer")
        return bracket

    trials = (
        kit.planned(1, "bulb", "turn_on", Channel.PHONE),
        kit.planned(2, "bulb", "turn_off", Channel.PHONE, preparation=True),
        kit.planned(3, "bulb", "turn_on", Channel.PHONE),
    )
    lab.bench.phone.perform = fails_after_the_tap
    lab.run(kit.small_plan(trials=trials))
    state = lab.state()
    first, again = state.attempts["0002"]
    assert first.outcome is Outcome.FAILED
    assert again.detail.startswith(NOT_TRIED), "nobody knows whether the bulb is on"
    assert issued(lab) == ["0001", "0002", "0003p1", "0003"]
    assert state.outcome("0003") is Outcome.CONFIRMED
