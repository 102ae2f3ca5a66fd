"""What the connections of one home carry: a table of connections and one of writes.

Writes are kept as plain tuples since a day has tens of thousands of them; `segments`
makes packets of them, whole columns at a time.
"""

from dataclasses import dataclass
from typing import NamedTuple

TCP, UDP, ICMP = 6, 17, 1
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
BENIGN = "benign"


class Tag(NamedTuple):
    """Whose traffic it is.

    cause     'benign', or the name of an attack
    occasion  what of benign life it belongs to: '' for the routine of every day,
              else a word such as 'firmware' or 'outage'
    """

    cause: str = BENIGN
    occasion: str = ""


ROUTINE = Tag()


class Ends(NamedTuple):
    """A connection of the device, as it is known at the capture point.

    outbound  the device opens it
    delay_ns  one way, capture point to the remote end
    """

    protocol: int
    remote: str
    device_port: int
    remote_port: int
    outbound: bool
    name: str
    ttl_in: int
    delay_ns: int
    loss: float
    tag: Tag


class Write(NamedTuple):
    """One write of one side into a connection.

    number   the connection's number
    time_ns  when its writer writes it
    out      the device writes
    size_b   bytes handed to TCP, UDP or ICMP; 0 for a bare segment
    flags    TCP flags of a bare segment; 0 for data
    """

    number: int
    time_ns: int
    out: bool
    size_b: int
    flags: int


@dataclass(slots=True)
class Sheet:
    """The connections of a home from its first day on, and the writes not yet taken."""

    ends: list[Ends]
    writes: list[Write]

    def open(self, ends: Ends) -> int:
        """Add a connection; return its number."""
        self.ends.append(ends)
        return len(self.ends) - 1

    def take(self) -> list[Write]:
        """Return the writes since the last call."""
        taken, self.writes = self.writes, []
        return taken


def empty_sheet() -> Sheet:
    """Return a sheet of a home where nothing has happened."""
    return Sheet([], [])
