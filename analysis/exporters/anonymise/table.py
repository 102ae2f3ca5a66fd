"""Addresses that are known, as a hash table for kernels; new ones are asked for."""

import numpy as np
from numpy.typing import NDArray

from analysis.exporters.anonymise.pseudonyms import Pseudonyms
from analysis.pcap.jit import kernel
from analysis.pcap.words import Uint8, be32, be48, be64, u8

Int64 = NDArray[np.int64]
Uint64 = NDArray[np.uint64]
Table = tuple[Uint64, Uint64, Uint8]

_FIRST_SIZE = 1 << 12
_MAC, _IPV4, _IPV6 = 6, 4, 16
# high halves that stand for the other kinds; as addresses they would be of groups
_OF_MAC, _OF_IPV4 = 0xFFFF_FFFF_0000_0006, 0xFFFF_FFFF_0000_0004


class Addresses:
    """What every address becomes, each worked out once."""

    def __init__(self, pseudonyms: Pseudonyms) -> None:
        self._pseudonyms = pseudonyms
        self._n = 0
        self._make(_FIRST_SIZE)

    def __len__(self) -> int:
        return self._n

    def knows(self, raw: bytes) -> bool:
        """Say whether an address, 4, 6 or 16 bytes, stood in some header."""
        b = np.frombuffer(raw, dtype=np.uint8)
        # a plain int is another type to a kernel as soon as it has its 64th bit
        high, low = map(np.uint64, _key(b, 0, b.size))
        return bool(self._table[2][_slot(self._table, high, low)])

    def write(self, b: Uint8, new: Uint8, places: Int64, sizes: Int64) -> None:
        """Write into `new` what the addresses at places of `b` become.

        sizes  6 for a MAC, 4 and 16 for IP
        """
        missing = np.empty((places.size, 2), dtype=np.uint64)
        n = write_known(b, new, (places, sizes), self._table, missing)
        while n:
            self._learn(np.unique(missing[:n], axis=0))
            n = write_known(b, new, (places, sizes), self._table, missing)

    def _learn(self, keys: Uint64) -> None:
        high = keys[:, 0]
        mac, ipv4 = high == np.uint64(_OF_MAC), high == np.uint64(_OF_IPV4)
        values = keys.copy()
        values[ipv4, 1] = self._pseudonyms.ipv4s(keys[ipv4, 1].astype(np.uint32))
        for row in np.flatnonzero(mac).tolist():
            raw = int(keys[row, 1]).to_bytes(6)
            values[row, 1] = int.from_bytes(self._pseudonyms.mac(raw))
        for row in np.flatnonzero(~mac & ~ipv4).tolist():
            made = self._pseudonyms.ipv6(keys[row].astype(">u8").tobytes())
            values[row] = np.frombuffer(made, dtype=">u8")
        if 2 * (self._n + len(keys)) > self._table[2].size:
            self._grow(self._n + len(keys))
        fill(keys, values, self._table)
        self._n += len(keys)

    def _make(self, size: int) -> None:
        self._table: Table = (
            np.zeros((size, 2), dtype=np.uint64),
            np.zeros((size, 2), dtype=np.uint64),
            np.zeros(size, dtype=np.uint8),
        )

    def _grow(self, n: int) -> None:
        keys, values, used = self._table
        kept = used == 1
        self._make(1 << (4 * n).bit_length())
        fill(keys[kept], values[kept], self._table)


@kernel
def write_known(
    b: Uint8, new: Uint8, fields: tuple[Int64, Int64], table: Table, missing: Uint64
) -> int:
    """Write what is known; put the keys of others into `missing`, return how many."""
    places, sizes = fields
    _keys, values, used = table
    n = 0
    for i in range(places.size):
        p, size = places[i], sizes[i]
        if _stays(b, p, size):
            continue
        high, low = _key(b, p, size)
        slot = _slot(table, high, low)
        if used[slot] == 0:
            missing[n, 0], missing[n, 1] = high, low
            n += 1
            continue
        if size == _IPV6:
            _put(new, p, 8, values[slot, 0])
            _put(new, p + 8, 8, values[slot, 1])
        else:
            _put(new, p, size, values[slot, 1])
    return n


@kernel
def fill(keys: Uint64, values: Uint64, table: Table) -> None:
    """Put keys into the table, which has room."""
    for i in range(len(keys)):
        slot = _slot(table, keys[i, 0], keys[i, 1])
        table[0][slot], table[1][slot] = keys[i], values[i]
        table[2][slot] = 1


@kernel
def _stays(b: Uint8, p: int, size: int) -> bool:
    """Say whether an address is of a group or of nobody; these are no secrets."""
    if size == _MAC:
        group = u8(b, p) & 1
        solicited = be32(b, p) >> 8 == 0x3333FF
        return (group != 0 and not solicited) or be48(b, p) == 0
    if size == _IPV4:
        first = u8(b, p)
        return first == 0 or first == 127 or first >= 224
    return u8(b, p) == 255 and be32(b, p + 10) >> 8 != 0x0001FF


@kernel
def _key(b: Uint8, p: int, size: int) -> tuple[np.uint64, np.uint64]:
    if size == _MAC:
        return np.uint64(_OF_MAC), np.uint64(be48(b, p))
    if size == _IPV4:
        return np.uint64(_OF_IPV4), np.uint64(be32(b, p))
    return be64(b, p), be64(b, p + 8)


@kernel
def _slot(table: Table, high: np.uint64, low: np.uint64) -> int:
    """Return where a key is, or where it would be put."""
    keys, _values, used = table
    mask = np.uint64(used.size - 1)
    mixed = (high ^ low * np.uint64(0x9E3779B97F4A7C15)) * np.uint64(0xC2B2AE3D27D4EB4F)
    at = (mixed >> np.uint64(29)) & mask
    while used[at] and (keys[at, 0] != high or keys[at, 1] != low):
        at = (at + np.uint64(1)) & mask
    return np.int64(at)  # type: ignore[return-value]


@kernel
def _put(new: Uint8, p: int, size: int, value: np.uint64) -> None:
    """Write the last `size` bytes of a number, the high one first."""
    for k in range(size):
        shift = np.uint64(8 * (size - 1 - k))
        new[p + k] = (value >> shift) & np.uint64(0xFF)
