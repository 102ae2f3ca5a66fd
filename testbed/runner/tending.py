"""What is to be done again and again beside a campaign, each when it is due."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from testbed.clock import Clock
from testbed.errors import DriverError, LabError


@dataclass(slots=True, kw_only=True)
class Task:
    """One thing to do every `every_s` seconds; a failure is a DriverError.

    due_s      when it is to be done next; the one that is asked first sets it
    failing_s  since when it fails, None while it does not
    """

    act: Callable[[], None]
    every_s: float
    due_s: float | None = None
    failing_s: float | None = None


class Tender:
    """Does tasks that are due, one after the other.

    A task that fails is tried again at the next look. One that has failed for
    `patience_s` on end, however fast or slow, means that its instrument is lost.
    """

    def __init__(
        self, instrument: str, clock: Clock, tasks: Sequence[Task], *, patience_s: float
    ) -> None:
        self._instrument = instrument
        self._clock = clock
        self._tasks = tuple(tasks)
        self._patience_s = patience_s

    def begin(self) -> None:
        """Forget what was; every task is due at once."""
        for task in self._tasks:
            task.due_s = task.failing_s = None

    def tend(self) -> None:
        """Do what is due; raises LabError when the instrument is lost."""
        for task in self._tasks:
            now_s = self._clock.monotonic_s()
            if task.due_s is None or now_s >= task.due_s:
                self._do(task, now_s)

    def _do(self, task: Task, now_s: float) -> None:
        try:
            task.act()
        except DriverError as exc:
            # Not from the start of the act: one long copy that breaks is no loss.
            failed_s = self._clock.monotonic_s()
            since_s = failed_s if task.failing_s is None else task.failing_s
            task.failing_s = since_s
            if failed_s - since_s >= self._patience_s:
                raise LabError(
                    f"the {self._instrument} was lost: {exc}; resume the campaign when "
                    "it is back"
                ) from exc
            return
        task.failing_s, task.due_s = None, now_s + task.every_s
