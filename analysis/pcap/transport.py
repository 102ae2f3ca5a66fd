"""Kernels for the transport layer: TCP and UDP, with their checksums."""

import numpy as np
from numpy.typing import NDArray

from analysis.pcap.checksum import ALL_ONES, folded, sum_words, swapped
from analysis.pcap.jit import kernel
from analysis.pcap.link import IPV6_TYPE
from analysis.pcap.network import LATER, MALFORMED, WHOLE
from analysis.pcap.words import Uint8, be16, be32, u8

Int64 = NDArray[np.int64]
Uint16 = NDArray[np.uint16]
Uint32 = NDArray[np.uint32]

TCP, UDP = 6, 17
CHECKSUM = 2


@kernel
def decode_transports(
    b: Uint8,
    packets: tuple[Int64, Int64, Uint16, Int64],
    above: tuple[Uint8, Int64, Int64, Uint8],
    payload: tuple[Uint32, NDArray[np.int32]],
    fields: tuple[Uint16, Uint16, Uint16, Uint8, Uint32, Uint32],
    error: Uint8,
) -> None:
    """Fill ports, TCP fields and payload sizes, and mark wrong checksums.

    packets  start, captured bytes, ethertype, place of the network layer
    above    protocol, place, bytes and kind of fragment, of `decode_networks`
    payload  bytes and place within the packet, to be filled
    fields   ports, window, flags, sequence and acknowledgement number, to be filled
    """
    start, captured_b, ethertype, network = packets
    protocol, transport, size, fragment = above
    payload_b, payload_at = payload
    src_port, dst_port, window, flags, seq, ack = fields
    for i in range(start.size):
        if protocol[i] == 0:
            continue
        at, size_b, end = transport[i], size[i], start[i] + captured_b[i]
        head_b, left_b, wrong = 0, size_b, 0
        if fragment[i] != LATER and protocol[i] in (TCP, UDP):
            if size_b >= 4 and at + 4 <= end:
                src_port[i], dst_port[i] = be16(b, at), be16(b, at + 2)
            if protocol[i] == TCP:
                head_b, left_b, wrong = _tcp(b, at, end, size_b)
                last = min(end, at + size_b)
                seq[i] = be32(b, at + 4) if at + 8 <= last else 0
                ack[i] = be32(b, at + 8) if at + 12 <= last else 0
                flags[i] = u8(b, at + 13) if at + 14 <= last else 0
                window[i] = be16(b, at + 14) if at + 16 <= last else 0
            else:
                head_b, left_b, wrong = _udp(b, at, end, size_b, fragment[i] == WHOLE)
            if wrong == 0 and fragment[i] == WHOLE and at + size_b <= end:
                ip_at = network[i], ethertype[i] == IPV6_TYPE
                wrong = _checked(b, (at, size_b, protocol[i]), ip_at)
        payload_b[i], payload_at[i] = left_b, at + head_b - start[i]
        error[i] |= wrong


@kernel
def _tcp(b: Uint8, at: int, end: int, size_b: int) -> tuple[int, int, int]:
    """Return bytes of the header, bytes above it, and an error bit."""
    if size_b < 20:
        return 0, 0, MALFORMED
    # where the length of the header was cut off, it is taken as the least
    head_b = (u8(b, at + 12) >> 4) * 4 if at + 13 <= end else 20
    if head_b < 20 or head_b > size_b:
        return 0, 0, MALFORMED
    return head_b, size_b - head_b, 0


@kernel
def _udp(b: Uint8, at: int, end: int, size_b: int, whole: bool) -> tuple[int, int, int]:
    """Return bytes of the header, bytes above it, and an error bit."""
    if size_b < 8:
        return 0, 0, MALFORMED
    said_b = be16(b, at + 4) if at + 6 <= end else size_b
    if said_b == 0:  # jumbogram, or offload
        said_b = size_b
    if said_b < 8:
        return 8, 0, MALFORMED
    return 8, said_b - 8, MALFORMED if whole and said_b > size_b else 0


@kernel
def _checked(b: Uint8, segment: tuple[int, int, int], ip_at: tuple[int, bool]) -> int:
    """Return the error bit of a segment whose checksum does not add up."""
    at, size_b, protocol = segment
    p, is_ipv6 = ip_at
    if protocol == UDP:
        if not is_ipv6 and be16(b, at + 6) == 0:
            return 0  # IPv4 allows UDP without a checksum
        said_b = be16(b, at + 4)
        if said_b == 0:
            return 0  # offload: what is not yet cut has no checksum yet
        size_b = said_b  # the packet may be longer
    total = sum_words(b, at, size_b)
    total += sum_words(b, p + 8, 32) if is_ipv6 else sum_words(b, p + 12, 8)
    total += protocol << 8
    total += swapped(size_b & 0xFFFF) + (size_b >> 16)
    return CHECKSUM if folded(total) != ALL_ONES else 0
