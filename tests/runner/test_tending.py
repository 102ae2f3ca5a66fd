"""Leases, captures and files are looked after beside the trials."""

import json
import threading

import pytest

from testbed.clock import VirtualClock
from testbed.errors import DriverTimeoutError, JournalError, LabError
from testbed.model.events import (
    LABELLED,
    AttemptVoided,
    CaptureStopped,
    ClockMeasured,
    Outcome,
    SessionEnded,
    TrialEnded,
)
from testbed.model.types import Channel
from testbed.runner.recording.beside import Task, Tender

PATIENCE_S = 60.0
IDLE_S = 0.5


def no_answer():
    return DriverTimeoutError("router", "renew the lease", "no answer")


@pytest.fixture
def busy(rig, kit):
    """A lab whose trials overlap, and which is looked after all the time."""
    clock = kit.ScaledClock(20.0)
    return rig(clock, threads=True, fetch_every_s=0.1, clock_every_s=0.1, tick_s=0.001)


def test_the_lease_is_renewed_while_files_come_over(busy):
    busy.lab = busy.lab.model_copy(
        update={"router": busy.lab.router.model_copy(update={"lease": 4.0})}
    )
    look, renew = busy.capture.finished_files, busy.capture.renew_lease
    waits, renewed, was_renewed = threading.Event(), threading.Event(), []

    def renews():
        renew()
        if waits.is_set():
            renewed.set()

    def comes_slowly():
        if busy.capture.running and busy.world.acts.count("capture renew"):
            waits.set()
            was_renewed.append(renewed.wait(60))
        return look()

    busy.capture.finished_files, busy.capture.renew_lease = comes_slowly, renews
    busy.run()
    assert was_renewed
    assert all(was_renewed)


def test_the_lease_is_renewed_while_the_last_files_come_over(busy, kit):
    busy.lab = busy.lab.model_copy(
        update={"router": busy.lab.router.model_copy(update={"lease": 4.0})}
    )
    look, renew = busy.capture.finished_files, busy.capture.renew_lease
    done, waits, renewed = threading.Event(), threading.Event(), threading.Event()
    left, was_left, was_renewed = threading.Event(), [], []
    sleep = busy.stop.sleep

    def sleeps(clock, duration_s):
        sleep(clock, duration_s)
        if done.is_set() and duration_s == IDLE_S:
            left.set()  # the last idle stretch is over

    def renews():
        renew()
        if waits.is_set():
            renewed.set()

    def comes_slowly():
        if done.is_set() and busy.capture.running and not was_renewed:
            was_left.append(left.wait(60))
            waits.set()
            was_renewed.append(renewed.wait(60))
        return look()

    busy.capture.finished_files, busy.capture.renew_lease = comes_slowly, renews
    busy.stop.sleep = sleeps
    trials = (kit.planned(1, "lamp", "look", Channel.PHONE),)
    plan = kit.small_plan(trials=trials, idle_s=IDLE_S)
    busy.run(plan, ended=lambda _: done.set())
    assert was_left == was_renewed == [True]


def test_an_act_that_fails_fast_for_too_long_loses_its_instrument():
    clock, tries = VirtualClock(), []

    def act():
        tries.append(clock.monotonic_s())
        raise no_answer()

    tender = tender_of(clock, act)
    with pytest.raises(LabError, match="the router was lost: router: renew"):
        tend_for(tender, clock, 100)
    assert tries[-1] - tries[0] == PATIENCE_S


def test_an_act_that_fails_now_and_then_is_tried_again():
    clock, tries = VirtualClock(), []

    def act():
        tries.append(clock.monotonic_s())
        if len(tries) % 2:
            raise no_answer()

    tender = tender_of(clock, act)
    tend_for(tender, clock, 1000)
    assert len(tries) > 100


def tend_for(tender, clock, n_s):
    for _ in range(n_s):
        tender.tend()
        clock.sleep(1.0)


def tender_of(clock, act):
    tasks = [Task(act=act, every_s=15.0)]
    return Tender("router", clock, tasks, patience_s=PATIENCE_S)


def test_what_nobody_expected_stops_the_campaign_and_is_raised(busy):
    def broken():
        raise ZeroDivisionError("a bug")

    busy.capture.renew_lease = broken
    with pytest.raises(ZeroDivisionError, match="a bug"):
        busy.run()
    assert busy.stop.requested
    assert busy.state().open_attempts() == []
    assert not busy.capture.running


def test_a_lost_capture_point_is_no_interruption(busy):
    busy.lab = busy.lab.model_copy(
        update={"router": busy.lab.router.model_copy(update={"lease": 1.0})}
    )

    def lost():
        raise no_answer()

    busy.capture.renew_lease = lost
    with pytest.raises(LabError, match="the capture point was lost: router") as raised:
        busy.run()
    assert raised.value.exit_code == 3
    reasons = [e.reason for e in busy.events() if isinstance(e, SessionEnded)]
    assert reasons == [str(raised.value)]
    assert busy.state().open_attempts() == []


def test_a_record_that_is_not_safe_is_no_interruption(busy):
    def lost():
        raise JournalError("the lease on the lab was lost to another controller")

    busy.capture.renew_lease = lost
    with pytest.raises(JournalError, match="lost to another") as raised:
        busy.run()
    assert raised.value.exit_code == 4
    assert busy.state().open_attempts() == []


def test_a_capture_that_died_is_begun_anew_and_its_trials_are_done_again(rig):
    lab = rig()

    see_packet = lab.capture.see_packet

    def see_and_die(payload):
        see_packet(payload)
        if b"|0004|1|after|" in payload:
            lab.capture.died = True

    lab.capture.see_packet = see_and_die
    lab.run()
    state = lab.state()
    ends = [e.stopped_by for e in lab.events() if isinstance(e, CaptureStopped)]
    assert ends[0] == "gone"
    assert len(state.captures) == len(ends) >= 2
    first, second, *_ = state.captures.values()
    assert first.session == second.session
    assert all(state.outcome(t.trial) in LABELLED for t in state.plan.trials)
    first, *_ = state.attempts["0004"]
    assert first.final is Outcome.ABORTED
    assert "capture" in first.voided


def test_a_capture_that_dies_again_and_again_ends_the_campaign(rig, kit):
    lab = rig()
    lab.capture.is_recording = lambda: False
    trials = tuple(lab_trials(kit, 40))
    with pytest.raises(LabError, match="the capture ended by itself 4 times") as raised:
        lab.run(kit.small_plan(trials=trials))
    assert raised.value.exit_code == 3
    assert not lab.capture.running
    ended = [e.capture for e in lab.events() if isinstance(e, CaptureStopped)]
    assert ended == ["c01", "c02", "c03", "c04"]


def lab_trials(kit, n):
    for number in range(1, n + 1):
        yield kit.planned(number, "lamp", "look", Channel.PHONE)


def test_half_a_copy_is_no_capture_file(rig, kit):
    lab = rig()
    with pytest.raises(kit.Killed):
        lab.run(store=kit.DyingStore(lab.store, lab.world, 30, after=True))
    part = lab.folder / "small-1" / "raw" / "lan-00001.pcapng.part"
    part.write_bytes(b"half")
    lab.resume()
    names = [f.name for c in lab.state().captures.values() for f in c.files]
    assert part.name not in names
    assert not part.exists()


def test_what_a_router_out_of_reach_kept_proves_its_trials_on_resume(rig):
    lab = rig()
    point = lab.capture
    reachable = (point.stop_capture, point.finished_files)

    def lost(*_):
        raise no_answer()

    def lose(ended):
        if ended.trial.trial == "0003":
            point.stop_capture = point.finished_files = lost

    with pytest.raises(LabError, match="capture"):
        lab.run(ended=lose)
    done = [e.trial for e in lab.events() if isinstance(e, TrialEnded)]
    assert "0003" in done
    point.stop_capture, point.finished_files = reachable
    lab.resume()
    voided = [e.trial for e in lab.events() if isinstance(e, AttemptVoided)]
    assert set(voided).isdisjoint({"0001", "0002", "0003"})
    (only_fetched_s,) = spans_without_trials(lab.state())
    assert only_fetched_s < lab.state().plan.idle_s, "it is no idle stretch"


def spans_without_trials(state):
    used = {a.started.session for a in state.all_attempts()}
    empty = [s for s in state.sessions.values() if s.session not in used]
    return [(s.ended_ns - s.started_ns) / 1e9 for s in empty]


def test_each_measurement_of_the_clock_is_in_the_receipt_of_its_capture(rig):
    lab = rig()
    see_packet = lab.capture.see_packet

    def see_and_die(payload):
        see_packet(payload)
        if b"|0004|1|after|" in payload:
            lab.capture.died = True

    lab.capture.see_packet = see_and_die
    result = lab.run()
    receipt = json.loads((result.folder / "raw/receipt.json").read_text())
    noted = [[c["at_ns"] for c in one["clock"]] for one in receipt["captures"]]
    assert len(noted) >= 2
    assert all(noted)
    measured = [e.at_ns for e in lab.events() if isinstance(e, ClockMeasured)]
    assert [at_ns for one in noted for at_ns in one] == measured
