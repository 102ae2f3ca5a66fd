"""Kernels that write packets out, each in a block or record like the one it was in."""

import numpy as np
from numpy.typing import NDArray

from analysis.pcap.jit import kernel
from analysis.pcap.words import load16, load32

Int64 = NDArray[np.int64]
Uint8 = NDArray[np.uint8]
Uint64 = NDArray[np.uint64]

_SIMPLE, _HEAD_B = 3, 28
_FIRST_KEPT, _LAST_KEPT = 2, 7  # flags, hash, drops, number, queue, verdict
_HASH = 3  # of bytes that are no longer there


@kernel
def emit_blocks(
    new: Uint8,
    blocks: tuple[Int64, Int64, bool],
    packets: tuple[Int64, Int64, Int64, Uint64],
    out: Uint8,
    counts: Int64,
) -> int:
    """Write pcapng blocks; return how many bytes.

    blocks   where each block begins, its bytes, whether the section is big-endian
    packets  rows to write; of each row: captured bytes, those to keep, ticks to add
    counts   comments that were dropped, (1,), added to
    """
    block, block_b, big = blocks
    rows, captured_b, keep_b, shift = packets
    at = 0
    for k in range(rows.size):
        i = rows[k]
        p, n = block[i], block_b[i]
        out[at : at + n] = new[p : p + n]
        if load32(new, p, big) == _SIMPLE:
            head = p + 12
            out[at + 12 + keep_b[i] : at + 12 + captured_b[i]] = 0
            at += n
            continue
        if shift[i]:
            high, low = load32(new, p + 12, big), load32(new, p + 16, big)
            ticks = (np.uint64(high) << np.uint64(32) | np.uint64(low)) + shift[i]
            _put64(out, at + 12, ticks, big)
        head = p + _HEAD_B + captured_b[i] + (-captured_b[i] & 3)
        if head == p + n - 4 and keep_b[i] == captured_b[i]:
            at += n
            continue
        _put32(out, at + 20, keep_b[i], big)
        tail = at + _HEAD_B + keep_b[i]
        for _ in range(-keep_b[i] & 3):
            out[tail] = 0
            tail += 1
        tail = _options(new, (head, p + n - 4, big), (out, tail), counts)
        _put32(out, at + 4, tail + 4 - at, big)
        _put32(out, tail, tail + 4 - at, big)
        at = tail + 4
    return at


@kernel
def _options(
    new: Uint8, where: tuple[int, int, bool], target: tuple[Uint8, int], counts: Int64
) -> int:
    """Copy the options of a packet that are numbers; return the place behind them."""
    p, end, big = where
    out, at = target
    kept = 0
    while p + 4 <= end:
        code, size = load16(new, p, big), load16(new, p + 2, big)
        whole = 4 + size + (-size & 3)
        if code == 0 or p + whole > end:
            break
        if code == 1:
            counts[0] += 1
        if _FIRST_KEPT <= code <= _LAST_KEPT and code != _HASH:
            out[at : at + whole] = new[p : p + whole]
            at += whole
            kept += 1
        p += whole
    if kept:
        out[at : at + 4] = 0
        at += 4
    return at


@kernel
def emit_records(
    new: Uint8,
    records: tuple[Int64, bool],
    packets: tuple[Int64, Int64, Int64],
    shift_s: int,
    out: Uint8,
) -> int:
    """Write records of a pcap file; return how many bytes.

    records  where each begins, whether the file is big-endian
    packets  rows to write; of each row: captured bytes, those to keep
    """
    block, big = records
    rows, captured_b, keep_b = packets
    at = 0
    for k in range(rows.size):
        i = rows[k]
        p = block[i]
        n = 16 + keep_b[i]
        out[at : at + n] = new[p : p + n]
        if shift_s:
            _put32(out, at, (load32(new, p, big) + shift_s) & 0xFFFFFFFF, big)
        if keep_b[i] != captured_b[i]:
            _put32(out, at + 8, keep_b[i], big)
        at += n
    return at


@kernel
def _put64(out: Uint8, at: int, value: np.uint64, big: bool) -> None:
    """Write the high half and then the low one, as a stamp has them."""
    for k in range(2):
        half = value >> np.uint64(32 * (1 - k)) & np.uint64(0xFFFFFFFF)
        for m in range(4):
            shift = np.uint64(24 - 8 * m if big else 8 * m)
            out[at + 4 * k + m] = half >> shift & np.uint64(0xFF)


@kernel
def _put32(out: Uint8, at: int, value: int, big: bool) -> None:
    for k in range(4):
        shift = 24 - 8 * k if big else 8 * k
        out[at + k] = (value >> shift) & 0xFF
