"""What a device says after each trigger, and what it says when nothing is done.

Bytes and packets of each run are counted in steps of `STEP_S` from its trigger on, per
class of destination, so that talk with the cloud is not drowned in multicast.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.packets import PacketTable
from analysis.packets.destination import Destination

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]

STEP_S = 0.1
N_CLASSES = len(Destination)
_STEP_NS = round(STEP_S * 1e9)


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """Counts of aligned stretches of time.

    bytes_b, packets  (n, c, steps) float64, n stretches, c classes of `Destination`
    """

    bytes_b: Float64
    packets: Float64

    def __len__(self) -> int:
        return int(self.bytes_b.shape[0])

    @property
    def length_s(self) -> float:
        """Length of each stretch in seconds."""
        return float(self.bytes_b.shape[2] * STEP_S)

    def until(self, horizon_s: float) -> "Traffic":
        """Return the beginning of each stretch."""
        n = steps_in(horizon_s)
        return Traffic(bytes_b=self.bytes_b[:, :, :n], packets=self.packets[:, :, :n])

    def take(self, rows: Int64 | NDArray[np.bool_]) -> "Traffic":
        """Return the chosen stretches."""
        return Traffic(bytes_b=self.bytes_b[rows], packets=self.packets[rows])

    def coarse(self, n_steps: int) -> Float64:
        """Return (n, c, steps // n_steps), bytes in that many steps at a time."""
        n, c, steps = self.bytes_b.shape
        n_whole = steps // n_steps
        whole = self.bytes_b[:, :, : n_whole * n_steps]
        parts = whole.reshape(n, c, n_whole, n_steps)
        return np.asarray(parts.sum(axis=3), dtype=np.float64)


def steps_in(length_s: float) -> int:
    """Return how many whole steps a length has, at least one."""
    return max(1, int(length_s / STEP_S + 1e-6))


def traffic_at(table: PacketTable, start_ns: Int64, length_s: float) -> Traffic:
    """Count what a device says in the `length_s` seconds from each start on.

    start_ns  (n,) int64
    """
    n, n_steps = start_ns.size, steps_in(length_s)
    first = np.searchsorted(table.time_ns, start_ns, side="left")
    last = np.searchsorted(table.time_ns, start_ns + n_steps * _STEP_NS, side="left")
    held = last - first
    run = np.repeat(np.arange(n), held)
    # rows of all runs one after the other: each run's first row, counted on from there
    row = np.arange(held.sum()) - np.repeat(np.cumsum(held) - held - first, held)
    step = (table.time_ns[row] - start_ns[run]) // _STEP_NS
    kind = table.take(row).destination if row.size else np.zeros(0, np.uint8)
    cell = (run * N_CLASSES + kind) * n_steps + step
    shape = (n, N_CLASSES, n_steps)
    size = n * N_CLASSES * n_steps
    weights = table.length_b[row].astype(np.float64)
    bytes_b = np.bincount(cell, weights=weights, minlength=size)
    packets = np.bincount(cell, minlength=size)
    return Traffic(
        # without any packet, numpy counts in whole numbers
        bytes_b=bytes_b.astype(np.float64).reshape(shape),
        packets=packets.astype(np.float64).reshape(shape),
    )
