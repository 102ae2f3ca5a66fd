"""How far the reading of captures is: a bar on a terminal, plain lines elsewhere."""

import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

from testbed.clock import Clock, SystemClock
from testbed.errors import ConfigError

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_SHORT_S = 1.0  # work that takes no longer needs no progress
_LEAST_SHARE = 0.02  # of the work, before anybody guesses how long the rest takes
_QUIET_S = 5.0  # plain lines come no faster
_BAR_S = 0.1


class Reading:
    """Shows bytes read, the rate and the time left; nothing when the work is short.

    Threads may tell of bytes at the same time.
    """

    def __init__(self, clock: Clock, out: TextIO | None = None) -> None:
        self._clock = clock
        self._out = out or sys.stderr
        self._lock = threading.Lock()
        self._total_b = 0
        self._done_b = 0
        self._since_s = self._told_s = clock.monotonic_s()
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._lock:
            if self._bar is not None:
                self._bar.stop()

    def begin(self, total_b: int) -> None:
        """Start to count; `total_b` bytes are to be read."""
        self._total_b = total_b
        self._since_s = self._told_s = self._clock.monotonic_s()

    def read(self, size_b: int) -> None:
        """Count bytes that were read since the last call."""
        with self._lock:
            self._done_b += size_b
            now_s = self._clock.monotonic_s()
            if now_s - self._since_s < _SHORT_S:
                return
            if self._out.isatty():
                if now_s - self._told_s >= _BAR_S:
                    self._told_s = now_s
                    self._draw(now_s - self._since_s)
            elif now_s - self._told_s >= _QUIET_S:
                self._told_s = now_s
                line = f"{self._words(now_s - self._since_s)} of captures"
                print(line, file=self._out, flush=True)

    def _draw(self, passed_s: float) -> None:
        if self._bar is None:
            self._bar, self._task = _bar(self._out, self._total_b)
            self._bar.start()
        if self._task is not None:
            words = self._words(passed_s)
            self._bar.update(self._task, completed=self._done_b, words=words)

    def _words(self, passed_s: float) -> str:
        rate = self._done_b / passed_s
        words = f"{size(self._done_b)} of {size(self._total_b)}, {rate / 1e6:.0f} MB/s"
        if self._done_b < _LEAST_SHARE * self._total_b:
            return words  # too early: what comes before the first bytes counts most
        left_s = max(0, self._total_b - self._done_b) / rate if rate else 0.0
        return f"{words}, {duration(left_s)} left"


class StepsTold:
    """Tells of each step: a bar while it reads, a line when it ends."""

    def __init__(self) -> None:
        self._reading = Reading(SystemClock())

    def begin(self, step: str, total_b: int) -> None:
        """Start to count; `total_b` bytes are to be read."""
        del step
        self._reading = Reading(SystemClock())
        self._reading.begin(total_b)

    def read(self, size_b: int) -> None:
        """Count bytes that were read."""
        self._reading.read(size_b)

    def end(self, step: str, note: str) -> None:
        """Tell what came out."""
        self._reading.__exit__(None, None, None)
        print(f"{step}: {note or 'done'}", file=sys.stderr, flush=True)


def _bar(out: TextIO, total_b: int) -> "tuple[Progress, TaskID]":
    # loaded late: it takes as long as reading some hundred megabytes
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    bar = Progress(
        TextColumn("captures"),
        BarColumn(),
        TextColumn("{task.fields[words]}"),
        console=Console(file=out),
        transient=True,
    )
    return bar, bar.add_task("captures", total=total_b, words="")


def size(size_b: int) -> str:
    """Return a number of bytes in a unit of the right size."""
    if size_b < 10**6:
        return f"{size_b / 1e3:.0f} kB"
    if size_b < 10**9:
        return f"{size_b / 1e6:.0f} MB"
    return f"{size_b / 1e9:.1f} GB"


def text_told(option: str, path: Path) -> str:
    """Return the text of a file that an option names, without a mark of its order.

    Raises ConfigError when it cannot be read, or is no UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as exc:
        raise ConfigError(
            f"{option}: {path}: cannot be read: {exc.strerror or exc}"
        ) from exc
    except UnicodeDecodeError as exc:
        raise ConfigError(f"{option}: {path}: is no text in UTF-8") from exc


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, such as '1 trial' or '2 trials'."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def duration(seconds: float) -> str:
    """Return a duration in words of the right size."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 2 * 3600:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
