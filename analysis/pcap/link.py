"""Kernels for the lowest layer: who sent a frame to whom, and what lies in it.

Each helper looks at one packet, bytes [p, end) of `b`, and returns (type of what lies
inside, where that begins, source MAC, destination MAC). The type is an ethertype; 0
where there is none or it was not captured; MACs that a link does not say are 0.
"""

import numpy as np
from numpy.typing import NDArray

from analysis.pcap.blocks import (
    LINK_ETHERNET,
    LINK_IEEE802_11,
    LINK_IPV4,
    LINK_IPV6,
    LINK_LOOP,
    LINK_NULL,
    LINK_RADIOTAP,
    LINK_RAW,
    LINK_RAW_BSD,
    LINK_RAW_OPENBSD,
    LINK_SLL,
    LINK_SLL2,
)
from analysis.pcap.jit import kernel
from analysis.pcap.words import Uint8, be16, be32, be48, le16, le32, u8

Int64 = NDArray[np.int64]
Head = tuple[int, int, int, int]

IPV4_TYPE, IPV6_TYPE = 0x0800, 0x86DD
_MAX_TAGS = 64  # more than any network puts there
_LLC_SNAP = 0xAAAA
_PPPOE, _PPP_IPV4, _PPP_IPV6 = 0x8864, 0x0021, 0x0057
_MPLS, _MPLS_GROUPS, _MAX_LABELS = 0x8847, 0x8848, 16
# the numbers of link types that are understood
DECODED = frozenset(
    {
        LINK_NULL,
        LINK_ETHERNET,
        LINK_RAW_BSD,
        LINK_RAW_OPENBSD,
        LINK_RAW,
        LINK_IEEE802_11,
        LINK_LOOP,
        LINK_SLL,
        LINK_RADIOTAP,
        LINK_IPV4,
        LINK_IPV6,
        LINK_SLL2,
    }
)


@kernel
def decode_links(
    b: Uint8,
    packets: tuple[Int64, Int64, NDArray[np.int32]],
    ethertype: NDArray[np.uint16],
    macs: tuple[NDArray[np.uint64], NDArray[np.uint64]],
    network: Int64,
) -> None:
    """Fill types, MACs and where the network layer begins.

    packets  start, captured bytes and link type of each
    macs     source and destination, to be filled
    """
    start, captured_b, link = packets
    src_mac, dst_mac = macs
    for i in range(start.size):
        p = start[i]
        kind, at, src, dst = _head(b, p, p + captured_b[i], link[i])
        ethertype[i] = kind if kind >= 1536 else 0
        src_mac[i], dst_mac[i] = src, dst
        network[i] = at


@kernel
def _head(b: Uint8, p: int, end: int, link: int) -> Head:
    if link == LINK_ETHERNET:
        return _ethernet(b, p, end)
    if link in (LINK_RAW, LINK_RAW_BSD, LINK_RAW_OPENBSD, LINK_IPV4, LINK_IPV6):
        return _bare(b, p, end)
    if link in (LINK_NULL, LINK_LOOP):
        return _loopback(b, p, end, link == LINK_NULL)
    if link in (LINK_SLL, LINK_SLL2):
        return _cooked(b, p, end, link == LINK_SLL)
    if link == LINK_IEEE802_11:
        return _wireless(b, p, end)
    if link == LINK_RADIOTAP and p + 4 <= end:
        return _wireless(b, p + le16(b, p + 2), end)
    return 0, p, 0, 0


@kernel
def _ethernet(b: Uint8, p: int, end: int) -> Head:
    if p + 14 > end:
        return 0, p, 0, 0
    kind, at = _inside(b, p + 14, end, be16(b, p + 12))
    return kind, at, be48(b, p + 6), be48(b, p)


@kernel
def _inside(b: Uint8, at: int, end: int, kind: int) -> tuple[int, int]:
    """Step over what lies between a link and IP; return the type below and its place.

    Tags of VLANs, a SNAP header, PPPoE, MPLS.
    """
    tags = 0
    while kind in (0x8100, 0x88A8, 0x9100) and at + 4 <= end and tags < _MAX_TAGS:
        kind = be16(b, at + 2)
        at += 4
        tags += 1
    if kind < 1536 and _is_snap(b, at, end):
        return be16(b, at + 6), at + 8
    if kind == _PPPOE:
        return _session(b, at, end)
    if kind in (_MPLS, _MPLS_GROUPS):
        return _labels(b, at, end, kind)
    return kind, at


@kernel
def _session(b: Uint8, at: int, end: int) -> tuple[int, int]:
    """Step over PPPoE to IP; what else is said in a session is left as it is."""
    if at + 8 > end or u8(b, at) != 0x11 or u8(b, at + 1) != 0:
        return _PPPOE, at
    protocol = be16(b, at + 6)
    if protocol == _PPP_IPV4:
        return IPV4_TYPE, at + 8
    return (IPV6_TYPE, at + 8) if protocol == _PPP_IPV6 else (_PPPOE, at)


@kernel
def _labels(b: Uint8, at: int, end: int, kind: int) -> tuple[int, int]:
    """Step over labels of MPLS to IP, which no field tells but its version."""
    p = at
    for _ in range(_MAX_LABELS):
        if p + 5 > end:
            break
        last = u8(b, p + 2) & 1
        p += 4
        if last:
            version = u8(b, p) >> 4
            if version == 4:
                return IPV4_TYPE, p
            return (IPV6_TYPE, p) if version == 6 else (kind, at)
    return kind, at


@kernel
def _is_snap(b: Uint8, at: int, end: int) -> bool:
    """Say whether an LLC header with an ethertype in it begins at `at`."""
    if at + 8 > end:
        return False
    return be16(b, at) == _LLC_SNAP and be32(b, at + 2) == 0x03000000


@kernel
def _bare(b: Uint8, p: int, end: int) -> Head:
    """IP without a link header, told by its version."""
    if p >= end:
        return 0, p, 0, 0
    version = u8(b, p) >> 4
    kind = IPV4_TYPE if version == 4 else IPV6_TYPE if version == 6 else 0
    return kind, p, 0, 0


@kernel
def _loopback(b: Uint8, p: int, end: int, either: bool) -> Head:
    """IP behind its address family, big-endian or (`either`) as the host has it."""
    if p + 4 > end:
        return 0, p, 0, 0
    family = be32(b, p)
    if either and family > 0xFFFF:
        family = le32(b, p)
    if family in (2, 24, 28, 30, IPV4_TYPE, IPV6_TYPE):  # of BSD, FreeBSD, macOS
        return _bare(b, p + 4, end)
    return 0, p + 4, 0, 0


@kernel
def _cooked(b: Uint8, p: int, end: int, first: bool) -> Head:
    """Linux cooked capture, version 1 (`first`) or 2: the sender's MAC alone."""
    head_b = 16 if first else 20
    if p + head_b > end:
        return 0, p, 0, 0
    kind = be16(b, p + 14) if first else be16(b, p)
    size = be16(b, p + 4) if first else u8(b, p + 11)
    src = be48(b, p + 6 if first else p + 12) if size == 6 else 0
    kind, at = _inside(b, p + head_b, end, kind)
    return kind, at, src, 0


@kernel
def _wireless(b: Uint8, p: int, end: int) -> Head:
    """IEEE 802.11; what is encrypted or aggregated is not looked into."""
    if p + 24 > end:
        return 0, p, 0, 0
    control = le16(b, p)
    kind, sub = (control >> 2) & 3, (control >> 4) & 15
    to_access, from_access = (control >> 8) & 1, (control >> 9) & 1
    one, two, three = be48(b, p + 4), be48(b, p + 10), be48(b, p + 16)
    if kind == 0:  # management
        return 0, p, two, one
    if kind != 2:  # control frames name stations of the air, not ends
        return 0, p, 0, 0
    dst = three if to_access else one
    src = two if not from_access else three
    head_b = 24
    if to_access and from_access:
        head_b = 30
        src = be48(b, p + 24) if p + 30 <= end else 0
    return _wireless_body(b, p, end, (head_b, control, sub), (src, dst))


@kernel
def _wireless_body(
    b: Uint8,
    p: int,
    end: int,
    head: tuple[int, int, int],
    macs: tuple[int, int],
) -> Head:
    head_b, control, sub = head
    sealed = (control >> 14) & 1
    if sub & 8:  # with quality of service
        aggregated = p + head_b < end and u8(b, p + head_b) & 0x80 != 0
        sealed |= aggregated
        head_b += 6 if (control >> 15) & 1 else 2
    at = p + head_b
    if sealed or sub & 4 or not _is_snap(b, at, end):
        return 0, at, macs[0], macs[1]
    kind, at = _inside(b, at + 8, end, be16(b, at + 6))
    return kind, at, macs[0], macs[1]
