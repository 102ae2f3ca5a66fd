"""How far long work is: a bar on a terminal, plain lines elsewhere."""

import shlex
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
_QUIET_S = 5.0  # plain lines come no faster, and the slower the longer it takes
_QUIET_SHARE = 0.1
_MOST_QUIET_S = 60.0
_BAR_S = 0.1
CLEARED = "\r\x1b[2K"


class Pace:
    """Says when a plain line is due: often at first, so that no log is flooded."""

    def __init__(self, now_s: float) -> None:
        self._since_s = self._told_s = now_s

    def is_due(self, now_s: float) -> bool:
        """Say whether one is due, and begin to wait for the next."""
        quiet_s = max(_QUIET_S, _QUIET_SHARE * (now_s - self._since_s))
        if now_s - self._told_s < min(quiet_s, _MOST_QUIET_S):
            return False
        self._told_s = now_s
        return True


class Reading:
    """Shows bytes read, the rate and the time left; nothing when the work is short.

    Threads may tell of bytes at the same time.

    what  is read, or the step that reads
    """

    def __init__(
        self, clock: Clock, out: TextIO | None = None, what: str = "captures"
    ) -> None:
        self._clock = clock
        self._what = what
        self._out = out or sys.stderr
        self._lock = threading.Lock()
        self._total_b = 0
        self._done_b = 0
        self._since_s = self._drawn_s = clock.monotonic_s()
        self._pace = Pace(self._since_s)
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
        self.stop()

    def stop(self) -> None:
        """Take the bar away, if there is one."""
        with self._lock:
            if self._bar is not None:
                self._bar.stop()

    def begin(self, total_b: int) -> None:
        """Start to count; `total_b` bytes are to be read."""
        self._total_b = total_b
        self._since_s = self._drawn_s = self._clock.monotonic_s()
        self._pace = Pace(self._since_s)

    def read(self, size_b: int) -> None:
        """Count bytes that were read since the last call."""
        with self._lock:
            self._done_b += size_b
            now_s = self._clock.monotonic_s()
            if now_s - self._since_s < _SHORT_S:
                return
            if self._out.isatty():
                if now_s - self._drawn_s >= _BAR_S:
                    self._drawn_s = now_s
                    self._draw(now_s - self._since_s)
            elif self._pace.is_due(now_s):
                line = f"{self._what}: {self._words(now_s - self._since_s)}"
                print(line, file=self._out, flush=True)

    def _draw(self, passed_s: float) -> None:
        if self._bar is None:
            self._out.write(CLEARED)
            self._bar, self._task = _bar(self._out, self._what, self._total_b)
            self._bar.start()
        if self._task is not None:
            words = self._words(passed_s)
            self._bar.update(self._task, completed=self._done_b, words=words)

    def _words(self, passed_s: float) -> str:
        rate = self._done_b / passed_s
        read, left_b = size(self._done_b), self._total_b - self._done_b
        words = f"{read} of {size(self._total_b)} read, {size(rate)}/s"
        if left_b <= 0:  # more was read than anybody knew, or all is being written
            return f"{read} read, {size(rate)}/s"
        if self._done_b < _LEAST_SHARE * self._total_b or not rate:
            return words  # too early: what comes before the first bytes counts most
        return f"{words}, {duration(max(1.0, left_b / rate))} left"


class StepsTold:
    """Tells of each step: its name and a bar while it works, a line when it ends."""

    def __init__(self) -> None:
        self._reading = Reading(SystemClock())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._clear()

    def begin(self, step: str, total_b: int) -> None:
        """Start to count; `total_b` bytes are to be read."""
        self._clear()
        if sys.stderr.isatty():
            print(f"{step} ...", end="", file=sys.stderr, flush=True)
        self._reading = Reading(SystemClock(), what=step)
        self._reading.begin(total_b)

    def read(self, size_b: int) -> None:
        """Count bytes that were read."""
        self._reading.read(size_b)

    def end(self, step: str, note: str) -> None:
        """Tell what came out."""
        self._clear()
        print(f"{step}: {note or 'done'}", file=sys.stderr, flush=True)

    def _clear(self) -> None:
        """Take away what is drawn of a step; whoever is interrupted leaves nothing."""
        self._reading.stop()
        if sys.stderr.isatty():
            print(CLEARED, end="", file=sys.stderr, flush=True)


def _bar(out: TextIO, what: str, total_b: int) -> "tuple[Progress, TaskID]":
    # loaded late: it takes as long as reading some hundred megabytes
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    bar = Progress(
        TextColumn(what, markup=False),
        BarColumn(),
        TextColumn("{task.fields[words]}"),
        console=Console(file=out),
        transient=True,
    )
    return bar, bar.add_task(what, total=total_b, words="")


def size(size_b: float) -> str:
    """Return a number of bytes in a unit of the right size."""
    if size_b < 999_500:
        return f"{size_b / 1e3:.0f} kB"
    if size_b < 9_950_000:
        return f"{size_b / 1e6:.1f} MB"
    if size_b < 999_500_000:
        return f"{size_b / 1e6:.0f} MB"
    return f"{size_b / 1e9:.1f} GB"


def text_told(option: str, path: Path) -> str:
    """Return the text of a file that an option names, without a mark of its order.

    Raises ConfigError when it cannot be read, or is no text in UTF-8.
    """
    try:
        data = path.read_bytes()
    except OSError as exc:
        raise ConfigError(
            f"{option}: {path}: cannot be read: {exc.strerror or exc}"
        ) from exc
    other = _other_text(data)
    if other:
        raise ConfigError(f"{option}: {path}: is no text in UTF-8: {other}")
    return data.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")


def _other_text(data: bytes) -> str:
    """Return what bytes are instead of UTF-8, and what to do; '' where they are it.

    NUL is a byte of it, and of no text: UTF-16 without a mark, which would be read as
    other words than were written.
    """
    zero = data.find(0)
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return f"it is UTF-16; {_save_it('UTF-16')}"
    if zero >= 0 and 3 * data.count(0) > len(data):
        return f"it seems to be UTF-16; {_save_it(('UTF-16BE', 'UTF-16LE')[zero % 2])}"
    if zero >= 0:
        how = "name the file that was meant, or save it as text"
        return f"byte {zero + 1} is zero, as in no text; {how}"
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as exc:
        line = data.count(b"\n", 0, exc.start) + 1
        return f"line {line} is not; if it is Latin-1, {_save_it('LATIN1')}"
    return ""


def _save_it(code: str) -> str:
    return f"save it anew, such as by `iconv -f {code} -t UTF-8 FILE > NEW`"


def tell_next(command: str, *words: Path | str) -> None:
    """Say which command comes next, as it can be pasted."""
    said = " ".join(shlex.quote(str(word)) for word in words)
    print(f"next: testbed {command} {said}", file=sys.stderr)


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
