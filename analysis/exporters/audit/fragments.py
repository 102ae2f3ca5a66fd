"""Put IP datagrams together that were captured in fragments.

Nothing of this is shared with what changes fragments, lest both overlook the same.
Where fragments overlap and differ, receivers take the older bytes or the newer ones:
both are read.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from analysis.exporters.audit.known import Layers

MOST = 1024  # datagrams that are kept
_MOST_B = 1 << 24  # of these; each is held up to five times
_FIRST, _LATER = 1, 2
_IPV4, _IPV6, _FRAGMENT, _AUTHENTICATION = 0x0800, 0x86DD, 44, 51
_EXTENSIONS = (0, 43, 60, 135, 139, 140)
_UNIT_B = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A fragment: whose it is, its place in the datagram, bytes that were captured.

    size_b  bytes that were sent
    last    whether none follows
    """

    whose: bytes
    at: int
    data: bytes
    size_b: int
    last: bool


@dataclass(slots=True)
class _Bytes:
    """A datagram as far as it is there; zeros where it is not."""

    data: bytearray = field(default_factory=bytearray)
    there: bytearray = field(default_factory=bytearray)  # of each unit, 1 or 0
    end: int = 0

    def put(self, piece: Piece, *, over: bool) -> None:
        """Take a fragment, over what is there or below."""
        behind = piece.at + len(piece.data)
        units = (piece.at + piece.size_b + _UNIT_B - 1) // _UNIT_B
        self.there += bytes(max(0, units - len(self.there)))
        self.data += bytes(max(0, units * _UNIT_B - len(self.data)))
        old, new = bytes(self.data[piece.at : behind]), bytearray(piece.data)
        begin = piece.at // _UNIT_B
        for at in () if over else range(0, len(new), _UNIT_B):
            if self.there[begin + at // _UNIT_B]:
                new[at : at + _UNIT_B] = old[at : at + _UNIT_B]
        self.data[piece.at : behind] = new
        whole = len(new) // _UNIT_B
        if piece.last:
            self.end = units
            whole = units - begin if len(new) == piece.size_b else whole
        self.there[begin : begin + whole] = b"\1" * whole

    @property
    def is_whole(self) -> bool:
        """Whether all fragments are there."""
        return self.end > 0 and 0 not in self.there[: self.end]


@dataclass(slots=True)
class _Datagram:
    frame: int
    older: _Bytes = field(default_factory=_Bytes)
    newer: _Bytes = field(default_factory=_Bytes)
    told: set[bytes] = field(default_factory=set)
    waiting: bool = False  # whether there is something that was not told

    def add(self, piece: Piece) -> Iterator[bytes]:
        """Take a fragment; yield the datagram when it is whole, and when it changes."""
        if self.older.is_whole and self._differs(piece):
            self.older = _Bytes()  # the number was taken again by another datagram
        self.older.put(piece, over=False)
        self.newer.put(piece, over=True)
        self.waiting = True
        if self.older.is_whole or self.newer.is_whole:
            self.waiting = not (self.older.is_whole and self.newer.is_whole)
            yield from self.new(whole=True)

    def _differs(self, piece: Piece) -> bool:
        there = bytes(self.older.data[piece.at : piece.at + len(piece.data)])
        return there != piece.data

    def new(self, *, whole: bool) -> Iterator[bytes]:
        """Yield what was not told yet."""
        for each in (self.older, self.newer):
            data = bytes(each.data)
            if data not in self.told and (each.is_whole or not whole):
                self.told = {data} if len(self.told) > 1 else self.told | {data}
                yield data


class Datagrams:
    """Collects fragments; the oldest are given up when there are too many."""

    def __init__(self) -> None:
        self._known: dict[bytes, _Datagram] = {}
        self._held_b = 0

    def add(self, layers: Layers) -> Iterator[tuple[int, bytes]]:
        """Yield (frame from 1, bytes above IP) of datagrams that become whole."""
        kinds = layers.decoded.fragment
        for row in np.flatnonzero((kinds == _FIRST) | (kinds == _LATER)).tolist():
            piece = piece_of(layers, row)
            if piece is not None:
                yield from self._take(piece, layers.batch.first_frame + row + 1)

    def _take(self, piece: Piece, frame: int) -> Iterator[tuple[int, bytes]]:
        datagram = self._known.pop(piece.whose, None) or _Datagram(frame)
        self._known[piece.whose] = datagram
        before = len(datagram.newer.data)
        for data in datagram.add(piece):
            yield datagram.frame, data
        self._held_b += len(datagram.newer.data) - before
        while len(self._known) > MOST or self._held_b > _MOST_B:
            yield from self._given_up(next(iter(self._known)))

    def _given_up(self, whose: bytes) -> Iterator[tuple[int, bytes]]:
        datagram = self._known.pop(whose)
        self._held_b -= len(datagram.newer.data)
        if datagram.waiting:
            for data in datagram.new(whole=False):
                yield datagram.frame, data

    def finish(self) -> Iterator[tuple[int, bytes]]:
        """Yield datagrams of which something is missing."""
        for whose in list(self._known):
            yield from self._given_up(whose)


def piece_of(layers: Layers, row: int) -> Piece | None:
    """Return the fragment that a packet is; None when its header was not captured."""
    batch, at = layers.batch, int(layers.network[row])
    end = int(batch.start[row] + batch.captured_b[row])
    b = batch.data[at:end].tobytes()
    left_b = end - at + int(batch.length_b[row] - batch.captured_b[row])
    kind = int(layers.decoded.ethertype[row])
    if kind == _IPV4 and len(b) >= 20:
        word, head_b = int.from_bytes(b[6:8]), (b[0] & 15) * 4
        size_b = int.from_bytes(b[2:4]) or left_b
        whose = b[4:6] + b[9:10] + b[12:20]
        place, more = (word & 0x1FFF) * _UNIT_B, word & 0x2000
    elif kind == _IPV6 and len(b) >= 40 and (head := _behind_fragment_header(b)):
        head_b, size_b = head, 40 + (int.from_bytes(b[4:6]) or left_b - 40)
        word, whose = (
            int.from_bytes(b[head - 6 : head - 4]),
            b[head - 4 : head] + b[8:40],
        )
        place, more = word & 0xFFF8, word & 1
    else:
        return None
    size_b = min(size_b, left_b)
    if size_b <= head_b:
        return None
    data = b[head_b:size_b]
    return Piece(
        whose=whose, at=place, data=data, size_b=size_b - head_b, last=not more
    )


def _behind_fragment_header(b: bytes) -> int:
    """Return where a fragment of IPv6 begins; 0 when no such header was captured."""
    kind, at = b[6], 40
    while at + 8 <= len(b):
        if kind == _FRAGMENT:
            return at + 8
        if kind not in (*_EXTENSIONS, _AUTHENTICATION):
            return 0
        units = (b[at + 1] + 2) * 4 if kind == _AUTHENTICATION else (b[at + 1] + 1) * 8
        kind, at = b[at], at + units
    return 0
