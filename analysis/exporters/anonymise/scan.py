"""Kernels that find patterns in packets, and across the borders of TCP segments.

b         (m,) uint8
finders   keys, group, bitmap of `Patterns`
tables    pool, FOLD, first, size, fold, edges of `Patterns`
hits      to be filled: group (stream or packet), place in it, pattern; (r,) int64 each
"""

import numpy as np
from numpy.typing import NDArray

from analysis.pcap.jit import kernel

Int64 = NDArray[np.int64]
Uint8 = NDArray[np.uint8]
Uint32 = NDArray[np.uint32]
Uint64 = NDArray[np.uint64]
Finders = tuple[Uint32, Int64, Uint64]
Tables = tuple[Uint8, Uint8, Int64, Int64, Uint8, Uint8]
Hits = tuple[Int64, Int64, Int64]
State = tuple[Int64, Int64, Uint8, Int64, Uint8]

PACKED, KEYED = 1, 2  # kinds of marks
_POINTER = 4

_ODD = np.uint64(0x9E3779B1)
_ALL = np.uint64(0xFFFFFFFF)
_SIX, _LOW, _ONE, _BYTE = np.uint64(6), np.uint64(63), np.uint64(1), np.uint64(8)


@kernel
def find_in_packets(
    b: Uint8,
    spans: tuple[int, Int64, Int64, Int64, Int64],
    finders: Finders,
    tables: Tables,
    hits: tuple[Int64, Int64, Int64, Int64],
) -> int:
    """Search packets from a row on; return the row at which the room for hits ended.

    spans  first row; begin and end in `b`, group, and place of the begin, of each
    hits   and, as the fourth, how many there are, (1,) int64; a packet is searched in
           whole or not at all
    """
    row, begin, end, group, place = spans
    count = hits[3]
    while row < begin.size:
        n = count[0]
        found = (hits[0], hits[1], hits[2])
        where = (begin[row], end[row], end[row])
        label = (group[row], place[row] - begin[row])
        n = _find(b, where, label, finders, tables, (found, n))
        if n < 0:
            return row
        count[0] = n
        row += 1
    return row


@kernel
def _find(
    b: Uint8,
    where: tuple[int, int, int],
    label: tuple[int, int],
    finders: Finders,
    tables: Tables,
    out: tuple[Hits, int],
) -> int:
    """Note what begins in bytes [p, stop) and ends before `end`; -1: no more room."""
    p, stop, end = where
    bitmap = finders[2]
    fold = tables[1]
    found, n = out
    bits = np.uint64(0)
    while np.uint64(bitmap.size) << _SIX > _ONE << bits:
        bits += _ONE
    shift = np.uint64(32) - bits
    key = np.uint64(0)
    for i in range(p, min(stop + 3, end)):
        key = (key << _BYTE | np.uint64(fold[b[np.uint64(i)]])) & _ALL
        if i < p + 3:
            continue
        spread = (key * _ODD & _ALL) >> shift
        if bitmap[spread >> _SIX] >> (spread & _LOW) & _ONE:
            which = _match(b, (p, i - 3, end), key, finders, tables)
            if which >= 0:
                if n >= found[0].size:
                    return -1
                found[0][n], found[1][n] = label[0], label[1] + i - 3
                found[2][n] = which
                n += 1
    return n


@kernel
def _match(
    b: Uint8,
    where: tuple[int, int, int],
    key: np.uint64,
    finders: Finders,
    tables: Tables,
) -> int:
    """Return the longest pattern at a place, -1 when there is none."""
    begin, at, end = where
    keys, group, _bitmap = finders
    low, high = 0, keys.size
    while low < high:
        middle = (low + high) // 2
        if np.uint64(keys[middle]) < key:
            low = middle + 1
        else:
            high = middle
    if low >= keys.size or np.uint64(keys[low]) != key:
        return -1
    for which in range(group[low], group[low + 1]):
        if _same(b, (at, end), which, tables):
            size = tables[3][which]
            if _stands_alone(b, (begin, at, at + size, end), tables[5][which]):
                return which
    return -1


@kernel
def _same(b: Uint8, where: tuple[int, int], which: int, tables: Tables) -> bool:
    pool, fold, first, size, folded, _edges = tables
    at, end = where
    p, n = first[which], size[which]
    if at + n > end:
        return False
    if folded[which]:
        for k in range(n):  # noqa: SIM110 -- numba has no all()
            if fold[b[at + k]] != pool[p + k]:
                return False
        return True
    for k in range(n):  # noqa: SIM110
        if b[at + k] != pool[p + k]:
            return False
    return True


@kernel
def _stands_alone(b: Uint8, where: tuple[int, int, int, int], edges: int) -> bool:
    """Say whether nothing stands beside a text that would make it another."""
    begin, at, behind, end = where
    if edges == 0:
        return True
    if edges == _POINTER:
        return behind < end and b[behind] >= 0xC0
    if at > begin and b[at - 1] == (behind - at) & 0xFF:
        return True  # its length stands before it, as in DNS
    if at > begin and _is_of(b[at - 1], edges):
        return False
    return not (behind < end and _is_of(b[behind], edges))


@kernel
def _is_of(c: int, edges: int) -> bool:
    """Say whether a byte is a digit (1), hexadecimal (2) or of a word (3)."""
    if 48 <= c <= 57:
        return True
    low = c | 32
    if edges == 2:
        return 97 <= low <= 102
    return edges == 3 and 97 <= low <= 122


@kernel
def find_marks(
    b: Uint8, where: tuple[int, int, Int64, Int64], marks: Int64
) -> tuple[int, int, int]:
    """Find where gzip, zlib or a JSON object under XOR autokey may begin.

    where  row and byte of it to begin at; begin and end of each packet in `b`
    marks  place and kind, (2, r), to be filled

    Returns the row and byte to go on at, and how many were found.
    """
    row, k, begin, end = where
    n = 0
    while row < begin.size:
        for i in range(begin[row] + k, end[row] - 2):
            one = b[np.uint64(i)]
            if one != 0x1F and one != 0x78 and one != 0xD0:
                continue
            two = b[i + 1]
            kind = 0
            if one == 0x1F:
                kind = PACKED if two == 0x8B and b[i + 2] == 8 else 0
            elif one == 0x78:
                known = two == 0x01 or two == 0x5E or two == 0x9C or two == 0xDA
                kind = PACKED if known else 0
            elif two == 0xF2:
                kind = KEYED
            if kind:
                if n == marks.shape[1]:
                    return row, i - begin[row], n
                marks[0, n], marks[1, n] = i, kind
                n += 1
        row += 1
        k = 0
    return row, 0, n


@kernel
def unwrap(stream: Int64, seq: Uint32, flags: Uint8, last: Int64, place: Int64) -> None:
    """Fill the place in its stream of each segment, which does not wrap.

    stream  (n,) int64, -1 for what is no TCP segment
    last    (s,) int64, the place of the segment before, of each stream; -1 for none
    """
    for i in range(stream.size):
        s = stream[i]
        if s < 0:
            continue
        number = np.int64(seq[i]) + (1 if flags[i] & 2 else 0)  # SYN counts as a byte
        if last[s] < 0:
            place[i] = number + (1 << 32)  # there may be earlier ones to come
        else:
            step = (number - last[s]) & 0xFFFFFFFF
            if step >= 1 << 31:
                step -= 1 << 32
            place[i] = last[s] + step
        last[s] = place[i]


@kernel
def find_across(
    b: Uint8,
    segments: tuple[int, Int64, Int64, Int64, Int64, Int64],
    state: State,
    finders: Finders,
    tables: Tables,
    out: tuple[Int64, Int64, Int64, Int64, Uint8, Int64, Int64],
) -> int:
    """Search across the borders of segments that follow each other.

    segments  first row; slot, stream, place, begin and end in `b`, of each segment
              that has a payload
    state     of each slot: place that comes next, bytes kept before it, these bytes
              (slots, most), how many bytes are missing before, and whether there
              was a gap
    out       hits and their number; and what came out of order, to be joined later:
              bytes, rows of (stream, place, size), and how many of both, (2,)

    Returns the row at which room ended.
    """
    row, slot, _stream, place, begin, end = segments
    following, kept, tail, _missing, _gap = state
    scratch = np.empty(2 * tail.shape[1], dtype=np.uint8)
    while row < slot.size:
        if not _has_room(out, tail.shape[1]):
            return row
        s, size = slot[row], end[row] - begin[row]
        at_hand = following[s] == place[row]
        if at_hand and kept[s]:
            _border((b, scratch), row, segments, state, (finders, tables), out)
        elif not at_hand and following[s] >= 0:
            _out_of_order(b, row, segments, state, out)
        if following[s] < place[row] + size:
            _keep_tail(b, (begin[row], end[row]), s, at_hand, state)
            following[s] = place[row] + size
        row += 1
    return row


@kernel
def _border(
    texts: tuple[Uint8, Uint8],
    row: int,
    segments: tuple[int, Int64, Int64, Int64, Int64, Int64],
    state: State,
    known: tuple[Finders, Tables],
    out: tuple[Int64, Int64, Int64, Int64, Uint8, Int64, Int64],
) -> None:
    """Search across the border between a segment and what is kept before it."""
    b, scratch = texts
    _row, slot, stream, place, begin, end = segments
    _following, kept, tail, _missing, gap = state
    s, first, most = slot[row], begin[row], tail.shape[1]
    k, head_b = kept[s], min(end[row] - first, most)
    scratch[:k] = tail[s, :k]
    scratch[k : k + head_b] = b[first : first + head_b]
    label, where = (stream[row], place[row] - k), (0, k, k + head_b)
    found, before = (out[0], out[1], out[2]), out[3][0]
    n = _find(scratch, where, label, known[0], known[1], (found, before))
    out[3][0] = _only_across(found, (before, n), place[row], known[1][3])
    if gap[s] and k < most:  # a late one may still belong before all this
        _note(b, (first, first + head_b), (stream[row], place[row]), out)


@kernel
def _only_across(found: Hits, rows: tuple[int, int], border: int, size: Int64) -> int:
    """Drop hits that end before the border: they were found in their segment."""
    first, last = rows
    n = first
    for k in range(first, last):
        if found[1][k] + size[found[2][k]] > border:
            found[0][n], found[1][n], found[2][n] = (
                found[0][k],
                found[1][k],
                found[2][k],
            )
            n += 1
    return n


@kernel
def _has_room(
    out: tuple[Int64, Int64, Int64, Int64, Uint8, Int64, Int64], most: int
) -> bool:
    """Say whether what one segment can bring still fits: two borders, three notes."""
    used = out[6]
    if out[3][0] + 2 * most > out[0].size or 3 * (used[1] + 3) > out[5].size:
        return False
    return bool(used[0] + 3 * most <= out[4].size)


@kernel
def _keep_tail(
    b: Uint8,
    span: tuple[int, int],
    s: int,
    joined: bool,
    state: State,
) -> None:
    """Keep the last bytes of a stream, of this segment and what is before it."""
    begin, end = span
    _following, kept, tail, _missing, _gap = state
    most, size = tail.shape[1], end - begin
    if size >= most or not joined:
        n = min(size, most)
        for k in range(n):
            tail[s, k] = b[end - n + k]
        kept[s] = n
        return
    stay = min(kept[s], most - size)
    gone = kept[s] - stay
    for k in range(stay):
        tail[s, k] = tail[s, gone + k]
    for k in range(size):
        tail[s, stay + k] = b[begin + k]
    kept[s] = stay + size


@kernel
def _out_of_order(
    b: Uint8,
    row: int,
    segments: tuple[int, Int64, Int64, Int64, Int64, Int64],
    state: State,
    out: tuple[Int64, Int64, Int64, Int64, Uint8, Int64, Int64],
) -> None:
    """Note both ends of a segment that came too early or too late."""
    _row, slot, stream, place, begin, end = segments
    following, kept, tail, missing, gap = state
    s, most = slot[row], tail.shape[1]
    ahead = place[row] - following[s]
    if ahead > 0:
        missing[s] += ahead
        gap[s] = 1
        _note(tail[s], (0, kept[s]), (stream[row], following[s] - kept[s]), out)
    elif missing[s] <= 0 and end[row] - begin[row] <= -ahead:
        return  # sent again; it was looked at before
    else:
        missing[s] -= min(end[row] - begin[row], -ahead)
    p, n = begin[row], end[row] - begin[row]
    _note(b, (p, p + min(n, most)), (stream[row], place[row]), out)
    if n > most:
        first = max(p + most, end[row] - most)
        label = (stream[row], place[row] + first - p)
        _note(b, (first, end[row]), label, out)


@kernel
def _note(
    b: Uint8,
    span: tuple[int, int],
    label: tuple[int, int],
    out: tuple[Int64, Int64, Int64, Int64, Uint8, Int64, Int64],
) -> None:
    pool, rows, used = out[4], out[5], out[6]
    n = span[1] - span[0]
    for k in range(n):
        pool[used[0] + k] = b[span[0] + k]
    row = 3 * used[1]
    rows[row], rows[row + 1], rows[row + 2] = label[0], label[1], n
    used[0] += n
    used[1] += 1
