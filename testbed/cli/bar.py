"""How far scoring and learning are: a bar on a terminal, nothing elsewhere."""

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from analysis.evaluate.fits import Told


def shown_progress() -> "AbstractContextManager[Told]":
    """Return who is told how far it is: a bar on a terminal, nobody elsewhere."""
    from analysis.evaluate.fits import nobody_told

    return _drawn() if sys.stderr.isatty() else nullcontext(nobody_told)


@contextmanager
def _drawn() -> "Iterator[Told]":
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("reading", total=None)

        def told(what: str, done: int, total: int) -> None:
            progress.update(task, description=what, completed=done, total=total)

        yield told
