"""Find identifiers in binary protocols: DNS, NetBIOS, pcapng blocks.

Each function takes the bytes of one message and yields (kind, value); 'name' stands for
a name with or without dots, of which others judge. What cannot be read is passed over.
"""

import ipaddress
import re
import struct
from collections.abc import Iterator

from analysis.exporters.identifiers.keys import kind_of
from analysis.exporters.identifiers.texts import Candidate, candidates, of_field
from analysis.pcap import blocks
from analysis.pcap.dns import (
    AAAA,
    CNAME,
    NS,
    PTR,
    SRV,
    TXT,
    A,
    Record,
    head_of,
    labels_at,
    questions,
    records,
)

_BROWSER = b"\\MAILSLOT\\BROWSE\0"
_NETBIOS_NAME_B = 32
# options of EDNS: the client's subnet, and what dnsmasq and others add of its MAC
_EDNS, _SUBNET, _CLIENTS = 41, 8, (5, 65001, 65073)
_STATUS = b"\0\x21\0\1"  # type and class of such an answer
_ANYBODYS = ("*", "WORKGROUP", "MSBROWSE", "\1\2__MSBROWSE__\2")
# keys of DNS-SD that mean something else elsewhere: of Cast, HomeKit and Thread
_TOLD_BY = {"fn": "person", "bs": "mac", "sh": "token", "nn": "ssid"}
_LONG_HEX = re.compile(r"[0-9A-Fa-f]{12,}")


def dns(payload: bytes) -> Iterator[Candidate]:
    """Yield names and addresses of a DNS, mDNS or LLMNR message."""
    head = head_of(payload)
    if head is None:
        return
    asked, at = questions(payload, head)
    for owner, *_ in asked:
        yield from _name(payload, owner)
    n = head.answers + head.authorities + head.more
    for each in records(payload, at, n):
        yield from _name(payload, each[0])
        yield from _record(payload, each)


def _record(payload: bytes, record: Record) -> Iterator[Candidate]:
    _, kind, _, begin, end = record
    data = payload[begin:end]
    if kind == A and len(data) == 4:
        yield "ipv4", str(ipaddress.IPv4Address(data))
    elif kind == AAAA and len(data) == 16:
        yield "ipv6", str(ipaddress.IPv6Address(data))
    elif kind in (NS, CNAME, PTR):
        yield from _name(payload, begin)
    elif kind == SRV:
        yield from _name(payload, begin + 6)
    elif kind == _EDNS:
        yield from _asking(data)
    elif kind == TXT:
        while data:
            yield from _of_text(data[1 : 1 + data[0]])
            data = data[1 + data[0] :]


def _asking(data: bytes) -> Iterator[Candidate]:
    """Yield for whom a resolver asks: the address of a home, the MAC of a machine."""
    at = 0
    while at + 4 <= len(data):
        code, size = struct.unpack_from(">HH", data, at)
        value = data[at + 4 : at + 4 + size]
        if code == _SUBNET and len(value) in (8, 20):
            yield "own", str(ipaddress.ip_address(value[4:]))
        elif code in _CLIENTS and len(value) == 6:
            yield "mac", value.hex()
        at += 4 + size


def _of_text(text: bytes) -> Iterator[Candidate]:
    """Yield what a pair of DNS-SD tells, whose value goes on to its end."""
    yield from candidates(text)
    key, _, raw = text.decode(errors="replace").partition("=")
    kind = _TOLD_BY.get(key.lower())
    if kind and raw:
        yield kind, raw
    elif kind_of(key):
        yield from of_field(key, raw, alone=True)
    elif _LONG_HEX.fullmatch(raw) and any(c.isdigit() for c in raw):
        yield "token", raw


def _name(payload: bytes, at: int) -> Iterator[Candidate]:
    """Yield a name, its labels apart by NUL, for these may hold dots."""
    labels, _ = labels_at(payload, at)
    if labels:
        yield "name", b"\0".join(labels).decode(errors="replace")


def netbios(payload: bytes) -> Iterator[Candidate]:
    """Yield the computers' names in a message of the NetBIOS name service."""
    at = 12
    while (at := payload.find(b"\x20", at)) >= 0 and at + 33 < len(payload):
        raw = payload[at + 1 : at + 1 + _NETBIOS_NAME_B]
        if all(0x41 <= byte <= 0x50 for byte in raw):
            pairs = zip(raw[::2], raw[1::2], strict=True)
            name = bytes((a - 0x41) << 4 | (b - 0x41) for a, b in pairs)
            text = name[:15].decode(errors="replace").rstrip(" \0")
            if text.isprintable() and text not in _ANYBODYS:
                yield "name", text
        at += 1
    yield from _status(payload)


def _status(payload: bytes) -> Iterator[Candidate]:
    """Yield names and MAC that a machine tells who asks for its status."""
    at = payload.find(_STATUS, 12, 128)
    if at < 0 or not payload[2] & 0x80 or at + 11 > len(payload):
        return
    n, at = payload[at + 10], at + 11
    for k in range(n):
        name = payload[at + 18 * k :][:15].decode(errors="replace").strip(" \0")
        if name and name.isprintable() and name not in _ANYBODYS:
            yield "name", name
    unit = payload[at + 18 * n :][:6]
    if len(unit) == 6 and any(unit):
        yield "mac", unit.hex()


def mailslot(data: bytes) -> Iterator[Candidate]:
    """Yield the machine and the remark that the browser service of SMB announces."""
    at = data.find(_BROWSER)
    announced = data[at + len(_BROWSER) :] if at >= 0 else b""
    if announced[:1] in (b"\x01", b"\x0c", b"\x0f") and len(announced) > 32:
        for kind, raw in (("name", announced[6:22]), ("person", announced[32:96])):
            text = raw.split(b"\0")[0].decode(errors="replace")
            if text.isprintable():
                yield kind, text


def datagram(payload: bytes) -> Iterator[Candidate]:
    """Yield what a datagram of NetBIOS tells."""
    yield from netbios(payload)
    yield from mailslot(payload)


def pcapng_block(block: bytes) -> Iterator[Candidate]:
    """Yield what a block without a packet tells: comments, names of hosts, filters."""
    if len(block) < 12:
        return
    order = "<" if block[8:9] == b"\x4d" or block[:4] != b"\x0a\x0d\x0d\x0a" else ">"
    kind = struct.unpack_from(f"{order}I", block)[0]
    if kind > 0xFFFF and block[:4] != b"\x0a\x0d\x0d\x0a":
        order, kind = ">", struct.unpack_from(">I", block)[0]
    if kind == blocks.NAMES:
        yield from _resolved(block[8:-4], order)
    yield from candidates(block)


def _resolved(body: bytes, order: str) -> Iterator[Candidate]:
    at = 0
    while at + 4 <= len(body):
        kind, size = struct.unpack_from(f"{order}HH", body, at)
        data = body[at + 4 : at + 4 + size]
        head = {1: 4, 2: 16}.get(kind)
        if head is None:
            return
        if len(data) > head:
            name = "ipv4" if head == 4 else "ipv6"
            yield name, str(ipaddress.ip_address(data[:head]))
            for each in data[head:].split(b"\0"):
                if each:
                    yield "name", each.decode(errors="replace")
        at += 4 + size + blocks.padding(size)
