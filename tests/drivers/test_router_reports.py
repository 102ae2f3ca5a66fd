import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.drivers.router_reports import (
    Counts,
    explain,
    holds_packet,
    parse_counts,
    parse_index,
    parse_pairs,
)

SHA = "ab" * 32
DUMPCAP = (
    "Capturing on 'br-lan'\nFile: /x/lan_00001.pcapng\nPackets captured: 2424\n"
    "Packets received/dropped on interface 'br-lan': 2424/17574 "
    "(pcap:17574/dumpcap:0/flushed:0/ps_ifdrop:0) (12.1%)\n"
)
TSHARK = (
    "Capturing on 'br-lan'\n"
    " ** (tshark:1) 10:15:30.1 [Main MESSAGE] -- Capture started.\n"
    "tshark: \n88 packets captured\n"
)
TCPDUMP = (
    "tcpdump: listening on lo, link-type EN10MB (Ethernet)\n96 packets captured\n"
    "192 packets received by filter\n7 packets dropped by kernel\n"
    "2 packets dropped by interface\n"
)


@pytest.mark.parametrize(
    ("tool", "log", "received", "dropped"),
    [
        ("dumpcap", DUMPCAP, 2424, 17574),
        ("tshark", TSHARK, 88, 0),
        ("tshark", TSHARK + "14 packets dropped from br-lan\n", 88, 14),
        ("tshark", "1 packet captured\n1 packet dropped from br-lan\n", 1, 1),
        ("tcpdump", TCPDUMP, 96, 9),
    ],
)
def test_what_a_tool_saw_and_lost_is_read_from_its_words(tool, log, received, dropped):
    assert parse_counts(tool, log) == Counts(received=received, dropped=dropped)


@pytest.mark.parametrize("tool", ["tshark", "dumpcap", "tcpdump"])
def test_a_tool_that_was_killed_said_nothing(tool):
    assert parse_counts(tool, "Capturing on 'lo'\n") == Counts(
        received=None, dropped=None
    )


def test_an_index_line_counts_once_it_is_whole():
    whole = f"lan-00001.pcapng 372 {SHA}\n"
    (file,) = parse_index(whole)
    assert (file.name, file.size_b, file.sha256) == ("lan-00001.pcapng", 372, SHA)
    for end in range(len(whole)):
        assert parse_index(whole[:end]) == ()
    other = whole.replace("lan-00001", "lan-00003")
    assert len(parse_index(whole + "lan-00002.pcapng 9 \n" + other)) == 2


def test_the_last_line_of_a_name_counts():
    text = f"a.pcap 1 {SHA}\nb.pcap 2 {SHA}\na.pcap 3 {SHA}\n"
    assert [(f.name, f.size_b) for f in parse_index(text)] == [
        ("a.pcap", 3),
        ("b.pcap", 2),
    ]


def test_pairs_are_what_stands_around_the_first_equals_sign():
    assert parse_pairs("a=1\nnoise\nb=x=y\n") == {"a": "1", "b": "x=y"}


def pcapng(n_packets: int, order: str = "<", options_b: int = 0) -> bytes:
    def block(kind: int, body: bytes) -> bytes:
        size = 12 + len(body)
        return (
            struct.pack(f"{order}II", kind, size)
            + body
            + struct.pack(f"{order}I", size)
        )

    section = block(0x0A0D0D0A, struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1))
    interface = block(1, struct.pack(f"{order}HHI", 1, 0, 0) + b"\0" * options_b)
    packet = block(6, struct.pack(f"{order}IIIII", 0, 0, 0, 4, 4) + b"data")
    return section + interface + packet * n_packets


def pcap(n_packets: int, order: str = "<", magic: int = 0xA1B23C4D) -> bytes:
    head = struct.pack(f"{order}IHHIIII", magic, 2, 4, 0, 0, 262144, 1)
    return head + (struct.pack(f"{order}IIII", 0, 0, 4, 4) + b"data") * n_packets


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("make", [pcapng, pcap])
def test_a_file_holds_a_packet_when_the_first_one_is_whole(make, order):
    one = make(1, order)
    assert holds_packet(one)
    assert holds_packet(make(3, order)[:-5])
    assert not holds_packet(make(0, order))
    assert not any(holds_packet(one[:end]) for end in range(len(one)))


def test_long_options_are_not_taken_for_packets():
    assert not holds_packet(pcapng(0, options_b=600))


@given(st.binary(max_size=200))
def test_any_bytes_are_answered(data):
    assert holds_packet(data) in (True, False)
    assert holds_packet(b"\x0a\x0d\x0d\x0a" + data) in (True, False)
    assert holds_packet(b"\xd4\xc3\xb2\xa1" + data) in (True, False)


@pytest.mark.parametrize(
    ("log", "says"),
    [
        ("dumpcap: You do not have permission to capture on device\n", "setcap"),
        ("tcpdump: br-lan: Operation not permitted\n", "setcap"),
        ("tcpdump: br-x: No such device exists\n", "router.interface"),
        ("tcpdump: can't parse filter expression: syntax error\n", "router.filter"),
        ("Capturing on 'lo'\ntshark: out of paper\n", "gave up: tshark: out of paper"),
        ("", "without a word"),
    ],
)
def test_why_a_tool_gave_up_is_one_clause_with_a_remedy(log, says):
    text = explain(log, "br-lan", "/usr/bin/dumpcap")
    assert says in text
    assert "\n" not in text
