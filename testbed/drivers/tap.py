"""Where a recorder listens to what drivers ask and what instruments answer.

Nobody listens as a rule, and then this costs nothing.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# request, answer, status, seconds until the answer was there
Hears = Callable[[str, str, int, float], None]

_listeners: list[Hears] = []
_lock = threading.Lock()


@contextmanager
def listening(hears: Hears) -> Iterator[None]:
    """Let `hears` be called with each exchange of every driver of this process."""
    with _lock:
        _listeners.append(hears)
    try:
        yield
    finally:
        with _lock:
            _listeners.remove(hears)


def is_heard() -> bool:
    """Say whether somebody listens."""
    return bool(_listeners)


def tell(request: str, answer: str, status: int, took_s: float) -> None:
    """Tell those who listen about one exchange."""
    for hears in tuple(_listeners):
        hears(request, answer, status, took_s)
