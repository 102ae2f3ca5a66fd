"""How packets follow each other: moments and percentiles of inter-arrival times.

A gap lies between two neighbours of the same direction, within one window.
"""

from analysis.features.distribution import names_of
from analysis.features.model import Family, Float64, WindowPackets
from analysis.features.statistics import gap_statistics


def _compute(packets: WindowPackets) -> Float64:
    return gap_statistics(
        packets.first, packets.last, packets.time_ns, packets.outbound
    )


FEATURES = (Family(name="gaps", features=names_of("gap", "s"), compute=_compute),)
