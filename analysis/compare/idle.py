"""What a device says while nobody does anything with it.

There keep-alives tell a firmware: how long they are, by how much an answer is longer
than its question (which stays the same where both are padded alike), how far apart they
are. A talk begins when a connection says something after two seconds of silence; of
each talk but the first frame and its answer count, so that one long transfer is no more
than one keep-alive. Each service has questions of its own, so that it does not matter
how often others had something to say on that day.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.compare.model import Bool, Events, Int64, Kind, Text
from analysis.windows import Windows

FRAMES, ANSWERS, PAUSES = "idle_frames", "idle_answers", "idle_pauses"
SERVICES = "idle_services"  # whose talks they are
_PROTOCOLS = {6: "tcp", 17: "udp"}
_SILENCE_NS = 2_000_000_000
_STEPS = 20  # per e-fold: pauses that differ by less than 5 % are one
_EPHEMERAL = 32_768  # from here on a port says nothing of the service
_HIGH = 0


class Idle:
    """Counts, piece by piece; what reaches from one piece into the next is left out."""

    def __init__(self, windows: Windows, unit: Text, acts: Bool) -> None:
        """Count for windows and their units; acts: which of them are no idle ones."""
        self._names, numbers = np.unique(unit, return_inverse=True)
        self._start, self._end = windows.start_ns, windows.end_ns
        self._acts = windows.start_ns[acts]
        self._number = numbers.astype(np.int64)
        self._seen: dict[str, Counter[tuple[int, int]]] = {}

    def take(self, piece: Mapping[str, Any], idle: Bool) -> None:
        """Take packets with payload, none sent again, by time.

        idle  (n,) whether outside of label windows; the others part talks and pauses
        """
        piece = {**piece, "idle": idle}
        known = np.isin(piece["protocol"], tuple(_PROTOCOLS)) & (piece["flow"] >= 0)
        if not len(self._start) or not known.any():
            return
        piece = {name: values[known] for name, values in piece.items()}
        order = np.lexsort((piece["time_ns"], piece["flow"]))
        column = {name: values[order] for name, values in piece.items()}
        at, flow = column["time_ns"], column["flow"]
        unit, service = self._units(at), _services(column)
        way = column["outbound"].astype(np.int64)
        length = column["length_b"].astype(np.int64)
        begins = np.diff(at, prepend=at[:1]) > _SILENCE_NS
        begins[1:] |= flow[1:] != flow[:-1]
        begins[0] = True
        idle = column["idle"]
        starts = np.flatnonzero(begins & idle)
        all_of_them = np.zeros(starts.size, np.int64)
        self._count(SERVICES, all_of_them, unit[starts], service[starts])
        self._count(FRAMES, service[starts], unit[starts], (2 * length + way)[starts])
        answered = ~begins[1:] & (way[:-1] != way[1:]) & idle[1:]
        asked = np.flatnonzero((begins & idle)[:-1] & answered)
        more = 2 * (length[asked + 1] - length[asked]) + way[asked]
        self._count(ANSWERS, service[asked], unit[asked], more)
        starts = np.flatnonzero(begins)
        one, two = starts[:-1], starts[1:]
        window = np.searchsorted(self._acts, at, side="right")
        again = (flow[one] == flow[two]) & idle[one] & idle[two]
        again &= (window[one] == window[two]) & (unit[one] == unit[two])
        steps = np.rint(_STEPS * np.log((at[two] - at[one])[again] / 1e9))
        two = two[again]
        self._count(PAUSES, service[two], unit[two], steps.astype(np.int64))

    def events(self) -> dict[str, Events]:
        """Return what was counted, by its name."""
        return {
            name: _events(self._names, counter, ordered=name.startswith(PAUSES))
            for name, counter in sorted(self._seen.items())
        }

    def units_at(self, at: Int64) -> Text:
        """Return the unit of the window that is nearest to each time, (n,)."""
        return np.asarray(self._names[self._units(at)], dtype=np.str_)

    def _units(self, at: Int64) -> Int64:
        """Return the number of the unit of the nearest window, (n,)."""
        after = np.searchsorted(self._start, at, side="right")
        before = np.maximum(after - 1, 0)
        after = np.minimum(after, self._start.size - 1)
        nearer = self._start[after] - at < at - self._end[before]
        nearer &= self._start[after] > at
        return np.where(nearer, self._number[after], self._number[before])

    def _count(self, what: str, service: Int64, unit: Int64, value: Int64) -> None:
        rows = np.column_stack((service, unit, value))
        found, n = np.unique(rows, axis=0, return_counts=True)
        for (kind, day, seen), count in zip(found.tolist(), n.tolist(), strict=True):
            name = what if what == SERVICES else f"{what} {_named(kind)}"
            self._seen.setdefault(name, Counter())[day, seen] += count


def _services(column: Mapping[str, Any]) -> Int64:
    """Return a number per protocol and port of the service, (n,)."""
    port = np.minimum(column["src_port"], column["dst_port"]).astype(np.int64)
    port[port >= _EPHEMERAL] = _HIGH
    made: Int64 = port * 256 + column["protocol"]
    return made


def _named(service: int) -> str:
    port, protocol = divmod(service, 256)
    return f"{_PROTOCOLS[protocol]}/{'high' if port == _HIGH else port}"


def _events(
    names: NDArray[np.str_], counter: Counter[tuple[int, int]], *, ordered: bool
) -> Events:
    keys = sorted(counter)
    return Events(
        unit=np.array([names[row] for row, _value in keys], dtype=np.str_),
        value=np.array([value for _row, value in keys], dtype=np.int64),
        n=np.array([counter[key] for key in keys], dtype=np.int64),
        kind=Kind.SHAPE,
        ordered=ordered,
    )
