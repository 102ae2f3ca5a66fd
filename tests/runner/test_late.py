"""Acts of users whose time passes while nothing runs are decided about."""

import pytest

from testbed.model.events import Outcome
from testbed.model.types import Channel
from testbed.runner.journal.fold import TOO_LATE


def timed(kit, *times_s, **more):
    trials = tuple(
        kit.planned(
            number,
            "wemo",
            "turn_on" if number % 2 else "turn_off",
            Channel.API,
            not_before_s=at_s,
            session=int(at_s // 86400),
            user="ada",
        )
        for number, at_s in enumerate(times_s, start=1)
    )
    return kit.small_plan(trials=trials, interleave=True, late_s=300.0, **more)


def outcomes(lab):
    state = lab.state()
    return {trial: [a.final for a in done] for trial, done in state.attempts.items()}


@pytest.fixture
def killed(rig, kit):
    """A campaign that was killed after its first act; the clock went on."""

    def make(plan, away_s):
        lab = rig()

        def ended(_one):
            lab.world.killed = True
            raise kit.Killed

        with pytest.raises(kit.Killed):
            lab.run(plan, ended=ended)
        lab.clock.sleep(away_s)
        return lab

    return make


def test_acts_have_their_time_after_the_start(rig, kit):
    lab = rig()
    lab.run(timed(kit, 100.0, 5000.0))
    state = lab.state()
    begun_ns = min(s.started_ns for s in state.sessions.values())
    at_s = [(a.returned.instant_ns - begun_ns) / 1e9 for a in state.all_attempts()]
    assert at_s == pytest.approx([100, 5000], abs=3)


def test_what_is_a_little_late_is_done_and_what_is_too_late_is_left_out(killed, kit):
    plan = timed(kit, 10.0, 400.0, 1000.0, 5000.0)
    lab = killed(plan, 1200.0)
    lab.resume()
    assert outcomes(lab) == {
        "0001": [Outcome.CONFIRMED],
        "0002": [Outcome.ABORTED],
        "0003": [Outcome.UNCHECKED],  # it is on already, so nothing can be seen
        "0004": [Outcome.CONFIRMED],
    }
    left_out = lab.state().attempts["0002"][0]
    assert left_out.detail.startswith(TOO_LATE)
    assert left_out.issued_ns is None
    begun_ns = min(s.started_ns for s in lab.state().sessions.values())
    third = lab.state().attempts["0003"][0]
    assert (third.issued_ns - begun_ns) / 1e9 > 1200
    last = lab.state().attempts["0004"][0]
    assert (last.issued_ns - begun_ns) / 1e9 == pytest.approx(5000, abs=3)


def test_what_was_left_out_stays_so(killed, kit):
    lab = killed(timed(kit, 10.0, 400.0), 3000.0)
    lab.resume()
    lab.resume()
    assert outcomes(lab)["0002"] == [Outcome.ABORTED]


def test_no_preparation_is_made_for_an_act_that_is_left_out(rig, kit):
    plan = kit.small_plan(
        late_s=60.0,
        trials=(
            kit.planned(1, "lamp", "power_on", Channel.POWER, not_before_s=5.0),
            kit.planned(2, "lamp", "turn_on", Channel.PHONE, not_before_s=500.0),
        ),
    )
    lab = rig()

    def ended(_one):
        lab.world.killed = True
        raise kit.Killed

    with pytest.raises(kit.Killed):
        lab.run(plan, ended=ended)
    lab.clock.sleep(4000.0)
    lab.resume()
    assert set(outcomes(lab)) == {"0001", "0002"}


def test_an_act_whose_packets_were_lost_is_repeated_only_in_time(rig, kit):
    lab = rig()
    lab.capture.lost = True
    lab.run(timed(kit, 10.0, 5000.0))
    first, last = (outcomes(lab)[t] for t in ("0001", "0002"))
    assert first == [Outcome.ABORTED] * 2
    assert lab.state().attempts["0001"][1].detail.startswith(TOO_LATE)
    assert last[0] is Outcome.ABORTED


def test_a_run_over_midnight_knows_its_clock_on_both_days(rig, kit):
    lab = rig()
    result = lab.run(timed(kit, 100.0, 50_000.0))  # the lab's day ends in between
    days = {a.started.session for a in lab.state().all_attempts()}
    assert len(days) == 2
    assert result.no_labels == ""
    assert set(outcomes(lab)) == {"0001", "0002"}
    assert lab.state().n_labelled() == 2
