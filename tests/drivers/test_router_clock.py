import numpy as np
import pytest

from testbed.clock import VirtualClock
from testbed.drivers.router_clock import ClockHelper
from testbed.errors import DriverGarbledError, DriverRefusedError, DriverTimeoutError

OFFSET_NS = 49_000_000_123


class Wire:
    """A link and its channel at once: answers after delays, on a virtual clock."""

    def __init__(self, clock, answer=None, lives=10**9):
        self.clock = clock
        self.answer = answer
        self.lives = lives
        self.random = np.random.default_rng(7)
        self.started = 0
        self.trips = []
        self.waiting = b""

    def helper(self, command, request):
        self.started += 1
        return self

    def sendall(self, data):
        if self.lives <= 0:
            self.lives = 10**9
            raise OSError("Socket is closed")
        self.lives -= 1
        there, back = self.random.exponential(0.002, 2) + 0.0001
        self.clock.sleep(there)
        stamp = str(self.clock.now_ns() + OFFSET_NS)
        self.waiting = (self.answer or stamp).encode() + b"\n"
        self.clock.sleep(back)
        self.trips.append(there + back)

    def recv(self, n):
        piece, self.waiting = self.waiting[:7], self.waiting[7:]
        return piece

    def close(self):
        pass


def test_all_trips_together_bound_the_offset_closer_than_the_shortest():
    clock = VirtualClock(10**18)
    wire = Wire(clock)
    helper = ClockHelper(wire, clock, "router")
    for _ in range(20):
        wire.trips.clear()
        sample = helper.sample()
        assert abs(sample.offset_ns - OFFSET_NS) <= sample.error_ns
        assert sample.error_ns <= min(wire.trips[1:]) * 5e8 + 2
    assert wire.started == 1


def test_a_lost_helper_is_started_once_more():
    clock = VirtualClock(10**18)
    wire = Wire(clock, lives=10)
    sample = ClockHelper(wire, clock, "router").sample()
    assert abs(sample.offset_ns - OFFSET_NS) <= sample.error_ns
    assert wire.started == 2


def test_a_helper_that_ends_at_once_is_a_timeout():
    clock = VirtualClock()
    wire = Wire(clock)
    wire.recv = lambda n: b""
    with pytest.raises(DriverTimeoutError, match="says nothing"):
        ClockHelper(wire, clock, "router").sample()


@pytest.mark.parametrize(
    ("answer", "error"), [("none", DriverRefusedError), ("12:30", DriverGarbledError)]
)
def test_an_answer_that_is_no_stamp_is_refused(answer, error):
    clock = VirtualClock()
    with pytest.raises(error):
        ClockHelper(Wire(clock, answer), clock, "router").sample()
