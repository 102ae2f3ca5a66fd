import json
from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest

from analysis.detectors.events import make_events
from analysis.errors import ImportDataError, RequestError
from analysis.evaluate.watched.live import LiveWatch
from analysis.evaluate.watched.spans import (
    in_a_row,
    learn_elsewhere,
    split_days,
    whole_days,
)
from analysis.evaluate.watched.told import alarms_of
from analysis.evaluate.watched.truth import attacks_of, malicious_hours, score_hours
from analysis.evaluate.watched.verdicts import detectors_of, learnt, verdict
from analysis.importers.event_lists import answers_of, read_events

HOUR = 3600 * 10**9
DAY = 24 * HOUR
MONDAY = 1_767_571_200 * 10**9
LAMP, CAMERA = ("lamp", "turn_on"), ("camera", "stream")


def days(n, first=0, *more, seed=1):
    """Mornings and evenings of a lamp, and what is given: (day, hour, name)."""
    rng = np.random.default_rng([seed, first])
    acts = [(first + d, h, LAMP) for d in range(n) for h in (7, 8, 19, 20)]
    stamps, names = [], []
    for day, hour, name in [*acts, *more]:
        stamps.append(MONDAY + day * DAY + hour * HOUR + int(rng.integers(HOUR)))
        names.append(name)
    return make_events(np.array(stamps), names)


def test_whole_days_begin_and_end_at_local_midnight():
    hours = whole_days(days(3))
    assert (len(hours), hours.hour[0], hours.hour[-1]) == (72, 0, 23)


def test_a_day_on_which_the_clock_is_put_back_has_all_its_hours():
    # 7 November 2027, 00:30 in New York; put back at 02:00
    events = make_events(
        np.array([1_825_561_800 * 10**9]), [LAMP], zone="America/New_York"
    )
    hours = whole_days(events)
    assert len(hours) == 25
    assert (hours.hour == 1).sum() == 2


def test_the_first_days_are_learnt_from_and_the_rest_is_scored():
    split = split_days(days(6), 4)
    assert (len(split.learn), len(split.score)) == (4 * 24, 2 * 24)
    assert split.learn.start_ns.max() < split.score.start_ns.min()
    assert len(split_days(days(6)).learn) == 4 * 24


@pytest.mark.parametrize("n_days", [0, 6, 7])
def test_a_split_that_leaves_nothing_is_refused(n_days):
    with pytest.raises(RequestError, match="there are days 0 to 5"):
        split_days(days(6), n_days)


def test_no_event_is_refused_with_a_sentence():
    with pytest.raises(RequestError, match="there is no event"):
        whole_days(make_events([], []))


def test_a_log_to_learn_from_is_put_before_what_is_watched_by_whole_weeks():
    split = learn_elsewhere([days(9, seed=2)], whole_days(days(7)))
    assert split.learn.end_ns[-1] <= split.score.start_ns[0]
    assert (split.score.start_ns[0] - split.learn.start_ns[0]) % (7 * DAY) == 0
    assert split.learn.counts.sum() == 9 * 4


@pytest.mark.parametrize(
    ("first", "local"),
    [
        ("2026-03-30T07:30+02:00", 7),  # after the clock was put forward in Berlin
        ("2026-10-26T07:30+01:00", 7),  # after it was put back
        ("2026-04-05T02:30+02:00", 3),  # a time that 29 March did not have
    ],
)
def test_a_log_is_put_before_another_at_the_same_local_times(first, local):
    zone, first_ns = "Europe/Berlin", int(datetime.fromisoformat(first).timestamp())
    stamps = (first_ns + 86_400 * np.arange(3)) * 10**9
    events = make_events(stamps, [LAMP, CAMERA, LAMP], zone)
    watched = whole_days(make_events(stamps[:1], [LAMP], zone))
    learn = learn_elsewhere([events], watched).learn
    seen = np.flatnonzero(learn.total)
    assert learn.hour[seen[0]] == local
    assert (learn.hour[seen[1:]] == int(first[11:13])).all()
    assert learn.local_ns[0] % HOUR == HOUR // 2
    assert learn.day[0] + 7 == watched.day[0]
    assert learn.end_ns[-1] <= watched.start_ns[0]
    assert [learn.names[i] for i in learn.events.what] == [LAMP, CAMERA, LAMP]


def test_an_earlier_log_stays_where_it_is():
    split = learn_elsewhere([days(5)], whole_days(days(2, 20)))
    assert split.learn.start_ns[0] == MONDAY


def test_days_between_two_logs_are_no_hours():
    hours = in_a_row([days(3), days(2, 30)])
    assert len(hours) == 5 * 24
    assert hours.counts.sum() == 5 * 4


def test_logs_of_the_same_days_are_both_learnt():
    hours = in_a_row([days(3, seed=1), days(3, seed=2)])
    assert (len(hours), hours.counts.sum()) == (6 * 24, 24)


def strange():
    at_night = [(16, 3, LAMP)] * 6
    return split_days(days(17, 0, *at_night), 14)


@pytest.mark.parametrize("name", ["rate", "ensemble"])
def test_an_alarm_names_the_hour_and_what_is_strange_in_words(name):
    split = strange()
    found = verdict(detectors_of([name])[0], split)
    told = [a for a in alarms_of(found, split.learn) if a.hour[11:13] == "03"]
    (alarm,) = told
    assert (alarm.device, alarm.activity) == LAMP
    assert alarm.hour == "2026-01-21T03:00+00:00"
    assert alarm.reason == "6 times; never more than 1 in an hour on 14 days"
    assert alarm.p < 1e-3


def test_an_activity_that_never_happened_is_said_to_be_new():
    split = split_days(days(16, 0, (15, 20, CAMERA)), 14)
    found = verdict(detectors_of(["ensemble"])[0], split)
    (alarm,) = [a for a in alarms_of(found, split.learn) if a.device == "camera"]
    assert alarm.reason == "once; it never happened on 14 days"


def test_a_burst_over_the_full_hour_is_told_with_what_was_before():
    acts = [(d, h, m) for d in range(21) for h in (9, 11, 18) for m in (30, 35)]
    burst = [(15, 10, 45 + k) for k in range(12)]
    stamps = [MONDAY + d * DAY + h * HOUR + m * 60 * 10**9 for d, h, m in acts + burst]
    late = 25 * 60 * 10**9  # on the day of the burst it is at 11:05 and 11:10
    at = MONDAY + 15 * DAY + 11 * HOUR
    stamps = [each - late * (at <= each < at + HOUR) for each in stamps]
    split = split_days(make_events(np.array(stamps), [LAMP] * len(stamps)), 14)
    found = verdict(detectors_of(["rate"])[0], split)
    found = replace(found, alarms=split.score.total > 0)  # whoever raised it
    told = {a.start_ns: a.reason for a in alarms_of(found, split.learn)}
    assert told[at - HOUR].startswith("12 times; never more than")
    assert told[at] == (
        "2 times; 14 activities in the 60 minutes up to 11:10, with those of the hour "
        "before; never more than 2 up to such a time on 14 days"
    )


def test_usual_days_raise_no_alarm_at_a_false_discovery_rate():
    split = split_days(days(17), 14)
    found = verdict(detectors_of(["ensemble"])[0], split, rate=0.1)
    assert not found.alarms.any()


def test_an_unknown_detector_is_refused_with_the_nearest_name():
    with pytest.raises(RequestError, match="ensemble"):
        detectors_of(["ensembel"])


def live(split, rate=None):
    (detector,) = detectors_of(["rate"])
    return LiveWatch(detector, learnt(detector, split.learn, 0), rate)


def one_by_one(watch, events):
    """Return (event, hours) of the alarms that are told at it."""
    told = []
    for at, what in zip(events.time_ns, events.what, strict=True):
        found = watch.take(make_events(np.array([at]), [events.names[what]]))
        if found is not None:
            told.append((int(at), found.hours.start_ns[found.alarms].tolist()))
    return told


@pytest.mark.parametrize("rate", [None, 0.1])
def test_live_an_hour_is_told_once_before_it_is_over(rate):
    split = strange()
    told = one_by_one(live(split, rate), split.score.events)
    night = MONDAY + 16 * DAY + 3 * HOUR
    at_night = [at for at, hours in told if night in hours]
    assert len(at_night) == 1
    assert night < at_night[0] < night + HOUR


def test_live_tells_the_hours_that_the_whole_log_has():
    split = strange()
    told = one_by_one(live(split), split.score.events)
    whole = verdict(detectors_of(["rate"])[0], split)
    hours = {hour for _, hours in told for hour in hours}
    assert set(whole.hours.start_ns[whole.alarms].tolist()) == hours


def test_live_a_first_hour_is_no_discovery_for_being_the_only_one():
    watch = live(strange(), 0.3)
    assert one_by_one(watch, days(3, 20, seed=2)) == []


@pytest.mark.parametrize("rate", [0.0, 1.0, -1.0, 2.0, float("nan")])
def test_live_a_rate_that_cannot_be_is_refused_before_any_event(rate):
    with pytest.raises(RequestError, match="a rate of false discoveries lies in"):
        live(strange(), rate)


def routines(n, *more):
    """Days on which lamp and camera come within seconds of each other."""
    acts = [
        (MONDAY + (day * 24 + hour) * HOUR + late_s * 10**9, name)
        for day in range(n)
        for hour in (7, 19)
        for late_s, name in ((1800, LAMP), (1820, CAMERA))
    ]
    stamps, names = zip(*acts, *more, strict=True)
    return make_events(np.array(stamps), names)


def test_live_the_first_act_of_a_routine_is_not_alone_before_the_second_can_come():
    (context,) = detectors_of(["context"])
    alone = MONDAY + (27 * 24 + 19) * HOUR + 2400 * 10**9
    events = routines(28, (alone, LAMP))
    split = split_days(events, 21)
    watch = LiveWatch(context, learnt(context, split.learn, 0), None)
    assert one_by_one(watch, split.score.events) == []
    found = watch.finish()  # 100 s have passed for the last one, too
    assert found.hours.start_ns[found.alarms].tolist() == [alone - 2400 * 10**9]
    assert watch.finish() is None


def test_live_nothing_is_found_at_the_end_where_there_was_nothing():
    assert live(strange()).finish() is None


def test_live_an_event_that_is_weeks_late_is_left_out_and_counted():
    split = strange()
    watch = live(split)
    one_by_one(watch, split.score.events)
    one_by_one(watch, make_events(np.array([MONDAY]), [LAMP]))
    assert watch.n_late == 1


def test_live_memory_is_of_one_week():
    watch = live(strange())
    one_by_one(watch, days(40))
    assert len(watch._kept) <= 7 * 4 + 1
    assert len(watch._told) <= 8 * 24


def test_acts_far_apart_are_two_attacks_but_for_who_is_slow():
    stamps = [MONDAY, MONDAY + HOUR, MONDAY + 20 * HOUR]
    assert len(attacks_of({"thief": stamps})) == 2
    assert len(attacks_of({"thief": stamps}, whole=["thief"])) == 1
    assert attacks_of({"nobody": []}) == ()


def test_scores_count_hours_attacks_delay_and_false_alarms():
    hours = whole_days(days(7))
    attacks = attacks_of({"a": [MONDAY + HOUR // 2], "b": [MONDAY + 50 * HOUR]})
    alarms = np.zeros(len(hours), dtype=bool)
    alarms[[0, 5]] = True
    scores = alarms.astype(float)
    found = score_hours(hours, scores, alarms, attacks)
    assert (found.malicious, found.noticed, found.false) == (2, 1, 1)
    assert (found.attacks, found.caught, found.delay_h) == (2, 1, 0.5)
    assert found.false_per_week == 1
    assert found.auprc == pytest.approx((0.5 * 1 / 2) + (0.5 * 2 / 168))


def test_without_an_attack_there_is_no_precision():
    hours = whole_days(days(2))
    none = np.zeros(len(hours))
    found = score_hours(hours, none, none.astype(bool), ())
    assert np.isnan(found.auprc)
    assert not malicious_hours(hours, ()).any()


def test_what_classify_prints_is_read_and_other_columns_are_not_looked_at(tmp_path):
    line = {"start_ns": MONDAY, "device": "lamp", "activity": "turn_on", "user": "x"}
    path = tmp_path / "events.jsonl"
    path.write_text(json.dumps(line) + "\n\n" + json.dumps(line) + "\n")
    events = read_events(path)
    assert (len(events), events.names) == (1, (LAMP,))


ODD = ("lamp\u2028upstairs\x85\x0c", "turn_on\x1c")  # what splitlines parts


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_names_may_hold_what_other_programs_end_lines_with(form, tmp_path):
    path = tmp_path / f"events.{form}"
    if form == "csv":
        named = ",".join(f'"{name}"' for name in ("a\r\nb", ODD[1]))
        path.write_text(f"start_ns,device,activity\r\n{MONDAY},{named}\r\n", newline="")
        assert read_events(path).names == (("a\nb", ODD[1].strip()),)
    else:
        line = {"start_ns": MONDAY, "device": ODD[0], "activity": ODD[1]}
        path.write_text(json.dumps(line, ensure_ascii=False) + "\n")
        assert read_events(path).names == (ODD,)


@pytest.mark.parametrize("start", ["start", "start_epoch", "start_ns"])
def test_a_table_may_give_the_start_in_three_ways(start, tmp_path):
    text = {
        "start": "2026-01-05 01:00:00",
        "start_epoch": str(MONDAY // 10**9),
        "start_ns": str(MONDAY),
    }
    path = tmp_path / "events.csv"
    path.write_text(f"{start},device,activity\n{text[start]},lamp,turn_on\n")
    assert read_events(path, "Europe/Berlin").time_ns.tolist() == [MONDAY]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("start,device\n", "has no columns"),
        ("", "has no columns"),
        ("start_ns,device,activity\nsoon,lamp,on\n", "line 2: start_ns: must be whole"),
        (
            "start_ns,device,activity\n1767571200000000000,,on\n",
            "line 2: has an empty device",
        ),
        ("start,device,activity\n2026-03-29 02:30:00,lamp,on\n", "does not exist"),
        ("start,device,activity\n2026-03-28,lamp\n", "line 2"),
    ],
)
def test_a_table_that_is_wrong_is_refused_by_its_line(text, reason, tmp_path):
    path = tmp_path / "events.csv"
    path.write_text(text)
    with pytest.raises(ImportDataError, match=reason):
        read_events(path, "Europe/Berlin")


@pytest.mark.parametrize(
    "line", ["hello", "[]", '{"start_ns": "x"}', '{"device": "a"}', "NaN"]
)
def test_a_line_that_is_no_event_is_refused_by_its_number(line):
    with pytest.raises(ImportDataError, match=r"pipe: line 2: is no JSON object"):
        list(answers_of(["", line], "pipe"))


def test_bytes_that_are_no_text_are_refused(tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ImportDataError, match="is no text"):
        read_events(path)
