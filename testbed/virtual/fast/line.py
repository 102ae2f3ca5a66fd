"""One TCP connection of the fast lab: writes in, packets out.

A plain model of what two TCP stacks make of a list of writes, as seen at the router
between them: segmentation, slow start, delayed acknowledgements, loss on the far
side with retransmission, duplicate acknowledgements.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from numpy.random import Generator

from testbed.virtual.fast.frames import ACK, FIN, PSH, SYN, Packet, Way, packet

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


# time_ns, arrives, number, up, seq, length, flags, data, cause, lost; of a segment that
# passes the capture point (arrives False), or that its receiver has. A plain tuple,
# since two are made of every packet.
_Segment = tuple[int, bool, int, bool, int, int, int, bytes, int, bool]


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
        up, down = self._up, self._down
        for event in events:
            time_ns = event[0]
            if up.ack_ns <= time_ns or down.ack_ns <= time_ns:
                self._acknowledge_until(time_ns, out)
            if event[1]:
                self._arrive(event, out)
            else:
                self._pass(event, out)
        self._acknowledge_until(_NEVER - 1, out)
        return out

    def _segment(self, write: Write, events: list[_Segment]) -> None:
        at_ns, up, data, cause, flags = write
        side = self._up if up else self._down
        rng = self._rng
        start_ns = at_ns + side.delay_ns
        # The handshake is timed by its writer and must not overtake itself.
        if not flags:
            start_ns += int(self._path.jitter_ns * rng.standard_exponential())
        if start_ns > side.last_ns + _WINDOW_IDLE_NS:
            side.window = _FIRST_WINDOW
        start_ns = max(start_ns, side.last_ns + 20_000)
        if flags:
            length = 1 if flags & (SYN | FIN) else 0
            self._emit(events, side, start_ns, (up, length, flags, b"", cause), False)
        elif len(data) <= MSS_B:
            rng.standard_gamma(2.0)  # the gap before the next, as below
            lost = rng.random() < self._path.loss
            make = (up, len(data), ACK | PSH, data, cause)
            self._emit(events, side, start_ns, make, lost)
        else:
            self._burst(write, side, start_ns, events)

    def _burst(
        self, write: Write, side: _Side, now_ns: int, events: list[_Segment]
    ) -> None:
        """Cut a write that needs several segments."""
        _, up, data, cause, _ = write
        n = -(-len(data) // MSS_B)
        gaps = (self._rng.standard_gamma(2.0, n) * (self._path.gap_ns / 2.0)).tolist()
        losses = (self._rng.random(n) < self._path.loss).tolist()
        for i in range(n):
            chunk = data[i * MSS_B : (i + 1) * MSS_B]
            if i >= side.window and i % side.window == 0:
                now_ns += self.trip_ns
                side.window = min(2 * side.window, _LAST_WINDOW)
            flags = ACK | PSH if i == n - 1 else ACK
            make = (up, len(chunk), flags, chunk, cause)
            self._emit(events, side, now_ns, make, losses[i])
            now_ns += max(8_000, int(gaps[i]))
        if n > side.window // 2:
            side.window = min(side.window + n, _LAST_WINDOW)

    def _emit(
        self,
        events: list[_Segment],
        side: _Side,
        now_ns: int,
        make: tuple[bool, int, int, bytes, int],
        lost: bool,
    ) -> None:
        """Send one segment: its direction, length, flags, data and cause."""
        up, length, flags, data, cause = make
        seq = side.sent
        n = self._number = self._number + 1
        events.append((now_ns, False, n, up, seq, length, flags, data, cause, lost))
        again_ns = now_ns
        if lost:
            # Fast retransmission inside a burst, else the timer; both after a trip.
            again_ns += self.trip_ns + int(self._rng.uniform(2e6, 12e6))
            if length < MSS_B:
                again_ns += 200_000_000
            events.append(
                (again_ns, False, n, up, seq, length, flags, data, cause, False)
            )
        again_ns += side.beyond_ns
        events.append((again_ns, True, n, up, seq, length, flags, data, cause, False))
        side.sent = (seq + length) & _MASK
        side.last_ns = now_ns

    def _pass(self, event: _Segment, out: list[Packet]) -> None:
        time_ns, _, _, up, seq, length, flags, data, cause, lost = event
        side, other = (self._up, self._down) if up else (self._down, self._up)
        if lost:
            side.holes.append(seq)
            side.hole_b[seq] = length
            if not up:
                return  # lost on the far side, before the capture point
        end = (seq + length) & _MASK
        if (end - side.passed) & _MASK < 1 << 31:
            side.passed = end
        ack = 0
        if flags & ACK:
            ack = other.holes[0] if other.holes else other.received
            other.unacked_b, other.ack_ns = 0, _NEVER
        out.append(packet(Packet, (time_ns, side.way, seq, ack, flags, data, cause)))
        if length and time_ns - other.arrived_ns < _DELAYED_ACK_NS:
            other.chatty = True

    def _arrive(self, event: _Segment, out: list[Packet]) -> None:
        time_ns, _, _, up, seq, length, flags, _, cause, _ = event
        side = self._up if up else self._down
        end = (seq + length) & _MASK
        had_hole = bool(side.holes)
        if had_hole and seq in side.hole_b:
            del side.hole_b[seq]
            side.holes.remove(seq)
        if (end - side.received) & _MASK < 1 << 31:
            side.received = end
        side.cause = cause
        if length == 0 or flags & (SYN | FIN):
            return  # answered by the handshake itself
        side.arrived_ns = time_ns
        side.unacked_b += length
        # As Linux does: at once when the reader has drained a pushed segment and does
        # not talk itself, and at least for every second full segment.
        drained = flags & PSH and not side.chatty
        if had_hole or drained or side.unacked_b > MSS_B:
            self._acknowledge(side, time_ns, out)
        elif side.ack_ns == _NEVER:
            side.ack_ns = time_ns + _DELAYED_ACK_NS

    def _acknowledge_until(self, time_ns: int, out: list[Packet]) -> None:
        due = [s for s in (self._up, self._down) if s.ack_ns <= time_ns]
        for side in sorted(due, key=lambda s: s.ack_ns):
            side.chatty = False  # waiting was in vain
            self._acknowledge(side, side.ack_ns, out)

    def _acknowledge(self, side: _Side, now_ns: int, out: list[Packet]) -> None:
        other = self._down if side is self._up else self._up
        ack, cause = side.acknowledged(), side.cause
        out.append(
            packet(Packet, (now_ns, other.way, other.passed, ack, ACK, b"", cause))
        )
        side.unacked_b, side.ack_ns = 0, _NEVER
