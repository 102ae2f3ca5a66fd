"""Processes that share work: one thread each, and a sentence when one is ended."""

import os
from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager

from analysis.errors import AnalysisError

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "ARROW_NUM_THREADS")


@contextmanager
def told_when_broken(does: str) -> Iterator[None]:
    """Say in a sentence that a process was ended, of which Python says little.

    does  what it did, as 'fits'

    Raises AnalysisError.
    """
    try:
        yield
    except BrokenProcessPool as exc:
        raise AnalysisError(
            f"a process that {does} was ended from outside, most often for want of "
            "memory; try again with --jobs 1"
        ) from exc


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Let processes that are started meanwhile use one thread each."""
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
