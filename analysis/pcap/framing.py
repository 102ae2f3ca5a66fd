"""Kernels that find where each packet lies in a stretch of a capture, and when it was.

Each takes bytes from place `p` on and fills rows of the output from `row` on, until the
bytes end, the output is full, or something comes that Python must look at. It returns
(next row, next place, status).

Output columns: start of the packet, captured and wire bytes, stamp in ns, interface
within the section, start and bytes of the whole record.
"""

import numpy as np
from numpy.typing import NDArray

from analysis.pcap.jit import kernel
from analysis.pcap.words import Uint8, be32, load16, load32

Int64 = NDArray[np.int64]
Columns = tuple[Int64, ...]  # seven
Found = tuple[int, int, int]

NEED_MORE, FULL, OTHER_BLOCK, HOLE = 0, 1, 2, 3
# damage: what the record at the place says cannot be
BAD_LENGTH, TOO_LONG_FOR_BLOCK, UNKNOWN_INTERFACE, TOO_LONG = 10, 11, 12, 13
OTHER_LENGTH = 14

_SIMPLE, _OLD, _PACKET = 3, 2, 6
_NS = 1_000_000_000


@kernel
def frame_pcap(
    b: Uint8, p: int, row: int, rule: tuple[bool, int, int, bool], out: Columns
) -> Found:
    """Walk records of a pcap file.

    rule  whether the file is big-endian, ns per tick, most captured bytes that can be,
          whether the file ends with these bytes
    """
    big, tick_ns, limit, final = rule
    start, captured, length, time_ns, interface, block, block_b = out
    n = b.size
    while p + 16 <= n:
        if row >= start.size:
            return row, p, FULL
        seconds, ticks = load32(b, p, big), load32(b, p + 4, big)
        captured_b, length_b = load32(b, p + 8, big), load32(b, p + 12, big)
        if seconds | ticks | captured_b | length_b == 0:
            status = _looks_blank(b, p, final)
            if status != FULL:
                return row, p, status
        if captured_b > limit:
            return row, p, TOO_LONG
        if p + 16 + captured_b > n:
            break
        start[row] = p + 16
        captured[row], length[row] = captured_b, length_b
        time_ns[row] = seconds * _NS + ticks * tick_ns
        interface[row] = 0
        block[row], block_b[row] = p, 16 + captured_b
        row += 1
        p += 16 + captured_b
    return row, p, NEED_MORE


@kernel
def _looks_blank(b: Uint8, p: int, final: bool) -> int:
    """Say what a record of zeros at `p` is: HOLE, NEED_MORE to tell, or FULL for fine.

    One alone is an empty packet of 1970; two are space that was set aside.
    """
    if p + 32 > b.size:
        return FULL if final else NEED_MORE
    for k in range(4):
        if be32(b, p + 16 + 4 * k) != 0:
            return FULL
    return HOLE


@kernel
def frame_pcapng(
    b: Uint8,
    p: int,
    row: int,
    rule: tuple[bool, int],
    interfaces: tuple[Int64, Int64, Int64],
    out: Columns,
) -> Found:
    """Walk packet blocks of one section of a pcapng file.

    rule        whether the section is big-endian, most bytes that a block can have
    interfaces  resolution (if_tsresol), offset in ns and snaplen of each
    """
    big = rule[0]
    resolution, offset_ns, snaplen = interfaces
    start, captured, length, time_ns, interface, block, block_b = out
    n = b.size
    while p + 12 <= n:
        if row >= start.size:
            return row, p, FULL
        kind, size = load32(b, p, big), load32(b, p + 4, big)
        status = _judged(b, p, (kind, size), rule)
        if status != NEED_MORE or p + size > n:
            return row, p, status
        if kind == _SIMPLE:
            limit_b = snaplen[0] if snaplen.size else 0
            status, captured_b, length_b = _simple(b, p, size, big, limit_b)
            number, ticks, head_b = 0, np.uint64(0), 12
        else:
            status, captured_b, length_b = _stamped(b, p, size, big)
            number = _interface(b, p, kind, big)
            ticks, head_b = _ticks(b, p, big), 28
        if status == 0 and number >= resolution.size:
            status = UNKNOWN_INTERFACE
        if status != 0:
            return row, p, status
        start[row], captured[row], length[row] = p + head_b, captured_b, length_b
        time_ns[row], interface[row] = 0, number
        if kind != _SIMPLE:
            time_ns[row] = to_ns(ticks, resolution[number]) + offset_ns[number]
        block[row], block_b[row] = p, size
        row += 1
        p += size
    return row, p, NEED_MORE


# The helpers get the bytes alone: to hand on all columns would cost more than the walk.


@kernel
def _judged(b: Uint8, p: int, head: tuple[int, int], rule: tuple[bool, int]) -> int:
    """Say what is not a packet block at `p`; NEED_MORE when it is one."""
    kind, size = head
    big, limit = rule
    if kind == 0x0A0D0D0A:  # its byte order is not yet known
        return OTHER_BLOCK
    if size % 4 != 0 or size < 12 or size > limit:
        return BAD_LENGTH
    if p + size > b.size:
        return NEED_MORE
    if kind != _OLD and load32(b, p + size - 4, big) != size:
        return OTHER_LENGTH
    if kind not in (_PACKET, _OLD, _SIMPLE):
        return OTHER_BLOCK
    # too short for what it is; the first fields of what follows may not be there
    least = 16 if kind == _SIMPLE else 32
    return TOO_LONG_FOR_BLOCK if size < least else NEED_MORE


@kernel
def _stamped(b: Uint8, p: int, size: int, big: bool) -> tuple[int, int, int]:
    """Return what is damaged, or 0, captured and wire bytes of a packet block."""
    captured_b = load32(b, p + 20, big)
    status = TOO_LONG_FOR_BLOCK if captured_b + 32 > size else 0
    return status, captured_b, load32(b, p + 24, big)


@kernel
def _interface(b: Uint8, p: int, kind: int, big: bool) -> int:
    """Return the interface within the section; old blocks have drops beside it."""
    return load32(b, p + 8, big) if kind == _PACKET else load16(b, p + 8, big)


@kernel
def _ticks(b: Uint8, p: int, big: bool) -> np.uint64:
    """Return the stamp in units of the interface."""
    high, low = load32(b, p + 12, big), load32(b, p + 16, big)
    return np.uint64(high) << np.uint64(32) | np.uint64(low)


@kernel
def _simple(
    b: Uint8, p: int, size: int, big: bool, snaplen: int
) -> tuple[int, int, int]:
    """Return 0, captured and wire bytes of a simple packet block."""
    length_b = load32(b, p + 8, big)
    kept = min(length_b, size - 16)
    return 0, min(kept, snaplen) if snaplen > 0 else kept, length_b


@kernel
def to_ns(ticks: np.uint64, resolution: int) -> int:
    """Return ns for a stamp in units of if_tsresol, rounded down.

    resolution  10^-n s, or 2^-(n & 127) s when bit 7 is set
    """
    power = resolution & 0x7F
    if resolution & 0x80 == 0:
        scale = np.uint64(1)
        for _ in range(min(abs(9 - power), 19)):
            scale *= np.uint64(10)
        scaled = ticks * scale if power <= 9 else ticks // scale
        return np.int64(scaled)  # type: ignore[return-value]
    shift = np.uint64(min(power, 63))
    part = ticks & ((np.uint64(1) << shift) - np.uint64(1))
    # 33 bits are finer than a nanosecond, and times 10^9 still fit into 64
    surplus = shift - np.uint64(33) if shift > np.uint64(33) else np.uint64(0)
    fraction = (part >> surplus) * np.uint64(_NS) >> (shift - surplus)
    whole = (ticks >> shift) * np.uint64(_NS)
    return np.int64(whole + fraction)  # type: ignore[return-value]
