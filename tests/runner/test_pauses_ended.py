"""A pause ends by Ctrl-C, by a kill, or because nobody waits longer; what then?"""

import pytest

from testbed.errors import LabError
from testbed.model.events import (
    LABELLED,
    Cleared,
    Suspended,
)
from tests.runner.pausing import (
    assert_all_labelled,
    bulbs,
    pauses,
    stop_at,
    with_limits,
)


@pytest.fixture
def lab(rig, kit):
    return with_limits(rig())


@pytest.fixture
def busy(rig, kit):
    """Trials overlap, and threads look after the lab."""
    return with_limits(rig(kit.ScaledClock(20.0), threads=True, tick_s=0.005))


def test_ctrl_c_ends_a_pause_and_resume_goes_on(lab, kit):
    lab.world.gone["phone"] = (20.0, 400.0)
    stop_at(lab, 60.0)
    assert lab.run(bulbs(kit)).interrupted
    assert lab.state().suspended.keys() == {("phone", "")}
    assert lab.state().open_attempts() == []
    assert not lab.capture.running
    lab.world.gone.clear()
    lab.resume()
    assert_all_labelled(lab)
    assert [type(e) for e in lab.events() if isinstance(e, Suspended | Cleared)] == [
        Suspended,
        Cleared,
    ]


def test_ctrl_c_ends_a_pause_for_the_router_and_resume_goes_on(lab, kit):
    lab.world.gone["capture"] = (20.0, 200.0)
    free = lab.capture.clock_offset

    def asks():
        if lab.clock.monotonic_s() >= 60.0:
            lab.stop.request()
        return free()

    lab.capture.clock_offset = asks
    assert lab.run(bulbs(kit)).interrupted
    lab.capture.clock_offset = free
    lab.world.gone.clear()
    lab.resume()
    assert_all_labelled(lab)


def test_a_kill_in_a_pause_loses_nothing(lab, kit):
    lab.world.gone["phone"] = (20.0, 400.0)
    beat = lab.capture.renew_lease

    def dies():
        if lab.clock.monotonic_s() >= 60.0:
            lab.world.killed = True
        lab.world.act("capture renew")

    lab.capture.renew_lease = dies
    with pytest.raises(kit.Killed):
        lab.run(bulbs(kit))
    lab.capture.renew_lease = beat
    lab.world.gone.clear()
    lab.resume()
    assert_all_labelled(lab)
    assert len(pauses(lab)) == 1


def test_who_gave_up_can_be_resumed(lab, kit):
    lab.world.gone["phone"] = (20.0, 10_000.0)
    with pytest.raises(LabError, match=r"waited 3\d\d s for phone, which is bad"):
        lab.run(bulbs(kit))
    assert not lab.capture.running
    assert lab.state().open_attempts() == []
    lab.world.gone.clear()
    lab.resume()
    assert_all_labelled(lab)


def test_side_by_side_who_gave_up_ends_all_and_can_be_resumed(busy, kit):
    with pytest.raises(LabError, match="for phone, which is bad"):
        busy.run(ended=lambda _: busy.world.gone.setdefault("phone", (0.0, 1e9)))
    assert not busy.capture.running
    assert busy.state().open_attempts() == []
    busy.world.gone.clear()
    busy.resume()
    assert_all_labelled(busy)


def test_a_trial_that_is_voided_again_and_again_is_given_up_and_that_is_said(lab, kit):
    lines = []
    lab.capture.lost = True
    lab.run(bulbs(kit, 2), say=lines.append)
    assert any("2 trials are given up after 5 attempts each" in line for line in lines)
    assert {len(a) for a in lab.state().attempts.values()} == {5}
    lab.capture.lost = False
    lab.resume()
    assert_all_labelled(lab)


def test_what_a_loudspeaker_said_before_it_went_away_stays(lab, kit):
    span = lab.world.gone["voice"] = (40.0, 80.0)
    lab.bench.voice.alive = lambda: not lab.world.is_in(span)
    trials = tuple(kit.planned(k, "speaker", "ask_time", "voice") for k in range(1, 8))
    lab.run(kit.small_plan(trials=trials))
    assert pauses(lab) == [("voice", "")]
    assert lab.state().attempts["0001"][0].final in LABELLED
    voided = [a for a in lab.state().all_attempts() if a.voided]
    assert 1 <= len(voided) <= 2
    assert_all_labelled(lab)
