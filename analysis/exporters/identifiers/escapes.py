r"""Texts of which some characters are escapes, in any mix with plain ones.

for window in windows(data): ...

Each notation is one family: `%41`, `&#65;`, `\u0041`, `=41`, `\065`, `41:6c`, and
digits with marks between them. Around every escape a window of the text is shown with
all escapes of that family undone; `restored` writes a changed one back, as long as
before.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.exporters.identifiers.escape_kernels import (
    BACKSLASH,
    DECIMAL,
    ENTITY,
    LOOKED,
    READ,
    SPREAD,
    mark_escapes,
    mark_near,
    undo_escapes,
)

Int64 = NDArray[np.int64]
Uint8 = NDArray[np.uint8]

NAMES = (
    *("percent", "entities", "backslashes", "quoted-printable"),
    *("decimal escapes", "parted hex", "parted digits"),
)
# bytes that are shown on both sides of an escape; the last two are not mixed with text
REACH_B = (512, 512, 512, 512, 512, 48, 16)
_ROOM_B = 1 << 18
GAP_B = 32
_MARKS = 1 << 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A stretch of a text in which escapes of one family are undone.

    family   row of `NAMES`
    text     what it says
    origin   (n,) int64, place of each of its bytes in the data, of the escape's start
    behind   (n,) int64, where that byte or escape ends
    changed  (n,) uint8, 1 for what is not written so
    """

    family: int
    text: bytes
    origin: Int64
    behind: Int64
    changed: Uint8

    @property
    def name(self) -> str:
        """Return what the family is called."""
        return NAMES[self.family]


def windows(
    data: bytes,
    *,
    first: int = 0,
    last: int | None = None,
    changed: Uint8 | None = None,
    after: int = -1,
) -> Iterator[Window]:
    """Yield what escapes say that begin in [first, last), with text around them.

    changed  (n,) uint8 of the data: 1 for what was an escape itself. Then only escapes
             count that are made of such, and those of families behind `after` near them
    """
    view = np.frombuffer(data, dtype=np.uint8)
    end = view.size if last is None else last
    if changed is not None and not changed.any():
        return
    mask = np.zeros(0, dtype=np.uint8) if changed is None else changed
    marks = _marked(view, (first, end), mask, after)
    for family in np.unique(marks[:, 0]).tolist():
        places = marks[marks[:, 0] == family, 1]
        yield from _decoded(view, _parts(places, family, view.size), family)


def _marked(view: Uint8, part: tuple[int, int], mask: Uint8, after: int) -> Int64:
    """Return (family, place) of escapes; of many near each other not all."""
    at, end = part
    lately = np.full(len(NAMES), -(1 << 40), dtype=np.int64)
    reach = np.array(REACH_B, dtype=np.int64)
    near = np.zeros(mask.size, dtype=np.bool_)
    mark_near(mask, near)
    found = []
    while at < end:
        room = np.empty((_MARKS, 2), dtype=np.int64)
        text, asked = (view, at, end), (mask, near, after)
        at, n = mark_escapes(text, LOOKED, asked, (reach, lately), room)
        found.append(room[:n])
    return np.concatenate(found) if found else np.empty((0, 2), dtype=np.int64)


def _parts(places: Int64, family: int, size: int) -> Int64:
    """Return (begin, end) of parts of the data around marks, none of which overlap."""
    reach_b = REACH_B[family]
    begin = np.maximum(places - reach_b, 0)
    stop = np.minimum(places + 2 * reach_b, size)
    new = np.flatnonzero(begin[1:] > stop[:-1]) + 1
    firsts = np.concatenate(([0], new)) if places.size else new
    lasts = np.concatenate((new, [places.size]))[: firsts.size] - 1
    parts: Int64 = np.stack((begin[firsts], stop[lasts]), axis=1)
    return parts


def _decoded(view: Uint8, parts: Int64, family: int) -> Iterator[Window]:
    """Yield parts of the data with escapes undone, many at once."""
    if not parts.size:
        return
    row, at = 0, int(parts[0, 0])
    total = int((parts[:, 1] - parts[:, 0]).sum()) + (GAP_B + 8) * len(parts)
    tables = READ
    while row < len(parts):
        room = min(_ROOM_B, total)
        out, flags = np.empty(room, dtype=np.uint8), np.empty(room, dtype=np.uint8)
        origin, behind = np.empty(room, np.int64), np.empty(room, np.int64)
        said = (out, flags, origin, behind)
        row, at, n = undo_escapes((view, parts), (row, at), family, tables, said)
        yield Window(
            family=family,
            text=out[:n].tobytes(),
            origin=origin[:n],
            behind=behind[:n],
            changed=flags[:n],
        )
        if row < len(parts) and at > parts[row, 0]:  # what room cut in two
            at = max(at - REACH_B[family], int(parts[row, 0]) + 1)


def restored(window: Window, data: bytes, text: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield (place, bytes) to be written so that the window says `text`.

    text  as long as that of the window. An escape that has no room for its character
          gets another one
    """
    new = np.frombuffer(text, dtype=np.uint8)
    old = np.frombuffer(window.text, dtype=np.uint8)
    done = 0
    for k in np.flatnonzero(new != old).tolist():
        at, stop = int(window.origin[k]), int(window.behind[k])
        if at < 0 or k < done:
            continue
        first, done = k, k + 1
        while first and window.origin[first - 1] == at:
            first -= 1
        while done < new.size and window.origin[done] == at:
            done += 1
        said = text[first:done]
        if stop - at == 1:
            yield at, said
        else:
            yield at, _again(data[at:stop], said, window.family)


def _again(raw: bytes, said: bytes, family: int) -> bytes:
    """Return an escape of the same length and notation for other bytes."""
    upper = raw.upper() == raw
    if family == SPREAD:
        return _cased(b"%02x" % said[0], upper) + raw[2:]
    if family == DECIMAL:
        return b"\\%03d" % said[0]
    if family == ENTITY:
        return _entity(raw, said.decode(errors="replace"))
    mark, tail = raw[:1], raw[1:]
    if tail[:1].lower() not in (b"u", b"x"):
        octal = family == BACKSLASH
        form = b"%03o" % said[0] if octal else _cased(b"%02x" % said[0], upper)
        return mark + form if len(form) == len(tail) else b"x" * len(raw)
    if tail[:1] == b"x":
        return mark + b"x" + _cased(b"%02x" % said[0], tail[1:].upper() == tail[1:])
    return _wide(raw, said.decode(errors="replace"))


def _wide(raw: bytes, text: str) -> bytes:
    r"""Return `\u0041`, `\U00000041`, `\u{41}` or a pair, as long as one was."""
    upper = raw[2:].upper() == raw[2:]
    braced = raw[2:3] == b"{"
    digits = len(raw) - (4 if braced else 2)
    if len(raw) == 12:
        pair = text.encode("utf-16be").rjust(4, b"\0")
        halves = (_cased(pair[k : k + 2].hex().encode(), upper) for k in (0, 2))
        return b"".join(b"\\u" + half for half in halves)
    hexed = _cased(b"%0*x" % (digits, ord(text[0])), upper)
    if len(hexed) > digits:
        return b"x" * len(raw)
    return raw[:2] + (b"{" + hexed + b"}" if braced else hexed)


def _entity(raw: bytes, text: str) -> bytes:
    """Return `&#65;` or `&#x41;` for a character, with zeros before it."""
    end = b";" if raw.endswith(b";") else b""
    code = ord(text[0])
    hexed = raw[2:3] in (b"x", b"X")
    room = len(raw) - len(end) - 2
    ways = [(b"", b"%d" % code), (raw[2:3] if hexed else b"x", b"%x" % code)]
    for sign, digits in reversed(ways) if hexed else ways:
        if len(sign) + len(digits) <= room:
            fill = room - len(sign) - len(digits)
            return b"&#" + sign + b"0" * fill + digits + end
    if room == 2:  # of letters, the first three have numbers of two digits
        return b"&#%d" % (97 + code % 3) + end
    return b"x" * len(raw)


def _cased(digits: bytes, upper: bool) -> bytes:
    return digits.upper() if upper else digits
