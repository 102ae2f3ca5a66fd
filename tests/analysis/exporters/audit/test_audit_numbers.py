"""Numbers that somebody dials are no times; words like known ones are heard."""

import random

import pytest

from analysis.exporters.audit.judging import Judge, is_public_name
from analysis.exporters.audit.vocabulary import WORDS
from analysis.exporters.identifiers import zones
from analysis.exporters.identifiers.zones import dynamic_zone

AT_S = 1_767_607_200  # 5 January 2026


@pytest.mark.parametrize(
    "text",
    [
        '{"notifyTo":"01761234567"}',
        "1751234567",
        "20461234",
        "19840412",
        "0176 1234567",
        "0176/123 45 67",
        "+49 (0) 176 1234567",
        "(0731) 12 34 56",
        "01 23 45 67 89",
        "(731) 555-0123",
        "176 1234567",
    ],
)
def test_a_telephone_number_is_no_time(text):
    assert list(Judge(at_s=AT_S).telling(text)) != []


@pytest.mark.parametrize(
    "text",
    [
        *("1767607300", "1767607300123", "1767607300123456", "20260105", "20250923"),
        *("20260105103000", "00000012", "01 02 03 04 05 06", "05-01-2026"),
        "100 200 300 400",
    ],
)
def test_times_near_the_recording_and_lists_of_small_numbers_tell_nobody(text):
    assert list(Judge(at_s=AT_S).telling(text)) == []


METER = "1|1767611029|83576|83576|83576|1209600|80|50273|70026937|70026937.466667"


def told(text, at_s=AT_S):
    return list(Judge(at_s=at_s).telling(text))


@pytest.mark.parametrize("end", ["", "|8000"])
def test_what_a_plug_measures_is_nobodys_number(end):
    assert told(f"<InsightParams>{METER}{end}</InsightParams>") == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"{METER}|8000|70026938", ["70026937", "70026937", "70026938"]),
        (f"{METER}|8000|Bergstrand", ["70026937", "70026937", "Bergstrand"]),
        (f"5|{METER}|8000", ["70026937", "70026937"]),
        (METER.replace("1767611029", "1731555012"), ["1731555012", *["70026937"] * 2]),
        (METER.replace("83576", "176123456", 1), ["176123456", *["70026937"] * 2]),
        (METER.replace("7.466667", "7.466661"), ["70026937", "70026937"]),
        (f"{METER}|8000@web.de", ["8000@web.de", "70026937", "70026937"]),
        (f"{METER}|49.1761234567", ["49.1761234567", "70026937", "70026937"]),
        (
            "1|1767611029|12|0|0|90|5|7|123|48.137154|11.575382",
            ["48.137154", "11.575382"],
        ),
    ],
)
def test_what_only_looks_like_a_meter_is_somebodys(text, words):
    assert sorted(told(f"<x>{text}</x>")) == sorted(words)


def test_a_meter_is_none_where_nobody_knows_the_time():
    assert told(METER, at_s=0) == ["1767611029", "70026937", "70026937"]


def test_one_letter_in_a_long_row_says_nothing_and_what_is_beside_it_does():
    for row in ("o" * 12, "1" + "J" * 36, "2" * 300 + "3" * 12):
        assert told(row) == []
    assert told("Bergstrand" + "o" * 12 + "Vintrelka") == ["Bergstrand", "Vintrelka"]
    for word in ("o" * 11, "oO" * 20, "lI" * 20):
        assert told(word) == [word]


def test_few_numbers_of_ten_digits_that_begin_like_times_pass():
    draw, judge = random.Random(5), Judge(at_s=AT_S)
    numbers = [f"17{draw.randrange(10**8):08}" for _ in range(2_000)]
    passed = [each for each in numbers if not list(judge.telling(each))]
    assert len(passed) < 300


def test_harvest_and_audit_know_the_same_zones_of_homes():
    for zone in sorted(zones._DYNAMIC):
        assert dynamic_zone(f"keller.{zone}")
        assert not is_public_name(f"keller.{zone}"), zone
    for name in ("a.static.dyndns.org", "a.myfritz.de", "a.b.homelinux.cz"):
        assert dynamic_zone(name)
        assert not is_public_name(name)
    for name in ("checkip.dyndns.org", "api.vendor.com", "update.synology.com"):
        assert not dynamic_zone(name)
        assert is_public_name(name)


@pytest.mark.parametrize("word", ["statekova", "homeberger", "Lightovna", "Roomenthal"])
def test_a_word_that_only_begins_like_a_known_one_is_heard(word):
    assert list(Judge().telling(f"state {word} on")) == [word]
    assert list(Judge().telling(f"state x{word[::-1]} on")) != []


def test_of_words_that_begin_or_end_like_known_ones_nearly_all_are_heard():
    draw, judge = random.Random(6), Judge()
    known = sorted(word for word in WORDS if len(word) >= 4 and word.isalpha())
    syllables = ("kova", "zeldor", "trasqu", "bergo", "wenjo", "golmu")
    for word in draw.sample(known, 200):
        for other in syllables:
            assert list(judge.telling(word + other)) == [word + other]
            assert list(judge.telling(other + word)) == [other + word]
    assert list(judge.telling("SetBinaryState statelevel")) == []
