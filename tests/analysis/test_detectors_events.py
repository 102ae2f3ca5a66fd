"""Events and local hours: zones, clock changes, and input that nobody should give."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.dataset import ActivityLog
from analysis.detectors.events import events_of_answers, events_of_log, make_events
from analysis.detectors.hours import DAY_NS, HOUR_NS, count_hours
from analysis.errors import RequestError

LAMP, CAMERA = ("iview_bulb", "turn_on"), ("arlo_q", "stream_video")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def ns(moment):
    return (moment - EPOCH) // timedelta(microseconds=1) * 1000


def local(zone, *at, fold=0):
    return ns(datetime(*at, tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC))


def test_events_are_in_order_and_the_same_thing_counts_once():
    events = make_events([5, 3, 5, 5], [LAMP, LAMP, LAMP, CAMERA])
    assert events.time_ns.tolist() == [3, 5, 5]
    assert [events.names[i] for i in events.what] == [LAMP, CAMERA, LAMP]


@pytest.mark.parametrize("stamp", [float("nan"), float("inf"), 1.5, 2.0**64])
def test_a_stamp_that_is_no_whole_number_is_refused(stamp):
    with pytest.raises(RequestError, match="event 2 has the stamp"):
        make_events([1.0, stamp], [LAMP, LAMP])


def test_a_stamp_for_each_activity_is_asked_for():
    with pytest.raises(RequestError, match="2 stamps for 1 activities"):
        make_events([1, 2], [LAMP])


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../etc/passwd"])
def test_a_zone_that_nobody_knows_is_refused(zone):
    with pytest.raises(RequestError, match="is not a time zone"):
        make_events([1], [LAMP], zone)


def test_a_clock_that_jumped_by_decades_is_named():
    events = make_events([0, 30 * 365 * DAY_NS], [LAMP, LAMP])
    with pytest.raises(RequestError, match="a clock has jumped"):
        count_hours(events)


def test_only_labelled_rows_with_a_stamp_become_events():
    frame = pl.DataFrame(
        {
            "t_ns": [30, 10, None, 20],
            "device": ["arlo_q"] * 4,
            "activity": ["stream_video"] * 4,
            "outcome": ["confirmed", "unchecked", "confirmed", "no_effect"],
            "user": ["thief"] * 4,
        }
    )
    events = events_of_log(ActivityLog(path=None, frame=frame))
    assert events.time_ns.tolist() == [10, 30]
    assert events.names == (CAMERA,)


def test_answers_of_classify_become_events_unknown_ones_too():
    answers = [
        {"start_ns": 7, "device": "arlo_q", "activity": "unknown", "end_ns": 9},
        {"start_ns": 5, "device": "arlo_q", "activity": "stream_video"},
    ]
    events = events_of_answers(answers)
    assert [events.names[i][1] for i in events.what] == ["stream_video", "unknown"]
    with pytest.raises(RequestError, match="event 1 has no start_ns"):
        events_of_answers([{"device": "arlo_q"}])


@pytest.mark.parametrize("stamp", [float("inf"), 2**63, 10**400])
def test_an_answer_with_a_stamp_that_no_clock_shows_is_refused(stamp):
    answer = {"start_ns": stamp, "device": "arlo_q", "activity": "stream_video"}
    with pytest.raises(RequestError, match=r"event 1 has (no start_ns|the stamp)"):
        events_of_answers([answer])


@pytest.mark.parametrize("gone", ["device", "activity"])
def test_an_answer_that_names_nothing_is_no_event_of_a_thing_called_none(gone):
    answer = {"start_ns": 5, "device": "arlo_q", "activity": "stream_video", gone: None}
    with pytest.raises(RequestError, match="event 1 has no start_ns, device and"):
        events_of_answers([answer])


def test_a_stamp_beyond_signed_numbers_does_not_turn_negative():
    with pytest.raises(RequestError, match="event 1 has the stamp"):
        make_events(np.array([2**63 + 5], dtype=np.uint64), [LAMP])


@pytest.mark.parametrize(
    ("day", "n_hours"), [((2026, 3, 8), 23), ((2026, 11, 1), 25), ((2026, 6, 1), 24)]
)
def test_a_day_of_new_york_has_as_many_hours_as_its_clock_shows(day, n_hours):
    zone = "America/New_York"
    start = local(zone, *day)
    tomorrow = datetime(*day, tzinfo=UTC) + timedelta(days=1)
    end = local(zone, tomorrow.year, tomorrow.month, tomorrow.day)
    hours = count_hours(make_events([start], [LAMP], zone), start, end)
    assert len(hours) == n_hours
    assert np.unique(hours.day).size == 1
    missing = set(range(24)) - set(hours.hour.tolist())
    assert missing == ({2} if n_hours == 23 else set())


def test_the_hour_that_comes_twice_is_two_hours():
    zone = "America/New_York"
    stamps = [local(zone, 2026, 11, 1, 1, 30, fold=fold) for fold in (0, 1)]
    hours = count_hours(make_events(stamps, [LAMP, LAMP], zone))
    assert hours.hour.tolist() == [1, 1]
    assert hours.counts.ravel().tolist() == [1, 1]
    assert hours.local_ns.tolist() == [3 * HOUR_NS // 2] * 2


def test_a_clock_that_changes_by_half_an_hour_makes_a_short_hour():
    zone = "Australia/Lord_Howe"
    start, end = local(zone, 2026, 10, 4), local(zone, 2026, 10, 5)
    hours = count_hours(make_events([start], [LAMP], zone), start, end)
    length = (hours.end_ns - hours.start_ns) / HOUR_NS
    assert length.sum() == 23.5
    assert sorted(set(length.tolist())) == [0.5, 1.0]


@given(
    minutes=st.lists(st.integers(0, 9 * 24 * 60), min_size=1, max_size=40),
    zone=st.sampled_from(["UTC", "America/New_York", "Asia/Kolkata"]),
)
@settings(derandomize=True, deadline=None, max_examples=40)
def test_hours_are_those_that_a_slow_twin_reads_off_the_clock(minutes, zone):
    start = datetime(2026, 10, 28, tzinfo=UTC)
    moments = [start + timedelta(minutes=m) for m in sorted(set(minutes))]
    hours = count_hours(
        make_events([ns(m) for m in moments], [LAMP] * len(moments), zone)
    )
    clock = [m.astimezone(ZoneInfo(zone)) for m in moments]
    assert hours.hour[hours.row].tolist() == [c.hour for c in clock]
    dates = [(c.date() - EPOCH.date()).days for c in clock]
    assert hours.day[hours.row].tolist() == dates
    weekend = [c.weekday() >= 5 for c in clock]
    assert hours.weekend[hours.row].tolist() == weekend
    assert hours.counts.sum() == len(moments)
    assert (np.diff(hours.start_ns) > 0).all()
    assert (hours.start_ns[1:] == hours.end_ns[:-1]).all()


def test_hours_that_are_taken_bring_their_events():
    events = make_events([0, HOUR_NS, 2 * HOUR_NS + 5], [LAMP, CAMERA, LAMP])
    hours = count_hours(events).take(np.array([True, False, True]))
    assert hours.events.time_ns.tolist() == [0, 2 * HOUR_NS + 5]
    assert hours.row.tolist() == [0, 1]
    assert hours.counts.sum(axis=0).tolist() == [0, 2]


def test_a_span_without_events_has_empty_hours_and_no_span_has_none():
    nothing = make_events([], [])
    assert len(count_hours(nothing)) == 0
    assert count_hours(nothing, 0, DAY_NS).counts.shape == (24, 0)
