"""Ctrl-C: once stops at the next safe point, twice now."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from testbed.clock import Clock

_SAME_S = 0.25  # nobody presses twice as fast
STOPPING = "stopping at the next safe point; Ctrl-C again stops now"
_TICK_S = 1e-6  # below this a clock in nanoseconds may not advance at all


class StoppedError(Exception):
    """The campaign was asked to stop; never shown, the runner catches it."""


class Stop:
    """A request to stop, shared by all threads of one campaign.

    wake     set with the first request; a SystemClock made with it sleeps no longer
    failure  the first that asked for it, whoever else had asked before; None where
             nothing failed
    """

    def __init__(self) -> None:
        self.wake = threading.Event()
        self.reason = "interrupted"
        self.failure: BaseException | None = None

    @property
    def requested(self) -> bool:
        """Say whether the campaign shall stop at the next safe point."""
        return self.wake.is_set()

    def request(
        self, reason: str = "interrupted", failure: BaseException | None = None
    ) -> None:
        """Ask to stop; the first reason stays, and the first failure."""
        if self.failure is None:
            self.failure = failure
        if not self.requested:
            self.reason = reason
            self.wake.set()

    def sleep(self, clock: Clock, duration_s: float) -> None:
        """Sleep; raises StoppedError as soon as a stop is requested."""
        end_s = clock.monotonic_s() + duration_s
        while True:
            self.check()
            left_s = end_s - clock.monotonic_s()
            if left_s < _TICK_S:
                return
            clock.sleep(left_s)

    def check(self) -> None:
        """Raise StoppedError when a stop was requested."""
        if self.requested:
            raise StoppedError


@contextmanager
def interruptible(
    stop: Stop, clock: Clock, told: Callable[[str], None] = lambda _: None
) -> Iterator[None]:
    """Let SIGINT and SIGTERM ask for a stop; the second one raises KeyboardInterrupt.

    told  called at once with what the first one does; within the signal's handler, so
          that it must wait for nobody

    Only in the main thread, where Python delivers signals. What arrives at almost the
    same moment is one Ctrl-C that came by two ways: the terminal sends it to a whole
    group of processes, and the one outside the virtual lab passes it on.
    """
    first_s: list[float] = []

    def ask(_number: int, _frame: FrameType | None) -> None:
        now_s = clock.monotonic_s()
        if first_s and now_s - first_s[0] < _SAME_S:
            return
        first_s.append(now_s)
        second = stop.requested
        stop.request()
        if second:
            raise KeyboardInterrupt
        told(STOPPING)

    wanted = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, ask) for number in wanted}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
