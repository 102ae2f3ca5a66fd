"""Find identifiers below and beside IP: LLDP, CDP, 802.1X, PPPoE, ICMP and its kin.

What bridges, links in a bundle, meshes and power lines say of each other is read by
`bridges`.
"""

import ipaddress
import struct
from collections.abc import Iterator

from analysis.exporters.identifiers.bridges import BRIDGES, spanning_tree
from analysis.exporters.identifiers.messages import eap
from analysis.exporters.identifiers.naming import is_telling
from analysis.exporters.identifiers.texts import Candidate, candidates
from analysis.exporters.identifiers.wire import mailslot
from analysis.pcap.dns import labels_at

LLDP, EAPOL, PPPOE_DISCOVERY, PPPOE = 0x88CC, 0x888E, 0x8863, 0x8864
_CDP = b"\xaa\xaa\x03\x00\x00\x0c\x20\x00"
_PAP, _CHAP, _IPCP = 0xC023, 0xC223, 0x8021
_ERRORS, _ERRORS6 = (3, 4, 5, 11, 12), (1, 2, 3, 4)
_ADVERTISEMENT = 134
_PREFIX, _ROUTE, _SERVERS, _SEARCH = 3, 24, 25, 31
_MEDIA = b"\x00\x12\xbb"


def of_frame(frame: bytes) -> Iterator[Candidate]:
    """Yield what a frame that carries no IP tells, by its ethertype."""
    at = frame.find(_CDP, 14, 40)
    if at >= 0:
        yield from cdp(frame[at + len(_CDP) :])
        return
    for kind, reader in (
        (LLDP, lldp),
        (EAPOL, eapol),
        (PPPOE_DISCOVERY, pppoe_discovery),
        (PPPOE, pppoe),
        *BRIDGES.items(),
    ):
        at = frame.find(kind.to_bytes(2), 12, 48)
        if at >= 0:
            yield from reader(frame[at + 2 :])
            return
    yield from spanning_tree(frame)
    yield from mailslot(frame)  # NetBIOS over anything else


def lldp(data: bytes) -> Iterator[Candidate]:
    """Yield names, addresses and serial number of a machine that announces itself."""
    at = 0
    while at + 2 <= len(data):
        head = int.from_bytes(data[at : at + 2])
        kind, size = head >> 9, head & 0x1FF
        value = data[at + 2 : at + 2 + size]
        if kind == 0:
            return
        if kind in (1, 2):
            yield from _lldp_id(kind, value)
        elif kind == 5:
            yield "machine", value.decode(errors="replace")
        elif kind == 8 and value:
            yield from _management(value[1 : 1 + value[0]])
        elif kind == 4 or (kind == 127 and value[:4] == _MEDIA + b"\x08"):
            yield from _told(value if kind == 4 else value[4:], "serial")
        elif kind == 6:
            yield from candidates(value)
        at += 2 + size


def _lldp_id(kind: int, value: bytes) -> Iterator[Candidate]:
    how, told = value[:1], value[1:]
    if how == (b"\x04" if kind == 1 else b"\x03") and len(told) == 6:
        yield "mac", told.hex()
    elif how == (b"\x05" if kind == 1 else b"\x04"):
        yield from _management(told)
    elif how in (b"\x01", b"\x07", b"\x02"):
        yield from _told(told, "hostname")


def _management(value: bytes) -> Iterator[Candidate]:
    family, raw = value[:1], value[1:]
    if (family, len(raw)) in ((b"\x01", 4), (b"\x02", 16)):
        yield "own", str(ipaddress.ip_address(raw))
    elif family == b"\x06" and len(raw) == 6:
        yield "mac", raw.hex()


def _told(raw: bytes, kind: str) -> Iterator[Candidate]:
    text = raw.rstrip(b"\0").decode(errors="replace")
    if text.isprintable() and len(text) > 5 and is_telling(text):
        yield kind, text


def cdp(data: bytes) -> Iterator[Candidate]:
    """Yield name, port and addresses that Cisco's protocol announces."""
    at = 4
    while at + 4 <= len(data):
        kind, size = struct.unpack_from(">HH", data, at)
        value = data[at + 4 : at + size]
        if kind in (1, 0x14):
            yield "machine", value.decode(errors="replace")
        elif kind == 0x17:
            yield "place", value[1:].decode(errors="replace")
        elif kind in (2, 0x16):
            place = value.find(b"\xcc\x00\x04")
            while place >= 0 and place + 7 <= len(value):
                raw = value[place + 3 : place + 7]
                yield "own", str(ipaddress.IPv4Address(raw))
                place = value.find(b"\xcc\x00\x04", place + 7)
        at += max(size, 4)


def eapol(data: bytes) -> Iterator[Candidate]:
    """Yield the identity that a station tells before it is let in."""
    if len(data) > 4 and data[1] == 0:
        yield from eap(data[4 : 4 + int.from_bytes(data[2:4])])


def pppoe_discovery(data: bytes) -> Iterator[Candidate]:
    """Yield the name of the machine of the provider."""
    at = 6
    while at + 4 <= len(data):
        kind, size = struct.unpack_from(">HH", data, at)
        if kind == 0x0102:
            yield "name", data[at + 4 : at + 4 + size].decode(errors="replace")
        at += 4 + size


def pppoe(data: bytes) -> Iterator[Candidate]:
    """Yield logins of PAP and CHAP, and the address that a provider gives."""
    if len(data) < 12:
        return
    kind, code = int.from_bytes(data[6:8]), data[8]
    body = data[12 : 8 + int.from_bytes(data[10:12])]
    if kind == _PAP and code == 1 and body:
        user, rest = body[1 : 1 + body[0]], body[1 + body[0] :]
        yield from _login(user)
        if rest:
            yield "secret", rest[1 : 1 + rest[0]].decode(errors="replace")
    elif kind == _CHAP and code in (1, 2) and body:
        yield from _login(body[1 + body[0] :])
    elif kind == _IPCP:
        while len(body) >= 2 and body[1] >= 2:
            if body[0] == 3 and body[1] == 6:
                yield "own", str(ipaddress.IPv4Address(body[2:6]))
            body = body[body[1] :]


def _login(raw: bytes) -> Iterator[Candidate]:
    text = raw.decode(errors="replace")
    if text:
        yield "email" if "@" in text else "account", text


def icmp(data: bytes) -> Iterator[Candidate]:
    """Yield addresses in the packet that an error quotes."""
    if data[:1] and data[0] in _ERRORS and len(data) >= 28 and data[8] >> 4 == 4:
        for at in (20, 24):
            yield "ipv4", str(ipaddress.IPv4Address(data[at : at + 4]))


def icmp6(data: bytes) -> Iterator[Candidate]:
    """Yield addresses that an error quotes, and networks that a router announces."""
    if data[:1] and data[0] in _ERRORS6 and len(data) >= 48 and data[8] >> 4 == 6:
        for at in (16, 32):
            yield "ipv6", str(ipaddress.IPv6Address(data[at : at + 16]))
    elif data[:1] and data[0] == _ADVERTISEMENT:
        at = 16
        while at + 2 <= len(data) and data[at + 1]:
            yield from _advertised(data[at : at + 8 * data[at + 1]])
            at += 8 * data[at + 1]


def _advertised(option: bytes) -> Iterator[Candidate]:
    """Yield networks, servers and zones that a router announces in one option."""
    if option[0] == _PREFIX and len(option) == 32:
        yield "network", f"{ipaddress.IPv6Address(option[16:])}/{option[2]}"
    elif option[0] == _ROUTE and len(option) in (16, 24):
        network = ipaddress.IPv6Address(option[8:].ljust(16, b"\0"))
        yield "network", f"{network}/{option[2]}"
    elif option[0] == _SERVERS:
        for at in range(8, len(option) - 15, 16):
            yield "ipv6", str(ipaddress.IPv6Address(option[at : at + 16]))
    elif option[0] == _SEARCH:
        at, labels = 8, [b""]
        while labels and at < len(option):
            labels, at = labels_at(option, at)
            if labels:
                yield "zone", b".".join(labels).decode(errors="replace")
