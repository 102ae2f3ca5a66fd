"""Write a capture as pcapng: stamps in ns, comments where wanted.

with open_capture(path, comment="made by a test") as capture:
capture.packet(time_ns, frame)
"""

import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from analysis.pcap import blocks
from analysis.pcap.blocks import Interface

APPLICATION = "smarthome-testbed"

_HEAD = struct.Struct("<IIIIIII")
_LENGTH = struct.Struct("<I")
_U32 = (1 << 32) - 1


class CaptureWriter:
    """Writes one section of a pcapng file; not thread-safe, buffers what `file` does.

    file     an open binary file; it stays open
    comment  of the section, as shown by capinfos and Wireshark
    """

    def __init__(self, file: BinaryIO, *, comment: str = "") -> None:
        self._file = file
        self._interfaces = 0
        options = [(blocks.OPT_COMMENT, comment.encode())] if comment else []
        options.append((blocks.OPT_SHB_APPLICATION, APPLICATION.encode()))
        head = struct.pack("<IHHq", blocks.BYTE_ORDER, 1, 0, -1)
        body = head + blocks.pack_options(options)
        file.write(blocks.pack_block(blocks.SECTION, body))

    def interface(self, interface: Interface) -> int:
        """Declare an interface; return its number. Its stamps will be in ns."""
        options = [*interface.options, (blocks.OPT_IF_TSRESOL, b"\x09")]
        head = struct.pack("<HHI", interface.link, 0, interface.snaplen)
        body = head + blocks.pack_options(options)
        self._file.write(blocks.pack_block(blocks.INTERFACE, body))
        self._interfaces += 1
        return self._interfaces - 1

    def names(self, body: bytes) -> None:
        """Write a name resolution block with this body (little-endian)."""
        self._file.write(blocks.pack_block(blocks.NAMES, body))

    def packet(
        self,
        time_ns: int,
        data: bytes,
        *,
        interface: int = 0,
        length_b: int | None = None,
        comment: bytes = b"",
    ) -> None:
        """Write one packet.

        time_ns   stamp in ns UTC, not negative
        data      the captured bytes
        length_b  bytes on the wire, when more than were captured
        comment   UTF-8 text shown beside the packet; none when empty

        Raises ValueError when the interface is not declared or the stamp negative.
        """
        if not 0 <= interface < self._interfaces:
            raise ValueError(f"interface {interface} is not declared")
        if time_ns < 0:
            raise ValueError(f"a stamp cannot be negative, got {time_ns}")
        captured_b = len(data)
        tail = bytes(-captured_b % 4)
        if comment:
            tail += blocks.pack_options([(blocks.OPT_COMMENT, comment)])
        total = 32 + captured_b + len(tail)
        head = _HEAD.pack(
            blocks.PACKET,
            total,
            interface,
            time_ns >> 32,
            time_ns & _U32,
            captured_b,
            captured_b if length_b is None else length_b,
        )
        self._file.write(b"".join((head, data, tail, _LENGTH.pack(total))))


@contextmanager
def open_capture(
    path: Path,
    *,
    interfaces: Sequence[Interface] = (Interface(link=blocks.LINK_ETHERNET),),
    comment: str = "",
) -> Iterator[CaptureWriter]:
    """Open `path` for a new capture; the file is complete when the context ends."""
    with path.open("wb") as file:
        writer = CaptureWriter(file, comment=comment)
        for interface in interfaces:
            writer.interface(interface)
        yield writer
