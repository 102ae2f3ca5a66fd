"""From packets and label windows to one row of features per window.

`features_of` takes a whole table, `window_features` one window as it comes in, and
`analysis.features.chunks` a table that does not fit into memory: with the same values.
"""

from functools import cache

import numpy as np

import analysis.features
from analysis.features.model import (
    Bool,
    Family,
    Float64,
    Int64,
    Packets,
    RowSpans,
    UInt32,
    WindowPackets,
)
from analysis.features.statistics import is_sorted, ranges_fit
from analysis.registry import discover


def features_of(table: Packets, windows: RowSpans) -> tuple[tuple[str, ...], Float64]:
    """Compute every family of features for every window.

    table    the packets that `windows` were cut from
    returns  f names and (k, f) float64, finite, columns in the order of the names
    """
    return feature_names(), compute(window_packets(table, windows))


def window_features(
    time_ns: Int64,
    length_b: UInt32,
    outbound: Bool,
    start_ns: int,
    end_ns: int,
    *,
    longest_s: float | None = None,
) -> Float64:
    """Compute every family of features for one window [start_ns, end_ns), live.

    time_ns    (n,) int64, not decreasing; packets outside of the window are left out
    length_b   (n,) uint32, length of the frame on the wire
    outbound   (n,) bool
    longest_s  length of the longest window that a classifier was trained with, which is
               the delay of a packet that did not come; the window's own by default
    returns    (f,) float64 in the order of `feature_names`

    Raises ValueError when the packets are not sorted by time.
    """
    length_s = (end_ns - start_ns) / 1e9
    first, last = np.searchsorted(time_ns, (start_ns, end_ns))
    packets = WindowPackets(
        start_ns=np.array((start_ns,)),
        length_s=np.array((length_s,)),
        longest_s=length_s if longest_s is None else longest_s,
        first=np.array((first,)),
        last=np.array((last,)),
        time_ns=time_ns,
        length_b=length_b,
        outbound=outbound,
    )
    if not is_sorted(packets.time_ns):
        raise ValueError("packets must be sorted by time")
    row: Float64 = compute(packets)[0]
    return row


@cache
def families() -> tuple[Family, ...]:
    """Return the families that there are; the folder is searched once per process."""
    return tuple(discover(analysis.features, "FEATURES").values())


@cache
def feature_names() -> tuple[str, ...]:
    """Return the names of all features, in the order of the columns."""
    return tuple(f.name for family in families() for f in family.features)


def compute(packets: WindowPackets) -> Float64:
    """Return (k, f) float64: all features of k windows.

    Raises ValueError when a window has rows that are not among the packets.
    """
    if not ranges_fit(packets.first, packets.last, packets.time_ns.size):
        raise ValueError("windows must be cut from the packets that they are given")
    return np.hstack([family.compute(packets) for family in families()])


def window_packets(table: Packets, windows: RowSpans) -> WindowPackets:
    """Return the packets of each window as families look at them."""
    length_ns = windows.end_ns - windows.start_ns
    return WindowPackets(
        start_ns=windows.start_ns,
        length_s=length_ns / 1e9,
        longest_s=longest_of(windows.start_ns, windows.end_ns),
        first=windows.first,
        last=windows.last,
        time_ns=table.time_ns,
        length_b=table.length_b,
        outbound=table.outbound,
    )


def longest_of(start_ns: Int64, end_ns: Int64) -> float:
    """Return the seconds of the longest window; 0 without windows."""
    return int((end_ns - start_ns).max(initial=0)) / 1e9
