"""Packets to flow records, as a metering point with timeouts makes them.

A record ends when nothing has come for the idle timeout, when it is older than the
active timeout, or when its connection is closed. What is still open at the end of a
day is carried over to the next.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from testbed.virtual.homes.segments import (
    I64,
    Bool,
    Packets,
    joined,
    no_packets,
)
from testbed.virtual.homes.sheet import FIN, RST

F64 = NDArray[np.float64]

ACTIVE_S, IDLE_S = 60.0, 15.0
END_WORDS = ("idle", "active", "closed", "capture")
_IDLE, _ACTIVE, _CLOSED, _CAPTURE = range(4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """Flow records as columns, by start; `number` is that of their connection."""

    number: I64
    start_ns: I64
    end_ns: I64
    outbound: Bool  # the device sent the first packet of the record
    packets: I64  # (2, n): out, in
    bytes: I64  # (2, n), frames on the wire
    payload_b: I64  # (2, n)
    flags: I64  # (2, n)
    gaps_s: F64  # (4, n): mean, std, min, max
    end: I64

    def chosen(self, rows: Bool | I64) -> "Records":
        """Return some of the records."""
        return Records(**{n: getattr(self, n)[..., rows] for n in _COLUMNS})


_COLUMNS = tuple(Records.__dataclass_fields__)


@dataclass(slots=True)
class Meter:
    """Makes records of packets that come day by day."""

    active_s: float = ACTIVE_S
    idle_s: float = IDLE_S
    _open: Packets = field(default_factory=no_packets)
    _held: list[Records] = field(default_factory=list)

    def records(self, packets: Packets, until_ns: int, *, last: bool) -> Records:
        """Return the records that are complete before `until_ns`, by start.

        packets  of this day; whatever passes after `until_ns` waits for the next call
        last     end everything with the capture; later packets are not captured
        """
        packets = joined((self._open, packets)).sorted()
        late = packets.time_ns >= until_ns
        self._open = no_packets() if last else packets.chosen(late)
        packets = packets.chosen(~late)
        first = _first_rows(packets, self.active_s, self.idle_s)
        made = _summed(packets, first, self.idle_s)
        gone = np.full(len(first), True)
        if last:
            settled_ns = until_ns - round(self.idle_s * 1e9)
            made.end[(made.end == _IDLE) & (made.end_ns > settled_ns)] = _CAPTURE
        else:
            gone = self._complete(made, packets, first, until_ns)
        self._held.append(made.chosen(gone))
        return self._released(made.chosen(~gone))

    def _complete(
        self, made: Records, packets: Packets, first: I64, until_ns: int
    ) -> Bool:
        """Keep the packets of records that may go on; say which records do not."""
        settled_ns = until_ns - round(self.idle_s * 1e9)
        may_go_on = (made.end != _ACTIVE) & (made.end_ns > settled_ns)
        size = np.diff(np.append(first, len(packets)))
        self._open = joined((packets.chosen(np.repeat(may_go_on, size)), self._open))
        complete: Bool = ~may_go_on
        return complete

    def _released(self, waiting: Records) -> Records:
        """Return what is held, by start, up to the first record that is still open."""
        held = self._held
        every = Records(
            **{n: np.concatenate([getattr(h, n) for h in held], -1) for n in _COLUMNS}
        )
        every = every.chosen(np.lexsort((every.number, every.start_ns)))
        cut = len(every.start_ns)
        if len(waiting.start_ns):
            cut = int(np.searchsorted(every.start_ns, waiting.start_ns.min()))
        rows = np.arange(len(every.start_ns))
        self._held = [every.chosen(rows[cut:])]
        return every.chosen(rows[:cut])


def _first_rows(packets: Packets, active_s: float, idle_s: float) -> I64:
    """Return the row of each record's first packet."""
    if not len(packets):
        return np.zeros(0, dtype=np.int64)
    time_ns = packets.time_ns
    new = np.diff(packets.number, prepend=-1) != 0
    new[1:] |= np.diff(time_ns) > round(idle_s * 1e9)
    first = np.flatnonzero(new)
    span_ns = time_ns[np.append(first[1:], len(time_ns)) - 1] - time_ns[first]
    cuts: list[int] = []
    active_ns = round(active_s * 1e9)
    ends = np.append(first[1:], len(time_ns))
    for begin, end in zip(
        first[span_ns >= active_ns], ends[span_ns >= active_ns], strict=True
    ):
        at = int(begin)
        while True:
            step = np.searchsorted(time_ns[at:end], time_ns[at] + active_ns)
            at += int(step)
            if at >= end:
                break
            cuts.append(at)
    return np.sort(np.concatenate((first, np.array(cuts, dtype=np.int64))))


def _summed(packets: Packets, first: I64, idle_s: float) -> Records:
    """Return the records of packets that are cut at `first`."""
    n = len(first)
    if not n:
        none = np.zeros((2, 0), dtype=np.int64)
        flat = none[0]
        return Records(
            number=flat,
            start_ns=flat,
            end_ns=flat,
            outbound=flat.astype(np.bool_),
            packets=none,
            bytes=none,
            payload_b=none,
            flags=none,
            gaps_s=np.zeros((4, 0)),
            end=flat,
        )
    last = np.append(first[1:], len(packets)) - 1
    sides = (packets.out, ~packets.out)

    def both(column: I64) -> I64:
        parts = [np.add.reduceat(column * side, first) for side in sides]
        return np.stack(parts).astype(np.int64)

    flags = [np.bitwise_or.reduceat(packets.flags * side, first) for side in sides]
    closed = (np.stack(flags) & FIN).all(axis=0) | ((flags[0] | flags[1]) & RST != 0)
    goes_on = np.append(packets.number[first[1:]] == packets.number[first[:-1]], False)
    gap_ns = np.append(packets.time_ns[first[1:]], 0) - packets.time_ns[last]
    full = goes_on & (gap_ns <= round(idle_s * 1e9))
    return Records(
        number=packets.number[first],
        start_ns=packets.time_ns[first],
        end_ns=packets.time_ns[last],
        outbound=packets.out[first],
        packets=both(np.ones(len(packets), dtype=np.int64)),
        bytes=both(packets.frame_b),
        payload_b=both(packets.payload_b),
        flags=np.stack(flags),
        gaps_s=_gaps(packets.time_ns, first, last),
        end=np.select([closed, full], [_CLOSED, _ACTIVE], default=_IDLE),
    )


def _gaps(time_ns: I64, first: I64, last: I64) -> F64:
    """Return mean, standard deviation, least and largest gap of each record, in s."""
    out = np.full((4, len(first)), np.nan)
    many = last > first
    if not many.any():
        return out
    gap_s = np.append(np.diff(time_ns), 0) / 1e9
    gap_s[last] = 0.0
    n = (last - first)[many]
    total = np.add.reduceat(gap_s, first)[many]
    mean = total / n
    centred = gap_s - np.repeat(
        np.where(many, np.nan_to_num(_spread(mean, many)), 0.0), last - first + 1
    )
    centred[last] = 0.0
    square = np.add.reduceat(centred**2, first)[many]
    low = gap_s.copy()
    low[last] = np.inf
    out[0, many] = mean
    out[1, many] = np.sqrt(square / n)
    out[2, many] = np.minimum.reduceat(low, first)[many]
    out[3, many] = np.maximum.reduceat(gap_s, first)[many]
    return out


def _spread(values: F64, rows: Bool) -> F64:
    full = np.zeros(len(rows))
    full[rows] = values
    return full
