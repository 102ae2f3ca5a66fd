"""Look for identifiers in bytes and in all that is packed within them."""

import copy
import ipaddress
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from analysis.exporters.audit.model import Finding, LookedAt, shown, unread
from analysis.exporters.identifiers.escapes import Window, windows
from analysis.exporters.identifiers.gathered import PACKETS
from analysis.exporters.identifiers.layers import CONTEXT_B, DEPTH, dechunked, unpacked
from analysis.exporters.identifiers.model import Identifier
from analysis.exporters.identifiers.search import ANCHOR_B, Search
from analysis.exporters.identifiers.variants import Variant, variants

_PIECE_B = 1 << 22
_MOST_TOLD = 2  # places of one spelling in a file; the others are counted
_GAP = bytes(32)
_FEW = 3  # letters that zeros with a digit between them make
BYTE = "byte "
_USUAL = ("binary", "utf-8", "dashes", "reversed", "dns reversed", "decimal")
_LEAST_B = {"base64": 6, "base32": 8, "hex": 8}
Place = Callable[[int], str]
Uint8 = NDArray[np.uint8]
Key = tuple[str, int, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Where bytes come from: file, who reads, and where a byte of them lies.

    layer  what they were unpacked from, ' in gzip'; '' for bytes of the file
    judge  leave out short hits among bytes that look random
    """

    file: str
    reader: str
    place: Place
    layer: str = ""
    judge: bool = True


class Looker:
    """Searches, and keeps what it found; one for a whole audit.

    looked_at  counts, which readers add to
    notes      what is worth knowing
    others     findings that are no identifiers: what was not looked at, and their like
    """

    def __init__(self, identifiers: Sequence[Identifier]) -> None:
        self.identifiers = tuple(identifiers)
        spelled = [
            (row, each)
            for row, identifier in enumerate(self.identifiers)
            for each in searchable(identifier)
        ]
        anywhere = [(row, each) for row, each in spelled if not _is_common(each)]
        self._rows = [row for row, _ in anywhere]
        self.search = Search([each for _, each in anywhere])
        weak = [(row, each) for row, each in spelled if each.weak]
        self._weak = (Search([each for _, each in weak]), [row for row, _ in weak])
        self.looked_at = LookedAt(spellings=len(spelled))
        self.notes: list[str] = []
        self.others: list[Finding] = []
        found = {row for row, _ in spelled}
        self.too_short = tuple(
            (each.kind, row)
            for row, each in enumerate(self.identifiers)
            if row not in found
        )
        self._findings: dict[Key, Finding] = {}

    def fresh(self) -> "Looker":
        """Return one that has found nothing yet, with the same tables."""
        other = copy.copy(self)
        other.looked_at = LookedAt()
        other.notes, other.others, other._findings = [], [], {}
        return other

    def seen(self) -> tuple[Finding, ...]:
        """Return all findings, as they came."""
        return (*self._findings.values(), *self.others)

    def take(
        self, findings: Iterable[Finding], looked_at: LookedAt, notes: Iterable[str]
    ) -> None:
        """Take over what another looker saw; what is alike is kept once."""
        for each in findings:
            if each.number < 0:
                self.others += [] if each in self.others else [each]
                continue
            key = (each.file, each.number, each.encoding)
            before = self._findings.get(key)
            n = before.n if before else 0
            self._findings[key] = replace(before or each, n=n + each.n)
        self.looked_at.add(looked_at)
        self.notes += [each for each in notes if each not in self.notes]

    @property
    def margin_b(self) -> int:
        """Bytes that a piece must share with the next so that no pattern is cut."""
        return self.search.longest_b + len(_GAP)

    def findings(self) -> tuple[Finding, ...]:
        """Return what was found so far, in order of file, kind and identifier."""
        return tuple(
            sorted(
                (*self._findings.values(), *self.others),
                key=lambda f: (f.file, f.kind, f.number, f.encoding, f.place, f.shown),
            )
        )

    def unread(self, file: str, why: str, *, name: str = "", remedy: str = "") -> None:
        """Find that something was not looked at, which is as bad as any finding."""
        self.others.append(unread(file, why, name=name, remedy=remedy))

    def note(self, view: View, row: int, encoding: str, place: str, n: int = 1) -> None:
        """Keep a finding; of each file, identifier and spelling the first place."""
        key = (view.file, row, encoding)
        before = self._findings.get(key)
        if before:
            self._findings[key] = replace(before, n=before.n + n)
            return
        identifier = self.identifiers[row]
        self._findings[key] = Finding(
            file=view.file,
            place=place,
            kind=identifier.kind,
            encoding=encoding,
            shown=shown(identifier.value),
            reader=view.reader,
            n=n,
            number=row,
        )

    def bytes_of(self, file: str) -> dict[Key, int]:
        """Return the findings of a file whose place is a byte, and that byte."""
        return {
            key: int(found.place.removeprefix(BYTE))
            for key, found in self._findings.items()
            if key[0] == file and found.place.startswith(BYTE)
        }

    def take_back(self, key: Key) -> None:
        """Forget a finding that turned out to be chance."""
        self.looked_at.chance += self._findings.pop(key).n

    def place_again(self, key: Key, place: str) -> None:
        """Say better where a finding is."""
        self._findings[key] = replace(self._findings[key], place=place)

    def look(
        self, view: View, data: bytes, span: tuple[int, int] | None = None
    ) -> None:
        """Search bytes and what is packed in them.

        span  only what begins there; what lies around is context
        """
        self._plain(view, data, span or (0, len(data)))
        self._layers(view, data, span or (0, len(data)), _Depth(left=DEPTH))

    def look_short(self, view: View, data: bytes) -> None:
        """Search bytes that were searched before, where short hits count too."""
        self._plain(view, data, (0, len(data)), weak_only=True)

    def hits(self, data: bytes, span: tuple[int, int]) -> list[tuple[int, int, str]]:
        """Return (place, row of the identifier, spelling) of what is in a text."""
        told = self.search.find(
            np.frombuffer(data, dtype=np.uint8), first=span[0], last=span[1]
        )
        spellings = self.search.spellings
        return [(at, self._rows[k], spellings[k].encoding) for at, k in told]

    def look_at_stream(self, view: View, data: bytes, old_b: int) -> None:
        """Search a stretch of a TCP stream, and bodies that were sent in chunks."""
        first = max(0, old_b - self.search.longest_b)
        self.look(view, data, (first, len(data)))
        for at, body in dechunked(data):
            self.look(replace(view, place=_shifted(view.place, [(0, at)])), body)

    def look_at_file(
        self,
        view: View,
        file: BinaryIO,
        *,
        part: tuple[int, int] | None = None,
        step: Callable[[int], None] | None = None,
    ) -> None:
        """Search an open file of any size, piece by piece.

        part  only what begins there
        step  is told bytes that were searched
        """
        for base, data, span in pieces(file, self.margin_b, part):
            self.look(replace(view, place=_moved(view.place, base)), data, span)
            if step:
                step(span[1] - span[0])

    def _plain(
        self,
        view: View,
        data: bytes,
        span: tuple[int, int],
        *,
        weak_only: bool = False,
    ) -> None:
        search, rows = self._weak if weak_only else (self.search, self._rows)
        tally = search.tally()
        told = search.find(
            np.frombuffer(data, dtype=np.uint8),
            first=span[0],
            last=span[1],
            tally=tally,
            most=_MOST_TOLD,
            judge=view.judge,
        )
        self.looked_at.chance += int(tally.chance.sum())
        first: dict[int, int] = {}
        for at, which in told:
            first.setdefault(which, at)
        for which, at in first.items():
            encoding = search.spellings[which].encoding + view.layer
            n = int(tally.hits[which])
            self.note(view, rows[which], encoding, view.place(at), n)

    def _window(self, view: View, window: Window, data: bytes) -> None:
        """Search a text in which escapes are undone: what has none is no news."""
        told = self.search.find(np.frombuffer(window.text, dtype=np.uint8))
        if not told:
            return
        sums = np.concatenate(([0], np.cumsum(window.changed)))
        for at, which in told:
            spelling, row = self.search.spellings[which], self._rows[which]
            end = at + len(spelling.pattern)
            if sums[end] == sums[at]:
                continue
            source = data[window.origin[at] : window.behind[end - 1]]
            if row not in {each for _, each, _ in self.hits(source, (0, len(source)))}:
                self.note(view, row, spelling.encoding + view.layer, view.place(at))

    def _layers(
        self, view: View, data: bytes, span: tuple[int, int], depth: "_Depth"
    ) -> None:
        if not depth.left:
            return
        changed = depth.changed
        found = unpacked(
            data, first=span[0], last=span[1], changed=changed, percent=False
        )
        for name, starts, inner in _gathered(found):
            below = self._below(view, name, _shifted(view.place, starts), len(inner))
            whole = (0, len(inner))
            self._plain(below, inner, whole)
            self._layers(below, inner, whole, _Depth(left=depth.left - 1))
        for window in windows(
            data, first=span[0], last=span[1], changed=changed, after=depth.after
        ):
            place = _traced(view.place, window)
            below = self._below(view, window.name, place, len(window.text))
            self._window(below, window, data)
            deeper = _Depth(
                left=depth.left - 1, changed=window.changed, after=window.family
            )
            self._layers(below, window.text, (0, len(window.text)), deeper)

    def _below(self, view: View, name: str, place: Place, size_b: int) -> View:
        self.looked_at.unpacked_b += size_b
        layer = f" in {name}{view.layer}"
        return replace(view, place=place, layer=layer, judge=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Depth:
    """How far to go on, and among what.

    left            layers that may still follow
    changed, after  as of `windows`: in a text in which escapes were undone, only those
                    count that are new there
    """

    left: int
    changed: Uint8 | None = None
    after: int = -1


def searchable(identifier: Identifier) -> tuple[Variant, ...]:
    """Return the spellings that can be told from chance, in text or elsewhere.

    None when the identifier itself is shorter than an anchor; of one that is hardly
    longer, not those in which each byte says little. Of the thousands of servers that
    a home talks to, those that are usual: each pattern takes time at every byte.
    """
    found = tuple(variants(identifier))
    if len(found[0].pattern) < ANCHOR_B:
        return ()
    of_cloud = identifier.kind == "ipv4" and identifier.source == PACKETS
    if of_cloud and ipaddress.IPv4Address(identifier.value).is_global:
        found = tuple(each for each in found if each.encoding in _USUAL)
    return tuple(
        each
        for each in found
        if len(each.pattern) >= _LEAST_B.get(each.encoding.split()[0][:6], ANCHOR_B)
        and not _is_padding(each)
        and not (each.encoding == "binary reversed" and _is_common(each))
    )


def _is_common(spelling: Variant) -> bool:
    """Say whether numbers look like it: 10.0.0.1 in bytes, where zeros are many.

    Such a one counts in headers and plain protocols alone.
    """
    return len(spelling.pattern) == ANCHOR_B and spelling.pattern.count(0) > 1


def _is_padding(spelling: Variant) -> bool:
    """Say whether base64 of it is that of zeros: of a MAC such as 02:00:00:00:00:01."""
    is_packed = spelling.encoding.startswith("base64")
    return is_packed and len(set(spelling.pattern)) <= _FEW


def fixed(place: str) -> Place:
    """Return one place for all bytes."""
    return lambda _at: place


def pieces(
    file: BinaryIO, margin_b: int, part: tuple[int, int] | None = None
) -> Iterator[tuple[int, bytes, tuple[int, int]]]:
    """Yield (place, bytes, part that is new) of a file, with context on both sides.

    part  only what begins there
    """
    base, kept, first, end = 0, b"", 0, None
    if part is not None:
        base, end = max(0, part[0] - margin_b), part[1]
        first = part[0] - base
        file.seek(base)
    while True:
        data = kept + file.read(_PIECE_B)
        ended = len(data) - len(kept) < _PIECE_B
        last = len(data) if ended else len(data) - CONTEXT_B
        if end is not None and base + last >= end:
            last, ended = end - base, True
        if last > first:
            yield base, data, (first, last)
        if ended:
            return
        drop = max(0, last - margin_b)
        kept, base, first = data[drop:], base + drop, last - drop


def _gathered(
    found: Iterable[tuple[int, str, bytes]],
) -> Iterator[tuple[str, list[tuple[int, int]], bytes]]:
    """Put small things that were unpacked together: few long searches are faster."""
    held: dict[str, tuple[list[tuple[int, int]], bytearray]] = {}
    for at, name, inner in found:
        starts, text = held.setdefault(name, ([], bytearray()))
        starts.append((len(text), at))
        text += inner
        text += _GAP
        if len(text) >= _PIECE_B:
            yield name, starts, bytes(text)
            del held[name]
    for name, (starts, text) in held.items():
        yield name, starts, bytes(text)


def _shifted(place: Place, starts: list[tuple[int, int]]) -> Place:
    """Return a place of what was unpacked as the place where the packed begins."""
    inner = [start for start, _ in starts]

    def where(at: int) -> str:
        return place(starts[bisect_right(inner, at) - 1][1])

    return where


def _traced(place: Place, window: Window) -> Place:
    """Return a place in a window as that of the escape in the data."""
    return lambda at: place(int(window.origin[at]))


def _moved(place: Place, base: int) -> Place:
    """Return a place of a file as that of a piece that begins at `base`."""
    return lambda at: place(base + at)
