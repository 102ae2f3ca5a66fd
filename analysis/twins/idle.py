"""Learn what a device sends while nobody does anything."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from analysis.packets import PacketTable
from analysis.pcap.twin_format import PACKETS
from analysis.twins.model import Idle, Shapes
from analysis.twins.shapes import Int32, shapes_of
from analysis.windows import Windows, free_stretches

_APART_NS = 2_000_000_000  # a longer silence of one other end begins another event
_MOST_SOURCES = 64
_MOST_EVENTS = 40  # of one source
_MOST_PACKETS = 500  # of one event
_CV = 1.0  # of intervals where too few were seen: that of an exponential
_FEW = 4


def learn_idle(table: PacketTable, windows: Windows, group: Int32) -> Idle:
    """Learn sources of idle traffic from what is captured and far from all windows."""
    busy = zip(windows.start_ns.tolist(), windows.end_ns.tolist(), strict=True)
    stretches = free_stretches(table.covered_ns, busy)
    observed_ns = sum(end - start for start, end in stretches)
    events, begins = _events(table, group, stretches)
    kept = sorted(events, key=lambda key: -len(events[key]))[:_MOST_SOURCES]
    sources: list[int] = []
    shapes: list[Shapes] = []
    mean_s, cv = [], []
    for number, key in enumerate(kept):
        chosen = events[key][:: -(-len(events[key]) // _MOST_EVENTS)]
        for rows in chosen:
            some = rows[:_MOST_PACKETS]
            n, begin_ns = np.array([some.size]), table.time_ns[some[:1]]
            part = table.take(some)
            shapes.append(shapes_of(part, n * 0, n, begin_ns, group[some]))
            sources.append(number)
        # in a stretch of a few ms one event is no hundred of them in a second
        mean_s.append(max(observed_ns / len(events[key]), _APART_NS) / 1e9)
        cv.append(_variation(begins[key], stretches))
    return Idle(
        shapes=_joined(shapes),
        source=np.array(sources, dtype=np.int32),
        mean_s=np.array(mean_s, dtype=np.float64),
        cv=np.array(cv, dtype=np.float64),
        observed_s=observed_ns / 1e9,
    )


def _events(
    table: PacketTable, group: Int32, stretches: Sequence[tuple[int, int]]
) -> tuple[dict[int, list[NDArray[np.int64]]], dict[int, list[int]]]:
    """Return rows of each event, and where events begin, by group."""
    events: dict[int, list[NDArray[np.int64]]] = defaultdict(list)
    begins: dict[int, list[int]] = defaultdict(list)
    for start, end in stretches:
        first, last = np.searchsorted(table.time_ns, (start, end)).tolist()
        parts: dict[int, list[int]] = defaultdict(list)
        for row, key in enumerate(group[first:last].tolist(), start=first):
            parts[key].append(row)
        for key, rows in parts.items():
            held = np.array(rows, dtype=np.int64)
            gaps = np.diff(table.time_ns[held])
            for event in np.split(held, np.flatnonzero(gaps > _APART_NS) + 1):
                events[key].append(event)
                begins[key].append(int(table.time_ns[event[0]]))
    return events, begins


def _variation(begins: Sequence[int], stretches: Sequence[tuple[int, int]]) -> float:
    """Return the coefficient of variation of intervals within stretches."""
    at = np.array(sorted(begins), dtype=np.int64)
    intervals = [
        np.diff(at[(at >= start) & (at < end)]) / 1e9 for start, end in stretches
    ]
    known = np.concatenate(intervals) if intervals else np.zeros(0)
    if known.size < _FEW or known.mean() <= 0:
        return _CV
    return float(min(2.0, known.std() / known.mean()))


def _joined(parts: Sequence[Shapes]) -> Shapes:
    columns = {
        name: np.concatenate(
            [p.packets[name] for p in parts] or [np.zeros(0, dtype=dtype)]
        )
        for name, dtype in PACKETS.items()
    }
    counts = [int(part.first[-1]) for part in parts]
    return Shapes(
        packets=columns,
        first=np.concatenate(([0], np.cumsum(counts))).astype(np.int64),
    )
