"""Gather numbers out of many packets at once."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.pcap.reader import Frames

Bool = NDArray[np.bool_]
Int64 = NDArray[np.int64]
Uint8 = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """A run of packets of one file, whose bytes can be gathered by column.

    data        (m,) uint8, bytes of the file from the first to the last packet
    rows        rows of the file's packets that the batch covers
    start       (k,) int64, where each packet begins in `data`
    end         (k,) int64, where its captured bytes end in `data`
    wire_end    (k,) int64, where it would end had all bytes been captured
    captured_b  (k,) int64
    length_b    (k,) int64, bytes on the wire
    link        (k,) int32
    """

    data: Uint8
    rows: slice
    start: Int64
    end: Int64
    wire_end: Int64
    captured_b: Int64
    length_b: Int64
    link: NDArray[np.int32]

    @classmethod
    def of(cls, frames: Frames, first: int, last: int) -> "Batch":
        """Cut packets [first, last) out of `frames`, without copying their bytes."""
        base = int(frames.offset[first])
        captured_b = frames.captured_b[first:last]
        start = frames.offset[first:last] - base
        stop = base + int((start + captured_b).max())
        # a frame that says it was shorter than what was kept of it is believed in full
        length_b = np.maximum(frames.length_b[first:last], captured_b)
        return cls(
            data=frames.bytes_view[base:stop],
            rows=slice(first, last),
            start=start,
            end=start + captured_b,
            wire_end=start + length_b,
            captured_b=captured_b,
            length_b=length_b,
            link=frames.link[first:last],
        )

    def has(self, chosen: Int64, at: Int64, size_b: Int64 | int) -> Bool:
        """Say for each chosen packet whether bytes [at, at + size_b) were captured."""
        whole: Bool = at + size_b <= self.end[chosen]
        return whole

    def u8(self, at: Int64) -> Int64:
        """Return the byte at each place; anything where the place is outside."""
        return self.data.take(at, mode="clip").astype(np.int64)

    def u16(self, at: Int64) -> Int64:
        """Return the big-endian number of two bytes at each place."""
        return self.u8(at) << 8 | self.u8(at + 1)

    def number(self, at: Int64, size_b: int) -> NDArray[np.uint64]:
        """Return the big-endian number of up to eight bytes at each place."""
        places = at[:, np.newaxis] + np.arange(size_b)
        wide = np.zeros((at.size, 8), dtype=np.uint8)
        if at.size:
            wide[:, 8 - size_b :] = self.data.take(places, mode="clip")
        return wide.view(">u8")[:, 0].astype(np.uint64)
