"""The clock of `serve`: APScheduler rings when a start is due, and does nothing else.

The server sleeps until then, and looks for itself only after what nobody rings for.

Its memory holds one job per schedule, made anew from the journal. What a start that was
missed means is decided by us: here every job rings however late, once, whatever was
missed (`misfire_grace_time=None`, `coalesce=True`), and never beside itself.
"""

import logging
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Protocol, Self

from testbed.clock import SystemClock
from testbed.runner.stop import Stop

_STOPS_S = 0.25  # how soon a request to stop is seen


class Alarm(Protocol):
    """Something that wakes its waiter when one of several times has come."""

    def set(self, times_ns: Mapping[str, int]) -> None:
        """Ring at these times (name -> ns UTC) and at no other."""

    def wait(self, most_s: float) -> None:
        """Return when it rings, or `most_s` seconds have passed."""


class ScheduledAlarm:
    """An alarm kept by APScheduler; a context that ends its thread.

    stop  nobody is kept waiting when it is requested
    """

    def __init__(self, stop: Stop) -> None:
        from apscheduler.schedulers.background import BackgroundScheduler

        logging.getLogger("apscheduler").setLevel(logging.WARNING)
        self._stop = stop
        self._wake = threading.Event()
        self._times: dict[str, int] = {}
        defaults = {"coalesce": True, "misfire_grace_time": None, "max_instances": 1}
        self._scheduler: Any = BackgroundScheduler(job_defaults=defaults, timezone=UTC)

    def set(self, times_ns: Mapping[str, int]) -> None:
        """Ring at these times (name -> ns UTC) and at no other."""
        for name in self._times.keys() - times_ns.keys():
            self._forget(name)
        for name, stamp_ns in times_ns.items():
            if self._times.get(name) != stamp_ns:
                self._times[name] = stamp_ns
                self._scheduler.add_job(
                    self._wake.set,
                    "date",
                    run_date=datetime.fromtimestamp(stamp_ns / 1e9, tz=UTC),
                    id=name,
                    replace_existing=True,
                )

    def wait(self, most_s: float) -> None:
        """Return when it rings, a stop is requested, or `most_s` seconds passed."""
        clock = SystemClock()
        end_s = clock.monotonic_s() + most_s
        # In short spells: a signal handler could not safely set what it interrupts.
        while not self._stop.requested:
            left_s = end_s - clock.monotonic_s()
            if left_s <= 0 or self._wake.wait(min(left_s, _STOPS_S)):
                break
        self._wake.clear()

    def __enter__(self) -> Self:
        self._scheduler.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # Its thread would fail over a job that it has in hand while it is shut down; so
        # it ends what it is at, and finds no other. Nothing is lost with them.
        self._scheduler.remove_all_jobs()
        self._scheduler.shutdown(wait=True)

    def _forget(self, name: str) -> None:
        del self._times[name]
        if self._scheduler.get_job(name) is not None:  # one that rang is gone
            self._scheduler.remove_job(name)
