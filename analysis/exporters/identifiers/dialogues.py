"""Find logins in protocols of lines: FTP, mail, IRC, XMPP, syslog, Telnet."""

import base64
import binascii
import re
from collections.abc import Iterator

from analysis.exporters.identifiers.headers import of_user
from analysis.exporters.identifiers.naming import is_telling
from analysis.exporters.identifiers.texts import Candidate

_END = rb"[ \t]*\r?$"
_LOGIN = re.compile(
    rb"(?m)^(USER|PASS|NICK|ACCT|APOP|HELO|EHLO|OPER)[ \t]+:?([^\s:]{2,128})"
    rb"(?: [^\r\n]{0,200})?" + _END
)
_IRC_USER = re.compile(rb"(?m)^USER (\S+) \S+ \S+ :([^\r\n]{2,80})")
_IMAP = re.compile(
    rb'(?im)^\S{1,12} LOGIN (?:"([^"\r\n]+)"|(\S+)) (?:"([^"\r\n]*)"|(\S+))' + _END
)
_MAIL = re.compile(rb"(?im)^(?:MAIL FROM|RCPT TO): ?<([^<>\s]{1,128})>")
_SASL_PLAIN = re.compile(
    rb"(?i)(?:AUTH(?:ENTICATE)?[ =]+PLAIN|mechanism=['\"]PLAIN['\"][^>]*>)\s*"
    rb"([A-Za-z0-9+/]{4,512}={0,2})"
)
_SASL_LOGIN = re.compile(
    rb"(?i)AUTH(?:ENTICATE)? LOGIN\s+([A-Za-z0-9+/]{2,256}={0,2})"
    rb"(?:\s+([A-Za-z0-9+/]{2,256}={0,2}))?(?=\s|$)"
)
_JID = re.compile(
    rb"(?:to|from|jid|by)=['\"]([^'\"@/<>\s]{2,64})@([^'\"/<>\s]{1,128})(?:/([^'\"<>]{2,64}))?['\"]"
)
_BSD = re.compile(
    rb"(?m)^<\d{1,3}>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d ([\w.\-]{2,64}) "
    rb"([\w./\-]{2,48})(?:\[\d+\])?:"
)
_RFC5424 = re.compile(rb"(?m)^<\d{1,3}>1 \S{1,40} ([\w.\-]{2,64}) ([\w./\-]{1,48}) ")
_IAC = re.compile(rb"\xff(?:\xfa.*?\xff\xf0|[\xfb-\xfe].|[\xf0-\xf9])", re.DOTALL)
_TYPED = re.compile(rb"[^\r\n\0]+")


def dialogue(text: bytes) -> Iterator[Candidate]:
    """Yield logins, secrets and names that lines of a text tell."""
    for verb, raw in _LOGIN.findall(text):
        yield from _of_verb(verb, raw.decode(errors="replace"))
    for raw, name in _IRC_USER.findall(text):
        yield from of_user(raw.decode(errors="replace"))
        yield "person", name.decode(errors="replace")
    for found in _IMAP.findall(text):
        account, secret = (a or b for a, b in (found[:2], found[2:]))
        yield from of_user(account.decode(errors="replace"))
        yield "secret", secret.decode(errors="replace")
    for raw in _MAIL.findall(text):
        yield from of_user(raw.decode(errors="replace"))
    if b"@" in text:
        yield from _jabber(text)
    if b"AUTH" in text or b"auth" in text or b"uthenticate" in text:
        yield from _sasl(text)
    if b"<" in text:
        yield from _logged(text)


def _of_verb(verb: bytes, value: str) -> Iterator[Candidate]:
    if verb == b"PASS":
        yield "secret", value
    elif verb in (b"HELO", b"EHLO"):
        yield "machine", value.strip("[]")
    else:
        yield from of_user(value)


def _jabber(text: bytes) -> Iterator[Candidate]:
    for user, host, resource in _JID.findall(text):
        yield "account", user.decode(errors="replace")
        yield "name", host.decode(errors="replace")
        told = resource.decode(errors="replace")
        if told and is_telling(told):
            yield "person", told


def _sasl(text: bytes) -> Iterator[Candidate]:
    for raw in _SASL_PLAIN.findall(text):
        parts = _decoded(raw).split(b"\0")
        if len(parts) == 3:
            yield from of_user(parts[1].decode(errors="replace"))
            yield "secret", parts[2].decode(errors="replace")
    for first, second in _SASL_LOGIN.findall(text):
        account = _decoded(first).decode(errors="replace")
        if account.isprintable():
            yield from of_user(account)
        secret = _decoded(second).decode(errors="replace")
        if secret.isprintable():
            yield "secret", secret


def _decoded(raw: bytes) -> bytes:
    try:
        return base64.b64decode(raw, validate=True)
    except (binascii.Error, ValueError):
        return b""


def _logged(text: bytes) -> Iterator[Candidate]:
    for pattern in (_BSD, _RFC5424):
        for host, tag in pattern.findall(text):
            yield "machine", host.decode()
            word = tag.decode()
            if "/" not in word and is_telling(word):
                yield "hostname", word


def typed(data: bytes) -> Iterator[Candidate]:
    """Yield what somebody typed first over Telnet: a login, and what belongs to it."""
    lines = _TYPED.findall(_IAC.sub(b"", data[:1024]))
    for kind, raw in zip(("account", "secret"), lines, strict=False):
        text = raw.decode(errors="replace").strip()
        if text.isascii() and text.isprintable() and 2 < len(text) <= 64:
            yield kind, text
