"""Cut a few packets out of captures of any size, and write them as one small capture.

Captures are read in order, in flat memory; packets are decoded only where the window
may be, and reading ends when enough was found.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from analysis.dataset import Device
from analysis.packets.select import Selector, beacon_rows
from analysis.pcap.blocks import Interface
from analysis.pcap.decode import decode_batch
from analysis.pcap.stream import Batch, CaptureStream, open_capture_stream
from analysis.pcap.writer import open_capture

# packets of a capture can lie so much out of order; past it no more are waited for
_DISORDER_NS = 60_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class CutPacket:
    """One packet as it was captured.

    capture   name of the file, and `frame` the number of the packet in it, from 1
    length_b  bytes on the wire;  link  link type
    outbound  whether the device sent it; None where no device was asked for
    """

    capture: str
    frame: int
    time_ns: int
    length_b: int
    link: int
    outbound: bool | None
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """Packets that were cut out, in order of time.

    n_there    packets that were asked for and are there; those of a window are all
               counted, where none is given no more than are kept
    truncated  captures that end inside a packet, with the byte
    """

    packets: tuple[CutPacket, ...]
    n_there: int
    truncated: Mapping[str, int]


def cut_packets(
    captures: Sequence[Path],
    *,
    most: int,
    device: Device | None = None,
    between_ns: tuple[int, int] | None = None,
) -> Slice:
    """Cut at most `most` packets out of captures.

    device      only its packets; None those of everybody, beacons too
    between_ns  only those in [start, end); None from the beginning of the captures

    Raises CaptureError when a capture cannot be read or is damaged before the end of
    what was asked for.
    """
    selector = None if device is None else Selector(device)
    kept: list[CutPacket] = []
    truncated: dict[str, int] = {}
    n_there = 0
    for path in captures:
        if between_ns is None and n_there >= most:
            break
        with open_capture_stream(path) as stream:
            for batch in _near(stream, between_ns):
                rows, outbound = _chosen(batch, selector, between_ns)
                if between_ns is None:
                    rows = rows[: most - n_there]
                n_there += rows.size
                room = rows[: most - len(kept)]
                kept += _copied(path.name, batch, room, outbound)
                if between_ns is None and n_there >= most:
                    break
            if stream.truncated_at is not None:
                truncated[path.name] = stream.truncated_at
    kept.sort(key=lambda packet: packet.time_ns)
    return Slice(packets=tuple(kept), n_there=n_there, truncated=truncated)


def write_slice(packets: Sequence[CutPacket], path: Path) -> None:
    """Write packets as one pcapng file, with an interface for each link type."""
    links = sorted({packet.link for packet in packets})
    interfaces = [Interface(link=link) for link in links]
    with open_capture(path, interfaces=interfaces) as writer:
        for packet in packets:
            writer.packet(
                packet.time_ns,
                packet.data,
                interface=links.index(packet.link),
                length_b=packet.length_b,
            )


def _near(stream: CaptureStream, between_ns: tuple[int, int] | None) -> Iterator[Batch]:
    """Yield the batches of a capture up to where the window is surely over."""
    for batch in stream:
        times = batch.time_ns
        if between_ns is None:
            yield batch
        elif not times.size or int(times.min()) > between_ns[1] + _DISORDER_NS:
            return
        elif int(times.max()) >= between_ns[0] and int(times.min()) < between_ns[1]:
            yield batch


def _chosen(
    batch: Batch, selector: Selector | None, between_ns: tuple[int, int] | None
) -> tuple[NDArray[np.int64], NDArray[np.bool_] | None]:
    """Return the rows of a batch that are asked for, and (n,) whether each was sent."""
    inside = np.ones(batch.time_ns.size, dtype=bool)
    if between_ns is not None:
        start, end = between_ns
        inside = (batch.time_ns >= start) & (batch.time_ns < end)
    if selector is None:
        return np.flatnonzero(inside), None
    decoded = decode_batch(batch)
    mine = selector.of(decoded, beacon_rows(batch, decoded))
    outbound = np.zeros(inside.size, dtype=bool)
    outbound[mine.rows] = mine.outbound
    return mine.rows[inside[mine.rows]], outbound


def _copied(
    capture: str,
    batch: Batch,
    rows: NDArray[np.int64],
    outbound: NDArray[np.bool_] | None,
) -> Iterator[CutPacket]:
    for row in rows.tolist():
        start = int(batch.start[row])
        yield CutPacket(
            capture=capture,
            frame=batch.first_frame + row + 1,
            time_ns=int(batch.time_ns[row]),
            length_b=int(batch.length_b[row]),
            link=int(batch.link[row]),
            outbound=None if outbound is None else bool(outbound[row]),
            data=batch.data[start : start + int(batch.captured_b[row])].tobytes(),
        )
