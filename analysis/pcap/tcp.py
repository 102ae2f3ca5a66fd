"""Tell retransmissions from segments that are new, as Wireshark's experts do.

The rules are those of tshark 4.0; what they need to remember of a direction is the row
of a table, so that memory does not grow with the packets of a connection:

* keep-alive: at most one byte, no SYN, FIN or RST, one below the next number expected.
* A segment is *old* when it begins below the next number; but one that begins just one
  below it and is longer than a byte follows a window probe, and is not.
* spurious: everything in it has been acknowledged by the last ACK of the other side.
* fast: old, it begins at that ACK, the ACK came twice more, the last time < 20 ms ago.
* out of order: old, it does not end at the next number, and that advanced less than a
  round trip ago (SYN to the first ACK; 3 ms if unknown).
* retransmission: what else is old.

Left out, for they would need lists: tshark stops counting the FIN of a direction with
10,000 segments that were never acknowledged, and lets Multipath TCP repeat an ACK.
"""

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from analysis.pcap.jit import kernel

FIN, SYN, RST, ACK = 1, 2, 4, 16

# columns of `sides`, two rows per conversation
NEXT = 0  # highest sequence number that is expected next; 0 unknown
NEXT_NS = 1  # when it advanced
ACKED = 2  # last ACK number; 0 unknown
ACKED_NS = 3  # when it was sent
REPEATED = 4  # how often that ACK was repeated; _UNSEEN after ACKs of unseen bytes
WINDOW = 5  # last window + 1; 0 unknown
WHOLE = 6  # sequence number up to which nothing is missing; 0 unknown
LAST = 7  # what the last segment was: _KEEP_ALIVE, _PROBE or 0
SIDE_COLUMNS = 8

# columns of `starts`, one row per conversation
SYN_NS = 0  # when the last SYN was sent; 0 never
ROUND_NS = 1  # from that to the first ACK; 0 unknown
START_COLUMNS = 2

_KEEP_ALIVE, _PROBE = 1, 2
_MASK = 0xFFFFFFFF
_HALF = 0x80000000
_UNSEEN = _MASK  # tshark sets an unsigned counter to -1 there, so that it is large
_FAST_NS = 20_000_000
_UNKNOWN_ROUND_NS = 3_000_000

Int = int | np.int64  # what numba makes one of
Flag = bool | np.bool_
# time, sequence and acknowledgement number, flags, window, bytes above TCP
Segment = tuple[Int, Int, Int, Int, Int, Int]
Int64 = NDArray[np.int64]
Uint8 = NDArray[np.uint8]
Uint32 = NDArray[np.uint32]


class Retransmission(IntEnum):
    """What a TCP segment repeats. Every segment is of one class."""

    NONE = 0
    RETRANSMISSION = 1
    FAST = 2
    SPURIOUS = 3
    OUT_OF_ORDER = 4
    KEEP_ALIVE = 5


@kernel
def classify(
    rows: Int64,
    place: tuple[NDArray[np.int32], Uint8],
    packets: tuple[Int64, Uint32, Uint32, Uint8, NDArray[np.uint16], Uint32],
    state: tuple[Int64, Int64],
    code: Uint8,
) -> None:
    """Give the TCP segments of `rows`, which are in order of the file, their class.

    place    conversation, and which of its two ends sends: 0 or 1; each (n,)
    packets  stamps, sequence and acknowledgement numbers, flags, windows, payloads
    state    (2m, SIDE_COLUMNS) and (m, START_COLUMNS), changed
    code     (n,) numbers of `Retransmission`, written
    """
    flow, side = place
    time_ns, seq, ack, flags, window, payload_b = packets
    sides, starts = state
    for i in rows:
        f = np.int64(flow[i])
        segment = (
            time_ns[i],
            np.int64(seq[i]),
            np.int64(ack[i]),
            np.int64(flags[i]),
            np.int64(window[i]),
            np.int64(payload_b[i]),
        )
        own = 2 * f + np.int64(side[i])
        code[i] = _take(sides, own, starts[f, ROUND_NS], segment)
        _time_handshake(starts, f, time_ns[i], np.int64(flags[i]))


@kernel
def _take(sides: Int64, own: Int, round_ns: Int, segment: Segment) -> Int:
    """Classify a segment and remember it."""
    now, _seq, ack, flags, window, size = segment
    if flags & (SYN | ACK) == SYN:
        # a RST may have moved it; the SYN of a new connection finds both unknown
        sides[own, NEXT] = sides[own, WHOLE]
    kind = _kind(sides, own, segment)
    _count_acks(sides, own, ack, flags)
    code: Int = 0
    if kind & _KEEP_ALIVE:
        code = 5
    elif size > 0 or flags & (SYN | FIN):
        code = _judge(sides, own, round_ns, segment)
    _remember(sides, own, segment, kind)
    sides[own, ACKED], sides[own, ACKED_NS] = ack, now
    sides[own, WINDOW] = window + 1
    return code


@kernel
def _before(one: Int, two: Int) -> Flag:
    """Compare two sequence numbers, which wrap."""
    return (one - two) & _MASK >= _HALF


@kernel
def _end(segment: Segment) -> Int:
    """Return the number after a segment; SYN and FIN count like a byte."""
    _now, seq, _ack, flags, _window, size = segment
    return (seq + size + (1 if flags & (SYN | FIN) else 0)) & _MASK


@kernel
def _kind(sides: Int64, own: Int, segment: Segment) -> Int:
    """Recognise probes and keep-alives; count repeated ACKs."""
    _now, seq, ack, flags, window, size = segment
    expected, other = sides[own, NEXT], own ^ 1
    if size == 1 and seq == expected and sides[other, WINDOW] == 1:
        return _PROBE
    if size > 1 or flags & (SYN | FIN | RST):
        return 0
    if seq == (expected - 1) & _MASK:
        return _KEEP_ALIVE
    same = size == 0 and seq == expected and ack == sides[own, ACKED]
    same = same and window > 0 and window + 1 == sides[own, WINDOW]
    # the answer to a keep-alive is no repeated ACK
    if same and not sides[other, LAST] & _KEEP_ALIVE:
        unseen = sides[own, REPEATED] == _UNSEEN
        sides[own, REPEATED] = 1 if unseen else sides[own, REPEATED] + 1
    return 0


@kernel
def _count_acks(sides: Int64, own: Int, ack: Int, flags: Int) -> None:
    """Start counting again at a new ACK; notice one of bytes that were not seen."""
    if ack != sides[own, ACKED]:
        sides[own, REPEATED] = 0
    other = own ^ 1
    whole = sides[other, WHOLE]
    if whole != 0 and flags & ACK and _before(whole, ack):
        if _before(whole, sides[other, NEXT]):
            sides[other, WHOLE] = sides[other, NEXT]
        else:
            sides[other, REPEATED] = _UNSEEN


@kernel
def _judge(sides: Int64, own: Int, round_ns: Int, segment: Segment) -> Int:
    """Return the class of a segment that takes up sequence numbers."""
    now, seq, _ack, _flags, _window, size = segment
    other = own ^ 1
    expected, acked = sides[own, NEXT], sides[other, ACKED]
    if size > 0 and acked != 0 and not _before(acked, seq + size):
        return 3
    old = expected != 0 and _before(seq, expected)
    if not old or (size > 1 and seq == (expected - 1) & _MASK):
        return 0
    repeated = acked == seq and sides[other, REPEATED] >= 2
    if repeated and 0 <= now - sides[other, ACKED_NS] < _FAST_NS:
        return 2
    soon = _is_within(now - sides[own, NEXT_NS], round_ns)
    return 4 if soon and _end(segment) != expected else 1


@kernel
def _is_within(since_ns: Int, round_ns: Int) -> Flag:
    """Compare as tshark does: without signs, so that time that ran back is long."""
    limit_ns = round_ns if round_ns != 0 else _UNKNOWN_ROUND_NS
    return np.uint64(since_ns) < np.uint64(limit_ns)


@kernel
def _remember(sides: Int64, own: Int, segment: Segment, kind: Int) -> None:
    """Advance the next number, and the one up to which nothing is missing."""
    expected, end = sides[own, NEXT], _end(segment)
    if kind & _PROBE == 0:
        if expected == 0 or _before(expected, end):
            sides[own, NEXT], sides[own, NEXT_NS] = end, segment[0]
        if segment[1] == sides[own, WHOLE] or sides[own, WHOLE] == 0:
            sides[own, WHOLE] = sides[own, NEXT]
    sides[own, LAST] = kind


@kernel
def _time_handshake(starts: Int64, f: Int, now: Int, flags: Int) -> None:
    handshake = flags & (SYN | ACK)
    if handshake == SYN:
        starts[f, SYN_NS] = now
    elif handshake == ACK and starts[f, SYN_NS] != 0 and starts[f, ROUND_NS] == 0:
        starts[f, ROUND_NS] = now - starts[f, SYN_NS]
