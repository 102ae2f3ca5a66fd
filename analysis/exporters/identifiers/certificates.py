"""Find identifiers in certificates that TLS up to 1.2 sends in plain.

Of each chain the first is read, which names who has it; of servers in the cloud it
holds names that everybody may know.
"""

import ipaddress
from collections.abc import Iterator

from analysis.exporters.identifiers.encoded import (
    OBJECT,
    OCTETS,
    SEQUENCE,
    Element,
    element,
    walk,
)
from analysis.exporters.identifiers.headers import of_user
from analysis.exporters.identifiers.naming import is_full_name, is_telling
from analysis.exporters.identifiers.public import is_local_name
from analysis.exporters.identifiers.texts import Candidate

_HANDSHAKE, _CERTIFICATE = 22, 11
_MOST_B = 1 << 16
_COMMON, _SURNAME, _SERIAL, _LOCALITY = 3, 4, 5, 7
_STREET, _GIVEN = 9, 42
_MAIL = bytes.fromhex("2a864886f70d010901")
_USER = bytes.fromhex("0992268993f22c640101")
_ALTERNATIVES = bytes.fromhex("551d11")
_MAIL_NAME, _DNS_NAME, _ADDRESS = 0x81, 0x82, 0x87


def certificates(data: bytes) -> Iterator[Candidate]:
    """Yield who has the certificate in the handshake that one side begins with."""
    shaken = _handshake(data)
    at = 0
    while at + 4 <= len(shaken):
        size = int.from_bytes(shaken[at + 1 : at + 4])
        if shaken[at] == _CERTIFICATE:
            body = shaken[at + 4 : at + 4 + size]
            first = int.from_bytes(body[3:6])
            yield from of_certificate(body[6 : 6 + first])
        at += 4 + size


def _handshake(data: bytes) -> bytes:
    """Return what the records of a handshake hold, until it goes on encrypted."""
    found, at = bytearray(), 0
    while at + 5 <= len(data) and data[at] == _HANDSHAKE and len(found) < _MOST_B:
        size = int.from_bytes(data[at + 3 : at + 5])
        found += data[at + 5 : at + 5 + size]
        at += 5 + size
    return bytes(found)


def of_certificate(data: bytes) -> Iterator[Candidate]:
    """Yield subject and other names of one certificate (X.509)."""
    whole = element(data, 0, len(data))
    if whole is None or whole.tag != SEQUENCE:
        return
    named: dict[bytes, str] = {}
    signed = next(iter(whole), None)
    if signed is not None and signed.tag == SEQUENCE:
        fields = [each for each in signed if each.tag == SEQUENCE]
        subject = fields[3] if len(fields) > 3 else signed
    else:
        subject = whole  # not a certificate in full, yet names are named in it
    _attributes(subject, named)
    yield from _subject(named)
    for each in walk(whole):
        parts = list(each)
        if len(parts) > 1 and parts[0].content == _ALTERNATIVES:
            yield from _alternatives(parts[-1])


def _attributes(subject: Element, named: dict[bytes, str]) -> None:
    for each in walk(subject):
        pair = list(each)
        if len(pair) == 2 and pair[0].tag == OBJECT and pair[1].text:
            named.setdefault(pair[0].content, pair[1].text)


def _subject(named: dict[bytes, str]) -> Iterator[Candidate]:
    common = named.get(bytes((0x55, 4, _COMMON)), "")
    if "." in common and " " not in common and not is_local_name(common):
        yield "name", common.removeprefix("*.")
        return  # a server of the cloud: the rest is about its company
    if "@" in common:
        yield "email", common
    elif is_full_name(common) or " " in common:
        yield "person", common
    elif "." in common:
        yield "name", common
    elif len(common) > 3 and is_telling(common) and not common.isalpha():
        yield "serial", common
    for number, kind in (
        (_SURNAME, "person"),
        (_GIVEN, "person"),
        (_SERIAL, "serial"),
        (_LOCALITY, "place"),
        (_STREET, "place"),
    ):
        if text := named.get(bytes((0x55, 4, number))):
            yield kind, text
    if mail := named.get(_MAIL):
        yield "email", mail
    if user := named.get(_USER):
        yield from of_user(user)


def _alternatives(wrapped: Element) -> Iterator[Candidate]:
    inner = element(wrapped.content, 0, len(wrapped.content))
    if wrapped.tag != OCTETS or inner is None:
        return
    for each in inner:
        if each.tag == _DNS_NAME:
            yield "name", each.content.decode(errors="replace").removeprefix("*.")
        elif each.tag == _MAIL_NAME:
            yield "email", each.content.decode(errors="replace")
        elif each.tag == _ADDRESS and len(each.content) in (4, 16):
            yield "own", str(ipaddress.ip_address(each.content))
