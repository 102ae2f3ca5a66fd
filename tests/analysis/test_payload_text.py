"""The cipher, what is text, what is masked, and how far texts are apart."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.payload import (
    decode_kasa,
    distances,
    masked,
    plain_text,
)
from analysis.payload.places import places
from tests.analysis.plain_plug import encode_kasa


@given(text=st.text(st.characters(max_codepoint=255), max_size=300))
@settings(derandomize=True, deadline=None)
def test_the_cipher_is_undone_byte_by_byte(text):
    assert decode_kasa(encode_kasa(text, framed=False), framed=False) == text.encode()
    if text:
        both = encode_kasa(text) + encode_kasa(text)
        assert decode_kasa(both, framed=True) == 2 * text.encode()


def test_the_cipher_is_that_of_real_plugs():
    get_sysinfo = bytes.fromhex(
        "d0f281f88bff9af7d5ef94b6d1b4c09fec95e68fe187e8caf08bf68bf6"
    )
    assert decode_kasa(get_sysinfo, framed=False) == b'{"system":{"get_sysinfo":{}}}'


@given(texts=st.lists(st.text("01{}state", max_size=9), min_size=1, max_size=5))
@settings(derandomize=True, deadline=None)
def test_distances_are_those_of_a_slow_twin(texts):
    def edits(a, b):
        line = list(range(len(b) + 1))
        for i, x in enumerate(a, 1):
            before, line[0] = line[0], i
            for j, y in enumerate(b, 1):
                step = min(line[j] + 1, line[j - 1] + 1, before + (x != y))
                before, line[j] = line[j], step
        return line[-1]

    got = distances(texts)
    for i, a in enumerate(texts):
        for j, b in enumerate(texts):
            assert got[i, j] == pytest.approx(edits(a, b) / max(len(a), len(b), 1))


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ('"on_time":56401,"rssi":-55', '"on_time":#,"rssi":#'),
        ('"state":1', '"state":1'),
        ("50:C7:BF:8D:31:19 10.77.0.18:49153", "# #:#"),
        ("uuid:7200445068572d1c9b04", "uuid:#"),
        ("2fac1234-b1f8-4cae-89bd-123456789abc", "#"),
        (
            "<BinaryState>1|1798813025|8</BinaryState>",
            "<BinaryState>1|#|8</BinaryState>",
        ),
        ("facade decade", "facade decade"),
    ],
)
def test_what_differs_from_time_to_time_is_masked(text, want):
    assert masked(text) == want


def test_text_between_binary_fields_is_found_without_their_stray_characters():
    framed = (
        b'\x00\x00U\xaa\x00\x00\x00f{"dps":{"1":true},"t":17940}cA\xfb\x00\x00\xaaU'
    )
    assert plain_text(framed) == '{"dps":{"1":true},"t":17940}'


def test_random_bytes_are_no_text():
    rng = np.random.default_rng(0)
    found = [plain_text(rng.bytes(n)) for n in range(40, 1440)]
    assert not any(found)


@pytest.mark.parametrize(
    ("one", "other", "want"),
    [
        ('"state":1', '"state":0', {"state"}),
        ('"id":4,"on":true', '"id":#,"on":true', {"id"}),
        ('"id":4,"on":true', '"id":4,"on":false', {"on"}),
        ('"id":4,"on":1', '"id":5,"on":0', {"id", "on"}),
        ("GET /a", "PUT /a", {""}),
        ("same", "same", set()),
    ],
)
def test_a_place_is_called_by_the_word_before_it(one, other, want):
    assert places(one, other) == want


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "piece", ["[", "<", '{"a":', "[1,{", "]}<{", "[" * 2000 + "\x7f"]
)
def test_brackets_without_end_do_not_hold_up_what_is_text(piece):
    text = piece * (400_000 // len(piece))
    got = plain_text(b"\0" + text.encode())
    assert len(got) >= 0.5 * len(text)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("piece", ["a-", "1.", "1-", "a", "1", "1aaaaa-aaaaa"])
def test_masks_look_at_the_beginning_of_what_is_long(piece):
    assert len(masked(piece * (400_000 // len(piece)))) <= 2000


def test_of_text_between_binary_fields_brackets_reach_from_the_first_to_the_last():
    assert plain_text(b"\0xx>ab<tag>text</tag>yy") == "<tag>text</tag>"
    assert plain_text(b"\0xx}]>ab<[{yy") == "xx}]>ab<[{yy"
