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
    big, limit = rule
    n = b.size
    while p + 12 <= n:
        if row >= out[0].size:
            return row, p, FULL
        kind, size = load32(b, p, big), load32(b, p + 4, big)
        if kind == 0x0A0D0D0A:  # its byte order is not yet known
            return row, p, OTHER_BLOCK
        if size % 4 != 0 or size < 12 or size > limit:
            return row, p, BAD_LENGTH
        if p + size > n:
            break
        if kind != _OLD and load32(b, p + size - 4, big) != size:
            return row, p, OTHER_LENGTH
        if kind in (_PACKET, _OLD):
            status = _stamped(b, p, row, (big, kind, size), interfaces, out)
        elif kind == _SIMPLE:
            status = _simple(b, p, row, (big, size), interfaces, out)
        else:
            return row, p, OTHER_BLOCK
        if status != 0:
            return row, p, status
        out[5][row], out[6][row] = p, size
        row += 1
        p += size
    return row, p, NEED_MORE


@kernel
def _stamped(
    b: Uint8,
    p: int,
    row: int,
    rule: tuple[bool, int, int],
    interfaces: tuple[Int64, Int64, Int64],
    out: Columns,
) -> int:
    """Read an enhanced or an old packet block; return 0 or what is damaged."""
    big, kind, size = rule
    resolution, offset_ns, _snaplen = interfaces
    start, captured, length, time_ns, interface, _block, _block_b = out
    if size < 32:
        return TOO_LONG_FOR_BLOCK
    number = load32(b, p + 8, big) if kind == _PACKET else load16(b, p + 8, big)
    captured_b = load32(b, p + 20, big)
    if captured_b + 32 > size:
        return TOO_LONG_FOR_BLOCK
    if number >= resolution.size:
        return UNKNOWN_INTERFACE
    ticks = np.uint64(load32(b, p + 12, big)) << np.uint64(32)
    ticks |= np.uint64(load32(b, p + 16, big))
    start[row], captured[row] = p + 28, captured_b
    length[row] = load32(b, p + 24, big)
    time_ns[row] = to_ns(ticks, resolution[number]) + offset_ns[number]
    interface[row] = number
    return 0


@kernel
def _simple(
    b: Uint8,
    p: int,
    row: int,
    rule: tuple[bool, int],
    interfaces: tuple[Int64, Int64, Int64],
    out: Columns,
) -> int:
    """Read a simple packet block, which has no stamp; return 0 or what is damaged."""
    big, size = rule
    snaplen = interfaces[2]
    start, captured, length, time_ns, interface, _block, _block_b = out
    if size < 16:
        return TOO_LONG_FOR_BLOCK
    if snaplen.size == 0:
        return UNKNOWN_INTERFACE
    length_b, room = load32(b, p + 8, big), size - 16
    kept = min(length_b, room)
    if snaplen[0] > 0:
        kept = min(kept, snaplen[0])
    start[row], captured[row], length[row] = p + 12, kept, length_b
    time_ns[row] = 0
    interface[row] = 0
    return 0


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
