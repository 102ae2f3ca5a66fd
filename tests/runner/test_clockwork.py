import numpy as np
import pytest

from testbed.errors import LabError
from testbed.model.events import ClockMeasured
from testbed.runner.clockwork import fit

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


def test_one_measurement_is_a_constant_offset_that_gets_worse_with_time():
    router = Router(drift_ppm=0.0)
    clock = fit(router.samples(length_s=1.0))
    near, far = clock.to_capture(T0), clock.to_capture(T0 + 1000 * S)
    assert far.uncertainty_ns - near.uncertainty_ns == 20_000_000
    assert far.capture_ns - near.capture_ns == 1000 * S


def test_beyond_the_last_measurement_the_drift_goes_on():
    router = Router(drift_ppm=200.0)
    clock = fit(router.samples(length_s=120.0))
    later_ns = T0 + 160 * S
    error_ns = abs(clock.to_capture(later_ns).capture_ns - router.at(later_ns))
    assert error_ns < 3_000_000


def test_a_measurement_with_a_very_long_trip_is_left_out():
    router = Router()
    samples = router.samples()
    bad_ns = samples[5].at_ns
    samples[5] = ClockMeasured(
        session="s", at_ns=bad_ns, offset_ns=0, error_ns=900_000_000
    )
    clock = fit(samples)
    assert abs(clock.to_capture(bad_ns).capture_ns - router.at(bad_ns)) < 3_000_000


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
