"""A campaign pauses for what is bad, voids what was touched, and goes on by itself."""

import math
import shutil
from dataclasses import replace
from types import SimpleNamespace

import pytest

from testbed.errors import DriverTimeoutError, LabError
from testbed.model.events import (
    LABELLED,
    Cleared,
    EvidenceKept,
    SessionEnded,
    Suspended,
    TrialStarted,
)
from tests.runner.pausing import (
    assert_all_labelled,
    assert_no_label_in,
    bulbs,
    gone_from_now,
    n_failed,
    pauses,
    with_limits,
)


@pytest.fixture
def lab(rig, kit):
    return with_limits(rig())


@pytest.fixture
def busy(rig, kit):
    """Trials overlap, and threads look after the lab."""
    return with_limits(rig(kit.ScaledClock(20.0), threads=True, tick_s=0.005))


def test_a_phone_that_is_away_pauses_the_campaign_and_fails_no_trial(lab, kit):
    lab.world.gone["phone"] = (20.0, 90.0)
    lab.run(bulbs(kit))
    assert pauses(lab) == [("phone", "")]
    assert_all_labelled(lab)
    assert n_failed(lab) == 0
    assert_no_label_in(lab, 20.0, 90.0)
    touched = [a for a in lab.state().all_attempts() if a.voided]
    assert touched
    assert all("phone" in a.voided for a in touched)


def test_trials_that_need_no_phone_go_on_while_it_is_away(busy, kit):
    busy.world.gone["phone"] = (10.0, math.inf)
    last = "0013"

    def back(one):  # only when all the others are done
        if one.trial.trial == last:
            busy.world.gone["phone"] = (10.0, busy.clock.monotonic_s())

    trials = [kit.planned(k, "lamp", "look", kit.phone) for k in range(1, 6)]
    for k in range(6, 14, 2):
        trials.append(kit.planned(k, "wemo", "turn_on", kit.api))
        trials.append(kit.planned(k + 1, "wemo", "turn_off", kit.api))
    busy.run(kit.small_plan(trials=tuple(trials)), ended=back)
    events = busy.events()
    (away,) = [k for k, e in enumerate(events) if isinstance(e, Suspended)]
    (again,) = [k for k, e in enumerate(events) if isinstance(e, Cleared)]
    meanwhile = [e.device for e in events[away:again] if isinstance(e, TrialStarted)]
    assert set(meanwhile) == {"wemo"}
    assert pauses(busy) == [("phone", "")]
    assert_all_labelled(busy)
    assert n_failed(busy) == 0


def test_a_phone_that_was_away_during_a_rest_is_put_on_its_network_again(busy, kit):
    busy.bench.phone.alive = lambda: busy.world.reach("phone") or True
    looks = [kit.planned(k, "lamp", "look", kit.phone) for k in (1, 2)]
    trials = (looks[0], replace(looks[1], rest_s=60.0))
    gone = []

    def goes(_):
        if not gone:
            now_s = busy.clock.monotonic_s()
            gone.append(now_s)
            busy.world.gone["phone"] = (now_s + 5, now_s + 25)

    busy.run(kit.small_plan(trials=trials), ended=goes)
    events = busy.events()
    (again,) = [k for k, e in enumerate(events) if isinstance(e, Cleared)]
    started = [e.trial for e in events[again:] if isinstance(e, TrialStarted)]
    assert started[0] == "0002"
    moves = [a for a in busy.world.acts if a.startswith("phone network")]
    assert len(moves) == 2
    assert_all_labelled(busy)


def test_a_phone_that_fails_once_is_there_and_its_trial_has_failed(lab, kit):
    lab.world.broken["phone tap"] = [DriverTimeoutError("phone", "tap", "no answer")]
    lab.run(bulbs(kit))
    assert pauses(lab) == []
    assert n_failed(lab) == 1
    assert_all_labelled(lab)


def test_a_router_that_is_away_for_long_is_waited_for(lab, kit):
    lab.world.gone["capture"] = (20.0, 200.0)
    lab.run(bulbs(kit))
    assert ("router", "") in pauses(lab)
    assert_all_labelled(lab)
    assert lab.clock.monotonic_s() > 200


def test_a_capture_that_went_on_without_its_link_is_the_same_one(lab, kit):
    lab.world.gone["capture"] = (20.0, 60.0)
    lab.run(bulbs(kit))
    state = lab.state()
    assert len({c.session for c in state.captures.values()}) == len(state.captures)
    assert all(a.voided is None for a in state.all_attempts())
    assert_all_labelled(lab)


def test_a_router_that_began_anew_has_a_new_capture_and_what_was_lost_is_done_again(
    lab, kit
):
    lab.world.gone["capture"] = (20.0, 100.0)
    alive = lab.capture.is_recording

    def dies():
        if lab.clock.monotonic_s() >= 100.0 and len(lab.capture.names) == 1:
            lab.capture.packets, lab.capture.died = [], True
        return alive()

    lab.capture.is_recording = dies
    lab.run(bulbs(kit))
    assert len(lab.state().captures) >= 2
    assert [a for a in lab.state().all_attempts() if a.voided]
    assert_all_labelled(lab)


def test_a_router_that_is_away_at_the_end_is_waited_for(lab, kit):
    plan = bulbs(kit, 3)
    lab.run(plan, ended=lambda one: gone_from_now(lab, one.trial.trial == "0003"))
    assert ("router", "") in pauses(lab)
    assert_all_labelled(lab)
    files = [f for c in lab.state().captures.values() for f in c.files]
    assert files


def test_side_by_side_a_router_that_is_away_is_waited_for(busy, kit):
    busy.world.gone["capture"] = (20.0, 200.0)
    busy.run()
    assert ("router", "") in pauses(busy)
    assert_all_labelled(busy)


def test_without_internet_nothing_is_done_and_what_was_is_done_again(lab, kit):
    lab.world.offline = (20.0, 80.0)
    lab.run(bulbs(kit))
    assert pauses(lab) == [("internet", "")]
    assert_all_labelled(lab)
    assert_no_label_in(lab, 20.0, 80.0)


def test_a_device_that_is_offline_stops_its_own_trials_only(busy, kit):
    busy.world.silent["02:00:00:00:00:04"] = (15.0, 150.0)
    trials = [
        kit.planned(1, "bulb", "turn_on", kit.phone),
        kit.planned(2, "bulb", "turn_off", kit.phone),
        kit.planned(3, "bulb", "turn_on", kit.phone),
        kit.planned(4, "bulb", "turn_off", kit.phone),
        kit.planned(5, "bulb", "turn_on", kit.phone),
        kit.planned(6, "bulb", "turn_off", kit.phone),
        *(kit.planned(k, "lamp", "look", kit.phone) for k in range(7, 14)),
    ]
    busy.run(kit.small_plan(trials=tuple(trials)))
    assert pauses(busy) == [("device", "bulb")]
    touched = {
        a.started.device for a in busy.state().all_attempts() if a.voided is not None
    }
    assert touched == {"bulb"}
    assert_all_labelled(busy)
    labelled = [a for a in busy.state().all_attempts() if a.final in LABELLED]
    zero_ns = busy.clock.now_ns() - round(busy.clock.monotonic_s() * 1e9)
    for attempt in labelled:
        if attempt.started.device == "bulb":
            at_s = (attempt.returned.instant_ns - zero_ns) / 1e9
            assert not 15.0 <= at_s <= 150.0


def test_a_device_that_was_switched_off_by_us_is_not_offline(lab, kit):
    mac = lab.profiles["lamp"].mac
    lab.world.silent[mac] = (0.0, 200.0)  # until it has power
    trials = tuple(
        kit.planned(k, "wemo", "turn_on" if k % 2 else "turn_off", kit.api)
        for k in range(1, 40)
    )
    last = kit.planned(90, "lamp", "power_on", kit.power)
    lab.run(kit.small_plan(trials=(*trials, last)))
    assert pauses(lab) == []


def test_a_disk_that_fills_up_is_waited_for(lab, kit, monkeypatch):
    def usage(_):
        full = 20 <= lab.clock.monotonic_s() < 80
        return SimpleNamespace(free=0 if full else 10**10)

    monkeypatch.setattr(shutil, "disk_usage", usage)
    lab.run(bulbs(kit))
    assert pauses(lab) == [("disk", "")]
    assert_all_labelled(lab)


def test_a_router_whose_disk_is_full_is_waited_for(lab, kit):
    def fill(one):
        if one.trial.trial == "0002":
            lab.world.free_b = 0
        if lab.world.free_b == 0 and one.trial.trial == "0004":
            raise AssertionError("a trial was begun")

    look = lab.capture.free_b

    def later():
        if lab.clock.monotonic_s() > 100:
            lab.world.free_b = 10**10
        return look()

    lab.capture.free_b = later
    lab.run(bulbs(kit), ended=fill)
    assert pauses(lab) == [("disk", "router")]
    assert_all_labelled(lab)


def test_a_clock_that_jumped_voids_what_lies_between_two_measurements(lab, kit):
    shift, base = [0], lab.world.router_ns

    def jumps(at_ns):
        now = lab.clock.monotonic_s() >= 35.0
        shift[0] = 3 * 10**9 if now else 0
        return base(at_ns) + shift[0]

    lab.world.router_ns = jumps
    lab.run(bulbs(kit, 12))
    assert pauses(lab) == [("clock", "")]
    assert [a for a in lab.state().all_attempts() if a.voided]
    assert_all_labelled(lab)
    assert_no_label_in(lab, 34.9, 35.1)


def test_an_app_that_changed_is_waited_for_and_shown(lab, kit):
    with_limits(lab, give_up="60 s")
    plan = bulbs(kit)

    def update(one):
        if one.trial.trial == "0003":
            lab.world.app = "9.2"

    with pytest.raises(LabError) as raised:
        lab.run(plan, ended=update)
    text = str(raised.value)
    assert raised.value.exit_code == 3
    assert "com.lamp was 9.1 when the campaign began and is 9.2 now" in text
    assert "install 9.1 again, or start a new campaign" in text
    kept = [e for e in lab.events() if isinstance(e, EvidenceKept)]
    shown = [e.file for e in kept if e.moment == "app"]
    assert shown
    assert all((lab.folder / lab.campaign / file).exists() for file in shown)
    reasons = [e.reason for e in lab.events() if isinstance(e, SessionEnded)]
    assert reasons == [text]
    lab.world.app = "9.1"
    lab.resume()
    assert_all_labelled(lab)
    assert [e.condition for e in lab.events() if isinstance(e, Cleared)] == ["app"]


def test_an_app_that_changed_during_the_last_trial_is_found(lab, kit):
    with_limits(lab, give_up="60 s")

    def update(one):
        if one.trial.trial == "0002":
            lab.world.app = "9.2"

    with pytest.raises(LabError, match=r"is 9\.2 now"):
        lab.run(bulbs(kit, 2), ended=update)


def test_a_plug_that_is_away_is_waited_for_and_its_trial_is_done_again(lab, kit):
    lab.world.gone["plug_dut"] = (4.0, 60.0)
    trials = tuple(
        kit.planned(k, "wemo", "turn_on" if k % 2 else "turn_off", kit.api)
        for k in range(1, 5)
    )
    lab.run(kit.small_plan(trials=trials))
    assert pauses(lab) == [("plug", "plug_dut")]
    assert n_failed(lab) == 0
    assert_all_labelled(lab)


def test_a_loudspeaker_that_is_away_is_waited_for(lab, kit):
    span = lab.world.gone["voice"] = (5.0, 60.0)
    lab.bench.voice.alive = lambda: not lab.world.is_in(span)
    trials = tuple(kit.planned(k, "speaker", "ask_time", kit.voice) for k in (1, 2, 3))
    lab.run(kit.small_plan(trials=trials))
    assert pauses(lab) == [("voice", "")]
    assert n_failed(lab) == 0
    assert_all_labelled(lab)


def test_several_things_at_once_are_all_waited_for(lab, kit):
    lab.world.gone["phone"] = (20.0, 90.0)
    lab.world.offline = (24.0, 100.0)
    lab.world.gone["capture"] = (60.0, 120.0)
    lab.run(bulbs(kit))
    assert set(pauses(lab)) >= {("phone", ""), ("router", ""), ("internet", "")}
    assert n_failed(lab) == 0
    assert_all_labelled(lab)
    assert_no_label_in(lab, 20.0, 100.0)


def test_a_flapping_phone_makes_few_pauses(lab, kit):
    lab.world.gone["phone"] = (20.0, 60.0)
    look = lab.world.is_in

    def flaps(span):
        return look(span) and int(lab.clock.monotonic_s()) % 12 < 11

    lab.world.is_in = flaps
    lab.run(bulbs(kit))
    assert 1 <= len(pauses(lab)) <= 2
    assert_all_labelled(lab)
