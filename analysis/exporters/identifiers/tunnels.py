"""Where headers lie inside tunnels: IP, GRE, ERSPAN, VXLAN, Geneve, GTP, L2TP and more.

found = inside(above, protocol, ports)

Teredo and TZSP, too. Addresses in them are of machines as those of any header are. What
lies inside a tunnel inside is walked as well, some levels deep.
"""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from analysis.pcap.decode import UDP, Decoded
from analysis.pcap.network import LATER

IPIP, SIX_IN_FOUR, GRE = 4, 41, 47
_IPV4, _IPV6, _ARP, _ETHERNET = 0x0800, 0x86DD, 0x0806, 0x6558
_ERSPAN, _ERSPAN_3, _PPP = 0x88BE, 0x22EB, 0x880B
_TAGS = (0x8100, 0x88A8, 0x9100)
_OF_PPP = {0x21: _IPV4, 0x57: _IPV6}
_MOST_DEEP = 4
_MOST_TAGS = 8
_MAC_B = 6


@dataclass(slots=True)
class Inside:
    """What lies in the bytes above IP of a packet that is a tunnel.

    fields   (place, bytes, whether all its bits are turned) of addresses
    packets  (place, version) of headers of IP, the outer ones first
    sums     places of checksums of GRE, which cover all from four bytes before on
    """

    fields: list[tuple[int, int, bool]] = field(default_factory=list)
    packets: list[tuple[int, int]] = field(default_factory=list)
    sums: list[int] = field(default_factory=list)


def may_be(decoded: Decoded) -> NDArray[np.bool_]:
    """Say which packets may be tunnels, (n,) bool."""
    ported = np.isin(decoded.src_port, PORTS) | np.isin(decoded.dst_port, PORTS)
    carried = np.isin(decoded.protocol, (IPIP, SIX_IN_FOUR, GRE))
    carried |= (decoded.protocol == UDP) & ported
    return np.asarray(carried & (decoded.fragment != LATER), dtype=np.bool_)


def inside(data: bytes, protocol: int, ports: tuple[int, int] = (0, 0)) -> Inside:
    """Return headers inside a tunnel, from what lies above the header of IP.

    ports  of UDP, whose header begins the bytes
    """
    found = Inside()
    _above(data, 0, protocol, ports, (found, _MOST_DEEP))
    there = (each for each in found.fields if each[0] + each[1] <= len(data))
    return Inside(fields=list(there), packets=found.packets, sums=found.sums)


def messages(data: bytes, found: Inside) -> Iterator[tuple[bytes, tuple[int, int]]]:
    """Yield datagrams inside a tunnel, and their ports."""
    for at, version in found.packets:
        head_b = (data[at] & 15) * 4 if version == 4 else 40
        protocol = data[at + (9 if version == 4 else 6)]
        begin = at + head_b
        if protocol == UDP and len(data) > begin + 8:
            ports = (_short(data, begin), _short(data, begin + 2))
            yield data[begin + 8 : begin + max(8, _short(data, begin + 4))], ports


_Work = tuple[Inside, int]  # what was found, levels that are left


def _above(
    data: bytes, at: int, protocol: int, ports: tuple[int, int], work: _Work
) -> None:
    if work[1] <= 0:
        return
    try:
        if protocol == IPIP:
            _ip(data, at, 4, work)
        elif protocol == SIX_IN_FOUR:
            _ip(data, at, 6, work)
        elif protocol == GRE:
            _gre(data, at, work)
        elif protocol == UDP:
            for port in ports:
                if port in _READERS:
                    _READERS[port](data, at + 8, work)
                    return
    except (IndexError, struct.error):
        return  # it was cut off


def _short(data: bytes, at: int) -> int:
    return int(struct.unpack_from(">H", data, at)[0])


def _ip(data: bytes, at: int, version: int, work: _Work) -> None:
    found, left = work
    if data[at] >> 4 != version:
        return
    head_b = (data[at] & 15) * 4 if version == 4 else 40
    first, size = (at + 12, 4) if version == 4 else (at + 8, 16)
    if head_b < 20 or first + 2 * size > len(data):
        return
    found.packets.append((at, version))
    found.fields += [(first, size, False), (first + size, size, False)]
    later = version == 4 and _short(data, at + 6) & 0x1FFF
    protocol = data[at + (9 if version == 4 else 6)]
    behind = at + head_b
    if not later:
        ports = (0, 0)
        if protocol == UDP and behind + 4 <= len(data):
            ports = (_short(data, behind), _short(data, behind + 2))
        _above(data, behind, protocol, ports, (found, left - 1))


def _ethernet(data: bytes, at: int, work: _Work) -> None:
    found, _ = work
    kind = _short(data, at + 12)
    found.fields += [(at, _MAC_B, False), (at + _MAC_B, _MAC_B, False)]
    at += 14
    for _ in range(_MOST_TAGS):
        if kind not in _TAGS:
            break
        kind, at = _short(data, at + 2), at + 4
    _typed(data, at, kind, work)


def _typed(data: bytes, at: int, kind: int, work: _Work) -> None:
    if kind == _ETHERNET:
        _ethernet(data, at, work)
    elif kind in (_IPV4, _IPV6):
        _ip(data, at, 4 if kind == _IPV4 else 6, work)
    elif kind == _ARP and data[at + 4 : at + 6] == b"\6\4" and len(data) >= at + 28:
        for place, size in ((8, 6), (14, 4), (18, 6), (24, 4)):
            work[0].fields.append((at + place, size, False))


def _gre(data: bytes, at: int, work: _Work) -> None:
    flags, kind = struct.unpack_from(">HH", data, at)
    behind = at + 4 + sum(4 for bit in (0x8000, 0x2000, 0x1000) if flags & bit)
    if flags & 7 == 1:  # of PPTP
        _ppp(data, behind + (4 if flags & 0x80 else 0), work)
        return
    if flags & 0x8000:
        work[0].sums.append(at + 4)
    if kind in (_ERSPAN, _ERSPAN_3):
        if kind == _ERSPAN_3:
            behind += 12 + (8 if data[behind + 11] & 1 else 0)
        elif flags & 0x1000:
            behind += 8
        kind = _ETHERNET
    _typed(data, behind, kind, work)


def _ppp(data: bytes, at: int, work: _Work) -> None:
    if data[at : at + 2] == b"\xff\x03":
        at += 2
    if data[at] & 1:
        kind, at = data[at], at + 1
    else:
        kind, at = _short(data, at), at + 2
    if kind in _OF_PPP:
        _typed(data, at, _OF_PPP[kind], work)


def _vxlan(data: bytes, at: int, work: _Work) -> None:
    if data[at] & 8:
        _ethernet(data, at + 8, work)


def _geneve(data: bytes, at: int, work: _Work) -> None:
    _typed(data, at + 8 + (data[at] & 0x3F) * 4, _short(data, at + 2), work)


def _gtp(data: bytes, at: int, work: _Work) -> None:
    flags, kind = data[at], data[at + 1]
    if flags >> 5 != 1 or kind != 0xFF:
        return
    behind = at + 8
    if flags & 7:
        behind += 4
        following = data[behind - 1] if flags & 4 else 0
        for _ in range(_MOST_TAGS):
            if not following:
                break
            behind += data[behind] * 4
            following = data[behind - 1]
    _ip(data, behind, data[behind] >> 4, work)


def _l2tp(data: bytes, at: int, work: _Work) -> None:
    flags = _short(data, at)
    if flags & 0x8000 or flags & 15 != 2:
        return  # it tells, and carries nothing
    behind = at + 6 + (2 if flags & 0x4000 else 0) + (4 if flags & 0x0800 else 0)
    if flags & 0x0200:
        behind += 2 + _short(data, behind)
    _ppp(data, behind, work)


def _teredo(data: bytes, at: int, work: _Work) -> None:
    if data[at : at + 2] == b"\0\1":
        at += 4 + data[at + 2] + data[at + 3] + 9
    if data[at : at + 2] == b"\0\0":
        work[0].fields.append((at + 4, 4, True))
        at += 8
    _ip(data, at, 6, work)


def _tzsp(data: bytes, at: int, work: _Work) -> None:
    """Read what routers of MikroTik stream of what they see."""
    carried, at = _short(data, at + 2), at + 4
    while data[at] != 1:
        at += 1 if data[at] == 0 else 2 + data[at + 1]
    if carried == 1:
        _ethernet(data, at + 1, work)


_READERS: dict[int, Callable[[bytes, int, _Work], None]] = {
    **{4789: _vxlan, 8472: _vxlan, 6081: _geneve, 2152: _gtp, 1701: _l2tp},
    **{3544: _teredo, 37008: _tzsp},
}
PORTS = tuple(_READERS)
