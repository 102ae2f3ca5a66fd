"""Clocks inside payloads: where devices and servers write what time it is.

Stamps of packets are moved by whole weeks; what says the time in their payloads has to
move with them, or the shift can be read off. Texts are those of `stamps`; besides there
are NTP, the hello messages of TLS and DTLS, and the stamps of ping.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from analysis.exporters.anonymise.patterns import Change
from analysis.exporters.anonymise.replace import Hits
from analysis.exporters.anonymise.spans import Grouper, Spans
from analysis.exporters.anonymise.stamps import DAY_S, FUTURE_S, Near, moved, rewritten
from analysis.exporters.anonymise.survey import Changes
from analysis.pcap.decode import UDP
from analysis.pcap.jit import kernel
from analysis.pcap.walk import Batch

Bool = NDArray[np.bool_]
Int64 = NDArray[np.int64]
Uint8 = NDArray[np.uint8]
Order = Literal["little", "big"]
Own = tuple[int, int, bytes, bytes]

_NS = 1_000_000_000
_ICMP, _ICMPV6 = 1, 58
_LATER = 2
_NTP, _NTP_B = 123, 48
_HANDSHAKE, _HELLOS = 0x16, (1, 2)
_PINGS, _PING_B = (0, 8, 128, 129), 24
_FROM_1900_S = 2_208_988_800
_OF_NTP, _OF_HELLO, _PING_LITTLE, _PING_BIG = 1, 2, 3, 4
_CLOSE_S = 2 * DAY_S  # of numbers of which random ones are as near once in 12,000
_TAIL_B = 64  # of a text that goes on in the next segment
_MOST_TAILS = 1 << 14
_LEAST_DIGITS = 4
_MONTHS = np.array(
    [
        int.from_bytes(name)
        for name in (
            *(b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun"),
            *(b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"),
        )
    ],
    dtype=np.int64,
)


class Clocks:
    """Goes along with the first pass, and notes what tells the time.

    shift_s  whole days to be added
    moved_s  by how much stamps of packets were moved already: what tells the time as it
             was is looked for then
    """

    def __init__(self, shift_s: int, moved_s: int = 0) -> None:
        self._shift_s = shift_s
        self._moved_s = moved_s
        self._grouper = Grouper()
        self._tails: dict[int, tuple[int, bytes]] = {}
        self.near = Near(first_s=0, last_s=0)
        self.found: list[Own] = []  # group, place, bytes, bytes instead

    def add(self, batch: Batch) -> None:
        """Look at the next packets."""
        if len(batch):
            self.found += self._all(batch)

    def text(self, data: bytes) -> bytes:
        """Return a text in which what is near to the last packets is moved."""
        return rewritten(data, self.near, self._shift_s)

    def count_numbers(self, batch: Batch) -> int:
        """Return how many fields of the next packets say a moment of within a day."""
        if not len(batch):
            return 0
        spans = self._grouper.spans(batch)
        self._come(batch)
        moments = (self._moment(batch, *field) for field in _numbers(batch, spans))
        return sum(self.near.holds(m, DAY_S, DAY_S) for m in moments)

    def added_to(self, changes: Changes) -> Changes:
        """Return changes with those of all clocks that were found."""
        rows: dict[tuple[bytes, bytes], int] = {}
        which = [rows.setdefault((old, new), len(rows)) for *_, old, new in self.found]
        patterns = changes.patterns.with_more(
            [
                Change(pattern=old, instead=new, fold=False, edges=0, kind="time")
                for old, new in rows
            ]
        )
        hits, n = Hits(), len(changes.patterns)
        hits.take(changes.groups, changes.places, changes.which)
        groups, places = [own[0] for own in self.found], [own[1] for own in self.found]
        hits.take(_int64(groups), _int64(places), _int64(which) + n)
        groups_, places_, which_ = hits.settled(patterns.size)
        return replace(
            changes, groups=groups_, places=places_, which=which_, patterns=patterns
        )

    def _all(self, batch: Batch) -> Iterator[Own]:
        spans = self._grouper.spans(batch)
        self._come(batch)
        flags = holds_digits_or_month(batch.data, spans.begin, spans.end)
        for row in np.flatnonzero(flags).tolist():
            data = batch.data[spans.begin[row] : spans.end[row]].tobytes()
            yield from self._text(int(spans.group[row]), int(spans.place[row]), data)
        yield from self._borders(batch, spans)
        for field in _numbers(batch, spans):
            yield from self._number(batch, spans, field)

    def _come(self, batch: Batch) -> None:
        """Tell what time it is."""
        times = batch.time_ns[batch.time_ns > 0]
        if times.size:
            first, last = int(times.min()), int(times.max())
            self.near = Near(
                first_s=first // _NS - self._moved_s,
                last_s=last // _NS - self._moved_s,
            )

    def _moment(self, batch: Batch, row: int, at: int, kind: int) -> int:
        """Return seconds since 1970, 0 for none."""
        del row
        order: Order = "little" if kind == _PING_LITTLE else "big"
        number = int.from_bytes(batch.data[at : at + 4].tobytes(), order)
        return number - _FROM_1900_S if number and kind == _OF_NTP else number

    def _text(
        self, group: int, place: int, data: bytes, border: int = -1
    ) -> Iterator[Own]:
        for at, before, instead in moved(data, self.near, self._shift_s, border):
            yield group, place + at, before, instead

    def _borders(self, batch: Batch, spans: Spans) -> Iterator[Own]:
        """Look at texts that lie across the border of two segments in order."""
        rows = np.flatnonzero(spans.segment & (spans.end > spans.begin))
        begin, end = spans.begin[rows], spans.end[rows]
        # two bytes of text: random ones are it in every seventh segment
        open_ = _is_text(batch.data[end - 1])
        open_ &= _is_text(batch.data[np.maximum(end - 2, begin)])
        groups = spans.group[rows]
        known = np.isin(groups, np.array(list(self._tails), dtype=np.int64))
        goes_on = _is_text(batch.data[begin]) & (known | _again(groups))
        goes_on &= _is_text(batch.data[np.minimum(begin + 1, end - 1)])
        for k in np.flatnonzero(open_ | goes_on).tolist():
            group, place = int(spans.group[rows[k]]), int(spans.place[rows[k]])
            following, tail = self._tails.pop(group, (-1, b""))
            data = batch.data[begin[k] : end[k]]
            if following == place:
                head = data[:_TAIL_B].tobytes()
                first, border = place - len(tail), len(tail)
                yield from self._text(group, first, tail + head, border)
            else:
                tail = b""
            if open_[k] and len(self._tails) < _MOST_TAILS:
                kept = (tail + data[-_TAIL_B:].tobytes())[-_TAIL_B:]
                self._tails[group] = (place + data.size, kept)

    def _number(
        self, batch: Batch, spans: Spans, field: tuple[int, int, int]
    ) -> Iterator[Own]:
        """Move one number of seconds: `field` is its row, place and kind."""
        row, at, kind = field
        moment_s = self._moment(batch, *field)
        wide_s = FUTURE_S if kind == _OF_NTP else _CLOSE_S
        if self.near.holds(moment_s, wide_s, wide_s):
            order: Order = "little" if kind == _PING_LITTLE else "big"
            raw = batch.data[at : at + 4].tobytes()
            number = int.from_bytes(raw, order) + self._shift_s
            instead = (number & 0xFFFFFFFF).to_bytes(4, order)
            place = int(spans.place[row]) + at - int(spans.begin[row])
            yield int(spans.group[row]), place, raw, instead


def holds_digits_or_month(b: Uint8, begin: Int64, end: Int64) -> Uint8:
    """Say of stretches whether four digits in a row or a month's name are in them."""
    flags = np.zeros(begin.size, dtype=np.uint8)
    look(b, begin, end, _MONTHS, flags)
    return flags


def _numbers(batch: Batch, spans: Spans) -> Iterator[tuple[int, int, int]]:
    """Yield row, place and kind of seconds as numbers, at places where they may be."""
    decoded, b, size = spans.decoded, batch.data, spans.end - spans.begin
    whole = decoded.fragment != _LATER
    udp = (decoded.protocol == UDP) & whole
    ntp = udp & ((decoded.src_port == _NTP) | (decoded.dst_port == _NTP))
    for row, begin in _where(ntp & (size >= _NTP_B), spans):
        for stamp in (16, 24, 32, 40):  # of reference, origin, arrival, departure
            yield row, begin + stamp, _OF_NTP
    # version of the record, place of the kind of message and of its random bytes
    for rows, version, kind, random in (
        (spans.segment, 0x03, 5, 11),
        (udp, 0xFE, 13, 27),
    ):
        for row, begin in _where(rows & (size >= random + 4), spans, b, _HANDSHAKE):
            if b[begin + 1] == version and b[begin + kind] in _HELLOS:
                yield row, begin + random, _OF_HELLO
    echo = ((decoded.protocol == _ICMP) | (decoded.protocol == _ICMPV6)) & whole
    for row, begin in _where(echo & (size >= _PING_B), spans):
        if b[begin] in _PINGS:
            yield row, begin + 8, _PING_LITTLE
            yield row, begin + 8, _PING_BIG
            yield row, begin + 12, _PING_BIG  # the low half of eight bytes


def _where(
    wanted: Bool, spans: Spans, data: Uint8 | None = None, first: int = 0
) -> Iterator[tuple[int, int]]:
    """Yield row and begin of packets, of those alone whose first byte is as given."""
    rows = np.flatnonzero(wanted)
    if data is not None:
        rows = rows[data[spans.begin[rows]] == first]
    yield from zip(rows.tolist(), spans.begin[rows].tolist(), strict=True)


def _int64(values: Sequence[int]) -> Int64:
    return np.array(values, dtype=np.int64)


def _is_text(values: Uint8) -> Bool:
    return (values >= 0x20) & (values < 0x7F)


def _again(groups: Int64) -> Bool:
    """Say which values were there before in the row."""
    again = np.ones(groups.size, dtype=np.bool_)
    again[np.unique(groups, return_index=True)[1]] = False
    return again


@kernel
def look(b: Uint8, begin: Int64, end: Int64, months: Int64, flags: Uint8) -> None:
    """Mark packets with four digits in a row, or with the name of a month."""
    for row in range(begin.size):
        digits = 0
        for i in range(begin[row], end[row]):
            c = b[i]
            if 48 <= c <= 57:
                digits += 1
                if digits >= _LEAST_DIGITS:
                    flags[row] = 1
                    break
                continue
            digits = 0
            if 65 <= c <= 83 and i + 2 < end[row] and _is_month(b, i, months):
                flags[row] = 1
                break


@kernel
def _is_month(b: Uint8, i: int, months: Int64) -> bool:
    three = np.int64(b[i]) << 16 | np.int64(b[i + 1]) << 8 | np.int64(b[i + 2])
    for k in range(months.size):  # noqa: SIM110 -- numba has no any()
        if months[k] == three:
            return True
    return False
