"""What a made capture will hold: one row of numbers per packet, not yet bytes.

A row says when the packet passes the capture point, of which flow it is, in which
direction, and what the header fields of its kind are. `tests.bench.render` makes bytes
of rows, thousands of times faster than Python could.
"""

from array import array
from typing import NamedTuple

import numpy as np

# columns of a row
TIME, FLOW, OUT, KIND, SEQ, ACK, FLAGS, PAYLOAD, CONTENT, BAD = range(10)
WIDTH = 10
# KIND
TCP, UDP, ICMP, ARP = range(4)
# CONTENT: a positive number is the length of a TLS record that begins here
STREAM, SHORT_QUIC, TEMPLATE = 0, -1, -10  # TEMPLATE - k: template number k
FIN, SYN, RST, PSH, ACKED = 1, 2, 4, 8, 16

_PADDED_B = 60


class End(NamedTuple):
    """One end of a flow on the captured network: MAC and IP address."""

    mac: bytes
    ip: bytes


class Flow(NamedTuple):
    """Two ends and their ports; `near` is the device, whose packets have OUT = 1.

    vlan    tag number, 0 for none
    padded  the device's link pads short frames to 60 bytes, as a wire does
    """

    near: End
    far: End
    near_port: int
    far_port: int
    vlan: int = 0
    padded: bool = False


class Plan:
    """Rows in the order in which they were thought of, not in order of time."""

    def __init__(self) -> None:
        self._numbers: dict[Flow, int] = {}
        self._rows = array("q")

    def flow(self, flow: Flow) -> int:
        """Return the number of a flow; the same for the same ends and ports."""
        return self._numbers.setdefault(flow, len(self._numbers))

    def add(self, *row: int) -> None:
        """Add a packet: the columns in their order, TIME first."""
        self._rows.extend(row)

    def __len__(self) -> int:
        return len(self._rows) // WIDTH

    def rows(self, first: int = 0) -> np.ndarray:
        """Return (n, WIDTH) int64, a copy."""
        taken = np.frombuffer(self._rows, np.int64)[first * WIDTH :]
        return taken.reshape(-1, WIDTH).copy()

    def flows(self) -> "FlowTable":
        """Return the flows as arrays."""
        return FlowTable(list(self._numbers))


class FlowTable:
    """Flows as arrays, row = flow number, side 1 = near.

    ends   (k, 2, 22) uint8: MAC, then the address, IPv4 in the first four bytes
    ports  (k, 2) int64
    shape  (k, 3) int64: 4 or 6, VLAN tag, padded
    """

    def __init__(self, flows: list[Flow]) -> None:
        self.ends = np.zeros((len(flows), 2, 22), np.uint8)
        self.ports = np.zeros((len(flows), 2), np.int64)
        self.shape = np.zeros((len(flows), 3), np.int64)
        for k, flow in enumerate(flows):
            for side, end in enumerate((flow.far, flow.near)):
                both = np.frombuffer(end.mac + end.ip, np.uint8)
                self.ends[k, side, : both.size] = both
            self.ports[k] = flow.far_port, flow.near_port
            family = 6 if len(flow.near.ip) == 16 else 4
            self.shape[k] = family, flow.vlan, flow.padded

    def with_other_ports(self, shift: int) -> "FlowTable":
        """Return the same flows with the near port moved, where it is ephemeral."""
        other = FlowTable([])
        other.ends, other.shape = self.ends, self.shape
        near = self.ports[:, 1]
        moved = 32_768 + (near - 32_768 + shift) % 28_000
        near = np.where(near >= 32_768, moved, near)
        other.ports = np.stack([self.ports[:, 0], near], 1)
        return other


def frame_lengths(rows: np.ndarray, flows: FlowTable) -> np.ndarray:
    """Return (n,) int64, the length of each frame in bytes."""
    family, vlan, padded = flows.shape[rows[:, FLOW]].T
    kind, flags = rows[:, KIND], rows[:, FLAGS]
    tcp = np.where(flags & SYN, 40, 32)
    above = np.choose(kind, [tcp, 8, 8, 28])
    ip = np.where(kind == ARP, 0, np.where(family == 6, 40, 20))
    length = 14 + 4 * (vlan > 0) + ip + above + rows[:, PAYLOAD]
    short = (padded > 0) & (rows[:, OUT] == 1)
    return np.where(short, np.maximum(length, _PADDED_B), length)
