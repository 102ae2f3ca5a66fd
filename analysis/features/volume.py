"""How much: packets, bytes, and how much more comes in than goes out.

The ratio is incoming over outgoing, with at least 1 below the line: a window without
outgoing packets has the incoming amount itself, one without any packet has 0.
"""

import numpy as np

from analysis.features.model import (
    Direction,
    Family,
    Feature,
    Float64,
    WindowPackets,
)
from analysis.features.statistics import amounts


def _compute(packets: WindowPackets) -> Float64:
    found = amounts(packets.first, packets.last, packets.length_b, packets.outbound)
    incoming, outgoing = found[:, 0:2], found[:, 2:4]
    return np.hstack((found, incoming / np.maximum(outgoing, 1.0)))


FEATURES = (
    Family(
        name="volume",
        features=(
            *(
                feature
                for d in Direction
                for feature in (
                    Feature(name=f"{d}_packets", unit="1"),
                    Feature(name=f"{d}_total_b", unit="b"),
                )
            ),
            Feature(name="in_out_packets_ratio", unit="1"),
            Feature(name="in_out_bytes_ratio", unit="1"),
        ),
        compute=_compute,
    ),
)
