"""How far scoring and learning are: a bar on a terminal, or lines elsewhere."""

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING

from testbed.cli.reading import CLEARED, Pace
from testbed.clock import Clock, SystemClock

if TYPE_CHECKING:
    from analysis.evaluate.fits import Told


def shown_progress(step: str = "") -> "AbstractContextManager[Told]":
    """Return who is told how far it is: a bar on a terminal, nobody elsewhere.

    step  of longer work, of which plain lines are told elsewhere, by this name
    """
    from analysis.evaluate.fits import nobody_told

    if sys.stderr.isatty():
        return _drawn()
    return nullcontext(plain_lines(step, SystemClock()) if step else nobody_told)


def plain_lines(step: str, clock: Clock) -> "Told":
    """Return who prints a line now and then."""
    pace = Pace(clock.monotonic_s())

    def told(what: str, done: int, total: int) -> None:
        if pace.is_due(clock.monotonic_s()):
            line = f"{step}: {what}: {done} of {total}"
            print(line, file=sys.stderr, flush=True)

    return told


@contextmanager
def _drawn() -> "Iterator[Told]":
    from rich.console import Console
    from rich.progress import Progress

    print(CLEARED, end="", file=sys.stderr, flush=True)  # the name of a step
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("reading", total=None)

        def told(what: str, done: int, total: int) -> None:
            progress.update(task, description=what, completed=done, total=total)

        yield told
