import itertools
import random
import threading
from dataclasses import replace

import pytest

from testbed.model.events import LABELLED, Outcome, TrialEnded, TrialStarted
from testbed.model.types import Channel
from testbed.runner.stop import Stop, StoppedError
from testbed.runner.trials.arbiter import LOOK, STIMULUS, Arbiter, Priority

KINDS = (
    ("lamp", "turn_on", Channel.PHONE),
    ("lamp", "look", Channel.PHONE),
    ("lamp", "power_on", Channel.POWER),
    ("speaker", "ask_time", Channel.VOICE),
    ("wemo", "turn_on", Channel.API),
    ("wemo", "turn_off", Channel.API),
)


def random_plan(kit, seed, n=12):
    draw = random.Random(seed)
    trials = [kit.planned(1, "lamp", "power_on", Channel.POWER)]
    for number in range(2, n + 2):
        rest_s = draw.choice([0.5, 1.0, 2.0])
        trials.append(kit.planned(number, *draw.choice(KINDS), rest_s=rest_s))
    return kit.small_plan(trials=tuple(trials))


def patient(lab):
    """Let acts take long: on a busy machine 5 s of this clock pass at once."""
    wide = {"act": 600.0, "clock_uncertainty": 600.0}
    limits = lab.lab.limits.model_copy(update=wide)
    lab.lab = lab.lab.model_copy(update={"limits": limits})
    return lab


def assert_never_twice(stretches):
    stretches = sorted(stretches)
    for (_, end, what), (begin, _, other) in itertools.pairwise(stretches):
        assert begin >= end, f"{what} and {other} overlap"


@pytest.mark.parametrize("seed", range(6))
def test_windows_of_one_device_and_uses_of_an_instrument_never_overlap(rig, kit, seed):
    lab = patient(rig(kit.ScaledClock(), threads=True))
    plan = random_plan(kit, seed)
    lab.run(plan)
    state = lab.state()
    assert {state.outcome(t.trial) for t in plan.trials} <= LABELLED
    by_device = {}
    for trial in plan.trials:
        attempt = state.attempts[trial.trial][-1]
        begin_ns = attempt.returned.instant_ns
        end_ns = begin_ns + round(trial.delta_s * 1e9)
        by_device.setdefault(trial.device, []).append((begin_ns, end_ns, trial.trial))
    for windows in by_device.values():
        assert_never_twice(windows)
        trials = [trial for _, _, trial in windows]
        assert trials == sorted(trials), "a device's trials keep their order"
    for name in ("phone", "room"):
        uses = [u for u in lab.world.uses if u.name == name]
        assert_never_twice([(u.begin_s, u.end_s, name) for u in uses])


def test_a_device_is_left_alone_for_as_long_as_it_goes_on_talking(rig, kit):
    lab = patient(rig(kit.ScaledClock(), threads=True))
    trials = [
        replace(kit.planned(n, "wemo", what, Channel.API, rest_s=0.5), settle_s=3.0)
        for n, what in ((1, "turn_on"), (2, "turn_off"), (3, "turn_on"))
    ]
    lab.run(kit.small_plan(trials=tuple(trials)))
    state = lab.state()
    given = [state.attempts[t.trial][-1].returned.instant_ns for t in trials]
    least_ns = round((trials[0].delta_s + 3.5) * 1e9)
    assert all(b - a >= least_ns for a, b in itertools.pairwise(given))


def test_trials_of_different_devices_overlap(rig, kit):
    side_by_side = patient(rig(kit.ScaledClock(), threads=True))
    one_by_one = patient(rig(kit.ScaledClock(), threads=True))
    for lab, interleave in ((side_by_side, True), (one_by_one, False)):
        lab.run(kit.small_plan(interleave=interleave))
        kinds = [type(e) for e in lab.events()]
        begun_or_ended = [k for k in kinds if k in (TrialStarted, TrialEnded)]
        overlaps = (TrialStarted, TrialStarted) in itertools.pairwise(begun_or_ended)
        assert overlaps == interleave


def test_a_speakers_check_holds_the_room_until_it_is_over(rig, kit):
    lab = patient(rig(kit.ScaledClock(), threads=True))
    trials = tuple(
        kit.planned(n, "speaker", "ask_time", Channel.VOICE) for n in (1, 2, 3)
    )
    lab.run(kit.small_plan(trials=trials))
    assert {lab.state().outcome(t.trial) for t in trials} == {Outcome.CONFIRMED}


def test_one_devices_bug_stops_all_and_leaves_a_resumable_journal(rig, kit):
    lab = patient(rig(kit.ScaledClock(), threads=True))
    lab.world.broken["voice play"] = [ZeroDivisionError("a bug")]
    with pytest.raises(ZeroDivisionError):
        lab.run()
    assert lab.state().open_attempts() == []
    assert not lab.capture.running
    lab.resume()
    assert lab.state().outcome("0002") is Outcome.CONFIRMED


def wait_for_queue(arbiter, n):
    ready = threading.Event()
    while len(arbiter._queues.get("phone", ())) < n:
        ready.wait(0.001)


def test_looks_go_before_stimuli_and_long_queues_before_short_ones():
    arbiter, order = Arbiter(Stop()), []

    def take(what, priority):
        with arbiter.hold("phone", priority):
            order.append(what)

    wanted = [
        ("short", Priority(STIMULUS, -10.0)),
        ("long", Priority(STIMULUS, -90.0)),
        ("look", Priority(LOOK, -10.0)),
    ]
    threads = [threading.Thread(target=take, args=one) for one in wanted]
    with arbiter.hold("phone", Priority(STIMULUS)):
        for n, thread in enumerate(threads, start=1):
            thread.start()
            wait_for_queue(arbiter, n)
    for thread in threads:
        thread.join()
    assert order == ["look", "long", "short"]


def test_waiting_for_an_instrument_ends_with_a_stop():
    stop = Stop()
    arbiter, raised = Arbiter(stop), []

    def take():
        try:
            with arbiter.hold("phone", Priority(STIMULUS)):
                raised.append("had it")
        except StoppedError:
            raised.append("stopped")

    with arbiter.hold("phone", Priority(STIMULUS)):
        thread = threading.Thread(target=take)
        thread.start()
        wait_for_queue(arbiter, 1)
        stop.request()
        thread.join(60)
    assert raised == ["stopped"]
