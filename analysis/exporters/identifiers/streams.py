"""What each side of a TCP connection says, put together from its segments.

Memory is bounded: a stretch is handed out when it is long, and when all together are
too many; the end of each begins the next one, so that nothing is cut in two. Of a TLS
connection only the beginning is put together: what follows is noise to all readers.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from analysis.pcap.conversations import Conversations
from analysis.pcap.decode import TCP, Decoded
from analysis.pcap.network import WHOLE
from analysis.pcap.walk import Batch

_STRETCH_B = 1 << 18
_MOST_B = 1 << 26
_MOST_PENDING = 64
_WAY_AHEAD_B = 1 << 22
_HELLO_B = 1 << 14
_CLOSING = 1 | 4  # FIN, RST
RECORD_HEAD_B, MOST_RECORD_B = 5, (1 << 14) + 2048
_RECORDS = (b"", b"\x14", b"\x15", b"\x16", b"\x17")  # how the next record begins
_APPLICATION = 23
_HEAD_B, _LEAST_TEXT_B = 64, 8
_TEXT = bytes({*range(32, 127), 9, 10, 13})
_TURN = 1 << 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Bytes that one side said without a gap.

    frame  packet of the capture in which the new bytes begin, from 1
    old_b  so many bytes at the start were the end of the stretch before
    flow   number of the conversation in the capture, as `Conversations` counts them
    ports  from which to which
    tls    it is of a connection under TLS
    alone  a copy of a segment, or one from before the first: nothing goes on behind it
    """

    frame: int
    data: bytes
    old_b: int
    flow: int = -1
    ports: tuple[int, int] = (0, 0)
    tls: bool = False
    alone: bool = False


@dataclass(slots=True)
class _Side:
    """One direction of a connection, so far."""

    following: int
    frame: int
    flow: int
    ports: tuple[int, int]
    kept: bytearray = field(default_factory=bytearray)
    old_b: int = 0
    pending: dict[int, tuple[int, bytes]] = field(default_factory=dict)
    sealed: bool = False
    may_precede: int = 64  # segments that may still be put before what is kept


class Streams:
    """Puts the streams of one capture together, batch by batch.

    overlap_b  bytes of a stretch that begin the next one
    """

    def __init__(self, overlap_b: int) -> None:
        self._overlap_b = overlap_b
        self._conversations = Conversations()
        self._sides: dict[int, _Side] = {}
        self._sealed = np.zeros(1 << 12, dtype=np.bool_)
        self._held_b = 0

    def add(self, batch: Batch, decoded: Decoded) -> Iterator[Stretch]:
        """Take the next packets; yield stretches that are long enough."""
        known = self._conversations.add(batch.time_ns, decoded)
        number = known.flow.astype(np.int64) * 2 + known.reverse
        self._make_room(int(number.max(initial=0)))
        rows = self._of_interest(batch, decoded, number)
        start = batch.start + decoded.payload_at
        end = np.minimum(
            batch.start + batch.captured_b, start + decoded.payload_b.astype(np.int64)
        )
        columns = (rows, number[rows], decoded.seq[rows], decoded.tcp_flags[rows])
        spans = (start[rows], end[rows])
        for row, key, seq, flags, at, stop in zip(
            *(column.tolist() for column in (*columns, *spans)), strict=True
        ):
            if self._sealed[key]:
                continue
            data = batch.data[at:stop].tobytes()
            frame = batch.first_frame + row + 1
            if key not in self._sides:
                ports = (int(decoded.src_port[row]), int(decoded.dst_port[row]))
                self._sides[key] = _Side(
                    following=int(seq),
                    frame=frame,
                    flow=key // 2,
                    ports=ports,
                    sealed=_is_tls(data),
                )
            yield from self._take(key, int(seq), frame, data)
            if flags & _CLOSING and key in self._sides:
                yield from self._closed(key)
        if self._held_b > _MOST_B:
            for side in self._sides.values():
                yield from self._released(side)

    def finish(self) -> Iterator[Stretch]:
        """Yield what is left."""
        for key in list(self._sides):
            yield from self._closed(key)

    def _make_room(self, key: int) -> None:
        while key >= self._sealed.size:
            self._sealed = np.concatenate((self._sealed, np.zeros_like(self._sealed)))

    def _of_interest(
        self, batch: Batch, decoded: Decoded, number: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        there = (decoded.protocol == TCP) & (decoded.fragment == WHOLE)
        there &= (decoded.payload_b > 0) & (decoded.payload_at < batch.captured_b)
        there &= number >= 0
        there[there] &= ~self._sealed[number[there]]
        return np.flatnonzero(there)

    def _take(self, key: int, seq: int, frame: int, data: bytes) -> Iterator[Stretch]:
        side = self._sides[key]
        ahead = (seq - side.following + _TURN // 2) % _TURN - _TURN // 2
        if ahead < 0 and not side.sealed and not self._put_before(side, ahead, data):
            yield from _said_otherwise(side, ahead, (frame, data))
        if ahead > 0:
            yield from self._later(side, seq, ahead, (frame, data))
        elif ahead + len(data) > 0:
            self._append(side, frame, data[-ahead:])
            self._catch_up(side)
        if side.sealed and len(side.kept) >= _HELLO_B:
            yield from self._closed(key)
            self._sealed[key] = True
        elif len(side.kept) - side.old_b >= _STRETCH_B:
            yield from self._released(side)

    def _put_before(self, side: _Side, ahead: int, data: bytes) -> bool:
        """Put a segment before what was said so far, if it ends where that begins.

        The first segment of a side may be lost behind the capture, and come again late.
        """
        if not side.may_precede or -ahead != len(side.kept) + len(data):
            return False
        side.may_precede -= 1
        may_be = _opens_tls(data) and not _is_readable(bytes(side.kept))
        side.kept[:0] = data
        side.sealed = may_be and _is_tls(bytes(side.kept))
        self._held_b += len(data)
        return True

    def _append(self, side: _Side, frame: int, data: bytes) -> None:
        if len(side.kept) == side.old_b:
            side.frame = frame
        side.kept += data
        side.following = (side.following + len(data)) % _TURN
        self._held_b += len(data)

    def _catch_up(self, side: _Side) -> None:
        while side.pending:
            for seq, (frame, data) in list(side.pending.items()):
                behind = (side.following - seq + _TURN // 2) % _TURN - _TURN // 2
                if behind < 0:
                    continue
                del side.pending[seq]
                self._held_b -= len(data)
                if behind < len(data):
                    self._append(side, frame, data[behind:])
                break
            else:
                return

    def _later(
        self, side: _Side, seq: int, ahead: int, segment: tuple[int, bytes]
    ) -> Iterator[Stretch]:
        """Keep a segment for later; when one before it seems lost, go on behind it."""
        first = side.pending.get(seq)
        if first is not None and not side.sealed and _differ(first[1], segment[1]):
            yield _alone(side, segment)
        if seq not in side.pending:
            side.pending[seq] = segment
            self._held_b += len(segment[1])
        if ahead > _WAY_AHEAD_B or len(side.pending) > _MOST_PENDING:
            yield from self._released(side)
            self._forget(side)
            side.following = min(
                side.pending, key=lambda s: (s - side.following) % _TURN
            )
            self._catch_up(side)

    def _released(self, side: _Side) -> Iterator[Stretch]:
        if len(side.kept) > side.old_b:
            yield Stretch(
                frame=side.frame,
                data=bytes(side.kept),
                old_b=side.old_b,
                flow=side.flow,
                ports=side.ports,
                tls=side.sealed,
            )
        before = len(side.kept)
        side.may_precede = 0
        del side.kept[: max(0, len(side.kept) - self._overlap_b)]
        side.old_b = len(side.kept)
        self._held_b -= before - len(side.kept)

    def _forget(self, side: _Side) -> None:
        """Let go of the end of what was said: a gap follows."""
        side.may_precede = 0
        self._held_b -= len(side.kept)
        side.kept.clear()
        side.old_b = 0

    def _closed(self, key: int) -> Iterator[Stretch]:
        side = self._sides.pop(key)
        yield from self._released(side)
        while side.pending:
            self._forget(side)
            side.following = min(
                side.pending, key=lambda s: (s - side.following) % _TURN
            )
            self._catch_up(side)
            yield from self._released(side)
        self._forget(side)


def _said_otherwise(
    side: _Side, ahead: int, segment: tuple[int, bytes]
) -> Iterator[Stretch]:
    """Yield a segment that was there before, unless it is known to say the same.

    Receivers differ in which copy they take; a connection that has the ports of an
    older one, and whose opening was not captured, looks like a copy, too.
    """
    at = len(side.kept) + ahead
    data = segment[1]
    probes = len(data) == 1 and ahead == -1  # whether somebody is there: any byte
    if not probes and at < 0:
        yield _alone(side, segment, tls=_opens_tls(data) and _is_tls(data))
    elif not probes and _differ(bytes(side.kept[at:]), data):
        yield _alone(side, segment)


def _differ(first: bytes, second: bytes) -> bool:
    """Say whether bytes of the same place are others, as far as both go."""
    size_b = min(len(first), len(second))
    return first[:size_b] != second[:size_b]


def _alone(side: _Side, segment: tuple[int, bytes], *, tls: bool = False) -> Stretch:
    """Return a segment as a stretch of its own."""
    frame, data = segment
    return Stretch(
        frame=frame,
        data=data,
        old_b=0,
        flow=side.flow,
        ports=side.ports,
        tls=tls,
        alone=True,
    )


def _opens_tls(data: bytes) -> bool:
    """Say whether a segment that came late begins with a handshake, as TLS does."""
    return data[:1] == b"\x16"


def _is_tls(data: bytes) -> bool:
    """Say whether a stream begins with records of TLS, as far as it is there."""
    if len(data) < RECORD_HEAD_B:
        return len(data) > 2 and 20 <= data[0] <= 23 and data[1] == 3 and data[2] <= 4
    at = 0
    while at + RECORD_HEAD_B <= len(data):
        kind, major, minor, size_b = struct.unpack_from(">BBBH", data, at)
        known = 20 <= kind <= 23 and major == 3 and minor <= 4
        body = data[at + RECORD_HEAD_B : at + RECORD_HEAD_B + size_b]
        if not known or size_b > MOST_RECORD_B:
            return False
        if (not at or kind == _APPLICATION) and _is_readable(body):
            return False  # certificates go on in the next record, and are readable
        at += RECORD_HEAD_B + size_b
    return at > 0 and data[at : at + 1] in _RECORDS


def _is_readable(body: bytes) -> bool:
    """Say whether bytes are a text, which what is encrypted is not."""
    head = body[:_HEAD_B]
    return len(head) >= _LEAST_TEXT_B and not head.translate(None, _TEXT)
