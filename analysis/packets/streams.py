"""Which packets belong to one flow, and which TCP payload was already seen."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Bool = NDArray[np.bool_]
Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]
Uint64 = NDArray[np.uint64]

_SYN, _TCP = 0x02, 6
_WRAP = 1 << 32
# an odd number near 2^64 / golden ratio, so that a product spreads its bits
_ODD = np.uint64(0x9E3779B97F4A7C15)


def flow_numbers(
    *,
    protocol: NDArray[np.uint8],
    src: Uint64,
    dst: Uint64,
    src_port: NDArray[np.uint16],
    dst_port: NDArray[np.uint16],
) -> Int32:
    """Give each 5-tuple, both directions alike, a number in order of appearance.

    protocol            (n,) uint8; 0 (not IP) gets -1
    src, dst            (n, 2) uint64, addresses
    src_port, dst_port  (n,) uint16
    returns             (n,) int32
    """
    flow = np.full(protocol.shape, -1, dtype=np.int32)
    ip = np.flatnonzero(protocol)
    if not ip.size:
        return flow
    ends = []
    for address, port in ((src, src_port), (dst, dst_port)):
        ends.append((address[ip, 0], address[ip, 1], port[ip].astype(np.uint64)))
    swap = _is_greater(ends[0], ends[1])
    key = np.empty((ip.size, 7), dtype=np.uint64)
    for column in range(3):
        one, two = ends[0][column], ends[1][column]
        key[:, column] = np.where(swap, two, one)
        key[:, column + 3] = np.where(swap, one, two)
    key[:, 6] = protocol[ip]
    first, number = group_rows(key)
    order = np.empty(first.size, dtype=np.int32)
    order[np.argsort(first)] = np.arange(first.size, dtype=np.int32)
    flow[ip] = order[number]
    return flow


def group_rows(key: Uint64) -> tuple[Int64, Int64]:
    """Find equal rows.

    key      (n, c) uint64
    returns  row where each group is first seen, (g,) int64 in no particular order, and
             the group of each row, (n,) int64
    """
    mixed = np.zeros(len(key), dtype=np.uint64)
    for column in range(key.shape[1]):
        mixed = (mixed ^ key[:, column]) * _ODD
        mixed ^= mixed >> np.uint64(31)
    _values, first, group = np.unique(mixed, return_index=True, return_inverse=True)
    if (key[first][group] != key).any():  # two rows that differ mixed to one number
        _rows, first, group = np.unique(
            key, axis=0, return_index=True, return_inverse=True
        )
    return first.astype(np.int64), group.reshape(-1).astype(np.int64)


def _is_greater(one: tuple[Uint64, ...], two: tuple[Uint64, ...]) -> Bool:
    """Compare (high, low, port) of two endpoints, elementwise."""
    greater = one[2] > two[2]
    for column in (1, 0):
        equal = one[column] == two[column]
        greater = np.where(equal, greater, one[column] > two[column])
    return greater


def seen_before(
    *,
    flow: Int32,
    outbound: Bool,
    protocol: NDArray[np.uint8],
    tcp_flags: NDArray[np.uint8],
    seq: NDArray[np.uint32],
    payload_b: NDArray[np.uint32],
) -> Bool:
    """Mark TCP payload of which every byte was already seen in its direction.

    Packets are in order of time. A keep-alive (one byte just below what is next) is no
    retransmission. A SYN starts its direction anew, for the ports may be used again.

    all      (n,) columns of a packet table, and the sequence numbers
    returns  (n,) bool
    """
    seen = np.zeros(flow.shape, dtype=bool)
    syn = (tcp_flags & _SYN) != 0
    tcp = np.flatnonzero((protocol == _TCP) & ((payload_b > 0) | syn) & (flow >= 0))
    if not tcp.size:
        return seen
    side = flow[tcp].astype(np.int64) * 2 + outbound[tcp]
    order = np.argsort(side, kind="stable")
    tcp, side = tcp[order], side[order]
    new = np.concatenate(([True], side[1:] != side[:-1])) | syn[tcp]
    run = np.cumsum(new) - 1
    start = _unwrapped(seq[tcp].astype(np.int64) + syn[tcp], new)
    end = start + payload_b[tcp]
    suspect = _ends_below_top(end, run) & (payload_b[tcp] > 0)
    first = np.flatnonzero(new)
    last = np.append(first[1:], tcp.size)
    for number in np.unique(run[suspect]):
        part = slice(int(first[number]), int(last[number]))
        spans = zip(start[part].tolist(), end[part].tolist(), strict=True)
        received = Received()
        seen[tcp[part]] = [received.add(*span) for span in spans]
    return seen


def _unwrapped(seq: Int64, new: Bool) -> Int64:
    """Turn 32-bit sequence numbers into ones that never wrap, within each run."""
    step = np.diff(seq, prepend=seq[:1])
    step = (step + _WRAP // 2) % _WRAP - _WRAP // 2
    step[new] = 0
    return np.asarray(np.cumsum(step), dtype=np.int64)


def _ends_below_top(end: Int64, run: Int64) -> Bool:
    """Say which packets end at or below the highest end before them in their run."""
    if not end.size:
        return np.zeros(0, dtype=bool)
    # lift each run above all earlier ones, so that one running maximum serves them all
    reach = int(end.max() - end.min()) + 1
    lifted = end - end.min() + run * reach
    top = np.maximum.accumulate(lifted)
    below = np.zeros(end.shape, dtype=bool)
    below[1:] = (lifted[1:] <= top[:-1]) & (run[1:] == run[:-1])
    return below


@dataclass(slots=True)
class Received:
    """Bytes of one direction that were seen: up to `top`, but for the `holes`."""

    top: int | None = None
    bottom: int = 0
    holes: list[tuple[int, int]] = field(default_factory=list)

    def add(self, start: int, end: int) -> bool:
        """Take bytes [start, end); return whether all of them were seen before."""
        if self.top is None:
            self.bottom, self.top = start, end
            return False
        if end <= start:
            return False
        keep_alive = end - start == 1 and end == self.top
        seen = self.bottom <= start and end <= self.top and not self._fill(start, end)
        if start < self.bottom:
            if end < self.bottom:
                self.holes.append((end, self.bottom))
            self._fill(self.bottom, end)
            self.bottom = start
        if start > self.top:
            self.holes.append((self.top, start))
        elif end > self.top:
            self._fill(start, self.top)
        self.top = max(self.top, end)
        return seen and not keep_alive

    def _fill(self, start: int, end: int) -> bool:
        """Close the holes in [start, end); return whether there was one."""
        if not self.holes:
            return False
        left: list[tuple[int, int]] = []
        hit = False
        for low, high in self.holes:
            if high <= start or low >= end:
                left.append((low, high))
                continue
            hit = True
            left.extend(p for p in ((low, start), (end, high)) if p[0] < p[1])
        self.holes = left
        return hit
