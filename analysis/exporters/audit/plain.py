"""Read what captures say in plain, whatever the protocol, as words and where they are.

for said in plain_words(path, judge): ...

Streams are put together, packed bodies are opened. Of what is text all words are
judged, of what is binary runs of letters among bytes that do not look random. What TLS
hides is passed over, and so are protocols that the second reader takes apart; where its
beginning was not captured, short words that it says once are there by chance.
"""

import ipaddress
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from analysis.exporters.audit.judging import Judge
from analysis.exporters.audit.records import Records
from analysis.exporters.audit.saying import End, Reader, Said, Silent
from analysis.exporters.audit.slack import is_of_names, slack
from analysis.exporters.identifiers.layers import dechunked
from analysis.exporters.identifiers.sealed import said_to_all
from analysis.exporters.identifiers.streams import Streams, Stretch
from analysis.packets.select import beacon_rows
from analysis.pcap.conversations import Conversations
from analysis.pcap.decode import TCP, UDP, Decoded, decode_batch
from analysis.pcap.network import WHOLE
from analysis.pcap.stream import open_capture_stream
from analysis.pcap.walk import Batch

Int64 = NDArray[np.int64]

_OF_FIELDS = ("quic",)  # the name that it tells is a field of identity
# DNS, NTP, NetBIOS, mDNS, LLMNR: their names are fields of identity
CLAIMED = frozenset({53, 123, 137, 5353, 5355})
_IP_TYPES = (0x0800, 0x86DD)
_ARP = 0x0806
_OVERLAP_B = 2048
_CONTROLS = bytes({*range(32), 127} - {9, 10, 13})
_MAPPED = 0xFFFF
_SYN, _ACK = 2, 16


@dataclass(frozen=True, slots=True)
class Share:
    """One of so many shares of the conversations of a capture, told by their ports.

    Nothing replaces ports: what is in a share as published was in it as recorded.
    """

    number: int = 0
    of: int = 1

    def rows(self, decoded: Decoded) -> NDArray[np.bool_]:
        """Return which packets are in it; what has no ports is in the first."""
        ports = decoded.src_port.astype(np.int64) + decoded.dst_port
        ported = (decoded.protocol == TCP) | (decoded.protocol == UDP)
        ported &= decoded.fragment == WHOLE
        own: NDArray[np.bool_] = np.where(ported, ports % self.of, 0) == self.number
        return own


ALL = Share()


def plain_words(
    path: Path,
    judge: Judge,
    opaque: Collection[str] = (),
    *,
    share: Share = ALL,
    silent: Silent | None = None,
    step: Callable[[int], None] | None = None,
) -> Iterator[Said]:
    """Yield the telling words of a capture. Raises CaptureError where it is damaged.

    opaque  ports, as 'udp/7338', behind which nobody knows the protocol: of what is
            binary there, and does not look random, runs of bytes are words, too
    share   conversations to read
    silent  messages that were read before, of another capture
    step    is told bytes of packets as they are read
    """
    streams, flows, records = Streams(_OVERLAP_B), _Flows(), Records()
    reader = Reader(judge, opaque, silent or Silent())
    with open_capture_stream(path) as capture:
        for batch in capture:
            decoded = decode_batch(batch)
            number = flows.add(batch, decoded)
            own = share.rows(decoded)
            if share.of > 1:  # what says nothing is in no stream
                said_b = np.where(own, decoded.payload_b, 0)
                decoded = replace(decoded, payload_b=said_b)
            for row, data in _messages(batch, decoded, own, opaque):
                frame = batch.first_frame + row + 1
                end = flows.of(int(number[row])) or _end_of(decoded, row)
                yield from reader.message(end, (int(number[row]), frame), data)
            for stretch in streams.add(batch, decoded):
                yield from _of_stretch(reader, flows.of(stretch.flow), stretch, records)
            if step:
                step(int(batch.captured_b.sum()))
        for stretch in streams.finish():
            yield from _of_stretch(reader, flows.of(stretch.flow), stretch, records)
        yield from reader.late()


def _of_stretch(
    reader: Reader, end: End | None, stretch: Stretch, records: Records
) -> Iterator[Said]:
    if end is None or stretch.tls:
        return
    where = (stretch.flow, stretch.frame)
    for data, encrypted in records.parts(stretch):
        read = reader.encrypted if encrypted else reader.readable
        yield from read(end, where, data)
    yield from reader.opaque(end, where, stretch.data)
    for _, body in dechunked(stretch.data):
        yield from reader.said(end, where, body)


class _Flows:
    """Between whom each conversation of a capture is."""

    def __init__(self) -> None:
        self._conversations = Conversations()
        self._ends: dict[int, End] = {}

    def add(self, batch: Batch, decoded: Decoded) -> Int64:
        """Return the conversation of each packet, -1 for none."""
        flow = self._conversations.add(batch.time_ns, decoded).flow.astype(np.int64)
        numbers, rows = np.unique(flow, return_index=True)
        for number, row in zip(numbers.tolist(), rows.tolist(), strict=True):
            if number >= 0 and number not in self._ends:
                self._ends[number] = _end_of(decoded, row)
        return flow

    def of(self, flow: int) -> End | None:
        """Return between whom a conversation is."""
        return self._ends.get(flow)


def _end_of(decoded: Decoded, row: int) -> End:
    protocol = int(decoded.protocol[row])
    macs = (int(decoded.src_mac[row]), int(decoded.dst_mac[row]))
    if not protocol:
        name = f"ethernet/{int(decoded.ethertype[row]):04x}"
        return End(macs=macs, ips=("", ""), protocol=name)
    ips = (_address(decoded.src[row]), _address(decoded.dst[row]))
    if protocol not in (TCP, UDP):
        return End(macs=macs, ips=ips, protocol=f"ip/{protocol}")
    ports = (int(decoded.src_port[row]), int(decoded.dst_port[row]))
    if protocol == UDP:
        return End(macs=macs, ips=ips, protocol="udp", port=min(ports))
    opening = int(decoded.tcp_flags[row]) & (_SYN | _ACK)
    port = {_SYN: ports[1], _SYN | _ACK: ports[0]}.get(opening, min(ports))
    return End(macs=macs, ips=ips, protocol="tcp", port=port)


def _address(halves: NDArray[np.uint64]) -> str:
    high, low = int(halves[0]), int(halves[1])
    if not high and low >> 32 == _MAPPED:
        return str(ipaddress.IPv4Address(low & 0xFFFFFFFF))
    return str(ipaddress.IPv6Address(high << 64 | low))


def _messages(
    batch: Batch, decoded: Decoded, own: NDArray[np.bool_], opaque: Collection[str]
) -> Iterator[tuple[int, bytes]]:
    """Yield (row, bytes) of all that no stream is made of, and no field of identity."""
    left = {port for port in CLAIMED if f"udp/{port}" not in opaque}
    streamed = (decoded.protocol == TCP) & (decoded.fragment == 0)
    streamed |= decoded.ethertype == _ARP
    streamed[beacon_rows(batch, decoded)] = True
    rows = np.flatnonzero(own & ~streamed)
    first = np.where(decoded.protocol > 0, decoded.payload_at, 0)
    first = np.where((decoded.protocol == 0) & (decoded.ethertype > 0), 14, first)
    at, end = (
        batch.start[rows] + first[rows],
        batch.start[rows] + batch.captured_b[rows],
    )
    is_udp = decoded.protocol[rows] == UDP
    length = np.where(is_udp, decoded.payload_b[rows], end - at).astype(np.int64)
    end = np.minimum(end, at + length)
    ports = (decoded.src_port[rows].tolist(), decoded.dst_port[rows].tolist())
    for k, row in enumerate(rows.tolist()):
        data = batch.data[at[k] : end[k]].tobytes()
        of = {ports[0][k], ports[1][k]} & left if is_udp[k] else ()
        claimed = any(is_of_names(port, data) for port in of)
        if data and not (claimed and data.translate(None, _CONTROLS) != data):
            yield row, data
    for row, _, part in said_to_all(batch, decoded):
        if own[row] and part.name not in _OF_FIELDS:
            yield row, part.inner
    yield from slack(batch, decoded, own)
