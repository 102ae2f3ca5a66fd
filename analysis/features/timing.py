"""When: time delay to the first packet, delay of the reply, time from first to last.

A packet that did not come within the window has the length of the longest window of
the device as its delay. It must not be the window's own length: δ differs by activity,
so an empty window would tell its label. The reply is the first incoming packet after
the first outgoing one. The duration of fewer than two packets is 0.
"""

import numpy as np

from analysis.features.model import (
    Direction,
    Family,
    Feature,
    Float64,
    WindowPackets,
)
from analysis.features.statistics import first_and_last_s, reply_s


def _compute(packets: WindowPackets) -> Float64:
    rows = (packets.first, packets.last, packets.time_ns, packets.outbound)
    found = first_and_last_s(*rows, packets.start_ns)
    reply = reply_s(*rows)
    out = np.empty((len(packets), 7))
    out[:, 0:6:2] = found[:, 0::2]
    out[:, 1:6:2] = found[:, 1::2] - found[:, 0::2]
    out[:, 6] = reply
    delays = out[:, 0::2]
    delays[delays < 0] = packets.longest_s
    return out


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
