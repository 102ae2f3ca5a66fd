"""Open the first packets of QUIC, whose keys follow from what stands before them.

for at, inner, again in initials(datagram): ...

RFC 9001, section 5.2, RFC 9369, and draft 29. Inside lies the ClientHello of TLS, with
the name of the server, cut into frames of any order.
"""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

Again = Callable[[bytes], bytes]

# version -> salt, labels of keys, kind of packet
_VERSIONS = {
    0x00000001: ("38762cf7f55934b34d179ae6a4c80cadccbb7f0a", "quic", 0),
    0xFF00001D: ("afbfec289993d24c9e9786f19c6111e04390a899", "quic", 0),
    0x6B3343CF: ("0dede3def700a6db819381be6e269dcbf9bd2ed9", "quicv2", 1),
}
VERSIONS = tuple(version.to_bytes(4) for version in _VERSIONS)
_SAMPLE_B, _TAG_B, _MOST_NUMBER_B = 16, 16, 4
_PADDING, _PING, _ACKS, _CRYPTO = 0, 1, (2, 3), 6
_MOST_STREAM_B = 1 << 16
_MOST_PACKETS = 4
_SENDERS = (b"client in", b"server in")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Packet:
    """A packet within a datagram: where it begins, its number, and where it ends."""

    version: int
    target: bytes
    begin: int
    number: int
    end: int
    whole: bool


def initials(data: bytes) -> Iterator[tuple[int, bytes, Again]]:
    """Yield place, messages of TLS and how to write others, of each initial packet.

    What is cut off at its end is read as far as it goes.
    """
    at = 0
    for _ in range(_MOST_PACKETS):
        try:
            found = _packet(data, at)
        except (IndexError, struct.error):
            return
        if found is None:
            return
        for sender in _SENDERS:
            opened = _opened(data, found, sender)
            if opened is not None:
                yield opened
                break
        at = found.end


def _packet(data: bytes, at: int) -> _Packet | None:
    (version,) = struct.unpack_from(">I", data, at + 1)
    if version not in _VERSIONS or not data[at] & 0x80:
        return None
    size = data[at + 5]
    target = data[at + 6 : at + 6 + size]
    place = at + 6 + size
    place += 1 + data[place]
    if data[at] >> 4 & 3 != _VERSIONS[version][2]:
        return None
    token, place = _number(data, place)
    size, place = _number(data, place + token)
    end = place + size
    return _Packet(
        version=version,
        target=target,
        begin=at,
        number=place,
        end=min(end, len(data)),
        whole=end <= len(data),
    )


def _opened(
    data: bytes, packet: _Packet, sender: bytes
) -> tuple[int, bytes, Again] | None:
    key, vector, mask_key = _keys(packet.version, packet.target, sender)
    sample = data[packet.number + _MOST_NUMBER_B :][:_SAMPLE_B]
    if len(sample) < _SAMPLE_B:
        return None
    first, number = _unmasked(data, packet, mask_key, sample)
    begin = packet.number + len(number)
    head = bytes([first]) + data[packet.begin + 1 : packet.number] + number
    own = int.from_bytes(vector) ^ int.from_bytes(number)
    nonce = own.to_bytes(len(vector))
    body = data[begin : packet.end]
    if packet.whole:
        try:
            plain = AESGCM(key).decrypt(nonce, body, head)
        except InvalidTag:
            return None
    else:
        plain = _counted(key, nonce, body)  # its tag is not there
    pieces = _pieces(plain)
    if not pieces:
        return None
    inner = _joined(plain, pieces)

    def again(instead: bytes) -> bytes:
        made = bytearray(plain)
        for place, at, size in pieces:
            made[at : at + size] = instead[place : place + size]
        if packet.whole:
            secret = AESGCM(key).encrypt(nonce, bytes(made), head)
        else:
            secret = _counted(key, nonce, bytes(made))
        masked = _masked(head, number, mask_key, secret)
        return masked + secret

    return packet.begin, inner, again


def _unmasked(
    data: bytes, packet: _Packet, key: bytes, sample: bytes
) -> tuple[int, bytes]:
    """Return the first byte and the number of a packet without their mask."""
    mask = _block(key, sample)
    first = data[packet.begin] ^ mask[0] & 15
    size = 1 + (first & 3)
    hidden = data[packet.number : packet.number + size]
    return first, bytes(a ^ b for a, b in zip(hidden, mask[1:], strict=False))


def _masked(head: bytes, number: bytes, key: bytes, secret: bytes) -> bytes:
    """Return the head of a packet under the mask that what follows it makes."""
    at = _MOST_NUMBER_B - len(number)
    mask = _block(key, secret[at : at + _SAMPLE_B])
    hidden = bytes(a ^ b for a, b in zip(number, mask[1:], strict=False))
    return bytes([head[0] ^ mask[0] & 15]) + head[1 : -len(number)] + hidden


def _block(key: bytes, sample: bytes) -> bytes:
    cipher = Cipher(algorithms.AES(key), modes.ECB())  # noqa: S305 -- of one block
    return cipher.encryptor().update(sample)


def _counted(key: bytes, nonce: bytes, body: bytes) -> bytes:
    """Apply the stream of GCM, which needs no tag."""
    cipher = Cipher(algorithms.AES(key), modes.CTR(nonce + b"\0\0\0\2"))
    return cipher.encryptor().update(body)


@lru_cache(1024)
def _keys(version: int, target: bytes, sender: bytes) -> tuple[bytes, bytes, bytes]:
    """Return key, vector and key of the mask of who sends."""
    salt, label, _ = _VERSIONS[version]
    first = hmac.HMAC(bytes.fromhex(salt), hashes.SHA256())
    first.update(target)
    secret = _expanded(first.finalize(), sender, 32)
    parts = (("key", 16), ("iv", 12), ("hp", 16))
    key, vector, mask = (
        _expanded(secret, f"{label} {name}".encode(), size) for name, size in parts
    )
    return key, vector, mask


def _expanded(secret: bytes, label: bytes, size: int) -> bytes:
    label = b"tls13 " + label
    info = struct.pack(">HB", size, len(label)) + label + b"\0"
    return HKDFExpand(hashes.SHA256(), size, info).derive(secret)


def _pieces(plain: bytes) -> list[tuple[int, int, int]]:
    """Return (place in the stream, place in the packet, bytes) of frames of TLS."""
    found, at = [], 0
    try:
        while at < len(plain):
            kind = plain[at]
            at += 1
            if kind in _ACKS:
                at = _behind_ack(plain, at, kind)
            elif kind == _CRYPTO:
                place, at = _number(plain, at)
                size, at = _number(plain, at)
                if place + size > _MOST_STREAM_B:
                    break
                found.append((place, at, min(size, len(plain) - at)))
                at += size
            elif kind not in (_PADDING, _PING):
                break
    except IndexError:
        pass  # it was cut off
    return found


def _behind_ack(plain: bytes, at: int, kind: int) -> int:
    for _ in range(2):
        _, at = _number(plain, at)
    ranges, at = _number(plain, at)
    for _ in range(1 + 2 * ranges + 3 * (kind == _ACKS[1])):
        _, at = _number(plain, at)
    return at


def _joined(plain: bytes, pieces: list[tuple[int, int, int]]) -> bytes:
    """Return the stream; zeros stand for what is in another packet."""
    stream = bytearray(max(place + size for place, _, size in pieces))
    for place, at, size in pieces:
        stream[place : place + size] = plain[at : at + size]
    return bytes(stream)


def _number(data: bytes, at: int) -> tuple[int, int]:
    """Return a number of one to eight bytes, and what follows it."""
    size = 1 << (data[at] >> 6)
    if at + size > len(data):
        raise IndexError(at)
    value = int.from_bytes(data[at : at + size]) & (1 << (8 * size - 2)) - 1
    return value, at + size
