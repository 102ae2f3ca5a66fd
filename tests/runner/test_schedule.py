"""Schedules: when they are due, and what is decided about each start."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.clock import VirtualClock
from testbed.errors import ConfigError
from testbed.model.events import ScheduleAdded, StartDecided
from testbed.runner.journal.store import Journal, open_store
from testbed.runner.schedules.schedule import SCHEDULES, Book, decide, moved_ns
from testbed.runner.schedules.triggers import (
    Trigger,
    iso_time,
    parse_time,
    trigger_from,
    trigger_of,
)

S = 10**9
DAY = 86_400 * S
NOW = 1_795_000_000 * S  # Wednesday 2026-11-18, 11:06:40 UTC


@pytest.fixture
def clock():
    return VirtualClock(NOW)


@pytest.fixture
def book(tmp_path, clock):
    with open_store(tmp_path / "journal.sqlite", clock) as store:
        yield Book(store)


def added(book, trigger, missed="skip", **options):
    name = book.free_name("demo")
    book.add(
        ScheduleAdded(
            schedule=name,
            scenario="demo",
            lab="bench",
            trigger=trigger.plain(),
            missed=missed,
            options=options,
        )
    )
    return book.schedules[name]


def decided(book, schedule, clock):
    now_ns = clock.now_ns()
    due = schedule.due(now_ns)
    found = decide(schedule, due, now_ns, campaign="demo-1", why="nobody served")
    book.write(*found)
    return [one.decision for one in found]


def test_one_start_is_due_once(book, clock):
    schedule = added(book, Trigger(at_ns=NOW + 60 * S))
    assert schedule.due(NOW) == []
    clock.sleep(70)
    assert schedule.due(clock.now_ns()) == [NOW + 60 * S]
    assert decided(book, schedule, clock) == ["started"]
    assert schedule.due(clock.now_ns() + 9 * DAY) == []
    assert schedule.next_ns() is None


@pytest.mark.parametrize(
    ("missed", "decision"),
    [("skip", "skipped"), ("late", "late"), ("reschedule", "rescheduled")],
)
def test_a_missed_start_is_decided_as_the_schedule_says(book, clock, missed, decision):
    schedule = added(book, Trigger(at_ns=NOW + 60 * S), missed)
    clock.sleep(60 + 3600)
    assert decided(book, schedule, clock) == [decision]
    begun = [b.campaign for b in book.begun("bench")]
    assert begun == (["demo-1"] if missed == "late" else [])


@pytest.mark.parametrize(
    ("missed", "late_s", "said"),
    [
        ("skip", -60, "2026-11-18 11:06 UTC"),
        ("skip", 30, "due now"),
        ("skip", 178, "missed, decided when served"),
        ("late", 178, "due now"),
    ],
)
def test_a_start_whose_time_has_come_is_not_said_to_be_next(book, missed, late_s, said):
    schedule = added(book, Trigger(at_ns=NOW), missed)
    assert schedule.next_start(NOW + late_s * S) == said


@pytest.mark.parametrize(
    ("every_s", "said"), [(21600.0, "6 h"), (5400.0, "90 min"), (10.5, "10.5 s")]
)
def test_a_trigger_is_told_in_units_of_people(every_s, said):
    trigger = Trigger(at_ns=NOW + 702_928_000, every_s=every_s)
    assert trigger.sentence() == f"every {said} from 2026-11-18 11:06 UTC"


def test_a_start_within_its_grace_is_no_missed_one(book, clock):
    schedule = added(book, Trigger(at_ns=NOW + 60 * S), grace="2 h")
    clock.sleep(60 + 3600)
    assert decided(book, schedule, clock) == ["started"]


def test_a_moved_start_is_due_at_the_same_time_of_the_next_day(book, clock):
    schedule = added(book, Trigger(at_ns=NOW + 60 * S), "reschedule")
    clock.sleep(2.5 * 86400)
    decided(book, schedule, clock)
    assert schedule.next_ns() == NOW + 60 * S + 3 * DAY
    clock.sleep(86400)
    assert decided(book, schedule, clock) == ["rescheduled"]
    clock.sleep((schedule.next_ns() - clock.now_ns()) / S)
    assert decided(book, schedule, clock) == ["started"]


@pytest.mark.parametrize(
    "trigger",
    [
        Trigger(cron="30 18 * * *"),
        Trigger(at_ns=NOW, every_s=86400.0),
        Trigger(at_ns=NOW, every_s=6 * 3600.0),
    ],
)
def test_a_moved_start_that_falls_on_the_next_one_is_made_once(book, clock, trigger):
    schedule = added(book, trigger, "reschedule")
    clock.sleep((schedule.next_ns() - NOW) / S + 90 * 60)
    missed_ns = schedule.due(clock.now_ns())[-1]
    assert decided(book, schedule, clock)[-1] == "rescheduled"
    if trigger.every_s == 6 * 3600:
        for _ in range(3):
            clock.sleep((schedule.next_ns() - clock.now_ns()) / S)
            assert decided(book, schedule, clock) == ["started"]
    clock.sleep((missed_ns + DAY + S - clock.now_ns()) / S)
    assert decided(book, schedule, clock) == ["started"]
    clock.sleep(29)
    assert schedule.due(clock.now_ns()) == []
    assert schedule.next_ns() > clock.now_ns() + 3600 * S
    clock.sleep(3 * 3600)  # the campaign took long
    assert schedule.due(clock.now_ns()) == []


def test_a_start_is_moved_to_where_its_decision_says(book, clock, tmp_path):
    schedule = added(book, Trigger(at_ns=NOW), "reschedule")
    clock.sleep(86400 - 0.1)
    (one,) = decide(
        schedule, schedule.due(clock.now_ns()), clock.now_ns(), campaign="c", why="w"
    )
    clock.sleep(0.2)  # it is journalled on the next day
    book.write(one)
    assert iso_time(schedule.next_ns()) in one.detail
    assert schedule.next_ns() == NOW + DAY
    with open_store(tmp_path / "journal.sqlite", clock) as store:
        assert Book(store).schedules["demo-1"].next_ns() == NOW + DAY


def test_a_decision_of_an_older_version_moves_its_start_by_a_day(book, clock):
    schedule = added(book, Trigger(at_ns=NOW), "reschedule")
    clock.sleep(3600)
    book.write(
        StartDecided(schedule="demo-1", due_ns=NOW, decision="rescheduled", campaign="")
    )
    assert schedule.next_ns() == NOW + DAY


def test_of_several_missed_starts_all_are_decided_and_one_is_made(book, clock):
    schedule = added(book, Trigger(at_ns=NOW, every_s=600.0), "late")
    clock.sleep(3600)
    assert decided(book, schedule, clock) == ["skipped"] * 6 + ["started"]
    assert schedule.due(clock.now_ns()) == []
    clock.sleep(600)
    assert len(schedule.due(clock.now_ns())) == 1


def test_very_many_missed_starts_are_decided_together(book, clock):
    schedule = added(book, Trigger(at_ns=NOW, every_s=10.0))
    clock.sleep(100_000)
    found = decided(book, schedule, clock)
    assert len(found) == 52
    assert schedule.due(clock.now_ns()) == []


@pytest.mark.parametrize(
    "trigger",
    [
        Trigger(cron="* * * * *"),
        Trigger(cron="*/7 9-10 * * mon"),
        Trigger(at_ns=NOW, every_s=10.0),
        Trigger(at_ns=NOW),
    ],
)
def test_what_is_due_is_the_end_of_all_that_was(book, clock, trigger):
    schedule = added(book, trigger)
    clock.sleep(9 * 86400)
    every = []
    stamp = trigger.after(schedule.handled_ns)
    while stamp is not None and stamp <= clock.now_ns():
        every.append(stamp)
        stamp = trigger.after(stamp)
    assert schedule.due(clock.now_ns()) == every[-52:]


def test_a_year_of_missed_starts_takes_no_longer_than_a_day_of_them(
    book, clock, monkeypatch
):
    asked = []
    after = Trigger.after

    def counted(self, stamp_ns):
        asked.append(stamp_ns)
        return after(self, stamp_ns)

    monkeypatch.setattr(Trigger, "after", counted)
    schedule = added(book, Trigger(cron="* * * * *"))
    clock.sleep(365 * 86400)
    schedule.due(clock.now_ns())
    assert len(asked) < 200
    n = len(asked)
    for _ in range(30):
        clock.sleep(0.5)
        schedule.due(clock.now_ns())
    assert len(asked) == n, "what is due is remembered until more is"
    clock.sleep(60)
    assert schedule.due(clock.now_ns())[-1] > clock.now_ns() - 60 * S


def test_another_process_folds_the_same_schedules(book, clock, tmp_path):
    schedule = added(book, Trigger(at_ns=NOW, every_s=600.0), "reschedule", seed="4")
    clock.sleep(5000)
    decided(book, schedule, clock)
    with open_store(tmp_path / "journal.sqlite", clock) as store:
        again = Book(store).schedules["demo-1"]
    assert again == schedule
    assert again.options == {"seed": "4"}


def test_schedules_are_no_campaign(book, clock, tmp_path):
    added(book, Trigger(at_ns=NOW))
    with open_store(tmp_path / "journal.sqlite", clock) as store:
        assert store.campaigns() == []
        assert store.latest() is None
        assert Journal(store, SCHEDULES).read()


def test_a_removed_schedule_starts_nothing_and_its_name_is_not_used_again(book):
    added(book, Trigger(at_ns=NOW))
    book.remove("demo-1")
    assert book.active() == []
    assert book.free_name("demo") == "demo-2"
    with pytest.raises(ConfigError, match="'demo-1' is not a schedule; there is none"):
        book.remove("demo-1")


@given(late_s=st.floats(0.001, 10 * 86400))
def test_a_moved_start_lies_ahead_by_at_most_a_day(late_s):
    now_ns = NOW + round(late_s * S)
    to_ns = moved_ns(NOW, now_ns)
    assert (to_ns - NOW) % DAY == 0
    assert now_ns <= to_ns <= now_ns + DAY


@pytest.mark.parametrize(
    ("line", "first"),
    [
        ("30 18 * * *", "2026-11-18T18:30:00+00:00"),
        ("0 9 * * mon-fri", "2026-11-19T09:00:00+00:00"),
        ("0 9 * * 1", "2026-11-23T09:00:00+00:00"),
        ("0 9 * * 0", "2026-11-22T09:00:00+00:00"),
        ("0 9 * * 7", "2026-11-22T09:00:00+00:00"),
        ("0 9 * * 6,0", "2026-11-21T09:00:00+00:00"),
        ("*/20 * * * 3", "2026-11-18T11:20:00+00:00"),
    ],
)
def test_weekdays_of_cron_lines_are_those_of_cron(line, first):
    trigger = trigger_of(None, None, line, NOW)
    assert iso_time(trigger.after(NOW)) == first


@given(
    trigger=st.one_of(
        st.builds(
            Trigger,
            at_ns=st.integers(0, 4 * 10**9).map(lambda s: s * S),
            every_s=st.one_of(st.none(), st.integers(10, 10**6).map(float)),
        ),
        st.just(Trigger(cron="5 4 * * sun")),
    ),
    stamp_s=st.integers(0, 4 * 10**9),
)
def test_starts_lie_in_the_future_and_survive_the_journal(trigger, stamp_s):
    again = trigger_from(trigger.plain())
    assert again == trigger
    due_ns = again.after(stamp_s * S)
    assert due_ns is None or due_ns > stamp_s * S


@pytest.mark.parametrize(
    ("at", "every", "cron", "sentence"),
    [
        (None, None, None, "name when it is to start"),
        ("now", None, "* * * * *", "--cron: stands alone"),
        ("soon", None, None, "--at: must be 'now'"),
        ("25:00", None, None, "--at: must be 'now'"),
        ("2020-01-01T00:00", None, None, "is over"),
        (None, "5 s", None, "--every: must be at least 10 s"),
        (None, "often", None, "--every: must be a duration"),
        (None, None, "daily", "--cron: must be five fields"),
        (None, None, "99 * * * *", "--cron: must be five fields"),
        (None, None, "0 0 31 2 *", "is never due"),
    ],
)
def test_what_is_no_trigger_is_told_in_one_sentence(at, every, cron, sentence):
    with pytest.raises(ConfigError, match=sentence) as told:
        trigger_of(at, every, cron, NOW)
    assert "\n" not in str(told.value)


def test_times_are_utc_unless_they_say_otherwise():
    assert iso_time(parse_time("18:30", NOW)) == "2026-11-18T18:30:00+00:00"
    assert iso_time(parse_time("10:00", NOW)) == "2026-11-19T10:00:00+00:00"
    offset = parse_time("2026-11-18T18:30+02:00", NOW)
    assert iso_time(offset) == "2026-11-18T16:30:00+00:00"
