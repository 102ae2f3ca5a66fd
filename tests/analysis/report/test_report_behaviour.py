import json

import pytest

from analysis.dataset import load_activities, load_campaign
from analysis.report.behaviour import Diary, malicious_users, watch_all
from analysis.report.recording import read_about

OWNER = {"name": "owner"}
THIEF = {"name": "thief", "malicious": True}
HABIT = [
    ("owner", day, hour, minute)
    for day in range(5)
    for hour in (8, 19)
    for minute in range(day % 2 + 1)
]
NIGHT = [("thief", day, 3, 10 * i) for day in (2, 3) for i in range(4)]


def diary(folder):
    return Diary(
        campaign=load_campaign(folder),
        about=read_about(folder),
        log=load_activities(folder),
    )


@pytest.fixture
def quiet_week(make):
    return diary(make.diary("quiet", HABIT, [OWNER]))


def test_the_scenario_says_who_is_malicious(make, quiet_week):
    other = diary(make.diary("other", HABIT + NIGHT, [OWNER, THIEF]))
    assert malicious_users([quiet_week, other]) == {"thief"}


def test_without_users_in_a_scenario_those_of_the_first_log_are_benign(make):
    first = diary(make.diary("first", HABIT, None))
    second = diary(make.diary("second", HABIT + NIGHT, None))
    assert malicious_users([first, second]) == {"thief"}


def test_copies_of_training_hours_are_no_test(make, quiet_week):
    other = diary(make.diary("other", HABIT + NIGHT, [OWNER, THIEF]))
    (watch,) = watch_all([quiet_week, other], seed=0)
    assert len(watch.train) == 10
    assert (watch.n_copies, len(watch.fresh)) == (10, 0)
    assert len(watch.malicious) == 2
    assert watch.alarms(watch.malicious).all()


def test_new_benign_hours_are_judged_as_they_are(make, quiet_week):
    new = [("owner", 5, 8, 0), ("owner", 6, 13, 0)]
    other = diary(make.diary("other", new + NIGHT, [OWNER, THIEF]))
    (watch,) = watch_all([quiet_week, other], seed=0)
    assert watch.n_copies == 0
    assert watch.alarms(watch.fresh).tolist() == [False, True]


def test_an_hour_in_which_a_stranger_acts_counts_everybodys_events(make, quiet_week):
    mixed = [("owner", 6, 8, 0), ("thief", 6, 8, 5), ("thief", 6, 8, 9)]
    other = diary(make.diary("other", mixed, [OWNER, THIEF]))
    (watch,) = watch_all([quiet_week, other], seed=0)
    assert watch.malicious.points().tolist() == [[8.0, 3.0]]
    assert not len(watch.fresh)


def test_a_log_alone_learns_from_its_early_days(make):
    log = diary(make.diary("alone", HABIT + NIGHT, [OWNER, THIEF]))
    (watch,) = watch_all([log], seed=0)
    assert watch.train.hour.max() < watch.fresh.hour.min()
    assert len(watch.train) + len(watch.fresh) == 10
    assert watch.alarms(watch.malicious).all()


def test_a_day_out_of_the_ordinary_alarms_when_it_is_left_out(make):
    odd = diary(make.diary("odd", [*HABIT, ("owner", 5, 13, 30)], [OWNER]))
    (watch,) = watch_all([odd], seed=0)
    assert watch.train_alarms[-1]
    assert not watch.alarms(watch.train).any()


def test_one_day_cannot_be_left_out_and_no_alarm_is_claimed(make):
    hours = [("owner", 0, hour, 0) for hour in range(6, 22)]
    only = make.diary("only", hours, [OWNER])
    (watch,) = watch_all([diary(only)], seed=0)
    assert watch.detector is not None
    assert watch.train_alarms.size == 0
    alone = make.diary("first", HABIT, [OWNER])
    (watch,) = watch_all([diary(alone)], seed=0)
    assert watch.train_alarms.size == len(watch.train)


def test_too_few_hours_teach_nothing_and_the_table_says_so(make, write, tmp_path):
    folder = make.diary("short", HABIT[:2], [OWNER])
    page = write([], tmp_path / "out", [folder])
    assert "too few hours to learn from" in page.read_text()


@pytest.mark.parametrize(
    ("events", "users", "said"),
    [
        ([("", *when) for _, *when in HABIT], None, "No user acts in these logs"),
        (NIGHT, [THIEF], "Only thief (malicious) acts in these logs"),
        (HABIT[:2], [OWNER], "No activity happened in 5 hours or more"),
    ],
)
def test_why_there_is_little_to_see_is_told(make, write, tmp_path, events, users, said):
    page = write([], tmp_path / "out", [make.diary("one", events, users)])
    text = page.read_text()
    assert said in text
    assert "0 of 0" not in text


def test_what_takes_long_is_told_step_by_step(make, write, tmp_path):
    folder, told = make.diary("one", HABIT, [OWNER]), []
    write([], tmp_path / "out", [folder], say=told.append)
    steps = [line for line in told if line.startswith("behaviour: one: ")]
    assert len(steps) == 2


def test_the_chapter_says_that_it_is_from_logs_and_counts(make, write, tmp_path):
    one = make.diary("one", HABIT, [OWNER])
    two = make.diary("two", HABIT + NIGHT, [OWNER, THIEF])
    page = write([], tmp_path / "out", [one, two])
    text = page.read_text()
    assert "from logged activities" in text
    assert "10 benign hours of the tested logs are copies" in text
    data = page.parent / "data" / "behaviour"
    (row,) = json.loads((data / "behaviour.json").read_text())
    assert (row["malicious_hours"], row["malicious_noticed"]) == (2, 2)
    points = json.loads((data / "behaviour_cam_stream.json").read_text())
    assert sum(point["kind"] == "malicious" for point in points) == 2


def test_logs_of_two_origins_are_two_chapters(make, write, tmp_path):
    fast = make.diary("fast", HABIT, [OWNER])
    real = make.diary("real", HABIT, [OWNER])
    text = (real / "campaign.yaml").read_text()
    (real / "campaign.yaml").write_text(
        text.replace("simulated: true", "simulated: no")
    )
    page = write([], tmp_path / "out", [fast, real])
    names = {p.name for p in (page.parent / "data").iterdir()}
    assert names == {"behaviour", "behaviour-2"}


def pages_data(write, tmp_path, *folders):
    page = write([], tmp_path / "out", [*folders])
    return page.read_text(), page.parent / "data" / "behaviour"


def test_the_calendar_has_every_hour_with_alarms_and_intruders(make, write, tmp_path):
    one = make.diary("one", HABIT, [OWNER])
    two = make.diary("two", HABIT + NIGHT, [OWNER, THIEF])
    text, data = pages_data(write, tmp_path, one, two)
    assert "Which hours are not the household&#39;s?" in text
    (calendar,) = data.glob("calendar_*.json")
    hours = json.loads(calendar.read_text())
    assert len(hours) == 5 * 24
    malicious = [(h["day"], h["hour"]) for h in hours if h["malicious"]]
    assert malicious == [("2026-01-07", 3), ("2026-01-08", 3)]
    assert all(h["alarm"] for h in hours if h["malicious"])


def test_alarms_are_told_in_words_and_scored_beside_the_paper(make, write, tmp_path):
    one = make.diary("one", HABIT, [OWNER])
    two = make.diary("two", HABIT + NIGHT, [OWNER, THIEF])
    text, data = pages_data(write, tmp_path, one, two)
    reason = "4 times; never more than 2 in an hour"
    alarms = json.loads((data / "behaviour_alarms.json").read_text())
    assert any(alarm["hour"] == "2026-01-07T03:00+00:00" for alarm in alarms)
    assert all(alarm["reason"] in text for alarm in alarms)
    assert any(reason in alarm["reason"] for alarm in alarms)
    scores = json.loads((data / "behaviour_scores.json").read_text())
    assert [s["detector"] for s in scores] == ["kmeans_paper", "ensemble"]
    assert [s["attacks"] for s in scores] == [2, 2]


def test_a_log_of_one_day_has_no_calendar(make, write, tmp_path):
    short = make.diary("short", HABIT[:2], [OWNER])
    _, data = pages_data(write, tmp_path, short)
    assert not list(data.glob("calendar_*"))
