"""How much: packets, bytes, and how much more comes in than goes out.

The ratio is incoming over outgoing, with at least 1 below the line: a window without
outgoing packets has the incoming amount itself, one without any packet has 0.
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
    amounts = {
        direction: (
            np.diff(group.offsets).astype(np.float64),
            ragged.total(group.size_b, group.offsets),
        )
        for direction, group in packets.groups.items()
    }
    columns = [amount for d in Direction for amount in amounts[d]]
    incoming, outgoing = amounts[Direction.IN], amounts[Direction.OUT]
    pairs = zip(incoming, outgoing, strict=True)
    columns += [i / np.maximum(o, 1.0) for i, o in pairs]
    return np.column_stack(columns)


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
