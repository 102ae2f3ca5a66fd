"""When a scheduled scenario is due: at one time, again and again, or by a cron line.

APScheduler reads cron lines; its numbers of weekdays are not cron's, so that they are
named before it sees them. All times are UTC where nothing else is said.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from testbed.clock import iso_time
from testbed.errors import ConfigError
from testbed.model.types import parse_seconds

SHORTEST_S = 10.0  # between two starts of one schedule
_HOUR_NS = 3600 * 10**9
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun")
_CLOCK = re.compile(r"^(\d{1,2}):(\d{2})$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """When starts are due. One of: `at`, `every` (from `at` on), `cron`.

    at_ns    ns UTC of the only or first start
    every_s  seconds between starts
    cron     a cron line of five fields
    """

    at_ns: int | None = None
    every_s: float | None = None
    cron: str = ""

    def after(self, stamp_ns: int) -> int | None:
        """Return the first start that is due later than `stamp_ns`, or None."""
        if self.cron:
            moment = datetime.fromtimestamp(stamp_ns // 10**9 + 1, tz=UTC)
            due = _cron(self.cron).get_next_fire_time(None, moment)
            return round(due.timestamp()) * 10**9 if due is not None else None
        first_ns = self.at_ns or 0
        if stamp_ns < first_ns:
            return first_ns
        if self.every_s is None:
            return None
        step_ns = round(self.every_s * 1e9)
        return first_ns + ((stamp_ns - first_ns) // step_ns + 1) * step_ns

    def latest(self, after_ns: int, until_ns: int, most: int) -> list[int]:
        """Return the last starts due in (after_ns, until_ns], oldest first, <= `most`.

        However long that time is, only its end is gone through.
        """
        span_ns = _HOUR_NS if self.cron else round((self.every_s or 1.0) * most * 1e9)
        while True:
            begin_ns = max(after_ns, until_ns - span_ns)
            found = self._between(begin_ns, until_ns)
            if begin_ns <= after_ns or len(found) >= most:
                return found[-most:]
            span_ns *= 2

    def _between(self, after_ns: int, until_ns: int) -> list[int]:
        found = []
        stamp = self.after(after_ns)
        while stamp is not None and stamp <= until_ns:
            found.append(stamp)
            stamp = self.after(stamp)
        return found

    def plain(self) -> dict[str, str]:
        """Return it as texts, as the journal keeps it."""
        if self.cron:
            return {"cron": self.cron}
        found = {"at": iso_time(self.at_ns or 0)}
        if self.every_s is not None:
            found["every"] = f"{self.every_s} s"
        return found

    def sentence(self) -> str:
        """Return it for people."""
        if self.cron:
            return f"cron {self.cron}"
        at = minute(self.at_ns or 0)
        if self.every_s is None:
            return f"at {at}"
        return f"every {_length(self.every_s)} from {at}"


def trigger_of(
    at: str | None, every: str | None, cron: str | None, now_ns: int
) -> Trigger:
    """Return the trigger that the options of a command describe.

    Raises ConfigError, one sentence, where they do not describe one.
    """
    if cron is not None:
        if at is not None or every is not None:
            raise ConfigError("--cron: stands alone, without --at and --every")
        return Trigger(cron=_checked_cron(cron))
    if at is None and every is None:
        raise ConfigError("name when it is to start: --at, --every or --cron")
    every_s = _period(every) if every is not None else None
    if at is not None:
        return Trigger(at_ns=parse_time(at, now_ns), every_s=every_s)
    return Trigger(at_ns=now_ns + round((every_s or 0) * 1e9), every_s=every_s)


def trigger_from(plain: Mapping[str, str]) -> Trigger:
    """Return the trigger that `Trigger.plain` describes."""
    if "cron" in plain:
        return Trigger(cron=plain["cron"])
    every = plain.get("every")
    at = datetime.fromisoformat(plain["at"])
    return Trigger(
        at_ns=_stamp_ns(at),
        every_s=parse_seconds(every) if every is not None else None,
    )


def parse_time(text: str, now_ns: int) -> int:
    """Return ns UTC for 'now', '18:30' (the next one) or '2026-11-23T18:30'.

    A time with an offset means that one, a time without is UTC. Raises ConfigError for
    another text, and for a time that is over.
    """
    if text == "now":
        return now_ns // 10**9 * 10**9
    now = datetime.fromtimestamp(now_ns // 10**9, tz=UTC)
    clock = _CLOCK.match(text)
    try:
        if clock is not None:
            moment = now.replace(
                hour=int(clock[1]), minute=int(clock[2]), second=0, microsecond=0
            )
            moment += timedelta(days=moment < now)
        else:
            moment = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(
            f"--at: must be 'now', a time of day such as '18:30', or a date and time "
            f"such as '2026-11-23T18:30', got {text!r}"
        ) from None
    stamp_ns = _stamp_ns(moment)
    if stamp_ns < now_ns - 10**9:
        raise ConfigError(f"--at: {iso_time(stamp_ns)} is over; name a time to come")
    return stamp_ns


def minute(stamp_ns: int) -> str:
    """Return a stamp for people, in UTC, to the minute: starts have a grace."""
    moment = datetime.fromtimestamp(stamp_ns // 10**9, tz=UTC)
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _length(seconds: float) -> str:
    """Return a time in the largest unit in which it is a whole number."""
    units = (("d", 86_400), ("h", 3600), ("min", 60))
    for unit, unit_s in units:
        if seconds % unit_s == 0:
            return f"{seconds / unit_s:g} {unit}"
    return f"{seconds:g} s"


def _stamp_ns(moment: datetime) -> int:
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    since = moment - datetime.fromtimestamp(0, tz=UTC)
    return (since.days * 86400 + since.seconds) * 10**9 + since.microseconds * 1000


def _period(text: str) -> float:
    try:
        seconds = parse_seconds(text)
    except ValueError as exc:
        raise ConfigError(f"--every: {exc}, got {text!r}") from None
    if seconds < SHORTEST_S:
        raise ConfigError(f"--every: must be at least {SHORTEST_S:g} s, got {text!r}")
    return seconds


def _checked_cron(text: str) -> str:
    try:
        due = _cron(text).get_next_fire_time(None, datetime.fromtimestamp(0, tz=UTC))
    except ValueError as exc:
        raise ConfigError(
            f"--cron: must be five fields such as '30 18 * * mon-fri', got {text!r} "
            f"({str(exc).lower()})"
        ) from None
    if due is None:
        raise ConfigError(f"--cron: {text!r} is never due")
    return " ".join(text.split())


@lru_cache(maxsize=256)  # to read a line takes longer than to find its next start
def _cron(text: str) -> Any:
    from apscheduler.triggers.cron import CronTrigger  # only where it is needed

    fields = text.split()
    if len(fields) == 5:
        fields[4] = re.sub(r"(?<![/\w])[0-7](?!\w)", _named, fields[4])
    return CronTrigger.from_crontab(" ".join(fields), timezone=UTC)


def _named(match: re.Match[str]) -> str:
    return _DAYS[int(match[0])]
