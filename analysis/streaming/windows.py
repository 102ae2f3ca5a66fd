"""The latest packets of a device, and the features of windows over them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.features.matrix import compute, feature_names
from analysis.features.model import Float64, WindowPackets
from analysis.features.sequence import counted, joined
from analysis.streaming.arrivals import Arrivals

Int64 = NDArray[np.int64]

# whether an activity begins at an opening, or some seconds after it, shows at once
EARLY_NS = (2_000_000_000,)
# Pauses below it say how fast the recording machine and its links are, not what a
# device does: a model would know its own network, and no other.
_FINEST_S = 0.005
_DTYPES = {
    "time_ns": np.int64,
    "length_b": np.uint32,
    "outbound": np.bool_,
    "destination": np.uint8,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a model is shown of k windows.

    x         (k, f) float64, features of the window, then of its first moments
    sequence  (k, v) csr_array, the sequence block
    """

    x: Float64
    sequence: Any

    def take(self, rows: NDArray[np.bool_]) -> "Seen":
        """Return the chosen windows."""
        return Seen(x=self.x[rows], sequence=self.sequence[rows])


class Recent:
    """Packets of one device that a window may still need, at the end of arrays."""

    def __init__(self) -> None:
        self._columns: dict[str, NDArray[Any]] = {
            name: np.zeros(0, dtype) for name, dtype in _DTYPES.items()
        }
        self._rows = slice(0, 0)

    def __len__(self) -> int:
        return self._rows.stop - self._rows.start

    def append(self, packets: Arrivals) -> None:
        """Take packets that follow those before."""
        end = self._rows.stop + len(packets)
        if end > self._columns["time_ns"].size:
            self._make_room(len(packets))
            end = self._rows.stop + len(packets)
        for name, column in self._columns.items():
            column[self._rows.stop : end] = getattr(packets, name)
        self._rows = slice(self._rows.start, end)

    def forget(self, before_ns: int) -> None:
        """Drop the packets before a time."""
        n = int(np.searchsorted(self._column("time_ns"), before_ns))
        self._rows = slice(self._rows.start + n, self._rows.stop)

    def look(self, start_ns: Int64, length_ns: int) -> Seen:
        """Return what is seen of windows [start, start + length), all equally long.

        start_ns  (k,) int64
        """
        length_b, outbound = self._column("length_b"), self._column("outbound")
        first, last = self._between(start_ns, length_ns)
        place = self._column("destination")
        return Seen(
            x=np.hstack(
                [
                    self._statistics(start_ns, length_ns),
                    *(self._statistics(start_ns, each) for each in EARLY_NS),
                ]
            ),
            sequence=joined(counted(first, last, length_b, outbound, place)),
        )

    def _statistics(self, start_ns: Int64, length_ns: int) -> Float64:
        first, last = self._between(start_ns, length_ns)
        x = compute(
            WindowPackets(
                start_ns=start_ns,
                length_s=np.full(start_ns.size, length_ns / 1e9),
                longest_s=length_ns / 1e9,
                first=first,
                last=last,
                time_ns=self._column("time_ns"),
                length_b=self._column("length_b"),
                outbound=self._column("outbound"),
            )
        )
        return _coarse(x)

    def _between(self, start_ns: Int64, length_ns: int) -> tuple[Int64, Int64]:
        time_ns = self._column("time_ns")
        first = np.searchsorted(time_ns, start_ns)
        last = np.searchsorted(time_ns, start_ns + length_ns)
        return first, np.maximum(first, last)

    def _column(self, name: str) -> NDArray[Any]:
        return self._columns[name][self._rows]

    def _make_room(self, n: int) -> None:
        """Move to arrays with room for n more, and as much again."""
        kept = len(self)
        larger = {
            name: np.empty(2 * (kept + n), column.dtype)
            for name, column in self._columns.items()
        }
        for name, column in larger.items():
            column[:kept] = self._column(name)
        self._columns, self._rows = larger, slice(0, kept)


def _coarse(x: Float64) -> Float64:
    """Return features in which no time is finer than a network lets it be."""
    times = [name.endswith("_s") for name in feature_names()]
    return np.where(times, np.maximum(x, _FINEST_S), x)
