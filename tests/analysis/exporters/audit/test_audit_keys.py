"""Names of fields pass as names of fields, and nowhere else."""

import pytest

from analysis.exporters.audit.judging import Judge
from analysis.exporters.audit.keys import FIXED, KEYS, without_keys


@pytest.mark.parametrize(
    "text",
    [
        '{"bridgeid":"x","swupdate": {"checkforupdate":false},"lastscan":"none"}',
        '{\\"sunriseoffset\\":30}',
        "<ns1:wirelessLeafOnly>0</ns1:wirelessLeafOnly><swGen >1</swGen>",
        "GET /cgi?switch_output=1&aenergy=2",
        "hue-bridgeid: 0",
        "payload_not_available = offline",
        '"type": "Dimmable light", "modelid": "LWB006"',
    ],
)
def test_names_of_fields_tell_nobody(text):
    assert list(Judge().telling(text)) in ([], ["cgi"])


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ('{"name":"bridgeid"}', "bridgeid"),
        ('{"name":"Pointsymbol"}', "Pointsymbol"),
        ("said lastscan to all", "lastscan"),
        ('{"bridgeidx":1}', "bridgeidx"),
        ('{"bridgeid":"Vintrelka"}', "Vintrelka"),
        ("<bridgeid>Vintrelka</bridgeid>", "Vintrelka"),
        ('{"Vintrelka":{"bri":1}}', "Vintrelka"),
        ("Vintrelka: lastscan=1", "Vintrelka"),
        ("Dimmables", "Dimmables"),
    ],
)
def test_what_is_no_name_of_a_field_tells(text, word):
    assert word in list(Judge().telling(text))


def test_addresses_are_left_whole():
    text = "mac=ac:e0:bf:01:02:03 location: fe80::ace0 aid:bv:"
    assert "ac:e0:bf:01:02:03" in without_keys(text)
    assert "fe80::ace0" in without_keys(text)


def test_each_key_is_one_that_can_be_found():
    lost = [key for key in KEYS if without_keys(f"{key}:").strip(" :")]
    assert lost == []
    assert all(word.isalnum() and word == word.lower() for word in FIXED)


@pytest.mark.parametrize("key", ["91c2b44e0cc2e21ed49576ab", "Rsxx8OYqAvOXQ2nMMQwB"])
def test_a_key_is_told_as_a_whole_and_not_in_bits(key):
    assert list(Judge().telling(key)) == [key]


def test_a_name_within_a_number_of_a_unit_is_told_by_itself_too():
    assert "Maja" in list(Judge().telling("Kitchenette77MajaSofia12"))
