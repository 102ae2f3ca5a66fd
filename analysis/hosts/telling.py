"""What packets tell of names: who is behind an address, and for how long."""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.pcap.decode import TCP, UDP, Decoded
from analysis.pcap.leases import (
    ACK,
    CLIENT_PORT,
    RELEASE,
    SERVER_PORT,
    LeaseMessage,
    lease_message,
)
from analysis.pcap.names import (
    DNS_PORT,
    HELLO_AT,
    MDNS_PORT,
    METHODS,
    dns_lifetimes,
    hello_lacks_b,
    mdns_lifetimes,
    request_host,
    server_name,
)
from analysis.pcap.network import LATER
from analysis.pcap.walk import Batch

Int64 = NDArray[np.int64]
Uint64 = NDArray[np.uint64]

S = 10**9
MAPPED = 0xFFFF << 32
_HELLO, _RECORD = 1, 22
_TURN = 1 << 32
_MOST_WAITING, _MOST_ASKED = 64, 1024
_LONGEST_B, _WORD_B = 16_384, 4
_METHODS = np.array([int.from_bytes(each) for each in METHODS], dtype=np.uint32)
_ODD = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """One thing that a packet tells.

    row      of the packet in its batch
    source   dns, mdns, sni, dhcp or http
    hold_ns  for how long; 0 for no more; None as long as its connection lives
    mac      of the client of DHCP, as a number, whose packet it is whoever it went to
    """

    row: int
    time_ns: int
    source: str
    name: str
    address: int
    hold_ns: int | None = None
    mac: int | None = None


@dataclass(slots=True)
class _Opening:
    """What one side of a connection said first, until its name is in it."""

    time_ns: int
    following: int
    data: bytearray


class Teller:
    """Reads batch after batch of one capture."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[int, _Opening] = OrderedDict()
        self._asked: OrderedDict[tuple[int, int], str] = OrderedDict()

    def of(self, batch: Batch, decoded: Decoded) -> list[Telling]:
        """Return what a batch tells, in the order of its packets."""
        tellings = [
            *self._datagrams(batch, decoded),
            *self._connections(batch, decoded),
        ]
        return sorted(tellings, key=lambda each: each.row)

    def _datagrams(self, batch: Batch, decoded: Decoded) -> Iterator[Telling]:
        likely = (decoded.protocol == UDP) & (decoded.fragment != LATER)
        likely &= np.isin(decoded.src_port, (DNS_PORT, MDNS_PORT, SERVER_PORT)) | (
            decoded.src_port == CLIENT_PORT
        )
        for row in np.flatnonzero(likely).tolist():
            data, time_ns = payload_of(batch, decoded, row), int(batch.time_ns[row])
            port = int(decoded.src_port[row])
            if port == DNS_PORT:
                name, found = dns_lifetimes(data)
                told = [("dns", name, *each) for each in found]
            elif port == MDNS_PORT:
                told = [("mdns", *each) for each in mdns_lifetimes(data)]
            else:
                yield from self._leases(data, row, time_ns)
                continue
            for source, name, address, ttl_s in told:
                yield Telling(
                    row=row,
                    time_ns=time_ns,
                    source=source,
                    name=name,
                    address=address,
                    hold_ns=ttl_s * S,
                )

    def _leases(self, data: bytes, row: int, time_ns: int) -> Iterator[Telling]:
        message = lease_message(data)
        if message is None:
            return
        name = self._name_of(message)
        if message.kind in (ACK, RELEASE) and message.address:
            if message.kind == ACK and message.lease_s is None:
                return  # only told of settings
            yield Telling(
                row=row,
                time_ns=time_ns,
                source="dhcp",
                name=name,
                address=MAPPED | message.address,
                hold_ns=(message.lease_s or 0) * S if message.kind == ACK else 0,
                mac=message.mac,
            )

    def _name_of(self, message: LeaseMessage) -> str:
        """Return what the client calls itself; servers often do not repeat it."""
        key = message.mac, message.transaction
        name = self._asked.get(key, "") or message.name
        if message.name:
            name = self._asked[key] = message.name
            while len(self._asked) > _MOST_ASKED:
                self._asked.popitem(last=False)
        return name

    def _connections(self, batch: Batch, decoded: Decoded) -> Iterator[Telling]:
        """Yield what clients say first, of as many segments as it takes."""
        ways = _ways(decoded) if self._waiting else None
        for key in [*self._waiting]:
            if ways is not None:
                rows = np.flatnonzero(ways == key)
                yield from self._go_on(key, rows.tolist(), batch, decoded)
        for row in _openings(batch, decoded):
            data = payload_of(batch, decoded, row)
            source, name = _said(data)
            if name is not None:
                if name:
                    yield _of_connection(batch, decoded, row, source, name)
                continue
            ways = _ways(decoded) if ways is None else ways
            key = int(ways[row])
            following = int(decoded.seq[row]) + len(data)
            opening = _Opening(
                int(batch.time_ns[row]), following % _TURN, bytearray(data)
            )
            self._waiting[key] = opening
            rows = np.flatnonzero(ways[row + 1 :] == key) + row + 1
            yield from self._go_on(key, rows.tolist(), batch, decoded)
            if len(self._waiting) > _MOST_WAITING:
                self._waiting.popitem(last=False)

    def _go_on(
        self, key: int, rows: list[int], batch: Batch, decoded: Decoded
    ) -> Iterator[Telling]:
        """Take further segments of what was begun, until it is whole."""
        opening = self._waiting[key]
        for row in rows:
            if int(decoded.seq[row]) != opening.following:
                continue
            data = payload_of(batch, decoded, row)
            opening.data += data
            opening.following = (opening.following + len(data)) % _TURN
            source, name = _said(bytes(opening.data))
            if name is not None or len(opening.data) > _LONGEST_B:
                del self._waiting[key]
                if name:
                    yield _of_connection(batch, decoded, row, source, name)
                return


def _said(data: bytes) -> tuple[str, str | None]:
    """Return the name in what a client says first, None when more must come."""
    if data[0] != _RECORD:
        return "http", request_host(data)
    name = server_name(data)
    return "sni", name if name or not hello_lacks_b(data) else None


def _of_connection(
    batch: Batch, decoded: Decoded, row: int, source: str, name: str
) -> Telling:
    high, low = decoded.dst[row].tolist()
    return Telling(
        row=row,
        time_ns=int(batch.time_ns[row]),
        source=source,
        name=name,
        address=high << 64 | low,
    )


def _openings(batch: Batch, decoded: Decoded) -> list[int]:
    """Return rows of segments that begin as a ClientHello or a request do."""
    at = batch.start + decoded.payload_at
    room = batch.start + batch.captured_b - at
    likely = (decoded.protocol == TCP) & (decoded.payload_b >= _WORD_B)
    # a payload whose place is not known was not captured
    rows = np.flatnonzero(likely & (decoded.payload_at > 0) & (room >= _WORD_B))
    first = at[rows]
    word = np.zeros(rows.size, dtype=np.uint32)
    for k in range(_WORD_B):
        word = word << np.uint32(8) | batch.data[first + k]
    kind = np.minimum(first + HELLO_AT, batch.data.size - 1)
    is_first = (batch.data[first] == _RECORD) & (batch.data[kind] == _HELLO)
    is_first &= np.minimum(room, decoded.payload_b)[rows] > HELLO_AT
    found: list[int] = rows[is_first | np.isin(word, _METHODS)].tolist()
    return found


def payload_of(batch: Batch, decoded: Decoded, row: int) -> bytes:
    """Return what a packet carries above TCP or UDP, as far as it was captured."""
    start = int(batch.start[row])
    at = start + int(decoded.payload_at[row])
    end = min(start + int(batch.captured_b[row]), at + int(decoded.payload_b[row]))
    return batch.data[at:end].tobytes()


def _ways(decoded: Decoded) -> Uint64:
    """Return a number per packet that all of one way of a connection share."""
    ports = decoded.src_port.astype(np.uint64) << np.uint64(16) | decoded.dst_port
    return mixed(*decoded.src.T, *decoded.dst.T, ports)


def mixed(*columns: Uint64) -> Uint64:
    """Return one number for each row of columns, (n,) uint64."""
    made = np.zeros(columns[0].size, dtype=np.uint64)
    for column in columns:
        made = (made ^ column) * _ODD
        made ^= made >> np.uint64(29)
    return made
