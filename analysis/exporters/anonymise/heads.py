"""Heads of HTTP that announce a packed body, whatever segments part them.

for head in heads.add(batch, spans): ...

A body may begin in another segment than its head, and the head be cut itself: what
began as one is kept until it ends.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from analysis.exporters.anonymise.spans import Spans, joined
from analysis.pcap.walk import Batch

MOST_HEAD_B = 16_384
MOST_BODY_B = 4 << 20  # more of a stream is not kept
_BEGINS = b"HTTP/1."
_ENDS = b"\r\n\r\n"
_MOST_OPEN = 1 << 12
_PACKED = re.compile(rb"(?im)^content-encoding:[ \t]*(gzip|x-gzip|deflate)\b")
_CHUNKED = re.compile(rb"(?im)^transfer-encoding:[^\r\n]*chunked")
_LENGTH = re.compile(rb"(?im)^content-length:[ \t]*(\d{1,12})[ \t]*\r?$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """A head that announces something packed.

    group, place  of its first byte
    body          place of the first byte behind it
    end           place behind the body, -1 when the head does not tell
    chunked       whether chunks part the body
    pieces        (place, bytes) of it in earlier batches
    """

    group: int
    place: int
    body: int
    end: int
    chunked: bool
    pieces: tuple[tuple[int, bytes], ...] = ()


@dataclass(slots=True)
class _Open:
    """What is known of a head that did not end yet; `old` pieces are of before."""

    pieces: list[tuple[int, bytes]] = field(default_factory=list)
    old: int = 0


class Heads:
    """Goes along with the first pass."""

    def __init__(self) -> None:
        self._open: dict[tuple[int, int], _Open] = {}

    def add(self, batch: Batch, spans: Spans) -> Iterator[Head]:
        """Yield heads that end in the next packets."""
        for group, place, data in _begun(batch, spans):
            end = data.find(_ENDS)
            if end >= 0:
                head = _told(group, place, data[: end + len(_ENDS)])
                if head is not None:
                    yield head
            else:
                self._open.setdefault((group, place), _Open())
        if self._open:
            self._go_on(batch, spans)
            yield from self._ended()

    def _go_on(self, batch: Batch, spans: Spans) -> None:
        """Give all heads that are open what these packets hold of them."""
        by_group: dict[int, list[int]] = {}
        for group, place in self._open:
            by_group.setdefault(group, []).append(place)
        wanted = np.isin(spans.group, np.array(list(by_group)))
        for row in np.flatnonzero(wanted & (spans.end > spans.begin)).tolist():
            group, at = int(spans.group[row]), int(spans.place[row])
            data = batch.data[spans.begin[row] : spans.end[row]].tobytes()
            for place in by_group[group]:
                if at + len(data) > place and at < place + MOST_HEAD_B:
                    self._open[group, place].pieces.append((at, data))

    def _ended(self) -> Iterator[Head]:
        """Yield heads that are whole now; forget those, and what was too much."""
        for key, kept in list(self._open.items()):
            group, place = key
            text = _from(place, kept.pieces)
            end = text.find(_ENDS)
            if end >= 0:
                old = tuple(kept.pieces[: kept.old])
                head = _told(group, place, text[: end + len(_ENDS)], old)
                if head is not None:
                    yield head
            if end >= 0 or len(text) >= MOST_HEAD_B:
                del self._open[key]
            kept.old = len(kept.pieces)
        while len(self._open) > _MOST_OPEN:
            del self._open[next(iter(self._open))]


def _begun(batch: Batch, spans: Spans) -> Iterator[tuple[int, int, bytes]]:
    """Yield (group, place, bytes to the end of the segment) of where a head begins."""
    data = batch.data.tobytes()
    at = data.find(_BEGINS)
    while at >= 0:
        row = int(np.searchsorted(batch.start, at, side="right")) - 1
        begin, end = int(spans.begin[row]), int(spans.end[row])
        if spans.segment[row] and begin <= at < end:
            place = int(spans.place[row]) + at - begin
            yield int(spans.group[row]), place, data[at : min(end, at + MOST_HEAD_B)]
        at = data.find(_BEGINS, at + len(_BEGINS))


def _from(place: int, pieces: list[tuple[int, bytes]]) -> bytes:
    for first, run in joined(pieces):
        if first <= place < first + len(run):
            return run[place - first : place - first + MOST_HEAD_B]
    return b""


def _told(
    group: int,
    place: int,
    text: bytes,
    pieces: tuple[tuple[int, bytes], ...] = (),
) -> Head | None:
    """Return what a whole head says, None when its body is not packed."""
    body, end = place + len(text), -1
    packed, length = _PACKED.search(text), _LENGTH.search(text)
    chunked = _CHUNKED.search(text) is not None
    if packed is None:
        return None
    if length and not chunked:
        end = body + int(length[1])
    elif not chunked and packed[1].lower() == b"deflate":
        end = body + MOST_BODY_B  # whether it is zlib or bare, the head does not say
    return Head(
        group=group, place=place, body=body, end=end, chunked=chunked, pieces=pieces
    )
