import base64
import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.exporters.identifiers import dechunked, keyed, unkeyed, unpacked

SECRET = b'{"owner": "maja lindqvist", "n": 12345678}'


@pytest.mark.parametrize(
    ("name", "packed"),
    [
        ("base64", base64.b64encode(SECRET)),
        ("base64", base64.encodebytes(SECRET * 4)),
        ("base64", base64.urlsafe_b64encode(b"\xff\xfe\xfd" + SECRET)),
        ("hex", SECRET.hex().encode()),
        ("gzip", gzip.compress(SECRET, mtime=0)),
        ("zlib", zlib.compress(SECRET)),
        ("percent", b"q=" + b"".join(b"%%%02X" % byte for byte in SECRET)),
        ("autokey", keyed(SECRET)),
    ],
)
@pytest.mark.parametrize("before", [b"", b"\x00\x01", b"x" * 4 + b"="])
def test_what_is_packed_is_unpacked(name, packed, before):
    found = [(layer, inner) for _, layer, inner in unpacked(before + packed + b"\xff")]
    assert any(layer == name and SECRET in inner for layer, inner in found)


def test_only_what_begins_in_the_part_is_unpacked():
    data = base64.b64encode(SECRET) + b" " + base64.b64encode(SECRET)
    half = len(data) // 2 + 1
    assert len(list(unpacked(data, first=0, last=half))) == 1
    assert len(list(unpacked(data, first=half))) == 1


def test_a_stream_that_is_cut_is_unpacked_as_far_as_it_goes():
    long = b"".join(b"%d is a line of text\n" % k for k in range(3000))
    packed = gzip.compress(long, mtime=0)
    ((_, _, inner),) = [e for e in unpacked(packed[: len(packed) // 2]) if e[0] == 0]
    assert long.startswith(inner)
    assert len(inner) > 1000


@given(st.binary(max_size=300))
def test_hiding_and_showing_are_each_others_reverse(data):
    assert unkeyed(keyed(data)) == data


def test_chunks_are_put_together_up_to_the_last():
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    text = head + b"5\r\nhello\r\n6;x=1\r\n world\r\n0\r\n\r\nrest"
    assert [body for _, body in dechunked(text)] == [b"hello world"]


@given(st.binary(max_size=2000))
def test_any_bytes_can_be_asked_for_what_is_packed_in_them(data):
    for at, _, _ in unpacked(data):
        assert 0 <= at < len(data)
