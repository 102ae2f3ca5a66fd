"""Unpack what lies packed within bytes: base64, hex, percent, gzip, zlib, XOR autokey.

for start, name, inner in unpacked(data): ...

One pass of a kernel marks where something may begin; whether it does is told by trying.
What comes out may be packed again: ask again with it, `DEPTH` times at most.
"""

import base64
import binascii
import re
import zlib
from collections.abc import Iterator
from urllib.parse import unquote_to_bytes

import numpy as np
from numpy.typing import NDArray

from analysis.pcap.jit import kernel

Int64 = NDArray[np.int64]
Uint8 = NDArray[np.uint8]

DEPTH = 3
CONTEXT_B = 1 << 16  # what begins in a piece of a file may end so far behind it
AUTOKEY = 171
_MOST_UNPACKED_B = 1 << 26
_MOST_AUTOKEY_B = 1 << 14
_FIRST_STEP_B, _LAST_STEP_B = 64, 1 << 14
_LEAST_RUN_B = 16
_BASE64, _SPECIAL = 1, 2
RUN, PERCENT, GZIP, ZLIB, KEYED = 0, 1, 2, 3, 4
_ROOM = 1 << 14
_LINE_ENDS = (b"\n", b"\r\n")
_TOKEN = re.compile(rb"[!-~]{1,4096}")
_HEXADECIMAL = re.compile(rb"[0-9A-Fa-f]+")
_URL_SAFE = bytes.maketrans(b"-_", b"+/")
_CHUNKED = re.compile(rb"(?im)^transfer-encoding:[ \t]*chunked[ \t]*\r?$")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})[^\r\n]{0,64}\r?\n")


def _classes() -> Uint8:
    table = np.zeros(256, dtype=np.uint8)
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_"
    for char in alphabet:
        table[char] |= _BASE64
    for char in b"%\x1f\x78\xd0":
        table[char] |= _SPECIAL
    return table


_CLASSES = _classes()


def unpacked(
    data: bytes, *, first: int = 0, last: int | None = None
) -> Iterator[tuple[int, str, bytes]]:
    """Yield (place, layer, bytes) of all that is packed and begins in [first, last)."""
    view = np.frombuffer(data, dtype=np.uint8)
    end = len(data) if last is None else last
    marks = np.empty((_ROOM, 3), dtype=np.int64)
    at, run = first, 0
    tried_to = {PERCENT: -1, KEYED: -1}
    while at < end:
        at, run, n = _mark(view, (at, end, run), _CLASSES, marks)
        for kind, start, stop in _joined(data, marks[:n].tolist()):
            if kind in tried_to:
                if start < tried_to[kind]:
                    continue
                inner, stop = _tokens(data, start, kind)
                tried_to[kind] = stop
                yield start, _NAMES[kind], inner
            else:
                yield from _tried(data, kind, start, stop)


_NAMES = {PERCENT: "percent", KEYED: "autokey"}


def _joined(data: bytes, marks: list[list[int]]) -> Iterator[tuple[int, int, int]]:
    """Yield marks; runs that only ends of lines part are one run."""
    begun: tuple[int, int, int] | None = None
    for kind, start, stop in marks:
        if kind != RUN:
            yield kind, start, stop
        elif begun and data[begun[2] : start] in _LINE_ENDS:
            begun = (RUN, begun[1], stop)
        else:
            if begun:
                yield begun
            begun = (RUN, start, stop)
    if begun:
        yield begun


def _tried(
    data: bytes, kind: int, start: int, stop: int
) -> Iterator[tuple[int, str, bytes]]:
    if kind == RUN:
        run = data[start:stop].translate(None, b"\r\n")
        if _HEXADECIMAL.fullmatch(run):
            yield from _of_hex(start, run)
        else:
            yield start, "base64", _of_base64(run)
        return
    inner = inflated(memoryview(data)[start:], 31 if kind == GZIP else 15)
    if inner:
        yield start, "gzip" if kind == GZIP else "zlib", inner


def _of_hex(start: int, run: bytes) -> Iterator[tuple[int, str, bytes]]:
    if run.isdigit() and len(run) < 2 * _LEAST_RUN_B:
        return  # a number, as stamps are
    even = len(run) & ~1
    yield start, "hex", binascii.unhexlify(run[:even])


def _of_base64(run: bytes) -> bytes:
    """Decode a run from each of the four places where it may really begin."""
    run = run.translate(_URL_SAFE)
    parts = []
    for shift in range(4):
        rest = run[shift:]
        whole = len(rest) & ~3
        tail = rest[whole:]
        if len(tail) >= 2:
            tail += b"=" * (4 - len(tail))
        else:
            tail = b""
        parts.append(base64.b64decode(rest[:whole] + tail))
    return b"\0".join(parts)


def inflated(data: bytes | memoryview, bits: int) -> bytes:
    """Return what a deflated stream holds, as far as it can be read, 64 MiB at most."""
    unpacker, found, at = zlib.decompressobj(bits), bytearray(), 0
    step = _FIRST_STEP_B  # most of what looks like a stream is none, and ends at once
    while at < len(data) and len(found) < _MOST_UNPACKED_B and not unpacker.eof:
        try:
            found += unpacker.decompress(data[at : at + step], _MOST_UNPACKED_B)
        except zlib.error:
            break
        at, step = at + step, min(step * 2, _LAST_STEP_B)
    return bytes(found)


def _tokens(data: bytes, at: int, kind: int) -> tuple[bytes, int]:
    """Return the decoded text around or behind a mark, and where it ends."""
    if kind == KEYED:
        inner = unkeyed(data[at : at + _MOST_AUTOKEY_B])
        end = _binary_from(inner)
        return inner[:end], at + max(end, 1)
    begin = max(at - 256, 0)
    before = re.search(rb"[!-~]*\Z", data[begin:at])
    begin = at - (len(before.group()) if before else 0)
    token = _TOKEN.match(data, begin)
    stop = token.end() if token else at + 1
    return unquote_to_bytes(data[begin:stop].replace(b"+", b" ")), stop


def _binary_from(text: bytes) -> int:
    """Return how long a text is before the first byte that no text holds."""
    found = re.search(rb"[^\t\n\r -~\x80-\xff]", text)
    return found.start() if found else len(text)


def keyed(text: bytes) -> bytes:
    """Hide a text as devices of TP-Link do: each byte by the hidden one before."""
    out, key = bytearray(), AUTOKEY
    for byte in text:
        key ^= byte
        out.append(key)
    return bytes(out)


def unkeyed(data: bytes) -> bytes:
    """Show what `keyed` hid; without a copy of the first byte's key it starts anew."""
    view = np.frombuffer(data, dtype=np.uint8)
    if not view.size:
        return b""
    return bytes([data[0] ^ AUTOKEY]) + (view[1:] ^ view[:-1]).tobytes()


def dechunked(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield (place, body) of messages that HTTP sent in chunks, put together."""
    for head in _CHUNKED.finditer(data):
        at = data.find(b"\r\n\r\n", head.start())
        body, at = bytearray(), at + 4
        while at >= 4 and (size := _CHUNK_SIZE.match(data, at)):
            n = int(size.group(1), 16)
            body += data[size.end() : size.end() + n]
            at = size.end() + n + 2
            if not n:
                break
        if body:
            yield head.start(), bytes(body)


@kernel
def _mark(
    data: Uint8, part: tuple[int, int, int], classes: Uint8, marks: Int64
) -> tuple[int, int, int]:
    """Mark what may be packed; return where to go on, the open run, marks made."""
    at, end, run = part
    room = marks.shape[0] - 2
    n = 0
    i = at
    while i < data.size:
        kind = classes[data[i]]
        if kind & _BASE64:
            run += 1
        elif run:
            if run >= _LEAST_RUN_B:
                marks[n, 0], marks[n, 1], marks[n, 2] = RUN, i - run, i
                n += 1
            run = 0
        if kind & _SPECIAL and i < end:
            special = _special(data, i)
            if special:
                marks[n, 0], marks[n, 1], marks[n, 2] = special, i, i
                n += 1
        i += 1
        if n >= room:
            return i, run, n
        if i >= end and run == 0:
            break
    if run >= _LEAST_RUN_B and i >= data.size:
        marks[n, 0], marks[n, 1], marks[n, 2] = RUN, i - run, i
        n += 1
    return max(i, end), 0, n


@kernel
def _special(data: Uint8, i: int) -> int:
    """Say what may begin at a place, 0 for nothing."""
    if i + 2 >= data.size:
        return 0
    one, two, three = data[i], data[i + 1], data[i + 2]
    if one == 0x25:
        return PERCENT if _is_hex(two) and _is_hex(three) else 0
    if one == 0x1F:
        return GZIP if two == 0x8B and three == 8 else 0
    if one == 0x78:
        return ZLIB if two in (0x01, 0x5E, 0x9C, 0xDA) else 0
    return KEYED if two == 0xF2 else 0  # the text {"


@kernel
def _is_hex(char: int) -> bool:
    return 48 <= char <= 57 or 65 <= char <= 70 or 97 <= char <= 102
