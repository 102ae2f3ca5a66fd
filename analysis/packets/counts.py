"""Count what the cleaning rules will want to know of a device's packets."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.packets.index import DevicePart
from analysis.pcap.decode import TCP, UDP, Error
from analysis.pcap.tcp import Retransmission

# where a packet is cut or malformed, its checksum was not looked at
_UNCHECKED = np.uint8(Error.CUT | Error.MALFORMED)
COUNTED = ("outbound", "protocol", "src_port", "retransmission", "error")


class Counts:
    """Adds up packets, block by block; see `DevicePart`."""

    def __init__(self) -> None:
        self._n = 0
        self._classes = np.zeros(len(Retransmission), dtype=np.int64)
        # by direction: sent, received
        self._errors = np.zeros((2, 256), dtype=np.int64)
        self._ip = np.zeros(2, dtype=np.int64)
        self._checked = np.zeros(2, dtype=np.int64)

    def add(
        self,
        *,
        outbound: NDArray[np.bool_],
        protocol: NDArray[np.uint8],
        src_port: NDArray[np.uint16],
        retransmission: NDArray[np.uint8],
        error: NDArray[np.uint8],
    ) -> None:
        """Take packets; columns of the packet table, (n,) each."""
        self._n += outbound.size
        n = self._classes.size
        self._classes += np.bincount(retransmission, minlength=n)
        # fragments after the first have no ports, and no checksum
        checked = ((protocol == TCP) | (protocol == UDP)) & (src_port != 0)
        checked &= error & _UNCHECKED == 0
        for side, mine in enumerate((outbound, ~outbound)):
            self._errors[side] += np.bincount(error[mine], minlength=256)
            self._ip[side] += np.count_nonzero(protocol[mine])
            self._checked[side] += np.count_nonzero(checked & mine)

    def part(self) -> DevicePart:
        """Return the counts; files are not among them."""
        sent, received = (
            {int(code): int(each[code]) for code in np.flatnonzero(each)}
            for each in self._errors
        )
        return DevicePart(
            n_packets=self._n,
            retransmissions=tuple(self._classes.tolist()),
            errors=(sent, received),
            ip=(int(self._ip[0]), int(self._ip[1])),
            checked=(int(self._checked[0]), int(self._checked[1])),
        )


def counts_of(packets: Any) -> DevicePart:
    """Return the counts of one packet table."""
    counts = Counts()
    counts.add(**{name: getattr(packets, name) for name in COUNTED})
    return counts.part()
