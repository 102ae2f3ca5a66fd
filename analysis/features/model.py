"""What a feature is: one number that describes a window, with its unit in its name."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Bool = NDArray[np.bool_]
Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]
UInt8 = NDArray[np.uint8]
UInt32 = NDArray[np.uint32]


def read_only(column: NDArray[Any], dtype: type[np.generic]) -> NDArray[Any]:
    """Return a view of `column` as kernels want it, or a copy when it is not so yet.

    A kernel would be compiled once more for arrays that it may write to.
    """
    view = np.ascontiguousarray(column, dtype=dtype).view()
    view.flags.writeable = False
    return view


class Direction(StrEnum):
    """Which packets of a window are looked at, from the device's view."""

    IN = "in"
    OUT = "out"
    BOTH = "both"


class Packets(Protocol):
    """The columns of a packet table that features may look at.

    Addresses and ports are left out on purpose: a feature cannot learn them.
    """

    @property
    def time_ns(self) -> Int64:
        """(n,) int64, not decreasing."""

    @property
    def length_b(self) -> UInt32:
        """(n,) uint32, bytes of the frame on the wire."""

    @property
    def outbound(self) -> Bool:
        """(n,) bool, True when the device sent it."""


class Located(Packets, Protocol):
    """Packets that tell what kind of place they go to or come from."""

    @property
    def destination(self) -> UInt8:
        """(n,) uint8, numbers of `analysis.packets.destination.Destination`."""


class Spans(Protocol):
    """k windows [start_ns, end_ns); they may overlap."""

    @property
    def start_ns(self) -> Int64:
        """(k,) int64."""

    @property
    def end_ns(self) -> Int64:
        """(k,) int64, just behind the window."""


class RowSpans(Spans, Protocol):
    """k windows with the rows [first, last) of their packets."""

    @property
    def first(self) -> Int64:
        """(k,) int64, row of the first packet."""

    @property
    def last(self) -> Int64:
        """(k,) int64, row behind the last packet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowPackets:
    """All that a feature may look at: sizes, directions, and times within windows.

    Window i holds the packets of rows [first[i], last[i]); no packet is copied, and the
    arrays are read-only views in the order that kernels want them.

    start_ns     (k,) int64, start of each window; only differences to it are features
    length_s     (k,) float64, length of each window
    longest_s    length of the longest window of the device, of which these may be some
    first, last  (k,) int64, 0 <= first <= last <= n
    time_ns      (n,) int64, within a window not decreasing
    length_b     (n,) uint32, length of the frame on the wire
    outbound     (n,) bool, True when the device sent it

    Raises ValueError when shapes differ or rows lie outside of the packets.
    """

    start_ns: Int64
    length_s: Float64
    longest_s: float
    first: Int64
    last: Int64
    time_ns: Int64
    length_b: UInt32
    outbound: Bool

    def __post_init__(self) -> None:
        k, n = self.start_ns.shape, self.time_ns.shape
        for name, dtype, shape in (
            ("start_ns", np.int64, k),
            ("length_s", np.float64, k),
            ("first", np.int64, k),
            ("last", np.int64, k),
            ("time_ns", np.int64, n),
            ("length_b", np.uint32, n),
            ("outbound", np.bool_, n),
        ):
            column = read_only(getattr(self, name), dtype)
            if column.shape != shape:
                raise ValueError(f"{name} must be {shape}, got {column.shape}")
            object.__setattr__(self, name, column)

    def __len__(self) -> int:
        return self.start_ns.size


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
