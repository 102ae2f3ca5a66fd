"""Rows of a plan made into the bytes of a capture; see `tests.bench.plan`.

All checksums are right but those of rows marked BAD, whose TCP checksum is off by one.
"""

import numpy as np

from analysis.pcap.jit import kernel
from tests.bench.plan import (
    ACK,
    ACKED,
    ARP,
    BAD,
    CONTENT,
    FLAGS,
    FLOW,
    ICMP,
    KIND,
    OUT,
    PAYLOAD,
    SEQ,
    SHORT_QUIC,
    SYN,
    TCP,
    TEMPLATE,
    TIME,
)

_POOL_MASK = (1 << 20) - 1
_SYN_OPTIONS = bytes.fromhex("020405b40402080a000000000000000001030307")
_PLAIN_OPTIONS = bytes.fromhex("0101080a0000000000000000")
OPTIONS = np.frombuffer(_SYN_OPTIONS + _PLAIN_OPTIONS, np.uint8)


def random_pool(seed: int) -> np.ndarray:
    """Return the bytes that encrypted payloads are cut from."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, _POOL_MASK + 65_536, np.uint8)


@kernel
def put16(b, p, value):
    b[p] = value >> 8 & 255
    b[p + 1] = value & 255


@kernel
def put32(b, p, value):
    put16(b, p, value >> 16)
    put16(b, p + 2, value)


@kernel
def put_le32(b, p, value):
    for k in range(4):
        b[p + k] = value >> 8 * k & 255


@kernel
def add_up(b, first, last, total):
    """Add 16-bit words, high byte first, onto `total`; an odd last byte is padded."""
    even = 0
    odd = 0
    for k in range(first, last - 1, 2):
        even += b[k]
        odd += b[k + 1]
    if (last - first) & 1:
        even += b[last - 1]
    return total + even * 256 + odd


@kernel
def folded(total):
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


@kernel
def ethernet(b, p, row, ends, shape):
    """Write addresses, tag and type; return the place behind them."""
    flow, out = row[FLOW], row[OUT]
    b[p : p + 6] = ends[flow, 1 - out, :6]
    b[p + 6 : p + 12] = ends[flow, out, :6]
    p += 12
    if shape[flow, 1] > 0:
        put16(b, p, 0x8100)
        put16(b, p + 2, shape[flow, 1])
        p += 4
    kind = 0x86DD if shape[flow, 0] == 6 else 0x0800
    put16(b, p, 0x0806 if row[KIND] == ARP else kind)
    return p + 2


@kernel
def arp(b, p, row, ends):
    """Write a request or a reply; the flow's far end is the one asked for."""
    flow, out = row[FLOW], row[OUT]
    put32(b, p, 0x00010800)
    put16(b, p + 4, 0x0604)
    put16(b, p + 6, row[FLAGS])
    b[p + 8 : p + 18] = ends[flow, out, :10]
    b[p + 18 : p + 28] = ends[flow, 1 - out, :10]
    if row[FLAGS] == 1:
        b[p + 18 : p + 24] = 0
    return p + 28


@kernel
def ip(b, p, row, ends, shape, length, number):
    """Write an IPv4 or IPv6 header for `length` bytes; return the place behind it."""
    flow, out, kind = row[FLOW], row[OUT], row[KIND]
    protocol = 6 if kind == TCP else 1 if kind == ICMP else 17
    hops = 64 if out else 52
    if ends[flow, 1 - out, 0] & 1:  # to a group, which is inside the house
        hops = 255
    if shape[flow, 0] == 6:
        put32(b, p, 0x60000000)
        put16(b, p + 4, length)
        b[p + 6] = protocol
        b[p + 7] = hops
        b[p + 8 : p + 24] = ends[flow, out, 6:]
        b[p + 24 : p + 40] = ends[flow, 1 - out, 6:]
        return p + 40
    put32(b, p, 0x45000000 | (20 + length))
    put32(b, p + 4, (number & 0xFFFF) << 16 | 0x4000)
    b[p + 8] = hops
    b[p + 9] = protocol
    put16(b, p + 10, 0)
    b[p + 12 : p + 16] = ends[flow, out, 6:10]
    b[p + 16 : p + 20] = ends[flow, 1 - out, 6:10]
    put16(b, p + 10, folded(add_up(b, p, p + 20, 0)))
    return p + 20


@kernel
def tcp_head(b, p, row, ports, options):
    """Write a TCP header without its checksum; return the place behind it."""
    flow, out, flags = row[FLOW], row[OUT], row[FLAGS]
    put16(b, p, ports[flow, out])
    put16(b, p + 2, ports[flow, 1 - out])
    put32(b, p + 4, row[SEQ])
    put32(b, p + 8, row[ACK])
    size = 20 if flags & SYN else 12
    first = 0 if flags & SYN else 20
    b[p + 12] = (20 + size) << 2
    b[p + 13] = flags
    put16(b, p + 14, 64240 if flags & SYN else 501)
    put32(b, p + 16, 0)
    b[p + 20 : p + 20 + size] = options[first : first + size]
    stamp = p + 20 + (8 if flags & SYN else 4)
    put32(b, stamp, row[TIME] // 1_000_000 + flow)
    put32(b, stamp + 4, row[TIME] // 1_000_000 - 20 if flags & ACKED else 0)
    return p + 20 + size


@kernel
def other_head(b, p, row, ports):
    """Write a UDP or ICMP echo header without its checksum."""
    flow, out = row[FLOW], row[OUT]
    if row[KIND] == ICMP:
        put32(b, p, row[FLAGS] << 24)
        put32(b, p + 4, row[SEQ])
    else:
        put16(b, p, ports[flow, out])
        put16(b, p + 2, ports[flow, 1 - out])
        put32(b, p + 4, (8 + row[PAYLOAD]) << 16)
    return p + 8


@kernel
def payload(b, p, row, pool, templates):
    """Write the bytes above TCP or UDP: the same for the same place of a stream."""
    size, content = row[PAYLOAD], row[CONTENT]
    if content <= TEMPLATE:
        b[p : p + size] = templates[TEMPLATE - content, :size]
        if row[KIND] != TCP and row[SEQ] > 0:
            put16(b, p, row[SEQ])
        return
    first = (row[FLOW] * 7919 + row[SEQ]) & _POOL_MASK
    b[p : p + size] = pool[first : first + size]
    if content == SHORT_QUIC:
        b[p] = 0x40 | (b[p] & 0x3F)
        b[p + 1] |= 0x80  # nothing that another dissector takes for its own
    elif content > 0 and size >= 5:
        b[p] = 0x17
        put16(b, p + 1, 0x0303)
        put16(b, p + 3, content)


@kernel
def above_ip(b, p, row, tables, made):
    """Write TCP, UDP or ICMP with its payload and checksum; return the end."""
    _, ports, shape = tables
    options, pool, templates = made
    flow, kind = row[FLOW], row[KIND]
    if kind == TCP:
        body, at = tcp_head(b, p, row, ports, options), p + 16
    else:
        body, at = other_head(b, p, row, ports), p + (2 if kind == ICMP else 6)
    last = body + row[PAYLOAD]
    payload(b, body, row, pool, templates)
    total = 0
    if kind != ICMP:
        address_b = 16 if shape[flow, 0] == 6 else 4
        total = add_up(b, p - 2 * address_b, p, (6 if kind == TCP else 17) + last - p)
    found = folded(add_up(b, p, last, total))
    if kind != TCP and kind != ICMP and found == 0:
        found = 0xFFFF
    put16(b, at, found ^ 1 if row[BAD] else found)
    return last


@kernel
def frame(b, p, row, number, tables, made):
    """Write a frame, not padded; return its end."""
    ends, _ports, shape = tables
    p = ethernet(b, p, row, ends, shape)
    if row[KIND] == ARP:
        return arp(b, p, row, ends)
    head = 8
    if row[KIND] == TCP:
        head = 40 if row[FLAGS] & SYN else 32
    p = ip(b, p, row, ends, shape, head + row[PAYLOAD], number)
    return above_ip(b, p, row, tables, made)


@kernel
def pcap_record(b, p, time_ns, length):
    put_le32(b, p, time_ns // 1_000_000_000)
    put_le32(b, p + 4, time_ns % 1_000_000_000 // 1_000)
    put_le32(b, p + 8, length)
    put_le32(b, p + 12, length)
    return p + 16


@kernel
def pcapng_block(b, p, time_ns, length, total):
    put_le32(b, p, 6)
    put_le32(b, p + 4, total)
    put_le32(b, p + 8, 0)
    put_le32(b, p + 12, time_ns >> 32)
    put_le32(b, p + 16, time_ns & 0xFFFFFFFF)
    put_le32(b, p + 20, length)
    put_le32(b, p + 24, length)
    put_le32(b, p + total - 4, total)
    return p + 28


@kernel
def render(b, rows, lengths, first, shift_ns, pcapng, tables, made):
    """Fill `b` with records from row `first` on; return the next row and the bytes."""
    p = 0
    k = first
    while k < rows.shape[0]:
        length = lengths[k]
        total = 32 + (length + 3) // 4 * 4 if pcapng else 16 + length
        if p + total > b.size:
            break
        b[p : p + total] = 0
        row = rows[k]
        time_ns = row[TIME] + shift_ns
        if pcapng:
            start = pcapng_block(b, p, time_ns, length, total)
        else:
            start = pcap_record(b, p, time_ns, length)
        frame(b, start, row, k, tables, made)
        p += total
        k += 1
    return k, p
