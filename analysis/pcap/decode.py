"""Look into packets: addresses, ports, TCP fields and errors, as columns.

Everything is done on whole columns of a batch at once; a packet that is cut short or
malformed keeps what could be read and gets an error bit. Equal to tshark's fields, with
defragmentation off, for Ethernet with VLAN tags, Linux cooked captures, raw IP, IPv4,
IPv6 with extension headers, TCP and UDP.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from enum import IntFlag

import numpy as np
from numpy.typing import NDArray

from analysis.pcap import blocks
from analysis.pcap.checksum import transport_is_wrong, words_are_wrong
from analysis.pcap.columns import Batch, Bool, Int64
from analysis.pcap.reader import Frames

TCP, UDP = 6, 17
_BATCH_B = 8 * 1024 * 1024
_BATCH_PACKETS = 65_536

_VLAN_TYPES = (0x8100, 0x88A8, 0x9100)
_IPV4_TYPE, _IPV6_TYPE = 0x0800, 0x86DD
_FRAGMENT, _AUTHENTICATION = 44, 51
# hop-by-hop, routing, destination, mobility, HIP, shim6: length in units of 8 bytes
_EXTENSIONS = (0, 43, 60, 135, 139, 140)
_ROUTING = 43
_MAX_EXTENSIONS = 8


class Error(IntFlag):
    """What is wrong with a packet, as bits."""

    IP_CHECKSUM = 1  # the IPv4 header does not add up
    CHECKSUM = 2  # TCP or UDP does not add up (only looked at where complete)
    CUT = 4  # fewer bytes were captured than were on the wire
    MALFORMED = 8  # a length or version inside contradicts another


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """What is inside n packets. Fields that a packet does not have are 0.

    ethertype   (n,) uint16, of the innermost tag; 0 below 1536 and for unknown links
    src_mac     (n,) uint64, the six bytes as a number
    dst_mac     (n,) uint64, 0 for links that do not say it
    src         (n, 2) uint64, address as two big-endian halves; IPv4 is ::ffff:a.b.c.d
    dst         (n, 2) uint64
    protocol    (n,) uint8, number of the IP protocol; 0 means not IP
    src_port    (n,) uint16, TCP and UDP; 0 for fragments after the first
    dst_port    (n,) uint16
    payload_b   (n,) uint32, bytes above TCP or UDP, else above IP, on the wire
    tcp_flags   (n,) uint8, low eight flags
    seq         (n,) uint32, TCP sequence number
    ack         (n,) uint32, TCP acknowledgement number
    error       (n,) uint8, bits of `Error`
    """

    ethertype: NDArray[np.uint16]
    src_mac: NDArray[np.uint64]
    dst_mac: NDArray[np.uint64]
    src: NDArray[np.uint64]
    dst: NDArray[np.uint64]
    protocol: NDArray[np.uint8]
    src_port: NDArray[np.uint16]
    dst_port: NDArray[np.uint16]
    payload_b: NDArray[np.uint32]
    tcp_flags: NDArray[np.uint8]
    seq: NDArray[np.uint32]
    ack: NDArray[np.uint32]
    error: NDArray[np.uint8]

    def __len__(self) -> int:
        return self.protocol.size

    def take(self, rows: Int64) -> "Decoded":
        """Return the chosen packets."""
        columns = {f.name: getattr(self, f.name)[rows] for f in fields(self)}
        return Decoded(**columns)

    @staticmethod
    def joined(parts: "Sequence[Decoded]") -> "Decoded":
        """Return the packets of all parts, one after the other."""
        names = [f.name for f in fields(Decoded)]
        columns = {n: np.concatenate([getattr(p, n) for p in parts]) for n in names}
        return Decoded(**columns)


def decode_frames(frames: Frames) -> Decoded:
    """Decode every packet of a capture, batch by batch."""
    n = len(frames)
    out = Decoded(
        ethertype=np.zeros(n, dtype=np.uint16),
        src_mac=np.zeros(n, dtype=np.uint64),
        dst_mac=np.zeros(n, dtype=np.uint64),
        src=np.zeros((n, 2), dtype=np.uint64),
        dst=np.zeros((n, 2), dtype=np.uint64),
        protocol=np.zeros(n, dtype=np.uint8),
        src_port=np.zeros(n, dtype=np.uint16),
        dst_port=np.zeros(n, dtype=np.uint16),
        payload_b=np.zeros(n, dtype=np.uint32),
        tcp_flags=np.zeros(n, dtype=np.uint8),
        seq=np.zeros(n, dtype=np.uint32),
        ack=np.zeros(n, dtype=np.uint32),
        error=np.zeros(n, dtype=np.uint8),
    )
    for first, last in _batches(frames):
        _decode_batch(Batch.of(frames, first, last), out)
    return out


def _batches(frames: Frames) -> list[tuple[int, int]]:
    """Cut the packets into runs of bounded bytes and number."""
    runs, first, n = [], 0, len(frames)
    while first < n:
        limit = int(frames.offset[first]) + _BATCH_B
        last = int(np.searchsorted(frames.offset, limit, side="right"))
        last = min(max(last, first + 1), first + _BATCH_PACKETS, n)
        runs.append((first, last))
        first = last
    return runs


def _decode_batch(batch: Batch, out: Decoded) -> None:
    """Fill the rows of `out` that `batch` covers."""
    error = out.error[batch.rows]
    error[batch.captured_b < batch.length_b] |= np.uint8(Error.CUT)
    ip = _decode_link(batch, out)
    for kind, decode in ((_IPV4_TYPE, _decode_ipv4), (_IPV6_TYPE, _decode_ipv6)):
        chosen = np.flatnonzero(out.ethertype[batch.rows] == kind)
        if chosen.size:
            decode(batch, chosen, ip[chosen], out)


def _decode_link(batch: Batch, out: Decoded) -> Int64:
    """Fill types and MACs; return where the network layer begins."""
    network = batch.start.copy()
    for link in np.unique(batch.link):
        chosen = np.flatnonzero(batch.link == link)
        at = batch.start[chosen]
        rows = chosen + batch.rows.start
        if link == blocks.LINK_ETHERNET:
            whole = batch.has(chosen, at, 14)
            chosen, at, rows = chosen[whole], at[whole], rows[whole]
            out.dst_mac[rows] = batch.number(at, 6)
            out.src_mac[rows] = batch.number(at + 6, 6)
            kind, at = _untag(batch, chosen, batch.u16(at + 12), at + 14)
        elif link in (blocks.LINK_SLL, blocks.LINK_SLL2):
            cooked = link == blocks.LINK_SLL
            whole = batch.has(chosen, at, 16 if cooked else 20)
            chosen, at, rows = chosen[whole], at[whole], rows[whole]
            kind = batch.u16(at + 14) if cooked else batch.u16(at)
            size = batch.u16(at + 4) if cooked else batch.u8(at + 11)
            mac = batch.number(at + (6 if cooked else 12), 6)
            out.src_mac[rows] = np.where(size == 6, mac, 0)
            kind, at = _untag(batch, chosen, kind, at + (16 if cooked else 20))
        elif link in blocks.LINKS_RAW or link == blocks.LINK_NULL:
            at = at + (4 if link == blocks.LINK_NULL else 0)
            whole = batch.has(chosen, at, 1)
            chosen, at, rows = chosen[whole], at[whole], rows[whole]
            version = batch.u8(at) >> 4
            kind = np.select([version == 4, version == 6], [_IPV4_TYPE, _IPV6_TYPE], 0)
        else:
            continue
        out.ethertype[rows] = np.where(kind >= 1536, kind, 0)
        network[chosen] = at
    return network


def _untag(batch: Batch, chosen: Int64, kind: Int64, at: Int64) -> tuple[Int64, Int64]:
    """Step over VLAN tags; return the type below and where it begins."""
    for _tag in range(3):
        tagged = np.isin(kind, _VLAN_TYPES) & batch.has(chosen, at, 4)
        if not tagged.any():
            break
        kind = np.where(tagged, batch.u16(at + 2), kind)
        at = np.where(tagged, at + 4, at)
    return kind, at


def _decode_ipv4(batch: Batch, chosen: Int64, at: Int64, out: Decoded) -> None:
    whole = batch.has(chosen, at, 20)
    chosen, at = chosen[whole], at[whole]
    rows = chosen + batch.rows.start
    first = batch.u8(at)
    head_b = (first & 15) * 4
    total_b = batch.u16(at + 2)
    wire_b = batch.wire_end[chosen] - at
    # with segmentation offload the length is 0 and the whole frame is meant
    total_b = np.where(total_b == 0, wire_b, total_b)
    bad = (first >> 4 != 4) | (head_b < 20) | (total_b < head_b)
    out.error[rows[bad | (total_b > wire_b)]] |= np.uint8(Error.MALFORMED)
    fine = ~bad
    chosen, at, rows = chosen[fine], at[fine], rows[fine]
    head_b, total_b = head_b[fine], np.minimum(total_b, wire_b)[fine]
    complete = batch.has(chosen, at, head_b)
    wrong = complete & words_are_wrong(batch, at, head_b)
    out.error[rows[wrong]] |= np.uint8(Error.IP_CHECKSUM)
    out.protocol[rows] = batch.u8(at + 9)
    for column, byte in ((out.src, 12), (out.dst, 16)):
        column[rows, 1] = batch.number(at + byte, 4) | np.uint64(0xFFFF << 32)
    fragment = batch.u16(at + 6)
    above = _Above(
        chosen=chosen,
        rows=rows,
        at=at + head_b,
        length_b=total_b - head_b,
        protocol=out.protocol[rows].astype(np.int64),
        later=(fragment & 0x1FFF) > 0,
        whole=(fragment & 0x3FFF) == 0,
        addresses_at=at + 12,
        addresses_b=8,
    )
    _decode_transport(batch, above, out)


def _decode_ipv6(batch: Batch, chosen: Int64, at: Int64, out: Decoded) -> None:
    whole = batch.has(chosen, at, 40)
    chosen, at = chosen[whole], at[whole]
    rows = chosen + batch.rows.start
    wire_b = batch.wire_end[chosen] - at - 40
    length_b = batch.u16(at + 4)
    length_b = np.where(length_b == 0, wire_b, length_b)  # jumbogram, or offload
    bad = batch.u8(at) >> 4 != 6
    out.error[rows[bad | (length_b > wire_b)]] |= np.uint8(Error.MALFORMED)
    fine = ~bad
    chosen, at, rows = chosen[fine], at[fine], rows[fine]
    end = at + 40 + np.minimum(length_b, wire_b)[fine]
    for column, byte in ((out.src, 8), (out.dst, 24)):
        for half in (0, 1):
            column[rows, half] = batch.number(at + byte + 8 * half, 8)
    chain = _walk_extensions(batch, chosen, at)
    out.protocol[rows] = chain.protocol
    above = _Above(
        chosen=chosen,
        rows=rows,
        at=chain.at,
        length_b=np.maximum(end - chain.at, 0),
        protocol=chain.protocol,
        later=chain.later,
        whole=chain.whole,
        addresses_at=at + 8,
        addresses_b=32,
    )
    _decode_transport(batch, above, out)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Chain:
    """Where the extension headers of IPv6 packets end, and what follows."""

    at: Int64
    protocol: Int64
    later: Bool
    whole: Bool


def _walk_extensions(batch: Batch, chosen: Int64, at: Int64) -> _Chain:
    protocol = batch.u8(at + 6)
    at = at + 40
    later = np.zeros(at.shape, dtype=bool)
    whole = np.ones(at.shape, dtype=bool)
    for _header in range(_MAX_EXTENSIONS):
        long = np.isin(protocol, _EXTENSIONS)
        fragment = protocol == _FRAGMENT
        sealed = protocol == _AUTHENTICATION
        step = (long | fragment | sealed) & batch.has(chosen, at, 8) & ~later
        if not step.any():
            break
        size = batch.u8(at + 1)
        length_b = np.select([fragment, sealed], [8, (size + 2) * 4], (size + 1) * 8)
        fields = np.where(step & fragment, batch.u16(at + 2), 0)
        later = later | (fields >> 3 > 0)
        # a routing header changes the address that the checksum is made with
        whole = whole & (fields & 0xFFF9 == 0) & ~(step & (protocol == _ROUTING))
        protocol = np.where(step, batch.u8(at), protocol)
        at = np.where(step, at + length_b, at)
    return _Chain(at=at, protocol=protocol, later=later, whole=whole)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Above:
    """What IP carries: rows of the batch and of the output, place, length, kind.

    later      the fragment is not the first, so that no header is in it
    whole      not a fragment, and the checksum can be made from the addresses
    """

    chosen: Int64
    rows: Int64
    at: Int64
    length_b: Int64
    protocol: Int64
    later: Bool
    whole: Bool
    addresses_at: Int64
    addresses_b: int

    def only(self, mask: Bool) -> "_Above":
        """Keep the packets of `mask`."""
        return _Above(
            chosen=self.chosen[mask],
            rows=self.rows[mask],
            at=self.at[mask],
            length_b=self.length_b[mask],
            protocol=self.protocol[mask],
            later=self.later[mask],
            whole=self.whole[mask],
            addresses_at=self.addresses_at[mask],
            addresses_b=self.addresses_b,
        )


def _decode_transport(batch: Batch, above: _Above, out: Decoded) -> None:
    out.payload_b[above.rows] = above.length_b
    headed = np.isin(above.protocol, (TCP, UDP)) & ~above.later
    above = above.only(headed)
    ports = above.only(batch.has(above.chosen, above.at, 4) & (above.length_b >= 4))
    out.src_port[ports.rows] = batch.u16(ports.at)
    out.dst_port[ports.rows] = batch.u16(ports.at + 2)
    for number, decode, head_b in ((TCP, _decode_tcp, 20), (UDP, _decode_udp, 8)):
        mine = above.only(above.protocol == number)
        short = mine.length_b < head_b
        out.error[mine.rows[short]] |= np.uint8(Error.MALFORMED)
        out.payload_b[mine.rows[short]] = 0
        mine = mine.only(~short & batch.has(mine.chosen, mine.at, head_b))
        decode(batch, mine, out)
        _check(batch, mine, out)


def _decode_tcp(batch: Batch, tcp: _Above, out: Decoded) -> None:
    head_b = (batch.u8(tcp.at + 12) >> 4) * 4
    bad = (head_b < 20) | (head_b > tcp.length_b)
    out.error[tcp.rows[bad]] |= np.uint8(Error.MALFORMED)
    out.payload_b[tcp.rows] = np.where(bad, 0, tcp.length_b - head_b)
    out.tcp_flags[tcp.rows] = batch.u8(tcp.at + 13)
    out.seq[tcp.rows] = batch.number(tcp.at + 4, 4)
    out.ack[tcp.rows] = batch.number(tcp.at + 8, 4)


def _decode_udp(batch: Batch, udp: _Above, out: Decoded) -> None:
    said_b = batch.u16(udp.at + 4)
    said_b = np.where(said_b == 0, udp.length_b, said_b)  # jumbogram, or offload
    bad = (said_b < 8) | (udp.whole & (said_b > udp.length_b))
    out.error[udp.rows[bad]] |= np.uint8(Error.MALFORMED)
    out.payload_b[udp.rows] = np.where(said_b < 8, 0, said_b - 8)


def _check(batch: Batch, above: _Above, out: Decoded) -> None:
    """Mark wrong TCP and UDP checksums of packets that are wholly there."""
    complete = above.whole & batch.has(above.chosen, above.at, above.length_b)
    complete &= out.error[above.rows] & np.uint8(Error.MALFORMED) == 0
    above = above.only(complete)
    wrong = transport_is_wrong(
        batch,
        at=above.at,
        length_b=above.length_b,
        protocol=above.protocol,
        addresses_at=above.addresses_at,
        addresses_b=above.addresses_b,
    )
    if above.rows.size and above.addresses_b == 8:
        # IPv4 allows UDP without a checksum
        wrong &= (above.protocol != UDP) | (batch.u16(above.at + 6) != 0)
    out.error[above.rows[wrong]] |= np.uint8(Error.CHECKSUM)
