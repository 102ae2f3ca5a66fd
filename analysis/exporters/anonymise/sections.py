"""Blocks of a pcapng file that hold no packet: what a stranger may read of them."""

import re
import struct

from analysis.exporters.anonymise.pseudonyms import Pseudonyms
from analysis.exporters.anonymise.replace import Replacer
from analysis.pcap import blocks
from analysis.pcap.blocks import Interface, interface_of
from analysis.pcap.walk import PCAPNG

_NS = 1_000_000_000
_COUNTERS = frozenset((4, 5, 6, 7, 8))  # of statistics: received, dropped ...
# of interfaces: speed, resolution, check sequence, offset
_OF_INTERFACE = frozenset(
    (8, blocks.OPT_IF_TSRESOL, 13, blocks.OPT_IF_TSOFFSET, 16, 17)
)
_USUAL = re.compile(
    rb"(any|lo|(br-)?[lw]an|eth|wlan|wlp\w+|en|phy|ap|mon|br|veth)[\d.-]*"
)
_NAME_IPV4, _NAME_IPV6 = 1, 2


class Sections:
    """Rewrites the blocks of one capture in their order."""

    def __init__(
        self, pseudonyms: Pseudonyms, replacer: Replacer, shift_ns: int
    ) -> None:
        self._pseudonyms = pseudonyms
        self._replacer = replacer
        self._shift_ns = shift_ns
        self._interfaces: list[Interface] = []
        self.dropped = 0
        self.comments = 0

    def block(self, block: bytes, order: str) -> bytes:
        """Return what to write instead of a block; nothing when it is dropped."""
        (kind,) = struct.unpack_from(order + "I", block)
        body = block[8:-4]
        if block[:4] == PCAPNG:
            made = self._section(body, order)
            return blocks.pack_block(blocks.SECTION, made, order)
        if kind == blocks.INTERFACE and len(body) >= 8:
            return blocks.pack_block(kind, self._interface(body, order), order)
        if kind == blocks.STATISTICS and len(body) >= 12:
            return blocks.pack_block(kind, self._statistics(body, order), order)
        if kind == blocks.NAMES:
            return blocks.pack_block(kind, self._names(body, order), order)
        self.dropped += 1
        return b""

    def _section(self, body: bytes, order: str) -> bytes:
        self._interfaces = []
        kept = []
        for code, value in blocks.parse_options(body, 16, order):
            self.comments += code == blocks.OPT_COMMENT
            if code == blocks.OPT_SHB_APPLICATION:
                kept.append((code, self._replacer.bytes(value)))
        head = body[:8] + b"\xff" * 8  # its length is not known yet
        return head + blocks.pack_options(kept, order)

    def _interface(self, body: bytes, order: str) -> bytes:
        self._interfaces.append(interface_of(body, order))
        kept = []
        for code, value in blocks.parse_options(body, 8, order):
            self.comments += code == blocks.OPT_COMMENT
            if code in _OF_INTERFACE:
                kept.append((code, value))
            elif code == blocks.OPT_IF_NAME:
                kept.append((code, self._name(value)))
        return body[:8] + blocks.pack_options(kept, order)

    def _name(self, value: bytes) -> bytes:
        """Return the name of an interface: usual ones tell nothing of a machine."""
        if _USUAL.fullmatch(value.rstrip(b"\0")):
            return value
        text = value.decode(errors="surrogateescape")
        made = self._pseudonyms.text(text, "hostname")
        return made.encode(errors="surrogateescape")

    def _statistics(self, body: bytes, order: str) -> bytes:
        number, high, low = struct.unpack_from(order + "III", body)
        ticks = high << 32 | low
        if number < len(self._interfaces):
            ticks += ticks_of(self._interfaces[number], self._shift_ns)
        ticks &= (1 << 64) - 1
        kept = []
        for code, value in blocks.parse_options(body, 12, order):
            self.comments += code == blocks.OPT_COMMENT
            if code in _COUNTERS:
                kept.append((code, value))
        head = struct.pack(order + "III", number, ticks >> 32, ticks & 0xFFFFFFFF)
        return head + blocks.pack_options(kept, order)

    def _names(self, body: bytes, order: str) -> bytes:
        """Return names of addresses, both under their pseudonyms."""
        made, at = b"", 0
        while at + 4 <= len(body):
            kind, size = struct.unpack_from(order + "HH", body, at)
            value = body[at + 4 : at + 4 + size]
            if kind == 0 or len(value) < size:
                break
            address_b = {_NAME_IPV4: 4, _NAME_IPV6: 16}.get(kind, 0)
            if address_b and size >= address_b:
                value = self._address(value[:address_b]) + self._replacer.bytes(
                    value[address_b:]
                )
                made += blocks.pack_option(kind, value, order)
            at += 4 + size + blocks.padding(size)
        return made + bytes(4)

    def _address(self, raw: bytes) -> bytes:
        if len(raw) == 4:
            return self._pseudonyms.ipv4(int.from_bytes(raw)).to_bytes(4)
        return self._pseudonyms.ipv6(raw)


def ticks_of(interface: Interface, time_ns: int) -> int:
    """Return whole seconds in units of an interface."""
    seconds, power = time_ns // _NS, interface.resolution & 0x7F
    if interface.resolution & 0x80:
        return seconds << power
    return seconds * int(10**power)
