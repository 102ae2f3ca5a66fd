"""The plan simulator: what it says of a plan before anything is touched."""

from dataclasses import replace
from pathlib import Path

import pytest

from testbed.model.estimate import AFTER_S, BEFORE_S, SETTLE_S, estimate
from testbed.model.load import load_profiles, load_scenario
from testbed.model.unroll import unroll
from testbed.model.wired import Wired

ROOT = Path(__file__).parents[2]
PROFILES = load_profiles(ROOT / "devices")
FED = Wired(fed=frozenset({"omna_180", "samsung_tv"}))


def plan_named(name, **changes):
    scenario = load_scenario(ROOT / "scenarios" / f"{name}.yaml", PROFILES)
    return replace(unroll(scenario, PROFILES, FED), **changes)


@pytest.fixture(scope="module")
def demo():
    return plan_named("demo")


def test_interleaved_it_takes_no_less_than_what_one_instrument_is_held(demo):
    expected = estimate(demo, PROFILES)
    assert max(expected.busy_s.values()) < expected.duration_s
    assert expected.duration_s < 0.35 * expected.sequential_s


def test_without_interleaving_both_durations_are_the_same(demo):
    expected = estimate(replace(demo, interleave=False), PROFILES)
    assert expected.duration_s == expected.sequential_s
    assert expected.sequential_s == estimate(demo, PROFILES).sequential_s


def test_one_device_takes_its_windows_and_rests_however_it_is_ordered(demo):
    own = tuple(t for t in demo.trials if t.device == "koogeek_plug")
    expected = estimate(replace(demo, trials=own), PROFILES)
    least_s = sum(t.delta_s + t.rest_s + SETTLE_S for t in own)
    assert expected.duration_s == pytest.approx(expected.sequential_s)
    around_s = BEFORE_S + AFTER_S + 2 * demo.idle_s
    assert least_s < expected.duration_s - around_s < least_s + 4.0 * len(own)


def test_a_longer_settle_time_makes_it_longer(demo):
    slow = tuple(replace(t, settle_s=10.0) for t in demo.trials)
    longer = estimate(replace(demo, trials=slow), PROFILES)
    assert longer.sequential_s - estimate(demo, PROFILES).sequential_s == (
        pytest.approx(9.8 * len(slow), rel=0.01)
    )


def test_acts_of_users_have_their_times():
    week = plan_named("week_two_users")
    last_s = max(t.not_before_s for t in week.trials)
    assert last_s < estimate(week, PROFILES).duration_s < last_s + 120
