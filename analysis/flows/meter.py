"""Packets to flow records, as a metering point with timeouts makes them.

A record ends when nothing has come for the idle timeout, when a packet comes that is
the active timeout or more behind the first, or when its ports are used again: a SYN
with another sequence number, by the rule of tshark. Without timeouts records are the
conversations of tshark. FIN and RST do not end a record, they only say how it ended:
what follows within the idle timeout, as the last ACK, still belongs to it.

Memory grows with the records that are open, not with packets or with records. What lies
ahead of time, as the clock was set back or stamps are wrong, is ended as idle.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from analysis.flows.kernels import (
    CAPTURE,
    CLOSED,
    END,
    FIN,
    FLAGS,
    IDLE,
    LAST,
    NUMBER,
    RST,
    START,
    TOTALS,
    Bool,
    Float64,
    Int32,
    Int64,
    Uint8,
    Uint16,
    Uint32,
    Uint64,
    add_packets,
    fill,
)

NEVER_NS = (1 << 63) - 1
_FIRST_SIZE = 1024
_OUT = 4096  # records that are handed over together, at most


@dataclass(frozen=True, slots=True, kw_only=True)
class Packets:
    """Packets in the order of their capture, as a meter takes them; n rows.

    time_ns             (n,) int64
    length_b            (n,) int64, of the frame; payload_b (n,) int64, above TCP, UDP
    outbound            (n,) bool, the device sent it
    ttl                 (n,) uint8, 0 unknown
    protocol            (n,) uint8, 0 for what is not IP, which is left out
    src, dst            (n, 2) uint64, addresses as two halves
    src_port, dst_port  (n,) uint16
    segment             (n,) bool, there is a TCP header to go by
    tcp_flags           (n,) uint8; seq, ack (n,) uint32
    """

    time_ns: Int64
    length_b: Int64
    payload_b: Int64
    outbound: Bool
    ttl: Uint8
    protocol: Uint8
    src: Uint64
    dst: Uint64
    src_port: Uint16
    dst_port: Uint16
    segment: Bool
    tcp_flags: Uint8
    seq: Uint32
    ack: Uint32


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """Records as a meter hands them over, by start.

    keys    (k, 5) uint64: lower address, higher one, their ports and the protocol
    totals  (k, 18) int64, columns as named in `kernels`
    gaps    (k, 4) float64: mean, sum of squares, least and largest gap, in s
    """

    keys: Uint64
    totals: Int64
    gaps: Float64

    def __len__(self) -> int:
        return len(self.keys)

    def take(self, rows: Int64 | Bool | slice) -> "Finished":
        """Return the chosen ones."""
        return Finished(
            keys=self.keys[rows], totals=self.totals[rows], gaps=self.gaps[rows]
        )


def joined(parts: Sequence[Finished]) -> Finished:
    """Return the records of all parts, one after the other."""
    return Finished(
        keys=np.concatenate([part.keys for part in parts]),
        totals=np.concatenate([part.totals for part in parts]),
        gaps=np.concatenate([part.gaps for part in parts]),
    )


def _room(size: int) -> Finished:
    # zeros of the system: pages that nothing is written to take no memory
    return Finished(
        keys=np.zeros((size, 5), dtype=np.uint64),
        totals=np.zeros((size, TOTALS), dtype=np.int64),
        gaps=np.zeros((size, 4), dtype=np.float64),
    )


@dataclass(slots=True, kw_only=True)
class Meter:
    """Makes records of packets that come piece by piece.

    idle_ns, active_ns  timeouts; `NEVER_NS` for none
    whole               there is no device: whoever sent the first packet of a
                        connection is taken for it, and `outbound` is not looked at
    """

    idle_ns: int
    active_ns: int
    whole: bool = False
    _count: Int64 = field(default_factory=lambda: np.zeros(2, dtype=np.int64))
    _n_out: Int64 = field(default_factory=lambda: np.zeros(1, dtype=np.int64))
    _open: Finished = field(default_factory=lambda: _room(_FIRST_SIZE))
    _out: Finished = field(default_factory=lambda: _room(_OUT))
    _table: Int32 = field(
        default_factory=lambda: np.full(4 * _FIRST_SIZE, -1, dtype=np.int32)
    )
    _held: list[Finished] = field(default_factory=list)

    @property
    def n_open(self) -> int:
        """Return how many records are open."""
        return int(self._count[0])

    def add(self, packets: Packets) -> Finished:
        """Take the next packets; return what is complete, by start.

        A record is held back while another is open that started before it.
        """
        n, done = packets.time_ns.size, 0
        if not n:
            return self._released()
        now_ns = middle_of(packets.time_ns)
        before = self._end_ahead(now_ns)
        while done < n:
            done = self._step(packets, done)
            if self._n_out[0] == _OUT:
                self._take_out()
            if done < n and self._count[0] == len(self._open):
                self._grow()
        self._take_out()
        return joined((before, self._end_silent(now_ns)))

    def pass_time(self, now_ns: int) -> Finished:
        """End what has been idle for too long; return what is complete, by start."""
        return joined((self._end_ahead(now_ns), self._end_silent(now_ns)))

    def _end_ahead(self, now_ns: int) -> Finished:
        """End and return what lies ahead of time by more than the idle timeout.

        The clock was set back since, or never was right. Time may not come so far, and
        till then nothing that is ahead would be idle, nor be released.
        """
        if self.idle_ns == NEVER_NS:
            return _room(0)
        ahead = self._open.totals[: self.n_open, LAST] - now_ns > self.idle_ns
        if ahead.any():
            self._end(ahead)
        if not self._held:
            return _room(0)
        every = joined(self._held)
        ahead = every.totals[:, START] - now_ns > self.idle_ns
        self._held = [every.take(~ahead)]
        return _by_start(every.take(ahead))

    def _end_silent(self, now_ns: int) -> Finished:
        if self.idle_ns != NEVER_NS:
            last_ns = self._open.totals[: self.n_open, LAST]
            silent = now_ns - last_ns > self.idle_ns
            if silent.any():
                self._end(silent)
        return self._released()

    def finish(self, until_ns: int) -> Finished:
        """End everything, as the capture ended at `until_ns`; return what is left."""
        totals = self._open.totals[: self.n_open]
        first = len(self._held)
        waits_ns = until_ns - totals[:, LAST]
        self._end(np.full(self.n_open, True))
        for part in self._held[first:]:
            going = (part.totals[:, END] == IDLE) & (waits_ns <= self.idle_ns)
            part.totals[going, END] = CAPTURE
        return self._released()

    def _step(self, packets: Packets, done: int) -> int:
        p, now, out = packets, self._open, self._out
        return add_packets(
            done,
            (p.protocol, p.src, p.dst, p.src_port, p.dst_port),
            (p.time_ns, p.length_b, p.payload_b, p.outbound, p.ttl),
            (p.segment, p.tcp_flags, p.seq, p.ack),
            (self.idle_ns, self.active_ns, self.whole),
            (self._count, self._table, now.keys, now.totals, now.gaps),
            (self._n_out, out.keys, out.totals, out.gaps),
        )

    def _take_out(self) -> None:
        n = int(self._n_out[0])
        if n:
            self._held.append(self._out.take(np.arange(n)))
        self._n_out[0] = 0

    def _end(self, rows: Bool) -> None:
        """Hand over open records as idle or closed, and forget them."""
        now = self._open.take(slice(self.n_open))
        ended, left = now.take(rows), now.take(~rows)
        ended.totals[:, END] = np.where(_closed(ended.totals), CLOSED, IDLE)
        self._held.append(ended)
        self._reset(left)

    def _grow(self) -> None:
        """Make room for twice as many open records."""
        self._reset(self._open.take(slice(self.n_open)))

    def _reset(self, left: Finished) -> None:
        """Keep only these open records."""
        size = _FIRST_SIZE
        while size <= len(left):
            size *= 2
        if size == len(self._open):
            self._table.fill(-1)
        else:
            self._open = _room(size)
            self._table = np.full(4 * size, -1, dtype=np.int32)
        now, n = self._open, len(left)
        now.keys[:n], now.totals[:n], now.gaps[:n] = left.keys, left.totals, left.gaps
        self._count[0] = n
        fill(n, self._table, now.keys)

    def _released(self) -> Finished:
        """Return what is held, by start, up to the first record that is open."""
        if not self._held:
            return _room(0)
        every = _by_start(joined(self._held))
        cut = len(every)
        if self.n_open:
            first_ns = self._open.totals[: self.n_open, START].min()
            cut = int(np.searchsorted(every.totals[:, START], first_ns))
        self._held = [every.take(slice(cut, None))] if cut < len(every) else []
        return every.take(slice(cut))


def _by_start(every: Finished) -> Finished:
    order = np.lexsort((every.totals[:, NUMBER], every.totals[:, START]))
    return every.take(order)


def middle_of(time_ns: Int64) -> int:
    """Return the stamp that time has passed to: one alone may be far off."""
    half = time_ns.size // 2
    return int(np.partition(time_ns, half)[half])


def _closed(totals: Int64) -> Bool:
    sent, received = totals[:, FLAGS], totals[:, FLAGS + 1]
    reset = (sent | received) & RST != 0
    return np.asarray(reset | (sent & received & FIN != 0), dtype=np.bool_)
