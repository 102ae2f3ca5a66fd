"""How large the packets are: moments and 10th to 90th percentiles of frame lengths."""

from analysis.features.distribution import names_of
from analysis.features.model import Family, Float64, WindowPackets
from analysis.features.statistics import size_statistics


def _compute(packets: WindowPackets) -> Float64:
    return size_statistics(
        packets.first, packets.last, packets.length_b, packets.outbound
    )


FEATURES = (Family(name="sizes", features=names_of("size", "b"), compute=_compute),)
