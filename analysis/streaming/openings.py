"""Openings: where an activity of a device may begin.

A burst that is over, or long, says something, and that the background does not explain
opens one. What follows it within a moment (a name is asked for, then a connection made)
belongs to it.
"""

from collections import deque
from collections.abc import Iterable, Sequence

from analysis.streaming.background import Background
from analysis.streaming.bursts import Burst

_TOGETHER_NS = 500_000_000
# a burst that goes on for so long without many packets is judged as it is; less than
# any window is long, so that no answer has to wait for it
_PATIENCE_NS = 3_000_000_000


class Openings:
    """The openings of one device, in order of time."""

    def __init__(self, background: Background) -> None:
        self._background = background
        self._waiting: deque[Burst] = deque()
        self._latest_ns: int | None = None

    def take(self, bursts: Iterable[Burst]) -> None:
        """Take bursts that begin after those before."""
        self._waiting.extend(bursts)

    def until(self, now_ns: int) -> list[int]:
        """Return where windows open that can be told by `now_ns`, ns."""
        found = []
        while self._waiting and self._is_told(self._waiting[0], now_ns):
            burst = self._waiting.popleft()
            if not burst.shape or self._background.explains(burst):
                continue
            start_ns = burst.start_ns
            if self._latest_ns is None or start_ns - self._latest_ns > _TOGETHER_NS:
                found.append(start_ns)
                self._latest_ns = start_ns
        return found

    def _is_told(self, burst: Burst, now_ns: int) -> bool:
        waited = now_ns - burst.start_ns > _PATIENCE_NS
        return burst.is_long or waited or burst.is_over(now_ns)


class OpeningsOfMany:
    """The openings by any of several backgrounds, in order of time.

    of  by which of them which was one; each background by itself, in the given order
    """

    def __init__(self, backgrounds: Sequence[Background]) -> None:
        self._each = tuple(map(Openings, backgrounds))
        self.of: tuple[set[int], ...] = tuple(set() for _ in backgrounds)

    def take(self, bursts: Iterable[Burst]) -> None:
        """Take bursts that begin after those before."""
        taken = tuple(bursts)
        for each in self._each:
            each.take(taken)

    def until(self, now_ns: int) -> list[int]:
        """Return where windows open that can be told by `now_ns`, ns."""
        found: set[int] = set()
        for each, own in zip(self._each, self.of, strict=True):
            opened = each.until(now_ns)
            own.update(opened)
            found.update(opened)
        return sorted(found)
