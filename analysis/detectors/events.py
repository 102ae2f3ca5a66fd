"""What detectors of behaviour observe: which activity happened when, and nothing else.

Who caused it, by which channel, and whether that was malicious is never part of it.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from analysis.dataset import ActivityLog
from analysis.errors import RequestError
from analysis.features.model import Int64

Name = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Events:
    """Activities in order of time, the same thing at the same instant once.

    time_ns  (n,) int64 UTC
    what     (n,) int64, index into `names`
    names    (device, activity), sorted; some may never happen
    zone     IANA name of the zone in which the people live
    """

    time_ns: Int64
    what: Int64
    names: tuple[Name, ...]
    zone: str = "UTC"

    def __len__(self) -> int:
        return int(self.time_ns.size)

    def between(self, start_ns: int, end_ns: int) -> "Events":
        """Keep what happened in [start_ns, end_ns)."""
        first, last = np.searchsorted(self.time_ns, [start_ns, end_ns])
        return Events(
            time_ns=self.time_ns[first:last],
            what=self.what[first:last],
            names=self.names,
            zone=self.zone,
        )


def make_events(
    time_ns: Sequence[float] | Int64,
    names: Sequence[Name],
    zone: str = "UTC",
    known: Iterable[Name] = (),
) -> Events:
    """Return events from stamps (ns UTC, any order) and what happened at each.

    known  more (device, activity) that get a column although they may never happen
    Raises RequestError for stamps that are no whole numbers (NaN, infinity), for lists
    of different lengths, and for a zone that is not known.
    """
    if len(time_ns) != len(names):
        raise RequestError(
            f"there are {len(time_ns)} stamps for {len(names)} activities; "
            "give one for each"
        )
    check_zone(zone)
    stamps = _stamps(time_ns)
    columns = tuple(sorted({*names, *known}))
    at = {name: i for i, name in enumerate(columns)}
    what = np.array([at[name] for name in names], dtype=np.int64)
    order = np.lexsort((what, stamps))
    stamps, what = stamps[order], what[order]
    first = np.ones(stamps.size, dtype=bool)
    first[1:] = (np.diff(stamps) != 0) | (np.diff(what) != 0)
    return Events(time_ns=stamps[first], what=what[first], names=columns, zone=zone)


def _stamps(time_ns: Sequence[float] | Int64) -> Int64:
    if isinstance(time_ns, np.ndarray) and time_ns.dtype.kind == "i":
        return time_ns.astype(np.int64)
    for row, stamp in enumerate(time_ns, start=1):
        if abs(stamp) >= 2**63 or not math.isfinite(stamp) or int(stamp) != stamp:
            raise RequestError(
                f"event {row} has the stamp {stamp!r}; stamps are whole nanoseconds UTC"
            )
    return np.array([int(stamp) for stamp in time_ns], dtype=np.int64)


def check_zone(zone: str) -> ZoneInfo:
    """Return the zone of that name; raise RequestError where there is none."""
    try:
        return ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise RequestError(
            f"{zone!r} is not a time zone; use an IANA name such as Europe/Berlin"
        ) from None


def events_of_log(log: ActivityLog, zone: str = "UTC") -> Events:
    """Return the labelled rows of an activity log; rows without a stamp are left out.

    Only stamp, device and activity are read.
    """
    frame = log.labelled().frame.select("t_ns", "device", "activity").drop_nulls()
    names = list(frame.select("device", "activity").iter_rows())
    return make_events(frame["t_ns"].to_numpy(), names, zone)


def events_of_answers(
    answers: Iterable[Mapping[str, Any]], zone: str = "UTC"
) -> Events:
    """Return events from what `testbed classify --json` says, a mapping for each line.

    `unknown` and groups such as `turn_off|turn_on` are activities like any other.
    Raises RequestError for a line without `start_ns`, `device` or `activity`.
    """
    stamps: list[int] = []
    names: list[Name] = []
    for row, answer in enumerate(answers, start=1):
        try:
            stamps.append(int(answer["start_ns"]))
            names.append((_text(answer["device"]), _text(answer["activity"])))
        except (KeyError, TypeError, ValueError, OverflowError):
            raise RequestError(
                f"event {row} has no start_ns, device and activity; give lines as "
                "`testbed classify --json` writes them"
            ) from None
    return make_events(stamps, names, zone)


def _text(name: object) -> str:
    if not isinstance(name, str):
        raise TypeError(name)
    return name
