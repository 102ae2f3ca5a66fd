from dataclasses import replace

import numpy as np
import pytest

from testbed.errors import LabError
from testbed.model.events import ClockMeasured
from testbed.runner.recording.clockwork import fit

T0 = 1_795_000_000 * 10**9
S = 10**9


class Router:
    """A router clock that is wrong by `offset_s` and drifts."""

    def __init__(self, offset_s=49.0, drift_ppm=20.0):
        self.offset_s = offset_s
        self.drift_ppm = drift_ppm

    def at(self, stamp_ns):
        drift_ns = (stamp_ns - T0) * self.drift_ppm * 1e-6
        return stamp_ns + round(self.offset_s * S) + round(drift_ns)

    def samples(self, every_s=20.0, length_s=300.0, seed=1):
        """Measure as over SSH: the way there and back is not of equal length."""
        draw = np.random.default_rng(seed)
        found = []
        for at_s in np.arange(0.0, length_s, every_s):
            at_ns = T0 + round(at_s * S)
            trip_ns = round(draw.gamma(2.0, 600_000.0)) + 400_000
            skew_ns = round(draw.uniform(-0.5, 0.5) * trip_ns)
            found.append(
                ClockMeasured(
                    session="s",
                    at_ns=at_ns,
                    offset_ns=self.at(at_ns) - at_ns + skew_ns,
                    error_ns=trip_ns // 2,
                )
            )
        return found


@pytest.mark.parametrize(
    ("offset_s", "drift_ppm"),
    [(49.0, 20.0), (-49.0, 200.0), (10_800.0, -200.0), (0.0, 0.0)],
)
def test_stamps_map_within_their_uncertainty_whatever_the_router_shows(
    offset_s, drift_ppm
):
    router = Router(offset_s, drift_ppm)
    clock = fit(router.samples())
    errors_ns, covered = [], []
    for at_ns in np.random.default_rng(2).integers(T0, T0 + 290 * S, 500):
        mapped = clock.to_capture(int(at_ns))
        error_ns = abs(mapped.capture_ns - router.at(int(at_ns)))
        errors_ns.append(error_ns)
        covered.append(error_ns <= mapped.uncertainty_ns)
    assert np.percentile(errors_ns, 95) <= 2_000_000
    assert np.mean(covered) >= 0.99


def test_one_measurement_says_nothing_of_the_rate():
    router = Router(drift_ppm=200.0)
    clock = fit(router.samples(length_s=1.0))
    near, far = clock.to_capture(T0), clock.to_capture(T0 + 1000 * S)
    assert far.uncertainty_ns - near.uncertainty_ns == 500_000_000
    assert abs(far.capture_ns - router.at(T0 + 1000 * S)) <= far.uncertainty_ns


def test_beyond_the_last_measurement_the_drift_goes_on():
    router = Router(drift_ppm=200.0)
    clock = fit(router.samples(length_s=120.0))
    later_ns = T0 + 160 * S
    error_ns = abs(clock.to_capture(later_ns).capture_ns - router.at(later_ns))
    assert error_ns < 3_000_000


def test_a_measurement_with_a_very_long_trip_says_little_and_spoils_nothing():
    router = Router()
    samples = router.samples()
    at_ns = samples[5].at_ns
    samples[5] = replace(
        samples[5],
        offset_ns=samples[5].offset_ns + 700_000_000,
        error_ns=900_000_000,
    )
    mapped = fit(samples).to_capture(at_ns)
    assert abs(mapped.capture_ns - router.at(at_ns)) < 3_000_000
    assert mapped.uncertainty_ns < 4_000_000


def beacons(router, way_ns):
    sent = [T0 + n * 10 * S for n in range(20)]
    return [(s, router.at(s + way_ns)) for s in sent]


def test_beacons_that_agree_cost_nothing():
    router = Router()
    clock = fit(router.samples(), beacons(router, 300_000))
    assert clock.extra_ns < 1_000_000


def test_beacons_that_arrive_before_they_left_widen_the_uncertainty():
    router = Router()
    clock = fit(router.samples(), beacons(router, -200_000_000))
    assert clock.to_capture(T0).uncertainty_ns > 190_000_000


def test_a_beacon_that_took_very_long_widens_the_uncertainty():
    router = Router()
    clock = fit(router.samples(), beacons(router, 500_000_000))
    assert clock.to_capture(T0).uncertainty_ns > 400_000_000


def test_without_a_measurement_nothing_is_mapped():
    with pytest.raises(LabError, match="was never measured"):
        fit([])


class Stepped(Router):
    """A router whose clock jumps `after_s` seconds from the start."""

    def __init__(self, jump_s, after_s=150.0, back_s=None, **how):
        super().__init__(**how)
        self.jump_ns = round(jump_s * S)
        self.when_ns = T0 + round(after_s * S)
        self.back_ns = None if back_s is None else T0 + round(back_s * S)

    def at(self, stamp_ns):
        over = self.back_ns is not None and stamp_ns >= self.back_ns
        jumped = stamp_ns >= self.when_ns and not over
        return super().at(stamp_ns) + (self.jump_ns if jumped else 0)


DELTA_NS = 8 * S


def wrong_windows(router, clock, limit_ns=50_000_000):
    """Return instants whose window is claimed to be known and is not."""
    found = []
    for at_ns in range(T0, T0 + 290 * S, S // 4):
        mapped = clock.of_window(at_ns, DELTA_NS)
        if mapped.uncertainty_ns > limit_ns:
            continue
        first = abs(mapped.capture_ns - router.at(at_ns))
        end_ns = mapped.capture_ns + DELTA_NS
        last = abs(end_ns - router.at(at_ns + DELTA_NS))
        if first > mapped.uncertainty_ns or last > mapped.uncertainty_ns + 2_000_000:
            found.append((at_ns - T0) / S)
    return found


@pytest.mark.parametrize("jump_s", [3.0, -3.0, 0.3, -0.3, 0.06, 10_800.0])
@pytest.mark.parametrize("with_beacons", [True, False])
def test_a_step_makes_every_window_near_it_uncertain_and_no_window_wrong(
    jump_s, with_beacons
):
    router = Stepped(jump_s)
    sent = beacons(router, 300_000) if with_beacons else ()
    clock = fit(router.samples(), sent)
    assert len(clock.steps) == 1
    assert clock.steps[0].jump_ns == pytest.approx(jump_s * S, abs=4_000_000)
    assert clock.steps[0].from_ns <= router.when_ns <= clock.steps[0].to_ns
    assert wrong_windows(router, clock) == []
    sure = [
        clock.of_window(T0 + s * S, DELTA_NS).uncertainty_ns < 5_000_000
        for s in (0, 60, 120, 200, 280)
    ]
    assert all(sure)


def test_what_was_sent_after_a_step_back_keeps_windows_before_it_from_being_trusted():
    router = Stepped(-3.0)
    sent = [(t, router.at(t + 300_000)) for t in range(T0, T0 + 290 * S, S)]
    clock = fit(router.samples(), sent)
    # its window ended 1 s before the step; what came later has the same stamps
    at_ns = router.when_ns - DELTA_NS - S
    assert clock.to_capture(at_ns).uncertainty_ns < 5_000_000
    assert clock.of_window(at_ns, DELTA_NS).uncertainty_ns > 2 * S


def test_beacons_tell_more_closely_when_the_clock_was_stepped():
    router = Stepped(3.0, after_s=145.0)
    alone = fit(router.samples()).steps[0]
    seen = fit(router.samples(), beacons(router, 300_000)).steps[0]
    assert alone.to_ns - alone.from_ns == 20 * S
    assert seen.to_ns - seen.from_ns == 10 * S


@pytest.mark.parametrize("jump_s", [3.0, -3.0])
def test_a_step_and_one_back_between_two_measurements_show_in_the_beacons(jump_s):
    router = Stepped(jump_s, after_s=141.0, back_s=159.0)
    sent = [(t, router.at(t + 300_000)) for t in range(T0, T0 + 290 * S, 2 * S)]
    clock = fit(router.samples(), sent)
    mapped = clock.of_window(T0 + 151 * S, DELTA_NS)
    assert mapped.uncertainty_ns > S


def test_a_rate_that_changes_more_than_usual_is_noticed():
    class Slewed(Router):
        def at(self, stamp_ns):
            slewed_ns = min(max(stamp_ns - T0 - 100 * S, 0), 60 * S) * 300e-6
            return super().at(stamp_ns) + round(slewed_ns)

    router = Slewed()
    clock = fit(router.samples())
    assert not clock.steps
    errors = []
    for at_ns in range(T0, T0 + 280 * S, S):
        mapped = clock.to_capture(at_ns)
        errors.append(abs(mapped.capture_ns - router.at(at_ns)) - mapped.uncertainty_ns)
    assert max(errors) <= 0


def test_ten_minutes_without_a_measurement_cost_some_milliseconds():
    router = Router(drift_ppm=200.0)
    samples = [
        s
        for s in router.samples(length_s=1500.0)
        if not T0 + 400 * S < s.at_ns < T0 + 1000 * S
    ]
    clock = fit(samples)
    mapped = clock.to_capture(T0 + 700 * S)
    assert abs(mapped.capture_ns - router.at(T0 + 700 * S)) < mapped.uncertainty_ns
    assert mapped.uncertainty_ns < 12_000_000


def test_a_beacon_bounds_the_offset_where_trips_are_long():
    router = Router()
    samples = [replace(s, error_ns=30_000_000) for s in router.samples()]
    alone = fit(samples).to_capture(T0 + 155 * S)
    seen = fit(samples, beacons(router, 300_000)).to_capture(T0 + 155 * S)
    assert seen.uncertainty_ns < 0.6 * alone.uncertainty_ns
    assert abs(seen.capture_ns - router.at(T0 + 155 * S)) <= seen.uncertainty_ns
