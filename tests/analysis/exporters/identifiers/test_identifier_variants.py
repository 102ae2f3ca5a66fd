import base64
import json
import unicodedata
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.exporters.identifiers import (
    KINDS,
    Identifier,
    Search,
    Variant,
    unique,
    variants,
)

VALUES = {
    "mac": "44:65:0d:7b:20:a3",
    "ipv4": "192.168.178.21",
    "ipv6": "fd00::1a2b:3c4d",
    "uuid": "c0ffee12-9a8b-4c7d-8e6f-5a4b3c2d1e0f",
    "email": "maja@post.example",
}


def spelled(kind, value):
    return {v.encoding: v for v in variants(Identifier(kind=kind, value=value))}


@pytest.mark.parametrize("kind", KINDS)
def test_every_spelling_of_an_identifier_has_a_name_of_its_own(kind):
    value = VALUES.get(kind, "Opas Lampe 7.home")
    found = variants(Identifier(kind=kind, value=value))
    assert len({each.encoding for each in found}) == len(found) > 10


@given(
    st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=0x2FF), min_size=6),
    st.binary(max_size=7),
)
def test_base64_betrays_a_text_wherever_it_stands(value, before):
    packed = base64.b64encode(before + value.encode() + b"tail")
    found = spelled("secret", value)
    names = [f"base64/{k}" for k in range(3)]
    assert any(found[name].pattern in packed for name in names if name in found)


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        ("mac", "44:65:0d:7b:20:a3", b"44650D7B20A3"),
        ("mac", "44:65:0d:7b:20:a3", b"4465.0d7b.20a3"),
        ("mac", "44:65:0d:7b:20:a3", b"44-65-0D-7B-20-A3"),
        ("mac", "44:65:0d:7b:20:a3", b"44%3A65%3A0d%3A7b%3A20%3Aa3"),
        ("mac", "44:65:0d:7b:20:a3", b"\xa3\x20\x7b\x0d\x65\x44"),
        ("mac", "44:65:0d:7b:20:a3", b"fe80::4665:dff:fe7b:20a3"),
        ("mac", "44:65:0d:7b:20:a3", b"Echo-7B20A3."),
        ("ipv4", "10.7.0.21", b"21.0.7.10.in-addr.arpa"),
        ("ipv4", "10.7.0.21", b"\x0221\x010\x017\x0210\x07in-addr"),
        ("ipv4", "10.7.0.21", b"ip-10-7-0-21.lan"),
        ("ipv6", "fd00::9", b"fd00:0000:0000:0000:0000:0000:0000:0009"),
        ("hostname", "NAS-1", b"EOEBFDCNDB"),
        ("person", "Åsa", json.dumps("Åsa").encode()),
        ("person", "Åsa Öberg", "ÅSA ÖBERG".encode()),
        ("person", "åsa öberg", "Åsa Öberg".encode("latin-1")),
        ("person", "Öström", "ÖSTRÖM".encode("utf-16-be")),
        ("hostname", "müller-pc", unicodedata.normalize("NFD", "MÜLLER-PC").encode()),
        ("person", "Эмма Тень", "эмма тень".encode()),
        ("person", "Åsa Öberg", json.dumps("ÅSA ÖBERG").encode()),
        ("person", "Tom & Jo", b"<n>Tom &amp; Jo</n>"),
        ("domain", "a1.lan", b"\x02a1\x03lan\0"),
        ("uuid", VALUES["uuid"], uuid.UUID(VALUES["uuid"]).bytes_le),
    ],
)
def test_a_spelling_is_found(kind, value, text):
    import numpy as np

    search = Search(variants(Identifier(kind=kind, value=value)))
    assert search.find(np.frombuffer(b" " + text + b" ", dtype=np.uint8), judge=False)


def test_the_half_of_an_address_that_may_be_a_time_is_not_searched_for():
    assert not any("half" in name for name in spelled("mac", "44:65:0d:12:30:45"))


def test_short_patterns_are_weak():
    assert Variant(encoding="binary", pattern=b"1234").weak
    assert Variant(encoding="utf-8", pattern=b"lamps1", fold=True).weak
    assert not Variant(encoding="binary", pattern=b"123456").weak


def test_identifiers_are_written_canonically_and_kept_once():
    one = Identifier(kind="mac", value="44-65-0D-7B-20-A3", source="b")
    two = Identifier(kind="mac", value="44650d7b20a3", source="a")
    assert unique([one, two]) == (two,)
    assert Identifier(kind="ipv6", value="FD00:0::1%eth0").value == "fd00::1"


@pytest.mark.parametrize(
    ("kind", "value"), [("mac", "44:65"), ("colour", "red"), ("secret", "")]
)
def test_what_is_no_identifier_is_refused(kind, value):
    with pytest.raises(ValueError):
        Identifier(kind=kind, value=value)
