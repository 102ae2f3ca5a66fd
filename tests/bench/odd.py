"""Odd packets: every link, tag, option, extension, fragment and lie, seeded.

`write_odd(folder, n, seed)` writes n of them as captures of several formats. Each layer
is mostly right and sometimes wrong, so that what lies above is reached; three in ten
packets are cut by a snap length.
"""

import random
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

from analysis.pcap.blocks import pack_block, pack_options

LINKS = (1, 1, 1, 1, 113, 276, 101, 228, 229, 0, 108, 105, 127)
T_NS = 1_700_000_000_000_000_000
_PER_FILE = 200_000
_TAGS = (0x8100, 0x88A8, 0x9100)
_OTHER_TYPES = (0x0806, 0x8035, 0x88CC, 0x888E, 0x8863, 0x8847, 0x8864, 0x0900, 0xFFFF)


def write_odd(folder: Path, n: int, seed: int) -> Iterator[Path]:
    """Write captures of `n` odd packets in all; yield each when it is there."""
    for number, first in enumerate(range(0, n, _PER_FILE)):
        rng = random.Random(f"{seed} {number}")
        path = folder / f"odd-{number}"
        count = min(_PER_FILE, n - first)
        with path.open("wb") as file:
            for piece in odd_capture(rng, count, order="<>"[number % 2]):
                file.write(piece)
        yield path
        path.unlink()


def odd_capture(rng: random.Random, n: int, order: str) -> Iterator[bytes]:
    """Yield a pcapng file of `n` odd packets, piece by piece."""
    body = struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1)
    yield pack_block(0x0A0D0D0A, body, order)
    for link in LINKS:
        body = struct.pack(order + "HHI", link, 0, 0)
        yield pack_block(1, body + pack_options([(9, b"\x09")], order), order)
    frames = OddFrames(rng)
    now = T_NS
    for _ in range(n):
        now += rng.randrange(1, 10**9)
        interface = rng.randrange(len(LINKS))
        data = frames.frame(LINKS[interface])
        kept = data[: rng.randrange(len(data) + 1)] if rng.random() < 0.3 else data
        head = (interface, now >> 32, now & 0xFFFFFFFF, len(kept), len(data))
        yield pack_block(6, struct.pack(order + "IIIII", *head) + kept, order)


def add_up(data: bytes) -> int:
    """Return the Internet checksum of `data`."""
    value = int.from_bytes(data + bytes(len(data) % 2)) % 0xFFFF
    return 0xFFFF - value


class OddFrames:
    """Makes frames, each layer by chance."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._is = lambda chance: rng.random() < chance

    def frame(self, link: int) -> bytes:
        """Return one frame of a link type."""
        made: dict[int, Callable[[], bytes]] = {
            0: lambda: struct.pack(rng.choice("<<<>") + "I", 2) + self.ipv4(),
            1: self.ethernet,
            101: lambda: self.ip()[1],
            105: self.wireless,
            108: lambda: struct.pack(">I", 2) + self.ipv4(),
            113: self.cooked,
            127: self.radiotap,
            228: self.ipv4,
            229: self.ipv6,
            276: self.cooked2,
        }
        rng = self._rng
        return made[link]()

    def ethernet(self) -> bytes:
        """Return an Ethernet frame with tags, SNAP, padding or none of it."""
        rng = self._rng
        kind, inside = self.network()
        if self._is(0.05) and kind >= 1536:
            inside = b"\xaa\xaa\x03\0\0\0" + struct.pack(">H", kind) + inside
            kind = len(inside)
        head = rng.randbytes(12)
        while self._is(0.25):
            head += struct.pack(">HH", rng.choice(_TAGS), rng.randrange(65536))
        padding = bytes(max(0, 46 - len(inside))) if self._is(0.6) else b""
        padding += rng.randbytes(rng.randrange(9)) if self._is(0.1) else b""
        return head + struct.pack(">H", kind) + inside + padding

    def cooked(self) -> bytes:
        """Return a Linux cooked frame of version 1."""
        rng = self._rng
        kind, inside = self.network()
        size = rng.choice((6, 6, 6, 0, 8))
        head = struct.pack(">HHH", rng.randrange(5), 1, size) + rng.randbytes(8)
        return head + struct.pack(">H", kind) + inside

    def cooked2(self) -> bytes:
        """Return a Linux cooked frame of version 2."""
        rng = self._rng
        kind, inside = self.network()
        head = struct.pack(">HHIHB", kind, 0, 2, 1, rng.randrange(5))
        return head + bytes([rng.choice((6, 6, 6, 0, 8))]) + rng.randbytes(8) + inside

    def radiotap(self) -> bytes:
        """Return an 802.11 frame behind a radiotap header that says little."""
        size = self._rng.choice((8, 8, 12))
        head = struct.pack("<BBHI", 0, 0, size, 0) + bytes(size - 8)
        return head + self.wireless()

    def wireless(self) -> bytes:
        """Return an 802.11 frame: mostly data with SNAP."""
        rng = self._rng
        kind = rng.choice((2, 2, 2, 2, 0, 1))
        sub = rng.choice((0, 8)) if kind == 2 else rng.choice((8, 11, 13, 4))
        flags = rng.randrange(4) if kind == 2 else 0
        flags |= 0x40 if self._is(0.05) and kind == 2 else 0
        head = bytes([kind << 2 | sub << 4, flags]) + bytes(2) + rng.randbytes(18)
        head = head[:4] + bytes([head[4] & 0xFE]) + head[5:] + bytes(2)
        if flags & 3 == 3:
            head += rng.randbytes(6)
        if sub == 8 and kind == 2:
            head += bytes([0x80 if self._is(0.03) else 0, 0])
        if kind != 2:
            return head + rng.randbytes(rng.randrange(40))
        number, inside = self.network()
        return head + b"\xaa\xaa\x03\0\0\0" + struct.pack(">H", number) + inside

    def network(self) -> tuple[int, bytes]:
        """Return an ethertype (or length) and what goes with it."""
        rng = self._rng
        if self._is(0.9):
            return self.ip()
        if self._is(0.3):
            data = b"\x42\x42\x03" + rng.randbytes(rng.randrange(60))
            return len(data), data
        return rng.choice(_OTHER_TYPES), rng.randbytes(rng.randrange(60))

    def ip(self) -> tuple[int, bytes]:
        """Return an IP packet of either version, with its ethertype."""
        if self._is(0.55):
            return 0x0800, self.ipv4()
        return 0x86DD, self.ipv6()

    def ipv4(self) -> bytes:
        """Return an IPv4 packet: options, fragments, offload, lies."""
        rng = self._rng
        options = rng.choice((b"", b"", b"", b"\1" * 4, b"\x94\4\0\0", b"\x07\x0b\4"))
        options += bytes(-len(options) % 4 if options != b"\x07\x0b\4" else 9)
        ends = rng.randbytes(8)
        fragment = rng.choice((0, 0, 0, 0, 0x4000, 0x2000, 0x2005, 0x00B9, 0x8000))
        protocol, data = self.above(lambda p, n: ends + struct.pack(">HH", p, n))
        total = 20 + len(options) + len(data)
        if self._is(0.06):
            total = rng.choice((0, total - 3, total + 5, 20, 12, 24, 65535))
        head_b = rng.randrange(16) if self._is(0.02) else 5 + len(options) // 4
        first = (5 if self._is(0.01) else 4) << 4 | head_b
        middle = (rng.randrange(256), total & 0xFFFF, 7, fragment, 64, protocol)
        head = struct.pack(">BBHHHBB", first, *middle)
        checksum = add_up(head + ends + options) ^ (1 if self._is(0.05) else 0)
        return head + struct.pack(">H", checksum) + ends + options + data

    def ipv6(self) -> bytes:
        """Return an IPv6 packet with up to four extension headers."""
        rng = self._rng
        ends = rng.randbytes(32)
        protocol, data = self.above(lambda p, n: ends + struct.pack(">II", n, p))
        while self._is(0.3):
            header = rng.choice((0, 43, 44, 51, 60, 60, 44))
            data = self.extension(header, protocol) + data
            protocol = header
        size = len(data)
        if self._is(0.05):
            size = rng.choice((0, size + 4, max(0, size - 3), 65535, 4))
        first = (5 if self._is(0.01) else 6) << 28 | rng.randrange(1 << 28)
        return struct.pack(">IHBB", first, size, protocol, 64) + ends + data

    def extension(self, header: int, following: int) -> bytes:
        """Return one extension header."""
        rng = self._rng
        if header == 44:
            word = rng.choice((0, 0, 1, 9, 0x100, 0x101))
            return struct.pack(">BBHI", following, 0, word, 5)
        if header == 51:
            return struct.pack(">BBHII", following, 4, 0, 1, 2) + rng.randbytes(12)
        units = rng.choice((0, 0, 1, 2))
        body = bytes([1, units * 8 + 4]) + bytes(units * 8 + 4)
        if header == 43:
            body = bytes([0, 0]) + bytes(4 + 8 * units)
        return bytes([following, units]) + body

    def above(self, pseudo: Callable[[int, int], bytes]) -> tuple[int, bytes]:
        """Return a protocol number and its bytes."""
        rng = self._rng
        data = rng.randbytes(rng.choice((0, 1, 5, 8, 20, 64, 300)))
        roll = rng.random()
        if roll < 0.5:
            return 6, self.tcp(data, pseudo)
        if roll < 0.8:
            return 17, self.udp(data, pseudo)
        if roll < 0.85:
            return rng.choice((1, 58)), b"\x08\0\0\0" + data
        if roll < 0.88:  # an error that quotes a packet
            return 1, bytes([rng.choice((3, 11, 5)), 1]) + bytes(6) + self.ipv4()[:48]
        if roll < 0.91:
            return (4, self.ipv4()) if self._is(0.5) else (41, self.ipv6())
        if roll < 0.93:
            return 47, struct.pack(">HH", 0, 0x0800) + self.ipv4()
        return rng.choice((2, 50, 51, 89, 103, 132, 59, 255, 136, 33)), data

    def tcp(self, data: bytes, pseudo: Callable[[int, int], bytes]) -> bytes:
        """Return a TCP segment, with options, or with a wrong length of its header."""
        rng = self._rng
        options = b"\1" * rng.choice((0, 0, 0, 4, 12, 40))
        words = rng.randrange(16) if self._is(0.03) else 5 + len(options) // 4
        low = rng.randrange(256) if self._is(0.3) else rng.choice((2, 16, 18, 24, 17))
        ends = (self.port(), self.port(), rng.getrandbits(32), rng.getrandbits(32))
        head = struct.pack(">HHIIBBH", *ends, words << 4, low, rng.getrandbits(16))
        return self.summed(head, b"\0\0" + options + data, pseudo, 6)

    def udp(self, data: bytes, pseudo: Callable[[int, int], bytes]) -> bytes:
        """Return a UDP datagram, sometimes with a wrong length or no checksum."""
        rng = self._rng
        size = 8 + len(data)
        if self._is(0.05):
            size = rng.choice((0, 7, size + 1, max(size - 1, 8), 65535))
        head = struct.pack(">HHH", self.port(), self.port(), size)
        if self._is(0.1):
            return head + b"\0\0" + data
        return self.summed(head, data, pseudo, 17)

    def summed(
        self,
        head: bytes,
        rest: bytes,
        pseudo: Callable[[int, int], bytes],
        protocol: int,
    ) -> bytes:
        """Return a segment with its checksum between two parts; often right."""
        whole = head + b"\0\0" + rest
        checksum = add_up(pseudo(protocol, len(whole)) + whole)
        if self._is(0.1):
            checksum ^= 1
        return head + struct.pack(">H", checksum) + rest

    def port(self) -> int:
        """Return a port that tshark knows, or any."""
        known = (53, 80, 443, 4789, 1900, 5353, 0, 47777)
        return self._rng.choice(known) if self._is(0.3) else self._rng.getrandbits(16)
