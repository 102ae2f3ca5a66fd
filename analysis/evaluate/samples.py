"""The label windows of one device as rows of features, ready to be split."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.features.model import Float64, Int64

Strings = NDArray[np.str_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """Rows of one device, one per trial, in the order of time.

    x          (k, f) float64, the features;  names  their f names
    activity   (k,) str, what caused the traffic
    session    (k,) str, session of the trial
    trial      (k,) str, identity of the trial, each once
    start_ns   (k,) int64, start of the label window, for the order of sessions only
    n_packets  (k,) int64, packets that the features were computed from
    """

    device: str
    names: tuple[str, ...]
    x: Float64
    activity: Strings
    session: Strings
    trial: Strings
    start_ns: Int64
    n_packets: Int64

    def __len__(self) -> int:
        return int(self.activity.size)

    def sessions(self) -> tuple[str, ...]:
        """Return the names of the sessions in the order of their first trial."""
        names, first = np.unique(self.session, return_index=True)
        order = np.argsort(self.start_ns[first], kind="stable")
        return tuple(str(n) for n in names[order])
