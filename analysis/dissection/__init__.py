"""Look into a human-sized slice of a capture, field by field, with pyshark.

inspect_trial(folder, trial)   the packets of one label window
inspect_capture(path)          the first packets of a capture

Both cut the packets out with our own reader first, so that a capture of any size is
quick, and dissect them in a process of its own: pyshark brings an event loop along that
does not work inside a running one. They block; inside asyncio, use `asyncio.to_thread`.
Never the way to read many packets: that is `analysis.packets`, some thousand times
faster.
"""

from analysis.dissection.inspection import (
    DEFAULT_LIMIT,
    MOST_SHOWN,
    Inspection,
    InspectPacket,
    inspect_capture,
    inspect_trial,
)
from analysis.dissection.parent import Dissected, InspectError, Layer, dissect
from analysis.dissection.printable import printable
from analysis.dissection.slices import Slice, cut_packets, write_slice

__all__ = [
    "DEFAULT_LIMIT",
    "MOST_SHOWN",
    "Dissected",
    "InspectError",
    "InspectPacket",
    "Inspection",
    "Layer",
    "Slice",
    "cut_packets",
    "dissect",
    "inspect_capture",
    "inspect_trial",
    "printable",
    "write_slice",
]
