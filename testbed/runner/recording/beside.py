"""What is to be done again and again beside a campaign, each when it is due."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

from testbed.clock import Clock
from testbed.errors import DriverError, LabError
from testbed.runner.stop import Stop, StoppedError


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

    excused  asked when patience is over: whether everybody waits for the instrument
             to come back; then patience begins anew
    """

    def __init__(
        self,
        instrument: str,
        clock: Clock,
        tasks: Sequence[Task],
        *,
        patience_s: float,
        excused: Callable[[], bool] = lambda: False,
    ) -> None:
        self._instrument = instrument
        self._clock = clock
        self._tasks = tuple(tasks)
        self._patience_s = patience_s
        self._excused = excused

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
                if self._excused():
                    task.failing_s = None
                    return
                raise LabError(
                    f"the {self._instrument} was lost: {exc}; resume the campaign when "
                    "it is back"
                ) from exc
            return
        task.failing_s, task.due_s = None, now_s + task.every_s


class Beside:
    """Does something again and again in threads of its own, until each is told to end.

    The first failure of any stops the campaign, and is kept for who runs it.
    """

    def __init__(self, name: str, stop: Stop, tick_s: float) -> None:
        self._name = name
        self._stop = stop
        self._tick_s = tick_s
        self.failure: BaseException | None = None

    def begin(
        self, *acts: tuple[Callable[[], None], threading.Event]
    ) -> list[Future[None]]:
        """Begin to do acts, each until its event is set."""
        pool = ThreadPoolExecutor(len(acts), thread_name_prefix=self._name)
        doing = [pool.submit(self._do_until, act, end) for act, end in acts]
        for one in doing:
            one.add_done_callback(self._note)
        pool.shutdown(wait=False)
        return doing

    def fail(self, failure: BaseException) -> None:
        """Stop the campaign; the first failure stays."""
        if self.failure is None:
            self.failure = failure
            self._stop.request(str(failure), failure)

    def raise_failure(self) -> None:
        """Raise the failure, where there is one."""
        if self.failure is not None:
            raise self.failure

    def _do_until(self, act: Callable[[], None], end: threading.Event) -> None:
        # A stop ends what waits in an act, not what is to be done at the end.
        while not end.wait(self._tick_s):
            with suppress(StoppedError):
                act()

    def _note(self, done: Future[None]) -> None:
        failure = done.exception()
        if failure is not None:
            self.fail(failure)
