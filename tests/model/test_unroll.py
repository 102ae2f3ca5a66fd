from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.model.estimate import estimate
from testbed.model.habits import doings, rates_per_hour
from testbed.model.load import load_profiles, load_scenario
from testbed.model.scenario import Scenario, Selection
from testbed.model.types import Channel
from testbed.model.unroll import unroll
from testbed.model.users import Habit
from testbed.model.wired import Wired, left_out

ROOT = Path(__file__).parents[2]
PROFILES = load_profiles(ROOT / "devices")
FED = Wired(fed=frozenset({"omna_180", "samsung_tv"}))

scenarios = st.builds(
    Scenario,
    scenario=st.just("any"),
    seed=st.integers(0, 99),
    devices=st.lists(
        st.sampled_from(sorted(PROFILES)), min_size=1, max_size=3, unique=True
    ).map(tuple),
    repeats=st.integers(2, 4),
    sessions=st.integers(1, 2),
    order=st.sampled_from(["fixed", "shuffled", "counterbalanced"]),
)


def demo():
    return load_scenario(ROOT / "scenarios" / "demo.yaml", PROFILES)


@settings(max_examples=40, deadline=None)
@given(scenario=scenarios)
def test_every_trial_finds_the_state_that_it_needs(scenario):
    state = {name: dict(p.initial) for name, p in PROFILES.items()}
    for trial in unroll(scenario, PROFILES, FED).trials:
        own = state[trial.device]
        assert {key: own[key] for key in trial.needs} == trial.needs
        own.update(trial.gives)


@settings(max_examples=40, deadline=None)
@given(scenario=scenarios)
def test_each_cell_of_the_matrix_gets_its_repeats(scenario):
    plan = unroll(scenario, PROFILES, FED)
    cells = estimate(plan, PROFILES).coverage
    assert set(cells.values()) == {scenario.repeats}
    assert [t.trial for t in plan.trials] == sorted(t.trial for t in plan.trials)


@settings(max_examples=20, deadline=None)
@given(scenario=scenarios)
def test_devices_are_left_with_power_as_they_were_found(scenario):
    state = {name: dict(p.initial) for name, p in PROFILES.items()}
    for trial in unroll(scenario, PROFILES, FED).trials:
        state[trial.device].update(trial.gives)
    for name in scenario.devices:
        assert state[name]["power"] == "on"


def test_the_same_seed_gives_the_same_plan_and_another_seed_another():
    scenario = demo()
    other = scenario.model_copy(update={"seed": 8})
    assert unroll(scenario, PROFILES) == unroll(scenario, PROFILES)
    assert unroll(scenario, PROFILES) != unroll(other, PROFILES)


def test_the_power_channel_is_left_out_where_no_plug_feeds_the_device():
    plan = unroll(demo(), PROFILES, Wired(fed=frozenset({"samsung_tv"})))
    powered = {t.device for t in plan.trials if t.channel is Channel.POWER}
    assert powered == {"samsung_tv"}


def test_the_demo_has_nine_devices_and_every_channel():
    plan = unroll(demo(), PROFILES, FED)
    assert {t.device for t in plan.trials} == set(PROFILES)
    assert {t.channel for t in plan.trials} == set(Channel)


def test_overlapping_trials_shorten_the_campaign():
    scenario = demo()
    plan = unroll(scenario, PROFILES, FED)
    one_by_one = unroll(
        scenario.model_copy(update={"interleave": False}), PROFILES, FED
    )
    overlapped = estimate(plan, PROFILES).duration_s
    assert overlapped < 0.5 * estimate(one_by_one, PROFILES).duration_s
    assert overlapped < 240


def test_a_habit_happens_as_often_as_its_rate_says():
    habit = {
        "device": "arlo_q",
        "activity": "take_snapshot",
        "channel": "phone",
        "weekday": {"8-10": "3"},
    }
    week = Scenario.model_validate(
        {
            "scenario": "x",
            "days": 70,
            "users": [{"name": "resident", "habits": [habit]}],
        }
    )
    times = [doing.at_s for doing in doings(week)]
    assert times == sorted(times)
    hours = Counter(int(at_s % 86400 // 3600) for at_s in times)
    assert set(hours) == {8, 9}
    assert len(times) == pytest.approx(3 * 2 * 70, rel=0.1)


def test_the_weekend_has_rates_of_its_own():
    habit = Habit(
        device="arlo_q",
        activity="stream_video",
        channel=Channel.PHONE,
        weekday={"8": 1.0},
        weekend={"10-12": 2.0},
    )
    assert rates_per_hour(habit, 4)[8] == 1.0
    assert rates_per_hour(habit, 5)[8] == 0.0
    assert rates_per_hour(habit, 6)[11] == 2.0


def test_a_week_of_an_intruder_holds_the_week_of_the_resident():
    week = load_scenario(ROOT / "scenarios" / "week_intruder.yaml", PROFILES)
    plan = unroll(week, PROFILES, FED)
    users = Counter(t.user for t in plan.trials)
    assert users["intruder"] > 20
    first = min(t.not_before_s for t in plan.trials if t.user == "intruder")
    assert first >= 4 * 86400
    assert {t.session for t in plan.trials} == set(range(7))


def test_windows_of_one_device_never_overlap_in_a_week():
    week = load_scenario(ROOT / "scenarios" / "week_intruder.yaml", PROFILES)
    last = {}
    for trial in unroll(week, PROFILES, FED).trials:
        assert trial.not_before_s >= last.get(trial.device, 0.0)
        last[trial.device] = trial.not_before_s + trial.delta_s


def test_a_selection_keeps_to_its_activities_channels_and_networks():
    scenario = Scenario(
        scenario="some",
        select=(
            Selection(
                device="arlo_q",
                activities=("take_snapshot",),
                networks=("wan",),
                repeats=3,
            ),
        ),
    )
    plan = unroll(scenario, PROFILES)
    assert [(t.activity, str(t.network)) for t in plan.trials] == [
        ("take_snapshot", "wan")
    ] * 3


def week(users, **more):
    return Scenario.model_validate(
        {"scenario": "week", "seed": 5, "days": 7, "users": users, **more}
    )


def person(name, *devices, **more):
    kinds = {"arlo_q": "take_snapshot", "iview_bulb": "turn_on"}
    habits = [
        {"device": d, "activity": kinds[d], "channel": "phone", "weekday": {"8-20": 1}}
        for d in devices
    ]
    return {"name": name, "habits": habits, **more}


def times_of(scenario, user, device):
    drawn = [d for d in doings(scenario) if d.user.name == user]
    return [d.at_s for d in drawn if d.action.device == device]


def test_one_more_user_or_habit_changes_the_draws_of_no_other():
    alone = week([person("ada", "arlo_q")])
    both = week([person("bob", "arlo_q"), person("ada", "iview_bulb", "arlo_q")])
    assert times_of(alone, "ada", "arlo_q") == times_of(both, "ada", "arlo_q")
    assert times_of(both, "bob", "arlo_q") != times_of(both, "ada", "arlo_q")


def test_one_more_day_changes_nothing_of_those_before():
    short = times_of(week([person("ada", "arlo_q")], days=3), "ada", "arlo_q")
    long = times_of(week([person("ada", "arlo_q")]), "ada", "arlo_q")
    assert long[: len(short)] == short
    assert len(long) > len(short)


def test_a_user_appears_on_his_first_day():
    late = times_of(week([person("eve", "arlo_q", first_day=3)]), "eve", "arlo_q")
    assert 3 * 86400 <= late[0] < 4 * 86400


def test_a_plan_may_begin_at_another_time_of_day():
    whole = times_of(week([person("ada", "arlo_q")]), "ada", "arlo_q")
    scenario = week([person("ada", "arlo_q")], begins="14 h", late="1 min")
    plan = unroll(scenario, PROFILES)
    assert plan.begins_s == 14 * 3600
    assert plan.late_s == 60
    planned = [t.not_before_s + plan.begins_s for t in plan.trials]
    drawn = [at for at in whole if at >= 14 * 3600]
    assert planned == pytest.approx(drawn, rel=0, abs=60)  # a busy device makes later


def test_what_malicious_users_do_is_marked_in_the_plan():
    plan = unroll(
        week([person("ada", "arlo_q"), person("eve", "arlo_q", malicious=True)]),
        PROFILES,
    )
    marked = {(t.user, t.malicious) for t in plan.trials}
    assert marked == {("ada", False), ("eve", True)}


def test_what_no_plug_serves_is_left_out_and_named():
    some = demo().model_copy(
        update={"users": (), "devices": ("omna_180", "wemo_insight"), "select": ()}
    )
    wired = Wired(fed=frozenset(), plugs=frozenset())
    channels = {t.channel for t in unroll(some, PROFILES, wired).trials}
    assert not channels & {Channel.POWER, Channel.API}
    assert left_out(some, PROFILES, wired) == (
        "omna_180 power_on, power_off (power): no plug of lab.yaml feeds it",
        "wemo_insight turn_on, turn_off (api): "
        "no plug of lab.yaml has is_device: wemo_insight",
    )
    both = Wired(fed=frozenset({"omna_180"}), plugs=frozenset({"wemo_insight"}))
    assert left_out(some, PROFILES, both) == ()


def test_a_device_whose_every_activity_is_left_out_has_no_trial():
    only = Selection(device="omna_180", channels=(Channel.POWER,))
    some = demo().model_copy(update={"devices": (), "select": (only,)})
    assert unroll(some, PROFILES, Wired(fed=frozenset())).trials == ()
