"""What a feature is: one number that describes a window, with its unit in its name."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]


class Direction(StrEnum):
    """Which packets of a window are looked at, from the device's view."""

    IN = "in"
    OUT = "out"
    BOTH = "both"


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The packets of one direction in all k windows, window after window.

    offsets  (k + 1,) int64, window i holds packets [offsets[i], offsets[i + 1])
    time_ns  (n,) int64, within a window not decreasing
    size_b   (n,) float64, length of the frame on the wire in bytes
    """

    offsets: Int64
    time_ns: Int64
    size_b: Float64


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowPackets:
    """All that a feature may look at: sizes, directions, and times within windows.

    Addresses and ports are left out on purpose: a feature cannot learn them.

    start_ns  (k,) int64, start of each window; only differences to it are features
    length_s  (k,) float64, length of each window
    groups    packets by direction
    """

    start_ns: Int64
    length_s: Float64
    groups: dict[Direction, Group]

    def __len__(self) -> int:
        return int(self.start_ns.size)


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """One column. `unit` is '1' or the last part of the name."""

    name: str
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Features that are computed together.

    compute  WindowPackets with k windows -> (k, f) float64, finite, columns in the
             order of `features`
    """

    name: str
    features: tuple[Feature, ...]
    compute: Callable[[WindowPackets], Float64]
