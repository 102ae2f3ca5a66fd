"""Kernels for the network layer: IPv4, and IPv6 with its extension headers.

Each helper looks at one packet, of which bytes up to `end` were captured and up to
`wire_end` were sent, and returns (protocol, where its header begins, bytes from there
on, kind of fragment, error bits). The place is `p` itself when nothing could be read;
protocol 0 with another place is a hop-by-hop header that was cut off.
"""

import numpy as np
from numpy.typing import NDArray

from analysis.pcap.checksum import ALL_ONES, folded, sum_words
from analysis.pcap.jit import kernel
from analysis.pcap.link import IPV4_TYPE, IPV6_TYPE
from analysis.pcap.words import Uint8, be16, be32, be64, u8

Int64 = NDArray[np.int64]
Uint64 = NDArray[np.uint64]
Head = tuple[int, int, int, int, int]

# kinds of fragment: later ones have no header of the layer above; of an altered packet
# the addresses are not those that the checksum above was made with
WHOLE, FIRST, LATER, ALTERED = 0, 1, 2, 3

IP_CHECKSUM, MALFORMED = 1, 8

_MAPPED = np.uint64(0xFFFF << 32)
_FRAGMENT, _AUTHENTICATION, _ROUTING = 44, 51, 43
_MAX_EXTENSIONS = 64  # more than any sender makes; each costs time


@kernel
def decode_networks(
    b: Uint8,
    packets: tuple[Int64, Int64, Int64, NDArray[np.uint16], Int64],
    ends: tuple[Uint64, Uint64],
    above: tuple[NDArray[np.uint8], Int64, Int64, NDArray[np.uint8]],
    error: NDArray[np.uint8],
) -> None:
    """Fill addresses and what lies above IP.

    packets  start, captured and wire bytes, ethertype, place of the network layer
    ends     source and destination address, (k, 2) each, to be filled
    above    protocol, place, bytes and kind of fragment, to be filled
    """
    start, captured_b, length_b, ethertype, network = packets
    src, dst = ends
    protocol, transport, size, fragment = above
    for i in range(start.size):
        p, end = network[i], start[i] + captured_b[i]
        # a frame that says it was shorter than what was kept of it is believed in full
        wire_end = start[i] + max(length_b[i], captured_b[i])
        if ethertype[i] == IPV4_TYPE:
            head = _ipv4(b, p, end, wire_end)
            if head[1] > p:
                src[i, 1] = np.uint64(be32(b, p + 12)) | _MAPPED
                dst[i, 1] = np.uint64(be32(b, p + 16)) | _MAPPED
        elif ethertype[i] == IPV6_TYPE:
            head = _ipv6(b, p, end, wire_end)
            if head[1] > p:
                src[i, 0], src[i, 1] = be64(b, p + 8), be64(b, p + 16)
                dst[i, 0], dst[i, 1] = be64(b, p + 24), be64(b, p + 32)
        else:
            head = (0, p, 0, WHOLE, 0)
        protocol[i], transport[i], size[i], fragment[i] = head[:4]
        error[i] |= head[4]


@kernel
def _ipv4(b: Uint8, p: int, end: int, wire_end: int) -> Head:
    if p + 20 > end:
        return 0, p, 0, WHOLE, 0
    first, wire_b = u8(b, p), wire_end - p
    head_b, total_b = (first & 15) * 4, be16(b, p + 2)
    if total_b == 0:  # with segmentation offload the whole frame is meant
        total_b = wire_b
    if first >> 4 != 4 or head_b < 20 or total_b < head_b:
        return 0, p, 0, WHOLE, MALFORMED
    error = MALFORMED if total_b > wire_b else 0
    if p + head_b <= end and folded(sum_words(b, p, head_b)) != ALL_ONES:
        error |= IP_CHECKSUM
    word = be16(b, p + 6)
    fragment = LATER if word & 0x1FFF else FIRST if word & 0x2000 else WHOLE
    size_b = max(0, min(total_b, wire_b) - head_b)
    return u8(b, p + 9), p + head_b, size_b, fragment, error


@kernel
def _ipv6(b: Uint8, p: int, end: int, wire_end: int) -> Head:
    if p + 40 > end:
        return 0, p, 0, WHOLE, 0
    wire_b, size_b = wire_end - p - 40, be16(b, p + 4)
    if size_b == 0:  # jumbogram, or offload
        size_b = wire_b
    if u8(b, p) >> 4 != 6:
        return 0, p, 0, WHOLE, MALFORMED
    error = MALFORMED if size_b > wire_b else 0
    last = p + 40 + min(size_b, wire_b)
    protocol, at, fragment = _behind_extensions(b, p, min(end, last))
    return protocol, at, max(0, last - at), fragment, error


@kernel
def _behind_extensions(b: Uint8, p: int, end: int) -> tuple[int, int, int]:
    """Return what follows the extension headers, where, and the kind of fragment."""
    protocol, at, fragment = u8(b, p + 6), p + 40, WHOLE
    for _ in range(_MAX_EXTENSIONS):
        if fragment == LATER or at + 8 > end:
            break
        following, size = u8(b, at), u8(b, at + 1)
        # hop-by-hop, routing, destination, mobility, HIP, shim6
        if protocol in (0, 43, 60, 135, 139, 140):
            if protocol == _ROUTING and u8(b, at + 3) and fragment == WHOLE:
                fragment = ALTERED  # there are segments left
            at += (size + 1) * 8
        elif protocol == _AUTHENTICATION:
            at += (size + 2) * 4
        elif protocol == _FRAGMENT:
            word = be16(b, at + 2)
            if word >> 3:
                fragment = LATER
            elif word & 1:
                fragment = FIRST
            at += 8
        else:
            break
        protocol = following
    return protocol, at, fragment
