"""Kernels that find addresses in answers of DNS and in DHCP; see `fields`."""

import numpy as np
from numpy.typing import NDArray

from analysis.pcap.decode import Decoded
from analysis.pcap.jit import kernel
from analysis.pcap.words import Uint8, be16, be32, u8

Int64 = NDArray[np.int64]
Uint16 = NDArray[np.uint16]
Fields = tuple[Int64, Int64, Int64]

MOST = 256  # fields of a message
_TCP, _UDP = 6, 17
_COOKIE = 0x63825363
_MAX_LABELS = 128
_PORTS = (53, 5353, 5355, 67, 68, 123)
_NTP, _NTP_B, _REFERENCE_AT = 123, 48, 12


def may_hold_fields(decoded: Decoded) -> Uint8:
    """Say which packets are looked into, (n,) uint8."""
    found = np.isin(decoded.src_port, _PORTS) | np.isin(decoded.dst_port, _PORTS)
    return found.astype(np.uint8)


@kernel
def find_message_fields(
    b: Uint8,
    packets: tuple[int, Int64, Int64, Uint8, Uint16, Uint16],
    fields: Fields,
) -> int:
    """Find addresses in messages from a row on; return where room ended.

    packets  first row; payload: place, place behind it; protocol, ports
    """
    row, begin, end, protocol, src, dst = packets
    while row < begin.size:
        if fields[2][0] + MOST > fields[0].size:
            return row
        at, low, high = begin[row], min(src[row], dst[row]), max(src[row], dst[row])
        named = low in (53, 5353, 5355) or high in (53, 5353, 5355)
        if protocol[row] == _UDP and named:
            _dns(b, at, end[row], fields)
        elif protocol[row] == _TCP and named and at + 2 < end[row]:
            _dns(b, at + 2, end[row], fields)
        elif protocol[row] == _UDP and low in (67, 68) and high in (67, 68):
            _dhcp(b, at, end[row], fields)
        elif protocol[row] == _UDP and (low == _NTP or high == _NTP):
            _ntp(b, at, end[row], fields)
        row += 1
    return row


@kernel
def _note(at: int, size: int, end: int, fields: Fields) -> None:
    if at + size <= end:
        n = fields[2][0]
        fields[0][n], fields[1][n] = at, size
        fields[2][0] = n + 1


@kernel
def _ntp(b: Uint8, p: int, end: int, fields: Fields) -> None:
    """Find the server that a clock goes by: below the first rank it is an address."""
    if p + _NTP_B > end or not 3 <= u8(b, p) & 7 <= 5:
        return
    if 1 < u8(b, p + 1) < 16 and u8(b, p + _REFERENCE_AT) != 0:
        _note(p + _REFERENCE_AT, 4, end, fields)


@kernel
def _dns(b: Uint8, p: int, end: int, fields: Fields) -> None:
    """Find A and AAAA records."""
    if p + 12 > end:
        return
    at = p + 12
    for _ in range(be16(b, p + 4)):
        at = _behind_name(b, at, end) + 4
        if at > end:
            return
    records = be16(b, p + 6) + be16(b, p + 8) + be16(b, p + 10)
    for _ in range(min(records, MOST)):
        at = _behind_name(b, at, end)
        if at + 10 > end:
            return
        kind, size = be16(b, at), be16(b, at + 8)
        at += 10
        if kind == 1 and size == 4:
            _note(at, 4, end, fields)
        elif kind == 28 and size == 16:
            _note(at, 16, end, fields)
        at += size


@kernel
def _behind_name(b: Uint8, at: int, end: int) -> int:
    """Return what follows a name; behind the end when there is none."""
    for _ in range(_MAX_LABELS):
        if at >= end:
            break
        size = u8(b, at)
        if size == 0:
            return at + 1
        if size >= 0xC0:
            return at + 2
        at += 1 + size
    return end + 1


@kernel
def _dhcp(b: Uint8, p: int, end: int, fields: Fields) -> None:
    """Find the addresses of a DHCP message (RFC 2131) and of its options."""
    if p + 240 > end or be32(b, p + 236) != _COOKIE:
        return
    for k in range(4):
        _note(p + 12 + 4 * k, 4, end, fields)
    if be16(b, p + 1) == 0x0106:  # Ethernet
        _note(p + 28, 6, end, fields)
    at = p + 240
    for _ in range(64):
        if at + 2 > end or u8(b, at) == 255:
            return
        code, size = u8(b, at), u8(b, at + 1)
        if code == 0:
            at += 1
            continue
        # router, servers of names, time and NetBIOS, broadcast, what is asked for
        if code in (3, 5, 6, 28, 42, 44, 50, 54):
            for k in range(min(size // 4, 3)):
                _note(at + 2 + 4 * k, 4, end, fields)
        elif code == 61 and size == 7 and u8(b, at + 2) == 1:
            _note(at + 3, 6, end, fields)
        at += 2 + size
