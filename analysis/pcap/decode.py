"""Look into packets: addresses, ports, TCP fields and errors, as columns.

The layers are decoded one after the other, each by one kernel over all packets of a
batch. A packet that is cut short or malformed keeps what could be read and gets an
error bit. Equal to tshark's fields of the outermost headers, with defragmentation off.
"""

from dataclasses import dataclass, fields
from enum import IntFlag

import numpy as np
from numpy.typing import NDArray

from analysis.pcap.link import DECODED, decode_links
from analysis.pcap.network import IP_CHECKSUM, MALFORMED, decode_networks
from analysis.pcap.reader import Frames
from analysis.pcap.transport import CHECKSUM, TCP, UDP, decode_transports
from analysis.pcap.walk import Batch

__all__ = ["DECODED", "TCP", "UDP", "Decoded", "Error", "decode_batch", "decode_frames"]

Int64 = NDArray[np.int64]
_CUT = 4


class Error(IntFlag):
    """What is wrong with a packet, as bits."""

    IP_CHECKSUM = IP_CHECKSUM  # the IPv4 header does not add up
    CHECKSUM = CHECKSUM  # TCP or UDP does not add up (only looked at where complete)
    CUT = _CUT  # fewer bytes were captured than were on the wire
    MALFORMED = MALFORMED  # a length or version inside contradicts another


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
    payload_at  (n,) int32, where these begin within the packet
    tcp_flags   (n,) uint8, low eight flags
    window      (n,) uint16, TCP window as sent, not scaled
    seq         (n,) uint32, TCP sequence number
    ack         (n,) uint32, TCP acknowledgement number
    fragment    (n,) uint8, of an IP packet: 0 whole, 1 first fragment, 2 later one, 3
                whole but with a routing header
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
    payload_at: NDArray[np.int32]
    tcp_flags: NDArray[np.uint8]
    window: NDArray[np.uint16]
    seq: NDArray[np.uint32]
    ack: NDArray[np.uint32]
    fragment: NDArray[np.uint8]
    error: NDArray[np.uint8]

    def __len__(self) -> int:
        return self.protocol.size

    @classmethod
    def zeros(cls, n: int) -> "Decoded":
        """Return n packets of which nothing is known."""
        return cls(
            ethertype=np.zeros(n, dtype=np.uint16),
            src_mac=np.zeros(n, dtype=np.uint64),
            dst_mac=np.zeros(n, dtype=np.uint64),
            src=np.zeros((n, 2), dtype=np.uint64),
            dst=np.zeros((n, 2), dtype=np.uint64),
            protocol=np.zeros(n, dtype=np.uint8),
            src_port=np.zeros(n, dtype=np.uint16),
            dst_port=np.zeros(n, dtype=np.uint16),
            payload_b=np.zeros(n, dtype=np.uint32),
            payload_at=np.zeros(n, dtype=np.int32),
            tcp_flags=np.zeros(n, dtype=np.uint8),
            window=np.zeros(n, dtype=np.uint16),
            seq=np.zeros(n, dtype=np.uint32),
            ack=np.zeros(n, dtype=np.uint32),
            fragment=np.zeros(n, dtype=np.uint8),
            error=np.zeros(n, dtype=np.uint8),
        )

    def take(self, rows: Int64 | slice) -> "Decoded":
        """Return the chosen packets; those of a slice are not copied."""
        columns = {f.name: getattr(self, f.name)[rows] for f in fields(self)}
        return Decoded(**columns)


def decode_batch(batch: Batch, into: Decoded | None = None) -> Decoded:
    """Decode the packets of a batch; nothing of the result refers to its bytes.

    into  as many packets of which nothing is known yet, to be filled
    """
    places = _Places(
        data=batch.data,
        start=batch.start,
        captured_b=batch.captured_b,
        length_b=batch.length_b,
        link=batch.link,
    )
    return _decode(places, Decoded.zeros(len(batch)) if into is None else into)


def decode_layers(batch: Batch) -> tuple[Decoded, Int64, Int64, Int64]:
    """Decode a batch, and say where its layers lie.

    Returns what `decode_batch` does, and (n,) int64 each: where the network layer
    begins in the bytes of the batch; where that above IP does, the same place where
    there is none; and bytes from there on.
    """
    places = _Places(
        data=batch.data,
        start=batch.start,
        captured_b=batch.captured_b,
        length_b=batch.length_b,
        link=batch.link,
    )
    out = Decoded.zeros(len(batch))
    return out, *_decode_layers(places, out)


def decode_frames(frames: Frames) -> Decoded:
    """Decode every packet of a capture that is in memory."""
    places = _Places(
        data=frames.bytes_view,
        start=frames.offset,
        captured_b=frames.captured_b,
        length_b=frames.length_b,
        link=frames.link,
    )
    return _decode(places, Decoded.zeros(len(frames)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Places:
    """Where packets lie in bytes; see `Batch`."""

    data: NDArray[np.uint8]
    start: Int64
    captured_b: Int64
    length_b: Int64
    link: NDArray[np.int32]


def _decode(p: _Places, out: Decoded) -> Decoded:
    _decode_layers(p, out)
    return out


def _decode_layers(p: _Places, out: Decoded) -> tuple[Int64, Int64, Int64]:
    n = p.start.size
    out.error[p.captured_b < p.length_b] = _CUT
    network = np.empty(n, dtype=np.int64)
    packets = (p.start, p.captured_b, p.link)
    macs = (out.src_mac, out.dst_mac)
    decode_links(p.data, packets, out.ethertype, macs, network)
    above = (
        out.protocol,
        np.empty(n, dtype=np.int64),
        np.empty(n, dtype=np.int64),
        out.fragment,
    )
    decode_networks(
        p.data,
        (p.start, p.captured_b, p.length_b, out.ethertype, network),
        (out.src, out.dst),
        above,
        out.error,
    )
    decode_transports(
        p.data,
        (p.start, p.captured_b, out.ethertype, network),
        above,
        (out.payload_b, out.payload_at),
        (out.src_port, out.dst_port, out.window, out.tcp_flags, out.seq, out.ack),
        out.error,
    )
    return network, above[1], above[2]
