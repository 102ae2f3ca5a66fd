"""Find identifiers in text: by the name of a field, and by what they look like."""

import base64
import binascii
import html
import ipaddress
import json
import re
from collections.abc import Iterator
from urllib.parse import unquote

from analysis.exporters.identifiers.keys import kind_of

Candidate = tuple[str, str]  # kind, value
_KEY = rb"([A-Za-z_][A-Za-z0-9_.\-]{0,40})"
_JSON = re.compile(
    rb'"' + _KEY + rb'"\s*:\s*("(?:[^"\\]|\\.){1,2048}"|-?\d+(?:\.\d+)?)'
)
_XML = re.compile(rb"<(?:[\w\-]+:)?" + _KEY + rb"(?:\s[^<>]{0,160})?>([^<>]{1,1024})</")
_PAIR = re.compile(rb"(?<![\w.\-])" + _KEY + rb"=\"?([^&;\s\"'<>,|\x00-\x1f]{1,2048})")
_HEADER = re.compile(
    rb"(?im)^(host|cookie|set-cookie|authorization|proxy-authorization|usn|location"
    rb"|from|x-[a-z0-9\-]{0,40}):[ \t]*([^\r\n]{1,4096})"
)
_EMAIL = re.compile(
    rb"(?<![\w.+%\-])[A-Za-z0-9][A-Za-z0-9._+\-]{0,63}(?:@|%40)"
    rb"(?:[A-Za-z0-9\-]{1,63}\.){1,8}[A-Za-z]{2,24}"
)
_MAC = re.compile(
    rb"(?<![0-9A-Fa-f:\-])[0-9A-Fa-f]{2}([:\-])(?:[0-9A-Fa-f]{2}\1){4}[0-9A-Fa-f]{2}"
    rb"(?![0-9A-Fa-f:\-])"
)
_UUID = re.compile(
    rb"(?<![0-9A-Fa-f])[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}"
    rb"(?![0-9A-Fa-f])"
)
_UDN = re.compile(rb"uuid:([A-Za-z0-9_\-.]{6,64})")
_IPV4 = re.compile(rb"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.]*\d)")
_IPV6 = re.compile(rb"(?i)(?<![0-9a-f:])(?:fe80|f[cd][0-9a-f]{2}):[0-9a-f:]{2,40}")
_PATH = re.compile(rb"(?:/home/|/Users/|[A-Za-z]:\\+Users\\+)[A-Za-z0-9._\-]{2,32}")
_SIX_PAIRS = re.compile(r"[0-9A-Fa-f]{2}(?:[:\-][0-9A-Fa-f]{2}){5}")
_PAIR_OF_NUMBERS = re.compile(r"(-?\d{1,3}\.\d{3,})\s*[,;/ ]\s*(-?\d{1,3}\.\d{3,})")
_RUNS = re.compile(rb"(?:[\t\n\r -~]|[\xc2-\xf4][\x80-\xbf]{1,3}){6,}")
_PARAMETER = re.compile(r'(\w+)="([^"]{4,1024})"')
_LONG_PARAMETER = 16
_LEAST = {"token": 8, "serial": 6, "account": 4, "secret": 4, "uuid": 8, "person": 3}


def text_runs(data: bytes) -> bytes:
    """Return what of some bytes is text, one run per line."""
    return b"\n".join(_RUNS.findall(data))


def candidates(text: bytes) -> Iterator[Candidate]:
    """Yield (kind, value) of all that looks like an identifier; some are none."""
    for pattern in (_JSON, _XML, _PAIR):
        for key, raw in pattern.findall(text):
            yield from of_field(key.decode(), _plain(raw, pattern))
    for name, raw in _HEADER.findall(text):
        yield from _of_header(name.decode().lower(), raw)
    yield from looks(text)


def of_field(key: str, value: str) -> Iterator[Candidate]:
    """Yield what a named field holds."""
    kind = kind_of(key)
    value = value.strip()
    if not kind or not value:
        return
    if kind == "place":
        yield from _of_place(value)
    elif kind == "mac" or (kind == "serial" and _SIX_PAIRS.fullmatch(value)):
        if re.fullmatch(r"(?:[0-9A-Fa-f]{2}[:\-. ]?){6}", value):
            yield "mac", value
    elif kind == "email":
        if "@" in value:
            yield kind, value
    elif kind == "uuid":
        yield from _of_udn(value)
    elif kind == "serial" and not any(char.isdigit() for char in value):
        return
    elif len(value) >= _LEAST.get(kind, 2):
        yield "email" if _EMAIL.fullmatch(value.encode()) else kind, value


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
    elif "://" not in value and any(c.isalpha() for c in value) and " " in value:
        yield "place", value


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


def _of_header(name: str, raw: bytes) -> Iterator[Candidate]:
    value = raw.decode(errors="replace").strip()
    if name == "host":
        yield "name", value.split(":")[0]
    elif name == "cookie":
        yield from _of_cookies(value)
    elif name == "set-cookie":
        yield from _of_cookies(value.split(";")[0])
    elif name.endswith("authorization"):
        yield from _of_authorization(value)
    elif name == "usn":
        yield from _of_udn(value)
    elif name == "from":
        said = re.match(r'"?([^"<>@]{3,64}?)"?\s*<', value)
        if said:
            yield "person", said.group(1)
    elif name.startswith("x-"):
        yield from of_field(name[2:], value)
        if re.search("token|auth|key|session", name) and len(value) >= _LEAST["token"]:
            yield "token", value


def _of_cookies(value: str) -> Iterator[Candidate]:
    for part in value.split(";"):
        key, _, held = part.strip().partition("=")
        held = held.strip('"')
        if len(held) >= _LEAST["token"]:
            yield kind_of(key) or "token", held


def _of_authorization(value: str) -> Iterator[Candidate]:
    scheme, _, rest = value.partition(" ")
    rest = rest.strip()
    if scheme.lower() == "basic":
        try:
            both = base64.b64decode(rest, validate=True).decode(errors="replace")
        except (binascii.Error, ValueError):
            return
        account, _, secret = both.partition(":")
        yield "account" if "@" not in account else "email", account
        if secret:
            yield "secret", secret
    elif params := _PARAMETER.findall(rest):
        for key, held in params:
            yield from of_field(key, held)
            if len(held) >= _LONG_PARAMETER:
                yield "token", held
    elif len(rest or scheme) >= _LEAST["token"]:
        yield "token", rest or scheme


def looks(text: bytes) -> Iterator[Candidate]:
    """Yield what looks like an identifier whatever stands around it."""
    for raw in _EMAIL.findall(text):
        yield "email", raw.decode().replace("%40", "@")
    for found in _MAC.finditer(text):
        yield "mac", found.group().decode()
    for raw in _UUID.findall(text):
        yield "uuid", raw.decode()
    for raw in _UDN.findall(text):
        yield from _of_udn(raw.decode())
    for raw in _IPV4.findall(text):
        if _is_private(raw.decode()):
            yield "ipv4", raw.decode()
    for raw in _IPV6.findall(text):
        yield "ipv6", raw.decode().rstrip(":")
    for raw in _PATH.findall(text):
        yield "path", raw.decode()


def _is_private(text: str) -> bool:
    """Say whether a text is an address of a home; others may be versions."""
    try:
        address = ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return address.is_private and int(address) >> 24 not in (0, 127)
