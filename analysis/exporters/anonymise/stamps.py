"""Dates and moments that stand in texts, and what they become when times are moved.

for at, before, instead in moved(data, near, shift_s): ...

What is said of now or of later would give the true day away, and is moved. What is
older than a month, of a firmware or a page, stays: others know it, and moved it would
tell by how much.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

Change = tuple[int, bytes, bytes]

DAY_S = 86_400
PAST_S, FUTURE_S = 31 * DAY_S, 800 * DAY_S
_BARE_PAST_S = 7 * DAY_S  # of a number or date without a time of day
_MONTHS = (
    *(b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun"),
    *(b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"),
)
_MONTH = b"(" + b"|".join(_MONTHS) + b")"
_GAP = rb"(?:[ :T+]|%20)"
# 22 Nov 2026 11:30, 22-Nov-26 11:30, 22/Nov/2026:11:30, also percent-encoded
_NAMED = re.compile(
    rb"(?:(?<!\d)|(?<=%20))(\d\d| \d|\d)([ /+-]|%20)"
    + _MONTH
    + rb"\2(20\d\d|\d\d)(?="
    + _GAP
    + rb"\d\d(?::|%3[Aa])\d\d)"
)
# Nov 22 11:30:33, and the year where asctime has it
_LOGGED = re.compile(
    _MONTH
    + rb" ([ \d]\d) (?=\d\d:\d\d:\d\d(?:\.\d+)?(?: (?:[A-Z]{3,4} )?(20\d\d)(?!\d))?)"
)
# 2026-11-22, 2026/11/22, 2026:11:22
_PARTED = re.compile(
    rb"(?<![\d.])(20\d\d)([-/.:_])(0[1-9]|1[0-2])\2(0[1-9]|[12]\d|3[01])(?!\d)"
)
# 20261122, 20261122T113033, 20261122113033
_CLOSED = re.compile(
    rb"(?<!\d)(20\d\d)()(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])"
    rb"(?=(?:[T_-]?\d{4}(?:\d\d)?(?:\d{3})?)?(?!\d))"
)
# 22.11.2026, 22/11/2026, 11/22/2026
_ENDING = re.compile(rb"(?<![\d.])(\d\d)([-/.])(\d\d)\2(20\d\d)(?!\d)")
# seconds, milliseconds, microseconds and nanoseconds since 1970
_COUNTED = re.compile(rb"(?<![\d.])(1\d{9})(?=(?:\d{3}|\d{6}|\d{9})?(?!\d))")
# "year":2026,"month":11,"mday":22, as devices answer that are asked for their clock
_LISTED = re.compile(
    rb'"year"\s*:\s*(20\d\d)\s*,\s*"month"\s*:(\s*\d\d?)\s*,\s*"m?day"\s*:(\s*\d\d?)'
    rb"(?!\d)"
)
_OWN = re.compile(rb"(?i)(?:^|[\r\n])(?:date|expires)[ \t]*:[^\r\n]*\Z")
_HEAD_B = 32
_CENTURY = 2000
_BEHIND_B = 32  # how far a pattern looks behind what it finds


@dataclass(frozen=True, slots=True, kw_only=True)
class Near:
    """When bytes were captured: the first and the last second, since 1970."""

    first_s: int
    last_s: int

    def holds(self, moment_s: float, past_s: int, future_s: int) -> bool:
        """Say whether a moment lies so near."""
        return self.first_s - past_s <= moment_s <= self.last_s + future_s


def moved(data: bytes, near: Near, shift_s: int, border: int = -1) -> Iterator[Change]:
    """Yield (place, bytes, bytes instead), of the same length, of all that is near.

    shift_s  whole days
    border   only of what lies on both sides of this place, where one is given
    """
    days = timedelta(seconds=shift_s)
    for pattern, change in _WAYS:
        for found in pattern.finditer(data):
            if border < 0 or found.start() < border <= found.end() + _BEHIND_B:
                yield from change(found, near, days)


def rewritten(data: bytes, near: Near, shift_s: int) -> bytes:
    """Return the bytes with all that is near moved."""
    made = bytearray(data)
    for at, _before, instead in moved(data, near, shift_s):
        made[at : at + len(instead)] = instead
    return bytes(made)


def _parts(
    found: re.Match[bytes], instead: Iterable[tuple[int, bytes]]
) -> list[Change]:
    """Return one change, of everything from the first to the last of some groups."""
    told = [(group, text) for group, text in instead if found[group] is not None]
    start = min(found.start(group) for group, _ in told)
    end = max(found.end(group) for group, _ in told)
    before = found.string[start:end]
    made = bytearray(before)
    for group, text in told:
        made[found.start(group) - start : found.end(group) - start] = text
    return [(start, before, bytes(made))] if made != before else []


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _goes(day: date | None, near: Near, past_s: int = PAST_S) -> bool:
    """Say whether a date is near; zones of time make it a day earlier or later."""
    if day is None:
        return False
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    return near.holds(noon.timestamp(), past_s, FUTURE_S)


def _is_own(found: re.Match[bytes]) -> bool:
    """Say whether it is the date of a message itself: with its age it tells of now."""
    before = found.string[max(0, found.start() - _HEAD_B) : found.start()]
    return _OWN.search(before) is not None


def _named(found: re.Match[bytes], near: Near, days: timedelta) -> list[Change]:
    year = int(found[4])
    short = year < 100
    old = _date(year + _CENTURY * short, _MONTHS.index(found[3]) + 1, int(found[1]))
    if old is None or not (_goes(old, near) or _is_own(found)):
        return []
    new = old + days
    size = len(found[1])
    # a day of one digit takes the blank before it, or the last one of its month
    number = b"%02d" % new.day if size == 2 else b"%d" % min(new.day, 9)
    wide = b"%02d" % (new.year % 100) if short else b"%d" % new.year
    return _parts(found, ((1, number), (3, _MONTHS[new.month - 1]), (4, wide)))


def _logged(found: re.Match[bytes], near: Near, days: timedelta) -> list[Change]:
    month, day = _MONTHS.index(found[1]) + 1, int(found[2])
    if found[3] is not None:
        years = [int(found[3])]
    else:  # of the year in which it is nearest
        middle = datetime.fromtimestamp(near.first_s, UTC).year
        years = [middle, middle - 1, middle + 1]
    for year in years:
        old = _date(year, month, day)
        if old is not None and _goes(old, near):
            new = old + days
            number = b"%02d" % new.day if found[2][:1] == b"0" else b"%2d" % new.day
            told = ((1, _MONTHS[new.month - 1]), (2, number), (3, b"%d" % new.year))
            return _parts(found, told)
    return []


def _parted(found: re.Match[bytes], near: Near, days: timedelta) -> list[Change]:
    old = _date(int(found[1]), int(found[3]), int(found[4]))
    timed = found.string[found.end() : found.end() + 1] in (b"T", b" ", b"t")
    if found[2] == b":" and found.string[found.start() - 1 : found.start()] == b"/":
        return []  # a year, and the time behind it: 22/Nov/2026:11:30:33
    if old is None or not _goes(old, near, PAST_S if timed else _BARE_PAST_S):
        return []
    new = old + days
    told = ((1, b"%d" % new.year), (3, b"%02d" % new.month), (4, b"%02d" % new.day))
    return _parts(found, told)


def _ending(found: re.Match[bytes], near: Near, days: timedelta) -> list[Change]:
    one, two, year = int(found[1]), int(found[3]), int(found[4])
    for month, day, places in ((two, one, (3, 1)), (one, two, (1, 3))):
        old = _date(year, month, day)
        if old is not None and _goes(old, near, _BARE_PAST_S):
            new = old + days
            both = (b"%02d" % new.month, b"%02d" % new.day)
            told = (*zip(places, both, strict=True), (4, b"%d" % new.year))
            return _parts(found, told)
    return []


def _counted(found: re.Match[bytes], near: Near, days: timedelta) -> list[Change]:
    old = int(found[1])
    if not near.holds(old, PAST_S, FUTURE_S):
        return []
    return _parts(found, ((1, b"%010d" % (old + int(days.total_seconds()))),))


def _listed(found: re.Match[bytes], near: Near, days: timedelta) -> list[Change]:
    old = _date(int(found[1]), int(found[2]), int(found[3]))
    if old is None or not _goes(old, near):
        return []
    new = old + days
    told = [(1, b"%d" % new.year)]
    for group, number in ((2, new.month), (3, new.day)):
        size = len(found[group])
        told.append((group, (b"%d" % min(number, 10**size - 1)).rjust(size)))
    return _parts(found, told)


_WAYS: tuple[
    tuple[
        re.Pattern[bytes],
        Callable[[re.Match[bytes], Near, timedelta], list[Change]],
    ],
    ...,
] = (
    (_NAMED, _named),
    (_LOGGED, _logged),
    (_PARTED, _parted),
    (_CLOSED, _parted),
    (_ENDING, _ending),
    (_COUNTED, _counted),
    (_LISTED, _listed),
)
