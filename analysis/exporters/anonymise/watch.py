"""Keeps payloads that must be unpacked to be read, until they can be, up to a limit."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum

import numpy as np

from analysis.exporters.anonymise.packed import (
    XOR_PORT,
    ends_packed,
    is_packed,
    keyed_text,
)
from analysis.exporters.anonymise.patterns import LEAST_B
from analysis.exporters.anonymise.scan import KEYED, find_marks
from analysis.exporters.anonymise.spans import OF_PACKETS, Spans, joined
from analysis.pcap.walk import Batch

_MOST_OF_ONE_B = 4 << 20  # of a stream
_MOST_B = 64 << 20  # of all; what was not added to lately goes first


class Kind(Enum):
    """How a run of bytes is packed."""

    MESSAGES = "messages"  # under XOR autokey, each with its length before it
    MESSAGE = "message"  # one such, without
    PACKED = "packed"  # holds gzip or zlib


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Bytes of a group from a place on, without a gap."""

    kind: Kind
    group: int
    place: int
    data: bytes


@dataclass(slots=True)
class _Kept:
    """What is kept of one stream or packet.

    mark     place at which something packed begins, as the last one was found
    chunked  whether chunks of HTTP may part it
    open     whether what follows belongs to it
    """

    pieces: list[tuple[int, bytes]] = field(default_factory=list)
    size_b: int = 0
    mark: int = 0
    chunked: bool = False
    open: bool = True
    lately: bool = True


class Watch:
    """Goes along with the first pass.

    n_unread  packets that belong to something packed, and were too much to keep
    """

    def __init__(self) -> None:
        self._kept: dict[tuple[Kind, int], _Kept] = {}
        self._single: list[Run] = []
        self._total_b = 0
        self._marks = np.empty((2, 1 << 14), dtype=np.int64)
        self.n_unread = 0

    def add(self, batch: Batch, spans: Spans) -> None:
        """Keep what belongs to streams that are watched, or begin to be."""
        for kept in self._kept.values():
            kept.lately = False
        decoded = spans.decoded
        xor = (decoded.src_port == XOR_PORT) | (decoded.dst_port == XOR_PORT)
        for row in np.flatnonzero(xor).tolist():
            self._take_xor(batch, spans, row)
        begun = set()
        for row, at, kind in self._found(batch, spans):
            if kind == KEYED:
                # of a stream whose start was not captured no length is known
                if not xor[row] or spans.segment[row]:
                    self._take_loose(batch, spans, row, at)
            elif row not in begun and self._begins(batch, spans, row, at):
                begun.add(row)
        groups = [
            group
            for (kind, group), kept in self._kept.items()
            if kind == Kind.PACKED and kept.open
        ]
        if groups:
            wanted = np.isin(spans.group, np.array(groups))
            for row in np.flatnonzero(wanted).tolist():
                self._go_on(batch, spans, row, begins=row in begun)

    def ready(self, *, last: bool = False) -> Iterator[Run]:
        """Yield, and let go, what can be read now.

        last  whether nothing follows: everything
        """
        yield from self._single
        self._single = []
        if not last and self._total_b <= _MOST_B:
            return
        for key in sorted(self._kept, key=lambda each: (each[1], each[0].value)):
            kept = self._kept[key]
            if last or not kept.lately:
                for place, data in joined(kept.pieces):
                    yield Run(kind=key[0], group=key[1], place=place, data=data)
                self._total_b -= kept.size_b
                del self._kept[key]

    def _found(self, batch: Batch, spans: Spans) -> Iterator[tuple[int, int, int]]:
        """Yield (row, place, kind) of where something packed may begin."""
        row, k = 0, 0
        while row < len(batch):
            where = (row, k, spans.begin, spans.end)
            row, k, n = find_marks(batch.data, where, self._marks)
            places, kinds = self._marks[0, :n], self._marks[1, :n]
            rows = np.searchsorted(batch.start, places, side="right") - 1
            yield from zip(rows.tolist(), places.tolist(), kinds.tolist(), strict=True)

    def _take_xor(self, batch: Batch, spans: Spans, row: int) -> None:
        """Keep a packet of the port at which messages are under XOR."""
        group, data = int(spans.group[row]), _payload(batch, spans, row)
        if not data:
            return
        if group >= OF_PACKETS:
            self._add_single(group, int(spans.place[row]), data)
            return
        kept = self._kept.setdefault((Kind.MESSAGES, group), _Kept())
        self._keep(kept, int(spans.place[row]), data)

    def _take_loose(self, batch: Batch, spans: Spans, row: int, at: int) -> None:
        """Take a message at another port, as far as it is text."""
        text = keyed_text(batch.data[at : spans.end[row]].tobytes())
        if len(text) >= LEAST_B:
            place = int(spans.place[row]) + at - int(spans.begin[row])
            self._add_single(int(spans.group[row]), place, text)

    def _add_single(self, group: int, place: int, data: bytes) -> None:
        run = Run(kind=Kind.MESSAGE, group=group, place=place, data=data)
        self._single.append(run)

    def _begins(self, batch: Batch, spans: Spans, row: int, at: int) -> bool:
        """Say whether something packed begins at a place, and watch it then."""
        data = batch.data[at : spans.end[row]].tobytes()
        head = batch.data[spans.begin[row] : at].tobytes()
        packed, chunked = is_packed(data, head)
        if packed:
            group = int(spans.group[row])
            kept = self._kept.setdefault((Kind.PACKED, group), _Kept())
            kept.mark = int(spans.place[row]) + at - int(spans.begin[row])
            kept.chunked, kept.open = chunked, True
        return packed

    def _go_on(self, batch: Batch, spans: Spans, row: int, *, begins: bool) -> None:
        kept = self._kept[Kind.PACKED, int(spans.group[row])]
        place = int(spans.place[row])
        data = _payload(batch, spans, row)
        early = place + len(data) <= kept.mark and not kept.pieces
        if not data or early or not (kept.open or begins):
            return
        self._keep(kept, place, data)
        n = len(kept.pieces)
        if n & (n - 1) == 0 and not kept.chunked:  # now and then
            kept.open = not any(
                ends_packed(run[kept.mark - first :])
                for first, run in joined(kept.pieces)
                if first <= kept.mark < first + len(run)
            )

    def _keep(self, kept: _Kept, place: int, data: bytes) -> None:
        if kept.size_b + len(data) > _MOST_OF_ONE_B or self._total_b > 2 * _MOST_B:
            self.n_unread += 1
            return
        kept.pieces.append((place, data))
        kept.size_b += len(data)
        kept.lately = True
        self._total_b += len(data)


def _payload(batch: Batch, spans: Spans, row: int) -> bytes:
    data: bytes = batch.data[spans.begin[row] : spans.end[row]].tobytes()
    return data
