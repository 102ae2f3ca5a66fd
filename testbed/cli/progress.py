"""Progress of long work: a bar with time left on a terminal, plain lines elsewhere."""

import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as Bar

from testbed.cli.reading import duration
from testbed.clock import Clock
from testbed.model.events import Outcome
from testbed.runner.trials.course import Ended

_QUIET_S = 1.0  # plain lines come no faster; what went wrong is always told
_STDERR = 2
_CLEARED = "\r\x1b[2K"  # the line of the bar, which is drawn again below
_MARKS = {Outcome.NO_EFFECT: "no effect", Outcome.FAILED: "failed"}


class Progress:
    """Shows how far a campaign is.

    trials      names of the trials to be done; others that are done as well (what
                prepares for them, or was voided) are added when they end
    expected_s  how long they should take; 0 where nobody can say
    """

    def __init__(self, trials: Iterable[str], expected_s: float, clock: Clock) -> None:
        self._known = set(trials)
        self._expected_s = expected_s
        self._clock = clock
        self._since_s = clock.monotonic_s()
        self._last_s = float("-inf")
        self._done: set[str] = set()
        self._bar: Bar | None = None
        if sys.stderr.isatty():
            self._bar = Bar(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[left]}"),
                console=Console(stderr=True),
                transient=True,
            )
            self._task = self._bar.add_task("trials", total=self._n, left="")

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    @property
    def _n(self) -> int:
        return len(self._known)

    def say(self, line: str) -> None:
        """Print one line above the bar."""
        if self._bar is not None:
            self._bar.console.print(line, highlight=False)
        else:
            print(line, file=sys.stderr, flush=True)

    def ended(self, one: Ended) -> None:
        """Count the trial of an attempt that ended, once."""
        self._known.add(one.trial.trial)
        self._done.add(one.trial.trial)
        left = duration(self._left_s())
        trial = one.trial
        what = f"{trial.device} {trial.activity} ({trial.channel})"
        if self._bar is not None:
            self._bar.update(
                self._task,
                completed=len(self._done),
                total=self._n,
                left=f"{left} left, {what}",
            )
            if one.outcome in _MARKS:
                self.say(f"trial {trial.trial}: {what}: {_MARKS[one.outcome]}")
            return
        now_s = self._clock.monotonic_s()
        dull = one.outcome in (Outcome.CONFIRMED, Outcome.UNCHECKED)
        last = len(self._done) == self._n
        if dull and not last and now_s - self._last_s < _QUIET_S:
            return
        self._last_s = now_s
        self.say(
            f"{len(self._done)}/{self._n} trial {trial.trial}: {what}: {one.outcome}, "
            f"{left} left"
        )

    def _left_s(self) -> float:
        """Return the time left: first by the estimate, then by what was seen."""
        share = len(self._done) / self._n if self._n else 1.0
        passed_s = self._clock.monotonic_s() - self._since_s
        seen_s = passed_s / share if share else self._expected_s
        if not self._expected_s:
            return max(0.0, seen_s - passed_s)
        total_s = (1 - share) * self._expected_s + share * seen_s
        return max(0.0, total_s * (1 - share))


def say_at_once(line: str) -> None:
    """Print one line to stderr past all buffers and locks, as signal handlers must.

    Whoever is interrupted may hold them.
    """
    cleared = _CLEARED if sys.stderr.isatty() else ""
    with suppress(OSError):
        os.write(_STDERR, f"{cleared}testbed: {line}\n".encode())
