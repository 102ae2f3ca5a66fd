"""Find identifiers in messages of DHCP and DHCPv6."""

import ipaddress
import re
from collections.abc import Callable, Iterator

from analysis.exporters.identifiers.hidden import in_bytes
from analysis.exporters.identifiers.naming import is_serial, is_telling
from analysis.exporters.identifiers.texts import Candidate, candidates
from analysis.pcap.dhcp import (
    ETHERNET,
    SERVER_NAME,
    is_dhcp,
    options,
    options6,
    suboptions,
    suboptions6,
)
from analysis.pcap.dns import labels_at

_SHORT_ID = 4
_CLIENT = 61
_NUMBERS = (51, 53, 55, 57, 58, 59)  # times, sizes, lists of codes
# servers of many services, broadcast, what is asked for, controllers
_ADDRESSES = (3, 4, 6, 7, 28, 33, 41, 42, 44, 45, 50, 54, 69, 70, 138, 150)
_ROUTES = (121, 249)
# what programs say of themselves, in option 60
_PROGRAMS = re.compile(
    r"(?i)(?:msft|android|udhcp|dhcpcd|dhcp|pxeclient|etherboot|cisco|linux|docsis|ubnt"
    r"|aastra|polycom|.*\d\.\d).*"
)
_SERIALS = (2, 5)  # of TR-069: of the device, of the gateway
_BROADBAND = b"\x00\x00\x0d\xe9"
_IA_ADDRESS, _IA_PREFIX = 5, 26
_NESTED = {3: 12, 4: 4, 25: 12}  # bytes before the options within


def dhcp(payload: bytes) -> Iterator[Candidate]:
    """Yield addresses, names and ids of a message of DHCP."""
    if not is_dhcp(payload):
        return
    for at in (12, 16, 20, 24):
        yield "ipv4", str(ipaddress.IPv4Address(payload[at : at + 4]))
    if payload[1] == ETHERNET:
        yield "mac", payload[28:34].hex()
    server = _text(payload[slice(*SERVER_NAME)].split(b"\0")[0])
    if server.isprintable():
        yield "name", server
    for code, begin, end in options(payload):
        data = payload[begin:end]
        if code in _ADDRESSES:
            for at in range(0, len(data) - 3, 4):
                yield "ipv4", str(ipaddress.IPv4Address(data[at : at + 4]))
        elif code in _ROUTES:
            yield from _of_routes(data)
        elif code in _READERS:
            yield from _READERS[code](data)
    yield from _elsewhere(payload)


def _of_routes(data: bytes) -> Iterator[Candidate]:
    """Yield the routers of routes, which are of any length (RFC 3442)."""
    at = 0
    while at < len(data) and data[at] <= 32:
        at += 1 + (data[at] + 7) // 8
        if at + 4 <= len(data):
            yield "ipv4", str(ipaddress.IPv4Address(data[at : at + 4]))
        at += 4


def _elsewhere(payload: bytes) -> Iterator[Candidate]:
    """Yield addresses of the network, and MACs of the client's maker, in any option.

    Routes, controllers of access points and what vendors think out hold some.
    """
    told = [payload[at : at + 4] for at in (12, 16, 20, 24)]
    told += [payload[b:e] for code, b, e in options(payload) if code in _ADDRESSES]
    heads = {raw[:3] for raw in told if len(raw) >= 4 and any(raw[:3])}
    heads -= {b"\xff\xff\xff"}
    for code, begin, end in options(payload):
        if code not in _ADDRESSES and code not in _NUMBERS:
            makers = (payload[28:31],) if code != _CLIENT else ()
            yield from in_bytes(payload[begin:end], heads, makers)


def _of_name(data: bytes) -> Iterator[Candidate]:
    yield "machine", _text(data)


def _of_zone(data: bytes) -> Iterator[Candidate]:
    yield "zone", _text(data)


def _of_client(data: bytes) -> Iterator[Candidate]:
    """Yield option 61: a MAC, a DUID, or what the client thought out."""
    if data[:1] == b"\x01" and len(data) == 7:
        yield "mac", data[1:].hex()
    elif data[:1] == b"\xff" and len(data) > 5:
        yield from duid(data[5:])
    elif data:
        text = _text(data) if data[0] else _text(data[1:])
        if text.isascii() and text.isprintable() and len(text) > _SHORT_ID:
            yield "serial", text


def _of_full_name(data: bytes) -> Iterator[Candidate]:
    if len(data) > 3:
        yield from full_name(data[3:], bool(data[0] & 4))


def _of_vendor(data: bytes) -> Iterator[Candidate]:
    """Yield a vendor class that is no program's: people write names there, too."""
    text = _text(data)
    yield from candidates(data)
    if _PROGRAMS.fullmatch(text) or not text.isprintable():
        return
    if len(text) > 5 and any(c.isdigit() for c in text) and is_telling(text):
        yield "serial", text


def _of_users(data: bytes) -> Iterator[Candidate]:
    """Yield user classes, one behind the other, or one that is not counted."""
    at, found = 0, []
    while at < len(data) and 0 < data[at] <= len(data) - at - 1:
        found.append(data[at + 1 : at + 1 + data[at]])
        at += 1 + data[at]
    for raw in found if at == len(data) else [data]:
        if _text(raw).isprintable() and is_telling(_text(raw)):
            yield "name", _text(raw)


def _of_relay(data: bytes) -> Iterator[Candidate]:
    """Yield circuit and remote id, which providers know a home by."""
    for _, begin, end in suboptions(data, 0):
        raw = data[begin:end]
        raw = raw[2:] if raw[:2] == b"\0\6" and len(raw) == 8 else raw
        if len(raw) == 6 and not raw.isascii():
            yield "mac", raw.hex()
        elif len(raw) > _SHORT_ID and _text(raw).isprintable():
            yield "serial", _text(raw)


def _of_search(data: bytes) -> Iterator[Candidate]:
    at = 0
    while at < len(data):
        labels, at = labels_at(data, at)
        if not labels:
            return
        yield "zone", b".".join(labels).decode(errors="replace")


def _of_maker(data: bytes) -> Iterator[Candidate]:
    """Yield the serial number in option 125, as gateways of providers send it."""
    if data[:4] == _BROADBAND:
        for code, begin, end in suboptions(data, 5):
            if code in _SERIALS and is_serial(_text(data[begin:end])):
                yield "serial", _text(data[begin:end])


_READERS: dict[int, Callable[[bytes], Iterator[Candidate]]] = {
    12: _of_name,
    15: _of_zone,
    60: _of_vendor,
    61: _of_client,
    66: _of_name,
    77: _of_users,
    81: _of_full_name,
    82: _of_relay,
    119: _of_search,
    125: _of_maker,
}


def duid(data: bytes) -> Iterator[Candidate]:
    """Yield the MAC of what tells a client of DHCPv6 from others."""
    head = {b"\0\x01": 8, b"\0\x03": 4}.get(data[:2])
    if head and data[2:4] == b"\0\x01" and len(data) == head + 6:
        yield "mac", data[head:].hex()
    elif data[:2] == b"\0\x02" and len(data) > 6:
        text = _text(data[6:])
        if text.isascii() and text.isprintable() and len(text) > _SHORT_ID:
            yield "serial", text  # others are written anew in captures


def full_name(data: bytes, encoded: bool) -> Iterator[Candidate]:
    """Yield a name in the form of DNS, or as text."""
    if not encoded:
        yield "machine", _text(data)
        return
    labels, _ = labels_at(data + b"\0", 0)
    if labels:
        yield "machine", b".".join(labels).decode(errors="replace")


def dhcp6(payload: bytes) -> Iterator[Candidate]:
    """Yield addresses, networks and names of a message of DHCPv6."""
    for code, begin, end in options6(payload):
        if code == 9:  # what a relay hands on
            yield from dhcp6(payload[begin:end])
        else:
            yield from _option6(code, payload[begin:end])


def _option6(code: int, data: bytes) -> Iterator[Candidate]:
    if code in (1, 2):
        yield from duid(data)
    elif code in _NESTED:
        for inner, begin, end in suboptions6(data, _NESTED[code], len(data)):
            yield from _leased(inner, data[begin:end])
    elif code == 23:
        for at in range(0, len(data) - 15, 16):
            yield "ipv6", str(ipaddress.IPv6Address(data[at : at + 16]))
    elif code == 24:
        yield from _of_search(data)
    elif code == 39 and data:
        yield from full_name(data[1:], True)


def _leased(code: int, data: bytes) -> Iterator[Candidate]:
    if code == _IA_ADDRESS and len(data) >= 16:
        yield "own", str(ipaddress.IPv6Address(data[:16]))
    elif code == _IA_PREFIX and len(data) >= 25:
        yield "network", f"{ipaddress.IPv6Address(data[9:25])}/{data[8]}"


def _text(raw: bytes) -> str:
    return raw.rstrip(b"\0").decode(errors="replace")
