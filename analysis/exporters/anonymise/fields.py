"""Kernels that find where addresses stand in the headers of packets.

b       (m,) uint8
fields  to be filled: place of the address in `b`, and its bytes: 6 MAC, 4 IPv4, 16
        IPv6; (r,) int64 each; and how many there are, (1,) int64
Each helper looks at one packet, of which bytes before `end` were captured.
"""

import numpy as np
from numpy.typing import NDArray

from analysis.pcap.blocks import (
    LINK_ETHERNET,
    LINK_IEEE802_11,
    LINK_RADIOTAP,
    LINK_SLL,
    LINK_SLL2,
)
from analysis.pcap.jit import kernel
from analysis.pcap.words import Uint8, be16, le16, u8

Int64 = NDArray[np.int64]
Fields = tuple[Int64, Int64, Int64]

MOST = 512  # fields of a packet; those of a packet with more stay in the payload's care
_ARP, _IPV4, _IPV6 = 0x0806, 0x0800, 0x86DD
_ICMP, _IGMP, _ICMPV6 = 1, 2, 58
_LATER = 2
_MAX_OPTIONS = 16
_QUERY, _REPORT = 0x11, 0x22  # of IGMP
_MAX_REPORTED = 400  # groups and their sources: all that 6 kB hold
_MAX_SERVERS = 16  # of one option


@kernel
def find_fields(
    b: Uint8,
    first: int,
    packets: tuple[Int64, Int64, NDArray[np.int32], NDArray[np.uint16], Int64],
    above: tuple[Uint8, Int64, Uint8],
    fields: Fields,
) -> int:
    """Find the addresses of packets from row `first` on; return where room ended.

    packets  start, captured bytes, link type, ethertype, place of the network layer
    above    protocol, place of what lies above IP, kind of fragment
    """
    start, captured_b, link, ethertype, network = packets
    protocol, transport, fragment = above
    for i in range(first, start.size):
        if fields[2][0] + MOST > fields[0].size:
            return i
        p, end = start[i], start[i] + captured_b[i]
        _link(b, p, end, link[i], fields)
        at = network[i]
        if ethertype[i] == _ARP:
            _arp(b, at, end, fields)
        elif transport[i] <= at:
            continue
        elif ethertype[i] == _IPV4:
            _note(at + 12, 4, end, fields)
            _note(at + 16, 4, end, fields)
            if protocol[i] == _ICMP and fragment[i] != _LATER:
                _icmp(b, transport[i], end, fields)
            elif protocol[i] == _IGMP and fragment[i] != _LATER:
                _igmp(b, transport[i], min(end, at + be16(b, at + 2)), fields)
        elif ethertype[i] == _IPV6:
            _note(at + 8, 16, end, fields)
            _note(at + 24, 16, end, fields)
            if protocol[i] == _ICMPV6 and fragment[i] != _LATER:
                _icmpv6(b, transport[i], end, fields)
    return start.size


@kernel
def _note(at: int, size: int, end: int, fields: Fields) -> None:
    if at + size <= end:
        n = fields[2][0]
        fields[0][n], fields[1][n] = at, size
        fields[2][0] = n + 1


@kernel
def _link(b: Uint8, p: int, end: int, link: int, fields: Fields) -> None:
    if link == LINK_ETHERNET:
        _note(p, 6, end, fields)
        _note(p + 6, 6, end, fields)
    elif link == LINK_SLL and p + 6 <= end and be16(b, p + 4) == 6:
        _note(p + 6, 6, end, fields)
    elif link == LINK_SLL2 and p + 12 <= end and u8(b, p + 11) == 6:
        _note(p + 12, 6, end, fields)
    elif link == LINK_IEEE802_11:
        _wireless(b, p, end, fields)
    elif link == LINK_RADIOTAP and p + 4 <= end:
        _wireless(b, p + le16(b, p + 2), end, fields)


@kernel
def _wireless(b: Uint8, p: int, end: int, fields: Fields) -> None:
    if p + 10 > end:
        return
    control = le16(b, p)
    kind, sub = (control >> 2) & 3, (control >> 4) & 15
    _note(p + 4, 6, end, fields)
    if kind == 1:
        if 8 <= sub <= 11 or sub >= 14:  # others name the receiver alone
            _note(p + 10, 6, end, fields)
    elif kind != 3:
        _note(p + 10, 6, end, fields)
        _note(p + 16, 6, end, fields)
        if kind == 2 and (control >> 8) & 3 == 3:
            _note(p + 24, 6, end, fields)


@kernel
def _arp(b: Uint8, at: int, end: int, fields: Fields) -> None:
    if at + 8 > end or be16(b, at + 2) != _IPV4 or be16(b, at + 4) != 0x0604:
        return
    _note(at + 8, 6, end, fields)
    _note(at + 14, 4, end, fields)
    _note(at + 18, 6, end, fields)
    _note(at + 24, 4, end, fields)


@kernel
def _icmp(b: Uint8, at: int, end: int, fields: Fields) -> None:
    """Find the addresses of a packet that an error quotes, and of a redirection."""
    if at + 8 > end:
        return
    kind = u8(b, at)
    if kind == 5:
        _note(at + 4, 4, end, fields)
    quoted = at + 8
    if kind in (3, 4, 5, 11, 12) and quoted < end and u8(b, quoted) >> 4 == 4:
        _note(quoted + 12, 4, end, fields)
        _note(quoted + 16, 4, end, fields)


@kernel
def _icmpv6(b: Uint8, at: int, end: int, fields: Fields) -> None:
    if at + 8 > end:
        return
    kind = u8(b, at)
    if 1 <= kind <= 4:
        _note(at + 16, 16, end, fields)
        _note(at + 32, 16, end, fields)
    elif 130 <= kind <= 132:
        _note(at + 8, 16, end, fields)
        if kind == 130 and at + 28 <= end:  # a later version has sources
            last = fields[2][0] + _MAX_REPORTED
            _sources(at + 28, be16(b, at + 26), 16, (end, last), fields)
    elif kind == 143:
        _reported(b, at, end, fields)
    elif 133 <= kind <= 137:
        if kind >= 135:
            _note(at + 8, 16, end, fields)
        if kind == 137:
            _note(at + 24, 16, end, fields)
        head_b = 8 if kind == 133 else 16 if kind == 134 else 24
        _options(b, at + (40 if kind == 137 else head_b), end, fields)


@kernel
def _options(b: Uint8, at: int, end: int, fields: Fields) -> None:
    """Find addresses in options of neighbour discovery."""
    for _ in range(_MAX_OPTIONS):
        if at + 8 > end:
            return
        kind, size = u8(b, at), u8(b, at + 1) * 8
        if size == 0:
            return
        if kind in (1, 2) and size == 8:
            _note(at + 2, 6, end, fields)
        elif kind == 3 and size == 32:
            _note(at + 16, 16, end, fields)
        elif kind == 25:
            for k in range(min((size - 8) // 16, _MAX_SERVERS)):
                _note(at + 8 + 16 * k, 16, end, fields)
        at += size


@kernel
def _reported(b: Uint8, at: int, end: int, fields: Fields) -> None:
    """Find the groups that a report of listeners names, and their sources."""
    groups, last = be16(b, at + 6), fields[2][0] + _MAX_REPORTED
    at += 8
    for _ in range(groups):
        if at + 20 > end or fields[2][0] >= last:
            return
        _note(at + 4, 16, end, fields)
        sources = be16(b, at + 2)
        _sources(at + 20, sources, 16, (end, last), fields)
        at += 20 + 16 * sources + 4 * u8(b, at + 1)


@kernel
def _igmp(b: Uint8, at: int, end: int, fields: Fields) -> None:
    """Find the sources that a query or a report of IGMP names; groups stay."""
    if at + 12 > end:
        return
    kind, last = u8(b, at), fields[2][0] + _MAX_REPORTED
    if kind == _QUERY:
        _sources(at + 12, be16(b, at + 10), 4, (end, last), fields)
    elif kind == _REPORT:
        groups = be16(b, at + 6)
        at += 8
        for _ in range(groups):
            if at + 8 > end:
                return
            sources = be16(b, at + 2)
            _sources(at + 8, sources, 4, (end, last), fields)
            at += 8 + 4 * sources + 4 * u8(b, at + 1)


@kernel
def _sources(at: int, n: int, size: int, ends: tuple[int, int], fields: Fields) -> None:
    """Find n addresses, while they are captured and fields are fewer than the last."""
    end, last = ends
    for k in range(n):
        if at + size * (k + 1) > end or fields[2][0] >= last:
            return
        _note(at + size * k, size, end, fields)
