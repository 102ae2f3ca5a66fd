from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from testbed.model.acts import draw_acts
from testbed.model.load import load_profiles, load_scenario
from testbed.model.scenario import Scenario
from testbed.model.unroll import unroll
from testbed.model.users import AttackKind

ROOT = Path(__file__).parents[2]
PROFILES = load_profiles(ROOT / "devices")
DAY_S = 86_400
FIRST = 21  # day on which the intruder appears

WAKING = {
    "at": "07:00",
    "spread": "10 min",
    "steps": [
        {"device": "echo_dot", "activity": activity, "channel": "voice"}
        for activity in ("ask_time", "ask_weather", "ask_commute", "play_music")
    ],
}
STREAMS = {
    "device": "arlo_q",
    "activity": "stream_video",
    "channel": "phone",
    "weekday": {"9-12": "1.5", "17-22": "1.5"},
}
NEW = {"device": "arlo_q", "activity": "open_settings", "channel": "phone"}


def home(*others, days=35, seed=3, **resident):
    habits = {"habits": [STREAMS], "routines": [WAKING], **resident}
    users = [{"name": "resident", **habits}, *others]
    made = {"scenario": "home", "days": days, "seed": seed, "users": users}
    return Scenario.model_validate(made)


def intruder(kind, **more):
    actions = {"actions": [NEW]} if kind == "new_action" else {}
    attack = {"kind": kind, "episodes": 4, **actions, **more}
    return {"name": "intruder", "first_day": FIRST, "attack": attack}


def acts_of(scenario, *, malicious):
    return [a for a in draw_acts(scenario) if a.malicious is malicious]


def hour_of(act):
    return int(act.at_s % DAY_S // 3600)


def struck(kind, **more):
    return acts_of(home(intruder(kind, **more)), malicious=True)


def by_episode(acts):
    return [
        [a for a in acts if a.episode == e] for e in sorted({a.episode for a in acts})
    ]


def test_an_attack_leaves_what_the_household_does_as_it_was():
    alone = draw_acts(home())
    for kind in set(AttackKind) - {AttackKind.ORDER_SWAP}:
        benign = acts_of(home(intruder(kind)), malicious=False)
        assert tuple(benign) == alone


@pytest.mark.parametrize("kind", list(AttackKind))
def test_an_intruder_acts_in_his_episodes_and_on_his_days_alone(kind):
    acts = struck(kind)
    assert {a.user for a in acts} == {"intruder"}
    assert all(a.at_s >= FIRST * DAY_S - 3600 for a in acts)
    assert sorted({a.episode for a in acts}) in ([1, 2], [1, 2, 3, 4])
    assert draw_acts(home(intruder(kind))) == draw_acts(home(intruder(kind)))


@pytest.mark.parametrize("kind", list(AttackKind))
def test_only_new_actions_are_new(kind):
    known = {(a.device, a.activity) for a in draw_acts(home())}
    new = [(a.device, a.activity) not in known for a in struck(kind)]
    assert np.mean(new) == (1.0 if kind == "new_action" else 0.0)


def test_off_hours_are_those_in_which_the_household_does_least():
    usual = Counter(hour_of(a) for a in draw_acts(home()))
    assert not any(usual[hour_of(a)] for a in struck("off_hours"))


def test_an_attack_may_be_given_hours_and_a_number_of_acts():
    acts = struck("off_hours", hours="14-15", acts=2, within="1 s")
    assert {hour_of(a) for a in acts} <= {14, 15}
    assert Counter(a.episode for a in acts) == {1: 2, 2: 2, 3: 2, 4: 2}


def test_a_burst_is_one_action_many_times_within_half_an_hour():
    for acts in by_episode(struck("burst")):
        assert len(acts) == 15
        assert len({a.activity for a in acts}) == 1
        assert acts[-1].at_s - acts[0].at_s <= 1800


def test_new_actions_come_at_usual_hours():
    usual = Counter(hour_of(a) for a in draw_acts(home(days=FIRST)))
    near = {h + d for h in usual for d in (0, 1)}  # half an hour later at most
    assert {hour_of(a) for a in struck("new_action", episodes=14)} <= near


def test_nobody_imitates_another_intruder():
    night = {**NEW, "weekday": {"0-5": "9"}}
    other = {"name": "stranger", "malicious": True, "habits": [night]}
    acts = draw_acts(home(other, intruder("mimicry")))
    assert not any(a.activity == "open_settings" for a in acts if a.user == "intruder")


def test_low_and_slow_is_one_act_a_day_for_a_week():
    acts = struck("low_and_slow", episodes=1)
    assert len({int(a.at_s // DAY_S) for a in acts}) == len(acts) == 7


def test_a_mimic_keeps_to_the_hours_of_the_household():
    usual = Counter(hour_of(a) for a in draw_acts(home(days=FIRST)))
    near = {h + d for h in usual for d in (-1, 0, 1)}
    assert {hour_of(a) for a in struck("mimicry")} <= near


def test_a_replay_is_a_run_of_earlier_acts_with_their_gaps():
    before = [a for a in draw_acts(home()) if a.at_s < FIRST * DAY_S]
    whats = [a.activity for a in before]
    for acts in by_episode(struck("replay")):
        own, n = [a.activity for a in acts], len(acts)  # fewer at the scenario's end
        starts = [i for i in range(len(whats)) if whats[i : i + n] == own]
        gaps = np.diff([a.at_s for a in acts])
        same = (np.diff([a.at_s for a in before[i : i + n]]) for i in starts)
        assert 2 <= n <= 6
        assert any(np.allclose(gaps, g, atol=0.01) for g in same)


def test_an_order_swap_is_done_in_the_place_of_the_routine_and_backwards():
    scenario = home(intruder("order_swap"))
    whole = draw_acts(home())
    swapped = draw_acts(scenario)
    assert len(swapped) == len(whole)
    for acts in by_episode([a for a in swapped if a.malicious]):
        meant = [a.activity for a in whole if acts[0].at_s <= a.at_s <= acts[-1].at_s]
        assert [a.activity for a in acts] == meant[::-1]
        day = int(acts[0].at_s // DAY_S)
        done = [a for a in swapped if a.at_s // DAY_S == day and a.device == "echo_dot"]
        assert {a.malicious for a in done} == {True}


def test_sentences_are_injected_by_day():
    acts = struck("voice_injection")
    assert {a.channel for a in acts} == {"voice"}
    assert all(8 <= hour_of(a) < 18 for a in acts)


def test_a_household_that_does_nothing_cannot_be_imitated():
    silent = {**STREAMS, "weekday": {}}
    alone = home(intruder("mimicry"), habits=[silent], routines=[])
    assert draw_acts(alone) == ()


def test_an_attack_may_be_about_one_user_alone():
    other = {"name": "guest", "habits": [{**NEW, "weekday": {"3": "5"}}]}
    acts = acts_of(home(other, intruder("burst", of=["guest"])), malicious=True)
    assert {a.activity for a in acts} == {"open_settings"}


def test_a_routine_is_done_in_order_about_its_time():
    acts = draw_acts(home(habits=[], days=200))
    days = [acts[i : i + 4] for i in range(0, len(acts), 4)]
    wanted = [s["activity"] for s in WAKING["steps"]]
    assert all([a.activity for a in day] == wanted for day in days)
    first = np.array([day[0].at_s % DAY_S for day in days])
    assert len(days) == 200
    assert first.mean() == pytest.approx(7 * 3600, abs=150)
    assert first.std() == pytest.approx(600, rel=0.2)


def test_routines_keep_to_their_days_and_their_chance():
    some = {**WAKING, "chance": "0.5", "days": "weekday"}
    acts = draw_acts(home(habits=[], routines=[some], days=280))
    days = {int(a.at_s // DAY_S) for a in acts}
    assert all(day % 7 < 5 for day in days)
    assert len(days) == pytest.approx(100, abs=20)


def test_a_slip_changes_two_neighbours_and_nothing_else():
    acts = draw_acts(home(habits=[], variation={"slips": "1"}, days=60))
    wanted = [s["activity"] for s in WAKING["steps"]]
    for i in range(0, len(acts), 4):
        wrong = [a.activity != w for a, w in zip(acts[i : i + 4], wanted, strict=True)]
        assert sum(wrong) == 2


def per_day(scenario):
    counts = Counter(int(a.at_s // DAY_S) for a in draw_acts(scenario))
    return np.array([counts[day] for day in range(scenario.days)])


def test_busy_days_and_heavy_tails_spread_the_counts_but_keep_their_mean():
    steady = per_day(home(routines=[], days=700))
    varied = {"variation": {"busy": "0.5", "tails": "0.6"}}
    spread = per_day(home(routines=[], days=700, **varied))
    assert spread.mean() == pytest.approx(steady.mean(), rel=0.1)
    assert spread.var() > 2 * steady.var()


def test_days_shift_and_habits_drift():
    def first_hours(**variation):
        made = home(habits=[], routines=[{**WAKING, "spread": "0 s"}], days=140)
        user = made.users[0].model_copy(update={})
        data = user.model_dump() | {"variation": variation}
        user = type(user).model_validate(data)
        acts = draw_acts(made.model_copy(update={"users": (user,)}))
        return np.array([a.at_s % DAY_S for a in acts[::4]])

    assert np.ptp(first_hours()) == 0
    assert first_hours(shift="30 min").std() == pytest.approx(1800, rel=0.2)
    drifted = first_hours(drift="7 min")
    assert np.diff(drifted) == pytest.approx(60)
    assert first_hours(drift="-7 min")[-1] < 7 * 3600


def test_nothing_is_done_away_and_a_day_at_home_is_like_a_weekend():
    habit = {**STREAMS, "weekday": {"9": "9"}, "weekend": {"15": "9"}}
    some = {"habits": [habit], "routines": [], "away": ["1", "3-5"], "at_home": ["2"]}
    acts = draw_acts(home(days=5, **some))
    hours = {(int(a.at_s // DAY_S), hour_of(a)) for a in acts}
    assert hours == {(0, 9), (2, 15)}


def test_a_habit_and_a_user_have_first_and_last_days():
    habit = {**STREAMS, "first_day": "2", "last_day": "4"}
    acts = draw_acts(home(habits=[habit], routines=[], last_day="3"))
    assert {int(a.at_s // DAY_S) for a in acts} == {2, 3}


def test_a_plan_holds_the_acts_that_make_sense():
    scenario = home(intruder("order_swap"), days=28)
    acts = draw_acts(scenario)
    plan = unroll(scenario, PROFILES)
    assert Counter((t.user, t.activity) for t in plan.trials) == Counter(
        (a.user, a.activity) for a in acts
    )
    assert {t.malicious for t in plan.trials if t.user == "intruder"} == {True}


@pytest.mark.parametrize("name", ["month_camera", "month_voice", "month_intruders"])
def test_the_intruders_of_the_studies_do_what_they_came_for(name):
    scenario = load_scenario(ROOT / "scenarios" / f"{name}.yaml", PROFILES)
    planned = Counter(t.user for t in unroll(scenario, PROFILES).trials)
    drawn = Counter(a.user for a in draw_acts(scenario))
    for user in scenario.users:
        if user.attack is not None:
            assert planned[user.name] >= max(2, 0.6 * drawn[user.name])
