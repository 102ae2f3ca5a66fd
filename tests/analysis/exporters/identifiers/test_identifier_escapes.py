import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.exporters.identifiers.escapes import NAMES, REACH_B, restored, windows
from analysis.exporters.identifiers.rewriting import rewritten

NAME = b"Opas Lampe"
OTHER = b"Ibis Zunft"


def texts(data, **options):
    return {(w.name, w.text.strip(b"\0")) for w in windows(data, **options)}


@pytest.mark.parametrize(
    ("family", "written", "said"),
    [
        ("percent", b"a=Op%61s%20L%C3%A4mpe", "a=Opas Lämpe"),
        ("percent", b"x%u0041%u00e4", "xAä"),
        ("entities", b"<n>Op&#97;s&#x20;L&auml;&#109pe&", "<n>Opas Lämpe&"),
        ("backslashes", rb'{"\u004f\u{70}\x61\163 \U0001F600 \ud83d\ude00\/"}', None),
        ("quoted-printable", b"L=C3=A4m=\r\npe =\nda", "Lämpe da"),
        ("decimal escapes", rb"Opas\032L\195\164mpe\300", "Opas Lämpe\\300"),
        ("parted hex", b" 4f 70 61:73 ", " Opas "),
        ("parted hex", b"{0x4f, 0x70, 0x61}", "{0xOpa}"),
        ("parted digits", b"Tel. +49 (0) 731/12-34 56", None),
    ],
)
def test_escapes_are_undone_within_their_text(family, written, said):
    said = {
        "backslashes": '{"Opas 😀 😀/"}',
        "parted digits": "+490731123456",
    }.get(family, said)
    found = [text for name, text in texts(written) if name == family]
    assert any(said.encode() in text for text in found)


@pytest.mark.parametrize(
    "text",
    [b"100 %", b"a & b &nosuch; &#;", b"\\ \\u12 \\x", b"a = b", b"12:34", b"1 2 3"],
)
def test_what_is_no_escape_is_none(text):
    assert texts(text) == set()


def test_a_window_reaches_no_farther_than_it_says():
    data = b"x" * 5000 + b"%41" + b"y" * 5000
    (window,) = windows(data)
    reach_b = REACH_B[NAMES.index("percent")]
    assert window.origin[0] == 5000 - reach_b
    assert len(window.text.strip(b"\0")) < 3 * reach_b


def test_escapes_that_were_escaped_count_where_they_are_new():
    (outer,) = windows(b"some%20words%2541 and 100%30")
    inner = texts(outer.text, changed=outer.changed, after=outer.family)
    assert {name for name, _ in inner} == {"percent"}
    assert texts(b"Op%61s", changed=outer.changed[:6] * 0) == set()


@given(st.binary(max_size=600))
def test_any_bytes_can_be_looked_at_and_are_written_back_as_they_were(data):
    for window in windows(data):
        assert len(window.text) == window.origin.size == window.changed.size
        assert list(restored(window, data, window.text)) == []


@given(st.binary(max_size=200), st.binary(min_size=1, max_size=200))
def test_whatever_is_written_has_the_size_of_what_was_there(before, new):
    data = b"Op%61s &#76;&auml; " + before + b"\\u0041=41 %C3%A4"
    for window in windows(data):
        text = (new * len(window.text))[: len(window.text)]
        for at, piece in restored(window, data, text):
            assert piece
            assert at + len(piece) in window.behind


def replaced(data):
    return data.replace(NAME, OTHER)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"q=%4fpas%20L%61mpe", b"q=%49bis%20Z%75nft"),
        (b"&#79;p&#97;s&#x20;Lampe", b"&#73;b&#97;s&#x20;Zunft"),  # no room for an i
        (b"\\u004Fpas \\x4cam\\160e", b"\\u0049bis \\x5aun\\146t"),
        (b"4f:70:61:73:20:4c:61:6d:70:65", b"49:62:69:73:20:5a:75:6e:66:74"),
        (b"k=" + base64.b64encode(b"our " + NAME + b" is on"), None),
        (b"k=" + base64.b32encode(b"our " + NAME + b" is on").lower(), None),
        (b"k=" + (b"our " + NAME + b" is on").hex().upper().encode(), None),
        (b"k=" + base64.encodebytes(b"our " * 15 + NAME + b" is on"), None),
        (b"k=" + base64.b64encode(b"our \xff\xfe %4fpas Lampe is on"), None),
    ],
)
def test_what_is_written_in_layers_is_rewritten_in_the_same_notation(before, after):
    made = rewritten(before, replaced)
    assert len(made) == len(before)
    assert made == rewritten(made, replaced)  # nothing is left to be replaced
    if after:
        assert made == after
    else:
        assert made != before
        assert made[:5] == before[:5]


@given(st.binary(max_size=300))
def test_what_holds_nothing_to_replace_stays(data):
    assert rewritten(data, lambda text: text) == data
