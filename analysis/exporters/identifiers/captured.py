"""Find identifiers in captures: in headers, in plain protocols, in what is said.

One walk over the packets, in flat memory: headers by columns, messages one by one and
each distinct one once, TCP streams put together.
"""

from collections.abc import Callable, Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from analysis.exporters.identifiers import air, frames, tunnels, wire
from analysis.exporters.identifiers.gathered import PACKETS, Gathered
from analysis.exporters.identifiers.hidden import in_bytes
from analysis.exporters.identifiers.sealed import may_be_sealed
from analysis.exporters.identifiers.speech import PORTS, of_message, of_stretch
from analysis.exporters.identifiers.streams import Streams
from analysis.exporters.identifiers.texts import candidates
from analysis.pcap.blocks import (
    LINK_ETHERNET,
    LINK_IEEE802_11,
    LINK_RADIOTAP,
    LINK_SLL,
    LINK_SLL2,
)
from analysis.pcap.decode import UDP, Decoded, decode_batch
from analysis.pcap.network import LATER
from analysis.pcap.stream import open_capture_stream
from analysis.pcap.walk import Batch

Int64 = NDArray[np.int64]

_ARP = 0x0806
_OTHERWISE = (_ARP, 0x0800, 0x86DD)  # is read as ARP and IP
_HEAD_B, _MAC_B = 14, 6  # of Ethernet
_OVERLAP_B = 2048
_MOST_SEEN = 1 << 20
_LOOKED_B = 8  # a payload whose first bytes are all below 0x80 may be text
_SHORT_B, _SOME_HIGH = 128, 3  # a short one may hold numbers there
_MAPPED = 0xFFFF
_WORD = np.uint64(0xFFFFFFFF)
_FRAMING_B = 32  # of an enhanced packet block without options
_ICMP, _ICMP6 = 1, 58
_FLAGS_AT = 40  # of a MAC as a number: group, set locally
_MOST_MAKERS, _MOST_OF_HOST = 64, 2
_READ = {53, 5353, 5355, 67, 68, 546, 547, 137}  # all of which is read as it is meant
_COOKIE = (0x21, 0x12, 0xA4, 0x42)  # of STUN
_PACKED = (0xD0, 0x78, 0x1F)  # with which autokey, zlib and gzip begin


def harvest_capture(
    path: Path, gathered: Gathered, progress: Callable[[int], None] | None = None
) -> None:
    """Take all that a capture tells. Raises CaptureError where it is damaged.

    progress  is called with bytes that were read since its last call
    """
    reader = _Reader(path.name, gathered)
    streams, seen_b = Streams(_OVERLAP_B), 0
    with open_capture_stream(path) as capture:
        for batch in capture:
            decoded = decode_batch(batch)
            reader.headers(batch, decoded)
            reader.messages(batch, decoded)
            reader.blocks(batch)
            reader.below(batch, decoded)
            reader.within(batch, decoded)
            for stretch in streams.add(batch, decoded):
                gathered.take_all(of_stretch(stretch), path.name)
            if progress is not None:
                progress(capture.size_b - seen_b)
                seen_b = capture.size_b
        for stretch in streams.finish():
            gathered.take_all(of_stretch(stretch), path.name)
    reader.finish()


class _Reader:
    """Reads one capture; remembers what it has seen, so as to read it once."""

    def __init__(self, source: str, gathered: Gathered) -> None:
        self._source = source
        self._gathered = gathered
        self._seen: set[int] = set()
        self._makers: set[bytes] = set()
        self._homes: dict[int, set[int]] = {}

    def headers(self, batch: Batch, decoded: Decoded) -> None:
        """Take the addresses of packets."""
        macs = np.unique(np.concatenate((decoded.src_mac, decoded.dst_mac)))
        for mac in macs.tolist():
            self._take("mac", f"{mac:012x}")
            if not mac >> _FLAGS_AT & 3 and len(self._makers) < _MOST_MAKERS:
                self._makers.add((mac >> 24).to_bytes(3))
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
        self._public_networks(decoded)
        for row in np.flatnonzero(decoded.ethertype == _ARP).tolist():
            frame = _bytes_of(batch, row)
            if self._is_new(frame):
                self._arp(frame)

    def messages(self, batch: Batch, decoded: Decoded) -> None:
        """Take what datagrams of plain protocols, and those that look plain, say."""
        for row, data in _datagrams(batch, decoded):
            if self._is_new(data):
                ports = (int(decoded.src_port[row]), int(decoded.dst_port[row]))
                self._gathered.take_all(of_message(data, ports), self._source)
                if not set(ports) & _READ:
                    found = in_bytes(data, _networks(decoded, row), self._makers)
                    self._gathered.take_all(found, self._source)

    def within(self, batch: Batch, decoded: Decoded) -> None:
        """Take addresses of headers inside tunnels, and what datagrams there say."""
        for row in np.flatnonzero(tunnels.may_be(decoded)).tolist():
            frame = _bytes_of(batch, row)
            protocol = int(decoded.protocol[row])
            data = frame[int(decoded.payload_at[row]) - 8 * (protocol == UDP) :]
            ports = (int(decoded.src_port[row]), int(decoded.dst_port[row]))
            found = tunnels.inside(data, protocol, ports)
            for place, size, turned in found.fields:
                raw = data[place : place + size]
                if turned:
                    raw = bytes(byte ^ 0xFF for byte in raw)
                if size == _MAC_B:
                    self._take("mac", raw.hex())
                else:
                    kind = "own" if turned else f"ipv{4 if size == 4 else 6}"
                    self._take(kind, str(ip_address(raw)))
            for said, inner in tunnels.messages(data, found):
                if self._is_new(said):
                    self._gathered.take_all(of_message(said, inner), self._source)

    def below(self, batch: Batch, decoded: Decoded) -> None:
        """Take what frames without IP, ICMP and 802.11 say."""
        bare = (decoded.protocol == 0) & ~np.isin(decoded.ethertype, _OTHERWISE)
        bare &= np.isin(batch.link, (LINK_ETHERNET, LINK_SLL, LINK_SLL2))
        for row in np.flatnonzero(bare).tolist():
            frame = _as_ethernet(_bytes_of(batch, row), int(batch.link[row]))
            if self._is_new(frame):
                self._gathered.take_all(frames.of_frame(frame), self._source)
                found = in_bytes(frame[_HEAD_B:], (), self._makers)
                self._gathered.take_all(found, self._source)
        for number, reader in ((_ICMP, frames.icmp), (_ICMP6, frames.icmp6)):
            told = (decoded.protocol == number) & (decoded.payload_b >= _LOOKED_B)
            for row in np.flatnonzero(told).tolist():
                data = _bytes_of(batch, row)[int(decoded.payload_at[row]) :]
                if self._is_new(data[8:]):
                    self._gathered.take_all(reader(data), self._source)
        radio = np.isin(batch.link, (LINK_IEEE802_11, LINK_RADIOTAP))
        other = (decoded.ethertype > 0) & ~np.isin(decoded.ethertype, _OTHERWISE)
        for row in np.flatnonzero(radio).tolist():
            frame = _bytes_of(batch, row)
            if batch.link[row] == LINK_RADIOTAP:
                frame = frame[int.from_bytes(frame[2:4], "little") :]
            if self._is_new(frame[10:22] + frame[36:72] + len(frame).to_bytes(4)):
                self._gathered.take_all(air.wireless(frame), self._source)
            if other[row] and self._is_new(frame[24:]):
                self._gathered.take_all(frames.of_frame(frame), self._source)

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

    def finish(self) -> None:
        """Take the IPv6 networks of hosts that were captured.

        A machine whose packets come from one or two of them is at home in these; a
        router hands on packets from many.
        """
        for networks in self._homes.values():
            if len(networks) <= _MOST_OF_HOST:
                for high in networks:
                    text = str(IPv6Address(high << 64))
                    self._gathered.take("network", f"{text}/64", PACKETS)

    def _public_networks(self, decoded: Decoded) -> None:
        high = decoded.src[:, 0]
        rows = np.flatnonzero((high >> np.uint64(61) == 1) & (decoded.src_mac > 0))
        if not rows.size:
            return
        pairs = np.stack((decoded.src_mac[rows], high[rows]), axis=1)
        for mac, network in np.unique(pairs, axis=0).tolist():
            known = self._homes.setdefault(mac, set())
            if len(known) <= _MOST_OF_HOST:
                known.add(network)

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
    plain = np.isin(decoded.src_port[rows], PORTS)
    plain |= np.isin(decoded.dst_port[rows], PORTS)
    high = np.zeros(rows.size, dtype=np.int64)
    for k in range(_LOOKED_B):
        high += batch.data[np.minimum(at + k, batch.data.size - 1)] > 127
    text = (end - at >= _LOOKED_B) & (high == 0)
    text |= (end - at >= _LOOKED_B) & (end - at <= _SHORT_B) & (high <= _SOME_HIGH)
    asked = end - at >= 20
    for k, byte in enumerate(_COOKIE):
        asked &= batch.data[np.minimum(at + 4 + k, batch.data.size - 1)] == byte
    packed = np.isin(batch.data[np.minimum(at, batch.data.size - 1)], _PACKED)
    sealed = may_be_sealed(batch.data, at, end)
    for k in np.flatnonzero(plain | text | packed | asked | sealed).tolist():
        yield int(rows[k]), batch.data[at[k] : end[k]].tobytes()


def _networks(decoded: Decoded, row: int) -> set[bytes]:
    """Return three bytes each of the private networks that a packet goes between."""
    found = set()
    for ends in (decoded.src, decoded.dst):
        low = int(ends[row, 1])
        address = IPv4Address(low & 0xFFFFFFFF)
        if int(ends[row, 0]) == 0 and low >> 32 == _MAPPED and address.is_private:
            found.add(address.packed[:3])
    return found


def _as_ethernet(frame: bytes, link: int) -> bytes:
    """Return a frame with the head of Ethernet, where it was cooked by Linux."""
    if link == LINK_SLL:
        return bytes(12) + (frame[16:] if frame[14:15] == b"\0" else frame[14:])
    if link == LINK_SLL2:
        kind = b"" if frame[:1] == b"\0" else frame[:2]
        return bytes(12) + kind + frame[20:]
    return frame


def _bytes_of(batch: Batch, row: int) -> bytes:
    at = int(batch.start[row])
    return batch.data[at : at + int(batch.captured_b[row])].tobytes()
