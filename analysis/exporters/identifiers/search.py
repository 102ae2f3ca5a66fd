"""Find many spellings in many bytes at once.

Of each pattern the four bytes that are rarest in captures are its anchor. A bitmap of
all anchors is asked at every byte; where it says yes, a table names the patterns, and
those are compared whole. Letters are folded before they are looked up, so that both
cases are found by one anchor.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.exporters.identifiers.variants import Variant
from analysis.pcap.jit import kernel

Int64 = NDArray[np.int64]
Uint8 = NDArray[np.uint8]
Uint64 = NDArray[np.uint64]

ANCHOR_B = 4
_ROOM = 1 << 14  # hits that one call of the kernel can tell
_MOST_TOLD = 1 << 62
_LEAST_BITS, _MOST_BITS = 15, 24
_ODD = np.uint64(0x9E3779B97F4A7C15)
_WORD = np.uint64(0xFFFFFFFF)
# a weak hit counts where at least 28 of the 32 bytes around are of text or small
# numbers; in random bytes that is so once in 100,000 times
_AROUND, _HIGH_ALLOWED = 16, 4
# an address in bytes is no text: where its bytes are letters and marks, and at most
# four around are none, it is the end of one line and the beginning of the next
_WEAK, _WEAK_TEXT = 1, 2
_TEXT = frozenset((9, 10, 13, *range(32, 127)))
_DIGIT, _HEX, _ALPHANUMERIC = 1, 2, 4
_EDGES = {"": 0, "digit": _DIGIT, "hex": _HEX, "word": _ALPHANUMERIC}
_NARROW, _LITTLE, _BIG = 0, 1, 2


def folded(data: bytes) -> bytes:
    """Return ASCII letters in lower case."""
    return data.lower()


def _fold_table() -> Uint8:
    return np.frombuffer(bytes(range(256)).lower(), dtype=np.uint8).copy()


def _class_table() -> Uint8:
    table = np.zeros(256, dtype=np.uint8)
    for char in b"0123456789":
        table[char] |= _DIGIT | _HEX | _ALPHANUMERIC
    for char in b"abcdefABCDEF":
        table[char] |= _HEX
    letters = range(ord("a"), ord("z") + 1)
    for char in letters:
        table[char] |= _ALPHANUMERIC
        table[char - 32] |= _ALPHANUMERIC
    return table


_FOLD, _CLASS = _fold_table(), _class_table()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How often each of n patterns was there.

    hits    (n,) int64, hits that count
    chance  (n,) int64, hits of weak patterns among bytes that look random
    """

    hits: Int64
    chance: Int64


class Search:
    """Patterns, made ready to be found in bytes.

    spellings   those that can be searched for, of at least four bytes
    longest_b   bytes of the longest
    """

    def __init__(self, spellings: Sequence[Variant]) -> None:
        self.spellings = tuple(s for s in spellings if len(s.pattern) >= ANCHOR_B)
        self.longest_b = max((len(s.pattern) for s in self.spellings), default=0)
        size = np.array([len(s.pattern) for s in self.spellings], dtype=np.int64)
        kept = [folded(s.pattern) if s.fold else s.pattern for s in self.spellings]
        self._bytes = np.frombuffer(b"".join(kept) + b"\0", dtype=np.uint8).copy()
        self._size, self._first = size, np.cumsum(size) - size
        anchors = [_anchor(folded(pattern)) for pattern in kept]
        self._anchor = np.array(anchors, dtype=np.int64)
        self._rule = np.array([_rule(s) for s in self.spellings], dtype=np.int64)
        self._rule = self._rule.reshape(-1, 4)
        grams = [
            int.from_bytes(folded(pattern)[at : at + ANCHOR_B])
            for pattern, at in zip(kept, anchors, strict=True)
        ]
        self._make_tables(np.array(grams, dtype=np.uint64))
        room = _ROOM + len(self.spellings)  # one place may hold every pattern
        self._at = np.empty(room, dtype=np.int64)
        self._which = np.empty(room, dtype=np.int64)

    def __len__(self) -> int:
        """Return how many patterns there are."""
        return len(self.spellings)

    def tally(self) -> Tally:
        """Return a new count of nothing."""
        n = len(self)
        return Tally(hits=np.zeros(n, np.int64), chance=np.zeros(n, np.int64))

    def find(
        self,
        data: Uint8,
        *,
        first: int = 0,
        last: int | None = None,
        tally: Tally | None = None,
        most: int = _MOST_TOLD,
        judge: bool = True,
    ) -> list[tuple[int, int]]:
        """Return (place, row of `spellings`) of hits that begin in [first, last).

        data   (m,) uint8; what lies outside of [first, last) is context
        tally  is added to; hits that it already has `most` of are counted, not told
        judge  leave out weak hits among bytes that look random
        """
        if not len(self) or data.size < ANCHOR_B:
            return []
        tally = self.tally() if tally is None else tally
        end = data.size if last is None else last
        told: list[tuple[int, int]] = []
        # an anchor lies at most so far behind the start of its pattern
        at, stop = max(first, 0), min(end + self.longest_b, data.size)
        while at < stop:
            at, n = _scan(
                (data, at, stop),
                (first, end, most, judge),
                (_FOLD, _CLASS),
                (self._bitmap, self._shift, self._grams, self._heads, self._next),
                (self._bytes, self._first, self._size, self._anchor, self._rule),
                (self._at, self._which, tally.hits, tally.chance),
            )
            told += zip(self._at[:n].tolist(), self._which[:n].tolist(), strict=True)
        return told

    def _make_tables(self, grams: Uint64) -> None:
        bits = max(_LEAST_BITS, min(_MOST_BITS, int(64 * grams.size).bit_length()))
        self._shift = 64 - bits
        hashed = (grams * _ODD) >> np.uint64(self._shift)
        packed = np.zeros(1 << bits, dtype=np.uint8)
        packed[hashed.astype(np.int64)] = 1
        self._bitmap = np.packbits(packed, bitorder="little")
        slots = 1 << max(4, (4 * grams.size).bit_length())
        self._grams = np.zeros(slots, dtype=np.uint64)
        self._heads = np.full(slots, -1, dtype=np.int64)
        self._next = np.full(grams.size, -1, dtype=np.int64)
        for row, gram in enumerate(grams.tolist()):
            slot = (gram * int(_ODD) & (1 << 64) - 1) >> 40 & slots - 1
            while self._heads[slot] >= 0 and self._grams[slot] != gram:
                slot = slot + 1 & slots - 1
            self._next[row] = self._heads[slot]
            self._grams[slot], self._heads[slot] = gram, row


def _anchor(pattern: bytes) -> int:
    """Return where the four bytes begin that are rarest, by how captures are."""
    worth = [_rarity(byte) for byte in pattern]
    starts = range(len(pattern) - ANCHOR_B + 1)
    return max(starts, key=lambda at: (sum(worth[at : at + ANCHOR_B]), -at))


def _rarity(byte: int) -> int:
    if byte == 0:
        return 0
    if byte == ord("0"):
        return 1  # rows of it are in whatever tshark or a table says
    if byte in b"\xff =/.:-" or byte in b"etaoinsr":
        return 2
    if byte in b"0123456789" or chr(byte).isalpha():
        return 3
    return 4


def _rule(spelling: Variant) -> tuple[int, int, int, int]:
    """Return fold, class of characters at the edges, how wide these are, how weak."""
    wide = _NARROW
    if spelling.encoding.startswith("utf-16"):
        wide = _LITTLE if spelling.encoding.startswith("utf-16le") else _BIG
    weak = _WEAK if spelling.weak else 0
    if weak and spelling.encoding.startswith("binary"):
        weak = _WEAK_TEXT if _TEXT.issuperset(spelling.pattern) else weak
    return int(spelling.fold), _EDGES[spelling.edges], wide, weak


def is_chance(data: bytes, start: int, size: int, spelling: Variant) -> bool:
    """Say whether a hit of a spelling does not count, by the bytes around it."""
    view = np.frombuffer(data, dtype=np.uint8)
    weak = _rule(spelling)[3]
    if weak == _WEAK_TEXT and _in_text(view, start, size):
        return True
    return bool(weak and not _plain(view, start, size))


@kernel
def _scan(
    text: tuple[Uint8, int, int],
    asked: tuple[int, int, int, bool],
    tables: tuple[Uint8, Uint8],
    anchors: tuple[Uint8, int, Uint64, Int64, Int64],
    patterns: tuple[Uint8, Int64, Int64, Int64, Int64],
    out: tuple[Int64, Int64, Int64, Int64],
) -> tuple[int, int]:
    """Look for anchors from a place on; return where to go on, and hits told."""
    data, at, stop = text
    fold = tables[0]
    bitmap, shift, grams, heads, following = anchors
    room = out[0].size - following.size
    told = 0
    gram = np.uint64(0)
    for k in range(max(0, at - 3), at):
        gram = gram << np.uint64(8) | np.uint64(fold[data[k]])
    for i in range(at, stop):
        gram = (gram << np.uint64(8) | np.uint64(fold[data[i]])) & _WORD
        mixed = gram * _ODD
        bit = mixed >> np.uint64(shift)
        if bitmap[bit >> np.uint64(3)] >> (bit & np.uint64(7)) & np.uint64(1) == 0:
            continue
        slot = np.int64(mixed >> np.uint64(40)) & (heads.size - 1)
        while heads[slot] >= 0 and grams[slot] != gram:
            slot = (slot + 1) & (heads.size - 1)
        row = heads[slot]
        while row >= 0:
            told = _try((data, i - 3), row, asked, tables, patterns, out, told)
            row = following[row]
        if told > room:
            return i + 1, told
    return stop, told


@kernel
def _try(
    text: tuple[Uint8, int],
    row: int,
    asked: tuple[int, int, int, bool],
    tables: tuple[Uint8, Uint8],
    patterns: tuple[Uint8, Int64, Int64, Int64, Int64],
    out: tuple[Int64, Int64, Int64, Int64],
    told: int,
) -> int:
    """Compare one pattern whose anchor lies at a place; return hits told so far."""
    data, anchor_at = text
    first, end, most, judge = asked
    where, which, hits, chance = out
    begin, size = patterns[1][row], patterns[2][row]
    start = anchor_at - patterns[3][row]
    if start < first or start >= end or start + size > data.size:
        return told
    rule = patterns[4][row]
    if not _same((data, start, size), (patterns[0], begin), tables[0], rule[0] == 1):
        return told
    if rule[1] and not _free((data, start, size), tables[1], rule[1], rule[2]):
        return told
    by_chance = rule[3] == _WEAK_TEXT and _in_text(data, start, size)
    if by_chance or (judge and rule[3] and not _plain(data, start, size)):
        chance[row] += 1
        return told
    hits[row] += 1
    if hits[row] <= most:
        where[told], which[told] = start, row
        told += 1
    return told


@kernel
def _same(
    text: tuple[Uint8, int, int], pattern: tuple[Uint8, int], fold: Uint8, folds: bool
) -> bool:
    """Say whether a pattern stands at a place."""
    data, start, size = text
    pool, begin = pattern
    for k in range(size):
        byte = data[start + k]
        if folds:
            byte = fold[byte]
        if byte != pool[begin + k]:
            return False
    return True


@kernel
def _free(text: tuple[Uint8, int, int], kinds: Uint8, edges: int, wide: int) -> bool:
    """Say whether nothing of a class stands beside a hit, or its length before it."""
    data, start, size = text
    before, after = start - 1, start + size
    if wide == _LITTLE:
        before = start - 2
    elif wide == _BIG:
        after += 1
    left = before >= 0 and kinds[data[before]] & edges != 0
    right = after < data.size and kinds[data[after]] & edges != 0
    if not left and not right:
        return True
    if start == 0 or data[start - 1] != size:
        return False
    return size not in (9, 10, 13)  # these are also tabs and ends of lines


@kernel
def _plain(data: Uint8, start: int, size: int) -> bool:
    """Say whether the bytes around a hit are of text or of small numbers."""
    high = 0
    for k in range(max(0, start - _AROUND), start):
        high += data[k] >= 128
    for k in range(start + size, min(data.size, start + size + _AROUND)):
        high += data[k] >= 128
    return high <= _HIGH_ALLOWED


@kernel
def _in_text(data: Uint8, start: int, size: int) -> bool:
    """Say whether the bytes around a hit are those of a text."""
    others = 0
    for k in range(max(0, start - _AROUND), min(data.size, start + size + _AROUND)):
        char = data[k]
        text = 32 <= char < 127 or char == 9 or char == 10 or char == 13
        others += not text
    return others <= _HIGH_ALLOWED
