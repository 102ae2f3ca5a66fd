"""Find identifiers in binary messages: MQTT, STUN, SNMP, RADIUS and others.

Each reader takes bytes that may be anything, and yields nothing of what is none of its
protocol.
"""

import ipaddress
import re
import struct
from collections.abc import Callable, Iterator

from analysis.exporters.identifiers.encoded import (
    OBJECT,
    OCTETS,
    Element,
    element,
    walk,
)
from analysis.exporters.identifiers.headers import of_user
from analysis.exporters.identifiers.naming import is_random, is_serial, is_telling
from analysis.exporters.identifiers.texts import Candidate, candidates

_COOKIE = b"\x21\x12\xa4\x42"
_MAPPED, _XOR_MAPPED = (0x0001,), (0x0020, 0x8020, 0x0012, 0x0016)
_USER, _REALM = 0x0006, 0x0014
_MQTT = re.compile(rb"\x00(?:\x04MQTT[\x04\x05]|\x06MQIsdp\x03)", re.DOTALL)
_WILL, _HAS_SECRET, _HAS_USER = 0x04, 0x40, 0x80
_PUBLISH, _SUBSCRIBE = 3, 8
_NTLM = b"NTLMSSP\0"
_UNICODE = 1
_GENERAL, _BIND, _SIMPLE = 0x1B, 0x60, 0x80
_SYSTEM = b"\x2b\x06\x01\x02\x01\x01"  # 1.3.6.1.2.1.1
_CONTACT, _NAME, _LOCATION = 4, 5, 6
_PHYSICAL = b"\x2b\x06\x01\x02\x01\x02\x02\x01\x06"
_MOST_OPTION = 2053  # of CoAP
_RADIUS_CODES = (1, 2, 3, 4, 5, 11, 40, 43)
_RADIUS_TEXTS = {1: "user", 31: "station", 30: "station", 32: "name", 79: "eap"}


def stun(data: bytes, port: bool = False) -> Iterator[Candidate]:
    """Yield what a STUN server told a home: its public address; and logins of TURN.

    port  the message is of a port of STUN: it need not have the cookie
    """
    at = data.find(_COOKIE)
    while at >= 4:
        size = int.from_bytes(data[at - 2 : at])
        yield from _stun_attributes(data[at - 4 : at + 16 + size])
        at = data.find(_COOKIE, at + 16)
    if port and data[:2] in (b"\x01\x01", b"\x01\x11") and data[4:8] != _COOKIE:
        yield from _stun_attributes(data)


def _stun_attributes(message: bytes) -> Iterator[Candidate]:
    at = 20
    while at + 4 <= len(message):
        kind, size = struct.unpack_from(">HH", message, at)
        value = message[at + 4 : at + 4 + size]
        if kind in _MAPPED:
            yield from _stun_address(value, bytes(16))
        elif kind in _XOR_MAPPED:
            yield from _stun_address(value, message[4:20])
        elif kind == _USER and value.isascii():
            yield "account", value.decode()
        elif kind == _REALM and value.isascii():
            yield "name", value.decode()
        at += 4 + size + (-size & 3)


def _stun_address(value: bytes, mask: bytes) -> Iterator[Candidate]:
    size = {1: 4, 2: 16}.get(value[1] if len(value) > 4 else 0, 0)
    if size and len(value) == 4 + size:
        raw = bytes(a ^ b for a, b in zip(value[4:], mask, strict=False))
        yield "own", str(ipaddress.ip_address(raw))


def port_mapping(data: bytes) -> Iterator[Candidate]:
    """Yield the address that NAT-PMP and PCP tell: the public one of the router."""
    if data[:2] == b"\0\x80" and len(data) >= 12:
        yield "own", str(ipaddress.IPv4Address(data[8:12]))
    elif data[:1] == b"\2" and len(data) >= 24 and not data[2] and data[3] < 14:
        if data[1] & 0x80 and len(data) >= 60:
            yield from _pcp_address(data[44:60])
        elif not data[1] & 0x80:
            yield from _pcp_address(data[8:24])


def _pcp_address(raw: bytes) -> Iterator[Candidate]:
    address = ipaddress.IPv6Address(raw)
    yield "own", str(address.ipv4_mapped or address)


def mqtt(data: bytes) -> Iterator[Candidate]:
    """Yield client, login and password of CONNECT, and ids in topics behind it."""
    found = _MQTT.search(data, 2, 16)
    if found is None or data[0] != 0x10:
        return
    try:
        at = found.end()
        five, flags = data[at - 1] == 5, data[at]
        at += 3
        at = _behind_properties(data, at) if five else at
        client, at = _counted(data, at)
        yield from _of_client(client)
        if flags & _WILL:
            at = _behind_properties(data, at) if five else at
            topic, at = _counted(data, at)
            yield from _topic(topic)
            _, at = _counted(data, at)
        if flags & _HAS_USER:
            user, at = _counted(data, at)
            yield from of_user(user.decode(errors="replace"))
        if flags & _HAS_SECRET:
            secret, at = _counted(data, at)
            yield "secret", secret.decode(errors="replace")
    except IndexError:
        return
    yield from mqtt_topics(data[at:], five)


def mqtt_topics(data: bytes, five: bool = False) -> Iterator[Candidate]:
    """Yield ids in the topics of messages that stand one behind the other."""
    at = 0
    while at + 2 < len(data):
        kind, flags = data[at] >> 4, data[at] & 15
        size, begin = _variable(data, at + 1)
        at = begin + size
        body = data[begin:at]
        try:
            if kind == _PUBLISH:
                yield from _topic(_counted(body, 0)[0])
            elif kind == _SUBSCRIBE and flags == 2:
                place = _behind_properties(body, 2) if five else 2
                while place < len(body):
                    topic, place = _counted(body, place)
                    yield from _topic(topic)
                    place += 1
        except IndexError:
            return


def _of_client(raw: bytes) -> Iterator[Candidate]:
    client = raw.decode(errors="replace")
    if is_telling(client):
        yield "email" if "@" in client else "serial", client


def _topic(raw: bytes) -> Iterator[Candidate]:
    for part in raw.decode(errors="replace").split("/"):
        if is_serial(part) or is_random(part):
            yield "serial", part
        elif (
            any(char.isdigit() for char in part) and len(part) > 7 and is_telling(part)
        ):
            yield "hostname", part


def _variable(data: bytes, at: int) -> tuple[int, int]:
    """Return a length of MQTT, and the place behind it."""
    size = 0
    for shift in range(0, 28, 7):
        if at >= len(data):
            break
        size |= (data[at] & 0x7F) << shift
        at += 1
        if data[at - 1] < 0x80:
            break
    return size, at


def _behind_properties(data: bytes, at: int) -> int:
    size, at = _variable(data, at)
    return at + size


def _counted(data: bytes, at: int) -> tuple[bytes, int]:
    """Return bytes whose length stands before them. Raises IndexError."""
    size = data[at] << 8 | data[at + 1]
    if at + 2 + size > len(data):
        raise IndexError
    return data[at + 2 : at + 2 + size], at + 2 + size


def snmp(data: bytes) -> Iterator[Candidate]:
    """Yield community, user, and names and places of a system that SNMP tells."""
    whole = element(data, 0, len(data))
    parts = list(whole or ())
    if len(parts) < 3 or parts[0].content not in (b"\0", b"\1", b"\3"):
        return
    if parts[0].content == b"\3":
        yield from _usm(parts)
    elif parts[1].tag == OCTETS:
        yield "secret", parts[1].text
    for part in parts[2:]:
        for each in walk(part):
            yield from _binding(list(each))


def _usm(parts: list[Element]) -> Iterator[Candidate]:
    """Yield the user of SNMPv3: the fourth of what stands in its own wrapping."""
    wrapped = parts[2].content
    inner = element(wrapped, 0, len(wrapped))
    names = [each for each in inner or () if each.tag == OCTETS]
    if len(names) > 1 and names[1].text:
        yield from of_user(names[1].text)


def _binding(pair: list[Element]) -> Iterator[Candidate]:
    if len(pair) != 2 or pair[0].tag != OBJECT or pair[1].tag != OCTETS:
        return
    name, value = pair[0].content, pair[1]
    if name.startswith(_PHYSICAL) and len(value.content) == 6:
        yield "mac", value.content.hex()
    elif name.startswith(_SYSTEM) and len(name) == len(_SYSTEM) + 2:
        kind = {_CONTACT: "person", _NAME: "machine", _LOCATION: "place"}.get(name[-2])
        if kind and value.text:
            yield kind, value.text
    yield from candidates(value.content)


def kerberos(data: bytes) -> Iterator[Candidate]:
    """Yield realms and names of Kerberos, over UDP or with a length before it."""
    for start in (0, 4):
        first = element(data, start, len(data))
        if first and first.tag & 0xE0 == 0x60:
            for each in walk(first):
                if each.tag == _GENERAL and is_telling(each.text):
                    yield ("name" if "." in each.text else "account"), each.text
            return


def ldap(data: bytes) -> Iterator[Candidate]:
    """Yield name and password of a simple bind."""
    whole = element(data, 0, len(data))
    parts = list(whole or ())
    if len(parts) < 2 or parts[0].tag != 2 or parts[1].tag != _BIND:
        return
    fields = list(parts[1])
    if len(fields) == 3 and fields[2].tag == _SIMPLE and fields[1].text:
        for part in fields[1].text.split(","):
            key, _, value = part.strip().partition("=")
            if key.lower() in ("cn", "uid", "mail", "samaccountname"):
                yield from of_user(value)
        if "=" not in fields[1].text:
            yield from of_user(fields[1].text)
        yield "secret", fields[2].content.decode(errors="replace")


def radius(data: bytes) -> Iterator[Candidate]:
    """Yield users, stations and addresses in attributes of RADIUS."""
    at, end = 20, int.from_bytes(data[2:4])
    if not 20 <= end <= len(data) or data[0] not in _RADIUS_CODES:
        return
    while at + 2 <= end and data[at + 1] >= 2:
        value = data[at + 2 : at + data[at + 1]]
        what = _RADIUS_TEXTS.get(data[at])
        text = value.decode(errors="replace")
        if what == "user":
            yield from of_user(text)
        elif what == "station":
            yield "mac", text[:17]
            if text[17:18] == ":":
                yield "ssid", text[18:]
        elif what == "name":
            yield "name", text
        elif what == "eap":
            yield from eap(value)
        elif data[at] in (4, 8) and len(value) == 4:
            yield "own", str(ipaddress.IPv4Address(value))
        at += data[at + 1]


def eap(data: bytes) -> Iterator[Candidate]:
    """Yield who answers a question for the identity."""
    if len(data) > 5 and data[0] == 2 and data[4] == 1:
        told = data[5 : int.from_bytes(data[2:4])].split(b"\0")[0]
        yield from of_user(told.decode(errors="replace"))


def ntlm(data: bytes) -> Iterator[Candidate]:
    """Yield user, domain and machines of NTLM, wherever it begins."""
    at = data.find(_NTLM)
    while at >= 0:
        yield from _ntlm_message(data[at : at + 4096])
        at = data.find(_NTLM, at + 8)


def _ntlm_message(message: bytes) -> Iterator[Candidate]:
    kind = message[8:12]
    if kind == b"\3\0\0\0" and len(message) >= 64:
        code = "utf-16-le" if message[60] & _UNICODE else "utf-8"
        texts = []
        for place, what in ((28, "name"), (36, "account"), (44, "name")):
            texts.append(_buffer(message, place))
            yield what, texts[-1].decode(code, errors="replace")
        # they stand side by side with nothing between: so they are one word, too
        if (joined := b"".join(texts)) in message:
            yield "account", joined.decode(code, errors="replace")
    elif kind == b"\1\0\0\0" and len(message) >= 32:
        for place in (16, 24):
            yield "name", _buffer(message, place).decode(errors="replace")
    elif kind == b"\2\0\0\0" and len(message) >= 48:
        yield from _target(_buffer(message, 40))


def _buffer(message: bytes, at: int) -> bytes:
    size, _, place = struct.unpack_from("<HHI", message, at)
    return message[place : place + size]


def _target(data: bytes) -> Iterator[Candidate]:
    at = 0
    while at + 4 <= len(data):
        kind, size = struct.unpack_from("<HH", data, at)
        if 1 <= kind <= 5:
            yield "name", data[at + 4 : at + 4 + size].decode("utf-16-le", "replace")
        at += 4 + size


def coap(data: bytes) -> Iterator[Candidate]:
    """Yield hosts, questions, paths and what is said in a message of CoAP."""
    if len(data) < 4 or data[0] >> 6 != 1 or data[0] & 15 > 8 or data[1] >> 5 > 5:
        return
    at, number = 4 + (data[0] & 15), 0
    while at < len(data) and data[at] != 0xFF:
        delta, size, at = _coap_head(data, at)
        number += delta
        value = data[at : at + size].decode(errors="replace")
        at += size
        if at > len(data) or number > _MOST_OPTION:
            return
        if number == 3 and value.isprintable():
            yield "name", value
        elif number == 15:
            yield from candidates(value.encode())
        elif number == 11 and (is_random(value) or is_serial(value)):
            yield "serial", value
    yield from candidates(data[at + 1 :])


def _coap_head(data: bytes, at: int) -> tuple[int, int, int]:
    """Return number and length of an option, and where its value begins."""
    found = [data[at] >> 4, data[at] & 15]
    at += 1
    for row, first in enumerate(found):
        if first == 13:
            found[row], at = 13 + int.from_bytes(data[at : at + 1]), at + 1
        elif first == 14:
            found[row], at = 269 + int.from_bytes(data[at : at + 2]), at + 2
    return found[0], found[1], at


Reader = Callable[[bytes], Iterator[Candidate]]
# of messages that nothing but their port shows
OF_PORT: dict[int, Reader] = {
    **dict.fromkeys((161, 162), snmp),
    **dict.fromkeys((88, 464), kerberos),
    **dict.fromkeys((1812, 1813, 1645, 1646), radius),
    **dict.fromkeys((5350, 5351), port_mapping),
    **dict.fromkeys((3478, 3479, 19302), lambda data: stun(data, True)),
    5683: coap,
}
