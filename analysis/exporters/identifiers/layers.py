"""Unpack what lies packed in bytes: base64, base32, hex, percent, gzip, zlib, autokey.

for start, name, inner in unpacked(data): ...

One pass of a kernel marks where something may begin; whether it does is told by trying.
What comes out may be packed again: ask again with it, `DEPTH` times at most. Texts in
which only some characters are escaped are in `escapes`.
"""

import base64
import binascii
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
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
_SHORT_RUN_B, _SHORT_RUNS = 256, 1 << 13  # runs whose meaning is kept: 16 MB at most
_MOST_NUMBER = 19  # digits
_LONG_RUN_B = CONTEXT_B // 2
_BASE64, _SPECIAL = 1, 2
PERCENT, GZIP, ZLIB, KEYED = 1, 2, 3, 4
_ROOM = 1 << 14
_NEAR_B = 64
_LINE_ENDS = (b"\n", b"\r\n")
_TOKEN = re.compile(rb"[!-~]{1,4096}")
_HEXADECIMAL = re.compile(rb"[0-9A-Fa-f]{16,}")
_BASE32 = re.compile(rb"[A-Z2-7]{16,}|[a-z2-7]{16,}")
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Characters of a run, without ends of lines, that say something.

    name   'base64', 'base32' or 'hex'
    first  the first of them in the run
    size   how many
    inner  what they say
    """

    name: str
    first: int
    size: int
    inner: bytes


def unpacked(
    data: bytes,
    *,
    first: int = 0,
    last: int | None = None,
    changed: Uint8 | None = None,
    percent: bool = True,
) -> Iterator[tuple[int, str, bytes]]:
    """Yield (place, layer, bytes) of all that is packed and begins in [first, last).

    changed  (n,) uint8 of the data: only what begins among bytes that are marked counts
    percent  whether words with percent escapes count, too; else ask `escapes`
    """
    view = np.frombuffer(data, dtype=np.uint8)
    end = len(data) if last is None else last
    for begin, stop in runs(data, first, end):
        if changed is None or changed[begin:stop].any():
            run = data[begin:stop].translate(None, b"\r\n")
            said = _of_short(run) if len(run) <= _SHORT_RUN_B else _of_run(run)
            yield from ((begin, name, inner) for name, inner in said)
    tried_to = {PERCENT: -1 if percent else end, KEYED: -1}
    for kind, start in _marks(view, first, end, _mark_starts):
        if changed is not None and not changed[start : start + _NEAR_B].any():
            continue
        if kind not in tried_to:
            inner = inflated(memoryview(data)[start:], 31 if kind == GZIP else 15)
            if inner:
                yield start, _NAMES[kind], inner
        elif start >= tried_to[kind]:
            inner, tried_to[kind] = _tokens(data, start, kind)
            yield start, _NAMES[kind], inner


def runs(data: bytes, first: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield (begin, end) of what may be base64, base32 or hex, over ends of lines."""
    view = np.frombuffer(data, dtype=np.uint8)
    yield from _joined(data, _marks(view, first, end, _mark_runs))


def _marks(
    view: Uint8, first: int, end: int, mark: Callable[..., tuple[int, int]]
) -> Iterator[tuple[int, int]]:
    """Yield all pairs that a kernel marks from `first` to `end`."""
    room, at = np.empty((_ROOM, 2), dtype=np.int64), first
    while at < end:
        at, n = mark(view, (at, end), _CLASSES, room)
        yield from room[:n].tolist()


_NAMES = {PERCENT: "percent", KEYED: "autokey", GZIP: "gzip", ZLIB: "zlib"}


def _joined(data: bytes, runs: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield runs; those that only ends of lines part are one."""
    begun: tuple[int, int] | None = None
    for start, stop in runs:
        if begun and data[begun[1] : start] in _LINE_ENDS:
            begun = (begun[0], stop)
        else:
            if begun:
                yield begun
            begun = (start, stop)
    if begun:
        yield begun


def _of_run(run: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield what a run says in each of its notations, from wherever it may begin."""
    for name, parts in groupby(parts_of(run), key=lambda part: part.name):
        yield name, b"\0".join(part.inner for part in parts)


@lru_cache(maxsize=_SHORT_RUNS)
def _of_short(run: bytes) -> tuple[tuple[str, bytes], ...]:
    """Return the same at once: names of trials and types come a million times."""
    return tuple(_of_run(run))


def parts_of(run: bytes) -> Iterator[Part]:
    """Yield all that a run may say, from each place where it may really begin."""
    whole = _HEXADECIMAL.fullmatch(run)
    for hexed in _HEXADECIMAL.finditer(run):
        digits = hexed.group()
        if digits.isdigit() and len(digits) <= _MOST_NUMBER:
            continue  # a number, as stamps are
        for shift in (0, 1):
            size = (len(digits) - shift) & ~1
            inner = binascii.unhexlify(digits[shift : shift + size])
            yield Part(name="hex", first=hexed.start() + shift, size=size, inner=inner)
    for found in _BASE32.finditer(run):
        yield from _of_base32(found.start(), found.group().upper())
    if not whole:
        yield from _of_base64(run.translate(_URL_SAFE))


def _of_base64(run: bytes) -> Iterator[Part]:
    for shift in range(4):
        rest = run[shift:]
        size = len(rest) - (len(rest) % 4 == 1)
        if size > 1:
            inner = base64.b64decode(rest[:size] + b"=" * (-size % 4))
            yield Part(name="base64", first=shift, size=size, inner=inner)


def _of_base32(at: int, run: bytes) -> Iterator[Part]:
    for shift in range(8):
        rest = run[shift:]
        size = len(rest) - (len(rest) % 8 in (1, 3, 6))
        if size > 1:
            inner = base64.b32decode(rest[:size] + b"=" * (-size % 8))
            yield Part(name="base32", first=at + shift, size=size, inner=inner)


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
def _mark_runs(
    data: Uint8, part: tuple[int, int], classes: Uint8, marks: Int64
) -> tuple[int, int]:
    """Mark runs of base64 that begin in a part; return where to go on, marks made.

    A run is so long that it holds a place that the length divides.
    """
    at, end = part
    n = 0
    i = (at + _LEAST_RUN_B - 1) // _LEAST_RUN_B * _LEAST_RUN_B
    while i < data.size:
        if classes[data[i]] & _BASE64 == 0:
            i += _LEAST_RUN_B
            if i >= end + _LEAST_RUN_B:
                break
            continue
        begin, stop = i, i + 1
        while begin > 0 and classes[data[begin - 1]] & _BASE64:
            begin -= 1
        while stop < data.size and classes[data[stop]] & _BASE64:
            stop += 1
        if begin < at and stop - at >= _LONG_RUN_B:
            begin = at  # the piece before could not see all of it
        if stop - begin >= _LEAST_RUN_B and at <= begin < end:
            marks[n, 0], marks[n, 1] = begin, stop
            n += 1
        i = (stop // _LEAST_RUN_B + 1) * _LEAST_RUN_B
        if begin >= end:
            break
        if n == marks.shape[0]:
            return stop, n
    return end, n


@kernel
def _mark_starts(
    data: Uint8, part: tuple[int, int], classes: Uint8, marks: Int64
) -> tuple[int, int]:
    """Mark places where something packed may begin; return as `_mark_runs` does."""
    at, end = part
    n = 0
    for i in range(at, end):
        if classes[data[i]] & _SPECIAL:
            special = _special(data, i)
            if special:
                marks[n, 0], marks[n, 1] = special, i
                n += 1
                if n == marks.shape[0]:
                    return i + 1, n
    return end, n


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
