"""One TCP connection of the fast lab: writes in, packets out.

A plain model of what two TCP stacks make of a list of writes, as seen at the router
between them: segmentation, slow start, delayed acknowledgements, loss on the far
side with retransmission, duplicate acknowledgements.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from numpy.random import Generator

from testbed.virtual.fast.frames import ACK, FIN, PSH, SYN, Packet, Way

MSS_B = 1448
_DELAYED_ACK_NS = 40_000_000
_WINDOW_IDLE_NS = 1_000_000_000
_FIRST_WINDOW = 10
_LAST_WINDOW = 320
_NEVER = 1 << 62
_MASK = 0xFFFFFFFF


class Write(NamedTuple):
    """Bytes that one side hands to TCP; `flags` SYN or FIN instead of bytes."""

    time_ns: int
    up: bool
    data: bytes
    cause: int
    flags: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """How far the two ends are from the capture point, and how lossy it is.

    client_ns, server_ns  one-way delays; jitter_ns their exponential jitter
    gap_ns                median gap of back-to-back segments
    loss                  share of data segments that are lost on the server's side
    """

    client_ns: int
    server_ns: int
    jitter_ns: int
    gap_ns: int
    loss: float


@dataclass(slots=True)
class _Side:
    """One direction: what its sender has sent and its receiver has got."""

    way: Way
    delay_ns: int  # sender -> capture point
    beyond_ns: int  # capture point -> receiver -> capture point
    sent: int
    passed: int = 0  # next byte that has not passed the capture point
    received: int = 0  # next byte that the receiver has not seen
    holes: list[int] = field(default_factory=list)
    hole_b: dict[int, int] = field(default_factory=dict)
    last_ns: int = 0
    window: int = _FIRST_WINDOW
    unacked_b: int = 0
    arrived_ns: int = -_NEVER
    chatty: bool = False  # its receiver answers with data, so it waits with bare acks
    ack_ns: int = _NEVER
    cause: int = 0

    def acknowledged(self) -> int:
        """Return the acknowledgement number that the receiver sends now."""
        return self.holes[0] if self.holes else self.received


def _side(way: Way, delay_ns: int, beyond_ns: int, first: int) -> _Side:
    return _Side(way, delay_ns, beyond_ns, first, first, first)


class _Segment(NamedTuple):
    time_ns: int
    arrives: bool  # False: it passes the capture point; True: its receiver has it
    number: int
    up: bool
    seq: int
    length: int
    flags: int
    data: bytes
    cause: int
    lost: bool


class Line:
    """A TCP connection between two ends, open until it is dropped."""

    def __init__(self, up: Way, down: Way, path: Path, rng: Generator) -> None:
        self._path = path
        self._rng = rng
        first = [int(x) for x in rng.integers(0, 1 << 32, 2)]
        round_ns = (2 * path.server_ns, 2 * path.client_ns)
        self._up = _side(up, path.client_ns, round_ns[0], first[0])
        self._down = _side(down, path.server_ns, round_ns[1], first[1])
        self._number = 0

    @property
    def trip_ns(self) -> int:
        """Return the round trip of the whole path."""
        return 2 * (self._path.client_ns + self._path.server_ns)

    def packets(self, writes: Sequence[Write]) -> list[Packet]:
        """Return what crosses the capture point for these writes, by time.

        writes  by time, none earlier than any of the call before
        """
        events: list[_Segment] = []
        for write in writes:
            self._segment(write, events)
        events.sort()
        out: list[Packet] = []
        for event in events:
            self._acknowledge_until(event.time_ns, out)
            if event.arrives:
                self._arrive(event, out)
            else:
                self._pass(event, out)
        self._acknowledge_until(_NEVER - 1, out)
        return out

    def _segment(self, write: Write, events: list[_Segment]) -> None:
        side = self._up if write.up else self._down
        rng = self._rng
        # The handshake is timed by its writer and must not overtake itself.
        jitter_ns = 0 if write.flags else int(rng.exponential(self._path.jitter_ns))
        start_ns = write.time_ns + side.delay_ns + jitter_ns
        if start_ns > side.last_ns + _WINDOW_IDLE_NS:
            side.window = _FIRST_WINDOW
        start_ns = max(start_ns, side.last_ns + 20_000)
        if write.flags:
            length = 1 if write.flags & (SYN | FIN) else 0
            self._emit(events, side, start_ns, length, write.flags, b"", write, False)
            return
        n = -(-len(write.data) // MSS_B)
        gaps = rng.gamma(2.0, self._path.gap_ns / 2.0, n).tolist()
        losses = (rng.random(n) < self._path.loss).tolist()
        now_ns = start_ns
        for i in range(n):
            chunk = write.data[i * MSS_B : (i + 1) * MSS_B]
            if i >= side.window and i % side.window == 0:
                now_ns += self.trip_ns
                side.window = min(2 * side.window, _LAST_WINDOW)
            flags = ACK | PSH if i == n - 1 else ACK
            args = (len(chunk), flags, chunk, write, losses[i])
            self._emit(events, side, now_ns, *args)
            now_ns += max(8_000, int(gaps[i]))
        if n > side.window // 2:
            side.window = min(side.window + n, _LAST_WINDOW)

    def _emit(
        self,
        events: list[_Segment],
        side: _Side,
        now_ns: int,
        length: int,
        flags: int,
        data: bytes,
        write: Write,
        lost: bool,
    ) -> None:
        up, seq, cause = write.up, side.sent, write.cause
        self._number += 1
        n = self._number
        make = (n, up, seq, length, flags, data, cause)
        events.append(_Segment(now_ns, False, *make, lost))
        if not lost:
            events.append(_Segment(now_ns + side.beyond_ns, True, *make, False))
        else:
            # Fast retransmission inside a burst, else the timer; both after a trip.
            again_ns = now_ns + self.trip_ns + int(self._rng.uniform(2e6, 12e6))
            if len(data) < MSS_B:
                again_ns += 200_000_000
            events.append(_Segment(again_ns, False, *make, False))
            events.append(_Segment(again_ns + side.beyond_ns, True, *make, False))
        side.sent = (seq + length) & _MASK
        side.last_ns = now_ns

    def _pass(self, event: _Segment, out: list[Packet]) -> None:
        side, other = self._sides(event.up)
        if event.lost:
            side.holes.append(event.seq)
            side.hole_b[event.seq] = event.length
            if not event.up:
                return  # lost on the far side, before the capture point
        flags = event.flags
        end = (event.seq + event.length) & _MASK
        if (end - side.passed) & _MASK < 1 << 31:
            side.passed = end
        ack = other.acknowledged() if flags & ACK else 0
        out.append(
            Packet(
                event.time_ns, side.way, event.seq, ack, flags, event.data, event.cause
            )
        )
        if flags & ACK:
            other.unacked_b, other.ack_ns = 0, _NEVER
        if event.length and event.time_ns - other.arrived_ns < _DELAYED_ACK_NS:
            other.chatty = True

    def _arrive(self, event: _Segment, out: list[Packet]) -> None:
        side, _ = self._sides(event.up)
        end = (event.seq + event.length) & _MASK
        had_hole = bool(side.holes)
        if event.seq in side.hole_b:
            del side.hole_b[event.seq]
            side.holes.remove(event.seq)
        if (end - side.received) & _MASK < 1 << 31:
            side.received = end
        side.cause = event.cause
        if event.flags & (SYN | FIN) or event.length == 0:
            return  # answered by the handshake itself
        side.arrived_ns = event.time_ns
        side.unacked_b += event.length
        # As Linux does: at once when the reader has drained a pushed segment and does
        # not talk itself, and at least for every second full segment.
        drained = bool(event.flags & PSH) and not side.chatty
        if had_hole or drained or side.unacked_b > MSS_B:
            self._acknowledge(side, event.time_ns, out)
        elif side.ack_ns == _NEVER:
            side.ack_ns = event.time_ns + _DELAYED_ACK_NS

    def _acknowledge_until(self, time_ns: int, out: list[Packet]) -> None:
        due = [s for s in (self._up, self._down) if s.ack_ns <= time_ns]
        for side in sorted(due, key=lambda s: s.ack_ns):
            side.chatty = False  # waiting was in vain
            self._acknowledge(side, side.ack_ns, out)

    def _acknowledge(self, side: _Side, now_ns: int, out: list[Packet]) -> None:
        other = self._down if side is self._up else self._up
        out.append(
            Packet(
                now_ns,
                other.way,
                other.passed,
                side.acknowledged(),
                ACK,
                b"",
                side.cause,
            )
        )
        side.unacked_b, side.ack_ns = 0, _NEVER

    def _sides(self, up: bool) -> tuple[_Side, _Side]:
        return (self._up, self._down) if up else (self._down, self._up)
