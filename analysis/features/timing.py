"""When: time delay to the first packet, delay of the reply, time from first to last.

A packet that did not come within the window has the length of the longest window of
the device as its delay. It must not be the window's own length: δ differs by activity,
so an empty window would tell its label. The reply is the first incoming packet after
the first outgoing one. The duration of fewer than two packets is 0.
"""

import numpy as np

from analysis.features import ragged
from analysis.features.model import (
    Direction,
    Family,
    Feature,
    Float64,
    WindowPackets,
)


def _compute(packets: WindowPackets) -> Float64:
    longest_ns = round(float(packets.length_s.max(initial=0.0)) * 1e9)
    end_ns = packets.start_ns + longest_ns
    columns = []
    for direction in Direction:
        group = packets.groups[direction]
        first_ns, last_ns = ragged.ends(group.time_ns, group.offsets, end_ns)
        columns.append((first_ns - packets.start_ns) / 1e9)
        columns.append((last_ns - first_ns) / 1e9)
    return np.column_stack((*columns, _reply_s(packets, end_ns, longest_ns)))


def _reply_s(packets: WindowPackets, end_ns: np.ndarray, longest_ns: int) -> Float64:
    incoming, outgoing = packets.groups[Direction.IN], packets.groups[Direction.OUT]
    asked_ns, _ = ragged.ends(outgoing.time_ns, outgoing.offsets, end_ns)
    window = ragged.group_of(incoming.offsets)
    wait_ns = incoming.time_ns - asked_ns[window]
    after = wait_ns >= 0
    best_ns = np.full(packets.start_ns.shape, longest_ns, dtype=np.int64)
    np.minimum.at(best_ns, window[after], wait_ns[after])
    return best_ns / 1e9


FEATURES = (
    Family(
        name="timing",
        features=(
            *(
                Feature(name=f"{d}_{what}_s", unit="s")
                for d in Direction
                for what in ("delay", "duration")
            ),
            Feature(name="reply_delay_s", unit="s"),
        ),
        compute=_compute,
    ),
)
