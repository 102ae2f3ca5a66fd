"""The arrays of a twin's file: what its two sides agree on.

The analysis learns and writes them, the virtual lab reads and plays them; neither may
import the other. Whoever changes this changes the format of the files.
"""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

# offsets count from the start of the trial or event that a packet is of
PACKETS: Mapping[str, type[np.generic]] = MappingProxyType(
    {
        "offset_ns": np.int64,
        "length_b": np.uint32,
        "payload_b": np.uint32,
        "outbound": np.bool_,
        "rare": np.bool_,
        "ethertype": np.uint16,
        "protocol": np.uint8,
        "tcp_flags": np.uint8,
        "remote": np.int32,
        "remote_port": np.uint16,
        "own_port": np.uint16,
        "group": np.int32,
        "flow": np.int32,
    }
)
# of trials and of sources of idle traffic
OTHERS: Mapping[str, type[np.generic]] = MappingProxyType(
    {
        "trial_activity": np.int32,
        "trial_session": np.int32,
        "trial_length_ns": np.int64,
        "idle_source": np.int32,
        "idle_mean_s": np.float64,
        "idle_cv": np.float64,
    }
)
KIND = "testbed twin"
FORMAT = 1  # changes whenever an older reader would misunderstand a newer file


def arrays() -> dict[str, type[np.generic]]:
    """Return the name of every array of a twin, with its type."""
    found = dict(OTHERS)
    for prefix in ("trial", "idle"):
        found |= {f"{prefix}_{name}": dtype for name, dtype in PACKETS.items()}
        found[f"{prefix}_first"] = np.int64
    return found
