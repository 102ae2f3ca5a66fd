"""Kernels that write changes into packets and keep checksums as right as they were.

A checksum is changed by what changed below it (RFC 1624): so a right one stays right, a
wrong one wrong, and it does not matter whether all of the packet was captured.
"""

import numpy as np
from numpy.typing import NDArray

from analysis.pcap.blocks import LINK_IEEE802_11, LINK_RADIOTAP
from analysis.pcap.checksum import ALL_ONES, folded, sum_words
from analysis.pcap.jit import kernel
from analysis.pcap.words import Uint8, be16, le16, le32, u8

Int64 = NDArray[np.int64]
Tables = tuple[Uint8, Uint8, Int64, Int64, Uint8, Uint8]

_IPV4, _IPV6 = 0x0800, 0x86DD
_ICMP, _IGMP, _TCP, _UDP, _ICMPV6 = 1, 2, 6, 17, 58
_LATER = 2


@kernel
def write_changes(
    b: Uint8,
    new: Uint8,
    spans: tuple[Int64, Int64, Int64, Int64],
    changes: tuple[Int64, Int64, Int64, int],
    tables: tuple[Tables, Uint8],
    out: tuple[Uint8, Int64],
) -> None:
    """Write the changes of packets.

    spans    begin and end in `b`, group, and place of the begin, of each packet
    changes  group, place and pattern of each, by group and place; the longest pattern
    tables   as in `scan`, and what each pattern becomes
    out      whether each packet changed, (n,) uint8; how often each pattern was
             written, (k,) int64
    """
    begin, end, group, place = spans
    groups, places, which, longest = changes
    size = tables[0][3]
    changed, counts = out
    for i in range(begin.size):
        if group[i] < 0:
            continue
        last = place[i] + end[i] - begin[i]
        k = _first(groups, places, group[i], place[i] - longest)
        while k < groups.size and groups[k] == group[i] and places[k] < last:
            if places[k] + size[which[k]] > place[i]:
                at = begin[i] + places[k] - place[i]
                if _write(b, new, (begin[i], end[i], at), which[k], tables):
                    changed[i] = 1
                    counts[which[k]] += 1
            k += 1


@kernel
def _first(groups: Int64, places: Int64, group: int, place: int) -> int:
    """Return the first change of a group at a place or behind it."""
    low, high = 0, groups.size
    while low < high:
        middle = (low + high) // 2
        if groups[middle] < group or (
            groups[middle] == group and places[middle] < place
        ):
            low = middle + 1
        else:
            high = middle
    return low


@kernel
def _write(
    b: Uint8,
    new: Uint8,
    where: tuple[int, int, int],
    which: int,
    tables: tuple[Tables, Uint8],
) -> bool:
    """Write what of a pattern lies in a packet, when it is there; say whether it is."""
    pool, fold, first, size, folded_, _edges = tables[0]
    begin, end, at = where
    p, n = first[which], size[which]
    low, high = max(0, begin - at), min(n, end - at)
    for k in range(low, high):
        c = b[at + k]
        if (fold[c] if folded_[which] else c) != pool[p + k]:
            return False
    for k in range(low, high):
        c, made = b[at + k], tables[1][p + k]
        if folded_[which] and fold[c] != c and 97 <= made <= 122:
            made -= 32
        new[at + k] = made
    return True


@kernel
def repair(
    b: Uint8,
    new: Uint8,
    packets: tuple[Int64, Int64, NDArray[np.int32], NDArray[np.uint16], Int64],
    above: tuple[Uint8, Int64, Int64, Uint8],
    changed: Uint8,
) -> None:
    """Bring all checksums up to date.

    packets  start, captured bytes, link type, ethertype, place of the network layer
    above    protocol, place, bytes and kind of fragment
    changed  whether anything above the header of TCP or UDP changed
    """
    start, captured_b, link, ethertype, network = packets
    protocol, transport, size, fragment = above
    for i in range(start.size):
        p, at, end = network[i], transport[i], start[i] + captured_b[i]
        if link[i] == LINK_IEEE802_11 or link[i] == LINK_RADIOTAP:
            head_b = le16(b, start[i] + 2) if link[i] == LINK_RADIOTAP else 0
            _frame_check(b, new, start[i] + head_b, end)
        if at <= p:
            continue
        delta = 0
        if ethertype[i] == _IPV4:
            _update(b, new, p + 10, end, _difference(b, new, p + 12, min(at, end)), 0)
            delta = _difference(b, new, p + 12, p + 20)
        elif ethertype[i] == _IPV6:
            delta = _difference(b, new, p + 8, p + 40)
        if fragment[i] == _LATER:
            continue
        last = min(end, at + size[i])
        _transport(b, new, (at, last, protocol[i]), delta, changed[i])


@kernel
def _transport(
    b: Uint8, new: Uint8, segment: tuple[int, int, int], delta: int, changed: int
) -> None:
    at, end, protocol = segment
    if protocol == _TCP:
        check = at + 16
    elif protocol == _UDP:
        check = at + 6
        if check + 2 <= end and be16(b, check) == 0:
            return  # there is none
    elif protocol in (_ICMP, _ICMPV6):
        check = at + 2
        if protocol == _ICMP:
            delta = 0  # knows nothing of addresses
        _quoted(b, new, at, end, protocol)
        changed = 1
    elif protocol == _IGMP:
        check = at + 2
        delta = 0
        changed = 1
    else:
        return
    if check + 2 > end:
        return
    if changed:
        new[check], new[check + 1] = b[check], b[check + 1]
        delta += _difference(b, new, at, end)
    _update(b, new, check, end, delta, protocol)


@kernel
def _quoted(b: Uint8, new: Uint8, at: int, end: int, protocol: int) -> None:
    """Repair what an error of ICMP quotes."""
    p = at + 8
    if protocol == _ICMPV6:
        if at < end and 1 <= u8(b, at) <= 4 and p + 40 <= end:
            delta = _difference(b, new, p + 8, p + 40)
            _inner(b, new, p + 40, end, (u8(b, p + 6), delta))
        return
    if at >= end or u8(b, at) not in (3, 4, 5, 11, 12) or p + 20 > end:
        return
    head_b = (u8(b, p) & 15) * 4
    if u8(b, p) >> 4 != 4 or head_b < 20 or p + head_b > end:
        return
    _update(b, new, p + 10, end, _difference(b, new, p + 12, p + head_b), 0)
    if be16(b, p + 6) & 0x1FFF == 0:
        delta = _difference(b, new, p + 12, p + 20)
        _inner(b, new, p + head_b, end, (u8(b, p + 9), delta))


@kernel
def _inner(b: Uint8, new: Uint8, at: int, end: int, above: tuple[int, int]) -> None:
    protocol, delta = above
    check = at + 16 if protocol == _TCP else at + 6
    if protocol in (_TCP, _UDP) and check + 2 <= end:
        if protocol == _UDP and be16(b, check) == 0:
            return
        # bytes behind the checksum may have changed too
        delta += _difference(b, new, check + 2, end)
        _update(b, new, check, end, delta, protocol)


@kernel
def _difference(b: Uint8, new: Uint8, p: int, end: int) -> int:
    """Return what to add to a sum of 16-bit words for bytes [p, end)."""
    if end <= p:
        return 0
    before = folded(sum_words(b, p, end - p))
    after = folded(sum_words(new, p, end - p))
    return 0 if before == after else after + (ALL_ONES - before)


@kernel
def _update(
    b: Uint8, new: Uint8, check: int, end: int, delta: int, protocol: int
) -> None:
    """Write a checksum to which a difference of what it covers is added."""
    if check + 2 > end or delta == 0:
        return
    total = folded((ALL_ONES - le16(b, check)) + delta)
    value = ALL_ONES - total
    if value == 0 and protocol == _UDP:
        value = ALL_ONES
    new[check], new[check + 1] = value & 0xFF, value >> 8


@kernel
def _frame_check(b: Uint8, new: Uint8, p: int, end: int) -> None:
    """Write the check sequence of an IEEE 802.11 frame, where there is a right one."""
    if end - p < 14:
        return
    stop = end - 4
    if _crc(b, p, stop) != le32(b, stop):
        return
    value = _crc(new, p, stop)
    for k in range(4):
        new[stop + k] = (value >> (8 * k)) & 0xFF


@kernel
def _crc(b: Uint8, p: int, end: int) -> int:
    total = 0xFFFFFFFF
    for i in range(p, end):
        total ^= u8(b, i)
        for _ in range(8):
            total = total >> 1 ^ (0xEDB88320 if total & 1 else 0)
    return total ^ 0xFFFFFFFF
