"""Find identifiers in binary protocols: DNS, DHCP, NetBIOS, 802.11, pcapng blocks.

Each function takes the bytes of one message and yields (kind, value); 'name' stands for
a name with or without dots, of which others judge. What cannot be read is passed over.
"""

import ipaddress
import struct
from collections.abc import Iterator

from analysis.exporters.identifiers.texts import Candidate, candidates
from analysis.pcap import blocks

_POINTER = 0xC0
_MOST_LABELS = 128
_A, _NS, _CNAME, _PTR, _TXT, _AAAA, _SRV = 1, 2, 5, 12, 16, 28, 33
_DHCP_HEAD_B, _DHCP_MAGIC = 236, b"\x63\x82\x53\x63"
_ETHERNET = 1
_NETBIOS_NAME_B = 32
_SHORT_ID = 4
_BODY_OF = {0: 4, 2: 10, 4: 0, 5: 12, 8: 12}  # management frames: fields before tags


def dns(payload: bytes) -> Iterator[Candidate]:
    """Yield names and addresses of a DNS, mDNS or LLMNR message."""
    try:
        _, _, *counts = struct.unpack_from(">6H", payload)
        at = 12
        for _ in range(min(counts[0], 64)):
            name, at = _dns_name(payload, at)
            yield "name", name
            at += 4
        for _ in range(min(sum(counts[1:]), 256)):
            name, at = _dns_name(payload, at)
            yield "name", name
            kind, _, _, size = struct.unpack_from(">HHIH", payload, at)
            at += 10
            yield from _record(payload, kind, at, size)
            at += size
    except (struct.error, IndexError, ValueError):
        return


def _record(payload: bytes, kind: int, at: int, size: int) -> Iterator[Candidate]:
    data = payload[at : at + size]
    if kind == _A and size == 4:
        yield "ipv4", str(ipaddress.IPv4Address(data))
    elif kind == _AAAA and size == 16:
        yield "ipv6", str(ipaddress.IPv6Address(data))
    elif kind in (_NS, _CNAME, _PTR):
        yield "name", _dns_name(payload, at)[0]
    elif kind == _SRV:
        yield "name", _dns_name(payload, at + 6)[0]
    elif kind == _TXT:
        while data:
            yield from candidates(data[1 : 1 + data[0]])
            data = data[1 + data[0] :]


def _dns_name(payload: bytes, at: int) -> tuple[str, int]:
    """Return a name and the place behind it. Raises ValueError."""
    labels: list[str] = []
    behind = -1
    for _ in range(_MOST_LABELS):
        size = payload[at]
        if size >= _POINTER:
            behind = at + 2 if behind < 0 else behind
            at = (size & 0x3F) << 8 | payload[at + 1]
            continue
        at += 1
        if not size:
            return "\0".join(labels), behind if behind >= 0 else at
        if size > 63 or at + size > len(payload):
            break
        labels.append(payload[at : at + size].decode(errors="replace"))
        at += size
    raise ValueError("no name")


def dhcp(payload: bytes) -> Iterator[Candidate]:
    """Yield addresses, names and client ids of a DHCP message."""
    if payload[_DHCP_HEAD_B : _DHCP_HEAD_B + 4] != _DHCP_MAGIC:
        return
    for at in (12, 16, 20, 24):
        yield "ipv4", str(ipaddress.IPv4Address(payload[at : at + 4]))
    if payload[1] == _ETHERNET:
        yield "mac", payload[28:34].hex()
    at = _DHCP_HEAD_B + 4
    while at + 1 < len(payload) and payload[at] != 255:
        if payload[at] == 0:
            at += 1
            continue
        code, size = payload[at], payload[at + 1]
        yield from _dhcp_option(code, payload[at + 2 : at + 2 + size])
        at += 2 + size


def _dhcp_option(code: int, data: bytes) -> Iterator[Candidate]:
    text = data.rstrip(b"\0").decode(errors="replace")
    if code in (3, 6, 28, 50, 54, 42, 44):
        for at in range(0, len(data) - 3, 4):
            yield "ipv4", str(ipaddress.IPv4Address(data[at : at + 4]))
    elif code == 12:
        yield "name", text
    elif code == 15:
        yield "zone", text
    elif code == 81 and len(data) > 3:
        yield from _full_name(data[3:], bool(data[0] & 4))
    elif code == 61 and data:
        if data[0] == _ETHERNET and len(data) == 7:
            yield "mac", data[1:].hex()
        else:
            told = text if data[0] else text[1:]
            if told.isascii() and told.isprintable() and len(told) > _SHORT_ID:
                yield "serial", told


def _full_name(data: bytes, encoded: bool) -> Iterator[Candidate]:
    if not encoded:
        yield "name", data.rstrip(b"\0").decode(errors="replace")
        return
    try:
        yield "name", _dns_name(data + b"\0", 0)[0]
    except (ValueError, IndexError):
        return


def dhcp6(payload: bytes) -> Iterator[Candidate]:
    """Yield addresses and names of a DHCPv6 message from a client or a server."""
    at = 4
    while at + 4 <= len(payload):
        code, size = struct.unpack_from(">HH", payload, at)
        data = payload[at + 4 : at + 4 + size]
        if code in (1, 2) and len(data) >= 10:
            kind, hardware = struct.unpack_from(">HH", data)
            head = {1: 8, 3: 4}.get(kind)
            if head and hardware == _ETHERNET and len(data) == head + 6:
                yield "mac", data[head:].hex()
        elif code == 39 and data:
            yield from _full_name(data[1:], True)
        at += 4 + size


def netbios(payload: bytes) -> Iterator[Candidate]:
    """Yield the computers' names in a message of the NetBIOS name service."""
    at = 12
    while (at := payload.find(b"\x20", at)) >= 0 and at + 33 < len(payload):
        raw = payload[at + 1 : at + 1 + _NETBIOS_NAME_B]
        if all(0x41 <= byte <= 0x50 for byte in raw):
            pairs = zip(raw[::2], raw[1::2], strict=True)
            name = bytes((a - 0x41) << 4 | (b - 0x41) for a, b in pairs)
            text = name[:15].decode(errors="replace").rstrip(" \0")
            if text.isprintable() and text not in ("*", "WORKGROUP", "MSBROWSE"):
                yield "name", text
        at += 1


def wireless(frame: bytes) -> Iterator[Candidate]:
    """Yield the SSID and the BSSID of an 802.11 management frame without radiotap."""
    if len(frame) < 24 or frame[0] & 0x0C:
        return
    yield "mac", frame[16:22].hex()
    head = _BODY_OF.get(frame[0] >> 4)
    at = 24 + (head or 0)
    if head is None or at + 2 > len(frame) or frame[at] != 0:
        return
    name = frame[at + 2 : at + 2 + frame[at + 1]]
    if name.strip(b"\0"):
        yield "ssid", name.decode(errors="replace")


def pcapng_block(block: bytes) -> Iterator[Candidate]:
    """Yield what a block without a packet tells: comments, names of hosts, filters."""
    if len(block) < 12:
        return
    order = "<" if block[8:9] == b"\x4d" or block[:4] != b"\x0a\x0d\x0d\x0a" else ">"
    kind = struct.unpack_from(f"{order}I", block)[0]
    if kind > 0xFFFF and block[:4] != b"\x0a\x0d\x0d\x0a":
        order, kind = ">", struct.unpack_from(">I", block)[0]
    if kind == blocks.NAMES:
        yield from _resolved(block[8:-4], order)
    yield from candidates(block)


def _resolved(body: bytes, order: str) -> Iterator[Candidate]:
    at = 0
    while at + 4 <= len(body):
        kind, size = struct.unpack_from(f"{order}HH", body, at)
        data = body[at + 4 : at + 4 + size]
        head = {1: 4, 2: 16}.get(kind)
        if head is None:
            return
        if len(data) > head:
            name = "ipv4" if head == 4 else "ipv6"
            yield name, str(ipaddress.ip_address(data[:head]))
            for each in data[head:].split(b"\0"):
                if each:
                    yield "name", each.decode(errors="replace")
        at += 4 + size + blocks.padding(size)
