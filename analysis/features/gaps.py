"""How packets follow each other: moments and percentiles of inter-arrival times.

A gap lies between two neighbours of the same direction, within one window.
"""

import numpy as np

from analysis.features import ragged
from analysis.features.distribution import describe, names_of
from analysis.features.model import Direction, Family, Float64, WindowPackets


def _compute(packets: WindowPackets) -> Float64:
    groups = (packets.groups[d] for d in Direction)
    return np.hstack([describe(*ragged.gaps_s(g.time_ns, g.offsets)) for g in groups])


FEATURES = (Family(name="gaps", features=names_of("gap", "s"), compute=_compute),)
