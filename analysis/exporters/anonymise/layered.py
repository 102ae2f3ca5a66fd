"""The first pass over texts in which identifiers are escaped or encoded.

Spellings that are patterns are found by kernels. What remains are mixes, as `Op%61s`,
and runs of base64 or hex around more than an identifier: packets in which there may be
such are put together, of a TCP stream those that follow each other, and rewritten.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.exporters.anonymise.packed import chunks
from analysis.exporters.anonymise.spans import Spans
from analysis.exporters.identifiers.rewriting import beneath, rewritten
from analysis.pcap.jit import kernel
from analysis.pcap.walk import Batch

Bool = NDArray[np.bool_]
Int64 = NDArray[np.int64]
Uint8 = NDArray[np.uint8]
Found = tuple[int, int, bytes, bytes]

_GAP = bytes(32)
_TAIL_B = 1024
_MOST_TAILS = 1 << 14
_AROUND_B = 32
_BORDER_B = 4
_LEAST_TEXT_B = 12  # random bytes hold so long a text in every hundredth packet
_CHUNKED = re.compile(rb"(?i)transfer-encoding:[^\r\n]*chunked")


_IS_TEXT = np.isin(np.arange(256), [9, 10, 13, *range(32, 127)])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Chain:
    """Bytes of a group from a place on."""

    group: int
    place: int
    data: bytes


class Layered:
    """Goes along with the first pass.

    replace  returns bytes with all spellings replaced, as many as it gets
    """

    def __init__(self, replace: Callable[[bytes], bytes]) -> None:
        self._replace = replace
        self._tails: dict[int, _Chain] = {}

    def add(self, batch: Batch, spans: Spans) -> Iterator[Found]:
        """Yield (group, place, bytes before, bytes instead) of the next packets."""
        flags = np.zeros(len(batch), dtype=np.uint8)
        look(batch.data, spans.begin, spans.end, _IS_TEXT, flags)
        chains = [
            *self._single(batch, spans, flags),
            *self._joined(batch, spans, flags),
        ]
        if chains:
            yield from self._rewritten(chains)

    def _single(self, batch: Batch, spans: Spans, flags: Uint8) -> Iterator[_Chain]:
        for row in np.flatnonzero((flags & 1 > 0) & ~spans.segment).tolist():
            yield _chain(batch, spans, [row])

    def _joined(self, batch: Batch, spans: Spans, flags: Uint8) -> Iterator[_Chain]:
        """Yield segments that follow each other in the midst of a text."""
        rows = np.flatnonzero(spans.segment & (spans.end > spans.begin))
        rows = rows[np.lexsort((spans.place[rows], spans.group[rows]))]
        if not rows.size:
            return
        group, place = spans.group[rows], spans.place[rows]
        end = place + spans.end[rows] - spans.begin[rows]
        on = (group[1:] == group[:-1]) & (place[1:] == end[:-1])
        on &= (flags[rows[1:]] & 2 > 0) & (flags[rows[:-1]] & 4 > 0)
        heads = np.concatenate(([0], np.flatnonzero(~on) + 1, [rows.size]))
        first, last = rows[heads[:-1]], rows[heads[1:] - 1]
        # what is alone, and neither text nor at the border of one, is left out
        told = (flags[first] & 1 > 0) | (flags[last] & 4 > 0) | (np.diff(heads) > 1)
        known = np.fromiter(self._tails, dtype=np.int64, count=len(self._tails))
        told |= (flags[first] & 2 > 0) & np.isin(spans.group[first], known)
        for k in np.flatnonzero(told).tolist():
            some = rows[heads[k] : heads[k + 1]]
            chain = self._with_tail(batch, spans, some, flags)
            if chain is not None:
                yield chain

    def _with_tail(
        self, batch: Batch, spans: Spans, rows: Int64, flags: Uint8
    ) -> _Chain | None:
        """Return a chain, behind what was said before it; None when all is plain."""
        group, place = int(spans.group[rows[0]]), int(spans.place[rows[0]])
        tail = self._tails.get(group)
        follows = tail is not None and tail.place + len(tail.data) == place
        follows = follows and bool(flags[rows[0]] & 2)
        asked = follows or len(rows) > 1 or bool(flags[rows[0]] & 1)
        goes_on = bool(flags[rows[-1]] & 4)
        if not asked and not goes_on:
            return None
        chain = _chain(batch, spans, rows.tolist())
        if tail is not None and follows:
            chain = _Chain(group=group, place=tail.place, data=tail.data + chain.data)
        if goes_on:
            self._keep(chain)
        return chain if asked else None

    def _keep(self, chain: _Chain) -> None:
        data = chain.data[-_TAIL_B:]
        place = chain.place + len(chain.data) - len(data)
        self._tails.pop(chain.group, None)
        self._tails[chain.group] = _Chain(group=chain.group, place=place, data=data)
        if len(self._tails) > _MOST_TAILS:
            del self._tails[next(iter(self._tails))]

    def _rewritten(self, chains: list[_Chain]) -> Iterator[Found]:
        text = _GAP.join(chain.data for chain in chains)
        plain = self._replace(text)
        made = self._chunks(beneath(plain, self._replace), text)
        if made == plain:
            return
        starts = np.cumsum([0] + [len(c.data) + len(_GAP) for c in chains])[:-1]
        for at, end in _differences(plain, made):
            chain = chains[k := int(np.searchsorted(starts, at, side="right")) - 1]
            first = max(at - _AROUND_B - int(starts[k]), 0)
            last = min(end + _AROUND_B - int(starts[k]), len(chain.data))
            base = int(starts[k])
            new = made[base + first : base + last]
            yield chain.group, chain.place + first, chain.data[first:last], new

    def _chunks(self, made: bytes, text: bytes) -> bytes:
        """Return the bytes with bodies that HTTP sent in chunks rewritten as one."""
        work = bytearray(made)
        for head in _CHUNKED.finditer(text):
            at = text.find(b"\r\n\r\n", head.start())
            parts = chunks(text, at + 4) if at >= 0 else []
            body = b"".join(bytes(work[first : first + n]) for first, n in parts)
            left = rewritten(body, self._replace)
            for first, n in parts:
                work[first : first + n], left = left[:n], left[n:]
        return bytes(work)


def _chain(batch: Batch, spans: Spans, rows: list[int]) -> _Chain:
    parts = [batch.data[spans.begin[row] : spans.end[row]].tobytes() for row in rows]
    group, place = int(spans.group[rows[0]]), int(spans.place[rows[0]])
    return _Chain(group=group, place=place, data=b"".join(parts))


def _differences(before: bytes, after: bytes) -> Iterator[tuple[int, int]]:
    """Yield (begin, end) of where bytes differ; what is near to each other is one."""
    one, two = (np.frombuffer(each, dtype=np.uint8) for each in (before, after))
    places = np.flatnonzero(one != two)
    heads = np.flatnonzero(np.diff(places) > len(_GAP) // 2) + 1
    for part in np.split(places, heads):
        yield int(part[0]), int(part[-1]) + 1


@kernel
def look(b: Uint8, begin: Int64, end: Int64, is_text: Bool, flags: Uint8) -> None:
    """Fill flags: a text is in a packet (1), it begins (2) or ends (4) within one."""
    for row in range(begin.size):
        first, last = begin[row], end[row]
        flag = 1 if _has_text(b, first, last, is_text) else 0
        if last > first:
            head, tail = 2, 4
            for k in range(min(_BORDER_B, last - first)):
                if not is_text[b[first + k]]:
                    head = 0
                if not is_text[b[last - 1 - k]]:
                    tail = 0
            flag |= head | tail
        flags[row] = flag


@kernel
def _has_text(b: Uint8, first: int, last: int, is_text: Bool) -> bool:
    """Say whether a text is there in which an identifier may hide.

    A text of that size has a byte at every place that its size divides.
    """
    at = first + _LEAST_TEXT_B - 1
    while at < last:
        if not is_text[b[at]]:
            at += _LEAST_TEXT_B
            continue
        begin, end = at, at + 1
        while begin > first and is_text[b[begin - 1]]:
            begin -= 1
        while end < last and is_text[b[end]]:
            end += 1
        if end - begin >= _LEAST_TEXT_B:
            return True
        at = end + _LEAST_TEXT_B
    return False
