"""The packet table of one device."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from analysis.pcap.decode import Error

__all__ = ["COLUMNS", "RETRANSMISSION", "Error", "PacketTable"]

# codes of the column `retransmission`; finer classes follow the same column
NOT_SEEN_BEFORE = 0
RETRANSMISSION = 1

COLUMNS: Mapping[str, type[np.generic]] = {
    "time_ns": np.int64,
    "length_b": np.uint32,
    "outbound": np.bool_,
    "protocol": np.uint8,
    "remote": np.int32,
    "src_port": np.uint16,
    "dst_port": np.uint16,
    "payload_b": np.uint32,
    "tcp_flags": np.uint8,
    "flow": np.int32,
    "retransmission": np.uint8,
    "error": np.uint8,
    "row": np.int64,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PacketTable:
    """Packets that one device sent or received, sorted by time; arrays are read-only.

    device          name of the device
    time_ns         (n,) int64, ns UTC on the capture's clock, not decreasing
    length_b        (n,) uint32, bytes of the frame on the wire
    outbound        (n,) bool, True when the device sent it
    protocol        (n,) uint8, number of the IP protocol; 0 means not IP (ARP, ...)
    remote          (n,) int32, row of `remotes`; -1 when not IP
    src_port        (n,) uint16, TCP and UDP; else 0
    dst_port        (n,) uint16
    payload_b       (n,) uint32, bytes above TCP or UDP, else above IP, on the wire
    tcp_flags       (n,) uint8, low eight flags
    flow            (n,) int32, number of the 5-tuple, both directions; -1 when not IP
    retransmission  (n,) uint8, 0 no, 1 TCP payload that was already seen
    error           (n,) uint8, bits of `Error`
    row             (n,) int64, frame in the raw captures: they are counted on from
                    file to file, in the order of `find_raw`, from 0
    remotes         addresses of the other endpoints, as text
    covered_ns      (first, last) stamp of each raw capture: outside of these, no packet
                    means nothing
    """

    device: str
    time_ns: NDArray[np.int64]
    length_b: NDArray[np.uint32]
    outbound: NDArray[np.bool_]
    protocol: NDArray[np.uint8]
    remote: NDArray[np.int32]
    src_port: NDArray[np.uint16]
    dst_port: NDArray[np.uint16]
    payload_b: NDArray[np.uint32]
    tcp_flags: NDArray[np.uint8]
    flow: NDArray[np.int32]
    retransmission: NDArray[np.uint8]
    error: NDArray[np.uint8]
    row: NDArray[np.int64]
    remotes: tuple[str, ...] = ()
    covered_ns: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        for name, dtype in COLUMNS.items():
            column = getattr(self, name)
            if column.shape != self.time_ns.shape or column.dtype != dtype:
                raise ValueError(
                    f"column {name} must be {self.time_ns.shape} {np.dtype(dtype)}, "
                    f"got {column.shape} {column.dtype}"
                )
            column.setflags(write=False)
        if self.time_ns.size > 1 and int(np.diff(self.time_ns).min()) < 0:
            raise ValueError("packets must be sorted by time")

    def __len__(self) -> int:
        return self.time_ns.size

    def take(
        self, rows: NDArray[np.int64] | NDArray[np.bool_] | slice
    ) -> "PacketTable":
        """Return the table of the chosen packets; they must stay in order of time."""
        chosen = {name: getattr(self, name)[rows] for name in COLUMNS}
        return replace(self, **chosen)


def empty_table(device: str) -> PacketTable:
    """Return a table without packets."""
    columns = {name: np.zeros(0, dtype=dtype) for name, dtype in COLUMNS.items()}
    return PacketTable(device=device, **columns)  # type: ignore[arg-type]
