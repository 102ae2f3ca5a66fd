"""From captures to flow records, in memory that does not grow with their length.

for records in extract(captures, [Subject(device=device)], Timeouts()): ...
"""

import ipaddress
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from analysis.dataset import Device
from analysis.flows import kernels as m
from analysis.flows.meter import NEVER_NS, Finished, Meter, joined, middle_of
from analysis.flows.reading import Address, Names, Piece, read_pieces
from analysis.flows.records import ENDS, FlowRecords
from analysis.flows.texts import Texts
from analysis.packets.select import Selector
from analysis.packets.tabulate import refuse_foreign
from analysis.pcap.stream import open_capture_stream

_TOGETHER = 16_384
_PAIRS = {
    "packets": m.PACKETS,
    "bytes": m.BYTES,
    "tcp_flags": m.FLAGS,
    "ttl": m.TTL,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """When a record ends; None for never, as conversations of tshark do.

    active_s  so long after its first packet, if another comes
    idle_s    so long after its last packet
    """

    active_s: float | None = 60.0
    idle_s: float | None = 15.0

    def __post_init__(self) -> None:
        for name, value in (("active", self.active_s), ("idle", self.idle_s)):
            if value is not None and not 0 < value < 1e9:
                raise ValueError(f"the {name} timeout must be above 0 s, got {value:g}")

    @property
    def active_ns(self) -> int:
        """Return the active timeout in ns."""
        return NEVER_NS if self.active_s is None else round(self.active_s * 1e9)

    @property
    def idle_ns(self) -> int:
        """Return the idle timeout in ns."""
        return NEVER_NS if self.idle_s is None else round(self.idle_s * 1e9)


CONVERSATIONS = Timeouts(active_s=None, idle_s=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Whose records are wanted, and what stands in their text columns.

    device  None for every connection of the capture: then whoever sends its first
            packet counts as the device, and beacons are looked at like all else
    model   of the device, its name by default
    """

    device: Device | None = None
    model: str = ""
    home: str = ""


@dataclass(slots=True)
class Extraction:
    """Records of packets that come piece by piece, of several subjects at once.

    together  so many at least are handed over together, which costs less for each;
              those of a live stream come one by one
    """

    subjects: Sequence[Subject]
    timeouts: Timeouts
    together: int = 1
    _sides: "list[_Side]" = field(init=False)
    _names: Names = field(init=False, default_factory=Names)
    _last_ns: int | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self._sides = [_Side(subject, self.timeouts) for subject in self.subjects]

    def take(self, piece: Piece) -> Iterator[FlowRecords]:
        """Take a piece of a capture; yield what is complete, by start per subject."""
        if not piece.time_ns.size:
            return
        self._names.take(piece)
        for side in self._sides:
            yield from self._made(side, side.take(piece))
        last_ns = int(piece.time_ns.max())
        self._last_ns = (
            last_ns if self._last_ns is None else max(self._last_ns, last_ns)
        )

    def begin(self, first_ns: int) -> Iterator[FlowRecords]:
        """Begin a further capture; yield what ended with the one before.

        Records go on in it when it follows on the other within the idle timeout.
        """
        last_ns = self._last_ns
        if last_ns is None:
            return
        follows = 0 <= first_ns - last_ns <= self.timeouts.idle_ns
        if not follows or self.timeouts.idle_s is None:
            yield from self.finish()

    def pass_time(self, now_ns: int) -> Iterator[FlowRecords]:
        """Yield what is complete at a time, when no packet comes."""
        for side in self._sides:
            yield from self._made(side, side.meter.pass_time(now_ns))

    def finish(self) -> Iterator[FlowRecords]:
        """Yield the records that were open when the capture ended."""
        until_ns = self._last_ns or 0
        self._last_ns = None
        for side in self._sides:
            yield from self._made(side, side.meter.finish(until_ns), least=1)

    def _made(
        self, side: "_Side", finished: Finished, least: int = 0
    ) -> Iterator[FlowRecords]:
        if len(finished):
            side.waiting.append(finished)
        if sum(map(len, side.waiting)) >= (least or self.together):
            together = joined(side.waiting)
            side.waiting = []
            yield records_of(together, side.subject, self._names)


class _Side:
    """One subject and its meter."""

    def __init__(self, subject: Subject, timeouts: Timeouts) -> None:
        self.subject = subject
        device = subject.device
        self.waiting: list[Finished] = []
        self._selector = None if device is None else Selector(device)
        self.meter = Meter(
            idle_ns=timeouts.idle_ns,
            active_ns=timeouts.active_ns,
            whole=device is None,
        )

    def take(self, piece: Piece) -> Finished:
        if self._selector is None:
            nobody = np.zeros(piece.time_ns.size, dtype=np.bool_)
            return self.meter.add(piece.packets(slice(None), nobody))
        selected = self._selector.of(piece.decoded, piece.beacons)
        if not selected.rows.size:  # time passes by the packets of others
            return self.meter.pass_time(middle_of(piece.time_ns))
        return self.meter.add(piece.packets(selected.rows, selected.outbound))


def extract(
    captures: Iterable[Path],
    subjects: Sequence[Subject] = (Subject(),),
    timeouts: Timeouts | None = None,
    *,
    file: BinaryIO | None = None,
    progress: Callable[[int], None] | None = None,
    on_end: Callable[[Path, int | None], None] | None = None,
) -> Iterator[FlowRecords]:
    """Yield the flow records of captures, in the order in which they are given.

    file      bytes of the one capture, when they are not to be read from its path
    progress  called with bytes of captures that were read since its last call
    on_end    called with each capture, and the byte at which it ends inside a packet

    Records of one subject come by start, unless the clock of a capture runs back.
    Raises CaptureError when a capture is damaged or of links that are not understood.
    """
    together = _TOGETHER if file is None else 1
    work = Extraction(subjects, timeouts or Timeouts(), together)
    for path in captures:
        seen_b, n_frames, n_foreign = 0, 0, 0
        with (
            open_capture_stream(path, file) as stream,
            closing(read_pieces(stream)) as pieces,  # type: ignore[type-var]
        ):
            for piece in pieces:
                if not n_frames and piece.time_ns.size:
                    yield from work.begin(int(piece.time_ns[0]))
                n_frames += piece.time_ns.size
                n_foreign += piece.n_foreign
                yield from work.take(piece)
                if progress is not None:
                    progress(piece.size_b - seen_b)
                    seen_b = piece.size_b
            refuse_foreign(stream, n_frames, n_foreign)
            if on_end is not None:
                on_end(path, stream.truncated_at)
    yield from work.finish()


def records_of(
    finished: Finished, subject: Subject, names: Names | None = None
) -> FlowRecords:
    """Return what a meter hands over as flow records."""
    totals, n = finished.totals, len(finished)
    ends = _ends(finished)
    device = subject.device.name if subject.device is not None else ""
    columns: dict[str, Any] = {
        "home": Texts.same(subject.home, n),
        "device": Texts.same(device, n),
        "model": Texts.same(subject.model or device, n),
        "start_ns": totals[:, m.START].copy(),
        "end_ns": totals[:, m.LAST].copy(),
        "protocol": finished.keys[:, 4].astype(np.uint8),
        "device_address": Texts.of(address_text(*device) for device, _ in ends),
        "remote_address": Texts.of(address_text(*remote) for _, remote in ends),
        "outbound": totals[:, m.OUTBOUND].astype(np.bool_),
        "payload_out_b": totals[:, m.PAYLOAD].copy(),
        "payload_in_b": totals[:, m.PAYLOAD + 1].copy(),
        "server_name": _server_names(finished, ends, names),
        "end": Texts(number=totals[:, m.END].astype(np.int32), names=ENDS),
    }
    for name, at in _PAIRS.items():
        dtype = np.uint8 if at in (m.FLAGS, m.TTL) else np.int64
        columns[f"{name}_out"] = totals[:, at].astype(dtype)
        columns[f"{name}_in"] = totals[:, at + 1].astype(dtype)
    columns |= _ports(finished) | _gaps(finished)
    return FlowRecords(**columns)


def _ends(finished: Finished) -> list[tuple[Address, Address]]:
    """Return (device, remote) of each record."""
    turned = finished.totals[:, m.SIDE, None] != 0
    low, high = finished.keys[:, 0:2], finished.keys[:, 2:4]
    device = np.where(turned, high, low).tolist()
    remote = np.where(turned, low, high).tolist()
    return [((a, b), (c, d)) for (a, b), (c, d) in zip(device, remote, strict=True)]


def _ports(finished: Finished) -> dict[str, NDArray[Any]]:
    low = (finished.keys[:, 4] >> np.uint64(32)).astype(np.uint16)
    high = (finished.keys[:, 4] >> np.uint64(16)).astype(np.uint16)
    turned = finished.totals[:, m.SIDE] != 0
    return {
        "device_port": np.where(turned, high, low),
        "remote_port": np.where(turned, low, high),
    }


def _gaps(finished: Finished) -> dict[str, NDArray[Any]]:
    totals, gaps = finished.totals, finished.gaps.copy()
    n = totals[:, m.PACKETS] + totals[:, m.PACKETS + 1] - 1
    gaps[n < 1] = np.nan
    return {
        "iat_mean_s": gaps[:, m.MEAN].copy(),
        "iat_std_s": np.sqrt(gaps[:, m.SQUARES] / np.maximum(n, 1)),
        "iat_min_s": gaps[:, m.LEAST].copy(),
        "iat_max_s": gaps[:, m.MOST].copy(),
    }


def _server_names(
    finished: Finished, ends: list[tuple[Address, Address]], names: Names | None
) -> Texts:
    if names is None:
        return Texts.same("", len(finished))
    keys = map(tuple, finished.keys.tolist())
    spans = map(tuple, finished.totals[:, [m.START, m.LAST]].tolist())
    rows = zip(keys, ends, spans, strict=True)
    return Texts.of(names.of(key, pair, span) for key, pair, span in rows)


@lru_cache(maxsize=1 << 16)
def address_text(high: int, low: int) -> str:
    """Return an address as people write it, of its two halves."""
    address = ipaddress.IPv6Address(high << 64 | low)
    return str(address.ipv4_mapped or address)
