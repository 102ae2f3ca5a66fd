"""Handshakes of TLS in plain text, of which records part what is one message.

A certificate may lie in two records: what is cut by the header between them is found
where their contents are put together.
"""

from collections.abc import Callable, Iterator
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from analysis.exporters.anonymise.spans import Spans, joined
from analysis.pcap.walk import Batch

Int64 = NDArray[np.int64]

_HANDSHAKE, _MAJOR, _MOST_MINOR = 22, 3, 4
_HEADER_B = 5
_MOST_RECORD_B = (1 << 14) + 2048
_MOST_B = 1 << 16  # of one handshake; more than a chain of certificates
_MOST_OPEN = 1 << 12
_CLEAR_B = 16  # as many bytes that stay part one change from the next


class Records:
    """Goes along with the first pass, and keeps handshakes until they end."""

    def __init__(self) -> None:
        self._open: dict[int, tuple[int, list[tuple[int, bytes]]]] = {}

    def add(self, batch: Batch, spans: Spans) -> Iterator[tuple[int, int, bytes]]:
        """Yield (group, place, bytes) of handshakes of many records that ended."""
        for row in np.flatnonzero(_begin_records(batch, spans)).tolist():
            group, place = int(spans.group[row]), int(spans.place[row])
            start, pieces = self._open.setdefault(group, (place, []))
            self._open[group] = (min(start, place), pieces)
        if not self._open:
            return
        groups = np.array(sorted(self._open), dtype=np.int64)
        starts = np.array([self._open[group][0] for group in groups.tolist()])
        near = np.minimum(np.searchsorted(groups, spans.group), groups.size - 1)
        behind = spans.place - starts[near]
        wanted = (groups[near] == spans.group) & (behind > -_MOST_B)
        wanted &= (behind < _MOST_B) & (spans.end > spans.begin)
        for row in np.flatnonzero(wanted).tolist():
            data = batch.data[spans.begin[row] : spans.end[row]].tobytes()
            self._open[int(spans.group[row])][1].append((int(spans.place[row]), data))
        touched = np.unique(spans.group[wanted]).tolist()
        yield from self._ended(touched, last=False)
        while len(self._open) > _MOST_OPEN:
            yield from self._ended([next(iter(self._open))], last=True)

    def rest(self) -> Iterator[tuple[int, int, bytes]]:
        """Yield, as `add` does, what did not end."""
        yield from self._ended(sorted(self._open), last=True)

    def _ended(
        self, groups: list[int], *, last: bool
    ) -> Iterator[tuple[int, int, bytes]]:
        for group in groups:
            start, pieces = self._open[group]
            data = _from(start, pieces)
            parts, ended = contents(data)
            if ended or last:
                del self._open[group]
                if len(parts) > 1:
                    yield group, start, data


def _begin_records(batch: Batch, spans: Spans) -> NDArray[np.bool_]:
    """Say which segments begin as a record of a handshake does."""
    long = spans.segment & (spans.end - spans.begin >= _HEADER_B)
    at = np.where(long, spans.begin, 0)
    b = batch.data
    known = (b[at] == _HANDSHAKE) & (b[at + 1] == _MAJOR) & (b[at + 2] <= _MOST_MINOR)
    found: NDArray[np.bool_] = long & known
    return found


def _from(place: int, pieces: list[tuple[int, bytes]]) -> bytes:
    for first, run in joined(pieces):
        if first <= place < first + len(run):
            return run[place - first : place - first + _MOST_B]
    return b""


def contents(data: bytes) -> tuple[list[tuple[int, int]], bool]:
    """Return (first byte, size) of what records hold, and whether the last is there."""
    parts: list[tuple[int, int]] = []
    at = 0
    while at + _HEADER_B <= len(data):
        size = int.from_bytes(data[at + 3 : at + _HEADER_B])
        plain = data[at] == _HANDSHAKE and data[at + 1] == _MAJOR
        if not plain or size > _MOST_RECORD_B:
            return parts, True
        at += _HEADER_B
        parts.append((at, min(size, len(data) - at)))
        at += size
    return parts, len(data) >= _MOST_B


def across_records(
    data: bytes, replace: Callable[[bytes], bytes]
) -> Iterator[tuple[int, bytes, bytes]]:
    """Yield (first byte, bytes before, bytes instead) of what records part."""
    parts, _ended = contents(data)
    pieces = [data[at : at + size] for at, size in parts]
    whole = b"".join(pieces)
    made, apart = replace(whole), b"".join(replace(piece) for piece in pieces)
    if made == apart:
        return
    ends = list(accumulate(map(len, pieces)))
    for begin, end in _changed(whole, made):
        if not any(begin < border < end for border in ends[:-1]):
            continue
        for (at, size), last in zip(parts, ends, strict=True):
            one, two = max(begin, last - size), min(end, last)
            if one < two:
                yield at + one - (last - size), whole[one:two], made[one:two]


def _changed(before: bytes, after: bytes) -> Iterator[tuple[int, int]]:
    """Yield (begin, end) of changes, with some bytes that stay around each."""
    one, two = (np.frombuffer(each, dtype=np.uint8) for each in (before, after))
    places = np.flatnonzero(one != two)
    heads = np.flatnonzero(np.diff(places) > 2 * _CLEAR_B) + 1
    for part in np.split(places, heads):
        begin, end = int(part[0]) - _CLEAR_B, int(part[-1]) + 1 + _CLEAR_B
        yield max(begin, 0), min(end, len(before))
