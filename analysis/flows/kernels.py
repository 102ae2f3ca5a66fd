"""Kernels of the meter: packets added to open records, one after the other.

The rule of a new connection on used ports is that of `analysis.pcap.conversations`,
said again: a kernel calls only kernels of its own file.
"""

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

IDLE, ACTIVE, CLOSED, CAPTURE = range(4)  # rows of `records.ENDS`
# columns of totals; those of a pair are out and in, of BASES the lower and higher end
NUMBER, START, LAST, PACKETS, BYTES, PAYLOAD, FLAGS, TTL = 0, 1, 2, 3, 5, 7, 9, 11
OUTBOUND, SIDE, BASES, END = 13, 14, 15, 17
TOTALS = 18
MEAN, SQUARES, LEAST, MOST = range(4)  # columns of gaps
FIN, RST = 1, 4
_SYN, _ACK = 2, 16
_GOES_ON, _NEW = -1, -2
# odd numbers that spread the bits of a product
_ODD = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(29)


@kernel
def add_packets(
    first: int,
    ends: tuple[Uint8, Uint64, Uint64, Uint16, Uint16],
    values: tuple[Int64, Int64, Int64, Bool, Uint8],
    segments: tuple[Bool, Uint8, Uint32, Uint32],
    rule: tuple[int, int, bool],
    state: tuple[Int64, Int32, Uint64, Int64, Float64],
    out: tuple[Int64, Uint64, Int64, Float64],
) -> int:
    """Add packets from row `first` on; return the row where room ran out.

    ends, values, segments  columns of `Packets`, in its order but for the protocol
    rule   idle and active timeout, whether there is no device
    state  how many are open, were ever opened; hash table; open records
    out    how many are finished; finished records
    """
    protocol, src, dst, src_port, dst_port = ends
    time_ns, length_b, payload_b, outbound, ttl = values
    segment, flags, seq, ack = segments
    count, table, keys, totals, gaps = state
    key = np.zeros(5, dtype=np.uint64)
    for i in range(first, protocol.size):
        if count[0] >= len(keys) or out[0][0] >= len(out[1]):
            return i
        if protocol[i] == 0:
            continue
        turned = _order(key, src[i], dst[i], (src_port[i], dst_port[i]), protocol[i])
        r, is_new = _row_of(key, count, table, keys)
        why = _NEW if is_new else _over(totals[r], time_ns[i], rule)
        base = totals[r, BASES + turned] if segment[i] and not is_new else 0
        if _starts_anew(base, flags[i], seq[i]):
            why = IDLE
        if why >= 0:
            _hand_over(key, totals[r], gaps[r], why, out)
        if why != _GOES_ON:
            side = turned if rule[2] or outbound[i] else 1 - turned
            _begin(totals[r], gaps[r], (count, time_ns[i]), why == ACTIVE, side)
        sent = turned == totals[r, SIDE] if rule[2] else outbound[i]
        way = 0 if sent else 1
        _take_time(totals[r], gaps[r], time_ns[i], way)
        _take_sizes(totals[r], way, (length_b[i], payload_b[i], flags[i], ttl[i]))
        if segment[i]:
            _set_bases(totals[r], BASES + turned, seq[i], ack[i], flags[i])
    return protocol.size


@kernel
def _row_of(
    key: Uint64, count: Int64, table: Int32, keys: Uint64
) -> tuple[np.int64, bool]:
    """Return the row of an open record, and whether it was taken for this key."""
    slot = _find(key, table, keys)
    r = np.int64(table[slot])
    if r >= 0:
        return r, False
    r = count[0]
    count[0], table[slot], keys[r] = r + 1, r, key
    return r, True


@kernel
def _hand_over(
    key: Uint64,
    total: Int64,
    gap: Float64,
    why: int,
    out: tuple[Int64, Uint64, Int64, Float64],
) -> None:
    """Write a record that is over to the next row of `out`."""
    n_out, keys, totals, gaps = out
    at = n_out[0]
    n_out[0] = at + 1
    total[END] = CLOSED if _is_closed(total) else why
    keys[at], totals[at], gaps[at] = key, total, gap


@kernel
def _over(total: Int64, now_ns: Int, rule: tuple[int, int, bool]) -> int:
    """Say why a record is over before a packet of this stamp, or goes on."""
    gap_ns = now_ns - total[LAST]
    if gap_ns > rule[0] or -gap_ns > rule[0]:  # or the clock was set back
        return IDLE
    return ACTIVE if now_ns - total[START] >= rule[1] else _GOES_ON


@kernel
def _is_closed(total: Int64) -> bool:
    sent, received = total[FLAGS], total[FLAGS + 1]
    return bool((sent | received) & RST != 0 or sent & received & FIN != 0)


@kernel
def _begin(
    total: Int64, gap: Float64, at: tuple[Int64, Int], goes_on: bool, side: Int
) -> None:
    """Clear a row for a new record; of a connection that goes on some is still true.

    at  how many are open, were ever opened; stamp
    """
    if goes_on:
        side = total[SIDE]
    low, high = total[BASES], total[BASES + 1]
    total[:] = 0
    gap[:] = 0.0
    total[SIDE], total[NUMBER], total[START] = side, at[0][1], at[1]
    at[0][1] += 1
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
def _take_sizes(total: Int64, way: int, sizes: tuple[Int, Int, Int, Int]) -> None:
    """Take bytes, payload, flags and TTL, of which the least that is known is kept."""
    length_b, payload_b, flags, ttl = sizes
    total[BYTES + way] += length_b
    total[PAYLOAD + way] += payload_b
    total[FLAGS + way] |= np.int64(flags)
    if ttl > 0 and (total[TTL + way] == 0 or ttl < total[TTL + way]):
        total[TTL + way] = ttl


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
def fill(count: int, table: Int32, keys: Uint64) -> None:
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
