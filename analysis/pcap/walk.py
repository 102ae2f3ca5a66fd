"""Walk the headers of a capture: where each packet lies and when it was seen.

One tight loop per format over the file's bytes; everything per packet that can wait is
done afterwards on whole columns.
"""

import mmap
import struct
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from analysis.pcap import blocks
from analysis.pcap.blocks import Interface
from analysis.pcap.errors import CaptureError

# magic number as it lies in the file -> (byte order, decimals of a second)
MAGICS_PCAP = {
    b"\xd4\xc3\xb2\xa1": ("<", 6),
    b"\xa1\xb2\xc3\xd4": (">", 6),
    b"\x4d\x3c\xb2\xa1": ("<", 9),
    b"\xa1\xb2\x3c\x4d": (">", 9),
}

# what tshark takes as the longest packet; above it a header is damaged
MAX_CAPTURED_B = 262_144
MAX_BLOCK_B = 16 * 1024 * 1024
_NS = 1_000_000_000
_PACKETS = (blocks.PACKET, blocks.SIMPLE_PACKET, blocks.OLD_PACKET)


@dataclass(slots=True, kw_only=True)
class Walk:
    """Columns of a walk; see `analysis.pcap.reader.Frames`."""

    time_ns: NDArray[np.int64]
    captured_b: NDArray[np.int64]
    length_b: NDArray[np.int64]
    offset: NDArray[np.int64]
    interface: NDArray[np.int32]
    interfaces: list[Interface]
    names: list[bytes]
    truncated_at: int | None


def walk_pcap(path: Path, source: mmap.mmap | bytes) -> Walk:
    """Walk a pcap file. Raises CaptureError when a record header is damaged."""
    size = len(source)
    order, decimals = MAGICS_PCAP[bytes(source[:4])]
    if size < 24:
        raise CaptureError(path, size, "ends inside the file header")
    snaplen, link = struct.unpack_from(order + "II", source, 16)
    captured_at = struct.Struct(order + "I").unpack_from
    limit = max(MAX_CAPTURED_B, snaplen if snaplen < MAX_BLOCK_B else 0)
    starts: list[int] = []
    keep = starts.append
    at, last = 24, size - 16
    truncated_at = None
    while at <= last:
        (captured_b,) = captured_at(source, at + 8)
        if captured_b > limit:
            reason = f"a packet of {captured_b} bytes cannot be; the file is damaged"
            raise CaptureError(path, at, reason)
        if at + 16 + captured_b > size:
            truncated_at = at
            break
        keep(at)
        at += 16 + captured_b
    if truncated_at is None and at != size:
        truncated_at = at
    start = np.array(starts, dtype=np.int64)
    seconds, ticks, captured, length_b = _words(source, start, 4, order).T
    return Walk(
        time_ns=seconds * _NS + ticks * 10 ** (9 - decimals),
        captured_b=captured,
        length_b=length_b,
        offset=start + blocks.RECORD_HEAD_B,
        interface=np.zeros(len(starts), dtype=np.int32),
        interfaces=[Interface(link=link & 0xFFFF, snaplen=snaplen)],
        names=[],
        truncated_at=truncated_at,
    )


def zeros_from(source: mmap.mmap | bytes, at: int) -> bool:
    """Say whether only zeros follow: space that was set aside before a power cut."""
    rest = bytes(source[at:])
    return rest.count(0) == len(rest)


def _words(
    source: mmap.mmap | bytes, start: NDArray[np.int64], count: int, order: str
) -> NDArray[np.int64]:
    """Gather `count` 32-bit numbers at each start; (n, count) int64."""
    data = np.frombuffer(source, dtype=np.uint8)
    places = start[:, np.newaxis] + np.arange(4 * count)
    # a short block at the very end has fewer; what is beyond the end is not looked at
    words = data.take(places, mode="clip").view(order + "u4")
    return words.astype(np.int64)


@dataclass(slots=True, kw_only=True)
class _Section:
    """Packets of one pcapng section while it is walked."""

    order: str
    first: int  # number of the section's first interface in the file
    interfaces: list[Interface] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)


def walk_pcapng(path: Path, source: mmap.mmap | bytes) -> Walk:
    """Walk a pcapng file. Raises CaptureError when a block is damaged."""
    sections: list[_Section] = []
    names: list[bytes] = []
    at = 0
    while at < len(source):
        section, stop, whole = _walk_section(path, source, at, sections, names)
        sections.append(section)
        if not whole:
            return _joined(path, source, sections, names, stop)
        at = stop
    return _joined(path, source, sections, names, None)


def _walk_section(
    path: Path,
    source: mmap.mmap | bytes,
    start: int,
    before: list[_Section],
    names: list[bytes],
) -> tuple[_Section, int, bool]:
    """Walk one section; return it, where it stopped, and whether it was whole."""
    size = len(source)
    order = _byte_order(path, source, start)
    first = sum(len(section.interfaces) for section in before)
    section = _Section(order=order, first=first)
    length_of = struct.Struct(order + "II").unpack_from
    keep = section.starts.append
    at = start
    while at + 12 <= size:
        kind, length = length_of(source, at)
        if kind == blocks.SECTION and at != start:
            return section, at, True
        if kind == length == 0 and zeros_from(source, at):
            return section, at, False
        if length % 4 or not 12 <= length <= MAX_BLOCK_B:
            reason = f"a block of {length} bytes cannot be; the file is damaged"
            raise CaptureError(path, at, reason)
        if at + length > size:
            return section, at, False
        if kind in _PACKETS:
            keep(at)
        elif kind == blocks.INTERFACE and length >= 20:
            body = bytes(source[at + 8 : at + length - 4])
            section.interfaces.append(interface_of(body, order))
        elif kind == blocks.NAMES and order == "<":
            names.append(bytes(source[at + 8 : at + length - 4]))
        at += length
    return section, at, at == size


def _byte_order(path: Path, source: mmap.mmap | bytes, at: int) -> str:
    magic = bytes(source[at + 8 : at + 12])
    for order in "<>":
        if magic == struct.pack(order + "I", blocks.BYTE_ORDER):
            return order
    raise CaptureError(path, at, "is not the start of a pcapng section")


def interface_of(body: bytes, order: str) -> Interface:
    """Return the interface that the body of a description block declares."""
    link, _reserved, snaplen = struct.unpack_from(order + "HHI", body)
    resolution, offset_s, texts = 6, 0, []
    for code, value in blocks.parse_options(body, 8, order):
        if code == blocks.OPT_IF_TSRESOL and value:
            resolution = value[0]
        elif code == blocks.OPT_IF_TSOFFSET and len(value) == 8:
            offset_s = struct.unpack(order + "q", value)[0]
        elif code in blocks.TEXT_OF_INTERFACE or code == blocks.OPT_COMMENT:
            texts.append((code, value))
    return Interface(
        link=link,
        snaplen=snaplen,
        resolution=resolution,
        offset_s=offset_s,
        options=tuple(texts),
    )


def _joined(
    path: Path,
    source: mmap.mmap | bytes,
    sections: list[_Section],
    names: list[bytes],
    stop: int | None,
) -> Walk:
    """Turn the packet blocks of all sections into columns."""
    interfaces = [each for section in sections for each in section.interfaces]
    heads = np.concatenate([_heads(path, source, section) for section in sections])
    ticks = heads[:, 3].astype(np.uint64) << np.uint64(32)
    ticks |= heads[:, 4].astype(np.uint64)
    return Walk(
        time_ns=_times(ticks, heads[:, 2], interfaces, heads[:, 0]),
        captured_b=heads[:, 5].copy(),
        length_b=heads[:, 6].copy(),
        offset=heads[:, 7].copy(),
        interface=heads[:, 2].astype(np.int32),
        interfaces=interfaces,
        names=names,
        truncated_at=stop,
    )


def _heads(
    path: Path, source: mmap.mmap | bytes, section: _Section
) -> NDArray[np.int64]:
    """Return what the packet blocks of a section say of themselves.

    returns  (n, 8) int64: kind, length, interface of the file, upper and lower half of
             the stamp, captured bytes, bytes on the wire, where the packet begins
    """
    start = np.array(section.starts, dtype=np.int64)
    words = _words(source, start, 7, section.order)
    heads = np.column_stack((words, start + blocks.PACKET_HEAD_B))
    simple = heads[:, 0] == blocks.SIMPLE_PACKET
    if simple.any():
        snaplen = section.interfaces[0].snaplen if section.interfaces else 0
        length_b, room = heads[simple, 2], heads[simple, 1] - 16
        captured = np.minimum(length_b, np.minimum(room, snaplen or room))
        heads[simple, 2:5] = 0
        heads[simple, 5], heads[simple, 6] = captured, length_b
        heads[simple, 7] = start[simple] + 12
    old = heads[:, 0] == blocks.OLD_PACKET
    # number of the interface and drops share the word, in the order of the bytes
    shared = heads[old, 2]
    heads[old, 2] = shared & 0xFFFF if section.order == "<" else shared >> 16
    head_b = np.where(simple, 16, 32)
    long = np.maximum(heads[:, 5], 0) + head_b > heads[:, 1]
    if long.any():
        at = int(start[int(np.argmax(long))])
        raise CaptureError(path, at, "a packet is longer than its block")
    unknown = heads[:, 2] >= len(section.interfaces)
    if unknown.any():
        row = int(np.argmax(unknown))
        reason = f"a packet names interface {heads[row, 2]}, which is not declared"
        raise CaptureError(path, int(start[row]), reason)
    heads[:, 2] += section.first
    return heads


def _times(
    ticks: NDArray[np.uint64],
    interface: NDArray[np.int64],
    interfaces: list[Interface],
    kind: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Return stamps in ns; simple packets, which have none, get 0."""
    time_ns = np.zeros(ticks.shape, dtype=np.int64)
    for number, each in enumerate(interfaces):
        mine = interface == number
        ns = ticks_to_ns(ticks[mine], each.resolution)
        time_ns[mine] = ns + each.offset_s * _NS
    time_ns[kind == blocks.SIMPLE_PACKET] = 0
    return time_ns


def ticks_to_ns(ticks: NDArray[np.uint64], resolution: int) -> NDArray[np.int64]:
    """Return ns for stamps in units of if_tsresol, rounded down.

    ticks       (n,) uint64
    resolution  10^-n s, or 2^-(n & 127) s when bit 7 is set
    returns     (n,) int64
    """
    power = resolution & 0x7F
    if not resolution & 0x80:
        scale = np.uint64(10 ** min(abs(9 - power), 19))
        scaled = ticks * scale if power <= 9 else ticks // scale
        return scaled.astype(np.int64)
    shift = np.uint64(min(power, 63))
    seconds = ticks >> shift
    part = ticks & ((np.uint64(1) << shift) - np.uint64(1))
    # 33 bits are finer than a nanosecond, and times 10^9 still fit into 64
    surplus = np.uint64(max(0, int(shift) - 33))
    fraction = (part >> surplus) * np.uint64(_NS) >> (shift - surplus)
    return (seconds * np.uint64(_NS) + fraction).astype(np.int64)
