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
    unpack = struct.Struct(order + "IIII").unpack_from
    limit = max(MAX_CAPTURED_B, snaplen if snaplen < MAX_BLOCK_B else 0)
    heads: list[tuple[int, int, int, int]] = []
    keep = heads.append
    at, last = 24, size - 16
    truncated_at = None
    while at <= last:
        head = unpack(source, at)
        captured_b = head[2]
        if captured_b > limit:
            reason = f"a packet of {captured_b} bytes cannot be; the file is damaged"
            raise CaptureError(path, at, reason)
        if at + 16 + captured_b > size:
            truncated_at = at
            break
        keep(head)
        at += 16 + captured_b
    if truncated_at is None and at != size:
        truncated_at = at
    columns = np.array(heads, dtype=np.int64).reshape(-1, 4)
    captured = columns[:, 2].copy()
    ends = 24 + np.cumsum(captured + 16)
    return Walk(
        time_ns=columns[:, 0] * _NS + columns[:, 1] * 10 ** (9 - decimals),
        captured_b=captured,
        length_b=columns[:, 3].copy(),
        offset=ends - captured,
        interface=np.zeros(len(heads), dtype=np.int32),
        interfaces=[Interface(link=link & 0xFFFF, snaplen=snaplen)],
        names=[],
        truncated_at=truncated_at,
    )


@dataclass(slots=True, kw_only=True)
class _Section:
    """Packets of one pcapng section while it is walked."""

    order: str
    first: int  # number of the section's first interface in the file
    interfaces: list[Interface] = field(default_factory=list)
    heads: list[tuple[int, ...]] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)


def walk_pcapng(path: Path, source: mmap.mmap | bytes) -> Walk:
    """Walk a pcapng file. Raises CaptureError when a block is damaged."""
    sections: list[_Section] = []
    names: list[bytes] = []
    at = 0
    while at < len(source):
        section, stop, whole = _walk_section(path, source, at, sections, names)
        sections.append(section)
        if not whole:
            return _joined(path, sections, names, stop)
        at = stop
    return _joined(path, sections, names, None)


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
    unpack = struct.Struct(order + "IIIIIII").unpack_from
    length_of = struct.Struct(order + "II").unpack_from
    keep, keep_offset = section.heads.append, section.offsets.append
    at = start
    while at + 12 <= size:
        kind, length = length_of(source, at)
        if kind == blocks.SECTION and at != start:
            return section, at, True
        if length % 4 or not 12 <= length <= MAX_BLOCK_B:
            reason = f"a block of {length} bytes cannot be; the file is damaged"
            raise CaptureError(path, at, reason)
        if at + length > size:
            return section, at, False
        if kind == blocks.PACKET and length >= 32:
            head = unpack(source, at)
            if head[5] > length - 32:
                raise CaptureError(path, at, "a packet is longer than its block")
            keep(head)
            keep_offset(at + 28)
        else:
            _other_block(path, source, at, section, names)
        at += length
    return section, at, at == size


def _byte_order(path: Path, source: mmap.mmap | bytes, at: int) -> str:
    magic = bytes(source[at + 8 : at + 12])
    for order in "<>":
        if magic == struct.pack(order + "I", blocks.BYTE_ORDER):
            return order
    raise CaptureError(path, at, "is not the start of a pcapng section")


def _other_block(
    path: Path,
    source: mmap.mmap | bytes,
    at: int,
    section: _Section,
    names: list[bytes],
) -> None:
    """Take what is needed of a block that is no enhanced packet block."""
    order = section.order
    kind, length = struct.unpack_from(order + "II", source, at)
    body = bytes(source[at + 8 : at + length - 4])
    if kind == blocks.INTERFACE and len(body) >= 8:
        section.interfaces.append(interface_of(body, order))
    elif kind == blocks.NAMES and order == "<":
        names.append(body)
    elif kind == blocks.SIMPLE_PACKET and len(body) >= 4:
        length_b = struct.unpack_from(order + "I", body)[0]
        limit = section.interfaces[0].snaplen if section.interfaces else 0
        captured = min(length_b, len(body) - 4, limit or length_b)
        section.heads.append((kind, length, 0, 0, 0, captured, length_b))
        section.offsets.append(at + 12)
    elif kind == blocks.OLD_PACKET and len(body) >= 20:
        number, _drops, *rest = struct.unpack_from(order + "HHIIII", body)
        if rest[2] > len(body) - 20:
            raise CaptureError(path, at, "a packet is longer than its block")
        section.heads.append((kind, length, number, *rest))
        section.offsets.append(at + 28)


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
    path: Path, sections: list[_Section], names: list[bytes], stop: int | None
) -> Walk:
    """Turn the heads of all sections into columns."""
    interfaces = [each for section in sections for each in section.interfaces]
    tables, numbers = [], []
    for section in sections:
        table = np.array(section.heads, dtype=np.int64).reshape(-1, 7)
        if len(table) and int(table[:, 2].max()) >= len(section.interfaces):
            row = int(np.argmax(table[:, 2] >= len(section.interfaces)))
            reason = f"a packet names interface {table[row, 2]}, which is not declared"
            raise CaptureError(path, section.offsets[row], reason)
        tables.append(table)
        numbers.append(table[:, 2] + section.first)
    heads = np.concatenate(tables) if tables else np.zeros((0, 7), dtype=np.int64)
    interface = np.concatenate(numbers) if numbers else np.zeros(0, dtype=np.int64)
    offsets = [at for section in sections for at in section.offsets]
    ticks = (heads[:, 3].astype(np.uint64) << np.uint64(32)) | heads[:, 4].astype(
        np.uint64
    )
    return Walk(
        time_ns=_times(ticks, interface, interfaces, heads[:, 0]),
        captured_b=heads[:, 5].copy(),
        length_b=heads[:, 6].copy(),
        offset=np.array(offsets, dtype=np.int64),
        interface=interface.astype(np.int32),
        interfaces=interfaces,
        names=names,
        truncated_at=stop,
    )


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
