"""Have work done in processes of their own, and tell how far it is.

with side_by_side(2, make_ready, (folder,)) as pool:
    for task, result in pool.done(look_at, tasks, step=print): ...
"""

import multiprocessing
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from typing import Any, TypeVar

from analysis.processes import one_thread_each, told_when_broken

_TOLD_S = 0.5
_STOP = -(1 << 62)
Step = Callable[[int], None]
Task = TypeVar("Task")
Result = TypeVar("Result")


class _StoppedError(Exception):
    """Another task failed, or the user wants to stop."""


class Pool:
    """Processes that are there; none where it is given none, and work is done here."""

    def __init__(self, processes: ProcessPoolExecutor | None, read_b: Any) -> None:
        self._processes = processes
        self._read_b = read_b
        self._told_b = 0

    def done(
        self,
        do: Callable[[Task, Step], Result],
        tasks: Sequence[Task],
        step: Step,
    ) -> Iterator[tuple[Task, Result]]:
        """Yield tasks and what came of them, as they are done.

        do    a function of a module, which is called with a task and a step
        step  is told bytes as they are looked at
        """
        if self._processes is None:
            for task in tasks:
                yield task, do(task, step)
            return
        running = {self._processes.submit(_there, do, task): task for task in tasks}
        yield from self._ended(running, step)

    def _ended(
        self, running: Mapping[Future[Result], Task], step: Step
    ) -> Iterator[tuple[Task, Result]]:
        waiting = set(running)
        while waiting:
            done, waiting = wait(waiting, timeout=_TOLD_S)
            now_b = self._read_b.value
            if now_b > self._told_b:
                step(now_b - self._told_b)
                self._told_b = now_b
            for future in done:
                yield running[future], future.result()


@contextmanager
def side_by_side(
    jobs: int, ready: Callable[..., None], given: Sequence[Any] = ()
) -> Iterator[Pool]:
    """Give processes; with one job none, and all is done here.

    ready  is called once in each with what is given

    Raises AnalysisError when a process is ended from outside.
    """
    if jobs < 2:
        ready(*given)
        yield Pool(None, None)
        return
    # not forked: Arrow holds threads of its own
    context = multiprocessing.get_context("spawn")
    read_b = context.Value("q", 0)
    with told_when_broken("audits"), one_thread_each():
        pool = ProcessPoolExecutor(
            jobs,
            mp_context=context,
            initializer=_begin,
            initargs=(read_b, ready, tuple(given)),
        )
        try:
            yield Pool(pool, read_b)
        finally:
            with read_b.get_lock():
                read_b.value = _STOP
            pool.shutdown(cancel_futures=True)


_counter: Any = None  # bytes that all processes have looked at


def _begin(read_b: Any, ready: Callable[..., None], given: Sequence[Any]) -> None:
    global _counter
    signal.signal(signal.SIGINT, _pass_over)
    _counter = read_b
    ready(*given)


def _pass_over(_number: int, _frame: object) -> None:
    """Go on: the caller says when to stop.

    Programs that are started here end at once, as they would not were it ignored.
    """


def _there(do: Callable[[Task, Step], Result], task: Task) -> Result:
    """Do a task in a process of its own."""
    return do(task, _count)


def _count(size_b: int) -> None:
    with _counter.get_lock():
        if _counter.value < 0:
            raise _StoppedError
        _counter.value += size_b
