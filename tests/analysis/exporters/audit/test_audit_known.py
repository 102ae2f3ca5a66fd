"""Fields of headers make any four bytes by chance; addresses between them are none."""

import struct

import pytest

from analysis.exporters.audit.captures import look_at_capture, place_in_capture
from analysis.exporters.audit.looking import BYTE, Looker, View
from analysis.exporters.identifiers import Identifier
from analysis.pcap.blocks import Interface
from analysis.pcap.writer import open_capture

TOLD = (Identifier(kind="ipv4", value="10.181.31.17"),)
RAW = bytes((10, 181, 31, 17))
REVERSED = RAW[::-1]  # UDP, a checksum of 31 and 181, and a source in 10/8
MACS = bytes((0x3C, 0x5A, 0xB4, 0, 1, 1)) * 2
SMALL = bytes(40)
UDP, TCP, ICMP, ICMPV6 = 17, 6, 1, 58


def ipv4(protocol, body, *, total=0, offset=0, ends=bytes((10, 9, 8, 7, 10, 9, 8, 9))):
    head = struct.pack(">BBHHHBB", 0x45, 0, 20 + len(body), 1, offset, 64, protocol)
    return head + struct.pack(">H", total) + ends + body


def ether(packet, kind=0x0800, tag=b""):
    return MACS + tag + struct.pack(">H", kind) + packet


def ipv6(protocol, body, flow=0):
    ends = bytes.fromhex("20010db8000000000000000000000007") * 2
    return struct.pack(">IHBB", 6 << 28 | flow, len(body), protocol, 64) + ends + body


def udp(body, ports=(53, 40000), total=0):
    return struct.pack(">HHHH", *ports, 8 + len(body), total) + body


def tcp(body, options=b"", ack=0):
    size = (20 + len(options)) // 4 << 4
    head = struct.pack(">HHIIBBHHH", 443, 40000, 9, ack, size, 0x10, 64, 0, 0)
    return head + options + body


def icmp(kind, body, rest=bytes(4)):
    return struct.pack(">BBH", kind, 0, 0) + rest + body


SUM = int.from_bytes(REVERSED[1:3])
NUMBER = int.from_bytes(RAW)
QUOTED = ipv4(UDP, udp(SMALL, ports=(9, 9)), total=SUM)
STAMPS = b"\1\1\x08\x0a" + RAW + bytes(4)
TAG = struct.pack(">HH", 0x8100, 7)
CHANCE = {
    "a checksum in plain protocols": ether(ipv4(UDP, udp(SMALL), total=SUM)),
    "a checksum in others": ether(ipv4(UDP, udp(SMALL, ports=(6000, 6001)), total=SUM)),
    "a checksum behind a tag": ether(ipv4(UDP, udp(SMALL), total=SUM), tag=TAG),
    "a checksum of a later fragment": ether(ipv4(UDP, SMALL, total=SUM, offset=99)),
    "a quoted checksum": ether(ipv4(ICMP, icmp(3, QUOTED))),
    "a number of a ping": ether(ipv4(ICMP, icmp(8, SMALL, rest=RAW))),
    "an acknowledgement": ether(ipv4(TCP, tcp(SMALL, ack=NUMBER))),
    "a stamp of TCP": ether(ipv4(TCP, tcp(SMALL, options=STAMPS))),
    "an acknowledgement over IPv6": ether(ipv6(TCP, tcp(SMALL, ack=NUMBER)), 0x86DD),
    "a checksum and what follows": ether(
        ipv4(UDP, udp(RAW[2:] + SMALL, total=int.from_bytes(RAW[:2])))
    ),
    "MACs": MACS[:6] + RAW + MACS[10:] + b"\x08\x00" + ipv4(UDP, udp(SMALL)),
}
TRUE = {
    "a source": ether(ipv4(UDP, udp(SMALL), ends=RAW + bytes((10, 9, 8, 9)))),
    "a source behind a tag": ether(
        ipv4(UDP, udp(SMALL), ends=RAW + bytes((10, 9, 8, 9))), tag=TAG
    ),
    "the beginning of a payload": ether(ipv4(UDP, udp(RAW + SMALL))),
    "a payload reversed": ether(ipv4(UDP, udp(SMALL + REVERSED + SMALL))),
    "a payload of others": ether(ipv4(UDP, udp(RAW + SMALL, ports=(6000, 6001)))),
    "a payload of TCP": ether(ipv4(TCP, tcp(RAW + SMALL))),
    "a quoted destination": ether(
        ipv4(ICMP, icmp(3, ipv4(UDP, udp(b""), ends=bytes((10, 9, 8, 7)) + RAW)))
    ),
    "a redirection": ether(ipv4(ICMP, icmp(5, QUOTED, rest=RAW))),
    "an option of IP": ether(b"\x47" + ipv4(UDP, b"\x07\x07\x08" + RAW + b"\0")[1:]),
    "another address over TCP": ether(
        ipv4(TCP, tcp(SMALL, options=b"\x1e\x08\x30\x01" + RAW))
    ),
    "a payload over IPv6": ether(ipv6(UDP, udp(RAW + SMALL)), 0x86DD),
    "ARP": ether(
        struct.pack(">HHBBH", 1, 0x0800, 6, 4, 1) + MACS[:6] + RAW + bytes(10), 0x0806
    ),
}


@pytest.fixture
def found(tmp_path):
    def _found(frame):
        path = tmp_path / "lan.pcapng"
        with open_capture(path, interfaces=(Interface(link=1),)) as out:
            for k in range(2):
                out.packet(1_767_607_200_000_000_000 + k, frame)
        looker = Looker(TOLD)
        view = View(file=path.name, reader="bytes", place=lambda at: f"{BYTE}{at}")
        with path.open("rb") as file:
            looker.look_at_file(view, file)
        look_at_capture(looker, path.name, path, lambda _size_b: None)
        place_in_capture(looker, path.name, path)
        return looker.findings()

    return _found


@pytest.mark.parametrize("what", CHANCE)
def test_a_field_that_is_no_address_is_none(found, what):
    frame = CHANCE[what]
    assert RAW in frame or REVERSED in frame
    assert found(frame) == ()


@pytest.mark.parametrize("what", TRUE)
def test_an_address_is_one_wherever_a_packet_may_hold_it(found, what):
    assert {each.kind for each in found(TRUE[what])} == {"ipv4"}


@pytest.mark.parametrize("what", CHANCE)
def test_chance_in_a_header_hides_no_address_in_the_payload(found, what):
    frame = bytearray(CHANCE[what])
    frame[-24:-20] = RAW
    assert found(bytes(frame))
