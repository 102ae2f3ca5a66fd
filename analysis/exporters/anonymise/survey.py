"""The first of two passes: where everything stands that must become something else.

Positions in TCP are those in the stream: so what was found once is also replaced where
it is sent again, and what lies across the border of two segments is found too.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.exporters.anonymise.packed import (
    XOR_PORT,
    is_packed,
    keyed_text,
    packed_bodies,
    xor_message,
    xor_stream,
)
from analysis.exporters.anonymise.patterns import LEAST_B, Change, Patterns
from analysis.exporters.anonymise.pseudonyms import Pseudonyms
from analysis.exporters.anonymise.replace import Hits, Replacer
from analysis.exporters.anonymise.scan import (
    KEYED,
    PACKED,
    State,
    find_across,
    find_in_packets,
    find_marks,
    unwrap,
)
from analysis.pcap.conversations import Conversations
from analysis.pcap.decode import TCP, UDP, Decoded, decode_layers
from analysis.pcap.walk import Batch

Bool = NDArray[np.bool_]
Int64 = NDArray[np.int64]
Uint8 = NDArray[np.uint8]

_OF_PACKETS = 1 << 40  # groups from here on are single packets
_WHOLE, _ALTERED = 0, 3
_MOST_TAIL_B = 1023
_POOL_B = 4 << 20
_MOST_WATCHED_B = 4 << 20  # of one stream
_MOST_KEPT_B = 64 << 20  # of all
_PIECE_B = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Spans:
    """What of each packet of a batch is looked at.

    begin    (n,) int64, place in the bytes of the batch
    end      (n,) int64
    group    (n,) int64, TCP stream and direction, or a number of the packet's own
    place    (n,) int64, of `begin` in the group
    segment  (n,) bool, whether it is TCP of a stream
    network, above, above_b  where layers lie, as of `decode_layers`
    """

    decoded: Decoded
    begin: Int64
    end: Int64
    group: Int64
    place: Int64
    segment: Bool
    network: Int64
    above: Int64
    above_b: Int64


class Grouper:
    """Tells streams apart, the same way in both passes."""

    def __init__(self) -> None:
        self._conversations = Conversations()
        self._last = np.full(0, -1, dtype=np.int64)

    @property
    def n_streams(self) -> int:
        """Directions of conversations, so far."""
        return 2 * len(self._conversations)

    def spans(self, batch: Batch) -> Spans:
        """Say what of the next packets is looked at."""
        decoded, network, above, above_b = decode_layers(batch)
        analysed = self._conversations.add(batch.time_ns, decoded)
        ends = batch.start + batch.captured_b
        begin = batch.start + decoded.payload_at
        whole = (decoded.fragment == _WHOLE) | (decoded.fragment == _ALTERED)
        ported = (decoded.protocol == TCP) | (decoded.protocol == UDP)
        layered = above > network
        # what has no ports is looked at from its first byte above IP, or above the link
        bare = ~ported | (decoded.fragment == 2) | (decoded.payload_at <= 0)
        begin = np.where(bare, np.where(layered, above, network), begin)
        tcp = (decoded.protocol == TCP) & whole & ~bare & (analysed.flow >= 0)
        begin = np.minimum(begin, ends)
        end = np.where(tcp, np.minimum(begin + decoded.payload_b, ends), ends)
        rows = np.arange(len(batch), dtype=np.int64) + batch.first_frame
        stream = np.where(tcp, 2 * analysed.flow + analysed.reverse, -1).astype(
            np.int64
        )
        self._make_room()
        place = np.zeros(len(batch), dtype=np.int64)
        unwrap(stream, decoded.seq, decoded.tcp_flags, self._last, place)
        return Spans(
            decoded=decoded,
            begin=begin,
            end=end,
            group=np.where(tcp, stream, _OF_PACKETS + rows),
            place=place,
            segment=tcp,
            network=network,
            above=above,
            above_b=above_b,
        )

    def _make_room(self) -> None:
        if self._last.size < self.n_streams:
            more = np.full(self.n_streams, -1, dtype=np.int64)
            self._last = np.concatenate((self._last, more))


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What the second pass writes: group, place and pattern, by group and place."""

    groups: Int64
    places: Int64
    which: Int64
    patterns: Patterns
    n_unread: int


class Survey:
    """Goes through a capture once, batch by batch."""

    def __init__(self, patterns: Patterns, pseudonyms: Pseudonyms) -> None:
        self._patterns = patterns
        self._pseudonyms = pseudonyms
        self._replacer = Replacer(patterns)
        self._grouper = Grouper()
        self._hits = Hits()
        self._borders = _Borders(patterns, self._hits)
        self._watch = _Watch()
        self._own: list[tuple[int, int, bytes, bytes]] = []

    def add(self, batch: Batch) -> None:
        """Look at the next packets."""
        spans = self._grouper.spans(batch)
        patterns, hits = self._patterns, self._hits
        if len(patterns):
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
            self._watch.add(batch, spans)

    def changes(self) -> Changes:
        """Return all changes, when the capture is read."""
        for group, place, data in self._borders.joined():
            self._across(group, place, data)
        self._unpack()
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
            n_unread=self._watch.n_unread,
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

    def _unpack(self) -> None:
        replace, filler = self._replacer.bytes, self._pseudonyms.filler
        for group, place, data, is_xor in self._watch.runs():
            if is_xor and group < _OF_PACKETS:
                found = xor_stream(data, replace)
            elif is_xor:
                found = xor_message(data, replace)
            else:
                found = packed_bodies(data, replace, filler)
            for at, before, instead in found:
                self._own.append((group, place + at, before, instead))
        for group, place, data in self._watch.loose:
            for at, before, instead in xor_message(data, replace):
                self._own.append((group, place + at, before, instead))


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


class _Watch:
    """Keeps payloads that must be unpacked to be read, up to a limit."""

    def __init__(self) -> None:
        self._kept: dict[tuple[int, bool], list[tuple[int, bytes]]] = {}
        self._sizes: dict[tuple[int, bool], int] = {}
        self._total = 0
        self._marks = np.empty((2, 1 << 14), dtype=np.int64)
        self.n_unread = 0
        # messages under XOR within one packet each: group, place, bytes
        self.loose: list[tuple[int, int, bytes]] = []

    def add(self, batch: Batch, spans: Spans) -> None:
        """Keep what belongs to streams that are watched, or begin to be."""
        decoded = spans.decoded
        xor = (decoded.src_port == XOR_PORT) | (decoded.dst_port == XOR_PORT)
        for row in np.flatnonzero(xor).tolist():
            self._keep(batch, spans, row, is_xor=True)
        packed = set()
        for row, at, kind in self._found(batch, spans):
            data = batch.data[at : spans.end[row]].tobytes()
            if kind == KEYED and not xor[row]:
                self._keep_keyed(spans, row, at, data)
            elif kind == PACKED and row not in packed:
                head = batch.data[spans.begin[row] : at].tobytes()
                if is_packed(data, head):
                    packed.add(row)
        watched = {group for group, is_xor in self._kept if not is_xor}
        begun = {int(spans.group[row]) for row in packed}
        if not watched and not begun:
            return
        wanted = np.isin(spans.group, np.array(sorted(watched | begun)))
        for row in np.flatnonzero(wanted).tolist():
            if row in packed or int(spans.group[row]) in watched:
                watched.add(int(spans.group[row]))
                self._keep(batch, spans, row, is_xor=False)

    def _found(self, batch: Batch, spans: Spans) -> Iterator[tuple[int, int, int]]:
        """Yield (row, place, kind) of where something packed may begin."""
        row, k = 0, 0
        while row < len(batch):
            where = (row, k, spans.begin, spans.end)
            row, k, n = find_marks(batch.data, where, self._marks)
            places, kinds = self._marks[0, :n], self._marks[1, :n]
            rows = np.searchsorted(batch.start, places, side="right") - 1
            yield from zip(rows.tolist(), places.tolist(), kinds.tolist(), strict=True)

    def _keep_keyed(self, spans: Spans, row: int, at: int, data: bytes) -> None:
        """Keep a message that is not at its usual port, as far as it is text."""
        text = keyed_text(data)
        if len(text) >= LEAST_B:
            place = int(spans.place[row]) + at - int(spans.begin[row])
            self.loose.append((int(spans.group[row]), place, text))

    def _keep(self, batch: Batch, spans: Spans, row: int, *, is_xor: bool) -> None:
        key = int(spans.group[row]), is_xor
        data = batch.data[spans.begin[row] : spans.end[row]].tobytes()
        size = self._sizes.get(key, 0) + len(data)
        if not data:
            return
        if size > _MOST_WATCHED_B or self._total > _MOST_KEPT_B:
            self.n_unread += 1
            return
        self._kept.setdefault(key, []).append((int(spans.place[row]), data))
        self._sizes[key] = size
        self._total += len(data)

    def runs(self) -> Iterator[tuple[int, int, bytes, bool]]:
        """Yield (group, place, bytes, whether XOR) of runs without a gap."""
        for group, is_xor in sorted(self._kept):
            for place, data in joined(self._kept[group, is_xor]):
                yield group, place, data, is_xor


def joined(pieces: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    """Put pieces of a stream together that touch or overlap; the first says what."""
    runs: list[tuple[int, bytearray]] = []
    for place, data in sorted(pieces, key=lambda piece: piece[0]):
        if runs and place <= runs[-1][0] + len(runs[-1][1]):
            first, run = runs[-1]
            run.extend(data[first + len(run) - place :])
        else:
            runs.append((place, bytearray(data)))
    return [(place, bytes(run)) for place, run in runs]


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
