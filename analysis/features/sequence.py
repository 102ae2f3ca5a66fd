"""Which packets follow which: counts of signed lengths and of their pairs, sparse.

A token is a packet as the sequence sees it: destination class, direction and length of
the frame. `unigrams` count each token by itself. `bigrams` count pairs of tokens that
follow each other among the packets of one destination class, hashed, so that the width
is the same for every campaign and nothing is learnt from the data here.

sequence = sequence_of(table, windows)   (k, n_columns()) scipy csr_array, float64
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.features.model import (
    Bool,
    Int64,
    Located,
    RowSpans,
    UInt8,
    UInt32,
    read_only,
)
from analysis.features.statistics import ranges_fit
from analysis.pcap.jit import kernel

Int = int | np.int64
# of some rows: cells per row, then column and count of each cell
Cells = tuple[Int64, NDArray[np.int32], NDArray[np.float64]]

_CLASSES = 16  # room for those of `analysis.packets.destination`
LENGTHS = 2048  # exact below 1536, then 128 B wide: frames that a card has joined
_EXACT = 1536
_STEP_SHIFT = 7
_N_UNIGRAMS = _CLASSES * 2 * LENGTHS
_HASH_BITS = 18
_N_BIGRAMS = 1 << _HASH_BITS
_MOST = 1 << 20  # packets whose tokens are counted together
# of Steele, Lea and Flood, "Fast splittable pseudorandom number generators"
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)

BLOCKS: Mapping[str, slice] = MappingProxyType(
    {
        "unigrams": slice(0, _N_UNIGRAMS),
        "bigrams": slice(_N_UNIGRAMS, _N_UNIGRAMS + _N_BIGRAMS),
    }
)


def n_columns() -> int:
    """Return the width of the block, the same for all data."""
    return int(max(block.stop for block in BLOCKS.values()))


def sequence_of(table: Located, windows: RowSpans) -> Any:
    """Count the tokens of every window.

    table    the packets that `windows` were cut from
    returns  (k, n_columns()) csr_array of float64, columns sorted within rows
    """
    columns = table.length_b, table.outbound, table.destination
    return joined(counted(windows.first, windows.last, *columns))


def window_sequence(
    time_ns: Int64,
    length_b: UInt32,
    outbound: Bool,
    destination: UInt8,
    start_ns: int,
    end_ns: int,
) -> Any:
    """Count the tokens of one window [start_ns, end_ns), live.

    Columns (n,) as in `window_features`, and the destination class of each packet.
    Returns (1, n_columns()) csr_array.
    """
    first, last = np.searchsorted(time_ns, (start_ns, end_ns))
    rows = np.array((first,)), np.array((max(first, last),))
    return joined(counted(*rows, length_b, outbound, destination))


def counted(
    first: Int64, last: Int64, length_b: UInt32, outbound: Bool, destination: UInt8
) -> list[Cells]:
    """Return the tokens of rows [first[i], last[i]), for `joined`.

    Raises ValueError when a window has rows that are not among the packets.
    """
    first, last = read_only(first, np.int64), read_only(last, np.int64)
    if not length_b.size == outbound.size == destination.size:
        raise ValueError("columns of packets must be equally long")
    if not ranges_fit(first, last, length_b.size):
        raise ValueError("windows must be cut from the packets that they are given")
    columns = (
        read_only(length_b, np.uint32),
        read_only(outbound, np.bool_),
        read_only(destination, np.uint8),
    )
    return [
        _count(first[rows], last[rows], *columns) for rows in _batches(last - first)
    ]


def joined(parts: Sequence[Cells]) -> Any:
    """Return the csr_array of rows that follow each other."""
    from scipy.sparse import csr_array

    per_row = np.concatenate([np.zeros(1, np.int64), *(p[0] for p in parts)])
    columns = np.concatenate([np.zeros(0, np.int32), *(p[1] for p in parts)])
    counts = np.concatenate([np.zeros(0), *(p[2] for p in parts)])
    shape = (per_row.size - 1, n_columns())
    return csr_array((counts, columns, np.cumsum(per_row)), shape=shape)


def _batches(sizes: Int64) -> list[slice]:
    """Return runs of windows with at most _MOST packets, or one window."""
    found, start, held = [], 0, 0
    for i, size in enumerate(sizes.tolist()):
        if held and held + size > _MOST:
            found.append(slice(start, i))
            start, held = i, 0
        held += size
    found.append(slice(start, sizes.size))
    return found


@kernel
def _count(
    first: Int64, last: Int64, length_b: UInt32, outbound: Bool, destination: UInt8
) -> Cells:
    """Return cells per window, and column and count of each cell."""
    n, longest = np.int64(0), np.int64(0)
    for i in range(first.size):
        n += last[i] - first[i]
        longest = max(longest, last[i] - first[i])
    per_row = np.zeros(first.size, np.int64)
    columns, counts = np.empty(2 * n, np.int32), np.empty(2 * n, np.float64)
    found = np.empty(2 * longest, np.int64)
    done = np.int64(0)
    for i in range(first.size):
        n_found = _tokens(first[i], last[i], length_b, outbound, destination, found)
        here = found[:n_found]
        here.sort()
        for j in range(n_found):
            if j and here[j] == here[j - 1]:
                counts[done - 1] += 1.0
            else:
                columns[done], counts[done] = here[j], 1.0
                per_row[i] += 1
                done += 1
    return per_row, columns[:done].copy(), counts[:done].copy()


@kernel
def _tokens(
    first: Int,
    last: Int,
    length_b: UInt32,
    outbound: Bool,
    destination: UInt8,
    found: Int64,
) -> Int:
    """Put the columns of all tokens and pairs into `found`; return how many."""
    before = np.full(_CLASSES, -1, np.int64)
    n = np.int64(0)
    for row in range(first, last):
        place = np.int64(destination[row]) & (_CLASSES - 1)
        size = np.int64(length_b[row])
        if size >= _EXACT:
            size = _EXACT + ((size - _EXACT) >> _STEP_SHIFT)
        size = min(size, np.int64(LENGTHS - 1))
        token = (place * 2 + np.int64(outbound[row])) * LENGTHS + size
        found[n] = token
        n += 1
        if before[place] >= 0:
            found[n] = _N_UNIGRAMS + _hashed(before[place] * _N_UNIGRAMS + token)
            n += 1
        before[place] = token
    return n


@kernel
def _hashed(pair: Int) -> Int:
    """Return the place of a pair of tokens, < 2 ** _HASH_BITS."""
    z = np.uint64(pair)
    z = (z ^ (z >> np.uint64(30))) * _MIX_1
    z = (z ^ (z >> np.uint64(27))) * _MIX_2
    z = z ^ (z >> np.uint64(31))
    return np.int64(z >> np.uint64(64 - _HASH_BITS))
