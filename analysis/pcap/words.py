"""Read numbers out of bytes, inside kernels.

b        (m,) uint8
p        int64, place of the first byte; the caller knows that it lies inside
returns  int64; `be64` uint64

numba gives numbers their width; for the type checker they are all int.
"""

import numpy as np
from numpy.typing import NDArray

from analysis.pcap.jit import kernel

Uint8 = NDArray[np.uint8]


@kernel
def u8(b: Uint8, p: int) -> int:
    """Return one byte."""
    # A negative place would count from the end; that it is none need not be tested.
    return np.int64(b[np.uint64(p)])  # type: ignore[return-value]


@kernel
def be16(b: Uint8, p: int) -> int:
    """Return two bytes, the high one first."""
    return u8(b, p) << 8 | u8(b, p + 1)


@kernel
def le16(b: Uint8, p: int) -> int:
    """Return two bytes, the low one first."""
    return u8(b, p + 1) << 8 | u8(b, p)


@kernel
def be32(b: Uint8, p: int) -> int:
    """Return four bytes, the high one first."""
    return be16(b, p) << 16 | be16(b, p + 2)


@kernel
def le32(b: Uint8, p: int) -> int:
    """Return four bytes, the low one first."""
    return le16(b, p + 2) << 16 | le16(b, p)


@kernel
def be48(b: Uint8, p: int) -> int:
    """Return six bytes, a MAC address, the high one first."""
    return be16(b, p) << 32 | be32(b, p + 2)


@kernel
def be64(b: Uint8, p: int) -> np.uint64:
    """Return eight bytes, the high one first; uint64."""
    high, low = np.uint64(be32(b, p)), np.uint64(be32(b, p + 4))
    return high << np.uint64(32) | low


@kernel
def load16(b: Uint8, p: int, big: bool) -> int:
    """Return two bytes in the byte order of a file."""
    return be16(b, p) if big else le16(b, p)


@kernel
def load32(b: Uint8, p: int, big: bool) -> int:
    """Return four bytes in the byte order of a file."""
    return be32(b, p) if big else le32(b, p)
