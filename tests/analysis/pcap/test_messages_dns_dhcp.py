import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.pcap import dhcp, dns

NAME = b"\x05maja7\x05local\0"


def message(*counts, body):
    return struct.pack(">6H", 1, 0x8400, *counts) + body


def record(name, kind, data):
    return name + struct.pack(">HHIH", kind, 1, 120, len(data)) + data


def test_a_record_says_where_its_bytes_lie():
    raw = message(
        *(1, 1, 0, 1),
        body=NAME
        + struct.pack(">HH", 1, 1)
        + record(b"\xc0\x0c", dns.A, b"\x0a\0\0\7")
        + record(b"\1x\xc0\x0c", dns.TXT, b"\2ab"),
    )
    asked, at = dns.questions(raw, dns.head_of(raw))
    assert asked == [(12, 1, 0, 29, 29)]
    one, two = dns.records(raw, at, 2)
    assert one[:3] == (29, dns.A, 120)
    assert raw[one[3] : one[4]] == b"\x0a\0\0\7"
    assert dns.labels_at(raw, one[0])[0] == [b"maja7", b"local"]
    assert dns.labels_at(raw, two[0])[0] == [b"x", b"maja7", b"local"]
    assert dns.address_of(one[1], raw[one[3] : one[4]]) == 0xFFFF0A000007
    assert two[4] == len(raw)


@pytest.mark.parametrize(
    "name",
    [
        b"\xc0\x00",  # points at itself
        b"\1a\xc0\x00",  # grows by a label each time round
        b"\1a\xc0",
        b"\x40" + bytes(64),
        b"\5maj",
        b"\x3f" + b"a" * 63 + b"\x3f" + b"b" * 63 + b"\xc0\x00",
        b"",
    ],
)
def test_a_name_without_end_is_none(name):
    assert dns.labels_at(name, 0) == ([], -1)


def test_what_was_read_before_a_message_was_cut_holds():
    whole = message(0, 2, 0, 0, body=2 * record(NAME, dns.A, bytes(4)))
    for size in range(len(whole) - 1, 40, -1):
        assert len(list(dns.records(whole[:size], dns.HEAD_B, 2))) == 1


@given(st.binary(max_size=300), st.integers(0, 300))
def test_bytes_that_are_no_message_end_it(data, at):
    assert dns.labels_at(data, at)[1] <= len(data)
    for raw in (data, message(2, 2, 2, 2, body=data)):
        head = dns.head_of(raw)
        if head is None:
            continue
        asked, behind = dns.questions(raw, head)
        found = [*asked, *dns.records(raw, behind, 99)]
        assert all(begin <= end <= len(raw) for *_, begin, end in found)
    for found in (dhcp.suboptions(data, at), dhcp.options6(data)):
        assert all(begin <= end <= len(data) for _, begin, end in found)


def test_options_may_go_on_in_the_fields_before_them():
    options = b"\x34\1\3" + b"\0\x0c\3Eva" + b"\xff"
    head = bytearray(dhcp.HEAD_B)
    head[slice(*dhcp.SERVER_NAME)] = (b"\x42\4host\xff").ljust(64, b"\0")
    head[slice(*dhcp.FILE)] = (b"\x43\4boot\xff").ljust(128, b"\0")
    raw = bytes(head) + dhcp.MAGIC + options
    found = [(code, raw[begin:end]) for code, begin, end in dhcp.options(raw)]
    assert found == [(52, b"\3"), (12, b"Eva"), (67, b"boot"), (66, b"host")]


def test_options_of_a_relay_begin_later():
    inner = struct.pack(">HH", 1, 2) + b"ab"
    assert list(dhcp.options6(b"\x01abc" + inner)) == [(1, 8, 10)]
    assert list(dhcp.options6(b"\x0c" + bytes(33) + inner)) == [(1, 38, 40)]
