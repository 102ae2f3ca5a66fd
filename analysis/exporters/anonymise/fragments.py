"""Checksums of datagrams that came in fragments.

The checksum stands in the first fragment and covers all of them: what is replaced in a
later one changes it. Where that happens, which is seldom, the capture is read again.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from analysis.exporters.anonymise.repair import write_changes
from analysis.exporters.anonymise.spans import Grouper, Spans
from analysis.exporters.anonymise.survey import Changes
from analysis.pcap.stream import open_capture_stream
from analysis.pcap.walk import Batch

Int64 = NDArray[np.int64]
Uint8 = NDArray[np.uint8]

_FIRST, _LATER = 1, 2
_IPV4, _FRAGMENT, _UDP = 0x0800, 44, 17
_CHECKSUMS = {1: 2, 6: 16, 17: 6, 58: 2}  # protocol -> place
_ONES = 0xFFFF


def differences(source: Path, changes: Changes) -> dict[int, int]:
    """Return frame of a first fragment -> what later ones add to its checksum's sum."""
    if not np.isin(changes.later, changes.groups).any():
        return {}
    work = _Datagrams(changes)
    with open_capture_stream(source) as stream:
        for batch in stream:
            work.add(batch)
    return work.found


class _Datagrams:
    """Follows datagrams through their fragments."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes
        self._changed = np.intersect1d(changes.later, changes.groups)
        self._grouper = Grouper()
        self._first: dict[bytes, int] = {}
        self._waiting: dict[bytes, int] = {}  # later ones that came before the first
        self.found: dict[int, int] = {}

    def add(self, batch: Batch) -> None:
        """Look at the next packets."""
        if not len(batch):
            return
        spans = self._grouper.spans(batch)
        fragment = spans.decoded.fragment
        changed = np.isin(spans.group, self._changed) & (fragment == _LATER)
        for row in np.flatnonzero((fragment == _FIRST) | changed).tolist():
            whose = _identity(batch.data, spans, row)
            if fragment[row] == _FIRST:
                frame = self._first[whose] = row + batch.first_frame
                self._put(frame, self._waiting.pop(whose, 0))
                continue
            added = self._added(batch, spans, row)
            if whose in self._first:
                self._put(self._first[whose], added)
            else:
                self._waiting[whose] = self._waiting.get(whose, 0) + added

    def _put(self, frame: int, added: int) -> None:
        if added:
            self.found[frame] = (self.found.get(frame, 0) + added) % _ONES

    def _added(self, batch: Batch, spans: Spans, row: int) -> int:
        """Return how much larger the sum of a fragment's words becomes."""
        begin, end = int(spans.begin[row]), int(spans.end[row])
        old = batch.data[begin:end].copy()
        changes, new = self._changes, old.copy()
        counts = np.zeros(len(changes.patterns), dtype=np.int64)
        zero, one = np.zeros(1, dtype=np.int64), slice(row, row + 1)
        write_changes(
            old,
            new,
            (zero, zero + old.size, spans.group[one], spans.place[one]),
            (
                changes.groups,
                changes.places,
                changes.which,
                changes.patterns.longest_b,
            ),
            (changes.patterns.tables, changes.patterns.instead),
            (np.zeros(1, dtype=np.uint8), counts),
        )
        size = int(spans.above[row]) + int(spans.above_b[row]) - begin
        return _sum(new[:size]) - _sum(old[:size])


def add_differences(
    found: Mapping[int, int], batch: Batch, new: Uint8, spans: Spans
) -> None:
    """Bring the checksums of first fragments up to date, of those that were found."""
    if not found:
        return
    for row in np.flatnonzero(spans.decoded.fragment == _FIRST).tolist():
        added = found.get(row + batch.first_frame, 0)
        protocol = int(spans.decoded.protocol[row])
        at = int(spans.above[row]) + _CHECKSUMS.get(protocol, 0)
        end = int(batch.start[row] + batch.captured_b[row])
        if not added or protocol not in _CHECKSUMS or at + 2 > end:
            continue
        before = int(new[at]) << 8 | int(new[at + 1])
        if protocol == _UDP and before == 0:
            continue  # there is none
        after = _ONES - (_ONES - before + added) % _ONES
        new[at], new[at + 1] = after >> 8, after & 0xFF


def _identity(b: Uint8, spans: Spans, row: int) -> bytes:
    """Return what all fragments of a datagram have alike."""
    at = int(spans.network[row])
    if spans.decoded.ethertype[row] == _IPV4:
        # number, protocol, addresses
        fields = ((4, 6), (9, 10), (12, 20))
        return b"".join(b[at + first : at + end].tobytes() for first, end in fields)
    addresses = b[at + 8 : at + 40].tobytes()
    kind, at = int(b[at + 6]), at + 40
    while kind != _FRAGMENT and at + 8 <= spans.above[row]:
        kind, at = int(b[at]), at + (int(b[at + 1]) + 1) * 8
    return addresses + b[at + 4 : at + 8].tobytes()


def _sum(data: Uint8) -> int:
    """Return the sum of words, the high byte first; fragments begin at a whole word."""
    return int(data[::2].sum(dtype=np.int64)) * 256 + int(
        data[1::2].sum(dtype=np.int64)
    )
