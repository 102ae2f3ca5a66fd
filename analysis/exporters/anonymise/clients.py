"""What tells a client of DHCP and DHCPv6 from others: its DUID, and numbers of leases.

A DUID is made of a MAC and, often, of the second at which it was made: that tells a
device in every network that it is in, and with shifted times the shift. It becomes
another second of the key. The number of a lease (IAID) often is the end of a MAC.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from analysis.exporters.anonymise.pseudonyms import Pseudonyms
from analysis.exporters.anonymise.spans import Spans
from analysis.pcap import dhcp
from analysis.pcap.blocks import LINK_ETHERNET
from analysis.pcap.decode import UDP
from analysis.pcap.walk import Batch

Uint8 = NDArray[np.uint8]

_PORTS, _PORTS6 = (67, 68), (546, 547)
_DUIDS, _LEASES, _RELAYED = (1, 2), (3, 4, 25), 9
_MOST_RELAYS = 8
_CLIENT, _OF_DUID, _MACHINE, _HARDWARE = 61, 255, 97, 1
_UUID_B = 16
_OF_MAKER, _OF_MACHINE = b"\0\2", b"\0\4"  # kinds of DUID
_WITH_TIME, _WITHOUT = b"\0\1\0\1", b"\0\3\0\1"  # kind of DUID, Ethernet
_MAC_B, _NUMBER_B = 6, 4
_LATEST = 0x3FFF_FFFF  # seconds since 2000: in 2034


@dataclass(frozen=True, slots=True)
class _Told:
    """Places in a message: of times and MACs of DUIDs, and of numbers of leases.

    drawn  place and size of what is no text and tells a machine from all others
    """

    drawn: list[tuple[int, int]] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    macs: list[int] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)


def write_clients(
    batch: Batch, new: Uint8, spans: Spans, pseudonyms: Pseudonyms, changed: Uint8
) -> None:
    """Write what clients are called under pseudonyms.

    changed  (n,) uint8, set for packets in which that is
    """
    decoded = spans.decoded
    for ports, read in ((_PORTS, _told4), (_PORTS6, _told6)):
        rows = np.isin(decoded.src_port, ports) & np.isin(decoded.dst_port, ports)
        for row in np.flatnonzero(rows & (decoded.protocol == UDP)).tolist():
            at = int(spans.begin[row])
            data = batch.data[at : int(batch.start[row] + batch.captured_b[row])]
            told = _Told()
            read(data.tobytes(), told)
            start = int(batch.start[row])
            ethernet = int(batch.link[row]) == LINK_ETHERNET
            sender = batch.data[start + 6 : start + 12].tobytes() if ethernet else b""
            for place, made in _made(data.tobytes(), told, sender, pseudonyms):
                raw = np.frombuffer(made, dtype=np.uint8)
                new[at + place : at + place + raw.size] = raw
                changed[row] = 1


def _made(
    data: bytes, told: _Told, sender: bytes, pseudonyms: Pseudonyms
) -> Iterator[tuple[int, bytes]]:
    """Yield places and what stands there afterwards."""
    for at in told.times:
        own = pseudonyms.filler(b"duid" + data[at : at + _NUMBER_B], _NUMBER_B)
        yield at, (int.from_bytes(own) & _LATEST).to_bytes(_NUMBER_B)
    for at, size in told.drawn:
        yield at, pseudonyms.filler(b"client" + data[at : at + size], size)
    macs = {data[at : at + _MAC_B] for at in told.macs}
    for at in told.macs:
        yield at, pseudonyms.mac(data[at : at + _MAC_B])
    for at in told.numbers:
        raw = data[at : at + _NUMBER_B]
        for mac in sorted(macs | {sender} - {b""}):
            made = pseudonyms.mac(mac)[-_NUMBER_B:]
            if raw == mac[-_NUMBER_B:]:
                yield at, made
            elif raw == mac[-_NUMBER_B:][::-1]:
                yield at, made[::-1]


def _told4(data: bytes, told: _Told) -> None:
    """Find the DUID of option 61 (RFC 4361)."""
    for code, begin, end in dhcp.options(data):
        if code == _CLIENT and end - begin > 5 and data[begin] == _OF_DUID:
            told.numbers.append(begin + 1)
            _duid(data, begin + 5, end, told)
        elif code == _CLIENT and end - begin > _MAC_B and data[begin] != _HARDWARE:
            _drawn(data, begin + 1, end, told)
        elif code == _MACHINE and end - begin == 1 + _UUID_B:
            told.drawn.append((begin + 1, _UUID_B))


def _told6(data: bytes, told: _Told, first: int = 0, depth: int = 0) -> None:
    """Find DUIDs and numbers of leases in a message from a place on."""
    for code, begin, end in dhcp.options6(data[first:]):
        at, behind = first + begin, first + end
        if code in _DUIDS:
            _duid(data, at, behind, told)
        elif code in _LEASES and end - begin >= _NUMBER_B:
            told.numbers.append(at)
        elif code == _RELAYED and depth < _MOST_RELAYS:
            _told6(data[:behind], told, at, depth + 1)


def _duid(data: bytes, begin: int, end: int, told: _Told) -> None:
    head = data[begin : begin + 4]
    if head == _WITH_TIME and end - begin == 8 + _MAC_B:
        told.times.append(begin + 4)
        told.macs.append(begin + 8)
    elif head == _WITHOUT and end - begin == 4 + _MAC_B:
        told.macs.append(begin + 4)
    elif head[:2] == _OF_MAKER:
        _drawn(data, begin + 6, end, told)
    elif head[:2] == _OF_MACHINE and end - begin == 2 + _UUID_B:
        told.drawn.append((begin + 2, _UUID_B))


def _drawn(data: bytes, begin: int, end: int, told: _Told) -> None:
    """Note what is no text: texts are harvested, and replaced wherever they stand."""
    raw = data[begin:end]
    if raw and not (raw.isascii() and raw.rstrip(b"\0").decode().isprintable()):
        told.drawn.append((begin, end - begin))
