"""Nothing becomes `confirmed` that was not seen to happen, now, by this stimulus."""

import pytest

from testbed.model.events import LABELLED, Outcome, TrialEnded
from testbed.model.plan import Plan


@pytest.fixture
def lab(rig):
    return rig()


def one(kit, *args, **changes):
    return kit.small_plan(trials=(kit.planned(1, *args, **changes),), idle_s=0.5)


def ends(lab, trial="0001"):
    return [
        (e.outcome, e.detail)
        for e in lab.events()
        if isinstance(e, TrialEnded) and e.trial == trial
    ]


def keeps_its_screen(lab):
    """An app that shows what it showed last, also when it is opened again."""
    lab.world.screen = "On"


def clears_its_screen(lab):
    """An app that forgets what it showed when it is opened."""
    perform = lab.bench.phone.perform

    def opens(step):
        if step.act == "open_app":
            lab.world.screen = "home"
        return perform(step)

    lab.bench.phone.perform = opens


def test_an_effect_that_is_on_the_screen_already_confirms_nothing(lab, kit):
    keeps_its_screen(lab)
    lab.bench.phone.set_network = lambda _: None
    lab.run(one(kit, "lamp", "turn_on", "phone", needs={}, gives={}))
    ((outcome, detail),) = ends(lab)
    assert outcome is Outcome.UNCHECKED
    assert "before the stimulus" in detail


def test_a_leftover_of_an_earlier_trial_is_gone_once_the_app_is_opened_anew(lab, kit):
    keeps_its_screen(lab)
    clears_its_screen(lab)
    lab.run(one(kit, "lamp", "turn_on", "phone", needs={}))
    assert ends(lab) == [(Outcome.CONFIRMED, "")]


def test_a_device_that_is_not_as_the_trial_needs_it_is_brought_there_first(lab, kit):
    clears_its_screen(lab)
    lab.world.power["plug_relay"] = True  # somebody did it by hand
    trials = (
        kit.planned(1, "relay", "turn_on", kit.api),
        kit.planned(2, "relay", "turn_off", kit.api),
    )
    lab.run(kit.small_plan(trials=trials))
    (first, detail), *_, (last, _) = ends(lab)
    assert first is Outcome.FAILED
    assert "the effect is there before the stimulus" in detail
    assert last is Outcome.CONFIRMED
    acts = [a for a in lab.world.acts if a.startswith("plug_relay")]
    assert acts == ["plug_relay off", "plug_relay on", "plug_relay off"]


def test_a_stimulus_that_took_long_has_no_instant(lab, kit):
    bracket = lab.world.bracket
    slow = [9.0]
    lab.world.bracket = lambda s: bracket(slow.pop() if slow else s)
    lab.run(one(kit, "wemo", "turn_on", kit.api))
    (first, detail), (second, _) = ends(lab)
    assert (first, second) == (Outcome.FAILED, Outcome.UNCHECKED)
    assert "it took 9.0 s, so its instant is not known" in detail


def test_a_long_sentence_is_no_slow_stimulus(lab, kit):
    bracket = lab.world.bracket
    lab.world.bracket = lambda s: bracket(9.0 if s == 1.0 else s)
    lab.run(one(kit, "speaker", "ask_time", kit.voice))
    assert ends(lab)[0][0] is Outcome.CONFIRMED


def test_a_device_that_sent_nothing_did_nothing_whatever_its_app_shows(lab, kit):
    clears_its_screen(lab)
    lab.world.silent[lab.profiles["bulb"].mac] = (-20.0, 1000.0)
    lab.run(one(kit, "bulb", "turn_on", kit.phone))
    for outcome, detail in ends(lab):
        assert outcome is Outcome.NO_EFFECT
        assert "bulb sent nothing for" in detail


def test_a_router_that_cannot_tell_hinders_nothing(lab, kit):
    lab.capture.heard_s = lambda _: None
    lab.run(one(kit, "bulb", "turn_on", kit.phone))
    assert ends(lab) == [(Outcome.CONFIRMED, "")]


def test_a_plug_is_not_believed_when_no_current_bears_it_out(lab, kit):
    lab.world.power["plug_lamp"] = True  # it says so, and nothing flows
    lab.world.dead.add("plug_lamp")
    trials = (kit.planned(1, "lamp", "turn_on", kit.phone),)
    lab.run(kit.small_plan(trials=trials), fresh=False)
    acts = [a for a in lab.world.acts if a.startswith("plug_lamp")]
    assert acts, "it was not taken for on, but switched on"
    assert lab.state().outcome("0001") not in LABELLED


def test_a_window_without_its_own_last_beacon_is_no_label(lab, kit):
    see = lab.capture.see_packet

    def drops(payload):
        if b"|0001|1|rest|" not in payload:
            see(payload)

    lab.capture.see_packet = drops
    trials = tuple(kit.planned(k, "lamp", "look", kit.phone) for k in (1, 2))
    lab.run(kit.small_plan(trials=trials))
    first, second = lab.state().attempts["0001"]
    assert first.final is Outcome.ABORTED
    assert "the capture ended before its label window did" in first.voided
    assert second.final in LABELLED
    assert isinstance(lab.state().plan, Plan)
