"""The Internet checksum (RFC 1071) of many packets at once.

The sum of 16-bit words does not care about byte order, so words are added as they lie
in memory of a little-endian machine, and only the numbers we add are swapped.
"""

import numpy as np
from numpy.typing import NDArray

from analysis.pcap.columns import Batch, Bool, Int64, Uint8

_ALL_ONES = 0xFFFF


def words_are_wrong(batch: Batch, at: Int64, size_b: Int64) -> Bool:
    """Say where the words in [at, at + size_b) do not add up to all ones.

    at, size_b  (k,) int64, in bytes of `batch.data`; outside of it the answer is vain
    returns     (k,) bool
    """
    wrong: Bool = _folded(sum_words(batch.data, at, size_b)) != _ALL_ONES
    return wrong


def transport_is_wrong(
    batch: Batch,
    *,
    at: Int64,
    length_b: Int64,
    protocol: Int64,
    addresses_at: Int64,
    addresses_b: int,
) -> Bool:
    """Say where a TCP or UDP checksum, over the addresses too, does not add up.

    at, length_b  (k,) int64, segment with its header; wholly inside `batch.data`
    protocol      (k,) int64
    addresses_at  (k,) int64, both addresses, one after the other
    addresses_b   length of both, 8 or 32
    returns       (k,) bool
    """
    total = sum_words(batch.data, at, length_b)
    total += sum_words(batch.data, addresses_at, np.full(at.shape, addresses_b))
    total += protocol.astype(np.uint64) << np.uint64(8)
    low, high = length_b & 0xFF, length_b >> 8
    total += (low << 8 | high).astype(np.uint64)
    wrong: Bool = _folded(total) != _ALL_ONES
    return wrong


def sum_words(data: Uint8, at: Int64, size_b: Int64) -> NDArray[np.uint64]:
    """Add up the 16-bit little-endian words of each stretch of `data`.

    data        (m,) uint8
    at, size_b  (k,) int64; a stretch of odd length is padded with a zero byte
    returns     (k,) uint64
    """
    total = np.zeros(at.shape, dtype=np.uint64)
    inside = (at >= 0) & (size_b > 0) & (at + size_b <= data.size)
    for parity in (0, 1):
        chosen = np.flatnonzero(inside & (at & 1 == parity))
        aligned = data[parity:]
        words = aligned[: aligned.size // 2 * 2].view("<u2")
        first = (at[chosen] - parity) // 2
        last = first + size_b[chosen] // 2
        total[chosen] += _sums(words, first, last)
    odd = np.flatnonzero(inside & (size_b & 1 == 1))
    total[odd] += data[at[odd] + size_b[odd] - 1]
    return total


def _sums(words: NDArray[np.uint16], first: Int64, last: Int64) -> NDArray[np.uint64]:
    """Return the sum of words[first:last] for each pair."""
    out = np.zeros(first.shape, dtype=np.uint64)
    full = np.flatnonzero(last > first)
    if not full.size:
        return out
    # reduceat has no place for an end at the very end: those lose their last word
    # first and get it back afterwards
    ends = last[full]
    at_end = ends == words.size
    pairs = np.stack((first[full], ends - at_end), axis=1).ravel()
    single = pairs[1::2] == pairs[::2]
    sums = np.add.reduceat(words, pairs, dtype=np.uint64)[::2]
    sums = np.where(single, 0, sums)
    sums[at_end] += words[-1]
    out[full] = sums
    return out


def _folded(total: NDArray[np.uint64]) -> NDArray[np.uint64]:
    for _carry in range(3):
        total = (total & np.uint64(0xFFFF)) + (total >> np.uint64(16))
    return total
