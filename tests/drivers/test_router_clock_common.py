import numpy as np
import pytest

from testbed.drivers.router_clock import common
from testbed.model.protocols import ClockSample

T0 = 1_795_000_000 * 10**9


def trips(there_ns, back_ns, offset_ns, drift=0.0):
    """Return a sample per trip, one after the other."""
    at_ns, found = T0, []
    for there, back in zip(there_ns, back_ns, strict=True):
        shown_ns = at_ns + there + offset_ns + round((at_ns + there - T0) * drift)
        half_ns = (there + back + 1) // 2
        found.append(
            ClockSample(
                at_ns=at_ns + half_ns,
                offset_ns=shown_ns - (at_ns + half_ns),
                error_ns=half_ns,
            )
        )
        at_ns += there + back + 50_000
    return found


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("drift", [0.0, 200e-6, -200e-6])
def test_the_offset_is_always_in_what_all_trips_have_in_common(seed, drift):
    draw = np.random.default_rng(seed)
    there = (100_000 + draw.exponential(2e6, 60)).astype(int).tolist()
    back = (700_000 + draw.exponential(2e6, 60)).astype(int).tolist()
    samples = trips(there, back, -49 * 10**9, drift)
    found = common(samples)
    true_ns = -49 * 10**9 + round((found.at_ns - T0) * drift)
    assert abs(found.offset_ns - true_ns) <= found.error_ns
    assert found.error_ns <= min(s.error_ns for s in samples)


def test_delays_on_either_way_leave_less_than_the_shortest_trip_does():
    samples = trips([100_000, 900_000], [900_000, 100_000], 0)
    assert common(samples).error_ns < 0.25 * samples[0].error_ns


def test_a_step_in_their_midst_leaves_the_shortest_trip_alone():
    samples = trips([200_000], [200_000], 0) + trips([100_000], [100_000], 10**9)
    assert common(samples) == samples[1]
