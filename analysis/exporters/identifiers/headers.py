"""Find identifiers in headers of HTTP, RTSP, SIP and SSDP, and in URLs."""

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from urllib.parse import unquote

from analysis.exporters.identifiers.keys import kind_of
from analysis.exporters.identifiers.naming import (
    is_full_name,
    is_random,
    is_telling,
)
from analysis.exporters.identifiers.texts import Candidate, of_address, of_field

_HEADER = re.compile(
    rb"(?im)^(host|cookie|set-cookie|authorization|proxy-authorization|usn"
    rb"|from|to|contact|via|forwarded|true-client-ip|client-ip|cf-connecting-ip|referer"
    rb"|user-agent|p-asserted-identity|p-preferred-identity|remote-party-id|[fvtm]"
    rb"|www-authenticate|x-[a-z0-9\-]{0,40}):[ \t]*([^\r\n]{1,4096})"
)
_URL = re.compile(
    rb"(?<![A-Za-z0-9+.\-])[a-z][a-z0-9+.\-]{1,12}:(?:\\?/){2}"
    rb"(?:([^\s/@:\"'<>]{1,128})(?::([^\s/@\"'<>]{1,128}))?@)?"
    rb"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9_.\-]{1,253})"
)
_KEY_IN_PATH = re.compile(
    rb"/(?:api|keys?|tokens?|auth|sessions?|hooks?|webhooks?|u|users?|devices?|d|homes?"
    rb"|accounts?|members?|customers?|things?|people)/"
    rb"([A-Za-z0-9_.~%@+\-]{3,128})(?=[/? \r\n\"&])"
)
_BOT = re.compile(rb"/bot(\d{6,12}:[A-Za-z0-9_\-]{20,50})/")
_SIP = re.compile(
    rb"\b(?:(?:sips?|xmpp|mailto):([^\s@;<>\"',?:]{3,64})(?::[^\s@;<>]{1,64})?@"
    rb"|tel:(\+?[0-9.()\-]{6,24}))"
)
_SCOPE = re.compile(rb"onvif://www\.onvif\.org/(name|location|hardware)/([^\s<\"]+)")
_REFERRED = re.compile(r"https?://([\w\-]+|[\d.]+)(?::\d+)?/([\w.\-]{4,64})(?:$|[/?#])")
_NAMED = re.compile(r'"?([^"<>@]{3,64}?)"?\s*<')
_PARAMETER = re.compile(r'(\w+)="([^"]{4,1024})"')
_VIA = re.compile(r"(?:SIP/2\.0/\w+|\d\.\d|HTTP/\d\.\d)\s+([^\s;,()]+)")
_FOR = re.compile(r'(?i)(?:for|by|host)="?\[?([0-9A-Fa-f.:]{7,45}|[\w.\-]+)')
_DEVICE = re.compile(r"\(([^()]{3,120})\)")
_LONG_PARAMETER = 16
_LEAST_TOKEN = 8
_ADDRESSES = (
    "client-ip",
    "true-client-ip",
    "cf-connecting-ip",
    "real-ip",
    "forwarded-for",
)


def spoken(text: bytes) -> Iterator[Candidate]:
    """Yield (kind, value) of what headers and URLs in a text tell."""
    for name, raw in _HEADER.findall(text):
        yield from _of_header(name.decode().lower(), raw)
    if b"://" in text or b":\\/\\/" in text:
        yield from _urls(text)
    if b"/" in text:
        for raw in _KEY_IN_PATH.findall(text):
            yield from _of_segment(unquote(raw.decode(errors="replace")))
        for raw in _BOT.findall(text):
            yield "token", raw.decode()
    if b"onvif:" in text:
        for what, raw in _SCOPE.findall(text):
            yield from _of_scope(what, unquote(raw.decode(errors="replace")))
    if b"sip" in text or b"tel:" in text or b"xmpp:" in text or b"mailto:" in text:
        for user, number in _SIP.findall(text):
            yield from of_user(unquote((user or number).decode(errors="replace")))


def _of_scope(what: bytes, value: str) -> Iterator[Candidate]:
    """Yield what a camera tells of itself to who looks for one."""
    value = value.rpartition("/")[2]
    if what == b"hardware":
        yield "product", value
    elif is_telling(value):
        yield ("person" if what == b"name" else "place"), value


def _urls(text: bytes) -> Iterator[Candidate]:
    for user, secret, host in set(_URL.findall(text)):
        if user:
            yield from of_user(unquote(user.decode(errors="replace")))
        if secret:
            yield "secret", unquote(secret.decode(errors="replace"))
        name = host.decode().strip("[]")
        if name.count(".") == 3 or ":" in name:
            yield from of_address(name)
        yield "name", name


def _of_segment(value: str) -> Iterator[Candidate]:
    """Yield a part of a path behind a word that says whose it is."""
    if is_random(value):
        yield "token", value
    elif "@" in value:
        yield "email", value
    elif any(c.isdigit() for c in value) and len(value) >= 6 and is_telling(value):
        yield "account", value


def of_user(value: str) -> Iterator[Candidate]:
    """Yield a login: a mail address, a number or a word."""
    if "@" in value:
        yield "email", value
    elif len(value) >= 3:
        yield "account", value
        if value.startswith("+") and value[1:].isdigit():
            yield "account", value[1:]


def _of_header(name: str, raw: bytes) -> Iterator[Candidate]:
    value = raw.decode(errors="replace").strip()
    if name in _OF_HEADER:
        yield from _OF_HEADER[name](value)
    elif name.endswith("authorization"):
        yield from _of_authorization(value)
    elif name.startswith("x-"):
        yield from _of_own(name[2:], value)
    elif name in _ADDRESSES:
        yield from of_address(value)


def _of_own(name: str, value: str) -> Iterator[Candidate]:
    """Yield what a header says that some maker thought out."""
    if name.endswith(_ADDRESSES):
        for part in value.split(","):
            yield from of_address(part)
        return
    yield from of_field(name, value)
    if re.search("token|auth|key|session", name) and len(value) >= _LEAST_TOKEN:
        yield "token", value


def _of_host(value: str) -> Iterator[Candidate]:
    yield "name", value.split(":")[0]


def _of_cookies(value: str) -> Iterator[Candidate]:
    for part in value.split(";"):
        key, _, held = part.strip().partition("=")
        held = held.strip('"')
        if len(held) >= _LEAST_TOKEN:
            kind = kind_of(key)
            found = tuple(of_field(key, held)) if kind else ()
            yield from found or (("token", held),)


def _of_first_cookie(value: str) -> Iterator[Candidate]:
    yield from _of_cookies(value.split(";")[0])


def _of_usn(value: str) -> Iterator[Candidate]:
    yield from of_field("usn", value)


def _of_person(value: str) -> Iterator[Candidate]:
    said = _NAMED.match(value)
    if said:
        yield "person", said.group(1)


def _of_via(value: str) -> Iterator[Candidate]:
    for each in _VIA.findall(value):
        yield from of_address(each)
        yield "name", each.split(":")[0]


def _of_forwarded(value: str) -> Iterator[Candidate]:
    for each in _FOR.findall(value):
        yield from of_address(each)


def _of_referer(value: str) -> Iterator[Candidate]:
    """Yield whose page of a machine at home it was."""
    found = _REFERRED.match(value)
    if found and "." not in found[2] and is_telling(found[2]):
        yield "account", found[2]


def _of_agent(value: str) -> Iterator[Candidate]:
    """Yield the owner that an app tells within brackets."""
    for inside in _DEVICE.findall(value):
        for part in inside.split(";"):
            part = part.strip()
            if is_full_name(part) or re.search(r"\w['\u2019]s ", part):
                yield "person", part


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
            if len(held) >= _LONG_PARAMETER and held[0] != "/" and "://" not in held:
                yield "token", held
    elif len(rest or scheme) >= _LEAST_TOKEN:
        yield "token", rest or scheme


_OF_HEADER: dict[str, Callable[[str], Iterator[Candidate]]] = {
    "host": _of_host,
    "cookie": _of_cookies,
    "set-cookie": _of_first_cookie,
    "usn": _of_usn,
    "from": _of_person,
    "to": _of_person,
    "f": _of_person,
    "t": _of_person,
    "m": _of_person,
    "contact": _of_person,
    "p-asserted-identity": _of_person,
    "p-preferred-identity": _of_person,
    "remote-party-id": _of_person,
    "via": _of_via,
    "v": _of_via,
    "forwarded": _of_forwarded,
    "referer": _of_referer,
    "user-agent": _of_agent,
}
