"""Kernels that find escapes in bytes and undo them, of all notations of `escapes`."""

from collections.abc import Iterable
from html.entities import html5

import numpy as np
from numpy.typing import NDArray

from analysis.pcap.jit import kernel

Int64 = NDArray[np.int64]
Bool = NDArray[np.bool_]
Uint8 = NDArray[np.uint8]
Uint64 = NDArray[np.uint64]
Unit = tuple[int, int, bool]
Tables = tuple[Uint8, Uint64, Int64, Uint8]

PERCENT, ENTITY, BACKSLASH, QUOTED, DECIMAL, SPREAD, DIGITS = range(7)
_PARTED = 1 << SPREAD | 1 << DIGITS
_LEAST_DIGITS, _MOST_DIGITS = 8, 24
_DELETED = -1
_BROKEN = 0xFFFD
_DIGIT, _HEX, _SEPARATOR, _DIGIT_MARK, _TRIVIAL = 1, 2, 4, 8, 16
_GAP_B = 32
_NEAR_B = 64  # between escapes of two kinds in one name


def _table(kinds: Iterable[tuple[bytes, int]]) -> Uint8:
    table = np.zeros(256, dtype=np.uint8)
    for chars, what in kinds:
        for char in chars:
            table[char] |= what
    return table


def _starts(of_spread: bytes) -> Uint8:
    """Return the families, as bits, of which an escape may begin with a byte."""
    kinds = [(b"%", 1 << PERCENT), (b"&", 1 << ENTITY), (b"=", 1 << QUOTED)]
    kinds += [(b"\\", 1 << BACKSLASH | 1 << DECIMAL), (_DIGIT_MARKS, 1 << DIGITS)]
    return _table([*kinds, (of_spread, 1 << SPREAD)])


def _entities() -> tuple[Uint64, Int64]:
    """Return hashes of the names of characters, increasing, and the characters."""
    known = {}
    for name, text in html5.items():
        if name.endswith(";") and len(text) == 1:
            value = 0
            for char in name[:-1].encode():
                value = (value * 0x100000001B3 ^ char) & (1 << 64) - 1
            known[value] = ord(text)
    ordered = sorted(known)
    return (
        np.array(ordered, dtype=np.uint64),
        np.array([known[each] for each in ordered], dtype=np.int64),
    )


_SEPARATORS, _DIGIT_MARKS = b":- _.,;", b" ()/-."
_CLASSES = _table(
    [
        (b"0123456789", _DIGIT | _HEX),
        (b"abcdefABCDEF", _HEX),
        (_SEPARATORS, _SEPARATOR),
        (_DIGIT_MARKS, _DIGIT_MARK),
        (b"/\"'\\&", _TRIVIAL),
    ]
)
# where to look: at the marks between pairs of digits, which are rarer than digits; and
# where to read, at the first digit
_LOOK, _READ = _starts(_SEPARATORS), _starts(b"0123456789abcdefABCDEF")
_HASHES, _CHARS = _entities()
LOOKED = (_CLASSES, _HASHES, _CHARS, _LOOK)
READ = (_CLASSES, _HASHES, _CHARS, _READ)
_PRIME = np.uint64(0x100000001B3)


@kernel
def mark_escapes(
    text: tuple[Uint8, int, int],
    tables: Tables,
    asked: tuple[Uint8, Bool, int],
    spacing: tuple[Int64, Int64],
    marks: Int64,
) -> tuple[int, int]:
    """Mark escapes that begin in a part; return where to go on, marks made."""
    data, at, end = text
    mask, near, after = asked
    reach, lately = spacing
    n = 0
    for i in range(at, end):
        may = tables[3][data[i]]
        if may & _PARTED and (i == 0 or tables[0][data[i - 1]] & _HEX == 0):
            may &= ~_PARTED
        if may == 0 or (near.size and not near[i]):
            continue
        family = 0
        while may:
            if may & 1 and i >= lately[family] + reach[family]:
                start = i - 2 if family == SPREAD else i
                size = _unit((data, start, -1), family, tables)[0] if start >= 0 else 0
                if family == QUOTED and _is_setting(data, i):
                    size = 0
                if size and _counts(mask, start, size, family > after):
                    lately[family] = i
                    marks[n, 0], marks[n, 1] = family, start
                    n += 1
            family += 1
            may >>= 1
        if n + reach.size > marks.shape[0]:
            return i + 1, n
    return end, n


@kernel
def mark_near(mask: Uint8, near: Bool) -> None:
    """Say of each byte whether one that is marked lies near it; `near` is False."""
    last = -_NEAR_B
    for i in range(mask.size):
        if mask[i]:
            last = i
        near[i] = i < last + _NEAR_B
    last = mask.size + _NEAR_B
    for k in range(mask.size):
        i = mask.size - 1 - k
        if mask[i]:
            last = i
        near[i] |= i > last - _NEAR_B


@kernel
def _counts(mask: Uint8, start: int, size: int, later: bool) -> bool:
    """Say whether an escape is made of others, or need not be."""
    return mask.size == 0 or later or bool(mask[start : start + size].any())


@kernel
def undo_escapes(
    text: tuple[Uint8, Int64],
    begin: tuple[int, int],
    family: int,
    tables: Tables,
    out: tuple[Uint8, Uint8, Int64, Int64],
) -> tuple[int, int, int]:
    """Write parts with escapes undone; return part and place to go on, bytes written.

    Between two parts are zeros, that come from nowhere (-1).
    """
    data, parts = text
    row, at = begin
    n = 0
    while row < parts.shape[0]:
        at, n = _undo_part((data, at, parts[row, 1]), family, tables, out, n)
        if at < parts[row, 1] or n + _GAP_B + 8 > out[0].size:
            break
        out[0][n : n + _GAP_B] = 0
        out[1][n : n + _GAP_B] = 0
        out[2][n : n + _GAP_B] = -1
        out[3][n : n + _GAP_B] = -1
        n += _GAP_B
        row += 1
        if row < parts.shape[0]:
            at = parts[row, 0]
    if row < parts.shape[0] and at >= parts[row, 1]:
        row += 1
        if row < parts.shape[0]:
            at = parts[row, 0]
    return row, at, n


@kernel
def _undo_part(
    text: tuple[Uint8, int, int],
    family: int,
    tables: Tables,
    out: tuple[Uint8, Uint8, Int64, Int64],
    n: int,
) -> tuple[int, int]:
    data, i, stop = text
    said, flags, origin, behind = out
    gone, before = 0, -1
    while i < stop and n + 4 < said.size:
        size, code, wide = 0, 0, False
        if tables[3][data[i]] >> family & 1:
            size, code, wide = _unit((data, i, before), family, tables)
        first = n
        if size == 0:
            said[n] = data[i]
            flags[n] = gone
            n, size = n + 1, 1
        else:
            if code != _DELETED:
                n = _say(said, n, code, wide)
            before = i + size
            for k in range(first, n):
                flags[k] = 1
        gone = 1 if n == first else 0
        for k in range(first, n):
            origin[k], behind[k] = i, i + size
        i += size
    return i, n


@kernel
def _say(said: Uint8, n: int, code: int, wide: bool) -> int:
    """Write a byte, or a character in UTF-8; return where to go on."""
    if not wide or code < 0x80:
        said[n] = code
        return n + 1
    if code < 0x800:
        said[n] = 0xC0 | code >> 6
    elif code < 0x10000:
        said[n] = 0xE0 | code >> 12
    else:
        said[n] = 0xF0 | code >> 18
        n += 1
        said[n] = 0x80 | code >> 12 & 63
    n += 1
    if code >= 0x800:
        said[n] = 0x80 | code >> 6 & 63
        n += 1
    said[n] = 0x80 | code & 63
    return n + 1


@kernel
def _unit(text: tuple[Uint8, int, int], family: int, tables: Tables) -> Unit:
    """Return bytes of the escape at a place, 0 for none, and what it says."""
    data, i, before = text
    one = data[i]
    if family == PERCENT:
        return _percent(data, i) if one == 0x25 else (0, 0, False)
    if family == ENTITY:
        return _reference(data, i, tables) if one == 0x26 else (0, 0, False)
    if family == BACKSLASH:
        return _backslash(data, i, tables[0]) if one == 0x5C else (0, 0, False)
    if family == QUOTED:
        return _quoted(data, i) if one == 0x3D else (0, 0, False)
    if family == DECIMAL:
        return _decimal(data, i, tables[0]) if one == 0x5C else (0, 0, False)
    if family == SPREAD:
        return _spread(data, i, before, tables[0])
    return _between_digits(data, i, tables[0])


@kernel
def _value(char: int) -> int:
    """Return what a hexadecimal digit says, -1 for another character."""
    if 48 <= char <= 57:
        return char - 48
    low = char | 32
    return low - 87 if 97 <= low <= 102 else -1


@kernel
def _number(data: Uint8, at: int, digits: int) -> int:
    """Return the number of so many hexadecimal digits, -1 where they are none."""
    if at < 0 or at + digits > data.size:
        return -1
    number = 0
    for k in range(at, at + digits):
        value = _value(data[k])
        if value < 0:
            return -1
        number = number * 16 + value
    return number


@kernel
def _percent(data: Uint8, i: int) -> Unit:
    number = _number(data, i + 1, 2)
    if number >= 0:
        return 3, number, False
    if i + 6 <= data.size and data[i + 1] | 32 == 0x75:
        number = _number(data, i + 2, 4)
        if number >= 0:
            return 6, _sound(number), True
    return 0, 0, False


@kernel
def _sound(code: int) -> int:
    """Return a character that is one, for half a pair, or what is none, a mark."""
    return _BROKEN if 0xD800 <= code < 0xE000 or code > 0x10FFFF else code


@kernel
def _quoted(data: Uint8, i: int) -> Unit:
    number = _number(data, i + 1, 2)
    if number >= 0:
        return 3, number, False
    if i + 1 < data.size and data[i + 1] == 10:
        return 2, _DELETED, False
    if i + 2 < data.size and data[i + 1] == 13 and data[i + 2] == 10:
        return 3, _DELETED, False
    return 0, 0, False


@kernel
def _is_setting(data: Uint8, i: int) -> bool:
    """Say whether `=de` is rather the begin of a value: small letters, and alone."""
    if i + 2 >= data.size or (data[i + 1] < 97 and data[i + 2] < 97):
        return False
    return i + 3 >= data.size or data[i + 3] != 0x3D


@kernel
def _reference(data: Uint8, i: int, tables: Tables) -> Unit:
    if i + 3 >= data.size:
        return 0, 0, False
    if data[i + 1] == 0x23:
        return _numbered(data, i)
    hashed, at = np.uint64(0), i + 1
    while at < min(i + 33, data.size) and data[at] != 0x3B:
        hashed = hashed * _PRIME ^ np.uint64(data[at])
        at += 1
    if at >= data.size or data[at] != 0x3B:
        return 0, 0, False
    row = np.searchsorted(tables[1], hashed)
    if row < tables[1].size and tables[1][row] == hashed:
        return at + 1 - i, tables[2][row], True
    return 0, 0, False


@kernel
def _numbered(data: Uint8, i: int) -> Unit:
    r"""Read `&#65;` or `&#x41;`, also without its end."""
    base, at = 10, i + 2
    if data[at] | 32 == 0x78:
        base, at = 16, at + 1
    number, first = 0, at
    while at < min(first + 10, data.size):
        value = _value(data[at])
        if value < 0 or value >= base:
            break
        number, at = number * base + value, at + 1
    if at == first:
        return 0, 0, False
    if at < data.size and data[at] == 0x3B:
        at += 1
    return at - i, _sound(number), True


@kernel
def _backslash(data: Uint8, i: int, classes: Uint8) -> Unit:
    if i + 1 >= data.size:
        return 0, 0, False
    two = data[i + 1]
    if two == 0x75:
        return _of_four(data, i)
    if two == 0x55:
        number = _number(data, i + 2, 8)
        return (10, _sound(number), True) if number >= 0 else (0, 0, False)
    if two == 0x78:
        number = _number(data, i + 2, 2)
        return (4, number, False) if number >= 0 else (0, 0, False)
    if i + 3 < data.size and 48 <= two <= 51:
        three, four = data[i + 2], data[i + 3]
        if 48 <= three <= 55 and 48 <= four <= 55:
            return 4, (two - 48) * 64 + (three - 48) * 8 + four - 48, False
    if classes[two] & _TRIVIAL and i > 0 and 32 <= data[i - 1] < 127:
        return 2, int(two), False
    return 0, 0, False


@kernel
def _of_four(data: Uint8, i: int) -> Unit:
    r"""Read `\u0041`, a pair of such, or `\u{41}`."""
    number = _number(data, i + 2, 4)
    if 0xD800 <= number < 0xDC00 and i + 12 <= data.size:
        low = _number(data, i + 8, 4)
        if data[i + 6] == 0x5C and data[i + 7] == 0x75 and 0xDC00 <= low < 0xE000:
            return 12, 0x10000 + ((number - 0xD800) << 10) + low - 0xDC00, True
    if number >= 0:
        return 6, _sound(number), True
    if i + 2 < data.size and data[i + 2] == 0x7B:
        for digits in range(1, 7):
            number = _number(data, i + 3, digits)
            if number < 0 or i + 3 + digits >= data.size:
                return 0, 0, False
            if data[i + 3 + digits] == 0x7D:
                return digits + 4, _sound(number), True
    return 0, 0, False


@kernel
def _decimal(data: Uint8, i: int, classes: Uint8) -> Unit:
    """Read three digits, as names in zone files and of services have them."""
    if i + 3 >= data.size:
        return 0, 0, False
    number = 0
    for k in range(i + 1, i + 4):
        if classes[data[k]] & _DIGIT == 0:
            return 0, 0, False
        number = number * 10 + data[k] - 48
    return (4, number, False) if number < 256 else (0, 0, False)


@kernel
def _spread(data: Uint8, i: int, before: int, classes: Uint8) -> Unit:
    """Read two digits and the mark behind them, in a row of three or more."""
    number = _number(data, i, 2)
    if number < 0:
        return 0, 0, False
    size = _pair(data, i, classes)
    if i == before:
        return (size if size else 2), number, False
    if size == 0 or (i > 0 and classes[data[i - 1]] & _HEX):
        return 0, 0, False
    return (size if _pair(data, i + size, classes) else 0), number, False


@kernel
def _pair(data: Uint8, i: int, classes: Uint8) -> int:
    """Return bytes of two digits and what parts them from the next two, 0: nothing."""
    if _number(data, i, 2) < 0:
        return 0
    at = i + 2
    while at < min(i + 4, data.size) and classes[data[at]] & _SEPARATOR:
        at += 1
    if at == i + 2 or at + 1 >= data.size:
        return 0
    if data[at] == 48 and data[at + 1] | 32 == 0x78:
        at += 2
    return at - i if _number(data, at, 2) >= 0 else 0


@kernel
def _between_digits(data: Uint8, i: int, classes: Uint8) -> Unit:
    """Skip marks between digits of what may be the number of a telephone."""
    if classes[data[i]] & _DIGIT_MARK == 0 or i == 0:
        return 0, 0, False
    if classes[data[i - 1]] & _DIGIT == 0:
        return 0, 0, False
    end = i
    while end < min(i + 3, data.size) and classes[data[end]] & _DIGIT_MARK:
        end += 1
    if end >= data.size or classes[data[end]] & _DIGIT == 0:
        return 0, 0, False
    kinds, digits = _DIGIT | _DIGIT_MARK, 0
    k = i - 1
    while k >= max(0, i - _MOST_DIGITS) and classes[data[k]] & kinds:
        digits += classes[data[k]] & _DIGIT
        k -= 1
    k = end
    while k < min(data.size, end + _MOST_DIGITS) and classes[data[k]] & kinds:
        digits += classes[data[k]] & _DIGIT
        k += 1
    return (end - i if digits >= _LEAST_DIGITS else 0), _DELETED, False
