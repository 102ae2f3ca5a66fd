"""Captures as a meter needs them: packets with TTL, and who was told which name."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.flows.meter import Packets
from analysis.flows.names import Told
from analysis.packets.select import beacon_rows
from analysis.pcap.ahead import ahead
from analysis.pcap.decode import DECODED, TCP, UDP, Decoded, decode_batch
from analysis.pcap.link import IPV4_TYPE, IPV6_TYPE, decode_links
from analysis.pcap.names import DNS_PORT, dns_answers, server_name
from analysis.pcap.network import FIRST, LATER
from analysis.pcap.stream import CaptureStream
from analysis.pcap.walk import Batch

Int64 = NDArray[np.int64]
Key = tuple[int, int, int, int, int]
Address = tuple[int, int]

_LINKS = np.array(sorted(DECODED), dtype=np.int32)
_HELLO, _HELLO_AT, _RECORD = 1, 5, 22
_LOW = (1 << 64) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Packets of a capture that follow each other; see `Batch` and `Decoded`.

    decoded, length_b, time_ns  of n packets
    ttl      (n,) uint8, 0 unknown
    beacons  (b,) int64, rows that are beacons
    n_foreign  packets of link types that are not understood
    answers  (stamp, who asked, address, name) of DNS answers
    hellos   (stamp, connection, name) of TLS
    size_b   bytes of the file that were read so far
    """

    decoded: Decoded
    time_ns: Int64
    length_b: Int64
    ttl: NDArray[np.uint8]
    beacons: Int64
    n_foreign: int
    answers: tuple[tuple[int, Address, Address, str], ...]
    hellos: tuple[tuple[int, Key, str], ...]
    size_b: int

    def packets(self, rows: Int64 | slice, outbound: NDArray[np.bool_]) -> Packets:
        """Return some of the packets for a meter; `outbound` is of these rows."""
        d = self.decoded.take(rows)
        segment = ((d.tcp_flags != 0) | (d.window != 0)) & (d.protocol == TCP)
        return Packets(
            time_ns=self.time_ns[rows],
            length_b=self.length_b[rows],
            payload_b=d.payload_b.astype(np.int64),
            outbound=outbound,
            ttl=self.ttl[rows],
            protocol=d.protocol,
            src=d.src,
            dst=d.dst,
            src_port=d.src_port,
            dst_port=d.dst_port,
            segment=segment & (d.fragment != FIRST),
            tcp_flags=d.tcp_flags,
            seq=d.seq,
            ack=d.ack,
        )


class Names:
    """Which server is behind which address, for whom, and since when."""

    def __init__(self) -> None:
        self._by_address = Told()
        self._by_connection = Told()

    def take(self, piece: Piece) -> None:
        """Take what was told in a piece of a capture."""
        for time_ns, client, server, name in piece.answers:
            self._by_address.add((client, server), time_ns, name)
        for time_ns, key, name in piece.hellos:
            self._by_connection.add(key, time_ns, name)

    def of(self, key: Key, ends: tuple[Address, Address], span: tuple[int, int]) -> str:
        """Return the server's name of a record, '' when nobody told it.

        ends  of the device, and of the other side;  span  first and last stamp
        """
        name = self._by_connection.at(key, span[1])
        return name or self._by_address.at(ends, span[0])


def read_pieces(stream: CaptureStream) -> Iterator[Piece]:
    """Decode a capture, each piece in a thread while the one before is used.

    Raises CaptureError where it is damaged.
    """
    return ahead(_decoded(stream))


def _decoded(stream: CaptureStream) -> Iterator[Piece]:
    for batch in stream:
        decoded = decode_batch(batch)
        yield Piece(
            decoded=decoded,
            time_ns=batch.time_ns.copy(),
            length_b=batch.length_b.copy(),
            ttl=hop_limits(batch, decoded),
            beacons=beacon_rows(batch, decoded),
            n_foreign=int(np.count_nonzero(~np.isin(batch.link, _LINKS))),
            answers=tuple(_answers(batch, decoded)),
            hellos=tuple(_hellos(batch, decoded)),
            size_b=stream.size_b,
        )


def hop_limits(batch: Batch, decoded: Decoded) -> NDArray[np.uint8]:
    """Return (n,) uint8, TTL or hop limit of the outermost IP header; 0 for not IP."""
    n = len(batch)
    network = np.empty(n, dtype=np.int64)
    scratch = np.empty(n, dtype=np.uint16)
    macs = (np.empty(n, dtype=np.uint64), np.empty(n, dtype=np.uint64))
    places = (batch.start, batch.captured_b, batch.link)
    decode_links(batch.data, places, scratch, macs, network)
    ttl = np.zeros(n, dtype=np.uint8)
    for kind, at in ((IPV4_TYPE, 8), (IPV6_TYPE, 7)):
        # of a packet with a protocol the whole head was captured
        rows = np.flatnonzero((decoded.ethertype == kind) & (decoded.protocol != 0))
        ttl[rows] = batch.data[network[rows] + at]
    return ttl


def _answers(
    batch: Batch, decoded: Decoded
) -> Iterator[tuple[int, Address, Address, str]]:
    asked = (decoded.protocol == UDP) & (decoded.src_port == DNS_PORT)
    asked &= decoded.fragment != LATER
    for row in np.flatnonzero(asked).tolist():
        name, addresses = dns_answers(_payload(batch, decoded, row))
        for address in addresses:
            client = _address(decoded.dst[row])
            server = (address >> 64, address & _LOW)
            yield int(batch.time_ns[row]), client, server, name


def _hellos(batch: Batch, decoded: Decoded) -> Iterator[tuple[int, Key, str]]:
    at = batch.start + decoded.payload_at
    room = batch.start + batch.captured_b - at
    likely = (decoded.protocol == TCP) & (decoded.payload_b > _HELLO_AT)
    # a payload whose place is not known was not captured
    rows = np.flatnonzero(likely & (decoded.payload_at > 0) & (room > _HELLO_AT))
    first = at[rows]
    is_hello = batch.data[first] == _RECORD
    is_hello &= batch.data[first + _HELLO_AT] == _HELLO
    for row in rows[is_hello].tolist():
        name = server_name(_payload(batch, decoded, row))
        if name:
            yield int(batch.time_ns[row]), _key(decoded, row), name


def _payload(batch: Batch, decoded: Decoded, row: int) -> bytes:
    start = int(batch.start[row])
    at = start + int(decoded.payload_at[row])
    end = min(start + int(batch.captured_b[row]), at + int(decoded.payload_b[row]))
    return batch.data[at:end].tobytes()


def _key(decoded: Decoded, row: int) -> Key:
    """Return the key of a packet's connection, as the meter orders its ends."""
    one = (*_address(decoded.src[row]), int(decoded.src_port[row]))
    two = (*_address(decoded.dst[row]), int(decoded.dst_port[row]))
    low, high = sorted((one, two))
    last = low[2] << 32 | high[2] << 16 | int(decoded.protocol[row])
    return low[0], low[1], high[0], high[1], last


def _address(halves: NDArray[np.uint64]) -> Address:
    high, low = halves.tolist()
    return high, low
