"""Read pcap and pcapng files into columns: first walk the headers, then decode.

This module walks: it finds where each packet lies and when it was seen, and copies no
payload. `analysis.pcap.decode` then looks into the packets. Any file that tshark opens
as pcap or pcapng can be read: microseconds or nanoseconds, both byte orders, several
sections and interfaces, gzip.
"""

import mmap
import zlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from analysis.pcap.blocks import RECORD_HEAD_B, Interface
from analysis.pcap.errors import CaptureError
from analysis.pcap.walk import MAGICS_PCAP, Walk, walk_pcap, walk_pcapng, zeros_from

Source = mmap.mmap | bytes

_GZIP = b"\x1f\x8b"
_PCAPNG = b"\x0a\x0d\x0d\x0a"


@dataclass(frozen=True, slots=True, kw_only=True)
class Frames:
    """The packets of one capture file, in the order of the file.

    path          the file
    source        its (decompressed) bytes; sliced by `offset` and `captured_b`
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
    source, cut = _open(path)
    magic = bytes(source[:4])
    if magic == _PCAPNG:
        walk = walk_pcapng(path, source)
    elif magic in MAGICS_PCAP:
        walk = walk_pcap(path, source)
    else:
        raise CaptureError(path, 0, f"is not a pcap or pcapng file ({magic.hex()})")
    return _frames(path, source, walk, cut)


def is_pcapng(path: Path) -> bool:
    """Say whether a file begins as an uncompressed pcapng file does."""
    with path.open("rb") as file:
        return file.read(4) == _PCAPNG


def _open(path: Path) -> tuple[Source, bool]:
    """Return the bytes of a file, and whether its compression ends too early."""
    try:
        with path.open("rb") as file:
            if file.read(2) == _GZIP:
                file.seek(0)
                return _gunzip(path, file.read())
            if path.stat().st_size == 0:
                raise CaptureError(path, 0, "is empty")
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), False
    except OSError as exc:
        reason = f"cannot be read: {exc.strerror or exc}"
        raise CaptureError(path, 0, reason) from exc


def _gunzip(path: Path, data: bytes) -> tuple[bytes, bool]:
    """Return the decompressed bytes; tolerate a file that ends too early."""
    out = bytearray()
    while data.startswith(_GZIP):
        stream = zlib.decompressobj(wbits=31)
        try:
            out += stream.decompress(data)
        except zlib.error as exc:
            raise CaptureError(path, len(out), f"gzip is damaged: {exc}") from exc
        if not stream.eof:
            return bytes(out), True
        data = stream.unused_data
    return bytes(out), False


def _frames(path: Path, source: Source, walk: Walk, cut: bool) -> Frames:
    walk = _without_hole(path, source, walk)
    interface = walk.interface
    links = np.array([each.link for each in walk.interfaces], dtype=np.int32)
    end = len(source) if cut else None
    return Frames(
        path=path,
        source=source,
        time_ns=walk.time_ns,
        captured_b=walk.captured_b,
        length_b=walk.length_b,
        offset=walk.offset,
        interface=interface,
        link=links[interface] if len(links) else interface,
        interfaces=tuple(walk.interfaces),
        names=tuple(walk.names),
        truncated_at=end if walk.truncated_at is None else walk.truncated_at,
    )


def _without_hole(path: Path, source: Source, walk: Walk) -> Walk:
    """Cut off zeros at the end of a pcap file, which look like empty packets.

    Raises CaptureError when packets follow on two or more of them.
    """
    blank = (walk.time_ns == 0) & (walk.length_b == 0) & (walk.captured_b == 0)
    hole = blank[1:] & blank[:-1]
    if not hole.any():
        return walk
    row = int(np.argmax(hole))
    at = int(walk.offset[row]) - RECORD_HEAD_B
    if not zeros_from(source, at):
        raise CaptureError(path, at, "is a hole of zeros, not a packet")
    columns = ("time_ns", "captured_b", "length_b", "offset", "interface")
    kept = {name: getattr(walk, name)[:row] for name in columns}
    return replace(walk, **kept, truncated_at=at)
