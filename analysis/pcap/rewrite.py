"""Copy a capture packet by packet: move its stamps, or put comments beside packets.

Everything that is not asked for stays as it is, byte for byte: other blocks, options,
interfaces, byte order. Memory stays flat however long the file is.
"""

import struct
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from analysis.pcap import blocks
from analysis.pcap.blocks import interface_of
from analysis.pcap.errors import CaptureError
from analysis.pcap.walk import MAGICS_PCAP, MAX_BLOCK_B

_NS = 1_000_000_000
_PCAPNG = b"\x0a\x0d\x0d\x0a"
_BUFFER_B = 1 << 20
_STAMPED = (blocks.PACKET, blocks.OLD_PACKET)

Skew = Callable[[int], int]


def shift_stamps(path: Path, skew: Skew) -> None:
    """Move the stamp of each packet of `path` by `skew(stamp)` ns.

    The file is replaced in one step when all is done. A stamp is rounded down to the
    resolution of its file. A part of a packet at the end (a capture that was killed)
    is kept as it is. Raises CaptureError when the file is damaged or a stamp would not
    fit; it is then untouched.
    """
    part = path.with_name(path.name + ".part")
    try:
        copy_capture(path, part, skew=skew)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def copy_capture(
    source: Path,
    target: Path,
    *,
    skew: Skew | None = None,
    comments: Mapping[int, str] | None = None,
) -> int:
    """Copy `source` to `target`; return the number of packets.

    skew      returns ns to add to a packet's stamp, from that stamp
    comments  frame number, from 1 -> text to add as the packet's first comment

    Raises CaptureError when the file is damaged, a moved stamp would not fit, or
    comments are wanted in a pcap file, which has no place for them.
    """
    with source.open("rb", _BUFFER_B) as old, target.open("wb", _BUFFER_B) as new:
        magic = old.read(4)
        old.seek(0)
        if magic == _PCAPNG:
            return _copy_pcapng(source, old, new, skew, comments or {})
        if magic not in MAGICS_PCAP:
            reason = f"is not a pcap or pcapng file ({magic.hex()})"
            raise CaptureError(source, 0, reason)
        if comments:
            raise CaptureError(source, 0, "is pcap, which cannot hold comments")
        return _copy_pcap(source, old, new, skew)


def _copy_pcap(path: Path, old: BinaryIO, new: BinaryIO, skew: Skew | None) -> int:
    head = old.read(24)
    new.write(head)
    order, decimals = MAGICS_PCAP[head[:4]]
    tick_ns = 10 ** (9 - decimals)
    record = struct.Struct(order + "IIII")
    count = 0
    while len(head := old.read(16)) == 16:
        seconds, ticks, captured_b, length_b = record.unpack(head)
        at = old.tell() - 16
        if captured_b > MAX_BLOCK_B:
            raise CaptureError(path, at, f"a packet of {captured_b} bytes cannot be")
        if skew is not None:
            time_ns = seconds * _NS + ticks * tick_ns
            seconds, rest = divmod(time_ns + skew(time_ns), _NS)
            if not 0 <= seconds < 1 << 32:
                raise CaptureError(path, at, "a moved stamp is before 1970 or too late")
            head = record.pack(seconds, rest // tick_ns, captured_b, length_b)
        new.write(head)
        new.write(old.read(captured_b))
        count += 1
    new.write(head)
    return count


def _copy_pcapng(
    path: Path,
    old: BinaryIO,
    new: BinaryIO,
    skew: Skew | None,
    comments: Mapping[int, str],
) -> int:
    """Copy blocks; see `copy_capture`."""
    count = 0
    resolutions: list[tuple[int, int]] = []
    for at, order, block in _blocks(path, old):
        # a part at the end goes through as if it were no block
        whole = len(block) >= 12 and len(block) == _u32(block, 4, order)
        kind = _u32(block, 0, order) if whole else None
        if kind == blocks.SECTION:
            resolutions = []
        elif kind == blocks.INTERFACE:
            interface = interface_of(block[8:-4], order)
            resolutions.append((interface.resolution, interface.offset_s))
        elif kind in (*_STAMPED, blocks.SIMPLE_PACKET):
            count += 1
        changed = block
        if skew is not None and kind in _STAMPED:
            changed = _moved(path, at, block, order, resolutions, skew)
        if count in comments and kind == blocks.PACKET:
            changed = _commented(changed, order, comments[count])
        new.write(changed)
    return count


def _blocks(path: Path, file: BinaryIO) -> Iterator[tuple[int, str, bytes]]:
    """Yield (offset, byte order, bytes) of each block; the last may be a part."""
    order = "<"
    at = 0
    while head := file.read(8):
        if len(head) < 8:
            yield at, order, head
            return
        if head[:4] == _PCAPNG:
            magic = file.read(4)
            order = "<" if magic == struct.pack("<I", blocks.BYTE_ORDER) else ">"
            head += magic
        length = _u32(head, 4, order)
        if length % 4 or not 12 <= length <= MAX_BLOCK_B:
            raise CaptureError(path, at, f"a block of {length} bytes cannot be")
        yield at, order, head + file.read(length - len(head))
        at += length


def _u32(block: bytes, at: int, order: str) -> int:
    value: int = struct.unpack_from(order + "I", block, at)[0]
    return value


def _moved(
    path: Path,
    at: int,
    block: bytes,
    order: str,
    resolutions: list[tuple[int, int]],
    skew: Skew,
) -> bytes:
    """Return the packet block with its stamp moved."""
    number, high, low = struct.unpack_from(order + "III", block, 8)
    if _u32(block, 0, order) == blocks.OLD_PACKET:
        number = struct.unpack_from(order + "H", block, 8)[0]
    if number >= len(resolutions):
        reason = f"a packet names interface {number}, which is not declared"
        raise CaptureError(path, at, reason)
    resolution, offset_s = resolutions[number]
    per_s = 1 << (resolution & 0x7F) if resolution & 0x80 else 10**resolution
    ticks = (high << 32) | low
    time_ns = ticks * _NS // per_s + offset_s * _NS
    # move by whole ticks, so that what a tick has below a nanosecond stays
    ticks += skew(time_ns) * per_s // _NS
    if not 0 <= ticks < 1 << 64:
        raise CaptureError(path, at, "a moved stamp is before 1970 or too late")
    stamp = struct.pack(order + "II", ticks >> 32, ticks & 0xFFFFFFFF)
    return block[:12] + stamp + block[20:]


def _commented(block: bytes, order: str, text: str) -> bytes:
    """Return the enhanced packet block with `text` as its first comment."""
    captured_b = _u32(block, 20, order)
    tail = blocks.PACKET_HEAD_B + captured_b + blocks.padding(captured_b)
    options = block[tail:-4]
    comment = blocks.pack_option(blocks.OPT_COMMENT, text.encode(), order)
    body = block[8:tail] + comment + (options or bytes(4))
    return blocks.pack_block(blocks.PACKET, body, order)
