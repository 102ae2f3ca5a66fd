"""The Internet checksum (RFC 1071), inside kernels.

The sum of 16-bit words does not care about byte order, so words are added as they lie
in memory, and only the numbers we add are swapped.
"""

import numpy as np
from numpy.typing import NDArray

from analysis.pcap.jit import kernel

Uint8 = NDArray[np.uint8]

ALL_ONES = 0xFFFF


@kernel
def sum_words(b: Uint8, p: int, size_b: int) -> int:
    """Add up the little-endian 16-bit words of bytes [p, p + size_b).

    An odd last byte is padded with a zero. Eight bytes are added at a time, as two
    numbers of 32 bits: folding takes care of what is carried over.
    """
    total = np.uint64(0)
    # unsigned places: a negative one would count from the end, which costs a test each
    at, whole = np.uint64(p), np.uint64(size_b // 8)
    for _ in range(whole):
        low, high = np.uint64(0), np.uint64(0)
        for k in range(4):
            shift = np.uint64(8 * k)
            low |= np.uint64(b[at + np.uint64(k)]) << shift
            high |= np.uint64(b[at + np.uint64(k + 4)]) << shift
        total += low + high
        at += np.uint64(8)
    for k in range(size_b % 8):
        total += np.uint64(b[at + np.uint64(k)]) << np.uint64(8 * (k % 2))
    return np.int64(total)  # type: ignore[return-value]


@kernel
def swapped(number: int) -> int:
    """Return a 16-bit number as it would lie in memory, to be added to a sum."""
    return (number & 0xFF) << 8 | number >> 8


@kernel
def folded(total: int) -> int:
    """Add carries back in until 16 bits are left; `ALL_ONES` means a right sum."""
    while total > ALL_ONES:
        total = (total & ALL_ONES) + (total >> 16)
    return total
