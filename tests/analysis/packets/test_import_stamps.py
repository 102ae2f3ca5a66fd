from zoneinfo import ZoneInfo

import pytest

from analysis.importers.stamps import (
    load_zone,
    parse_duration,
    parse_epoch,
    parse_iso,
    parse_ns,
)

BERLIN = ZoneInfo("Europe/Berlin")
S = 10**9


@pytest.mark.parametrize(
    ("text", "zone", "time_ns", "unit_ns"),
    [
        ("2023-11-14T22:13:20Z", None, 1_700_000_000 * S, S),
        ("2023-11-14 23:13:20.5+01:00", None, 1_700_000_000 * S + S // 2, S // 10),
        ("2023-11-14T23:13:20.123456789", BERLIN, 1_700_000_000 * S + 123_456_789, 1),
        ("2023-11-14T17:13-0500", BERLIN, 1_699_999_980 * S, 60 * S),
        ("2023-07-01T12:00:00", BERLIN, 1_688_205_600 * S, S),
    ],
)
def test_iso_stamps_are_read_to_the_nanosecond(text, zone, time_ns, unit_ns):
    instant = parse_iso(text, zone)
    assert (instant.time_ns, instant.unit_ns) == (time_ns, unit_ns)


@pytest.mark.parametrize(
    ("text", "zone", "message"),
    [
        ("2023-11-14T22:13:20", None, "has no time zone; add an offset"),
        ("yesterday", None, "must be ISO 8601"),
        ("2023-02-30T00:00:00Z", None, "is no date and time"),
        ("2023-10-29T02:30:00", BERLIN, "is ambiguous or does not exist"),
        ("2023-03-26T02:30:00", BERLIN, "is ambiguous or does not exist"),
        ("1969-01-01T00:00:00Z", None, "another unit"),
    ],
)
def test_a_doubtful_stamp_is_refused(text, zone, message):
    with pytest.raises(ValueError, match=message):
        parse_iso(text, zone)


def test_epochs_keep_every_digit():
    instant = parse_epoch("1543285705.811617", None)
    assert (instant.time_ns, instant.unit_ns) == (1543285705811617000, 1000)
    assert parse_epoch("1543285705", None).unit_ns == S
    assert parse_ns("1543285705811617001", None).time_ns == 1543285705811617001


@pytest.mark.parametrize("text", ["1543285705811", "nan", "1e9", "-5", ""])
def test_an_epoch_that_cannot_be_is_refused(text):
    with pytest.raises(ValueError, match=r"seconds since 1970|another unit"):
        parse_epoch(text, None)


def test_durations_have_a_unit():
    assert parse_duration("8 s") == 8 * S
    assert parse_duration("0.25s") == S // 4
    assert parse_duration("2 min") == 120 * S
    for text in ("8", "soon", "0 s", "-1 s"):
        with pytest.raises(ValueError, match="must be a duration"):
            parse_duration(text)


def test_an_unknown_zone_is_refused():
    assert load_zone(None) is None
    with pytest.raises(ValueError, match="no time zone is called 'Mars/Base'"):
        load_zone("Mars/Base")
