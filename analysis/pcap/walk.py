"""From chunks of a capture to batches of packets.

The kernels of `analysis.pcap.framing` do the walking; what they cannot judge comes
here: blocks without a packet, holes, damage, and where a file ends.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from analysis.pcap import blocks, framing
from analysis.pcap.blocks import Interface, interface_of
from analysis.pcap.errors import CaptureError
from analysis.pcap.source import Source

Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]
Uint8 = NDArray[np.uint8]

# magic number as it lies in the file -> (byte order, decimals of a second)
MAGICS_PCAP = {
    b"\xd4\xc3\xb2\xa1": ("<", 6),
    b"\xa1\xb2\xc3\xd4": (">", 6),
    b"\x4d\x3c\xb2\xa1": ("<", 9),
    b"\xa1\xb2\x3c\x4d": (">", 9),
}
PCAPNG = b"\x0a\x0d\x0d\x0a"
# what tshark takes as the longest packet; above it a header is damaged
MAX_CAPTURED_B = 262_144
MAX_BLOCK_B = 16 * 1024 * 1024
FILE_HEAD_B = 24
_BATCH = 32_768  # packets; a chunk of the smallest frames has about as many
_NONE = np.zeros(0, dtype=np.uint8)
_NS = 1_000_000_000
_MAX_OFFSET_S = 1 << 33
_REASONS = {
    framing.BAD_LENGTH: "a block of {} bytes cannot be; the file is damaged",
    framing.OTHER_LENGTH: "a block of {} bytes ends with another length",
    framing.TOO_LONG: "a packet of {} bytes cannot be; the file is damaged",
    framing.TOO_LONG_FOR_BLOCK: "a packet is longer than its block",
    framing.UNKNOWN_INTERFACE: "a packet names interface {}, which is not declared",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """A run of packets of one section; valid until the next batch is asked for.

    data         (m,) uint8, bytes of the file, unpacked
    base         place of data[0] in the (unpacked) file
    first_frame  packets of the file before these
    start        (k,) int64, where each packet begins in `data`
    captured_b   (k,) int64, bytes of it in the file, all of them in `data`
    length_b     (k,) int64, bytes on the wire
    time_ns      (k,) int64, ns UTC; 0 for simple packet blocks, which carry no stamp
    interface    (k,) int32, row of the stream's `interfaces`
    link         (k,) int32, link type of that interface
    block        (k,) int64, where the whole record or block begins in `data`
    block_b      (k,) int64, and its bytes
    order        byte order of the section, '<' or '>'
    others       (row, bytes) of blocks that hold no packet, in the order of the file;
                 each lies before packet `row` of the batch, or after the last
    """

    data: Uint8
    base: int
    first_frame: int
    start: Int64
    captured_b: Int64
    length_b: Int64
    time_ns: Int64
    interface: Int32
    link: Int32
    block: Int64
    block_b: Int64
    order: str
    others: tuple[tuple[int, bytes], ...] = ()

    def __len__(self) -> int:
        return self.start.size


class Window:
    """The part of a file that is looked at; it moves on and never back.

    data          (m,) uint8, valid until `grow`
    base          place of data[0] in the (unpacked) file
    truncated_at  byte at which the file ends inside a packet, or None
    """

    def __init__(self, path: Path, source: Source) -> None:
        self.path = path
        self._source = source
        self.data: Uint8 = _NONE
        self.base = 0
        self.truncated_at: int | None = None
        self.grow(0)

    def grow(self, at: int) -> bool:
        """Let go what lies before `at`, add a chunk; False when there is none."""
        chunk = self._source.next_chunk(self.data[at:])
        if chunk is None:
            return False
        self.base += at
        self.data = chunk
        return True

    def fault(self, at: int, reason: str) -> CaptureError:
        """Return an error that names the byte of the file."""
        return CaptureError(self.path, self.base + at, reason)

    def only_zeros_from(self, at: int) -> bool:
        """Say whether only zeros follow: space set aside before a power cut."""
        while not self.data[at:].any():
            at = self.data.size
            if not self.grow(at):
                return True
            at = 0
        return False

    def stop(self, at: int) -> None:
        """Note where the file ends, when that is inside a packet."""
        if at < self.data.size:
            self.truncated_at = self.base + at


class _Rows:
    """Output of the kernels, used again for each batch, and what goes with it."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self.out = tuple(np.empty(_BATCH, dtype=np.int64) for _ in range(7))
        self.n = 0
        self.n_before = 0
        self.others: list[tuple[int, bytes]] = []

    def take(self, order: str, links: Int32, first_interface: int) -> Iterator[Batch]:
        """Yield what has come together, if anything, and begin anew."""
        n, others = self.n, tuple(self.others)
        if not n and not others:
            return
        start, captured_b, length_b, time_ns, number, block, block_b = (
            column[:n] for column in self.out
        )
        batch = Batch(
            data=self._window.data,
            base=self._window.base,
            first_frame=self.n_before,
            start=start,
            captured_b=captured_b,
            length_b=length_b,
            time_ns=time_ns,
            interface=(number + first_interface).astype(np.int32),
            link=links[number] if n else np.zeros(0, dtype=np.int32),
            block=block,
            block_b=block_b,
            order=order,
            others=others,
        )
        self.n_before += n
        self.n, self.others = 0, []
        yield batch


def walk_pcap(window: Window, interfaces: list[Interface]) -> Iterator[Batch]:
    """Yield the packets of a pcap file; its one interface is put into `interfaces`.

    Raises CaptureError where a record cannot be.
    """
    if window.data.size < FILE_HEAD_B:
        raise window.fault(window.data.size, "ends inside the file header")
    order, decimals = MAGICS_PCAP[window.data[:4].tobytes()]
    snaplen, link = struct.unpack_from(order + "II", window.data.data, 16)
    link &= 0xFFFF
    interfaces.append(Interface(link=link, snaplen=snaplen, resolution=decimals))
    links = np.array([link], dtype=np.int32)
    limit = max(MAX_CAPTURED_B, snaplen if snaplen < MAX_BLOCK_B else 0)
    rows = _Rows(window)
    at, final = FILE_HEAD_B, False
    while True:
        rule = (order == ">", 10 ** (9 - decimals), limit, final)
        rows.n, at, status = framing.frame_pcap(window.data, at, 0, rule, rows.out)
        yield from rows.take(order, links, 0)
        if status == framing.TOO_LONG:
            (long_b,) = struct.unpack_from(order + "I", window.data.data, at + 8)
            raise window.fault(at, _REASONS[status].format(long_b))
        if status == framing.HOLE:
            _end_in_zeros(window, at, "is a hole of zeros, not a packet")
            return
        if status == framing.NEED_MORE:
            if final:
                window.stop(at)
                return
            final = not window.grow(at)
            at = at if final else 0


def _end_in_zeros(window: Window, at: int, reason: str) -> None:
    """Take zeros up to the end of the file as cut off. Raises CaptureError."""
    place = window.base + at
    if not window.only_zeros_from(at):
        raise CaptureError(window.path, place, reason)
    window.truncated_at = place


class _Section:
    """One section of a pcapng file: byte order, and what its packets refer to.

    order  byte order, '<' or '>'
    first  its first interface in the list of all
    links  (m,) int32, link type of each interface
    known  (m,) int64 each: resolution, offset in ns and snaplen
    """

    def __init__(self, order: str, first: int) -> None:
        self.order = order
        self.first = first
        # with room for more, so that many interfaces cost no more each than a few
        self._links = np.zeros(4, dtype=np.int32)
        self._known = np.zeros((3, 4), dtype=np.int64)
        self._show(0)

    def add(self, interface: Interface) -> None:
        """Lay an interface out for the kernels, behind the others."""
        n = self.links.size
        if n == self._links.size:
            self._links = np.concatenate((self._links, np.zeros_like(self._links)))
            self._known = np.hstack((self._known, np.zeros_like(self._known)))
        self._links[n] = interface.link
        offset_ns = interface.offset_s * _NS
        self._known[:, n] = interface.resolution, offset_ns, interface.snaplen
        self._show(n + 1)

    def _show(self, n: int) -> None:
        self.links: Int32 = self._links[:n]
        resolution, offset_ns, snaplen = self._known[:, :n]
        self.known = (resolution, offset_ns, snaplen)


def walk_pcapng(
    window: Window, interfaces: list[Interface], names: list[bytes]
) -> Iterator[Batch]:
    """Yield the packets of a pcapng file.

    interfaces, names  are filled with what the file declares, as it is met

    Raises CaptureError where a block cannot be.
    """
    rows = _Rows(window)
    section = _Section(_order_of(window, 0), 0)
    at = 0
    while True:
        rule = (section.order == ">", MAX_BLOCK_B)
        rows.n, at, status = framing.frame_pcapng(
            window.data, at, rows.n, rule, section.known, rows.out
        )
        if status == framing.OTHER_BLOCK:
            block = _block_at(window, at, section.order)
            if block is not None:
                if block[:4] == PCAPNG:
                    yield from rows.take(section.order, section.links, section.first)
                section = _declared(window, at, block, section, interfaces, names)
                rows.others.append((rows.n, block))
                at += len(block)
                continue
            status = framing.NEED_MORE
        yield from rows.take(section.order, section.links, section.first)
        if status >= framing.BAD_LENGTH:
            _end_or_raise(window, at, status, section.order)
            return
        if status == framing.NEED_MORE:
            if not window.grow(at):
                window.stop(at)
                return
            at = 0


def _order_of(window: Window, at: int) -> str:
    """Return the byte order of the section that begins at `at`."""
    magic = window.data[at + 8 : at + 12].tobytes()
    for order in "<>":
        if magic == struct.pack(order + "I", blocks.BYTE_ORDER):
            return order
    raise window.fault(at, "is not the start of a pcapng section")


def _block_at(window: Window, at: int, order: str) -> bytes | None:
    """Return the block at `at`, None when it is not all there. Raises CaptureError."""
    if window.data[at : at + 4].tobytes() == PCAPNG:
        order = _order_of(window, at)
    (size,) = struct.unpack_from(order + "I", window.data.data, at + 4)
    if size % 4 or not 12 <= size <= MAX_BLOCK_B:
        raise window.fault(at, _REASONS[framing.BAD_LENGTH].format(size))
    if at + size > window.data.size:
        return None
    block = window.data[at : at + size].tobytes()
    if block[-4:] != block[4:8]:
        raise window.fault(at, _REASONS[framing.OTHER_LENGTH].format(size))
    return block


def _declared(
    window: Window,
    at: int,
    block: bytes,
    section: _Section,
    interfaces: list[Interface],
    names: list[bytes],
) -> _Section:
    """Take in what a block declares; return the section that packets now are in."""
    if block[:4] == PCAPNG:
        return _Section(_order_of(window, at), len(interfaces))
    (kind,) = struct.unpack_from(section.order + "I", block)
    if kind == blocks.INTERFACE and len(block) >= 20:
        interface = interface_of(block[8:-4], section.order)
        if abs(interface.offset_s) > _MAX_OFFSET_S:
            reason = f"an interface with stamps {interface.offset_s} s off cannot be"
            raise window.fault(at, reason)
        interfaces.append(interface)
        section.add(interface)
    if kind == blocks.NAMES and section.order == "<":
        names.append(block[8:-4])
    return section


def _end_or_raise(window: Window, at: int, status: int, order: str) -> None:
    """End in zeros that were set aside, or raise CaptureError."""
    kind, size = struct.unpack_from(order + "II", window.data.data, at)
    number = 0  # a simple packet is of the first interface
    if status == framing.UNKNOWN_INTERFACE and kind != blocks.SIMPLE_PACKET:
        width = "I" if kind == blocks.PACKET else "H"
        (number,) = struct.unpack_from(order + width, window.data.data, at + 8)
    unknown = status == framing.UNKNOWN_INTERFACE
    reason = _REASONS[status].format(number if unknown else size)
    if status == framing.BAD_LENGTH and kind == size == 0:
        _end_in_zeros(window, at, reason)
        return
    raise window.fault(at, reason)
