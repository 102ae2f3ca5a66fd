"""A whole capture as columns, with any packet at hand: for files that fit into memory.

What goes through a capture once, of any size, takes `analysis.pcap.stream` instead.
"""

import mmap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.pcap.blocks import Interface
from analysis.pcap.errors import CaptureError
from analysis.pcap.source import open_source
from analysis.pcap.stream import CaptureStream, open_capture_stream
from analysis.pcap.walk import Batch

Source = mmap.mmap | bytes

_COLUMNS = ("time_ns", "captured_b", "length_b", "interface", "link")


@dataclass(frozen=True, slots=True, kw_only=True)
class Frames:
    """The packets of one capture file, in the order of the file.

    path          the file
    source        its (unpacked) bytes; sliced by `offset` and `captured_b`
    time_ns       (n,) int64, ns UTC; 0 for simple packet blocks, which carry no stamp
    captured_b    (n,) int64, bytes in the file
    length_b      (n,) int64, bytes on the wire
    offset        (n,) int64, where the packet's bytes begin in `source`; increasing
    interface     (n,) int32, row of `interfaces`
    link          (n,) int32, link type of that interface
    interfaces    the interfaces of all sections, in order
    names         bodies of the name resolution blocks, as little-endian
    truncated_at  byte at which the file ends inside a packet, or None
    """

    path: Path
    source: Source
    time_ns: NDArray[np.int64]
    captured_b: NDArray[np.int64]
    length_b: NDArray[np.int64]
    offset: NDArray[np.int64]
    interface: NDArray[np.int32]
    link: NDArray[np.int32]
    interfaces: tuple[Interface, ...]
    names: tuple[bytes, ...]
    truncated_at: int | None

    def __len__(self) -> int:
        return self.time_ns.size

    @property
    def bytes_view(self) -> NDArray[np.uint8]:
        """The bytes of `source` as an array, not copied."""
        return np.frombuffer(self.source, dtype=np.uint8)

    def frame(self, row: int) -> bytes:
        """Return the captured bytes of one packet."""
        start = int(self.offset[row])
        return bytes(self.source[start : start + int(self.captured_b[row])])


def read_frames(path: Path) -> Frames:
    """Find every packet of a capture.

    A file that ends inside a packet (a capture that was killed) is read up to there,
    and `truncated_at` says so. Raises CaptureError when the file is no capture or is
    damaged, with the byte.
    """
    parts: list[dict[str, NDArray[Any]]] = []
    with open_capture_stream(path) as stream:
        for batch in stream:
            parts.append(_copied(batch))
    parts = parts or [_copied(_nothing())]
    columns = {
        name: np.concatenate([part[name] for part in parts]) for name in parts[0]
    }
    return Frames(
        path=path,
        source=_bytes_of(path, stream),
        interfaces=tuple(stream.interfaces),
        names=tuple(stream.names),
        truncated_at=stream.truncated_at,
        **columns,
    )


def _copied(batch: Batch) -> dict[str, NDArray[Any]]:
    columns = {name: getattr(batch, name).copy() for name in _COLUMNS}
    columns["offset"] = batch.start + batch.base
    return columns


def _nothing() -> Batch:
    none = np.zeros(0, dtype=np.int64)
    return Batch(
        data=np.zeros(0, dtype=np.uint8),
        base=0,
        first_frame=0,
        start=none,
        captured_b=none,
        length_b=none,
        time_ns=none,
        interface=none.astype(np.int32),
        link=none.astype(np.int32),
        block=none,
        block_b=none,
        order="<",
    )


def _bytes_of(path: Path, stream: CaptureStream) -> Source:
    """Return the bytes of a file: mapped, or unpacked."""
    if not stream.packed:
        try:
            with path.open("rb") as file:
                return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except OSError as exc:
            reason = f"cannot be read: {exc.strerror or exc}"
            raise CaptureError(path, None, reason) from exc
    out = bytearray()
    none = np.zeros(0, dtype=np.uint8)
    with open_source(path) as source:
        while (chunk := source.next_chunk(none)) is not None:
            out += chunk.data
    return bytes(out)
