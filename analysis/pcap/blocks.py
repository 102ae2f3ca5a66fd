"""Names and shapes of the pcap and pcapng formats that reader and writer share.

Source: draft-ietf-opsawg-pcapng and draft-ietf-opsawg-pcap.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

SECTION = 0x0A0D0D0A
INTERFACE = 1
OLD_PACKET = 2
SIMPLE_PACKET = 3
NAMES = 4
STATISTICS = 5
PACKET = 6

BYTE_ORDER = 0x1A2B3C4D

OPT_END = 0
OPT_COMMENT = 1
OPT_IF_NAME = 2
OPT_IF_TSRESOL = 9
OPT_IF_TSOFFSET = 14
OPT_SHB_HARDWARE = 2
OPT_SHB_OS = 3
OPT_SHB_APPLICATION = 4

# options of an interface that are text, so that any byte order can keep them:
# name, description, filter, os, hardware
TEXT_OF_INTERFACE = frozenset({2, 3, 11, 12, 15})

# link types that are understood; `links` has the names of all
LINK_NULL = 0
LINK_ETHERNET = 1
LINK_RAW_BSD = 12
LINK_RAW_OPENBSD = 14
LINK_RAW = 101
LINK_IEEE802_11 = 105
LINK_LOOP = 108
LINK_SLL = 113
LINK_RADIOTAP = 127
LINK_IPV4 = 228
LINK_IPV6 = 229
LINK_SLL2 = 276


@dataclass(frozen=True, slots=True, kw_only=True)
class Interface:
    """Where packets were seen.

    link        link type (1 is Ethernet)
    snaplen     most bytes kept of a packet; 0 means no limit
    resolution  if_tsresol: ticks are 10^-n s, or 2^-(n & 127) s when bit 7 is set
    offset_s    if_tsoffset: seconds to add to each stamp
    options     the other options that are text, as (code, value)
    """

    link: int
    snaplen: int = 0
    resolution: int = 9
    offset_s: int = 0
    options: tuple[tuple[int, bytes], ...] = ()

    @property
    def name(self) -> str:
        """Name of the interface on the capturing machine, or ''."""
        values = (value for code, value in self.options if code == OPT_IF_NAME)
        return next(values, b"").decode(errors="replace")


def padding(length_b: int) -> int:
    """Return how many bytes fill `length_b` up to a multiple of four."""
    return -length_b % 4


def pack_option(code: int, value: bytes, order: str = "<") -> bytes:
    """Return one option, padded."""
    head = struct.pack(order + "HH", code, len(value))
    return head + value + bytes(padding(len(value)))


def pack_options(options: list[tuple[int, bytes]], order: str = "<") -> bytes:
    """Return the options with their end mark; nothing when there are none."""
    if not options:
        return b""
    return b"".join(pack_option(c, v, order) for c, v in options) + bytes(4)


def pack_block(kind: int, body: bytes, order: str = "<") -> bytes:
    """Return a block around `body`, which is padded."""
    body += bytes(padding(len(body)))
    length = struct.pack(order + "I", 12 + len(body))
    return struct.pack(order + "I", kind) + length + body + length


def parse_options(body: bytes, at: int, order: str) -> Iterator[tuple[int, bytes]]:
    """Yield (code, value) of the options in `body` from byte `at`; stop at nonsense."""
    head = struct.Struct(order + "HH")
    while at + 4 <= len(body):
        code, length = head.unpack_from(body, at)
        at += 4
        if code == OPT_END or at + length > len(body):
            return
        yield code, body[at : at + length]
        at += length + padding(length)


def interface_of(body: bytes, order: str) -> Interface:
    """Return the interface that the body of a description block declares."""
    link, _reserved, snaplen = struct.unpack_from(order + "HHI", body)
    resolution, offset_s, texts = 6, 0, []
    for code, value in parse_options(body, 8, order):
        if code == OPT_IF_TSRESOL and value:
            resolution = value[0]
        elif code == OPT_IF_TSOFFSET and len(value) == 8:
            offset_s = struct.unpack(order + "q", value)[0]
        elif code in TEXT_OF_INTERFACE or code == OPT_COMMENT:
            texts.append((code, value))
    return Interface(
        link=link,
        snaplen=snaplen,
        resolution=resolution,
        offset_s=offset_s,
        options=tuple(texts),
    )
