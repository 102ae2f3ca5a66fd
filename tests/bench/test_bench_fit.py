"""Which hours of the week of real events are learnt and scored."""

from datetime import datetime
from zoneinfo import ZoneInfo

from analysis.detectors.events import make_events
from analysis.evaluate.watched.spans import split_days
from tests.bench.fit_events import ZONE, first_days, recorded


def events(*times):
    zone = ZoneInfo(ZONE)
    at = [datetime.fromisoformat(text).replace(tzinfo=zone) for text in times]
    stamps = [round(each.timestamp()) * 10**9 for each in at]
    return make_events(stamps, [("lock", "opened")] * len(stamps), ZONE)


def test_hours_that_nobody_recorded_are_neither_learnt_nor_scored():
    split = recorded(split_days(events("2021-03-08T09:35", "2021-03-15T11:30"), 5))
    assert len(split.learn) == 15 + 4 * 24
    assert (split.learn.hour[0], split.learn.total[0]) == (9, 1)
    assert len(split.score) == 24 + 23 + 17
    assert split.score.hour[-1] == 16


def test_first_days_end_at_midnight_not_when_the_first_event_was():
    kept = first_days(
        events("2021-03-08T09:35", "2021-03-11T23:59", "2021-03-12T01:00"), 4
    )
    assert len(kept) == 2
