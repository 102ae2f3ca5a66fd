"""Features of packets that come piece by piece, in the memory of the open windows.

names, x, n_packets, sequence = features_over(pieces_in_order_of_time, windows)
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.features.matrix import compute, feature_names, longest_of
from analysis.features.model import (
    Bool,
    Float64,
    Int64,
    Located,
    Spans,
    UInt8,
    UInt32,
    WindowPackets,
    read_only,
)
from analysis.features.sequence import Cells, counted, joined
from analysis.features.statistics import is_sorted


def features_over(
    chunks: Iterable[Located], windows: Spans, *, longest_s: float | None = None
) -> tuple[tuple[str, ...], Float64, Int64, Any]:
    """Compute what `features_of` and `sequence_of` do for every window.

    chunks   pieces of one packet table, sorted and following each other in time; of
             equal stamps at a seam the order is kept
    windows  in any order, overlapping or not; once all have ended, reading stops
    longest_s  delay of a packet that does not come; that of the longest window here by
             default
    returns  f names, (k, f) float64, (k,) int64 packets per window, and the (k, v)
             csr_array of the sequence

    Kept are the packets since the start of the earliest window that has not ended.
    Raises ValueError when packets are not in order of time.
    """
    done = _Windows(windows, longest_s)
    pending = _Pending()
    for chunk in chunks:
        time_ns = read_only(chunk.time_ns, np.int64)
        if not time_ns.size:
            continue
        if time_ns[0] < pending.until_ns or not is_sorted(time_ns):
            raise ValueError("packets must be sorted by time, within and over chunks")
        pending.append(chunk, int(np.searchsorted(time_ns, done.needed_from_ns)))
        done.close(pending, int(time_ns[-1]))
        if not done.n_open:
            break
        pending.forget(done.needed_from_ns)
    done.close(pending, None)
    return feature_names(), done.x, done.n_packets, done.sequence()


class _Windows:
    """Windows in the order in which they end, with the features of those that have.

    x, n_packets  rows of windows in the order that they were given in
    """

    def __init__(self, windows: Spans, longest_s: float | None) -> None:
        k = windows.start_ns.size
        self.x: Float64 = np.zeros((k, len(feature_names())))
        self.n_packets: Int64 = np.zeros(k, dtype=np.int64)
        here_s = longest_of(windows.start_ns, windows.end_ns)
        self._longest_s = here_s if longest_s is None else longest_s
        self._order = np.argsort(windows.end_ns, kind="stable")
        self._start_ns = windows.start_ns[self._order]
        self._end_ns = windows.end_ns[self._order]
        # the earliest start of each window and all that end after it
        self._earliest_ns = np.minimum.accumulate(self._start_ns[::-1])[::-1]
        self._n_ended = 0
        self._cells: list[Cells] = []

    def sequence(self) -> Any:
        """Return (k, v) csr_array, once all windows have ended."""
        rows = np.empty_like(self._order)
        rows[self._order] = np.arange(rows.size)
        return joined(self._cells)[rows]

    @property
    def n_open(self) -> int:
        """Windows that have not ended."""
        return self._order.size - self._n_ended

    @property
    def needed_from_ns(self) -> int:
        """No open window needs a packet before this."""
        if not self.n_open:
            return int(np.iinfo(np.int64).max)
        return int(self._earliest_ns[self._n_ended])

    def close(self, pending: "_Pending", now_ns: int | None) -> None:
        """Compute the windows that end until `now_ns`, or all that are left."""
        n_ended = self._order.size
        if now_ns is not None:
            n_ended = int(np.searchsorted(self._end_ns, now_ns, side="right"))
        if n_ended <= self._n_ended:
            return
        ending = slice(self._n_ended, n_ended)
        start_ns, end_ns = self._start_ns[ending], self._end_ns[ending]
        first = np.searchsorted(pending.time_ns, start_ns)
        last = np.maximum(first, np.searchsorted(pending.time_ns, end_ns))
        rows = self._order[ending]
        self.n_packets[rows] = last - first
        self.x[rows] = compute(
            WindowPackets(
                start_ns=start_ns,
                length_s=(end_ns - start_ns) / 1e9,
                longest_s=self._longest_s,
                first=first,
                last=last,
                time_ns=pending.time_ns,
                length_b=pending.length_b,
                outbound=pending.outbound,
            )
        )
        self._cells += counted(
            first, last, pending.length_b, pending.outbound, pending.destination
        )
        self._n_ended = n_ended


class _Pending:
    """Packets that an open window needs, at the end of arrays with room for more."""

    def __init__(self) -> None:
        self.until_ns = int(np.iinfo(np.int64).min)
        self._columns: tuple[NDArray[Any], ...] = (
            np.zeros(0, dtype=np.int64),
            np.zeros(0, dtype=np.uint32),
            np.zeros(0, dtype=np.bool_),
            np.zeros(0, dtype=np.uint8),
        )
        self._rows = slice(0, 0)

    @property
    def time_ns(self) -> Int64:
        """(n,) int64."""
        return self._columns[0][self._rows]

    @property
    def length_b(self) -> UInt32:
        """(n,) uint32."""
        return self._columns[1][self._rows]

    @property
    def outbound(self) -> Bool:
        """(n,) bool."""
        return self._columns[2][self._rows]

    @property
    def destination(self) -> UInt8:
        """(n,) uint8."""
        return self._columns[3][self._rows]

    def append(self, chunk: Located, first: int) -> None:
        """Take the packets of a chunk from row `first` on."""
        self.until_ns = int(chunk.time_ns[-1])
        n = chunk.time_ns.size - first
        if self._rows.stop + n > self._columns[0].size:
            self._make_room(n)
        end = self._rows.stop + n
        new: list[NDArray[Any]] = [
            *(chunk.time_ns, chunk.length_b, chunk.outbound, chunk.destination)
        ]
        for column, values in zip(self._columns, new, strict=True):
            column[self._rows.stop : end] = values[first:]
        self._rows = slice(self._rows.start, end)

    def forget(self, before_ns: int) -> None:
        """Drop the packets before a time."""
        n = int(np.searchsorted(self.time_ns, before_ns))
        self._rows = slice(self._rows.start + n, self._rows.stop)

    def _make_room(self, n: int) -> None:
        """Move to arrays with room for n more, and as much again.

        So each packet is moved about once, however small the chunks are.
        """
        kept = self._rows.stop - self._rows.start
        larger = tuple(np.empty(2 * (kept + n), c.dtype) for c in self._columns)
        for column, new in zip(self._columns, larger, strict=True):
            new[:kept] = column[self._rows]
        self._columns = larger
        self._rows = slice(0, kept)
