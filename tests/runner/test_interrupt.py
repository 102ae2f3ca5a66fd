import os
import signal

import pytest

from testbed.clock import SystemClock, VirtualClock
from testbed.model.events import LABELLED, Outcome, SessionEnded
from testbed.runner.stop import Stop, StoppedError, interruptible


def test_ctrl_c_once_stops_after_the_trial_and_resume_does_the_rest(rig):
    lab = rig()

    def ask(ended):
        if ended.trial.trial == "0002":
            lab.stop.request()

    result = lab.run(ended=ask)
    assert result.interrupted
    assert not lab.capture.running
    assert lab.state().outcome("0003") is None
    reasons = [e.reason for e in lab.events() if isinstance(e, SessionEnded)]
    assert reasons == ["interrupted"]
    result = lab.resume()
    assert not result.interrupted
    state = lab.state()
    assert all(state.outcome(t.trial) in LABELLED for t in state.plan.trials)
    assert all(len(state.attempts[t.trial]) == 1 for t in state.plan.trials)


def test_ctrl_c_in_a_label_window_aborts_the_trial(rig):
    lab = rig()
    lab.bench.voice.play = interrupting(lab, lab.bench.voice.play)
    assert lab.run().interrupted
    (attempt,) = lab.state().attempts["0002"]
    assert attempt.final is Outcome.ABORTED
    assert attempt.detail == "interrupted"
    lab.bench.voice.play = type(lab.bench.voice).play.__get__(lab.bench.voice)
    lab.resume()
    assert lab.state().outcome("0002") is Outcome.CONFIRMED


def interrupting(lab, play):
    def ask(utterance):
        bracket = play(utterance)
        lab.stop.request()
        return bracket

    return ask


def test_ctrl_c_side_by_side_begins_nothing_any_more(rig, kit):
    lab = rig(kit.ScaledClock(20.0), threads=True)

    def ask(ended):
        lab.stop.request()

    assert lab.run(ended=ask).interrupted
    # Asked at the end of the first: until then no device was done with its own first.
    devices = [a.started.device for a in lab.state().all_attempts()]
    assert len(devices) == len(set(devices))
    assert lab.state().open_attempts() == []
    assert not lab.capture.running
    lab.resume()
    state = lab.state()
    assert all(state.outcome(t.trial) in LABELLED for t in state.plan.trials)


def test_ctrl_c_twice_leaves_at_once_and_can_be_resumed(rig):
    lab = rig()
    lab.world.broken["voice play"] = [KeyboardInterrupt()]
    with pytest.raises(KeyboardInterrupt):
        lab.run()
    assert lab.capture.running, "nobody waited for the drain"
    assert lab.world.acts[-1] == "voice play"
    lab.resume()
    state = lab.state()
    assert all(state.outcome(t.trial) in LABELLED for t in state.plan.trials)
    assert not lab.capture.running


def test_the_first_signal_asks_and_the_second_interrupts():
    stop = Stop()
    clock = VirtualClock()
    before = signal.getsignal(signal.SIGINT)
    with interruptible(stop, clock):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)  # the same one, by way of the group
        assert stop.requested
        clock.sleep(1.0)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_a_sleep_ends_with_the_request():
    stop = Stop()
    stop.request()
    with pytest.raises(StoppedError):
        stop.sleep(SystemClock(stop.wake), 60.0)


def test_the_first_signal_is_acknowledged_at_once():
    said = []
    stop, clock = Stop(), VirtualClock()
    with interruptible(stop, clock, said.append):
        os.kill(os.getpid(), signal.SIGINT)
        assert said == ["stopping at the next safe point; Ctrl-C again stops now"]
        clock.sleep(1.0)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert len(said) == 1
