"""Networks and addresses that routers hand out: advertisements and DHCPv6.

Of a network the bits behind its prefix are zeros, and stay zeros: what comes out is the
network in which the pseudonyms of its hosts lie. A route may be told by the first eight
bytes alone, which no pattern finds.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from analysis.exporters.anonymise.pseudonyms import Pseudonyms
from analysis.exporters.anonymise.spans import Spans
from analysis.pcap.decode import UDP
from analysis.pcap.dhcp import options6, suboptions6
from analysis.pcap.walk import Batch

Uint8 = NDArray[np.uint8]
Field = tuple[int, int, int]  # place, bytes that are there, bits of the prefix

_ICMPV6, _ADVERTISEMENT = 58, 134
_PREFIX, _ROUTE, _CONTEXT, _TRANSLATED = 3, 24, 34, 38
_OF_TRANSLATED = (96, 64, 56, 48, 40, 32)  # by the last three bits of a word
_DHCP6 = (546, 547)
_RELAYED, _MOST_RELAYS = 9, 8
_RELAYS = (12, 13)
_NESTED = {3: 12, 4: 4, 25: 12}  # bytes before the options of a lease
_LEASE, _DELEGATED = 5, 26
_SERVERS = (12, 22, 23, 31)
_WHOLE, _SIZE_B = 128, 16
_LATER = 2  # fragment


def write_networks(
    batch: Batch, new: Uint8, spans: Spans, pseudonyms: Pseudonyms, changed: Uint8
) -> None:
    """Write the pseudonyms of networks and addresses in messages of routers.

    changed  (n,) uint8, set for packets in which there are some
    """
    decoded = spans.decoded
    told = (decoded.protocol == _ICMPV6) & (decoded.fragment != _LATER)
    told &= batch.data[np.minimum(spans.above, batch.data.size - 1)] == _ADVERTISEMENT
    leased = np.isin(decoded.src_port, _DHCP6) & np.isin(decoded.dst_port, _DHCP6)
    leased &= decoded.protocol == UDP
    for rows, begin, read in (
        (told, spans.above, _advertised),
        (leased, spans.begin, _leased),
    ):
        for row in np.flatnonzero(rows).tolist():
            at = int(begin[row])
            end = int(batch.start[row] + batch.captured_b[row])
            data = batch.data[at:end].tobytes()
            for place, size, bits in read(data):
                raw = data[place : place + size]
                made = np.frombuffer(_made(raw, bits, pseudonyms), dtype=np.uint8)
                new[at + place : at + place + size] = made
                changed[row] = 1


def _made(raw: bytes, bits: int, pseudonyms: Pseudonyms) -> bytes:
    """Return as many bytes of the network's pseudonym; zeros behind it stay zeros."""
    own = raw.ljust(_SIZE_B, b"\0")
    number = int.from_bytes(pseudonyms.ipv6(own))
    behind = (1 << (_WHOLE - min(bits, _WHOLE))) - 1
    if not int.from_bytes(own) & behind:
        number &= ~behind
    return number.to_bytes(_SIZE_B)[: len(raw)]


def _advertised(data: bytes) -> Iterator[Field]:
    """Yield networks of a router advertisement (RFC 4861, 4191, 6775, 8781)."""
    at = 16
    while at + 8 <= len(data) and data[at + 1]:
        kind, size = data[at], 8 * data[at + 1]
        if at + size > len(data):
            return
        if kind == _PREFIX and size == 32:
            yield at + 16, _SIZE_B, data[at + 2]
        elif kind in (_ROUTE, _CONTEXT) and size in (16, 24):
            yield at + 8, size - 8, data[at + 2]
        elif kind == _TRANSLATED and size == 16:
            code = min(data[at + 3] & 7, len(_OF_TRANSLATED) - 1)
            yield at + 4, 12, _OF_TRANSLATED[code]
        at += size


def _leased(data: bytes, depth: int = 0) -> Iterator[Field]:
    """Yield networks and addresses of a message of DHCPv6 (RFC 8415)."""
    if data[:1] and data[0] in _RELAYS and len(data) >= 34:
        yield 2, _SIZE_B, _WHOLE
        yield 18, _SIZE_B, _WHOLE
    for code, begin, end in options6(data):
        if code == _RELAYED and depth < _MOST_RELAYS:
            for place, size, bits in _leased(data[begin:end], depth + 1):
                yield begin + place, size, bits
        elif code in _NESTED:
            for inner, first, last in suboptions6(data, begin + _NESTED[code], end):
                yield from _lease(data, inner, first, last)
        elif code in _SERVERS:
            for at in range(begin, end - _SIZE_B + 1, _SIZE_B):
                yield at, _SIZE_B, _WHOLE


def _lease(data: bytes, code: int, first: int, last: int) -> Iterator[Field]:
    if code == _LEASE and last - first >= _SIZE_B:
        yield first, _SIZE_B, _WHOLE
    elif code == _DELEGATED and last - first >= 9 + _SIZE_B:
        yield first + 9, _SIZE_B, data[first + 8]
