"""Kernels that copy packets of a capture as pcapng blocks, with comments on some.

data    (m,) uint8, bytes of the file
block   (k,) int64, where each packet's block or record begins in `data`
rows    (n,) int64, the packets to copy
label   (n,) int32, number of each one's comment; -1 for none
notes   comments: (c,) uint8 of all texts, and of each its first byte and size, (t+1,)
        int64; the last is empty
out     (r,) uint8, large enough; see `room_for`
at      place in `out` of the first byte to write; the place after the last is returned

A comment becomes the first option of its block: pcapML reads the first one alone.
"""

import numpy as np
from numpy.typing import NDArray

from analysis.pcap.jit import kernel
from analysis.pcap.words import Uint8, load16, load32

Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]
Notes = tuple[Uint8, Int64, Int64]

_OLD, _PACKET = 2, 6
_HEAD_B = 28  # of both kinds of block that can hold a comment
_COMMENT = 1
_MOST_ADDED_B = 12  # head and padding of a comment, and an end mark
_MOST_FRAMING_B = 20  # a block is that much longer than a record of pcap, with padding


def room_for(block_b: Int64, label: Int32, notes: Notes) -> int:
    """Return how many bytes of output the kernels need at most for these packets."""
    added = (_MOST_FRAMING_B + _MOST_ADDED_B) * block_b.size
    # a label of -1 looks at the last size, which is that of no comment
    return int(block_b.sum()) + int(notes[2][label].sum()) + added


@kernel
def copy_blocks(
    data: Uint8,
    blocks: tuple[Int64, Int64, bool],
    chosen: tuple[Int64, Int32],
    notes: Notes,
    target: tuple[Uint8, int],
) -> int:
    """Copy blocks of a pcapng section, byte for byte but for the comments.

    blocks  `block`, bytes of each, whether the section is big-endian
    chosen  `rows`, `label`
    target  `out`, `at`
    """
    block, block_b, big = blocks
    rows, label = chosen
    out, at = target
    for k in range(rows.size):
        p, n = block[rows[k]], block_b[rows[k]]
        kind = load32(data, p, big)
        if label[k] >= 0 and kind in (_PACKET, _OLD):
            at = _copy_commented(data, (p, n, big), label[k], notes, (out, at))
        else:
            out[at : at + n] = data[p : p + n]
            at += n
    return at


@kernel
def _copy_commented(
    data: Uint8,
    block: tuple[int, int, bool],
    number: int,
    notes: Notes,
    target: tuple[Uint8, int],
) -> int:
    """Copy one block with a comment before its options.

    Where the options are none, or nothing but an end mark, an end mark follows the
    comment. So what was there can be told: take the comment away, and an end mark too
    when that comes next.
    """
    p, n, big = block
    out, at = target
    captured_b = load32(data, p + 20, big)
    tail, end = p + _HEAD_B + captured_b + (-captured_b & 3), p + n - 4
    middle_b, options_b = tail - p - 8, end - tail
    begin = at
    _put32(out, at, load32(data, p, big), big)
    out[at + 8 : at + 8 + middle_b] = data[p + 8 : tail]
    at = _put_comment(number, notes, big, (out, at + 8 + middle_b))
    if options_b < 4 or load16(data, tail, big) == 0:
        at = _put32(out, at, 0, big)
    for k in range(options_b):  # few bytes, where a slice would cost more
        out[at + k] = data[tail + k]
    at += options_b
    size = at + 4 - begin
    _put32(out, begin + 4, size, big)
    return _put32(out, at, size, big)


@kernel
def copy_records(
    data: Uint8,
    records: tuple[Int64, int, bool],
    chosen: tuple[Int64, Int32],
    notes: Notes,
    target: tuple[Uint8, int],
) -> int:
    """Copy records of a pcap file as enhanced packet blocks of interface 0.

    records  `block`, ticks in a second, whether the file is big-endian
    chosen   `rows`, `label`
    target   `out`, `at`
    """
    block, per_s, big = records
    rows, label = chosen
    out, at = target
    for k in range(rows.size):
        p, begin = block[rows[k]], at
        captured_b = load32(data, p + 8, big)
        ticks = load32(data, p, big) * per_s + load32(data, p + 4, big)
        at = _put32(out, at, _PACKET, big)
        at = _put32(out, at + 4, 0, big)  # the length of the block is put in below
        at = _put32(out, at, ticks >> 32, big)
        at = _put32(out, at, ticks & 0xFFFFFFFF, big)
        out[at : at + 8 + captured_b] = data[p + 8 : p + 16 + captured_b]
        at = _pad(out, at + 8 + captured_b, captured_b)
        if label[k] >= 0:
            at = _put_comment(label[k], notes, big, (out, at))
            at = _put32(out, at, 0, big)
        _put32(out, begin + 4, at + 4 - begin, big)
        at = _put32(out, at, at + 4 - begin, big)
    return at


@kernel
def _put_comment(
    number: int, notes: Notes, big: bool, target: tuple[Uint8, int]
) -> int:
    """Write one comment as an option, padded."""
    texts, first, size = notes
    out, at = target
    p, n = first[number], size[number]
    at = _put32(out, at, _COMMENT << 16 | n if big else n << 16 | _COMMENT, big)
    out[at : at + n] = texts[p : p + n]
    return _pad(out, at + n, n)


@kernel
def _pad(out: Uint8, at: int, length_b: int) -> int:
    """Fill up to a multiple of four bytes."""
    for _ in range(-length_b & 3):
        out[at] = 0
        at += 1
    return at


@kernel
def _put32(out: Uint8, at: int, value: int, big: bool) -> int:
    """Write four bytes in the byte order of the section."""
    for k in range(4):
        shift = 24 - 8 * k if big else 8 * k
        out[at + k] = (value >> shift) & 0xFF
    return at + 4
