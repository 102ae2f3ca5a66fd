"""TLS 1.3 as it looks from outside: records and the handshake's flights.

Nothing is encrypted; what would be ciphertext is random. The sizes are those of
OpenSSL 3 with one certificate, as the live lab's connections have.
"""

import hashlib
import struct

from numpy.random import Generator, default_rng

RECORD_B = 16_384
_POOL_B = 1 << 20
_TAG_B = 17  # content type and authentication tag
_HANDSHAKE, _CHANGE_CIPHER, _DATA = 22, 20, 23
_HEAD = struct.Struct(">BHH")
_GROUPS = (0x1D, 0x17, 0x1E, 0x19, 0x18, 0x100, 0x101, 0x102, 0x103, 0x104)
_SIGNATURES = (
    *(0x0403, 0x0503, 0x0603, 0x0807, 0x0808, 0x0809, 0x080A, 0x080B),
    *(0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601),
)


class Noise:
    """Random bytes, cut out of a pool since making few of them is slow.

    A pool that is used up is made anew: what is encrypted never comes twice.
    """

    def __init__(self, rng: Generator) -> None:
        self._pool = rng.bytes(_POOL_B)
        self._rng = default_rng(int.from_bytes(self._pool[:16]))  # leaves `rng` alone
        self._at = 0

    def take(self, n: int) -> bytes:
        """Return `n` random bytes."""
        if n > len(self._pool) - self._at:
            self._pool, self._at = self._rng.bytes(max(n, _POOL_B)), 0
        start = self._at
        self._at += n
        return self._pool[start : start + n]


def records(size_b: int, noise: Noise) -> bytes:
    """Return `size_b` application bytes as records."""
    if size_b <= RECORD_B:
        body_b = size_b + _TAG_B
        return _HEAD.pack(_DATA, 0x0303, body_b) + noise.take(body_b)
    parts = []
    while size_b > 0:
        part = min(size_b, RECORD_B)
        parts.append(_record(_DATA, noise.take(part + _TAG_B)))
        size_b -= part
    return b"".join(parts)


def certificate_b(server: str) -> int:
    """Return the size of a server's certificate message.

    Real chains take 1 to 3 kB; which server has which is made up, but stays the same,
    in the live lab too.
    """
    return 900 + int(hashlib.sha256(server.encode()).hexdigest(), 16) % 2300


def client_hello(server: str, noise: Noise) -> bytes:
    """Return the first flight of a client, with the server's name in clear."""
    name = server.encode()
    sni = struct.pack(">HBH", len(name) + 3, 0, len(name)) + name
    share = struct.pack(">HH", 0x1D, 32) + noise.take(32)
    extensions = b"".join(
        struct.pack(">HH", kind, len(body)) + body
        for kind, body in (
            (0, sni),
            (11, b"\x03\x00\x01\x02"),
            (10, _numbers(_GROUPS)),
            (35, b""),
            (22, b""),
            (23, b""),
            (13, _numbers(_SIGNATURES)),
            (43, b"\x04\x03\x04\x03\x03"),
            (45, b"\x01\x01"),
            (51, struct.pack(">H", len(share)) + share),
        )
    )
    ciphers = struct.pack(">HHHH", 6, 0x1302, 0x1303, 0x1301)
    body = (
        b"\x03\x03"
        + noise.take(32)
        + b"\x20"
        + noise.take(32)
        + ciphers
        + b"\x01\x00"
        + struct.pack(">H", len(extensions))
        + extensions
    )
    return _record(_HANDSHAKE, _message(1, body))


def server_flight(server: str, noise: Noise) -> bytes:
    """Return ServerHello and the encrypted rest, with the server's certificate."""
    share = struct.pack(">HH", 0x1D, 32) + noise.take(32)
    extensions = struct.pack(">HHH", 43, 2, 0x0304)
    extensions += struct.pack(">HH", 51, len(share)) + share
    body = (
        b"\x03\x03"
        + noise.take(32)
        + b"\x20"
        + noise.take(32)
        + b"\x13\x02\x00"
        + struct.pack(">H", len(extensions))
        + extensions
    )
    hello = _record(_HANDSHAKE, _message(2, body))
    # Extensions, certificate, proof, finished.
    sizes = (6, certificate_b(server), 79, 52)
    return hello + _change() + b"".join(records(b, noise) for b in sizes)


def client_finished(noise: Noise) -> bytes:
    """Return the client's second flight."""
    return _change() + records(52, noise)


def tickets(noise: Noise) -> bytes:
    """Return the two session tickets that a server sends after the handshake."""
    return records(233, noise) + records(233, noise)


def goodbye(noise: Noise) -> bytes:
    """Return the encrypted alert before a connection is closed."""
    return records(2, noise)


def _record(kind: int, body: bytes) -> bytes:
    version = b"\x03\x01" if kind == _HANDSHAKE and body[0] == 1 else b"\x03\x03"
    return bytes([kind]) + version + struct.pack(">H", len(body)) + body


def _numbers(values: tuple[int, ...]) -> bytes:
    return struct.pack(f">H{len(values)}H", 2 * len(values), *values)


def _change() -> bytes:
    return _record(_CHANGE_CIPHER, b"\x01")


def _message(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + len(body).to_bytes(3) + body
