"""Conditions go bad with hysteresis, and good again; and somebody gives up at last."""

import pytest

from testbed.clock import VirtualClock
from testbed.errors import DriverTimeoutError, LabError
from testbed.model.events import Cleared, Suspended
from testbed.model.lab import Limits
from testbed.model.protocols import ClockSample
from testbed.runner.pauses.suspenders import ROUTER, Suspenders
from testbed.runner.pauses.watches import ClockWatch, DeviceWatch, Watch
from testbed.runner.stop import Stop, StoppedError

LIMITS = Limits.model_validate(
    {"look_every": "5 s", "trip": "3", "clear": "4 s", "give_up": "60 s"}
)
PHONE = ("phone", "")


class Scripted(Watch):
    """Bad in the spans of time that a test says."""

    condition = "phone"

    def __init__(self, clock, *spans, condition="phone", target=""):
        super().__init__(target)
        self.condition = condition
        self.clock = clock
        self.spans = list(spans)
        self.looks = []
        self.raises = False

    def look(self):
        now_s = self.clock.monotonic_s()
        self.looks.append(now_s)
        if not any(begin <= now_s < end for begin, end in self.spans):
            return ""
        if self.raises:
            raise DriverTimeoutError("phone", "look", "no answer")
        return "it is away"


@pytest.fixture
def lab():
    return Lab()


class Lab:
    def __init__(self):
        self.clock = VirtualClock()
        self.stop = Stop()
        self.facts = []
        self.lines = []
        self.pauses = Suspenders(LIMITS, self.clock, self.stop, self.facts.append)
        self.pauses.say = self.lines.append
        self.pauses.idle = lambda: None

    def watch(self, *spans, **names):
        one = Scripted(self.clock, *spans, **names)
        self.pauses.watch([one])
        return one

    def tend(self, seconds, step_s=0.5):
        for _ in range(round(seconds / step_s)):
            self.pauses.tend()
            self.clock.sleep(step_s)

    def kinds(self):
        return [type(f).__name__ for f in self.facts]


def test_what_is_good_is_looked_at_now_and_then(lab):
    watch = lab.watch()
    lab.tend(60)
    assert 10 <= len(watch.looks) <= 13
    assert lab.facts == []


def test_it_is_suspended_after_some_bad_looks_and_not_after_the_first(lab):
    lab.watch((10.0, 30.0))
    lab.tend(10.6)
    assert lab.facts == []
    assert lab.pauses.bad([PHONE]) == ""
    lab.tend(3)
    assert lab.kinds() == ["Suspended"]
    assert lab.pauses.bad([PHONE]) == "phone: it is away"


def test_bad_begins_at_the_last_good_look(lab):
    watch = lab.watch((7.0, 30.0))
    lab.tend(20)
    (fact,) = lab.facts
    good_s = max(s for s in watch.looks if s < 7.0)
    assert fact.since_ns == round(good_s * 1e9)


def test_a_hiccup_is_no_pause(lab):
    lab.watch((10.0, 11.2), (20.0, 21.2), (30.0, 31.2))
    lab.tend(60)
    assert lab.facts == []


def test_it_is_clear_only_after_good_looks_on_end(lab):
    lab.watch((10.0, 20.0))
    lab.tend(21)
    assert lab.kinds() == ["Suspended"]
    lab.tend(8)
    assert lab.kinds() == ["Suspended", "Cleared"]
    assert lab.facts[1].down_s == pytest.approx(12, abs=2.5)
    assert lab.pauses.bad([PHONE]) == ""


def test_flapping_is_one_pause_and_no_burst(lab):
    flaps = [(10.0, 20.0), *((20.0 + 2 * k, 21.0 + 2 * k) for k in range(10))]
    lab.watch(*flaps)
    lab.tend(90)
    assert lab.kinds() == ["Suspended", "Cleared"]


def test_an_instrument_that_fails_to_answer_is_bad(lab):
    lab.watch((0.0, 30.0)).raises = True
    lab.tend(5)
    assert "no answer" in lab.facts[0].detail


def test_what_is_asked_through_another_says_nothing_while_that_is_bad(lab):
    router = lab.watch((10.0, 30.0), condition="router")
    device = lab.watch((10.0, 30.0), condition="device", target="lamp")
    device.through, device.raises, device.at_once = ROUTER, True, True
    router.raises = True
    lab.tend(30)
    assert [f.condition for f in lab.facts] == ["router"]
    assert lab.pauses.bad([("device", "lamp")]) == ""


def test_the_campaign_gives_up_at_last_and_says_what_to_do(lab):
    lab.watch((10.0, 1000.0))
    with pytest.raises(LabError, match="for phone, which is bad: it is away; see to"):
        lab.tend(200)
    assert 70 <= lab.clock.monotonic_s() <= 80


def test_who_waits_goes_on_when_it_is_clear(lab):
    lab.watch((0.0, 20.0))
    lab.tend(5)
    assert lab.pauses.wait([PHONE])
    assert 24 <= lab.clock.monotonic_s() <= 27
    assert not lab.pauses.wait([PHONE])
    assert lab.lines[0] == "paused: phone: it is away; waiting up to 60 s"
    assert lab.lines[1].startswith("goes on: phone is good again after")


def test_nobody_waits_for_what_he_does_not_need(lab):
    lab.watch((0.0, 50.0), condition="device", target="lamp")
    lab.tend(5)
    assert not lab.pauses.wait([("device", "bulb"), PHONE])


def test_a_stop_ends_the_wait(lab):
    lab.watch((0.0, 50.0))
    lab.tend(5)
    lab.stop.request()
    with pytest.raises(StoppedError):
        lab.pauses.wait([PHONE])
    assert lab.kinds() == ["Suspended"]


def test_a_suspicion_is_looked_into_at_once(lab):
    watch = lab.watch((7.0, 30.0))
    watch.regular = False
    lab.clock.sleep(8)
    assert lab.pauses.suspect([PHONE]) == "phone: it is away"
    assert len(watch.looks) == LIMITS.trip
    assert lab.kinds() == ["Suspended"]


def test_a_wrong_suspicion_suspends_nothing(lab):
    lab.watch((7.0, 8.5))
    lab.clock.sleep(8)
    assert lab.pauses.suspect([PHONE]) == ""
    assert lab.facts == []


def test_a_suspicion_ends_when_the_router_goes_that_was_to_tell(lab):
    router = lab.watch((9.0, 1000.0), condition="router")
    disk = lab.watch((7.0, 1000.0), condition="disk", target="router")
    disk.through, router.raises = ROUTER, True
    lab.clock.sleep(8)
    lab.pauses.tend("others")
    lab.pauses.tend("router")
    lab.clock.sleep(1)  # one bad look at the disk; from now on nobody tells of it
    disk.raises = True
    needs = [("disk", "router"), ROUTER]
    assert lab.pauses.suspect(needs).startswith("router: ")
    assert lab.clock.monotonic_s() < 60
    assert lab.pauses.bad([("disk", "router")]) == ""


def test_a_router_that_goes_between_two_looks_through_it_is_found_out(lab):
    router = lab.watch((9.5, 1000.0), condition="router")
    disk = lab.watch((7.0, 1000.0), condition="disk", target="router")
    disk.through, router.raises = ROUTER, True

    def asked(look=disk.look):
        disk.raises = lab.clock.monotonic_s() >= 9.5
        return look()

    disk.look = asked
    lab.clock.sleep(9)
    assert lab.pauses.suspect([("disk", "router"), ROUTER]).startswith("router: ")


def test_what_an_earlier_run_left_bad_is_looked_at_before_it_counts_as_good(lab):
    left = Suspended(condition="phone", target="", detail="it was away")
    lab.pauses.watch([Scripted(lab.clock)], [left])
    assert lab.pauses.bad([PHONE])
    lab.tend(10)
    assert lab.kinds() == ["Cleared"]


def test_what_nobody_watches_any_more_is_cleared(lab):
    left = Suspended(condition="internet", target="", detail="away")
    lab.pauses.watch([], [left])
    assert lab.facts == [Cleared(condition="internet", target="", down_s=0.0)]


class Router:
    def __init__(self, heard_s=1.0):
        self.heard = heard_s

    def heard_s(self, mac):
        return self.heard


def device_of(clock, router, is_off=lambda: False):
    return DeviceWatch("lamp", "02:00", router, clock, is_off=is_off, silent_s=60.0)


def test_a_device_is_offline_when_it_was_not_heard_for_long():
    clock, router = VirtualClock(), Router()
    watch = device_of(clock, router)
    clock.sleep(100)
    assert watch.look() == ""
    clock.sleep(58)
    router.heard = 59.0
    assert watch.look() == ""
    assert watch.age_s == 59.0
    clock.sleep(2)
    router.heard = 61.0
    assert watch.look() == "lamp was not heard for 61 s"


def test_a_device_without_power_is_silent_for_a_good_reason():
    clock, router, off = VirtualClock(), Router(), [True]
    watch = device_of(clock, router, lambda: off[0])
    clock.sleep(500)
    router.heard = 500.0
    assert watch.look() == ""
    off[0] = False  # it boots now
    clock.sleep(50)
    router.heard = 550.0
    assert watch.look() == ""
    clock.sleep(20)
    router.heard = 570.0
    assert watch.look() == "lamp was not heard for 70 s"


def test_a_device_that_no_router_ever_heard_is_not_suspected():
    clock = VirtualClock()
    watch = device_of(clock, Router(None))
    clock.sleep(1000)
    assert watch.look() == ""


def test_a_device_that_is_forgotten_was_not_heard():
    clock, router = VirtualClock(), Router()
    watch = device_of(clock, router)
    clock.sleep(10)
    assert watch.look() == ""
    clock.sleep(100)
    router.heard = None
    assert watch.look() == "lamp was not heard for 101 s"


def sample(at_s, offset_s, error_s=0.001):
    return ClockSample(
        at_ns=round(at_s * 1e9),
        offset_ns=round(offset_s * 1e9),
        error_ns=round(error_s * 1e9),
    )


def test_a_clock_that_drifts_is_good_and_one_that_jumps_is_bad_for_a_while():
    watch = ClockWatch(0.05)
    for k in range(10):
        watch.note(sample(20 * k, -49 + 20 * k * 200e-6))
        assert watch.look() == ""
    watch.note(sample(200, -46))
    assert watch.look() == "the clock offset jumped by 2.964 s"
    watch.note(sample(220, -46))
    assert watch.look()
    watch.note(sample(240, -46))
    assert watch.look() == ""


def test_a_clock_that_becomes_vague_is_bad_and_one_that_always_was_is_not():
    watch = ClockWatch(0.05)
    watch.note(sample(0, 1, 0.2))
    assert watch.look() == ""
    watch.note(sample(20, 1, 0.01))
    watch.note(sample(40, 1, 0.2))
    assert watch.look() == "the clock offset is known to 0.200 s only"


def test_another_capture_may_have_another_offset():
    watch = ClockWatch(0.05)
    watch.note(sample(0, 1))
    watch.forget()
    watch.note(sample(20, 100))
    assert watch.look() == ""


def test_what_is_slow_delays_only_the_looks_of_its_own_group(lab):
    phone = lab.watch()
    router = lab.watch(condition="router")
    device = lab.watch(condition="device", target="lamp")
    device.through = ROUTER
    disk = lab.watch(condition="disk")
    lab.pauses.tend("router")
    assert (len(phone.looks), len(disk.looks)) == (0, 0)
    assert (len(router.looks), len(device.looks)) == (1, 1)
    lab.pauses.tend("others")
    assert (len(phone.looks), len(disk.looks)) == (0, 1)
    lab.pauses.tend("phone")
    assert len(phone.looks) == 1
