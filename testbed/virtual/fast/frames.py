"""Packets of the fast lab as columns, and columns as the blocks of a pcapng file.

All header fields and checksums are filled for whole columns at once; only the joining
of headers and payloads touches each packet by itself (about 2 µs).
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

U8 = NDArray[np.uint8]
I64 = NDArray[np.int64]

ETHERNET_B = 14
IP_B = 20
UDP_B = 8
TCP_B = 32  # with the timestamp option
SYN_B = 40  # with MSS, SACK, timestamp and window scale
TCP, UDP = 6, 17
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
_SLICE = 4096
_BLOCK_B = 28  # head of an enhanced packet block
_WIDTH = _BLOCK_B + ETHERNET_B + IP_B + SYN_B
_AT_IP = _BLOCK_B + ETHERNET_B
_AT_L4 = _AT_IP + IP_B
_SYN_OPTIONS = bytes.fromhex("020405b4 0402 080a 0000000000000000 01 030307")
_TCP_OPTIONS = bytes.fromhex("0101080a 0000000000000000")


class Packet(NamedTuple):
    """One packet; a tuple since there are hundreds of thousands.

    time_ns  when it crosses the captured interface, on the lab's own clock
    way      the path it takes: addresses and ports, with direction
    cause    number of the activity that caused it, 0 for none
    """

    time_ns: int
    way: "Way"
    seq: int
    ack: int
    flags: int
    payload: bytes
    cause: int


# Makes a `Packet` of a tuple, in half the time: its own constructor is a function.
packet = tuple.__new__


@dataclass(frozen=True, slots=True, eq=False)
class Way:
    """One direction of a connection: everything in the headers that stays.

    protocol  6, 17, or 0 for ARP (payload is then the whole ARP body)
    ts_base   start of the sender's TCP timestamp clock; ts_echo of the receiver's
    """

    source_mac: bytes
    target_mac: bytes
    source_ip: bytes
    target_ip: bytes
    source_port: int
    target_port: int
    protocol: int
    ttl: int = 64
    ts_base: int = 0
    ts_echo: int = 0

    def header(self, syn: bool) -> bytes:
        """Return the constant header bytes, zero where a packet differs."""
        if self.protocol == 0:
            return self.target_mac + self.source_mac + b"\x08\x06"
        ethernet = self.target_mac + self.source_mac + b"\x08\x00"
        ip = struct.pack(
            ">BBHHHBBH4s4s",
            0x45,
            0,
            0,
            0,
            0x4000,
            self.ttl,
            self.protocol,
            0,
            self.source_ip,
            self.target_ip,
        )
        ports = struct.pack(">HH", self.source_port, self.target_port)
        if self.protocol == UDP:
            return ethernet + ip + ports
        offset = (SYN_B if syn else TCP_B) // 4 << 4
        tcp = struct.pack(">IIBBHHH", 0, 0, offset, 0, 501, 0, 0)
        return ethernet + ip + ports + tcp + (_SYN_OPTIONS if syn else _TCP_OPTIONS)


def numbers(n: int) -> I64:
    """Return the IP identifications of `n` packets that are taken in one go."""
    return np.arange(n, dtype=np.int64) % _SLICE


def blocks(packets: Sequence[Packet], stamps_ns: I64, ids: I64) -> bytes:
    """Return packets as enhanced packet blocks (interface 0, stamps in ns).

    ids  their IP identifications
    """
    # In slices: columns of a few thousand rows stay in the processor's cache.
    spans = [slice(at, at + _SLICE) for at in range(0, len(packets), _SLICE)]
    return b"".join(_blocks(packets[s], stamps_ns[s], ids[s]) for s in spans)


def _blocks(packets: Sequence[Packet], stamps_ns: I64, ids: I64) -> bytes:
    time_ns, ways, seq, ack, flags, payloads, _ = zip(*packets, strict=True)
    size = np.fromiter(map(len, payloads), dtype=np.int64, count=len(packets))
    columns = {"time_ns": time_ns, "seq": seq, "ack": ack, "flags": flags}
    rows = {name: np.array(each, dtype=np.int64) for name, each in columns.items()}
    syn = (rows["flags"] & SYN) != 0
    head = _headers(ways, syn, rows)
    protocol = rows["protocol"]
    header_b = ETHERNET_B + np.select(
        [protocol == 0, protocol == UDP, syn],
        [0, IP_B + UDP_B, IP_B + SYN_B],
        default=IP_B + TCP_B,
    )
    _fill_ip(head, protocol, header_b + size - ETHERNET_B, ids)
    _fill_tcp(head, rows, syn)
    _fill_udp(head, protocol, size)
    _fill_checksums(head, protocol, header_b, size, payloads)
    _fill_block(head, stamps_ns, header_b + size)
    return _join(head, header_b, size, payloads)


def _headers(ways: Sequence[Way], syn: NDArray[np.bool_], rows: dict[str, I64]) -> U8:
    """Return the header matrix (n, width); add what the ways tell to the columns."""
    kinds = list(zip(ways, syn.tolist(), strict=True))
    numbers_of = {kind: number for number, kind in enumerate(dict.fromkeys(kinds))}
    index = np.fromiter(map(numbers_of.__getitem__, kinds), np.int64, len(kinds))
    width = _WIDTH - _BLOCK_B
    templates = [way.header(is_syn).ljust(width, b"\0") for way, is_syn in numbers_of]
    table = np.zeros((len(templates), _WIDTH), dtype=np.uint8)
    table[:, _BLOCK_B:] = np.frombuffer(b"".join(templates), dtype=np.uint8).reshape(
        len(templates), -1
    )
    for name in ("protocol", "ts_base", "ts_echo"):
        values = [getattr(way, name) for way, _ in numbers_of]
        rows[name] = np.array(values, dtype=np.int64)[index]
    return table[index]


def _put(head: U8, rows: NDArray[np.bool_], at: int, values: I64, width: int) -> None:
    """Write big-endian numbers of `width` bytes into column `at` of some rows."""
    chosen = values[rows].astype(f">u{width}")
    head[rows, at : at + width] = chosen.view(np.uint8).reshape(-1, width)


def _fill_ip(head: U8, protocol: I64, packet_b: I64, ids: I64) -> None:
    ip = protocol != 0
    _put(head, ip, _AT_IP + 2, packet_b, 2)
    _put(head, ip, _AT_IP + 4, ids, 2)


def _fill_tcp(head: U8, rows: dict[str, I64], syn: NDArray[np.bool_]) -> None:
    tcp = rows["protocol"] == TCP
    _put(head, tcp, _AT_L4 + 4, rows["seq"], 4)
    _put(head, tcp, _AT_L4 + 8, rows["ack"], 4)
    _put(head, tcp, _AT_L4 + 13, rows["flags"], 1)
    clock_ms = rows["time_ns"] // 1_000_000
    value = (clock_ms + rows["ts_base"]) & 0xFFFFFFFF
    has_ack = (rows["flags"] & ACK) != 0
    echo = np.where(has_ack, (clock_ms + rows["ts_echo"] - 1) & 0xFFFFFFFF, 0)
    # In a SYN the timestamp follows MSS and SACK-permitted, else two NOPs.
    for chosen, at in ((tcp & syn, _AT_L4 + 28), (tcp & ~syn, _AT_L4 + 24)):
        _put(head, chosen, at, value, 4)
        _put(head, chosen, at + 4, echo, 4)


def _fill_udp(head: U8, protocol: I64, size: I64) -> None:
    _put(head, protocol == UDP, _AT_L4 + 4, size + UDP_B, 2)


def _fill_checksums(
    head: U8, protocol: I64, header_b: I64, size: I64, payloads: Sequence[bytes]
) -> None:
    ip = protocol != 0
    words = np.ascontiguousarray(head[:, _AT_IP:]).view(">u2").astype(np.int64)
    in_ip, in_l4 = words[:, : IP_B // 2], words[:, IP_B // 2 :]
    _put(head, ip, _AT_IP + 10, _complement(in_ip.sum(axis=1)), 2)
    pseudo = in_ip[:, 6:10].sum(axis=1) + protocol + header_b - 34 + size
    total = pseudo + in_l4.sum(axis=1) + _payload_sums(size, payloads)
    checksum = _complement(total)
    _put(head, protocol == TCP, _AT_L4 + 16, checksum, 2)
    checksum[checksum == 0] = 0xFFFF
    _put(head, protocol == UDP, _AT_L4 + 6, checksum, 2)


def _payload_sums(size: I64, payloads: Sequence[bytes]) -> I64:
    """Return the sum of 16-bit words of each payload, padded to even length."""
    sums = np.zeros(len(size), dtype=np.int64)
    some = size > 0
    if not some.any():
        return sums
    even = b"".join(p + b"\0" if len(p) & 1 else p for p in payloads)
    words = np.frombuffer(even, dtype=">u2")
    n_words = (size[some] + 1) // 2
    start = np.concatenate(([0], np.cumsum(n_words)[:-1]))
    sums[some] = np.add.reduceat(words, start, dtype=np.int64)
    return sums


def _complement(total: I64) -> I64:
    for _ in range(3):
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _fill_block(head: U8, stamps_ns: I64, frame_b: I64) -> None:
    n = len(frame_b)
    block = np.zeros((n, 7), dtype="<u4")
    block[:, 0] = 6
    block[:, 1] = 32 + (frame_b + 3 & ~3)
    block[:, 3] = stamps_ns >> 32
    block[:, 4] = stamps_ns & 0xFFFFFFFF
    block[:, 5] = block[:, 6] = frame_b
    head[:, :_BLOCK_B] = block.view(np.uint8).reshape(n, _BLOCK_B)


def _join(head: U8, header_b: I64, size: I64, payloads: Sequence[bytes]) -> bytes:
    frame_b = header_b + size
    flat = head.tobytes()
    ends = (header_b + _BLOCK_B + np.arange(len(size)) * _WIDTH).tolist()
    starts = range(0, len(flat), _WIDTH)
    parts: list[bytes] = [b""] * (3 * len(size))
    parts[0::3] = [flat[at:end] for at, end in zip(starts, ends, strict=True)]
    parts[1::3] = payloads
    parts[2::3] = map(_tail, frame_b.tolist())
    return b"".join(parts)


@cache
def _tail(frame_b: int) -> bytes:
    """Return what follows a frame in its block: padding, and the block's size."""
    padding = -frame_b % 4
    return bytes(padding) + struct.pack("<I", 32 + frame_b + padding)
