"""Find all spellings in bytes that are at hand, and write what they become.

replacer = Replacer(patterns)
data = replacer.bytes(data)
"""

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from analysis.exporters.anonymise.patterns import Patterns
from analysis.exporters.anonymise.repair import write_changes
from analysis.exporters.anonymise.scan import find_in_packets

Int64 = NDArray[np.int64]
Uint8 = NDArray[np.uint8]

_ROOM = 1 << 14


class Hits:
    """Where patterns were found: group (a stream or a packet), place, pattern."""

    def __init__(self) -> None:
        self._parts: list[Int64] = []
        self.columns = tuple(np.empty(_ROOM, dtype=np.int64) for _ in range(3))
        self.n = np.zeros(1, dtype=np.int64)

    @property
    def room(self) -> tuple[Int64, Int64, Int64, Int64]:
        """The columns and the number of hits, as kernels fill them."""
        return self.columns[0], self.columns[1], self.columns[2], self.n

    def empty(self, *, grow: bool) -> None:
        """Take what was filled away; `grow` when not even one packet's fitted."""
        n = int(self.n[0])
        if n:
            self._parts.append(np.stack([column[:n] for column in self.columns]))
        if grow:
            size = 2 * self.columns[0].size
            self.columns = tuple(np.empty(size, dtype=np.int64) for _ in range(3))
        self.n[0] = 0

    def add(self, group: int, place: int, which: int) -> None:
        """Add one hit."""
        self._parts.append(np.array([[group], [place], [which]], dtype=np.int64))

    def take(self, groups: Int64, places: Int64, which: Int64) -> None:
        """Add many hits."""
        self._parts.append(np.stack((groups, places, which)))

    def settled(self, size: Int64) -> tuple[Int64, Int64, Int64]:
        """Return them by group and place; of two that overlap the longer one.

        size  bytes of each pattern
        """
        self.empty(grow=False)
        if not self._parts:
            none = np.zeros(0, dtype=np.int64)
            return none, none.copy(), none.copy()
        group, place, which = np.concatenate(self._parts, axis=1)
        order = np.lexsort((-size[which], place, group))
        group, place, which = group[order], place[order], which[order]
        kept = _without_overlaps(group, place, size[which])
        return group[kept], place[kept], which[kept]


class Replacer:
    """Writes what patterns become into bytes and texts; counts them by kind.

    met  rows of identifiers of which a spelling was replaced
    """

    def __init__(self, patterns: Patterns) -> None:
        self.patterns = patterns
        self.counts: Counter[str] = Counter()
        self.met: set[int] = set()

    def bytes(self, data: bytes) -> bytes:
        """Return the bytes with every spelling replaced, as long as before."""
        if len(data) < 4 or not len(self.patterns):
            return data
        b: Uint8 = np.frombuffer(data, dtype=np.uint8)
        zero, end = np.zeros(1, dtype=np.int64), np.array([b.size], dtype=np.int64)
        found = Hits()
        spans = (0, zero, end, zero, zero)
        patterns = self.patterns
        while (
            find_in_packets(b, spans, patterns.finders, patterns.tables, found.room) < 1
        ):
            found.n[0] = 0
            found.empty(grow=True)
        groups, places, which = found.settled(patterns.size)
        if not groups.size:
            return data
        new, changed = b.copy(), np.zeros(1, dtype=np.uint8)
        counts = np.zeros(len(patterns), dtype=np.int64)
        write_changes(
            b,
            new,
            (zero, end, zero, zero),
            (groups, places, which, patterns.longest_b),
            (patterns.tables, patterns.instead),
            (changed, counts),
        )
        for row in np.flatnonzero(counts).tolist():
            self.counts[patterns.kinds[row]] += int(counts[row])
            self.met.add(patterns.owners[row])
        return new.tobytes()

    def text(self, text: str) -> str:
        """Return a text with every spelling replaced."""
        raw = text.encode(errors="surrogateescape")
        return self.bytes(raw).decode(errors="surrogateescape")


def _without_overlaps(group: Int64, place: Int64, size: Int64) -> Int64:
    """Return the rows to keep, of hits in order."""
    end = place + size
    touching = (group[1:] == group[:-1]) & (place[1:] < end[:-1])
    if not touching.any():
        return np.arange(group.size)
    kept: list[int] = []
    groups, places, ends = group.tolist(), place.tolist(), end.tolist()
    for row, first in enumerate(places):
        last = kept[-1] if kept else -1
        if last < 0 or groups[last] != groups[row] or first >= ends[last]:
            kept.append(row)
        elif ends[row] - first > ends[last] - places[last]:
            kept[-1] = row
    return np.array(kept, dtype=np.int64)
