"""What is learnt of a device, as columns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Column = NDArray[np.generic]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shapes:
    """Packets of k trials or events that follow each other.

    packets  columns of `analysis.pcap.twin_format.PACKETS`, (n,) each. `group` is the
             number of the other end with protocol and port; `flow` counts the
             connections of a group within one trial; `rare` marks lengths that no other
             trial of the activity has
    first    (k + 1,) int64, row of the first packet of each, and the end
    """

    packets: Mapping[str, Column]
    first: NDArray[np.int64]

    def __len__(self) -> int:
        return int(self.first.size) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Trials:
    """Recorded trials: what, in which session, for how long.

    activity, session  (k,) int32, rows of the names
    length_ns          (k,) int64, of the label window from the label instant
    """

    shapes: Shapes
    activity: NDArray[np.int32]
    session: NDArray[np.int32]
    length_ns: NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Idle:
    """What is sent unasked, by the other end.

    source       (k,) int32, which source an event is of
    mean_s, cv   (sources,) float64, of the time from event to event
    """

    shapes: Shapes
    source: NDArray[np.int32]
    mean_s: NDArray[np.float64]
    cv: NDArray[np.float64]
    observed_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LearntTwin:
    """All that is learnt of one device.

    source      what it was learnt from: campaign, whether simulated, numbers
    delta_ns    per activity
    spread      factor on what differs between two trials; see `analysis.twins.spread`
    """

    device: str
    category: str
    mac: str
    firmware: str
    source: Mapping[str, object]
    activities: Sequence[str]
    sessions: Sequence[str]
    delta_ns: Sequence[int]
    remotes: Sequence[str]
    trials: Trials
    idle: Idle
    spread: float = 1.0
