"""Read instants and durations as other people write them down.

An instant names its time zone, or is refused: a label that is hours off is worse than
none. Each is a whole number of nanoseconds and the unit of its last written digit.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_NS = 1_000_000_000
_ISO = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d)(:\d\d)?(?:[.,](\d{1,9})\d*)?"
    r"\s*(Z|[+-]\d\d:?(?:\d\d)?)?"
)
_SECONDS = re.compile(r"\d{1,12}(?:\.(\d{1,18}))?")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ns|us|ms|s|min|h)")
_UNIT_NS = {
    "ns": 1,
    "us": 1_000,
    "ms": 1_000_000,
    "s": _NS,
    "min": 60 * _NS,
    "h": 3600 * _NS,
}
# a stamp outside of these years is in another unit, or a slip
_EARLIEST_NS = int(datetime(1990, 1, 1, tzinfo=UTC).timestamp()) * _NS
_LATEST_NS = int(datetime(2100, 1, 1, tzinfo=UTC).timestamp()) * _NS


@dataclass(frozen=True, slots=True, kw_only=True)
class Instant:
    """A moment as it was written.

    time_ns  ns UTC
    unit_ns  how many ns the last written digit stands for: the moment is known no finer
    """

    time_ns: int
    unit_ns: int


def load_zone(name: str | None) -> tzinfo | None:
    """Return the zone of that name. Raises ValueError when there is none."""
    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as exc:
        raise ValueError(
            f"no time zone is called {name!r}; use one such as Europe/Berlin or UTC"
        ) from exc


def parse_iso(text: str, zone: tzinfo | None) -> Instant:
    """Read ISO 8601 with an offset, or in `zone`. Raises ValueError saying why not."""
    match = _ISO.fullmatch(text)
    if match is None:
        raise ValueError("must be ISO 8601 such as 2026-11-21T10:15:30.250+01:00")
    date, minutes, seconds, digits, offset = match.groups()
    if offset is None and zone is None:
        raise ValueError(
            "has no time zone; add an offset such as +01:00, or give --timezone"
        )
    fixed = {None: "", "Z": "+00:00"}.get(offset, offset)
    try:
        moment = datetime.fromisoformat(f"{date}T{minutes}{seconds or ':00'}{fixed}")
    except ValueError as exc:
        raise ValueError(f"is no date and time: {exc}") from None
    if moment.tzinfo is None:
        moment = _placed(moment, zone)
    fraction = (digits or "").ljust(9, "0")
    unit_ns = 10 ** (9 - len(digits or "")) if seconds else 60 * _NS
    time_ns = int(moment.timestamp()) * _NS + int(fraction)
    return _checked(time_ns, unit_ns)


def _placed(moment: datetime, zone: tzinfo | None) -> datetime:
    """Put a local time into its zone, unless the clocks were changed over it."""
    early, late = (moment.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    if early.utcoffset() != late.utcoffset():
        raise ValueError(
            f"is ambiguous or does not exist in {zone}, as clocks were changed then; "
            "write an offset such as +01:00"
        )
    return early


def parse_epoch(text: str, _zone: tzinfo | None) -> Instant:
    """Read seconds since 1970 with any number of decimals."""
    match = _SECONDS.fullmatch(text)
    if match is None:
        raise ValueError("must be seconds since 1970 such as 1543285705.811617")
    decimals = len(match[1] or "")
    return _checked(int(Decimal(text) * _NS), 10 ** max(9 - decimals, 0))


def parse_ns(text: str, _zone: tzinfo | None) -> Instant:
    """Read whole nanoseconds since 1970."""
    if not text.isdecimal():
        raise ValueError("must be whole nanoseconds since 1970")
    return _checked(int(text), 1)


def _checked(time_ns: int, unit_ns: int) -> Instant:
    if not _EARLIEST_NS <= time_ns < _LATEST_NS:
        raise ValueError("is not between 1990 and 2100; is it in another unit?")
    return Instant(time_ns=time_ns, unit_ns=unit_ns)


INSTANTS: Mapping[str, Callable[[str, tzinfo | None], Instant]] = {
    "": parse_iso,
    "_epoch": parse_epoch,
    "_ns": parse_ns,
}


def parse_duration(text: str) -> int:
    """Return ns for text such as '8 s' or '500 ms'. Raises ValueError."""
    match = _DURATION.fullmatch(text.strip())
    if match is None or (length_ns := int(Decimal(match[1]) * _UNIT_NS[match[2]])) <= 0:
        raise ValueError("must be a duration such as '8 s' or '500 ms'")
    return length_ns
