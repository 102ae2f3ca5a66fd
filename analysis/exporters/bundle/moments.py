"""Look whether anything in a dataset still tells the days on which it was recorded.

Where times were moved, this is looked for in every byte, by other code than moved them.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np

from analysis.exporters.anonymise import Clocks
from analysis.exporters.anonymise.clocks import holds_digits_or_month
from analysis.exporters.audit import Finding
from analysis.exporters.bundle.model import TIME, RefusedError
from analysis.exporters.bundle.work import Made, Source, Work, files_in
from analysis.packets import load_index
from analysis.pcap.stream import open_capture_stream

Span = tuple[int, int]
_NS = 1_000_000_000
_DAY = timedelta(days=1)
_PIECE_B = 1 << 22
_OVERLAP_B = 64
_CAPTURES = (".pcapng", ".pcap")
_PACKED = (".parquet", ".png")  # their texts stand in CSV and SVG as well
_MONTHS = b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
_MONTH = rb"(" + b"|".join(_MONTHS) + rb")"
_YEAR_FIRST = re.compile(rb"(?<!\d)(20\d\d)[-/.:]?(\d\d)[-/.:]?(\d\d)")
_YEAR_LAST = re.compile(rb"(?<!\d)(\d\d)[-/.](\d\d)[-/.](20\d\d)(?!\d)")
_WITH_NAME = re.compile(rb"(\d?\d)[ /+-]" + _MONTH + rb"[ /+-](?:20)?(\d\d)")
_NAME_FIRST = re.compile(_MONTH + rb" ([ \d]\d) \d\d:\d\d")
_SECONDS = re.compile(rb"(?<![\d.])(1\d{9})(?:\d{3}|\d{6}|\d{9})?(?!\d)")
_REMEDY = "take another key, or cut payloads (--payload headers)"


def check_moments(work: Work, sources: Sequence[Source]) -> None:
    """Refuse a dataset that tells when it was recorded, where that was moved."""
    moved_ns = work.policy.shift_ns
    if not moved_ns:
        return

    def make() -> Made:
        recorded_ns = []
        for source in sources:
            for first, last in load_index(work.campaign(source)).covered_ns:
                recorded_ns.append((first - moved_ns, last - moved_ns))
        found = moments_left(work.data, recorded_ns, moved_ns)
        if found:
            raise RefusedError(tuple(found), work.request.draft)
        return Made(note="none tells the day of the recording")

    work.step("clocks", work.after("audit"), make)


def moments_left(
    data: Path, recorded_ns: Sequence[Span], moved_ns: int
) -> list[Finding]:
    """Return what tells a day of the recording, or the one before or after.

    data         the payload of the dataset
    recorded_ns  first and last moments of it, as recorded
    moved_ns     by how much all was moved
    """
    days, found = _Days(recorded_ns, moved_ns), list[Finding]()
    for path in files_in(data):
        name = path.relative_to(data).as_posix()
        if path.suffix in _CAPTURES:
            found += _in_numbers(path, name, moved_ns)
        if path.suffix not in _PACKED:
            found += _in_texts(path, name, days)
    return found


class _Days:
    """Days that must not be told."""

    def __init__(self, recorded_ns: Sequence[Span], moved_ns: int) -> None:
        self._days: set[date] = set()
        for span in recorded_ns:
            first, last = (datetime.fromtimestamp(t // _NS, UTC).date() for t in span)
            n = (last - first).days + 2
            self._days |= {first + (k - 1) * _DAY for k in range(n + 1)}
        moved = timedelta(seconds=moved_ns // _NS)
        public = {(d.month, d.day) for d in (day + moved for day in self._days)}
        self._of_a_year = {(d.month, d.day) for d in self._days} - public

    def told(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Yield place and text of each moment."""
        for pattern, tells in (
            (_YEAR_FIRST, self._year_first),
            (_YEAR_LAST, self._year_last),
            (_WITH_NAME, self._with_name),
            (_NAME_FIRST, self._name_first),
            (_SECONDS, self._in_seconds),
        ):
            for found in pattern.finditer(data):
                if tells(found):
                    yield found.start(), found[0]

    def _year_first(self, found: re.Match[bytes]) -> bool:
        return self._holds(int(found[1]), int(found[2]), int(found[3]))

    def _year_last(self, found: re.Match[bytes]) -> bool:
        one, two, year = (int(found[k]) for k in (1, 2, 3))
        return self._holds(year, one, two) or self._holds(year, two, one)

    def _with_name(self, found: re.Match[bytes]) -> bool:
        month = _MONTHS.index(found[2]) + 1
        return self._holds(2000 + int(found[3]), month, int(found[1]))

    def _name_first(self, found: re.Match[bytes]) -> bool:
        return (_MONTHS.index(found[1]) + 1, int(found[2])) in self._of_a_year

    def _in_seconds(self, found: re.Match[bytes]) -> bool:
        return datetime.fromtimestamp(int(found[1]), UTC).date() in self._days

    def _holds(self, year: int, month: int, day: int) -> bool:
        try:
            return date(year, month, day) in self._days
        except ValueError:
            return False


def _in_texts(path: Path, name: str, days: _Days) -> Iterator[Finding]:
    """Yield one finding for a file that says a day."""
    places: dict[bytes, list[int]] = {}
    with path.open("rb") as file:
        at, before = 0, b""
        while piece := file.read(_PIECE_B):
            data = before + piece
            for first, part in _worth_a_look(data):
                for place, text in days.told(part):
                    places.setdefault(text, []).append(at - len(before) + first + place)
            at += len(piece)
            before = data[-_OVERLAP_B:]
    if places:
        place, text = min((min(found), text) for text, found in places.items())
        n = sum(len(set(each)) for each in places.values())
        yield _finding(name, f"byte {place}", f"{len(text)} characters", n)


def _worth_a_look(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield place and bytes of stretches with digits in a row or a month in them."""
    size = 4096
    begin = np.arange(0, len(data), size, dtype=np.int64)
    end = np.minimum(begin + size + _OVERLAP_B, len(data))
    flags = holds_digits_or_month(np.frombuffer(data, dtype=np.uint8), begin, end)
    for k in np.flatnonzero(flags).tolist():
        low = max(0, int(begin[k]) - 1)
        yield low, data[low : int(end[k])]


def _in_numbers(path: Path, name: str, moved_ns: int) -> Iterator[Finding]:
    """Yield one finding for a capture in which a protocol's field says the time."""
    clocks = Clocks(0, moved_ns // _NS)
    n = 0
    with open_capture_stream(path) as stream:
        for batch in stream:
            n += clocks.count_numbers(batch)
    if n:
        yield _finding(name, "NTP, TLS or ping", "a number of seconds", n)


def _finding(file: str, place: str, shown: str, n: int) -> Finding:
    return Finding(
        file=file, place=place, kind=TIME, encoding="the day it was recorded",
        shown=shown, reader="bytes", n=n, remedy=_REMEDY,
    )  # fmt: skip
