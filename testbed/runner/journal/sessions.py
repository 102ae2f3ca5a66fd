"""Sessions: uninterrupted runs of the controller within one calendar day (UTC)."""

import os
import platform
import socket
import threading
from collections.abc import Iterable, Mapping

from testbed.clock import Clock, utc_day
from testbed.model.events import SessionEnded, SessionStarted
from testbed.runner.journal.store import Journal

DAY_ENDED = "the calendar day ended"  # why a session ended and its run goes on


class Sessions:
    """Names the session that goes on now, and begins a new one at midnight."""

    def __init__(
        self,
        journal: Journal,
        clock: Clock,
        before: Iterable[str],
        versions: Mapping[str, str],
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._n = len(set(before))
        self._versions = dict(versions)
        self._turn = threading.Lock()
        self._current: str | None = None

    def current(self) -> str:
        """Return the session of this moment, begun when there is none."""
        with self._turn:
            day = utc_day(self._clock.now_ns())
            if self._current is not None and not self._current.startswith(day):
                self._end(self._current, DAY_ENDED)
            return self._current or self._begin(day)

    def end(self, reason: str) -> None:
        """End the session, when one goes on; the next `current` begins another."""
        with self._turn:
            if self._current is not None:
                self._end(self._current, reason)

    def _begin(self, day: str) -> str:
        self._n += 1
        name = f"{day}-{self._n:02d}"
        self._journal.write(
            SessionStarted(
                session=name,
                host=socket.gethostname(),
                pid=os.getpid(),
                versions=self._versions | {"python": platform.python_version()},
            )
        )
        self._current = name
        return name

    def _end(self, session: str, reason: str) -> None:
        self._journal.write(SessionEnded(session=session, reason=reason))
        self._current = None
