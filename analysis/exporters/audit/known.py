"""Which bytes of a packet are fields that a parser knows to be no addresses.

Types, lengths, checksums, ports, sequence numbers, stamps and MACs make any four bytes
by chance. The addresses between them are compared as such, by another reader; what has
options that may hold addresses is not counted among what is known.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.pcap.decode import TCP, UDP, Decoded, decode_layers
from analysis.pcap.walk import Batch

Int64 = NDArray[np.int64]
Span = tuple[int, int]

_ARP, _IPV4, _IPV6 = 0x0806, 0x0800, 0x86DD
_ICMP, _IGMP, _ICMPV6 = 1, 2, 58
_LATER = 2
_ARP_B, _IPV4_B, _PORTS_B = 8, 20, 8
_TO_ADDRESSES = {_IPV4: 12, _IPV6: 8}
_ECHOES, _ERRORS, _ERRORS6 = (0, 8), (3, 4, 5, 11, 12), (1, 2, 3, 4)
_REDIRECT = 5
_MULTIPATH = 30  # an option of TCP that may tell addresses (RFC 8684)
_PLAIN_TCP_B, _PAD = 20, 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Layers:
    """Packets of a batch, decoded, and where layers lie, as `decode_layers` says."""

    batch: Batch
    decoded: Decoded
    network: Int64
    above: Int64

    @classmethod
    def of(cls, batch: Batch) -> "Layers":
        """Decode a batch."""
        decoded, network, above, _ = decode_layers(batch)
        return cls(batch=batch, decoded=decoded, network=network, above=above)

    def known(self, row: int) -> list[Span]:
        """Return places in the bytes of the batch, in order, and those behind them."""
        kind, network = int(self.decoded.ethertype[row]), int(self.network[row])
        start = int(self.batch.start[row])
        if kind == _ARP:
            return self._there(row, [(start, network + _ARP_B)])
        if kind not in _TO_ADDRESSES or network < start:
            return []
        above = int(self.above[row])
        if above <= network:
            return self._there(row, [(start, network)])
        head_b = _IPV4_B if kind == _IPV4 else _TO_ADDRESSES[kind]
        spans = [(start, network + head_b)]
        if self.decoded.fragment[row] != _LATER:
            spans += self._above(row, above)
        return self._there(row, spans)

    def is_known(self, row: int, at: int, size: int) -> bool:
        """Say whether bytes at a place are such a field, if only in part."""
        return any(at < end and at + size > begin for begin, end in self.known(row))

    def unknown(self, row: int) -> list[Span]:
        """Return what lies between."""
        at = int(self.batch.start[row])
        last = at + int(self.batch.captured_b[row])
        left = []
        for begin, end in self.known(row):
            left.append((at, begin))
            at = end
        left.append((at, last))
        return [(begin, end) for begin, end in left if begin < end]

    def _there(self, row: int, spans: list[Span]) -> list[Span]:
        end = int(self.batch.start[row] + self.batch.captured_b[row])
        return [(begin, min(behind, end)) for begin, behind in spans if begin < end]

    def _above(self, row: int, above: int) -> list[Span]:
        protocol = int(self.decoded.protocol[row])
        if protocol == UDP:
            return [(above, above + _PORTS_B)]
        if protocol == TCP:
            payload = int(self.batch.start[row] + self.decoded.payload_at[row])
            options = self.batch.data[above + _PLAIN_TCP_B : payload].tobytes()
            plain = above + _PLAIN_TCP_B
            return [(above, plain if _tells_addresses(options) else payload)]
        if protocol in (_ICMP, _ICMPV6):
            return self._control(row, above, protocol)
        return [(above, above + 4)] if protocol == _IGMP else []

    def _control(self, row: int, above: int, protocol: int) -> list[Span]:
        """Return fields of ICMP and ICMPv6, also of the header that an error quotes."""
        end = int(self.batch.start[row] + self.batch.captured_b[row])
        kind = int(self.batch.data[above]) if above < end else -1
        quoted = above + _PORTS_B
        if protocol == _ICMPV6:
            spans = [(above, above + 4)]
            errs = kind in _ERRORS6
            return [*spans, (quoted, quoted + _TO_ADDRESSES[_IPV6])] if errs else spans
        if kind in _ECHOES:
            return [(above, quoted)]
        if kind not in _ERRORS:
            return [(above, above + 4)]
        spans = [(above, above + 4 if kind == _REDIRECT else quoted)]
        spans.append((quoted, quoted + _TO_ADDRESSES[_IPV4]))
        if quoted < end and int(self.batch.data[quoted]) == 0x45:
            ports = quoted + _IPV4_B
            spans.append((ports, ports + _PORTS_B))
        return spans


def _tells_addresses(options: bytes) -> bool:
    """Say whether options of TCP may hold addresses."""
    at = 0
    while at + 1 < len(options) and options[at]:
        if options[at] == _MULTIPATH:
            return True
        at += 1 if options[at] == _PAD else max(options[at + 1], 2)
    return False
