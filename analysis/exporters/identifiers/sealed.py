"""Messages under keys that everybody knows: announcements of Tuya, the start of QUIC.

for each in opened_by_all(datagram): each.inner, each.sealed(instead)

Whoever has the packet can read these; so what they say is looked at, and rewritten.
"""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import md5
from zlib import crc32

import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from numpy.typing import NDArray

from analysis.exporters.identifiers.initials import VERSIONS, initials
from analysis.pcap.decode import UDP, Decoded
from analysis.pcap.network import LATER
from analysis.pcap.walk import Batch

Int64 = NDArray[np.int64]
Uint8 = NDArray[np.uint8]

_KEY = md5(b"yGAdlopoPVldABfn", usedforsecurity=False).digest()  # in all their apps
_OLD, _NEW = b"\0\0\x55\xaa", b"\0\0\x66\x99"
_HEAD_B, _TAIL_B, _BLOCK_B = 16, 8, 16
_SKIPPED = (4, 0, 15, 19)  # before what is encrypted: a code, a version, both
_NEW_HEAD_B, _NONCE_B, _TAG_B = 18, 12, 16
_CODE_B = _CHECK_B = 4
_LEAST_B = 24  # a shorter datagram is no whole message


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """What part of a datagram says.

    name    'tuya' or 'quic'
    at      where the part begins in the datagram
    inner   what it says
    sealed  returns the part again, as long as it is, that says something else
    """

    name: str
    at: int
    inner: bytes
    sealed: Callable[[bytes], bytes]


def opened_by_all(data: bytes) -> Iterator[Sealed]:
    """Yield what anybody can read of a datagram that is encrypted."""
    if data[:4] == _OLD:
        yield from _old(data)
    elif data[:4] == _NEW:
        yield from _new(data)
    elif data[:1] and data[0] & 0x80:
        for at, inner, again in initials(data):
            yield Sealed(name="quic", at=at, inner=inner, sealed=again)


def said_to_all(batch: Batch, decoded: Decoded) -> Iterator[tuple[int, int, Sealed]]:
    """Yield (row, place of the part in the bytes, part) of datagrams of a batch."""
    there = (decoded.protocol == UDP) & (decoded.fragment != LATER)
    rows = np.flatnonzero(there & (decoded.payload_b >= _LEAST_B))
    begin = batch.start[rows] + decoded.payload_at[rows]
    said_b = decoded.payload_b[rows].astype(np.int64)
    end = np.minimum(batch.start[rows] + batch.captured_b[rows], begin + said_b)
    for k in np.flatnonzero(may_be_sealed(batch.data, begin, end)).tolist():
        for each in opened_by_all(batch.data[begin[k] : end[k]].tobytes()):
            yield int(rows[k]), int(begin[k]) + each.at, each


def may_be_sealed(data: Uint8, begin: Int64, end: Int64) -> NDArray[np.bool_]:
    """Say which payloads, from place to place in bytes, may be such, by how they begin.

    Returns (n,) bool.
    """
    there: NDArray[np.bool_] = end - begin >= _LEAST_B
    at = np.where(there, begin, 0)
    if not there.any():
        return there
    long = data[at] & 0x80 > 0
    told = _begins(data, at, (_OLD, _NEW)) | (long & _begins(data, at + 1, VERSIONS))
    return there & told


def _begins(data: Uint8, at: Int64, heads: tuple[bytes, ...]) -> NDArray[np.bool_]:
    """Say where one of some heads of four bytes stands."""
    word = np.zeros(at.size, dtype=np.int64)
    for k in range(4):
        word = word << 8 | data[np.minimum(at + k, data.size - 1)]
    return np.isin(word, [int.from_bytes(head) for head in heads])


def _old(data: bytes) -> Iterator[Sealed]:
    """Read messages of Tuya up to version 3.4: blocks, and a checksum behind them."""
    if len(data) < _HEAD_B + _TAIL_B:
        return
    end = _HEAD_B + int.from_bytes(data[12:16]) - _TAIL_B
    for skip in _SKIPPED if end + _TAIL_B <= len(data) else ():
        found = _blocks(data, _HEAD_B + skip, end)
        if found is not None:
            yield found
            return


def _blocks(data: bytes, begin: int, end: int) -> Sealed | None:
    """Read what blocks say that begin at a place; None when these are none."""
    if end - begin < _BLOCK_B or (end - begin) % _BLOCK_B:
        return None
    cipher = Cipher(algorithms.AES(_KEY), modes.ECB())  # noqa: S305 -- theirs
    plain = cipher.decryptor().update(data[begin:end])
    fill = plain[-1]
    tail, inner = plain[-fill:], plain[:-fill]
    padded = 0 < fill <= _BLOCK_B and tail == bytes([fill]) * fill
    if not padded or inner[:1] != b"{":
        return None
    check = data[end : end + _CHECK_B]
    summed = int.from_bytes(check) == crc32(data[:end])

    def again(instead: bytes) -> bytes:
        made = data[:begin] + cipher.encryptor().update(instead + tail)
        return made + (struct.pack(">I", crc32(made)) if summed else check)

    return Sealed(name="tuya", at=0, inner=inner, sealed=again)


def _new(data: bytes) -> Iterator[Sealed]:
    """Read messages of Tuya from version 3.5 on, which a tag protects."""
    if len(data) < _NEW_HEAD_B + _NONCE_B + _TAG_B:
        return
    begin = _NEW_HEAD_B + _NONCE_B
    end = _NEW_HEAD_B + int.from_bytes(data[14:18])
    head, nonce = data[4:_NEW_HEAD_B], data[_NEW_HEAD_B:begin]
    try:
        inner = AESGCM(_KEY).decrypt(nonce, data[begin:end], head)
    except InvalidTag:
        return
    skip = 0 if inner[:1] == b"{" else _CODE_B

    def again(instead: bytes) -> bytes:
        whole = inner[:skip] + instead
        return data[:begin] + AESGCM(_KEY).encrypt(nonce, whole, head)

    yield Sealed(name="tuya", at=0, inner=inner[skip:], sealed=again)
