"""Bytes that betray an identifier: every way in which it is written down plainly.

What has to be unpacked first (gzip, base64 around more than the identifier, chunks of
HTTP) is in `layers`, texts of which some characters are escaped in `escapes`; here is
what a search finds as it is.
"""

import base64
import ipaddress
import json
import re
import unicodedata
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import quote, quote_plus
from xml.sax.saxutils import escape

from analysis.exporters.identifiers.model import Identifier

_WEAK_BITS = 48  # 2 GB of noise hold each pattern of so many bits 7e-6 times
_SHORT_TEXT = 8
_LONG_NUMBER = 16
_MOST_LABEL_B = 63
_LEAST_JOINED = 9  # digits of an address without dots: a shorter one is any number
_PHONE = re.compile(r"(?:\+|00?)[1-9](?:[ ()/.-]{0,3}[0-9]){6,14}")
_LEAST_OF_PHONE = 8  # digits behind the country, that need nothing before them
# how long the numbers of countries are, by their first two digits
_COUNTRIES_OF_TWO = frozenset(
    each
    for first, last in (
        *((20, 20), (27, 27), (30, 34), (36, 36), (39, 41), (43, 49), (51, 58)),
        *((60, 66), (81, 82), (84, 84), (86, 86), (90, 95), (98, 98)),
    )
    for each in range(first, last + 1)
)
# a STUN server's answer holds the address of the asker under this number
_STUN_COOKIE = b"\x21\x12\xa4\x42"


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One spelling.

    encoding  how it is written; each is there once for an identifier, and another
              identifier of the same kind, length and classes of characters has the same
    pattern   the bytes
    fold      whether letters of either case count
    edges     what must not stand beside it: 'digit', 'hex' or 'word' characters, or ''
    """

    encoding: str
    pattern: bytes
    fold: bool = False
    edges: str = ""

    @property
    def weak(self) -> bool:
        """Say whether random bytes hold it by chance, in a capture of gigabytes."""
        letters = sum(chr(b).isalpha() for b in self.pattern if b < 128)
        return 8 * len(self.pattern) - (letters if self.fold else 0) < _WEAK_BITS


def variants(identifier: Identifier) -> Iterable[Variant]:
    """Return all spellings of an identifier, in a fixed order.

    None are left out for being short: whether a hit means anything is for the caller
    to judge, by `weak` and `edges`.
    """
    makers: dict[str, Callable[[Identifier], Iterator[Variant]]] = {
        "mac": _of_mac,
        "ipv4": _of_ipv4,
        "ipv6": _of_ipv6,
        "uuid": _of_uuid,
    }
    seen: set[tuple[bytes, bool]] = set()
    found = []
    for each in makers.get(identifier.kind, _of_text)(identifier):
        key = (each.pattern.lower() if each.fold else each.pattern, each.fold)
        if each.pattern and key not in seen:
            seen.add(key)
            found.append(each)
    return tuple(found)


def _written(name: str, text: str, edges: str = "") -> Iterator[Variant]:
    """Yield a text in the encodings of texts."""
    raw = text.encode()
    tail = f" {name}" if name else ""
    yield Variant(encoding=f"utf-8{tail}", pattern=raw, fold=True, edges=edges)
    for code in ("utf-16le", "utf-16be"):
        wide = text.encode(code)
        yield Variant(encoding=f"{code}{tail}", pattern=wide, fold=True, edges=edges)
    yield Variant(encoding=f"hex{tail}", pattern=raw.hex().encode(), fold=True)
    percent = quote(text, safe="").encode()
    if percent != raw:
        yield Variant(encoding=f"percent{tail}", pattern=percent, fold=True)
    every = "".join(f"%{b:02x}" for b in raw).encode()
    yield Variant(encoding=f"percent all{tail}", pattern=every, fold=True)
    yield from _base64(name, raw)
    yield from _base32(name, raw)


def _base32(name: str, raw: bytes) -> Iterator[Variant]:
    """Yield the characters that five bytes' alignments leave of a value in base32."""
    tail = f" {name}" if name else ""
    for shift, skip in enumerate((0, 2, 4, 5, 7)):
        sure = (shift + len(raw)) * 8 // 5
        plain = base64.b32encode(bytes(shift) + raw)[skip:sure]
        yield Variant(encoding=f"base32/{shift}{tail}", pattern=plain, fold=True)


def _base64(name: str, raw: bytes) -> Iterator[Variant]:
    """Yield the characters that three bytes' alignments leave of a value in base64."""
    tail = f" {name}" if name else ""
    for shift, skip in enumerate((0, 2, 3)):
        sure = (shift + len(raw)) * 8 // 6
        plain = base64.b64encode(bytes(shift) + raw)[skip:sure]
        yield Variant(encoding=f"base64/{shift}{tail}", pattern=plain)
        other = plain.translate(bytes.maketrans(b"+/", b"-_"))
        yield Variant(encoding=f"base64url/{shift}{tail}", pattern=other)


def _of_text(identifier: Identifier) -> Iterator[Variant]:
    value = identifier.value
    edges = ""
    if len(value) < _SHORT_TEXT or (value.isdigit() and len(value) < _LONG_NUMBER):
        edges = "word"
    yield from _written("", value, edges)
    for name, text in (("lower", value.lower()), ("upper", value.upper())):
        yield from _base64(name, text.encode())
    for code in ("utf-16le", "utf-16be"):
        yield from _base64(code, value.encode(code))
    for name, text in (*_escaped(value), *_dialled(value)):
        yield Variant(encoding=name, pattern=text.encode(), fold=True, edges=edges)
    if not value.isascii():
        yield from _punycode(value)
        for form in ("NFC", "NFD"):
            text = unicodedata.normalize(form, value)
            yield Variant(encoding=f"utf-8 {form}", pattern=text.encode(), fold=True)
        latin = value.encode("latin-1", errors="ignore")
        if len(latin) == len(value):
            yield Variant(encoding="latin-1", pattern=latin, fold=True)
        yield from _cased(value, edges)
    if identifier.kind == "hostname" and len(raw := value.upper().encode()) <= 15:
        nibbles = (half for byte in raw for half in (byte >> 4, byte & 15))
        yield Variant(encoding="netbios", pattern=bytes(0x41 + n for n in nibbles))
    if "." in value or len(value) < _SHORT_TEXT:
        labels = _labels(value.split("."))
        yield Variant(encoding="dns", pattern=labels, fold=True)


def _cased(value: str, edges: str) -> Iterator[Variant]:
    """Yield a text in other cases, of letters that `fold` does not know."""
    for case, cased in (
        ("upper", value.upper()),
        ("lower", value.lower()),
        ("title", value.title()),
    ):
        for form in ("NFC", "NFD"):
            text = unicodedata.normalize(form, cased)
            for code in ("utf-8", "utf-16le", "utf-16be"):
                name, raw = f"{code} {case} {form}", text.encode(code)
                yield Variant(encoding=name, pattern=raw, fold=True, edges=edges)
        for name, text in (
            ("json", json.dumps(cased)[1:-1]),
            ("percent", quote(cased)),
        ):
            raw = text.encode()
            yield Variant(encoding=f"{name} {case}", pattern=raw, fold=True)
        latin = cased.encode("latin-1", errors="ignore")
        if len(latin) == len(cased):
            yield Variant(encoding=f"latin-1 {case}", pattern=latin, fold=True)


def _escaped(value: str) -> Iterator[tuple[str, str]]:
    yield "json", json.dumps(value)[1:-1]
    yield "json slash", json.dumps(value)[1:-1].replace("/", "\\/")
    yield "xml", escape(value, {'"': "&quot;", "'": "&apos;"})
    yield "xml number", escape(value, {'"': "&#34;", "'": "&#39;"})
    yield "percent plus", quote_plus(value)
    for name, instead in (("+", "+"), ("-", "-"), ("_", "_"), ("032", "\\032")):
        yield f"space {name}", value.replace(" ", instead)


def _punycode(value: str) -> Iterator[Variant]:
    """Yield a name with other letters than ASCII as DNS has it."""
    for form in ("NFC", "NFKC"):
        labels = unicodedata.normalize(form, value).lower().split(".")
        coded = [
            label if label.isascii() else "xn--" + label.encode("punycode").decode()
            for label in labels
        ]
        name = "punycode" if form == "NFC" else f"punycode {form}"
        yield Variant(encoding=name, pattern=".".join(coded).encode(), fold=True)


def _dialled(value: str) -> Iterator[tuple[str, str]]:
    """Yield the number of a telephone as it is dialled from here and from abroad.

    Marks between digits are undone by `escapes`.
    """
    if not _PHONE.fullmatch(value):
        return
    digits = "".join(char for char in value if char.isdigit())
    yield "digits", digits
    if not value.startswith(("+", "00")):
        if len(digits) > _LEAST_OF_PHONE:
            yield "number alone", digits[1:]
        return
    digits = digits.removeprefix("00") if value[0] == "0" else digits
    size = 1 if digits[0] in "17" else 2 if int(digits[:2]) in _COUNTRIES_OF_TWO else 3
    country, rest = digits[:size], digits[size:].removeprefix("0")
    yield "country", country + rest
    yield "country 00", f"00{country}{rest}"
    yield "country 0", f"{country}0{rest}"
    yield "country 00 0", f"00{country}0{rest}"
    yield "from here", f"0{rest}"


def _labels(labels: Iterable[str]) -> bytes:
    """Return labels as DNS writes them; b'' when one is too long or empty."""
    raw = [label.encode() for label in labels]
    if not all(0 < len(label) <= _MOST_LABEL_B for label in raw):
        return b""
    return b"".join(bytes([len(label)]) + label for label in raw)


def _of_mac(identifier: Identifier) -> Iterator[Variant]:
    raw, colons = identifier.binary, identifier.value
    bare = raw.hex()
    yield Variant(encoding="binary", pattern=raw)
    yield Variant(encoding="binary reversed", pattern=raw[::-1])
    flipped = bytes([raw[0] ^ 2]) + raw[1:]
    for name, six in (("eui-64", raw), ("eui-64 interface", flipped)):
        eight = six[:3] + b"\xff\xfe" + six[3:]
        yield Variant(encoding=name, pattern=eight)
        groups = [eight[i : i + 2].hex() for i in range(0, 8, 2)]
        short = ":".join(group.lstrip("0") or "0" for group in groups)
        yield Variant(
            encoding=f"{name} text", pattern=short.encode(), fold=True, edges="hex"
        )
        whole = "".join(groups).encode()
        yield Variant(encoding=f"{name} bare", pattern=whole, fold=True)
    dots = ".".join(bare[i : i + 4] for i in (0, 4, 8))
    for name, text in (
        ("colons", colons),
        ("dashes", colons.replace(":", "-")),
        ("dots", dots),
        ("bare", bare),
        ("underscores", colons.replace(":", "_")),
    ):
        yield from _written(name, text)
        yield from _base64(f"{name} upper", text.upper().encode())
    yield from _base64("binary", raw)
    yield Variant(
        encoding="spaces", pattern=bytes(colons.replace(":", " "), "ascii"), fold=True
    )
    yield Variant(
        encoding="percent bytes",
        pattern=b"".join(b"%%%02x" % b for b in raw),
        fold=True,
    )
    turned = ":".join(reversed(colons.split(":")))
    yield Variant(encoding="colons reversed", pattern=turned.encode(), fold=True)
    yield Variant(encoding="bare reversed", pattern=raw[::-1].hex().encode(), fold=True)
    short = ":".join(f"{b:x}" for b in raw)
    yield Variant(
        encoding="colons short", pattern=short.encode(), fold=True, edges="hex"
    )
    number = str(int.from_bytes(raw)).encode()
    yield Variant(encoding="decimal", pattern=number, edges="digit")
    yield from _half(raw)


def _half(raw: bytes) -> Iterator[Variant]:
    """Yield the half that tells a unit from others, as names of devices end with it."""
    half = raw[3:].hex()
    if half.isdigit():
        return  # it may be any number, time or date
    yield Variant(encoding="half bare", pattern=half.encode(), fold=True, edges="hex")
    for name, mark in (("colons", ":"), ("dashes", "-")):
        text = mark.join(half[i : i + 2] for i in (0, 2, 4)).encode()
        yield Variant(encoding=f"half {name}", pattern=text, fold=True, edges="hex")


def _of_ipv4(identifier: Identifier) -> Iterator[Variant]:
    raw, value = identifier.binary, identifier.value
    parts = value.split(".")
    turned = parts[::-1]
    yield Variant(encoding="binary", pattern=raw)
    yield Variant(encoding="binary reversed", pattern=raw[::-1])
    hidden = bytes(a ^ b for a, b in zip(raw, _STUN_COOKIE, strict=True))
    yield Variant(encoding="binary stun", pattern=hidden)
    yield from _written("", value, "digit")
    for name, text in (
        ("dashes", "-".join(parts)),
        ("reversed", ".".join(turned)),
        ("reversed dashes", "-".join(turned)),
        ("underscores", "_".join(parts)),
        ("padded", ".".join(part.zfill(3) for part in parts)),
        ("padded dashes", "-".join(part.zfill(3) for part in parts)),
        ("padded joined", "".join(part.zfill(3) for part in parts)),
        ("octal", ".".join(f"0{int(part):o}" for part in parts)),
    ):
        yield Variant(encoding=name, pattern=text.encode(), edges="digit")
    if len(joined := "".join(parts)) >= _LEAST_JOINED:
        yield Variant(encoding="joined", pattern=joined.encode(), edges="digit")
    yield Variant(encoding="dns", pattern=_labels(parts))
    yield Variant(encoding="dns reversed", pattern=_labels(turned))
    yield Variant(
        encoding="hex binary", pattern=raw.hex().encode(), fold=True, edges="hex"
    )
    for name, mark in (("dashes", "-"), ("dots", "."), ("underscores", "_")):
        pairs = raw.hex(mark).encode()
        yield Variant(
            encoding=f"hex binary {name}", pattern=pairs, fold=True, edges="hex"
        )
    number = str(int.from_bytes(raw)).encode()
    yield Variant(encoding="decimal", pattern=number, edges="digit")
    mapped = b"::ffff:%x:%x" % (int.from_bytes(raw[:2]), int.from_bytes(raw[2:]))
    yield Variant(encoding="mapped", pattern=mapped, fold=True, edges="hex")


def _of_ipv6(identifier: Identifier) -> Iterator[Variant]:
    raw, value = identifier.binary, identifier.value
    yield Variant(encoding="binary", pattern=raw)
    if any(raw[8:12]):  # ends of few bits, as ::1, are everybody's
        yield Variant(encoding="interface", pattern=raw[8:])
    yield from _written("", value, "hex")
    whole = ipaddress.IPv6Address(raw).exploded
    yield Variant(encoding="whole", pattern=whole.encode(), fold=True)
    plain = ":".join(f"{int(group, 16):x}" for group in whole.split(":"))
    yield Variant(encoding="no gap", pattern=plain.encode(), fold=True, edges="hex")
    yield Variant(encoding="bare", pattern=raw.hex().encode(), fold=True)
    for name, text in (("dashes", value), ("whole dashes", whole)):
        dashed = text.replace(":", "-").encode()
        yield Variant(encoding=name, pattern=dashed, fold=True, edges="hex")
    nibbles = list(raw.hex()[::-1])
    yield Variant(encoding="reversed", pattern=".".join(nibbles).encode(), fold=True)
    yield Variant(encoding="dns reversed", pattern=_labels(nibbles), fold=True)


def _of_uuid(identifier: Identifier) -> Iterator[Variant]:
    yield from _of_text(identifier)
    try:
        known = uuid.UUID(identifier.value)
    except ValueError:
        return
    yield from _written("bare", known.hex)
    for name, text in (("dashes", str(known)), ("dashes upper", str(known).upper())):
        yield from _base64(name, text.encode())
    for name, raw in (
        ("binary", known.bytes),
        ("binary little", known.bytes_le),
        ("binary reversed", known.bytes[::-1]),
    ):
        yield Variant(encoding=name, pattern=raw)
        yield from _base64(name, raw)
