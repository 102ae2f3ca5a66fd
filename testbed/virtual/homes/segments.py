"""Writes to packets, by whole columns: what a router sees of them, without the bytes.

The same plain model of TCP as that of the fast lab (segments, slow start, delayed
acknowledgements, loss on the far side), a hundred times as fast and not exact to the
packet: `docs/homes.md` has how far the two differ.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from testbed.virtual.homes.sheet import ACK, ICMP, PSH, SYN, TCP, UDP, Ends, Write

I64 = NDArray[np.int64]
Bool = NDArray[np.bool_]

MSS_B = 1448
_LAN_NS = 500_000
_GAP_NS = 350_000.0
_DELAYED_ACK_NS = 40_000_000
_FIRST_WINDOW = 10
_HEAD_B = {TCP: 66, UDP: 42, ICMP: 42}
_SYN_B = 74
_ECHO_B = 8  # of ICMP's own header, which counts as payload of IP


@dataclass(frozen=True, slots=True, kw_only=True)
class Packets:
    """Packets as columns, by connection and time; all arrays have length n.

    number   the connection's number
    time_ns  when it crosses the capture point
    out      the device sent it
    frame_b, payload_b  size with all headers; of what TCP or UDP carries
    flags    TCP flags, 0 for others
    """

    number: I64
    time_ns: I64
    out: Bool
    frame_b: I64
    payload_b: I64
    flags: I64

    def __len__(self) -> int:
        """Return the number of packets."""
        return len(self.number)

    def chosen(self, rows: Bool | I64) -> "Packets":
        """Return some of the packets."""
        return Packets(**{name: getattr(self, name)[rows] for name in _COLUMNS})

    def sorted(self) -> "Packets":
        """Return them by connection and time."""
        return self.chosen(np.lexsort((self.time_ns, self.number)))


_COLUMNS = ("number", "time_ns", "out", "frame_b", "payload_b", "flags")


def joined(parts: Sequence[Packets]) -> Packets:
    """Return the packets of several tables, in their order."""
    return Packets(
        **{n: np.concatenate([getattr(p, n) for p in parts]) for n in _COLUMNS}
    )


def no_packets() -> Packets:
    """Return a table without packets."""
    none = np.zeros(0, dtype=np.int64)
    return Packets(
        number=none,
        time_ns=none,
        out=none.astype(np.bool_),
        frame_b=none,
        payload_b=none,
        flags=none,
    )


@dataclass(frozen=True, slots=True)
class _Paths:
    """What of the connections is needed for each write, as columns."""

    protocol: I64
    delay_ns: I64
    loss: NDArray[np.float64]

    def of(self, number: I64) -> "_Paths":
        return _Paths(self.protocol[number], self.delay_ns[number], self.loss[number])


def packets(writes: Sequence[Write], ends: Sequence[Ends], rng: Generator) -> Packets:
    """Return what crosses the capture point, by connection and time."""
    if not writes:
        return no_packets()
    table = np.array(writes, dtype=np.int64)
    number, _, _, _, flags = table.T
    first = int(number.min())
    path = _Paths(
        np.array([e.protocol for e in ends[first:]], dtype=np.int64),
        np.array([e.delay_ns for e in ends[first:]], dtype=np.int64),
        np.array([e.loss for e in ends[first:]], dtype=np.float64),
    ).of(number - first)
    bare = (flags != 0) | (path.protocol != TCP)
    rows = np.flatnonzero(bare)
    sent = [_bare(rows, table, path, rng)]
    rows = np.flatnonzero(~bare)
    if len(rows):
        data, last_ns = _data(rows, table, path, rng)
        sent += [data, _acks(rows, table, path, last_ns)]
    return joined(sent).sorted()


def _passes_ns(time_ns: I64, out: Bool, delay_ns: I64) -> I64:
    """Return when what is written reaches the capture point."""
    return time_ns + np.where(out, _LAN_NS, delay_ns)


def _bare(rows: I64, table: I64, path: _Paths, rng: Generator) -> Packets:
    """Return the packets of datagrams and of segments without data."""
    number, time_ns, out, size_b, flags = table[rows].T
    protocol = path.protocol[rows]
    is_out = out.astype(np.bool_)
    jitter_ns = rng.exponential(300_000.0, len(rows)).astype(np.int64)
    jitter_ns[protocol == TCP] = 0  # a handshake must not overtake itself
    head_b = np.select(
        [(flags & SYN) != 0, protocol == TCP], [_SYN_B, _HEAD_B[TCP]], _HEAD_B[UDP]
    )
    return Packets(
        number=number,
        time_ns=_passes_ns(time_ns, is_out, path.delay_ns[rows]) + jitter_ns,
        out=is_out,
        frame_b=head_b + size_b,
        payload_b=np.where(protocol == ICMP, size_b + _ECHO_B, size_b),
        flags=flags,
    )


def _data(
    rows: I64, table: I64, path: _Paths, rng: Generator
) -> tuple[Packets, tuple[I64, I64]]:
    """Cut writes into segments; return them, and each write's last with its number."""
    _, time_ns, out, size_b, _ = table[rows].T
    n = np.maximum(1, -(-size_b // MSS_B))
    which = np.repeat(np.arange(len(rows)), n)
    index = np.arange(len(which)) - np.repeat(np.cumsum(n) - n, n)
    is_out = out.astype(np.bool_)
    start_ns = _passes_ns(time_ns, is_out, path.delay_ns[rows])
    start_ns = start_ns + rng.exponential(500_000.0, len(rows)).astype(np.int64)
    trip_ns = (2 * (path.delay_ns[rows] + _LAN_NS))[which]
    late = index >= _FIRST_WINDOW
    waits = np.zeros(len(which), dtype=np.int64)
    waits[late] = np.log2(index[late] / _FIRST_WINDOW).astype(np.int64) + 1
    pause_ns = (rng.gamma(2.0, _GAP_NS / 2.0, len(which))).astype(np.int64)
    pause_ns[index == 0] = 0
    total_ns = np.cumsum(pause_ns)
    spread_ns = total_ns - np.repeat(total_ns[np.cumsum(n) - n], n)
    at_ns = start_ns[which] + spread_ns + waits * trip_ns
    length = np.where(index == n[which] - 1, (size_b - (n - 1) * MSS_B)[which], MSS_B)
    segments = Packets(
        number=table[rows, 0][which],
        time_ns=at_ns,
        out=is_out[which],
        frame_b=length + _HEAD_B[TCP],
        payload_b=length,
        flags=np.where(index == n[which] - 1, PSH | ACK, ACK),
    )
    lost = rng.random(len(which)) < path.loss[rows][which]
    last_ns = at_ns[np.cumsum(n) - 1]
    return _with_losses(segments, lost, trip_ns, rng), (last_ns, n)


def _with_losses(
    segments: Packets, lost: Bool, trip_ns: I64, rng: Generator
) -> Packets:
    """Send what is lost on the far side once more; what comes in is seen only then."""
    timer_ns = np.where(segments.payload_b < MSS_B, 200_000_000, 0)
    again_ns = segments.time_ns + trip_ns + timer_ns
    again_ns = again_ns + rng.integers(2_000_000, 12_000_000, len(lost))
    seen_late = lost & ~segments.out
    moved = Packets(
        number=segments.number,
        time_ns=np.where(seen_late, again_ns, segments.time_ns),
        out=segments.out,
        frame_b=segments.frame_b,
        payload_b=segments.payload_b,
        flags=segments.flags,
    )
    repeated = lost & segments.out
    if not repeated.any():
        return moved
    twice = moved.chosen(repeated)
    twice.time_ns[:] = again_ns[repeated]
    return joined((moved, twice))


def _acks(rows: I64, table: I64, path: _Paths, last: tuple[I64, I64]) -> Packets:
    """Return bare acknowledgements: of every second segment, and of a lone last one.

    The last one is spared where its receiver writes within the delay of 40 ms anyhow.
    """
    number, _, out, _, _ = table[rows].T
    last_ns, n = last
    is_out = out.astype(np.bool_)
    beyond_ns = np.where(is_out, 2 * path.delay_ns[rows], 2 * _LAN_NS)
    ack_ns = last_ns + beyond_ns
    spared = _answered(number, is_out, last_ns, ack_ns + _DELAYED_ACK_NS)
    n_acks = n // 2 + np.where((n % 2 == 1) & ~spared, 1, 0)
    which = np.repeat(np.arange(len(rows)), n_acks)
    ends_at = np.cumsum(n_acks)
    back = np.repeat(ends_at, n_acks) - 1 - np.arange(len(which))
    time_ns = ack_ns[which] - back * round(2 * _GAP_NS)
    return Packets(
        number=number[which],
        time_ns=time_ns,
        out=~is_out[which],
        frame_b=np.full(len(which), _HEAD_B[TCP], dtype=np.int64),
        payload_b=np.zeros(len(which), dtype=np.int64),
        flags=np.full(len(which), ACK, dtype=np.int64),
    )


def _answered(number: I64, out: Bool, from_ns: I64, until_ns: I64) -> Bool:
    """Say of each write whether the other side's next data pass in between."""
    found = np.zeros(len(number), dtype=np.bool_)
    base = int(from_ns.min())

    def key(rows: Bool, at_ns: I64) -> I64:
        keys: I64 = (number[rows] - number.min()) << 38
        return keys + (at_ns[rows] - base) // 1000

    for side in (True, False):
        asks, tells = out == side, out != side
        told = np.sort(key(tells, from_ns))
        begin = np.searchsorted(told, key(asks, from_ns), side="left")
        end = np.searchsorted(told, key(asks, until_ns), side="right")
        found[asks] = end > begin
    return found
