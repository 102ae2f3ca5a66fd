"""From a packet table and its label windows to one row of features per window."""

import numpy as np

import analysis.features
from analysis.features.model import (
    Direction,
    Family,
    Float64,
    Group,
    Int64,
    WindowPackets,
)
from analysis.packets import PacketTable
from analysis.registry import discover
from analysis.windows import Windows


def features_of(
    table: PacketTable, windows: Windows
) -> tuple[tuple[str, ...], Float64]:
    """Compute every family of features for every window.

    table    the packets that `windows` were cut from
    returns  f names and (k, f) float64, finite, columns in the order of the names
    """
    packets = window_packets(table, windows)
    families: list[Family] = list(discover(analysis.features, "FEATURES").values())
    names = tuple(f.name for family in families for f in family.features)
    return names, np.hstack([family.compute(packets) for family in families])


def window_packets(table: PacketTable, windows: Windows) -> WindowPackets:
    """Gather the packets of each window by direction, window after window."""
    rows = _rows(windows.first, windows.last)
    window = np.repeat(np.arange(len(windows)), windows.n_packets)
    outbound = table.outbound[rows]
    every = np.ones(rows.size, dtype=bool)
    chosen = {
        Direction.IN: ~outbound,
        Direction.OUT: outbound,
        Direction.BOTH: every,
    }
    groups = {}
    for direction, mask in chosen.items():
        counts = np.bincount(window[mask], minlength=len(windows))
        groups[direction] = Group(
            offsets=np.concatenate(([0], np.cumsum(counts))).astype(np.int64),
            time_ns=table.time_ns[rows[mask]],
            size_b=table.length_b[rows[mask]].astype(np.float64),
        )
    return WindowPackets(
        start_ns=windows.start_ns,
        length_s=(windows.end_ns - windows.start_ns) / 1e9,
        groups=groups,
    )


def _rows(first: Int64, last: Int64) -> Int64:
    """Return the numbers of all ranges [first, last), one range after the other."""
    count = last - first
    behind = np.cumsum(count) - count  # numbers before each range
    shift = np.repeat(first - behind, count)
    return np.asarray(np.arange(count.sum()) + shift, dtype=np.int64)
