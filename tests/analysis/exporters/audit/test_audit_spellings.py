"""Every way to write an identifier down, carried in every way: found, then gone."""

import base64
import gzip
from urllib.parse import quote, quote_plus

import pytest

from analysis.exporters.anonymise import (
    Policy,
    Pseudonyms,
    anonymise_capture_with,
    patterns_of,
)
from analysis.exporters.audit import audit
from analysis.exporters.identifiers import Identifier
from analysis.pcap.stream import open_capture_stream

KEY = bytes(range(32))
CLIENT, SERVER = "192.0.2.20", "192.0.2.33"
TEXTS = {
    "person": "Opas Lampe",
    "ssid": "Vinterljus & Co",
    "hostname": "larssons-nas",
    "domain": "keller.huber.lan",
    "account": "huber1977x",
    "email": "maja.lindq@post.example",
    "serial": "G090LF1070",
    "secret": "Schl/ehe!99+x",
    "token": "9sXjkQ1lPmVb3TzU8wYc0dEhR5nGa2oK",
    "uuid": "c0ffee12-9a8b-4c7d-8e6f-5a4b3c2d1e0f",
    "place": "48.40123",
    "path": "/home/huber/cam",
    "mac": "50:c7:bf:6b:e0:19",
    "ipv4": "192.168.178.33",
    "ipv6": "fd3a:77c1:9e02::1a2b:3c4d:5e6f",
}


def some(text, escape):
    """Escape every other character."""
    return "".join(escape(c) if k % 2 else c for k, c in enumerate(text)).encode()


def every(text, escape):
    return "".join(escape(c) for c in text).encode()


def code(form):
    return lambda char: form.format(ord(char))


def word(text):
    """Return base64 of a sentence in which a text stands."""
    return b"k=" + base64.b64encode(b"it is called " + text + b", they say") + b" "


SPELLINGS = {
    "decimal references": lambda t: every(t, code("&#{};")),
    "some decimal references": lambda t: some(t, code("&#{};")),
    "hex references": lambda t: every(t, code("&#x{:x};")),
    "some hex references, long": lambda t: some(t, code("&#X{:06X};")),
    "json": lambda t: every(t, code("\\u{:04x}")),
    "some json": lambda t: some(t, code("\\u{:04X}")),
    "json in json": lambda t: some(t, code("\\\\u{:04x}")),
    "c": lambda t: every(t, code("\\x{:02x}")),
    "some c": lambda t: some(t, code("\\x{:02X}")),
    "octal": lambda t: some(t, code("\\{:03o}")),
    "decimal": lambda t: some(t, code("\\{:03d}")),
    "percent": lambda t: quote(t, safe="").encode(),
    "some percent": lambda t: some(t, code("%{:02x}")),
    "percent twice": lambda t: some(t, code("%25{:02X}")),
    "percent u": lambda t: some(t, code("%u{:04x}")),
    "plus": lambda t: b"q=" + quote_plus(t).encode(),
    "some plus": lambda t: b"q=" + some(t, code("%{:02X}")).replace(b" ", b"+"),
    "some quoted": lambda t: some(t, code("={:02X}")),
    "quoted, folded": lambda t: some(t, code("=\r\n={:02X}")),
    "base32": lambda t: base64.b32encode(t.encode()),
    "base32 in a sentence": lambda t: base64.b32encode(b"called " + t.encode() + b"!"),
    "base32 lower": lambda t: base64.b32encode(b"it is " + t.encode()).lower(),
    "base64": lambda t: word(t.encode()),
    "base64, other case": lambda t: word(t.swapcase().encode()),
    "base64 of utf-16": lambda t: base64.b64encode(b"\xff\xfe" + t.encode("utf-16le")),
    "base64 of big utf-16": lambda t: base64.b64encode(t.encode("utf-16be")),
    "base64 of percent": lambda t: word(some(t, code("%{:02x}"))),
    "hex, other case": lambda t: t.swapcase().encode().hex().encode(),
    "hex after a word": lambda t: b"abc" + t.swapcase().encode().hex().encode(),
    "colon hex": lambda t: t.encode().hex(":").encode(),
    "spaced hex": lambda t: t.encode().hex(" ").upper().encode(),
    "hex with 0x": lambda t: every(t, code("0x{:02x}, ")),
}
OF_KIND = {
    ("mac", "spaces"): b"50 C7 BF 6B E0 19",
    ("mac", "underscores"): b"50_c7_bf_6b_e0_19",
    ("ipv4", "hex in a name"): b"http://c0a8b221.dyn.huber.example",
    ("ipv4", "hex with dashes"): b"c0-a8-b2-21.dyn.example",
    ("ipv4", "joined"): b"ip19216817833.dyn.example",
    ("ipv4", "padded and joined"): b"u192168178033.dyn.example",
    ("ipv4", "dashes"): b"ip-192-168-178-33.dyn.example",
    ("ipv4", "padded dashes"): b"p192-168-178-033.dip.example",
    ("ipv4", "number"): b"http://3232281121/",
    ("ipv6", "dashes"): b"fd3a-77c1-9e02--1a2b-3c4d-5e6f.dyn.example",
    ("phone", "from abroad"): b"tel:+49731123456",
    ("phone", "with 00"): b"dial 0049731123456;",
    ("phone", "from here"): b"dial 0731123456;",
    ("phone", "parted"): b"Tel. 0731 / 12 34-56.",
    ("phone", "in brackets"): b"+49 (0)731 123456",
    ("phone", "percent"): b"to=%2B49%20731%20123456&",
    ("person", "references without ends"): b"<b>O&#112as&#32L&#x61mpe</b>",
    ("owner", "references"): b"<n>J&ouml;rg B&auml;cker</n>",
    ("owner", "json"): b'{"n": "J\\u00f6rg B\\u00e4cker"}',
    ("owner", "quoted"): b"Subject: =?utf-8?q?J=C3=B6rg_B=C3=A4cker?=",
    ("dns", "punycode"): b"Host: xn--brkerhaus-07a.dyn.example",
}
EXTRA = {
    "phone": ("account", "+49 731 123456"),
    "owner": ("person", "Jörg Bäcker"),
    "dns": ("hostname", "börkerhaus"),
}


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
GZIPPED = b"Content-Encoding: gzip\r\n"


def cut(data, size_b):
    return [data[at : at + size_b] for at in range(0, len(data), size_b)]


def chunked(data, size_b):
    parts = (b"%x\r\n%s\r\n" % (len(part), part) for part in cut(data, size_b))
    return b"".join(parts) + b"0\r\n\r\n"


def packed(data):
    noise = base64.b85encode(bytes(range(200)))  # room for what packs worse
    return gzip.compress(data + noise, mtime=0)


def udp(house, port, text):
    house.udp(CLIENT, SERVER, (port, 7000), b"\x01 said: " + text + b" \x02")


def tcp(house, port, text):
    house.tcp(CLIENT, SERVER, (port, 7000), *cut(b"said: " + text + b" .", 7))


def in_chunks(house, port, text):
    body = HEAD + CHUNKED + b"\r\n" + chunked(b"said: " + text + b" .", 9)
    house.tcp(SERVER, CLIENT, (80, port), *cut(body, 50))


def in_gzip(house, port, text):
    body = HEAD + GZIPPED + b"\r\n" + packed(b"said: " + text + b" .")
    house.tcp(SERVER, CLIENT, (80, port), *cut(body, 50))


def in_both(house, port, text):
    body = HEAD + CHUNKED + GZIPPED + b"\r\n" + chunked(packed(text + b" ."), 60)
    house.tcp(SERVER, CLIENT, (80, port), *cut(body, 200))


WAYS = (udp, tcp, in_chunks, in_gzip, in_both)
TOLD = tuple(
    Identifier(kind=kind, value=value)
    for kind, value in (*TEXTS.items(), *EXTRA.values())
)
ROWS = {name: row for row, name in enumerate((*TEXTS, *EXTRA))}


def plants():
    """Yield (name of a file, identifiers in it, texts)."""
    for name, spell in SPELLINGS.items():
        yield name, set(range(len(TEXTS))), [spell(text) for text in TEXTS.values()]
    for (kind, name), text in OF_KIND.items():
        yield f"{kind} {name}", {ROWS[kind]}, [text]


@pytest.fixture(scope="module")
def planted(tmp_path_factory, house_of):
    """Return the folder of captures, one of each spelling and way, and what is in."""
    folder, inside = tmp_path_factory.mktemp("spelled"), {}
    for name, rows, texts in plants():
        for way in WAYS:
            house = house_of()
            for number, text in enumerate(texts):
                way(house, 40_000 + number, text)
            file = f"{way.__name__} {name}.pcapng"
            house.write(folder / file, comment="", names=b"")
            inside[file] = rows
    return folder, inside


@pytest.fixture(scope="module", autouse=True)
def _without_tshark():
    """What two readers find, one may have missed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("shutil.which", lambda _: None)
        yield


def sizes(path):
    with open_capture_stream(path) as capture:
        return [size for batch in capture for size in batch.captured_b.tolist()]


def leaks(folder):
    found = {}
    for each in audit(folder, TOLD).findings:
        if each.number >= 0 and each.kind in {told.kind for told in TOLD}:
            found.setdefault(each.file, set()).add(each.number)
    return found


def test_every_spelling_of_every_kind_is_found_in_every_way(planted):
    folder, inside = planted
    found = leaks(folder)
    missed = {
        file: [TOLD[row].kind for row in rows - found.get(file, set())]
        for file, rows in inside.items()
        if rows - found.get(file, set())
    }
    assert missed == {}
    assert len(inside) > 200


def test_none_is_left_by_the_anonymiser_and_nothing_changes_its_size(planted, tmp_path):
    folder, inside = planted
    pseudonyms = Pseudonyms(KEY)
    patterns = patterns_of(TOLD, pseudonyms)
    for file in inside:
        counts = anonymise_capture_with(
            folder / file,
            tmp_path / file,
            pseudonyms=pseudonyms,
            patterns=patterns,
            policy=Policy(),
        )
        assert counts.unread == 0
        assert sizes(tmp_path / file) == sizes(folder / file)
    left = leaks(tmp_path)
    assert {f: [TOLD[r].kind for r in rows] for f, rows in left.items()} == {}
