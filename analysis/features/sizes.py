"""How large the packets are: moments and 10th to 90th percentiles of frame lengths."""

import numpy as np

from analysis.features.distribution import describe, names_of
from analysis.features.model import Direction, Family, Float64, WindowPackets


def _compute(packets: WindowPackets) -> Float64:
    groups = (packets.groups[d] for d in Direction)
    return np.hstack([describe(g.size_b, g.offsets) for g in groups])


FEATURES = (Family(name="sizes", features=names_of("size", "b"), compute=_compute),)
