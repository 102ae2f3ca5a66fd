"""All messages in plain text of some captures, each once.

for message in heard([Path("wlan2.4.pcap"), Path("wlan5.0.pcap")]):
    print(message.time_ns, message.source, message.target, message.text)
"""

import ipaddress
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from analysis.dataset import Device
from analysis.packets.select import Selector, beacon_rows
from analysis.payload.copies import Segment
from analysis.payload.routers import seen_through
from analysis.payload.turns import may_hold_text, texts_in, turns_of
from analysis.pcap.decode import TCP, UDP, Decoded, decode_batch
from analysis.pcap.stream import Batch, open_capture_stream

_UDP_HEAD_B, _IP_HEAD_B = 8, 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """One message that one side sent to another.

    time_ns         of its first packet, where that was seen first
    source, target  address and port
    protocol        'tcp' or 'udp'
    outbound        whether the device sent it; None where no device was asked for
    text            decoded, nothing masked
    captures        names of the captures in which it is, sorted
    copies          packets that carried it or a part of it, in all captures
    """

    time_ns: int
    source: str
    target: str
    protocol: str
    outbound: bool | None
    text: str
    captures: tuple[str, ...]
    copies: int


def heard(
    captures: Sequence[Path], *, device: Device | None = None
) -> tuple[Heard, ...]:
    """Return what is said in plain text in captures, in order of time.

    Packets that were captured twice or sent again count once, also on both sides of a
    router that rewrites addresses: then by the inner ones. What encrypted flows hold
    is not kept, so that memory grows with the text alone.

    device  only what it says or is told; None everybody

    Raises CaptureError when a capture cannot be read or is damaged.
    """
    selector = None if device is None else Selector(device)
    segments = (s for path in captures for s in _segments(path, selector))
    turns = turns_of(seen_through(segments))
    found = [said for turn in turns for said in _said(turn)]
    return tuple(sorted(found, key=lambda each: each.time_ns))


def _segments(path: Path, selector: Selector | None) -> Iterator[Segment]:
    """Yield the segments of a capture that may hold text."""
    with open_capture_stream(path) as stream:
        for batch in stream:
            decoded = decode_batch(batch)
            speaks = np.isin(decoded.protocol, (TCP, UDP)) & (decoded.payload_b > 0)
            sent: dict[int, bool] = {}
            if selector is not None:
                mine = selector.of(decoded, beacon_rows(batch, decoded))
                sent = dict(
                    zip(mine.rows.tolist(), mine.outbound.tolist(), strict=True)
                )
            for row in np.flatnonzero(speaks).tolist():
                if selector is not None and row not in sent:
                    continue
                segment = _segment(batch, decoded, row)
                if segment is not None:
                    segment.outbound = sent.get(row)
                    segment.captures.add(path.name)
                    yield segment


def _segment(batch: Batch, decoded: Decoded, row: int) -> Segment | None:
    start = int(batch.start[row])
    at = start + int(decoded.payload_at[row])
    end = min(at + int(decoded.payload_b[row]), start + int(batch.captured_b[row]))
    payload = batch.data[at:end].tobytes()
    ports = int(decoded.src_port[row]), int(decoded.dst_port[row])
    if not payload or not may_hold_text(payload, ports):
        return None
    tcp = int(decoded.protocol[row]) == TCP
    source = (_address(decoded.src[row].tolist()), ports[0])
    target = (_address(decoded.dst[row].tolist()), ports[1])
    return Segment(
        flow=(tcp, *sorted((source, target))),
        source=source,
        target=target,
        seq=int(decoded.seq[row]) if tcp else None,
        number=0 if tcp else _number(batch.data[start:at].tobytes()),
        time_ns=int(batch.time_ns[row]),
        outbound=None,
        payload=payload,
    )


def _number(head: bytes) -> int:
    """Return the number of an IPv4 packet from the bytes before the UDP payload."""
    at = len(head) - _UDP_HEAD_B - _IP_HEAD_B
    if at < 0 or head[at] != 0x45:  # IPv6, or a header with options
        return 0
    return int.from_bytes(head[at + 4 : at + 6], "big")


def _address(halves: list[int]) -> str:
    high, low = halves
    if not high and low >> 32 == 0xFFFF:
        return str(ipaddress.IPv4Address(low & 0xFFFFFFFF))
    return f"[{ipaddress.IPv6Address(high << 64 | low)}]"


def _said(turn: list[Segment]) -> Iterator[Heard]:
    first = turn[0]
    for text in texts_in(turn):
        yield Heard(
            time_ns=min(segment.time_ns for segment in turn),
            source=":".join(map(str, first.source)),
            target=":".join(map(str, first.target)),
            protocol="udp" if first.seq is None else "tcp",
            outbound=first.outbound,
            text=text,
            captures=tuple(sorted(set().union(*(s.captures for s in turn)))),
            copies=sum(segment.copies for segment in turn),
        )
