"""What is under keys that everybody knows is found, rewritten, and looked for again."""

import hashlib
import json
import struct
import zlib

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from analysis.exporters.anonymise import Policy, Pseudonyms, anonymise_capture
from analysis.exporters.audit import PLAIN, audit
from analysis.exporters.identifiers import Identifier
from analysis.exporters.identifiers.captured import harvest_capture
from analysis.exporters.identifiers.gathered import Gathered
from analysis.exporters.identifiers.public import Products
from analysis.exporters.identifiers.sealed import opened_by_all
from analysis.pcap.blocks import Interface
from analysis.pcap.reader import read_frames
from analysis.pcap.writer import open_capture
from tests.analysis.exporters.identifiers.crafted import sized, udp

START_NS = 1_767_607_200_000_000_000
# of RFC 9001, appendix A.1
TARGET = bytes.fromhex("8394c8f03e515708")
QUIC_KEY = bytes.fromhex("1f369613dd76d5467730efcbe3b1a22d")
QUIC_IV = bytes.fromhex("fa044b2f42a3fd3b46fb255c")
QUIC_MASK = bytes.fromhex("9f50449e04a0e810283a1e9933adedd2")
TUYA_KEY = hashlib.md5(b"yGAdlopoPVldABfn", usedforsecurity=False).digest()
TOLD = json.dumps(
    {"ip": "10.77.0.5", "gwId": "bf1122334455667788zaph", "version": "3.3"}
).encode()


def hello(name):
    named = sized(b"\0" + sized(name))
    rest = struct.pack(">HH", 43, 3) + b"\2\3\4"
    shared = struct.pack(">H", 0) + sized(named) + rest
    body = b"\3\3" + bytes(range(32)) + b"\0\0\2\x13\1\1\0" + sized(shared)
    return b"\1" + struct.pack(">I", len(body))[1:] + body


def crypto(place, data):
    return b"\6" + struct.pack(">HH", 0x4000 | place, 0x4000 | len(data)) + data


def quic(*frames):
    plain = b"".join(frames).ljust(1150, b"\0")
    number = b"\0\0\0\2"
    head = b"\xc3\0\0\0\1" + sized(TARGET, ">B") + b"\0\0"
    head += struct.pack(">H", 0x4000 | len(number) + len(plain) + 16)
    nonce = QUIC_IV[:-1] + bytes([QUIC_IV[-1] ^ number[-1]])
    body = AESGCM(QUIC_KEY).encrypt(nonce, plain, head + number)
    cipher = Cipher(algorithms.AES(QUIC_MASK), modes.ECB())  # noqa: S305
    mask = cipher.encryptor().update(body[:16])
    hidden = bytes(a ^ b for a, b in zip(number, mask[1:5], strict=True))
    return bytes([head[0] ^ mask[0] & 15]) + head[1:] + hidden + body


def tuya(text, before=bytes(4)):
    fill = 16 - len(text) % 16
    cipher = Cipher(algorithms.AES(TUYA_KEY), modes.ECB())  # noqa: S305
    body = before + cipher.encryptor().update(text + bytes([fill]) * fill)
    made = b"\0\0\x55\xaa" + struct.pack(">III", 1, 0x13, len(body) + 8) + body
    return made + struct.pack(">I", zlib.crc32(made)) + b"\0\0\xaa\x55"


def newer(text):
    head = b"\0\0" + struct.pack(">III", 1, 0x13, 12 + 4 + len(text) + 16)
    body = AESGCM(TUYA_KEY).encrypt(b"0123456789ab", bytes(4) + text, head)
    return b"\0\0\x66\x99" + head + b"0123456789ab" + body + b"\0\0\x99\x66"


def scattered(name):
    whole = hello(name)
    at = whole.index(name.encode()) + 4
    return quic(b"\1" + crypto(at, whole[at:]) + b"\0\0" + crypto(0, whole[:at]))


SAID = {
    "quic": (quic(crypto(0, hello("toms-nas.local"))), b"toms-nas"),
    "quic-cut": (quic(crypto(0, hello("toms-nas.local")))[:400], b"toms-nas"),
    "quic-scattered": (scattered("toms-nas.local"), b"toms-nas"),
    "tuya": (tuya(TOLD), b"bf1122334455667788zaph"),
    "tuya-bare": (tuya(TOLD, b""), b"bf1122334455667788zaph"),
    "tuya-newer": (newer(TOLD), b"bf1122334455667788zaph"),
}


@pytest.fixture(params=list(SAID))
def said(request):
    return SAID[request.param]


def inner(data):
    (part,) = opened_by_all(data)
    return part.inner


def captured(path, data):
    path.parent.mkdir(parents=True, exist_ok=True)
    with open_capture(path, interfaces=[Interface(link=1)]) as out:
        for frame in udp((50000, 6667), data):
            out.packet(START_NS, frame)
    return path


def harvested(path):
    gathered = Gathered(Products({}), "keep-public")
    harvest_capture(path, gathered)
    return tuple(gathered.identifiers())


def test_what_is_sealed_again_is_what_it_was_or_says_something_else(said):
    data, name = said
    (part,) = opened_by_all(data)
    assert name in part.inner
    again = part.sealed(part.inner)
    assert data[part.at :].startswith(again)
    other = part.inner.replace(name, b"x" * len(name))
    made = data[: part.at] + part.sealed(other) + data[part.at + len(again) :]
    assert len(made) == len(data)
    assert inner(made) == other


def test_harvest_reads_it_and_nothing_of_it_is_left_afterwards(tmp_path, said):
    data, name = said
    path = captured(tmp_path / "c.pcapng", data)
    identifiers = harvested(path)
    assert name.decode() in {each.value for each in identifiers}
    made = tmp_path / "made.pcapng"
    anonymise_capture(
        path,
        made,
        pseudonyms=Pseudonyms(bytes(range(32))),
        identifiers=identifiers,
        policy=Policy(),
    )
    frames = read_frames(made)
    at = frames.offset[0] + 42
    left = inner(frames.source[at : at + len(data)])
    assert len(left) == len(inner(data))
    assert name not in left
    assert b"10.77.0.5" not in left
    others = {each.value for each in harvested(made)}
    assert others & {each.value for each in identifiers} == set()


def test_the_audit_finds_what_is_left_of_it(tmp_path, said):
    data, name = said
    path = captured(tmp_path / "set" / "campaigns" / "c" / "raw" / "c.pcapng", data)
    told = Identifier(kind="serial", value=name.decode())
    found = audit(path.parents[3], [told]).findings
    assert "under the key of" in "".join(each.sentence for each in found)


def test_the_second_opinion_reads_announcements_of_which_nobody_told(tmp_path):
    data, name = SAID["tuya"]
    path = captured(tmp_path / "set" / "campaigns" / "c" / "raw" / "c.pcapng", data)
    first = captured(tmp_path / "c.pcapng", data)
    originals = {"campaigns/c/raw/c.pcapng": first}
    found = audit(path.parents[3], (), originals=originals).findings
    words = {word for each in found if each.kind == PLAIN for word in each.words}
    assert name.decode() in words


def test_what_only_begins_alike_is_left_alone():
    noise = bytes((7 * k) & 0xFF for k in range(1200))
    for head in (b"\xc3\0\0\0\1", b"\0\0\x55\xaa", b"\0\0\x66\x99", b"\x80"):
        for size in (4, 5, 24, 60, 1200):
            assert list(opened_by_all((head + noise)[:size])) == []
