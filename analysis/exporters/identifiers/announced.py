"""Find identifiers in what machines announce over UDP: MikroTik, Ubiquiti, wake-ups."""

import ipaddress
import struct
from collections.abc import Iterator

from analysis.exporters.identifiers.texts import Candidate

_MAC_B = 6
_MIKROTIK = {1: "mac", 5: "name", 11: "serial", 12: "product", 17: "own", 15: "own"}
_UBIQUITI = {
    **{1: "mac", 2: "mac", 0x0B: "name", 0x0C: "product", 0x0D: "ssid"},
    **{0x14: "product", 0x15: "product"},
}


def mikrotik(data: bytes) -> Iterator[Candidate]:
    """Yield MAC, name, addresses and number of a router (MNDP)."""
    at, found = 4, []
    while at + 4 <= len(data):
        kind, size = struct.unpack_from(">HH", data, at)
        found.append((_MIKROTIK.get(kind, ""), data[at + 4 : at + 4 + size]))
        at += 4 + size
    if at == len(data):  # else it is something else from that port
        for what, value in found:
            yield from _told(what, value)


def ubiquiti(data: bytes) -> Iterator[Candidate]:
    """Yield MAC, name, address and network of an access point or camera."""
    at, found = 4, []
    while at + 3 <= len(data):
        kind, size = data[at], int.from_bytes(data[at + 1 : at + 3])
        value = data[at + 3 : at + 3 + size]
        found.append((_UBIQUITI.get(kind, ""), value))
        if kind == 2:
            found.append(("own", value[_MAC_B:]))
        at += 3 + size
    if at == len(data) and data[:1] in (b"\x01", b"\x02"):
        for what, value in found:
            yield from _told(what, value)


def _told(kind: str, value: bytes) -> Iterator[Candidate]:
    if kind == "mac" and len(value) in (_MAC_B, _MAC_B + 4):
        yield "mac", value[:_MAC_B].hex()
    elif kind == "own":
        if len(value) in (4, 16):
            yield "own", str(ipaddress.ip_address(value))
    elif kind:
        yield kind, value.decode(errors="replace")


def wake_up(data: bytes) -> Iterator[Candidate]:
    """Yield whom a magic packet wakes."""
    at = data.find(b"\xff" * _MAC_B)
    mac = data[at + _MAC_B : at + 2 * _MAC_B]
    if at >= 0 and len(mac) == _MAC_B and data[at + 2 * _MAC_B :].startswith(mac):
        yield "mac", mac.hex()
