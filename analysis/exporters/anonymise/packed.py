"""Payloads that must be unpacked to be read: XOR autokey, gzip and deflate.

Each function takes a run of bytes of a stream or datagram and returns (first byte,
bytes before, bytes instead) of what has to change, of the same length.
"""

import re
import zlib
from collections.abc import Callable, Iterator

import numpy as np

Change = tuple[int, bytes, bytes]
Replace = Callable[[bytes], bytes]
Filler = Callable[[bytes, int], bytes]

XOR_PORT = 9999
GZIP = b"\x1f\x8b\x08"
_ZLIB = tuple(bytes([0x78, second]) for second in (0x01, 0x5E, 0x9C, 0xDA))
_START = 171
_MOST_MESSAGE_B = 1 << 20
_MOST_UNPACKED_B = 16 << 20
_WBITS = {"gzip": 31, "deflate": 15}
_BODY = re.compile(
    rb"content-encoding:[ \t]*(gzip|x-gzip|deflate)[^\r\n]*\r\n(?:[^\r\n]+\r\n)*\r\n",
    re.IGNORECASE,
)
_CHUNKED = re.compile(rb"transfer-encoding:[^\r\n]*chunked", re.IGNORECASE)
_LENGTH = re.compile(rb"\ncontent-length:[ \t]*(\d{1,12})", re.IGNORECASE)
_MAGIC = re.compile(b"|".join(re.escape(each) for each in (GZIP, *_ZLIB)))
_MOST_HEAD_B = 16_384
_MOST_LINE_B = 64  # which tells the size of a chunk
_LEAST_PLAIN_B = 4
_LEAST_ZLIB_B = 48  # with fewer, too much of what is random looks like it
_NO_TEXT = re.compile(rb"[^\t\n\r -~\x80-\xff]")
_STORED_B = 65_535


def xor_stream(data: bytes, replace: Replace) -> Iterator[Change]:
    """Look into messages with their length before them, four bytes, as over TCP."""
    at = 0
    while at + 4 <= len(data):
        size = int.from_bytes(data[at : at + 4])
        if not 0 < size <= _MOST_MESSAGE_B:
            return
        yield from _shifted(xor_message(data[at + 4 : at + 4 + size], replace), at + 4)
        at += 4 + size


def xor_message(data: bytes, replace: Replace) -> Iterator[Change]:
    """Look into one message, as over UDP; it may lack its end."""
    plain = decoded(data)
    made = replace(plain)
    if made != plain:
        yield 0, data, encoded(made)


def keyed_text(data: bytes) -> bytes:
    """Return as much of a message as is text."""
    found = _NO_TEXT.search(decoded(data))
    return data[: found.start()] if found else data


def is_packed(data: bytes, before: bytes) -> tuple[bool, bool]:
    """Say whether bytes are gzip or zlib, by trying, and whether chunks part them.

    before  what stands before them in the same packet
    """
    if _CHUNKED.search(before) and _BODY.search(before):
        return True, True
    stream = zlib.decompressobj(wbits=47)
    try:
        plain = stream.decompress(data, _MOST_UNPACKED_B)
    except zlib.error:
        return False, False
    if stream.eof:
        return len(plain) >= _LEAST_PLAIN_B, False
    return data.startswith(GZIP) or len(data) >= _LEAST_ZLIB_B, False


def ends_packed(data: bytes) -> bool:
    """Say whether what is gzip or zlib ends in these bytes, or turns out to be none."""
    stream = zlib.decompressobj(wbits=47)
    try:
        stream.decompress(data, _MOST_UNPACKED_B)
    except zlib.error:
        return True
    return stream.eof


def behind_chunks(data: bytes, at: int) -> int:
    """Return where a body in chunks ends, or turns out to be none; -1 if it goes on."""
    for begin, size in chunks(data, at):
        at = begin + size + 2
    line = data.find(b"\r\n", at, at + _MOST_LINE_B)
    if line >= 0:
        return line + 2
    return at if len(data) - at >= _MOST_LINE_B else -1


def decoded(data: bytes) -> bytes:
    """Undo XOR autokey: each byte was mixed with the one before it as it was sent."""
    sent = np.frombuffer(bytes([_START]) + data, dtype=np.uint8)
    return (sent[1:] ^ sent[:-1]).tobytes()


def encoded(plain: bytes) -> bytes:
    """Apply XOR autokey."""
    mixed = np.frombuffer(bytes([_START]) + plain, dtype=np.uint8)
    return np.bitwise_xor.accumulate(mixed)[1:].tobytes()


def packed_bodies(data: bytes, replace: Replace, filler: Filler) -> Iterator[Change]:
    """Look into everything that is gzip or zlib."""
    done: set[int] = set()
    for match in _BODY.finditer(data):
        head_at = data.rfind(b"\r\n\r\n", 0, match.start()) + 1
        head = data[max(head_at, match.end() - _MOST_HEAD_B) : match.end()]
        at = match.end()
        chunked, length = _CHUNKED.search(head), _LENGTH.search(head)
        size_b = min(int(length[1]) if length else len(data), len(data) - at)
        parts = chunks(data, at) if chunked else [(at, size_b)]
        done.update(begin for begin, _size in parts)
        name = "deflate" if match[1].lower() == b"deflate" else "gzip"
        yield from _repacked(data, parts, name, replace, filler)
    for match in _MAGIC.finditer(data):
        at = match.start()
        if at not in done and is_packed(data[at:], b"")[0]:
            name = "gzip" if match[0] == GZIP else "deflate"
            yield from _repacked(data, [(at, len(data) - at)], name, replace, filler)


def _shifted(changes: Iterator[Change], by: int) -> Iterator[Change]:
    for at, before, instead in changes:
        yield at + by, before, instead


def chunks(data: bytes, at: int) -> list[tuple[int, int]]:
    """Return (first byte, size) of the chunks of an HTTP body."""
    found: list[tuple[int, int]] = []
    while True:
        line = data.find(b"\r\n", at, at + _MOST_LINE_B)
        try:
            size = int(data[at:line].split(b";")[0], 16) if line > at else 0
        except ValueError:
            return found
        if size <= 0:
            return found
        found.append((line + 2, min(size, len(data) - line - 2)))
        at = line + 2 + size + 2
        if at >= len(data):
            return found


def _repacked(
    data: bytes,
    parts: list[tuple[int, int]],
    name: str,
    replace: Replace,
    filler: Filler,
) -> Iterator[Change]:
    body = b"".join(data[at : at + size] for at, size in parts)
    plain, used = _unpacked(body, _WBITS[name])
    if not plain or replace(plain) == plain:
        return
    made = _packed_to(replace(plain), used, name) if used else None
    instead = made or filler(body[:64], used or len(body))
    left = instead
    for at, size in parts:
        piece, left = left[:size], left[size:]
        if piece:
            yield at, data[at : at + len(piece)], piece


def _unpacked(body: bytes, wbits: int) -> tuple[bytes, int]:
    """Return what is inside as far as it goes, and packed bytes; 0 when cut."""
    for bits in (wbits, -15) if wbits == 15 else (wbits,):
        stream = zlib.decompressobj(wbits=bits)
        plain = b""
        try:
            plain = stream.decompress(body, _MOST_UNPACKED_B)
        except zlib.error:
            plain = _as_far_as_it_goes(body, bits)
        if stream.eof:
            return plain, len(body) - len(stream.unused_data)
        if plain:
            return plain, 0
    return b"", 0


def _as_far_as_it_goes(body: bytes, wbits: int) -> bytes:
    stream = zlib.decompressobj(wbits=wbits)
    plain = b""
    try:
        for at in range(0, len(body), 256):
            plain += stream.decompress(body[at : at + 256], 1 << 18)
    except zlib.error:
        return plain
    return plain


def _packed_to(plain: bytes, size_b: int, name: str) -> bytes | None:
    """Pack to exactly so many bytes, as gzip alone allows; None when it cannot be."""
    if name != "gzip":
        return None
    stream = zlib.compressobj(9, zlib.DEFLATED, -15)
    raw = stream.compress(plain) + stream.flush()
    tail = zlib.crc32(plain).to_bytes(4, "little")
    tail += (len(plain) & 0xFFFFFFFF).to_bytes(4, "little")
    room = size_b - 10 - len(raw) - 8
    if room < 0 or room > _STORED_B + 2:
        return None
    flags, extra = 0, b""
    if room == 1:
        flags, extra = 8, b"\0"  # an empty name
    elif room:
        flags, extra = 4, (room - 2).to_bytes(2, "little") + bytes(room - 2)
    return GZIP + bytes([flags]) + bytes(4) + b"\x02\xff" + extra + raw + tail
