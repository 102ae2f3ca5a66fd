"""Who may use the phone, the room or a plug next.

Each is used by one trial at a time. Among those that wait, the lowest priority value
goes first: looks at the phone before new stimuli, so that no effect is missed, and then
the device with the most work left, so that no long queue is left over at the end.
"""

import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from testbed.runner.stop import Stop

PHONE = "phone"
ROOM = "room"
LOOK = 0  # urgency of a check
STIMULUS = 1  # urgency of a new stimulus
_POLL_S = 0.2  # how soon a waiting thread sees Ctrl-C


@dataclass(frozen=True, slots=True, order=True)
class Priority:
    """Place in the queue: smaller goes first."""

    urgency: int
    rank: float = 0.0


class Arbiter:
    """Locks with names, each with a queue by priority. Waiting ends with a stop."""

    def __init__(self, stop: Stop) -> None:
        self._stop = stop
        self._changed = threading.Condition()
        self._held: set[str] = set()
        self._queues: dict[str, list[tuple[Priority, int]]] = {}
        self._numbers = itertools.count()

    @contextmanager
    def hold(self, name: str, priority: Priority) -> Iterator[None]:
        """Hold `name` while the context lasts; raises StoppedError while waiting."""
        self._acquire(name, priority)
        try:
            yield
        finally:
            with self._changed:
                self._held.discard(name)
                self._changed.notify_all()

    def is_wanted(self, name: str) -> bool:
        """Say whether somebody waits for `name`."""
        with self._changed:
            return bool(self._queues.get(name))

    def _acquire(self, name: str, priority: Priority) -> None:
        ticket = (priority, next(self._numbers))
        with self._changed:
            queue = self._queues.setdefault(name, [])
            queue.append(ticket)
            try:
                while name in self._held or min(queue) != ticket:
                    self._stop.check()
                    self._changed.wait(_POLL_S)
                self._stop.check()
                self._held.add(name)
            finally:
                queue.remove(ticket)
                self._changed.notify_all()
