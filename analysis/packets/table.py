"""The packet table of one device."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from analysis.packets.destination import destinations
from analysis.pcap.decode import Error
from analysis.pcap.tcp import Retransmission

__all__ = ["COLUMNS", "Error", "PacketTable", "Retransmission", "empty_table"]

COLUMNS: Mapping[str, type[np.generic]] = {
    "time_ns": np.int64,
    "length_b": np.uint32,
    "outbound": np.bool_,
    "ethertype": np.uint16,
    "protocol": np.uint8,
    "remote": np.int32,
    "src_port": np.uint16,
    "dst_port": np.uint16,
    "payload_b": np.uint32,
    "tcp_flags": np.uint8,
    "seq": np.uint32,
    "ack": np.uint32,
    "flow": np.int32,
    "retransmission": np.uint8,
    "error": np.uint8,
    "capture": np.int32,
    "frame": np.int64,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PacketTable:
    """Packets that one device sent or received, sorted by time; arrays are read-only.

    device          name of the device
    time_ns         (n,) int64, ns UTC on the capture's clock, not decreasing
    length_b        (n,) uint32, bytes of the frame on the wire
    outbound        (n,) bool, True when the device sent it
    ethertype       (n,) uint16, 0x0800 IPv4, 0x86DD IPv6, 0x0806 ARP, ...; 0 unknown
    protocol        (n,) uint8, number of the IP protocol; 0 means not IP (ARP, ...)
    remote          (n,) int32, row of `remotes`; -1 when not IP
    src_port        (n,) uint16, TCP and UDP; else 0
    dst_port        (n,) uint16
    payload_b       (n,) uint32, bytes above TCP or UDP, else above IP, on the wire
    tcp_flags       (n,) uint8, low eight flags
    seq             (n,) uint32, TCP sequence number as sent, not relative
    ack             (n,) uint32, TCP acknowledgement number as sent
    flow            (n,) int32, number of the conversation, both directions; -1 when not
                    IP. A flow ends with its capture file; see `analysis.packets.flows`
    retransmission  (n,) uint8, number of `Retransmission`, 0 for none
    error           (n,) uint8, bits of `Error`
    capture         (n,) int32, row of `captures`
    frame           (n,) int64, number in that capture, from 1, as Wireshark shows it
    remotes         addresses of the other endpoints, as text
    captures        names of the raw captures
    covered_ns      (first, last) stamp of each raw capture: outside of these, no packet
                    means nothing
    """

    device: str
    time_ns: NDArray[np.int64]
    length_b: NDArray[np.uint32]
    outbound: NDArray[np.bool_]
    ethertype: NDArray[np.uint16]
    protocol: NDArray[np.uint8]
    remote: NDArray[np.int32]
    src_port: NDArray[np.uint16]
    dst_port: NDArray[np.uint16]
    payload_b: NDArray[np.uint32]
    tcp_flags: NDArray[np.uint8]
    seq: NDArray[np.uint32]
    ack: NDArray[np.uint32]
    flow: NDArray[np.int32]
    retransmission: NDArray[np.uint8]
    error: NDArray[np.uint8]
    capture: NDArray[np.int32]
    frame: NDArray[np.int64]
    remotes: tuple[str, ...] = ()
    captures: tuple[str, ...] = ()
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

    @property
    def destination(self) -> NDArray[np.uint8]:
        """(n,) uint8, numbers of `Destination`, made anew each time."""
        return destinations(
            protocol=self.protocol,
            outbound=self.outbound,
            src_port=self.src_port,
            dst_port=self.dst_port,
            remote=self.remote,
            remotes=self.remotes,
        )

    def take(
        self, rows: NDArray[np.int64] | NDArray[np.bool_] | slice
    ) -> "PacketTable":
        """Return the table of the chosen packets; they must stay in order of time."""
        chosen = {name: getattr(self, name)[rows] for name in COLUMNS}
        return replace(self, **chosen)

    @staticmethod
    def joined(parts: "Sequence[PacketTable]") -> "PacketTable":
        """Return the packets of all parts, which follow each other in time.

        What is not a column is that of the last part: parts of one table number
        remotes and captures alike, and later ones know more of them.
        """
        columns = {n: np.concatenate([getattr(p, n) for p in parts]) for n in COLUMNS}
        return replace(parts[-1], **columns)  # type: ignore[arg-type]


def empty_table(
    device: str,
    *,
    captures: tuple[str, ...] = (),
    covered_ns: tuple[tuple[int, int], ...] = (),
) -> PacketTable:
    """Return a table without packets."""
    columns = {name: np.zeros(0, dtype=dtype) for name, dtype in COLUMNS.items()}
    return PacketTable(
        device=device,
        captures=captures,
        covered_ns=covered_ns,
        **columns,  # type: ignore[arg-type]
    )
