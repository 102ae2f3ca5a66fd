"""What training and detection have in common: packets in, windows to answer out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.streaming.arrivals import Arrivals
from analysis.streaming.bursts import Bursts
from analysis.streaming.openings import Openings, OpeningsOfMany
from analysis.streaming.windows import Recent, Seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """Windows of one length that have passed.

    stage     which of the lengths
    start_ns  where each opened, in order of time;  seen  its features, row by row
    """

    stage: int
    start_ns: tuple[int, ...]
    seen: Seen


class Front:
    """The front end for one device.

    openings    where windows open
    lengths_ns  how long after an opening it is looked at; increasing
    """

    def __init__(
        self, openings: Openings | OpeningsOfMany, lengths_ns: Sequence[int]
    ) -> None:
        self._lengths_ns = tuple(lengths_ns)
        self._bursts = Bursts()
        self._openings = openings
        self._recent = Recent()
        self._open: list[list[int]] = [[] for _ in lengths_ns]

    @property
    def n_kept(self) -> int:
        """Packets that are remembered."""
        return len(self._recent)

    def take(self, packets: Arrivals) -> None:
        """Take packets that follow those before."""
        self._openings.take(self._bursts.take(packets))
        self._recent.append(packets)

    def due(self, now_ns: int) -> list[Due]:
        """Return the windows that have ended by `now_ns`, short ones first."""
        opened = self._openings.until(now_ns)
        found = []
        for stage, (length_ns, waiting) in enumerate(
            zip(self._lengths_ns, self._open, strict=True)
        ):
            waiting += opened
            n = sum(start_ns + length_ns <= now_ns for start_ns in waiting)
            ended, self._open[stage] = tuple(waiting[:n]), waiting[n:]
            if ended:
                stamps = np.array(ended, dtype=np.int64)
                seen = self._recent.look(stamps, length_ns)
                found.append(Due(stage=stage, start_ns=ended, seen=seen))
        # openings that cannot be told yet begin no earlier than this
        self._recent.forget(min(self._earliest_ns(now_ns), now_ns))
        return found

    def _earliest_ns(self, now_ns: int) -> int:
        starts = [waiting[0] for waiting in self._open if waiting]
        return min([now_ns - self._lengths_ns[0], *starts])
