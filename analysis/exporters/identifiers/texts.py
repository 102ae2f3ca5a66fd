"""Find identifiers in text: by the name of a field, and by what they look like."""

import binascii
import html
import ipaddress
import json
import re
from collections.abc import Callable, Iterator
from urllib.parse import unquote

from analysis.exporters.identifiers.keys import kind_of
from analysis.exporters.identifiers.naming import (
    is_called,
    is_everyday,
    is_full_name,
    is_random,
)

Candidate = tuple[str, str]  # kind, value
_KEY = rb"([A-Za-z_][A-Za-z0-9_.\-]{0,40})"
_JSON = re.compile(
    rb'"' + _KEY + rb'"\s*:\s*("(?:[^"\\]|\\.){1,2048}"|-?\d+(?:\.\d+)?)'
)
_OBJECT = re.compile(rb'"([A-Za-z0-9_\-]{16,128})"\s*:\s*\{')
_XML = re.compile(rb"<(?:[\w\-]+:)?" + _KEY + rb"(?:\s[^<>]{0,160})?>([^<>]{1,1024})</")
_PAIR = re.compile(rb"(?<![\w.\-])" + _KEY + rb"=\"?([^&;\s\"'<>,|\x00-\x1f]{1,2048})")
_EMAIL = re.compile(
    rb"(?<![\w.+%\-])[A-Za-z0-9][A-Za-z0-9._+\-]{0,63}(?:@|%40)"
    rb"(?:[A-Za-z0-9\-]{1,63}\.){1,8}[A-Za-z]{2,24}"
)
_MAC = re.compile(
    rb"(?<![0-9A-Fa-f:\-])[0-9A-Fa-f]{2}([:\-])(?:[0-9A-Fa-f]{2}\1){4}[0-9A-Fa-f]{2}"
    rb"(?![0-9A-Fa-f:\-])"
)
_MAC_DOTS = re.compile(
    rb"(?<![0-9A-Fa-f.])(?:[0-9A-Fa-f]{4}\.){2}[0-9A-Fa-f]{4}(?![0-9A-Fa-f.])"
)
_BARE = re.compile(
    rb"(?<![0-9A-Za-z])(?=[0-9]*[A-Fa-f])(?:[0-9A-F]{12}|[0-9a-f]{12})(?![0-9A-Za-z])"
)
_DOTS = re.compile(rb"\.[0-9A-Fa-f]{4}\.")
_UUID = re.compile(
    rb"(?<![0-9A-Fa-f])[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}"
    rb"(?![0-9A-Fa-f])"
)
_UDN = re.compile(rb"uuid:([A-Za-z0-9_\-.]{6,64})")
_IPV4 = re.compile(rb"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.]*\d)")
_DASHED = re.compile(rb"(?<![\d\-])(?:10|172|192)(?:-\d{1,3}){3}(?![\d\-])")
_IPV6 = re.compile(
    rb"(?i)(?<![0-9a-z:.])(?:[23][0-9a-f]{3}|fe[89ab][0-9a-f]|f[cd][0-9a-f]{2})"
    rb":[0-9a-f:]{2,40}(?![0-9a-z])"
)
_SURELY = re.compile(
    rb"(?i)(?:@|//|IP4 |\baddress:? (?:is )?|\bip:? )"
    rb"((?:\d{1,3}\.){3}\d{1,3})(?=[:/;,\s<\"')\]]|$)(?!/\d+\.)"
)
_LONE = re.compile(rb"(?m)^[ \t]*((?:\d{1,3}\.){3}\d{1,3})[ \t]*\r?$")
_PATH = re.compile(rb"(?:/home/|/Users/|[A-Za-z]:\\+Users\\+)[A-Za-z0-9._\-]{2,32}")
_FOLDER = re.compile(rb"/home/|/Users/|\\Users")
_STREETS = (b"stra", b"gasse", b"gatan", b"\xa4gen")
_STREET = re.compile(
    rb"(?<![A-Za-z])[A-Z](?:[a-z]|\xc3[\x80-\xbf]){2,24}"
    rb"(?:stra(?:ss|\xc3\x9f)e|gasse|gatan|v\xc3\xa4gen|straat)(?![a-z])"
)
_TOLD_BY = re.compile(
    rb"\b(?:by|author|owner|operator|von|par|av|door|user)[: ] ?"
    rb"((?:[A-Z\xc3][\w\x80-\xff'\-]+ ){1,2}[A-Z\xc3][\w\x80-\xff'\-]+)"
)
_OWNED = re.compile(
    rb"(?<![\w\x80-\xff])([A-Z][a-z\x80-\xff]{2,20})(?:'|\xe2\x80\x99)s "
)
_SIX_PAIRS = re.compile(r"[0-9A-Fa-f]{2}(?:[:\-][0-9A-Fa-f]{2}){5}")
_PAIR_OF_NUMBERS = re.compile(r"(-?\d{1,3}\.\d{3,})\s*[,;/ ]\s*(-?\d{1,3}\.\d{3,})")
_RUNS = re.compile(rb"(?:[\t\n\r -~]|[\xc2-\xf4][\x80-\xbf]{1,3}){6,}")
_PHONE = re.compile(r"\+?[\d()][\d ()/.\-]{4,22}\d")
_PORT = re.compile(r"\]?(?::\d{1,5}|/\d{1,3})$")
_HEX_TEXT = re.compile(r"(?:[2-7][0-9A-Fa-f]|[cC][2-3][89abAB][0-9A-Fa-f]){6,}")
_LEAST = {"token": 8, "serial": 6, "account": 4, "secret": 4, "uuid": 8, "person": 3}
_IN_WORDS = ("person", "called", "where")
_COUNTED_UP = "01234567890"  # a part of it is what all devices begin with
_MOST_PRODUCT = 48
_FIRST_OF_HOMES, _HIGH = 24, 10
_VERSIONS = re.compile(r"(?i)ver|fw|firm|build|rev|oid|model|sdk|protocol")


def text_runs(data: bytes) -> bytes:
    """Return what of some bytes is text, one run per line."""
    return b"\n".join(_RUNS.findall(data))


def candidates(text: bytes) -> Iterator[Candidate]:
    """Yield (kind, value) of all that looks like an identifier; some are none."""
    for pattern in (_JSON, _XML, _PAIR):
        for raw_key, raw in pattern.findall(text):
            key = raw_key.decode()
            if kind_of(key):
                alone = pattern is _JSON
                yield from of_field(key, _plain(raw, pattern), alone=alone)
            elif raw.count(b".") == 3:
                yield from _of_unknown(key, raw.strip(b'" ').decode(errors="replace"))
    if b"{" in text:
        for raw in _OBJECT.findall(text):
            if is_random(raw.decode()):
                yield "token", raw.decode()
    yield from looks(text)


def of_field(key: str, value: str, *, alone: bool = False) -> Iterator[Candidate]:
    """Yield what a named field holds.

    alone  of a field that may name anything one word is enough
    """
    kind = kind_of(key)
    value = value.strip()
    if not kind or not value:
        return
    if kind in _IN_WORDS:
        value = value.replace("+", " ")  # as forms write a space
    if kind in _OF_KIND:
        yield from _OF_KIND[kind](value)
    elif kind == "called":
        if is_called(value, alone=alone) and (alone or key.lower() != "title"):
            yield "person", value
    elif kind == "mac" or (kind == "serial" and _SIX_PAIRS.fullmatch(value)):
        if re.fullmatch(r"(?:[0-9A-Fa-f]{2}[:\-. ]?){6}", value):
            yield "mac", value
    elif _may_be(kind, value):
        yield "email" if _EMAIL.fullmatch(value.encode()) else kind, value


def _may_be(kind: str, value: str) -> bool:
    """Say whether a value is long and odd enough for its kind."""
    if kind == "serial" and not any(char.isdigit() for char in value):
        return False
    if kind in ("account", "serial", "token") and value.isdigit() and len(value) < 6:
        return False  # a number that counts something
    if kind == "secret" and (value in _COUNTED_UP or len(set(value)) == 1):
        return False
    return len(value) >= _LEAST.get(kind, 2)


def _of_email(value: str) -> Iterator[Candidate]:
    if "@" in value:
        yield "email", value


def _of_udn(value: str) -> Iterator[Candidate]:
    bare = value.removeprefix("uuid:").split("::")[0]
    if _UUID.fullmatch(bare.encode()):
        yield "uuid", bare
    elif len(bare) >= _LEAST["uuid"] and not bare.startswith("urn:"):
        yield "serial", bare


def _of_place(value: str) -> Iterator[Candidate]:
    both = _PAIR_OF_NUMBERS.search(value)
    if both:
        yield from (("place", number) for number in both.groups())
    elif re.fullmatch(r"-?\d+(?:\.\d+)?", value):
        if sum(char.isdigit() for char in value) >= 4:
            yield "place", value.removeprefix("-")
    elif " " in value:
        yield from _of_where(value)


def _of_where(value: str) -> Iterator[Candidate]:
    """Yield a city or street; 'location' may also be an address, or numbers."""
    if _PAIR_OF_NUMBERS.search(value):
        yield from _of_place(value)
    elif "://" in value or len(value) < 3 or is_everyday(value):
        return
    elif value[0].isupper() or (value[0].isdigit() and " " in value):
        yield "place", value


def _of_postcode(value: str) -> Iterator[Candidate]:
    if 4 <= len(value) <= 10 and sum(char.isdigit() for char in value) >= 2:
        yield "place", value


def _of_phone(value: str) -> Iterator[Candidate]:
    if _PHONE.fullmatch(value) and sum(char.isdigit() for char in value) >= 6:
        yield "account", value


def _of_product(value: str) -> Iterator[Candidate]:
    """Yield what a maker calls all devices of a kind: no identifier is called so."""
    if 2 < len(value) <= _MOST_PRODUCT:
        yield "product", value


def _of_said(value: str) -> Iterator[Candidate]:
    """Yield what people wrote where it is the name of one of them."""
    if is_full_name(value):
        yield "person", value


def _of_key(value: str) -> Iterator[Candidate]:
    """Yield a key that was drawn at random, or that hides a text in hexadecimal."""
    if _HEX_TEXT.fullmatch(value):
        raw = binascii.unhexlify(value)
        text = raw.decode(errors="replace")
        if text.isprintable():
            yield "secret", text
    if is_random(value) and not _SIX_PAIRS.match(value):
        yield "token", value


def of_address(value: str) -> Iterator[Candidate]:
    """Yield an address, whatever port, length of prefix or brackets are around it."""
    value = value.strip(" []\"'")
    bare = value if value.count(":") > 1 else _PORT.sub("", value)
    bare = bare.split("/")[0].split("]")[0].split("%")[0]
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        return
    yield "own", str(address)


def _of_name(value: str) -> Iterator[Candidate]:
    if re.fullmatch(r"[\w.\-]{2,253}", value):
        yield "name", value


_OF_KIND: dict[str, Callable[[str], Iterator[Candidate]]] = {
    "place": _of_place,
    "where": _of_where,
    "postcode": _of_postcode,
    "phone": _of_phone,
    "key": _of_key,
    "address": of_address,
    "name": _of_name,
    "email": _of_email,
    "uuid": _of_udn,
    "said": _of_said,
    "product": _of_product,
}


def _of_unknown(key: str, value: str) -> Iterator[Candidate]:
    """Yield the address that a field of any name holds; versions look alike."""
    if not _VERSIONS.search(key):
        for kind, found in of_address(value):
            if kind == "own" and int(found.split(".")[0]) >= _FIRST_OF_HOMES:
                yield kind, found


def _plain(raw: bytes, pattern: re.Pattern[bytes]) -> str:
    """Return a value without the escapes of its language."""
    text = raw.decode(errors="replace")
    if pattern is _JSON:
        if not text.startswith('"'):
            return text
        try:
            return str(json.loads(text, strict=False))
        except ValueError:
            return text.strip('"')
    if pattern is _XML:
        return html.unescape(text)
    return unquote(text)


def looks(text: bytes) -> Iterator[Candidate]:
    """Yield what looks like an identifier whatever stands around it."""
    if b"@" in text or b"%40" in text:
        for raw in _EMAIL.findall(text):
            yield "email", raw.decode().replace("%40", "@")
    for found in _MAC.finditer(text):
        yield "mac", found.group().decode()
    for raw in _BARE.findall(text):
        yield "bare", raw.decode()
    for raw in _UUID.findall(text):
        yield "uuid", raw.decode()
    for kind, pattern, sign in (("mac", _MAC_DOTS, _DOTS), ("path", _PATH, _FOLDER)):
        if sign.search(text):
            for raw in pattern.findall(text):
                yield kind, raw.decode()
    for raw in _UDN.findall(text):
        yield from _of_udn(raw.decode())
    yield from _addresses(text)
    yield from _people(text)


def _people(text: bytes) -> Iterator[Candidate]:
    """Yield names and streets that a text holds."""
    if any(end in text for end in _STREETS):
        for raw in _STREET.findall(text):
            yield "place", raw.decode(errors="replace")
    for raw in _TOLD_BY.findall(text):
        name = raw.decode(errors="replace")
        if is_full_name(name):
            yield "person", name
    if b"'s " not in text and b"\x99s " not in text:
        return
    for raw in _OWNED.findall(text):
        owner = raw.decode(errors="replace")
        if not is_everyday(owner):
            yield "person", owner


def _addresses(text: bytes) -> Iterator[Candidate]:
    quads = _IPV4.findall(text)
    for raw in quads:
        kind = _kind_of_quad(raw.decode())
        if kind:
            yield kind, raw.decode()
    for pattern in (_SURELY, _LONE) if quads else ():
        for raw in pattern.findall(text):
            yield from of_address(raw.decode())
    if b"10-" in text or b"172-" in text or b"192-" in text:
        for raw in _DASHED.findall(text):
            address = raw.decode().replace("-", ".")
            if _kind_of_quad(address) == "ipv4":
                yield "ipv4", address
    for raw in _IPV6.findall(text):
        value = raw.decode().rstrip(":") if raw[-2:] != b"::" else raw.decode()
        yield "ipv6" if value[0] in "fF" else "own", value


def _kind_of_quad(text: str) -> str:
    """Say whether four numbers are an address: of a home's range, or hardly a version.

    A public one counts where it begins with 24 or more and two of the others have
    two digits or more.
    """
    try:
        address = ipaddress.IPv4Address(text)
    except ValueError:
        return ""
    first, *others = address.packed
    if address.is_private:
        return "" if first in (0, 127) else "ipv4"
    high = sum(number >= _HIGH for number in others)
    return "own" if first >= _FIRST_OF_HOMES and high >= 2 else ""
