"""Write chosen packets of captures as one pcapng file, with comments on some of them.

with rewritten(path, about="campaign=evening", comments=texts) as writer:
    for each in captures:
        with open_capture_stream(each) as stream:
            writer.begin(stream)
            for batch in stream:
                writer.write(batch, rows, label)
    writer.keep()

Each section of a pcapng file becomes a section, each pcap file one with one interface.
Everything that is not a packet stays: interfaces, names, statistics, what is unknown.
"""

import os
import struct
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from analysis.pcap import blocks
from analysis.pcap.copying import (
    Int32,
    Int64,
    Notes,
    copy_blocks,
    copy_records,
    room_for,
)
from analysis.pcap.errors import cannot_write
from analysis.pcap.stream import CaptureStream
from analysis.pcap.walk import FILE_HEAD_B, MAGICS_PCAP, PCAPNG, Batch
from analysis.pcap.writer import APPLICATION

_BUFFER_B = 1 << 19
_SECTION_HEAD_B = 24  # type, length, byte order, version, length of the section
_UNKNOWN_B = b"\xff" * 8
_MOST_COMMENT_B = 0xFFFF


class Rewriter:
    """Writes one file; see `rewritten`. Memory stays flat however long it becomes.

    path   the file as it will be called; until `keep` it has another name
    about  comment that each section gets; none when empty
    """

    def __init__(self, path: Path, *, about: str, comments: Sequence[str]) -> None:
        self.path = path
        self._part = path.with_name(f".{path.name}.part")
        self._about = _cut(about)
        self._notes = _notes(comments)
        # one buffer is filled while the other is written
        self._out = np.empty(_BUFFER_B, dtype=np.uint8)
        self._other = np.empty(_BUFFER_B, dtype=np.uint8)
        self._used = 0
        self._thread = ThreadPoolExecutor(max_workers=1)
        self._writing: Future[None] | None = None
        self._written = 0
        self._ticks_per_s = 0  # of the pcap file that is being copied, or 0
        try:
            self._file = self._part.open("wb", buffering=0)
        except OSError as exc:
            raise cannot_write(path, exc) from exc

    def begin(self, stream: CaptureStream) -> None:
        """Go on with another capture. Raises CaptureError when the disk is full."""
        self._ticks_per_s = 0
        if stream.is_pcapng or len(stream.head) < FILE_HEAD_B:
            return  # its own section header comes with its first packets
        order, decimals = MAGICS_PCAP[stream.head[:4]]
        self._ticks_per_s = 10**decimals
        options = [(blocks.OPT_SHB_APPLICATION, APPLICATION.encode())]
        body = struct.pack(order + "IHHq", blocks.BYTE_ORDER, 1, 0, -1)
        body += blocks.pack_options(options, order)
        section = blocks.pack_block(blocks.SECTION, body, order)
        self._put(self._with_about(section))
        snaplen, link = struct.unpack_from(order + "II", stream.head, 16)
        body = struct.pack(order + "HHI", link & 0xFFFF, 0, snaplen)
        resolution = [(blocks.OPT_IF_TSRESOL, bytes([decimals]))]
        body += blocks.pack_options(resolution, order)
        self._put(blocks.pack_block(blocks.INTERFACE, body, order))

    def write(self, batch: Batch, rows: Int64, label: Int32 | None = None) -> None:
        """Copy packets of a batch, and all its blocks that hold none.

        rows   (n,) int64, increasing
        label  (n,) int32, row of the comment of each, -1 for none. A simple
               packet block has no place for one

        Raises CaptureError when the disk is full.
        """
        if label is None:
            label = np.full(rows.shape, -1, dtype=np.int32)
        done = 0
        for row, block in batch.others:
            upto = int(np.searchsorted(rows, row, side="left"))
            self._copy(batch, rows[done:upto], label[done:upto])
            self._put(self._with_about(block))
            done = upto
        self._copy(batch, rows[done:], label[done:])

    def close(self) -> None:
        """Write what is left, and close. Raises CaptureError when the disk is full."""
        self._flush()
        self._settle()
        self._file.close()

    def keep(self) -> None:
        """Give the file, which is closed, its name."""
        try:
            self._part.replace(self.path)
        except OSError as exc:
            raise cannot_write(self.path, exc) from exc

    def discard(self) -> None:
        """Leave nothing behind, unless the file was kept."""
        self._thread.shutdown()
        self._file.close()
        self._part.unlink(missing_ok=True)

    def _copy(self, batch: Batch, rows: Int64, label: Int32) -> None:
        if not rows.size:
            return
        block_b = batch.block_b
        self._make_room(room_for(block_b[rows], label, self._notes))
        big = batch.order == ">"
        chosen, target = (rows, label), (self._out, self._used)
        if self._ticks_per_s:
            records = (batch.block, self._ticks_per_s, big)
            self._used = copy_records(batch.data, records, chosen, self._notes, target)
        else:
            where = (batch.block, block_b, big)
            self._used = copy_blocks(batch.data, where, chosen, self._notes, target)

    def _with_about(self, block: bytes) -> bytes:
        """Return the block; a section header with our comment and of open length."""
        if block[:4] != PCAPNG or len(block) < _SECTION_HEAD_B + 4:
            return block
        order = "<" if block[8:9] == b"\x4d" else ">"
        options = block[_SECTION_HEAD_B:-4]
        if self._about:
            end = b"" if any(options[:2]) else bytes(4)
            comment = blocks.pack_option(blocks.OPT_COMMENT, self._about, order)
            options = comment + end + options
        body = block[8:16] + _UNKNOWN_B + options
        return blocks.pack_block(blocks.SECTION, body, order)

    def _put(self, block: bytes) -> None:
        self._make_room(len(block))
        end = self._used + len(block)
        self._out[self._used : end] = np.frombuffer(block, dtype=np.uint8)
        self._used = end

    def _make_room(self, room_b: int) -> None:
        if self._used + room_b <= self._out.size:
            return
        self._flush()
        if room_b > self._out.size:
            self._out = np.empty(room_b, dtype=np.uint8)

    def _flush(self) -> None:
        self._settle()
        filled = memoryview(self._out.data)[: self._used]
        self._writing = self._thread.submit(self._write_out, filled)
        self._out, self._other = self._other, self._out
        self._used = 0

    def _settle(self) -> None:
        """Wait until what was handed to the thread is written."""
        if self._writing is None:
            return
        try:
            self._writing.result()
        except OSError as exc:
            raise cannot_write(self.path, exc) from exc

    def _write_out(self, left: memoryview) -> None:
        while left:
            n = os.write(self._file.fileno(), left)
            self._written += n
            left = left[n:]


@contextmanager
def rewritten(
    path: Path, *, about: str = "", comments: Sequence[str] = ()
) -> Iterator[Rewriter]:
    """Open `path` for a selection of packets; it appears with `keep`, or not at all.

    about     comment that each section gets
    comments  texts that packets can get, by their row

    Raises CaptureError when the file cannot be written.
    """
    writer = Rewriter(path, about=about, comments=comments)
    try:
        yield writer
    finally:
        writer.discard()


def _notes(comments: Sequence[str]) -> Notes:
    """Lay the texts out for the kernels; each is cut where an option must end."""
    texts = [*(_cut(text) for text in comments), b""]
    size = np.array([len(text) for text in texts], dtype=np.int64)
    first = np.cumsum(size) - size
    pool: NDArray[np.uint8] = np.frombuffer(b"".join(texts), dtype=np.uint8).copy()
    return pool, first, size


def _cut(text: str) -> bytes:
    data = text.encode()
    if len(data) <= _MOST_COMMENT_B:
        return data
    return data[:_MOST_COMMENT_B].decode(errors="ignore").encode()
