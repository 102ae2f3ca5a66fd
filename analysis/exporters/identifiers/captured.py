"""Find identifiers in captures: in headers, in plain protocols, in what is said.

One walk over the packets, in flat memory: headers by columns, messages one by one and
each distinct one once, TCP streams put together.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from analysis.exporters.identifiers import wire
from analysis.exporters.identifiers.gathered import PACKETS, Gathered
from analysis.exporters.identifiers.layers import dechunked, unkeyed, unpacked
from analysis.exporters.identifiers.streams import Streams
from analysis.exporters.identifiers.texts import Candidate, candidates, text_runs
from analysis.pcap.blocks import LINK_IEEE802_11, LINK_RADIOTAP
from analysis.pcap.decode import UDP, Decoded, decode_batch
from analysis.pcap.names import server_name
from analysis.pcap.network import LATER
from analysis.pcap.stream import open_capture_stream
from analysis.pcap.walk import Batch

Int64 = NDArray[np.int64]

_ARP = 0x0806
_OVERLAP_B = 2048
_DEPTH = 2
_MOST_SEEN = 1 << 20
_LOOKED_B = 8  # a payload whose first bytes are all below 0x80 may be text
_MAPPED = 0xFFFF
_WORD = np.uint64(0xFFFFFFFF)
_FRAMING_B = 32  # of an enhanced packet block without options
_DNS, _DHCP, _DHCP6, _NETBIOS = (53, 5353, 5355), (67, 68), (546, 547), (137,)
_PORTS = (*_DNS, *_DHCP, *_DHCP6, *_NETBIOS, 138, 1900, 9999)
_KEYED = b"\xd0\xf2"
_PACKED = (0xD0, 0x78, 0x1F)  # with which autokey, zlib and gzip begin


def harvest_capture(path: Path, gathered: Gathered) -> None:
    """Take all that a capture tells. Raises CaptureError where it is damaged."""
    reader = _Reader(path.name, gathered)
    streams = Streams(_OVERLAP_B)
    with open_capture_stream(path) as capture:
        for batch in capture:
            decoded = decode_batch(batch)
            reader.headers(batch, decoded)
            reader.messages(batch, decoded)
            reader.blocks(batch)
            for stretch in streams.add(batch, decoded):
                reader.said(stretch.data)
        for stretch in streams.finish():
            reader.said(stretch.data)


class _Reader:
    """Reads one capture; remembers what it has seen, so as to read it once."""

    def __init__(self, source: str, gathered: Gathered) -> None:
        self._source = source
        self._gathered = gathered
        self._seen: set[int] = set()

    def headers(self, batch: Batch, decoded: Decoded) -> None:
        """Take the addresses of packets."""
        macs = np.unique(np.concatenate((decoded.src_mac, decoded.dst_mac)))
        for mac in macs.tolist():
            self._take("mac", f"{mac:012x}")
        ends = np.concatenate((decoded.src, decoded.dst))
        ends = ends[np.concatenate((decoded.protocol, decoded.protocol)) > 0]
        four = (ends[:, 0] == 0) & (ends[:, 1] >> np.uint64(32) == _MAPPED)
        low, n = np.unique(ends[four, 1] & _WORD, return_counts=True)
        for value, times in zip(low.tolist(), n.tolist(), strict=True):
            text = ".".join(str(byte) for byte in int(value).to_bytes(4))
            self._gathered.take("ipv4", text, PACKETS, times)
        whole = np.ascontiguousarray(ends[~four]).byteswap().view("V16").ravel()
        for raw in set(whole.tolist()):
            groups = [raw[at : at + 2].hex() for at in range(0, 16, 2)]
            self._take("ipv6", ":".join(groups))
        for row in np.flatnonzero(decoded.ethertype == _ARP).tolist():
            frame = _bytes_of(batch, row)
            if self._is_new(frame):
                self._arp(frame)

    def messages(self, batch: Batch, decoded: Decoded) -> None:
        """Take what datagrams of plain protocols, and those that look plain, say."""
        for row, data in _datagrams(batch, decoded):
            if self._is_new(data):
                ports = (int(decoded.src_port[row]), int(decoded.dst_port[row]))
                self._gathered.take_all(_message(data, ports), self._source)
        radio = np.isin(batch.link, (LINK_IEEE802_11, LINK_RADIOTAP))
        for row in np.flatnonzero(radio).tolist():
            frame = _bytes_of(batch, row)
            if batch.link[row] == LINK_RADIOTAP:
                frame = frame[int.from_bytes(frame[2:4], "little") :]
            if self._is_new(frame[10:22] + frame[36:72]):
                self._gathered.take_all(wire.wireless(frame), self._source)

    def blocks(self, batch: Batch) -> None:
        """Take what comments and blocks without a packet say."""
        for _, block in batch.others:
            if self._is_new(block):
                found = wire.pcapng_block(block)
                self._gathered.take_all(found, self._source)
        behind = batch.start + batch.captured_b + (-batch.captured_b & 3)
        room = batch.block + batch.block_b - 4 - behind
        for row in np.flatnonzero((room > 4) & (batch.block_b > _FRAMING_B)).tolist():
            at = int(behind[row])
            options = batch.data[at : at + int(room[row])].tobytes()
            if self._is_new(options):
                self._gathered.take_all(candidates(options), self._source)

    def said(self, data: bytes) -> None:
        """Take what one side of a connection says."""
        name = server_name(data)
        if name:
            self._take("name", name)
        self._gathered.take_all(_opened(data, _DEPTH), self._source)
        for _, body in dechunked(data):
            self._gathered.take_all(_opened(body, _DEPTH), self._source)

    def _take(self, kind: str, value: str) -> None:
        self._gathered.take(kind, value, PACKETS)

    def _arp(self, frame: bytes) -> None:
        at = frame.find(b"\x08\x00\x06\x04")  # IPv4 over six bytes of MAC
        if at >= 0 and len(frame) >= at + 26:
            for place in (at + 6, at + 16):
                self._take("mac", frame[place : place + 6].hex())
                four = frame[place + 6 : place + 10]
                self._take("ipv4", ".".join(str(byte) for byte in four))

    def _is_new(self, data: bytes) -> bool:
        key = hash(data)
        if key in self._seen:
            return False
        if len(self._seen) < _MOST_SEEN:
            self._seen.add(key)
        return True


def _datagrams(batch: Batch, decoded: Decoded) -> Iterator[tuple[int, bytes]]:
    """Yield (row, payload) of datagrams in which something may be read."""
    said = (decoded.protocol == UDP) & (decoded.payload_b > 0)
    said &= (decoded.fragment != LATER) & (decoded.payload_at < batch.captured_b)
    rows = np.flatnonzero(said)
    at = batch.start[rows] + decoded.payload_at[rows]
    end = np.minimum(
        batch.start[rows] + batch.captured_b[rows],
        at + decoded.payload_b[rows].astype(np.int64),
    )
    plain = np.isin(decoded.src_port[rows], _PORTS)
    plain |= np.isin(decoded.dst_port[rows], _PORTS)
    text = end - at >= _LOOKED_B
    for k in range(_LOOKED_B):
        text &= batch.data[np.minimum(at + k, batch.data.size - 1)] < 128
    packed = np.isin(batch.data[np.minimum(at, batch.data.size - 1)], _PACKED)
    for k in np.flatnonzero(plain | text | packed).tolist():
        yield int(rows[k]), batch.data[at[k] : end[k]].tobytes()


def _message(data: bytes, ports: tuple[int, int]) -> Iterator[Candidate]:
    for known, reader in (
        (_DNS, wire.dns),
        (_DHCP, wire.dhcp),
        (_DHCP6, wire.dhcp6),
        (_NETBIOS, wire.netbios),
    ):
        if ports[0] in known or ports[1] in known:
            yield from reader(data)
            return
    if data[:2] == _KEYED:
        data = unkeyed(data)
    yield from _opened(data, _DEPTH)


def _opened(data: bytes, depth: int) -> Iterator[Candidate]:
    """Yield what bytes say, and what is packed in them."""
    text = text_runs(data)
    if text:
        yield from candidates(text)
    if depth:
        for _, _, inner in unpacked(data):
            yield from _opened(inner, depth - 1)


def _bytes_of(batch: Batch, row: int) -> bytes:
    at = int(batch.start[row])
    return batch.data[at : at + int(batch.captured_b[row])].tobytes()
