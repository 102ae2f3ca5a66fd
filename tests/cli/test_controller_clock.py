import pytest

from testbed.cli.timing import SKEW, controller_clock
from testbed.clock import SkewedClock, SteadyClock, VirtualClock, stepped_ns
from testbed.errors import ConfigError

T0 = 1_795_000_000 * 10**9
S = 10**9


class Stepping(VirtualClock):
    """A virtual clock whose wall time NTP may step."""

    jump_ns = 0

    def now_ns(self):
        return super().now_ns() + self.jump_ns


def test_a_skewed_clock_is_wrong_by_its_offset_and_drifts_from_an_instant_on():
    real = VirtualClock(T0)
    clock = SkewedClock(real, -49.0, 200.0, since_ns=T0)
    assert clock.now_ns() == T0 - 49 * S
    clock.sleep(1000.2)
    assert clock.now_ns() == T0 - 49 * S + 1000_200_000_000
    assert real.now_ns() == pytest.approx(T0 + 1000 * S, abs=100)
    assert clock.monotonic_s() == pytest.approx(1000.2)


def test_stamps_of_a_steady_clock_do_not_jump_when_the_clock_below_is_stepped():
    real = Stepping(T0)
    clock = SteadyClock(real)
    real.sleep(5.0)
    real.jump_ns = -3 * S
    assert clock.now_ns() == T0 + 5 * S
    assert clock.stepped_s() == -3.0
    assert stepped_ns(clock) == -3 * S
    assert stepped_ns(real) == 0


def test_two_clocks_of_one_run_agree_whenever_they_were_made():
    real = Stepping(T0)
    first = SteadyClock(real)
    real.sleep(5.0)
    real.jump_ns = 3 * S
    second = SteadyClock(real, like=first)
    real.sleep(1.0)
    assert first.now_ns() == second.now_ns() == T0 + 6 * S


def test_the_controller_may_be_told_to_be_wrong(monkeypatch):
    right = controller_clock()
    monkeypatch.setenv(SKEW, f"10800,200,{T0}")
    wrong = controller_clock()
    assert (wrong.now_ns() - right.now_ns()) / S > 10_799
    assert abs(wrong.now_ns() - controller_clock(like=wrong).now_ns()) < S


@pytest.mark.parametrize("text", ["49", "a,b", "1,2,x"])
def test_a_skew_that_cannot_be_read_is_refused(monkeypatch, text):
    monkeypatch.setenv(SKEW, text)
    with pytest.raises(ConfigError, match="must be 'offset_s,ppm'"):
        controller_clock()
