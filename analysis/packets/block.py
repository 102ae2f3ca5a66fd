"""Batches of a capture, decoded and joined to blocks, which cost less to handle."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.packets.select import beacon_rows
from analysis.pcap.blocks import LINK_ETHERNET, LINK_SLL, LINK_SLL2
from analysis.pcap.decode import DECODED, Decoded, decode_batch
from analysis.pcap.walk import Batch

Int64 = NDArray[np.int64]

_BLOCK = 65_536  # packets that are handled together, some 10 MB
_LINKS = np.array(sorted(DECODED), dtype=np.int32)
_COOKED = np.array([LINK_SLL, LINK_SLL2], dtype=np.int32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Decoded packets that follow each other; see `Batch` and `Decoded`.

    first_frame  packets of the file before these
    time_ns      (n,) int64;  length_b (n,) int64
    n_foreign    those of link types that are not understood
    n_one_sided  those whose link names the sender alone
    beacons      (b,) int64, rows that are beacons
    """

    first_frame: int
    time_ns: Int64
    length_b: Int64
    n_foreign: int
    n_one_sided: int
    decoded: Decoded
    beacons: Int64


def blocks_of(batches: Iterable[Batch]) -> Iterator[Block]:
    """Decode batches, each into its place in a block."""
    filling = _Filling(0)
    for batch in batches:
        if not filling.has_room(len(batch)):
            yield from filling.block()
            filling = _Filling(len(batch))
        filling.add(batch)
    yield from filling.block()


class _Filling:
    """A block that is being filled."""

    def __init__(self, least: int) -> None:
        size = max(least, _BLOCK)
        self._decoded = Decoded.zeros(size)
        self._time_ns = np.empty(size, dtype=np.int64)
        self._length_b = np.empty(size, dtype=np.int64)
        self._n = 0
        self._first_frame = 0
        self._n_foreign = 0
        self._n_one_sided = 0
        self._beacons: list[Int64] = []

    def has_room(self, n: int) -> bool:
        return self._n + n <= self._time_ns.size

    def add(self, batch: Batch) -> None:
        if not self._n:
            self._first_frame = batch.first_frame
        here = slice(self._n, self._n + len(batch))
        decoded = decode_batch(batch, self._decoded.take(here))
        self._time_ns[here] = batch.time_ns
        self._length_b[here] = batch.length_b
        self._beacons.append(beacon_rows(batch, decoded) + self._n)
        # nearly all captures are of Ethernet alone
        if not (batch.link == LINK_ETHERNET).all():
            foreign = ~np.isin(batch.link, _LINKS)
            self._n_foreign += int(np.count_nonzero(foreign))
            cooked = np.isin(batch.link, _COOKED)
            self._n_one_sided += int(np.count_nonzero(cooked))
        self._n = here.stop

    def block(self) -> Iterator[Block]:
        """Yield what has come together, if anything."""
        if not self._n:
            return
        filled = slice(self._n)
        yield Block(
            first_frame=self._first_frame,
            time_ns=self._time_ns[filled],
            length_b=self._length_b[filled],
            n_foreign=self._n_foreign,
            n_one_sided=self._n_one_sided,
            decoded=self._decoded.take(filled),
            beacons=np.concatenate(self._beacons),
        )
