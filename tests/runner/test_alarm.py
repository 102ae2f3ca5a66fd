"""The real clock of `serve`."""

import threading

import pytest

from testbed.clock import SystemClock
from testbed.runner.schedules.alarm import ScheduledAlarm
from testbed.runner.stop import Stop


@pytest.fixture
def stop():
    return Stop()


@pytest.fixture
def alarm(stop):
    with ScheduledAlarm(stop) as made:
        yield made


MOST_S = 60.0  # for what comes at once, but on a busy machine
S = 10**9


def waited_s(alarm, most_s):
    clock = SystemClock()
    since_s = clock.monotonic_s()
    alarm.wait(most_s)
    return clock.monotonic_s() - since_s


def test_it_rings_at_its_time_once(alarm):
    due_ns = SystemClock().now_ns() + 300_000_000
    alarm.set({"demo-1": due_ns})
    assert waited_s(alarm, MOST_S) < MOST_S - 5
    assert SystemClock().now_ns() >= due_ns
    assert waited_s(alarm, 0.3) >= 0.3


def test_it_rings_for_a_time_that_is_over(alarm):
    alarm.set({"demo-1": SystemClock().now_ns() - 3600 * S})
    assert waited_s(alarm, MOST_S) < MOST_S - 5


def test_a_time_that_was_taken_back_does_not_ring(alarm):
    alarm.set({"demo-1": SystemClock().now_ns() + 2 * S})
    alarm.set({})
    assert waited_s(alarm, 2.3) >= 2.3


def test_a_time_that_was_moved_rings_at_the_new_one(alarm):
    now_ns = SystemClock().now_ns()
    alarm.set({"demo-1": now_ns + 3600 * S})
    alarm.set({"demo-1": now_ns + 200_000_000})
    assert waited_s(alarm, MOST_S) < MOST_S - 5


def test_a_request_to_stop_ends_the_waiting(alarm, stop):
    threading.Timer(0.2, stop.request).start()
    assert waited_s(alarm, MOST_S) < MOST_S - 5
    assert stop.requested


def test_it_can_be_left_while_it_rings(stop):
    with ScheduledAlarm(stop) as alarm:
        executor = alarm._scheduler._lookup_executor("default")
        submit = executor.submit_job

        def submit_slowly(job, run_times):
            submit(job, run_times)
            SystemClock().sleep(0.4)  # its thread has the job in hand for so long

        executor.submit_job = submit_slowly
        alarm.set({"demo-1": SystemClock().now_ns()})
        assert waited_s(alarm, MOST_S) < MOST_S - 5
