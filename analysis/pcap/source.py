"""The bytes of a capture in reused buffers, unpacked if need be.

with open_source(path) as source:
    while (chunk := source.next_chunk(carry)) is not None: ...

Memory stays flat however long the file is. The system is told what will be wanted next,
so that the disk works while packets are decoded; to do so in a thread of our own would
leave the bytes in the cache of another core, which costs more than it gains.
"""

import io
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO, Protocol, cast

import numpy as np
import xxhash
import zstandard
from numpy.typing import NDArray

from analysis.pcap.errors import CaptureError
from analysis.pcap.zstd_frames import FrameWalk

Uint8 = NDArray[np.uint8]

CHUNK_B = 1 << 20  # as large as a second-level cache; larger and smaller are slower
_ROOM_B = 1 << 18  # before each chunk, for the rest of the one before
_AHEAD_B = 16 << 20  # told to the system, in steps of half of it
_CAN_TELL = hasattr(os, "posix_fadvise")  # not on macOS
_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"


class _Bytes(Protocol):
    """Where bytes come from: a file, or what unpacks one."""

    @property
    def cut(self) -> bool:
        """Say whether the packed bytes ended before they should."""

    def readinto(self, room: memoryview) -> int:
        """Fill as much of `room` as is at hand; 0 at the end."""


class Source:
    """Hands out the bytes of a file in order; see `open_source`.

    size_b  bytes of the file as it lies on the disk, read so far
    digest  XXH3 of these bytes, 128 bits in hexadecimal, once all are read
    packed  'gzip', 'zstd' or ''
    cut     the packed file ends too early
    """

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._path = path
        self._raw = _Counted(path, file)
        self.packed, self._bytes = _unpacked(path, self._raw)
        self._buffers = [np.empty(_ROOM_B + CHUNK_B, dtype=np.uint8) for _ in range(2)]

    @property
    def size_b(self) -> int:
        """Bytes of the file on the disk, read so far."""
        return self._raw.size_b

    @property
    def digest(self) -> str:
        """XXH3 of all bytes of the file on the disk: tells changes, proves nothing."""
        return self._raw.hash.hexdigest()

    @property
    def cut(self) -> bool:
        """Say whether the packed file ends too early."""
        return self._bytes.cut

    def next_chunk(self, rest: Uint8) -> Uint8 | None:
        """Return `rest` and the bytes that follow it as one array, None at the end.

        What was returned before is no longer valid, but for `rest`, which is copied.
        Raises CaptureError when the file cannot be read or unpacked.
        """
        self._buffers.reverse()  # `rest` lies in the one that was last filled
        buffer = self._buffers[0]
        try:
            n = self._fill(buffer.data[_ROOM_B:])
        except (OSError, zlib.error, zstandard.ZstdError, EOFError) as exc:
            what = exc.strerror if isinstance(exc, OSError) else f"{exc}"
            packed = f"{self.packed} is damaged: " if self.packed else ""
            reason = f"cannot be read: {packed}{what}"
            raise CaptureError(self._path, self.size_b, reason) from exc
        if n == 0:
            return None
        if rest.size <= _ROOM_B:
            buffer[_ROOM_B - rest.size : _ROOM_B] = rest
            return buffer[_ROOM_B - rest.size : _ROOM_B + n]
        # a block larger than a chunk; it is put together piece by piece
        return np.concatenate((rest, buffer[_ROOM_B : _ROOM_B + n]))

    def _fill(self, room: memoryview) -> int:
        # Short reads come from pipes and unpacking; small chunks would cost time.
        n = 0
        while n < len(room) and (got := self._bytes.readinto(room[n:])):
            n += got
        return n


@contextmanager
def open_source(path: Path, file: BinaryIO | None = None) -> Iterator[Source]:
    """Open a capture for reading in order; gzip and zstd are seen by their magic.

    file  its bytes, when they are not to be read from `path`

    Raises CaptureError when it cannot be opened.
    """
    try:
        opened = path.open("rb", buffering=0) if file is None else file
    except OSError as exc:
        reason = f"cannot be read: {exc.strerror or exc}"
        raise CaptureError(path, None, reason) from exc
    try:
        yield Source(path, opened)
    finally:
        if file is None:
            opened.close()


class _Counted:
    """Bytes as they lie on the disk, counted and digested on the way."""

    cut = False

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._file = file
        self._told_b = 0
        self.size_b = 0
        self.hash = xxhash.xxh3_128()
        try:
            self.first = file.read(4)
        except OSError as exc:
            reason = f"cannot be read: {exc.strerror or exc}"
            raise CaptureError(path, 0, reason) from exc
        self._again = self.first

    def readinto(self, room: memoryview) -> int:
        """Fill `room`, the first four bytes included."""
        if self._again:
            n = min(len(self._again), len(room))
            room[:n] = self._again[:n]
            self._again = self._again[n:]
        else:
            n = self._file.readinto(room)  # type: ignore[attr-defined]
        self.hash.update(room[:n])
        self.size_b += n
        self._tell()
        return n

    def _tell(self) -> None:
        """Say what will be read next, if the bytes come from a file."""
        if self.size_b + _AHEAD_B // 2 < self._told_b or not _CAN_TELL:
            return
        try:
            os.posix_fadvise(
                self._file.fileno(), self._told_b, _AHEAD_B, os.POSIX_FADV_WILLNEED
            )
            self._told_b += _AHEAD_B
        except OSError:  # a pipe, or bytes in memory: there is nothing to fetch
            self._told_b = 1 << 62


def _unpacked(path: Path, raw: _Counted) -> tuple[str, _Bytes]:
    if not raw.first:
        raise CaptureError(path, 0, "is empty")
    if raw.first.startswith(_GZIP):
        return "gzip", _Gunzip(raw)
    if raw.first == _ZSTD:
        return "zstd", _Unzstd(raw)
    return "", raw


class _Gunzip:
    """Unpacks gzip, several members after each other too."""

    def __init__(self, raw: _Counted) -> None:
        self._raw = raw
        self._buffer = memoryview(bytearray(1 << 18))
        self._rest = b""
        self._stream = zlib.decompressobj(wbits=31)
        self._begun = False
        self.cut = False

    def readinto(self, room: memoryview) -> int:
        """Fill a part of `room`; 0 at the end."""
        while True:
            if not self._rest:
                n = self._raw.readinto(self._buffer)
                if n == 0:
                    self.cut = self._begun and not self._stream.eof
                    return 0
                self._rest = bytes(self._buffer[:n])
            if self._stream.eof:
                if not self._rest.startswith(_GZIP[:1]):
                    return 0  # what follows the last member is padding
                self._stream = zlib.decompressobj(wbits=31)
            self._begun = True
            data = self._stream.decompress(self._rest, len(room))
            self._rest = self._stream.unconsumed_tail or self._stream.unused_data
            if data:
                room[: len(data)] = data
                return len(data)


class _Unzstd:
    """Unpacks zstd, several frames after each other too."""

    def __init__(self, raw: _Counted) -> None:
        self._frames = FrameWalk()
        readable = cast("IO[bytes]", _Readable(raw, self._frames))
        unpacker = zstandard.ZstdDecompressor()
        self._reader = unpacker.stream_reader(readable, read_across_frames=True)

    def readinto(self, room: memoryview) -> int:
        """Fill a part of `room`; 0 at the end."""
        return int(self._reader.readinto(room))

    @property
    def cut(self) -> bool:
        """Say whether a frame ends too early, once all is read."""
        return not self._frames.complete


class _Readable(io.RawIOBase):
    """What zstandard wants to read from."""

    def __init__(self, raw: _Counted, frames: FrameWalk) -> None:
        self._raw = raw
        self._frames = frames

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, room: Any) -> int:
        """Fill a part of `room`; 0 at the end."""
        view = memoryview(room)
        n = self._raw.readinto(view)
        self._frames.feed(view[:n])
        return n


def digest_of(path: Path) -> str:
    """Return the digest that `Source` gives for a file; see there."""
    known = xxhash.xxh3_128()
    with path.open("rb", buffering=0) as file:
        while data := file.read(CHUNK_B):
            known.update(data)
    return known.hexdigest()
