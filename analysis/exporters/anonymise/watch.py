"""Keeps payloads that must be unpacked to be read, until they can be, up to a limit."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum

import numpy as np

from analysis.exporters.anonymise.heads import MOST_BODY_B, Head, Heads
from analysis.exporters.anonymise.packed import (
    XOR_PORT,
    behind_chunks,
    ends_packed,
    is_packed,
    keyed_text,
)
from analysis.exporters.anonymise.patterns import LEAST_B
from analysis.exporters.anonymise.records import Records
from analysis.exporters.anonymise.scan import KEYED, find_marks
from analysis.exporters.anonymise.spans import OF_PACKETS, Spans, joined
from analysis.pcap.walk import Batch

_MOST_B = 64 << 20  # of all; what was not added to lately goes first


class Kind(Enum):
    """How a run of bytes is packed."""

    MESSAGES = "messages"  # under XOR autokey, each with its length before it
    MESSAGE = "message"  # one such, without
    PACKED = "packed"  # holds gzip or zlib
    RECORDS = "records"  # of a handshake of TLS


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

    first    place from which on it is kept
    mark     place at which something packed begins, as the last one was found
    head     place at which a head begins that told of it; else the same
    end      place behind that, -1 for unknown
    chunked  whether chunks of HTTP may part it
    told     whether a head of HTTP told of it; then `mark` is the first byte behind
    magic    place at which something packed may begin of which no head told
    open     whether what follows belongs to it
    """

    pieces: list[tuple[int, bytes]] = field(default_factory=list)
    size_b: int = 0
    first: int = 0
    mark: int = 0
    head: int = 0
    end: int = -1
    chunked: bool = False
    told: bool = False
    magic: int = -1
    open: bool = True
    lately: bool = True


class Watch:
    """Goes along with the first pass.

    n_unread  packets that belong to something packed, and were too much to keep
    """

    def __init__(self) -> None:
        self._heads = Heads()
        self._records = Records()
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
        self._take_records(self._records.add(batch, spans))
        for head in self._heads.add(batch, spans):
            self._announced(head)
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
                self._go_on(batch, spans, row)

    def ready(self, *, last: bool = False) -> Iterator[Run]:
        """Yield, and let go, what can be read now.

        last  whether nothing follows: everything
        """
        if last:
            self._take_records(self._records.rest())
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

    def _take_records(self, found: Iterator[tuple[int, int, bytes]]) -> None:
        for group, place, data in found:
            run = Run(kind=Kind.RECORDS, group=group, place=place, data=data)
            self._single.append(run)

    def _add_single(self, group: int, place: int, data: bytes) -> None:
        run = Run(kind=Kind.MESSAGE, group=group, place=place, data=data)
        self._single.append(run)

    def _begins(self, batch: Batch, spans: Spans, row: int, at: int) -> bool:
        """Say whether something packed begins at a place, and watch it then."""
        group = int(spans.group[row])
        place = int(spans.place[row]) + at - int(spans.begin[row])
        data = batch.data[at : spans.end[row]].tobytes()
        head = batch.data[spans.begin[row] : at].tobytes()
        packed, chunked = is_packed(data, head)
        known = self._kept.get((Kind.PACKED, group))
        if packed and known and known.open and known.told and known.first <= place:
            known.magic = max(known.magic, place)  # most likely what a head told of
        elif packed:
            kept = self._opened(group, place)
            kept.head = kept.mark = place
            kept.end, kept.chunked, kept.told = -1, chunked, False
        return packed

    def _announced(self, head: Head) -> None:
        """Watch what a head of HTTP tells of, from the head on."""
        kept = self._opened(head.group, head.place)
        for place, data in head.pieces:
            self._keep(kept, place, data)
        if not kept.told or head.body >= kept.mark:
            kept.head, kept.mark, kept.end = head.place, head.body, head.end
            kept.chunked, kept.told = head.chunked, True

    def _opened(self, group: int, place: int) -> _Kept:
        """Return what is kept of a stream, from a place on if nothing was so far."""
        kept = self._kept.setdefault((Kind.PACKED, group), _Kept(open=False))
        if not kept.open:
            kept.first, kept.open = place, True
        return kept

    def _go_on(self, batch: Batch, spans: Spans, row: int) -> None:
        kept = self._kept[Kind.PACKED, int(spans.group[row])]
        place = int(spans.place[row])
        data = _payload(batch, spans, row)
        if not data or not kept.open or place + len(data) <= kept.first:
            return
        self._keep(kept, place, data)
        n = len(kept.pieces)
        if n & (n - 1) == 0:  # now and then
            self._close(kept)

    def _close(self, kept: _Kept) -> None:
        """Keep no more of what ended, unless something else began behind it."""
        end = _end_of(kept)
        if end >= 0 and kept.told and kept.magic >= end:
            kept.head = kept.mark = kept.magic
            kept.end, kept.chunked, kept.told = -1, False, False
        elif end >= 0:
            kept.open = False

    def _keep(self, kept: _Kept, place: int, data: bytes) -> None:
        if kept.size_b + len(data) > MOST_BODY_B or self._total_b > 2 * _MOST_B:
            self.n_unread += 1
            return
        kept.pieces.append((place, data))
        kept.size_b += len(data)
        kept.lately = True
        self._total_b += len(data)


def _payload(batch: Batch, spans: Spans, row: int) -> bytes:
    data: bytes = batch.data[spans.begin[row] : spans.end[row]].tobytes()
    return data


def _end_of(kept: _Kept) -> int:
    """Return a place behind what began last, once all of it is kept; else -1.

    Of gzip and zlib that is the one behind their first byte: another may begin there.
    """
    if kept.chunked and not kept.told:
        return -1
    for first, run in joined(kept.pieces):
        at = kept.mark - first
        if first > kept.head or at >= len(run):
            continue
        if kept.end >= 0:
            return kept.end if first + len(run) >= kept.end else -1
        if kept.chunked:
            behind = behind_chunks(run, at)
            return first + behind if behind >= 0 else -1
        return kept.mark + 1 if ends_packed(run[at:]) else -1
    return -1
