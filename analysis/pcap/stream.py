"""Read a capture of any size, batch by batch, in flat memory.

with open_capture_stream(path) as stream:
    for batch in stream:
        decoded = decode_batch(batch)

pcap and pcapng of either byte order, microseconds or nanoseconds, several sections and
interfaces, as they are or packed with gzip or zstd. No byte of a packet is copied.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from analysis.pcap.blocks import Interface
from analysis.pcap.errors import CaptureError
from analysis.pcap.source import Source, open_source
from analysis.pcap.walk import (
    FILE_HEAD_B,
    MAGICS_PCAP,
    PCAPNG,
    Batch,
    Window,
    walk_pcap,
    walk_pcapng,
)

_PACKED = {b"\xfd7zXZ": "xz", b"BZh": "bzip2", b"PK\x03\x04": "zip", b"7z\xbc": "7z"}

__all__ = ["Batch", "CaptureStream", "open_capture_stream"]


class CaptureStream:
    """One capture file, to be iterated over once; see `open_capture_stream`.

    head        first 24 bytes: all of the header of a pcap file
    is_pcapng   pcapng or pcap
    interfaces  those of all sections, in order, as far as read
    names       bodies of the name resolution blocks of little-endian sections
    """

    def __init__(self, path: Path, source: Source) -> None:
        self.path = path
        self.interfaces: list[Interface] = []
        self.names: list[bytes] = []
        self._source = source
        self._window = Window(path, source)
        self.head = self._window.data[:FILE_HEAD_B].tobytes()
        if not self.head:
            ends = "ends before the capture begins" if source.cut else "holds nothing"
            reason = f"is packed with {source.packed} and {ends}"
            raise CaptureError(path, source.size_b, reason)
        self.is_pcapng = self.head[:4] == PCAPNG
        if not self.is_pcapng and self.head[:4] not in MAGICS_PCAP:
            raise CaptureError(path, 0, _what_it_is(self.head))

    def __iter__(self) -> Iterator[Batch]:
        window = self._window
        if self.is_pcapng:
            yield from walk_pcapng(window, self.interfaces, self.names)
        else:
            yield from walk_pcap(window, self.interfaces)
        if self._source.cut and window.truncated_at is None:
            window.truncated_at = window.base + window.data.size

    @property
    def truncated_at(self) -> int | None:
        """Byte of the unpacked file at which it ends inside a packet, or None."""
        return self._window.truncated_at

    @property
    def size_b(self) -> int:
        """Bytes of the file on the disk that were read so far."""
        return self._source.size_b

    @property
    def digest(self) -> str:
        """XXH3 (128 bits) of the file on the disk, when all is read."""
        return self._source.digest

    @property
    def packed(self) -> str:
        """What the file is packed with: 'gzip', 'zstd' or ''."""
        return self._source.packed


def _what_it_is(head: bytes) -> str:
    for magic, packed in _PACKED.items():
        if head.startswith(magic):
            return f"is packed with {packed}; unpack it first (gzip and zstd can stay)"
    return f"is not a pcap or pcapng file ({head[:4].hex()})"


@contextmanager
def open_capture_stream(
    path: Path, file: BinaryIO | None = None
) -> Iterator[CaptureStream]:
    """Open a capture to read its packets in order.

    file  its bytes, when they are not to be read from `path`

    A file that ends inside a packet (a capture that was killed) is read up to there,
    and `truncated_at` says so. Raises CaptureError, here or while reading, when the
    file is no capture, cannot be read, or is damaged, with the byte.
    """
    with open_source(path, file) as source:
        yield CaptureStream(path, source)
