"""The first of two passes: where everything stands that must become something else.

Positions in TCP are those in the stream: so what was found once is also replaced where
it is sent again, and what lies across the border of two segments is found too.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.exporters.anonymise.layered import Layered
from analysis.exporters.anonymise.packed import (
    packed_bodies,
    xor_message,
    xor_stream,
)
from analysis.exporters.anonymise.patterns import Change, Patterns
from analysis.exporters.anonymise.pseudonyms import Pseudonyms
from analysis.exporters.anonymise.records import across_records
from analysis.exporters.anonymise.replace import Hits, Replacer
from analysis.exporters.anonymise.scan import State, find_across, find_in_packets
from analysis.exporters.anonymise.spans import Grouper, Spans, joined
from analysis.exporters.anonymise.watch import Kind, Run, Watch
from analysis.exporters.identifiers.rewriting import rewritten
from analysis.pcap.walk import Batch

Int64 = NDArray[np.int64]
Uint8 = NDArray[np.uint8]

_LATER = 2
_MOST_TAIL_B = 4095
_POOL_B = 4 << 20
_PIECE_B = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What the second pass writes: group, place and pattern, by group and place.

    later  groups of later IP fragments among them
    met    rows of identifiers in what is packed
    """

    groups: Int64
    places: Int64
    which: Int64
    patterns: Patterns
    later: Int64
    n_unread: int
    met: frozenset[int]


class Survey:
    """Goes through a capture once, batch by batch.

    also  what else changes in packed payloads, before identifiers do; as long as before
    """

    def __init__(
        self,
        patterns: Patterns,
        pseudonyms: Pseudonyms,
        also: Callable[[bytes], bytes] | None = None,
    ) -> None:
        self._also = also
        self._later: list[Int64] = [np.zeros(0, dtype=np.int64)]
        self._patterns = patterns
        self._pseudonyms = pseudonyms
        self._replacer = Replacer(patterns)
        self._layered = Layered(self._replacer.bytes)
        self._grouper = Grouper()
        self._hits = Hits()
        self._borders = _Borders(patterns, self._hits)
        self._watch = Watch()
        self._own: list[tuple[int, int, bytes, bytes]] = []

    def add(self, batch: Batch) -> None:
        """Look at the next packets."""
        spans = self._grouper.spans(batch)
        self._later.append(spans.group[spans.decoded.fragment == _LATER])
        patterns, hits = self._patterns, self._hits
        if len(patterns) or self._also is not None:
            row = 0
            while row < len(batch):
                where = (row, spans.begin, spans.end, spans.group, spans.place)
                reached = find_in_packets(
                    batch.data, where, patterns.finders, patterns.tables, hits.room
                )
                if reached < len(batch):
                    hits.empty(grow=reached == row)
                row = reached
            self._borders.add(batch, spans, self._grouper.n_streams)
            self._own += self._layered.add(batch, spans)
            self._watch.add(batch, spans)
            for each in self._watch.ready():
                self._unpack(each)

    def changes(self) -> Changes:
        """Return all changes, when the capture is read."""
        for group, place, data in self._borders.joined():
            self._across(group, place, data)
        for run in self._watch.ready(last=True):
            self._unpack(run)
        own = _pieces(self._own)
        patterns = _with_own(self._patterns, own)
        for number, (group, place, _before, _instead) in enumerate(own):
            self._hits.add(group, place, len(self._patterns) + number)
        groups, places, which = self._hits.settled(patterns.size)
        return Changes(
            groups=groups,
            places=places,
            which=which,
            patterns=patterns,
            later=np.concatenate(self._later),
            n_unread=self._watch.n_unread,
            met=frozenset(self._replacer.met),
        )

    def _across(self, group: int, place: int, data: bytes) -> None:
        """Look at bytes of a stream that were put together."""
        b = np.frombuffer(data, dtype=np.uint8)
        zero, end = np.zeros(1, dtype=np.int64), np.array([b.size], dtype=np.int64)
        groups, places = np.array([group]), np.array([place])
        where = (0, zero, end, groups.astype(np.int64), places.astype(np.int64))
        patterns, hits = self._patterns, self._hits
        hits.empty(grow=False)
        while (
            find_in_packets(b, where, patterns.finders, patterns.tables, hits.room) < 1
        ):
            hits.empty(grow=True)

    def _unpack(self, run: Run) -> None:
        """Look into bytes that are packed, and note what has to change."""
        replace = self._replaced
        if run.kind == Kind.MESSAGES:
            found = xor_stream(run.data, replace)
        elif run.kind == Kind.MESSAGE:
            found = xor_message(run.data, replace)
        elif run.kind == Kind.RECORDS:
            found = across_records(run.data, self._replacer.bytes)
        else:
            found = packed_bodies(run.data, replace, self._pseudonyms.filler)
        for at, before, instead in found:
            self._own.append((run.group, run.place + at, before, instead))

    def _replaced(self, data: bytes) -> bytes:
        """Return what packed bytes become, once they are unpacked."""
        if self._also is not None:
            data = self._also(data)
        return rewritten(data, replace=self._replacer.bytes)


class _Borders:
    """Looks across the borders of TCP segments."""

    def __init__(self, patterns: Patterns, hits: Hits) -> None:
        self._patterns = patterns
        self._hits = hits
        self._most = min(max(patterns.longest_b - 1, 1), _MOST_TAIL_B)
        self._slot = np.full(0, -1, dtype=np.int64)
        self._n = 0
        none = np.zeros(0, dtype=np.int64)
        tails = np.zeros((0, self._most), dtype=np.uint8)
        self._state: State = (none, none, tails, none, np.zeros(0, dtype=np.uint8))
        self._size(1024)
        self._notes: dict[int, list[tuple[int, bytes]]] = defaultdict(list)
        self._pool = np.empty(_POOL_B, dtype=np.uint8)
        self._rows = np.empty(3 * (_POOL_B >> 6), dtype=np.int64)
        self._used = np.zeros(2, dtype=np.int64)

    def _size(self, size: int) -> None:
        old = self._state
        following = np.full(size, -1, dtype=np.int64)
        kept, missing = np.zeros(size, dtype=np.int64), np.zeros(size, dtype=np.int64)
        # zeros of the system: what nothing is written to takes no memory
        tail = np.zeros((size, self._most), dtype=np.uint8)
        n, gap = old[0].size, np.zeros(size, dtype=np.uint8)
        gap[:n] = old[4]
        following[:n], kept[:n], missing[:n] = old[0], old[1], old[3]
        tail[:n] = old[2]
        self._state = (following, kept, tail, missing, gap)

    def add(self, batch: Batch, spans: Spans, n_streams: int) -> None:
        """Look at the segments of a batch."""
        rows = np.flatnonzero(spans.segment & (spans.end > spans.begin))
        if not rows.size:
            return
        if self._slot.size < n_streams:
            more = np.full(n_streams, -1, dtype=np.int64)
            self._slot = np.concatenate((self._slot, more))
        stream = spans.group[rows]
        new = np.unique(stream[self._slot[stream] < 0])
        self._slot[new] = np.arange(self._n, self._n + new.size)
        self._n += new.size
        if self._n > len(self._state[0]):
            self._size(2 * self._n)
        begin, end = spans.begin[rows], spans.end[rows]
        columns = (self._slot[stream], stream, spans.place[rows], begin, end)
        patterns, row = self._patterns, 0
        while row < rows.size:
            reached = find_across(
                batch.data,
                (row, *columns),
                self._state,
                patterns.finders,
                patterns.tables,
                (*self._hits.room, self._pool, self._rows, self._used),
            )
            if reached < rows.size:
                self._hits.empty(grow=reached == row)
                self._take()
            row = reached

    def _take(self) -> None:
        """Take the notes of the kernel over."""
        at = 0
        for stream, place, size in self._rows[: 3 * self._used[1]].reshape(-1, 3):
            data = self._pool[at : at + size].tobytes()
            self._notes[int(stream)].append((int(place), data))
            at += int(size)
        self._used[:] = 0

    def joined(self) -> Iterator[tuple[int, int, bytes]]:
        """Yield (stream, place, bytes) of what came out of order, put together."""
        self._take()
        for stream in sorted(self._notes):
            for place, data in joined(self._notes[stream]):
                yield stream, place, data


def _pieces(
    own: list[tuple[int, int, bytes, bytes]],
) -> list[tuple[int, int, bytes, bytes]]:
    """Cut long changes, so that a packet need not look far back."""
    return [
        (group, place + at, before[at : at + _PIECE_B], instead[at : at + _PIECE_B])
        for group, place, before, instead in own
        for at in range(0, len(before), _PIECE_B)
    ]


def _with_own(patterns: Patterns, own: list[tuple[int, int, bytes, bytes]]) -> Patterns:
    """Add changes to the patterns that are known by their place alone."""
    if not own:
        return patterns
    more = [
        Change(pattern=before, instead=instead, fold=False, edges=0, kind="packed")
        for _group, _place, before, instead in own
    ]
    return patterns.with_more(more)
