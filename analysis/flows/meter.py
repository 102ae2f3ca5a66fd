"""Packets to flow records, as a metering point with timeouts makes them.

A record ends when nothing has come for the idle timeout, when a packet comes that is
the active timeout or more behind the first, or when its ports are used again: a SYN
with another sequence number, by the rule of tshark. Without timeouts records are the
conversations of tshark. FIN and RST do not end a record, they only say how it ended:
what follows within the idle timeout, as the last ACK, still belongs to it.

Memory grows with the records that are open, not with packets or with records.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from analysis.pcap.jit import kernel

Bool = NDArray[np.bool_]
Float64 = NDArray[np.float64]
Int = int | np.int64  # what numba makes one of
Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]
Uint8 = NDArray[np.uint8]
Uint16 = NDArray[np.uint16]
Uint32 = NDArray[np.uint32]
Uint64 = NDArray[np.uint64]

NEVER_NS = (1 << 63) - 1
IDLE, ACTIVE, CLOSED, CAPTURE = range(4)  # rows of `records.ENDS`
# columns of totals; those of a pair are out and in, of BASES the lower and higher end
NUMBER, START, LAST, PACKETS, BYTES, PAYLOAD, FLAGS, TTL = 0, 1, 2, 3, 5, 7, 9, 11
OUTBOUND, SIDE, BASES, END = 13, 14, 15, 17
_TOTALS = 18
MEAN, SQUARES, LEAST, MOST = range(4)  # columns of gaps
_FIRST_SIZE = 1024
_OUT = 4096  # records that are handed over together, at most
_FIN, _SYN, _RST, _ACK = 1, 2, 4, 16
# odd numbers that spread the bits of a product
_ODD = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(29)


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
    totals  (k, 18) int64, columns as named in this module
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


def _joined(parts: list[Finished]) -> Finished:
    return Finished(
        keys=np.concatenate([part.keys for part in parts]),
        totals=np.concatenate([part.totals for part in parts]),
        gaps=np.concatenate([part.gaps for part in parts]),
    )


def _room(size: int) -> Finished:
    # zeros of the system: pages that nothing is written to take no memory
    return Finished(
        keys=np.zeros((size, 5), dtype=np.uint64),
        totals=np.zeros((size, _TOTALS), dtype=np.int64),
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
        while done < n:
            done = self._step(packets, done)
            if self._n_out[0] == _OUT:
                self._take_out()
            if done < n and self._count[0] == len(self._open):
                self._grow()
        if n:
            self._take_out()
            return self.pass_time(int(packets.time_ns[-1]))
        return self._released()

    def pass_time(self, now_ns: int) -> Finished:
        """End what has been idle for too long; return what is complete, by start."""
        if self.idle_ns != NEVER_NS:
            last_ns = self._open.totals[: self.n_open, LAST]
            silent = np.abs(now_ns - last_ns) > self.idle_ns
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
        return _meter(
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
        _fill(n, self._table, now.keys)

    def _released(self) -> Finished:
        """Return what is held, by start, up to the first record that is open."""
        if not self._held:
            return _room(0)
        every = _joined(self._held)
        order = np.lexsort((every.totals[:, NUMBER], every.totals[:, START]))
        cut = order.size
        if self.n_open:
            first_ns = self._open.totals[: self.n_open, START].min()
            cut = int(np.searchsorted(every.totals[order, START], first_ns))
        self._held = [every.take(order[cut:])] if cut < order.size else []
        return every.take(order[:cut])


def _closed(totals: Int64) -> Bool:
    sent, received = totals[:, FLAGS], totals[:, FLAGS + 1]
    reset = (sent | received) & _RST != 0
    return np.asarray(reset | (sent & received & _FIN != 0), dtype=np.bool_)


@kernel
def _meter(
    first: int,
    ends: tuple[Uint8, Uint64, Uint64, Uint16, Uint16],
    values: tuple[Int64, Int64, Int64, Bool, Uint8],
    segments: tuple[Bool, Uint8, Uint32, Uint32],
    rule: tuple[int, int, bool],
    state: tuple[Int64, Int32, Uint64, Int64, Float64],
    out: tuple[Int64, Uint64, Int64, Float64],
) -> int:
    """Add packets from row `first` on; return the row where room ran out.

    ends      protocol, source and destination: addresses, ports
    values    stamp, bytes, payload, sent by the device, TTL
    segments  where there is a TCP header; flags, sequence and acknowledgement numbers
    rule      idle and active timeout, whether there is no device
    state     how many are open and were ever opened; hash table; open records
    out       how many are finished; finished records
    """
    protocol, src, dst, src_port, dst_port = ends
    time_ns, length_b, payload_b, outbound, ttl = values
    segment, flags, seq, ack = segments
    count, table, keys, totals, gaps = state
    n_out, out_keys, out_totals, out_gaps = out
    key = np.zeros(5, dtype=np.uint64)
    for i in range(first, protocol.size):
        if count[0] >= len(keys) or n_out[0] >= len(out_keys):
            return i
        if protocol[i] == 0:
            continue
        turned = _order(key, src[i], dst[i], (src_port[i], dst_port[i]), protocol[i])
        slot = _find(key, table, keys)
        r = np.int64(table[slot])
        why = -2
        if r < 0:
            r = count[0]
            count[0], table[slot], keys[r] = r + 1, r, key
        else:
            anew = segment[i] and _starts_anew(
                totals[r, BASES + turned], flags[i], seq[i]
            )
            why = IDLE if anew else _over(totals[r], time_ns[i], rule)
        if why >= 0:
            at = n_out[0]
            n_out[0] = at + 1
            totals[r, END] = CLOSED if _is_closed(totals[r]) else why
            out_keys[at], out_totals[at], out_gaps[at] = key, totals[r], gaps[r]
        if why != -1:
            side = turned if rule[2] or outbound[i] else 1 - turned
            _begin(totals[r], gaps[r], why == ACTIVE, side)
            totals[r, NUMBER], totals[r, START] = count[1], time_ns[i]
            count[1] += 1
        sent = turned == totals[r, SIDE] if rule[2] else outbound[i]
        way = 0 if sent else 1
        _take_time(totals[r], gaps[r], time_ns[i], way)
        totals[r, BYTES + way] += length_b[i]
        totals[r, PAYLOAD + way] += payload_b[i]
        totals[r, FLAGS + way] |= np.int64(flags[i])
        _take_ttl(totals[r], TTL + way, np.int64(ttl[i]))
        if segment[i]:
            _set_bases(totals[r], BASES + turned, seq[i], ack[i], flags[i])
    return protocol.size


@kernel
def _over(total: Int64, now_ns: Int, rule: tuple[int, int, bool]) -> int:
    """Say why a record is over before a packet of this stamp; -1 when it is not."""
    gap_ns = now_ns - total[LAST]
    if gap_ns > rule[0] or -gap_ns > rule[0]:  # or the clock was set back
        return IDLE
    return ACTIVE if now_ns - total[START] >= rule[1] else -1


@kernel
def _is_closed(total: Int64) -> bool:
    sent, received = total[FLAGS], total[FLAGS + 1]
    return bool((sent | received) & _RST != 0 or sent & received & _FIN != 0)


@kernel
def _begin(total: Int64, gap: Float64, goes_on: bool, side: int) -> None:
    """Clear a row for a new record; of a connection that goes on some is still true."""
    if goes_on:
        side = total[SIDE]
    low, high = total[BASES], total[BASES + 1]
    total[:] = 0
    gap[:] = 0.0
    total[SIDE] = side
    if goes_on:
        total[BASES], total[BASES + 1] = low, high


@kernel
def _take_time(total: Int64, gap: Float64, now_ns: Int, way: int) -> None:
    """Count a packet, and the gap before it by the method of Welford."""
    n = total[PACKETS] + total[PACKETS + 1]
    total[PACKETS + way] += 1
    if n == 0:
        total[LAST] = now_ns
        total[OUTBOUND] = 1 - way
        return
    gap_s = max(now_ns - total[LAST], 0) / 1e9
    total[START] = min(total[START], now_ns)
    total[LAST] = max(total[LAST], now_ns)
    above = gap_s - gap[MEAN]
    gap[MEAN] += above / n
    gap[SQUARES] += above * (gap_s - gap[MEAN])
    gap[LEAST] = gap_s if n == 1 else min(gap[LEAST], gap_s)
    gap[MOST] = max(gap[MOST], gap_s)


@kernel
def _take_ttl(total: Int64, at: int, ttl: Int) -> None:
    if ttl > 0 and (total[at] == 0 or ttl < total[at]):
        total[at] = ttl


@kernel
def _order(
    key: Uint64, src: Uint64, dst: Uint64, ports: tuple[Int, Int], protocol: Int
) -> int:
    """Write the lower endpoint first; return 1 when that is the receiver, else 0."""
    turned = 0
    if src[0] != dst[0]:
        turned = 1 if src[0] > dst[0] else 0
    elif src[1] != dst[1]:
        turned = 1 if src[1] > dst[1] else 0
    elif ports[0] > ports[1]:
        turned = 1
    low, high = (dst, src) if turned else (src, dst)
    key[0], key[1], key[2], key[3] = low[0], low[1], high[0], high[1]
    low_port, high_port = np.uint64(ports[turned]), np.uint64(ports[1 - turned])
    key[4] = low_port << np.uint64(32) | high_port << np.uint64(16)
    key[4] |= np.uint64(protocol)
    return turned


@kernel
def _find(key: Uint64, table: Int32, keys: Uint64) -> Int:
    """Return the slot of a key, or the free one where it belongs."""
    mixed = np.uint64(0)
    for part in key:
        mixed = (mixed ^ part) * _ODD
        mixed ^= mixed >> _SHIFT
    last = table.size - 1
    slot = np.int64(mixed & np.uint64(last))
    while table[slot] >= 0 and not _is_same(key, keys[table[slot]]):
        slot = (slot + 1) & last
    return slot


@kernel
def _is_same(one: Uint64, two: Uint64) -> bool:
    address = one[0] == two[0] and one[1] == two[1]
    other = one[2] == two[2] and one[3] == two[3]
    return bool(address and other and one[4] == two[4])


@kernel
def _fill(count: int, table: Int32, keys: Uint64) -> None:
    """Enter all open records into an empty table."""
    for r in range(count):
        table[_find(keys[r], table, keys)] = r


@kernel
def _starts_anew(base: Int, flags: Int, seq: Int) -> bool:
    """Say whether a segment of a known connection is the SYN of a new one."""
    is_syn = flags & (_SYN | _ACK) == _SYN
    return bool(is_syn and base != 0 and base != np.int64(seq) + 1)


@kernel
def _set_bases(total: Int64, own: int, seq: Int, ack: Int, flags: Int) -> None:
    """Remember with which number each side began, plus one; 0 is unknown."""
    syn = flags & _SYN != 0
    other = 2 * BASES + 1 - own
    if total[own] == 0 or (syn and flags & _ACK):
        start = np.int64(seq) if syn else (np.int64(seq) - 1) & 0xFFFFFFFF
        total[own] = start + 1
    if total[other] == 0 and flags & _ACK:
        total[other] = ((np.int64(ack) - 1) & 0xFFFFFFFF) + 1
