"""Find identifiers in management frames of IEEE 802.11: networks, others, devices."""

import struct
import uuid
from collections.abc import Iterator

from analysis.exporters.identifiers.naming import is_serial
from analysis.exporters.identifiers.texts import Candidate

_BODY_OF = {0: 4, 2: 10, 4: 0, 5: 12, 8: 12}  # management frames: fields before tags
_VENDORS, _WPS, _DIRECT = 221, b"\x00\x50\xf2\x04", b"\x50\x6f\x9a\x09"
_SSID, _NEIGHBOUR, _SEVERAL, _SSIDS, _HOTSPOT, _MESH, _NEIGHBOURS = (
    *(0, 52, 71, 84, 107, 114, 201),
)
_WPS_TEXTS = {
    **{0x1011: "person", 0x1042: "serial", 0x1045: "ssid", 0x1027: "secret"},
    **{0x1021: "product", 0x1023: "product", 0x1024: "product"},
}
_WPS_UUID = 0x1047
_MAC_B = 6
_OF_DIRECT = (3, 13, 15, 16)  # attributes that begin with the MAC of a device
_GROUP = 15
_MOST_DEEP = 2


def wireless(frame: bytes) -> Iterator[Candidate]:
    """Yield SSID, BSSID and what WPS tells of a management frame without radiotap."""
    if len(frame) < 24 or frame[0] & 0x0C:
        return
    yield "mac", frame[16:22].hex()
    head = _BODY_OF.get(frame[0] >> 4)
    if head is not None:
        yield from _tagged(frame[24 + head :])


def _tagged(data: bytes, depth: int = 0) -> Iterator[Candidate]:
    """Yield what elements tell, one behind the other."""
    at = 0
    while at + 2 <= len(data):
        kind, value = data[at], data[at + 2 : at + 2 + data[at + 1]]
        if (kind == _SSID and (at == 0 or depth)) or kind == _MESH:
            yield from _ssid(value)
        elif kind == _NEIGHBOUR:
            yield from _mac(value, 0)
        elif kind == _HOTSPOT and len(value) > _MAC_B:
            yield from _mac(value, len(value) - _MAC_B)
        elif kind == _NEIGHBOURS:
            yield from _neighbours(value)
        elif kind in (_SEVERAL, _SSIDS) and depth < _MOST_DEEP:
            yield from _nested(kind, value, depth + 1)
        elif kind == _VENDORS and value[:4] == _WPS:
            yield from _simple_config(value[4:])
        elif kind == _VENDORS and value[:4] == _DIRECT:
            yield from _direct(value[4:])
        at += 2 + data[at + 1]


def _ssid(value: bytes) -> Iterator[Candidate]:
    if value.strip(b"\0"):
        yield "ssid", value.decode(errors="replace")


def _mac(data: bytes, at: int) -> Iterator[Candidate]:
    raw = data[at : at + _MAC_B]
    if len(raw) == _MAC_B:
        yield "mac", raw.hex()


def _nested(kind: int, value: bytes, depth: int) -> Iterator[Candidate]:
    """Yield what lists of SSIDs, and networks that one beacon announces, tell."""
    if kind == _SSIDS:
        yield from _tagged(value, depth)
        return
    at = 1
    while at + 2 <= len(value):
        if value[at] == 0:
            yield from _tagged(value[at + 2 : at + 2 + value[at + 1]], depth)
        at += 2 + value[at + 1]


def _neighbours(value: bytes) -> Iterator[Candidate]:
    """Yield the BSSIDs of a reduced report of neighbours."""
    at = 0
    while at + 4 <= len(value):
        head = int.from_bytes(value[at : at + 2], "little")
        count, size = (head >> 4 & 15) + 1, head >> 8
        at += 4
        for _ in range(count):
            if size > _MAC_B:
                yield from _mac(value, at + 1)
            at += size


def _direct(data: bytes) -> Iterator[Candidate]:
    """Yield MACs and names of devices that speak Wi-Fi Direct."""
    at = 0
    while at + 3 <= len(data):
        kind, size = struct.unpack_from("<BH", data, at)
        value = data[at + 3 : at + 3 + size]
        if kind in _OF_DIRECT:
            yield from _mac(value, 0)
        if kind == _GROUP:
            yield from _ssid(value[_MAC_B:])
        elif kind == 13 and len(value) > 17:
            yield from _simple_config(value[17 + 8 * value[16] :])
        at += 3 + size


def _simple_config(data: bytes) -> Iterator[Candidate]:
    """Yield name, serial number and UUID of a device that speaks WPS."""
    at = 0
    while at + 4 <= len(data):
        kind, size = struct.unpack_from(">HH", data, at)
        value = data[at + 4 : at + 4 + size]
        what, text = _WPS_TEXTS.get(kind), value.decode(errors="replace")
        if what and (what != "serial" or is_serial(text)):
            yield what, text
        elif kind == _WPS_UUID and size == 16 and any(value):
            yield "uuid", str(uuid.UUID(bytes=value))
        at += 4 + size
