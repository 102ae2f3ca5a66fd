"""Small captures of every format and link type, to be damaged by `tests.bench.fuzz`."""

import gzip
import random
import struct
from collections.abc import Sequence
from pathlib import Path

import zstandard

from analysis.pcap.blocks import pack_block, pack_option, pack_options
from tests.bench.odd import LINKS, T_NS, OddFrames

_SMALL_B = 4096
_MAGICS = ((0xA1B2C3D4, 10**6), (0xA1B23C4D, 10**9))


def crafted(seed: int) -> list[bytes]:
    """Return small captures: formats, byte orders, link types, packings."""
    rng = random.Random(seed)
    frames = OddFrames(rng)
    made = []
    for link in sorted(set(LINKS)):
        data = [frames.frame(link) for _ in range(6)]
        data[4:] = [each[: rng.randrange(len(each))] for each in data[4:]]
        for order in "<>":
            made += [pcap(order, magic, data, link) for magic in _MAGICS]
            made.append(pcapng(order, data, link))
    made.append(b"".join(made[2:6:3]) + made[-1])  # two sections, and what is none
    ethernet = [frames.frame(1) for _ in range(4)]
    made += [simple_and_old(order, ethernet) for order in "<>"]
    packed = made[0], made[2]
    made += [gzip.compress(data, mtime=0) for data in packed]
    halves = (made[0][:99], made[0][99:])
    made += [b"".join(gzip.compress(half, mtime=0) for half in halves)]
    made += [zstandard.compress(data) for data in packed]
    made += [zstandard.compress(made[2][:99]) + zstandard.compress(made[2][99:])]
    return made


def small_files(folder: Path | None) -> list[bytes]:
    """Return what small captures a folder has."""
    if folder is None:
        return []
    files = sorted(p for p in folder.rglob("*.pcap*") if p.stat().st_size <= _SMALL_B)
    return [path.read_bytes() for path in files]


def pcap(
    order: str, magic: tuple[int, int], frames: Sequence[bytes], link: int
) -> bytes:
    """Return a pcap file."""
    number, per_s = magic
    out = struct.pack(order + "IHHiIII", number, 2, 4, 0, 0, 65535, link)
    for k, data in enumerate(frames):
        part = (k * 7_919 + 5) % per_s
        sizes = len(data), len(data) + 40 * (k > 3)
        out += struct.pack(order + "IIII", T_NS // 10**9 + k, part, *sizes) + data
    return out


def section(order: str) -> bytes:
    """Return the block that begins a section of a pcapng file."""
    return pack_block(
        0x0A0D0D0A,
        struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1)
        + pack_options([(4, b"a test")], order),
        order,
    )


def interface(
    order: str, link: int, options: Sequence[tuple[int, bytes]] = (), snaplen: int = 0
) -> bytes:
    """Return an interface description block."""
    body = struct.pack(order + "HHI", link, 0, snaplen)
    return pack_block(1, body + pack_options(list(options), order), order)


def packet(
    order: str, number: int, ticks: int, data: bytes, comment: str = ""
) -> bytes:
    """Return an enhanced packet block."""
    size = len(data)
    low = ticks & 0xFFFFFFFF
    head = struct.pack(order + "IIIII", number, ticks >> 32, low, size, size)
    body = head + data + bytes(-size % 4)
    if comment:
        body += pack_options([(1, comment.encode())], order)
    return pack_block(6, body, order)


def pcapng(order: str, frames: Sequence[bytes], link: int) -> bytes:
    """Return a pcapng file of two interfaces, with names, statistics and comments."""
    offset = struct.pack(order + "q", 3600)
    out = section(order)
    out += interface(order, link, [(2, b"lan"), (9, b"\x09"), (14, offset)])
    out += interface(order, link, [(9, b"\x94")], snaplen=96)
    for k, data in enumerate(frames):
        ticks = T_NS + k if k % 2 == 0 else (T_NS // 10**9 << 20) + k
        out += packet(order, k % 2, ticks, data, comment="said" if k == 2 else "")
    name = struct.pack(order + "HH", 1, 9) + b"\x0a\0\0\1host\0" + bytes(3)
    out += pack_block(4, name + bytes(4), order)
    statistics = struct.pack(order + "III", 0, T_NS >> 32, T_NS & 0xFFFFFFFF)
    number = struct.pack(order + "Q", len(frames))
    return out + pack_block(5, statistics + pack_option(4, number, order), order)


def simple_and_old(order: str, frames: Sequence[bytes]) -> bytes:
    """Return a pcapng file of simple and of obsolete packet blocks."""
    out = section(order) + interface(order, 1, snaplen=60)
    for data in frames:
        size = len(data)
        simple = struct.pack(order + "I", size) + data[:60]
        old = struct.pack(order + "HHIIII", 0, 0xFFFF, 1, 2, size, size) + data
        out += pack_block(3, simple, order) + pack_block(2, old, order)
    return out
