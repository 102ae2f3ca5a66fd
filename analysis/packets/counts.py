"""Count what the cleaning rules will want to know of a device's packets."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.packets.index import DevicePart
from analysis.pcap.decode import TCP, UDP, Error
from analysis.pcap.tcp import Retransmission

CERTAIN = np.uint8(Error.IP_CHECKSUM | Error.MALFORMED)
WRONG = np.uint8(Error.CHECKSUM)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFile:
    """A file of packets in order of time: its name, first and last stamp."""

    name: str
    first_ns: int
    last_ns: int


class Counts:
    """Adds up packets, block by block; see `DevicePart`."""

    def __init__(self) -> None:
        self._n = 0
        self._classes = np.zeros(len(Retransmission), dtype=np.int64)
        self._errors = np.zeros(256, dtype=np.int64)
        # by direction (sent, received): checked, wrong, only wrong
        self._sides = np.zeros((2, 3), dtype=np.int64)

    def add(
        self,
        *,
        outbound: NDArray[np.bool_],
        protocol: NDArray[np.uint8],
        retransmission: NDArray[np.uint8],
        error: NDArray[np.uint8],
    ) -> None:
        """Take packets; columns of the packet table, (n,) each."""
        self._n += outbound.size
        n = self._classes.size
        self._classes += np.bincount(retransmission, minlength=n)
        self._errors += np.bincount(error, minlength=256)
        checked = (protocol == TCP) | (protocol == UDP)
        wrong = error & WRONG != 0
        alone = wrong & (error & CERTAIN == 0)
        for side, mine in enumerate((outbound, ~outbound)):
            for k, hit in enumerate((checked, wrong, alone)):
                self._sides[side, k] += np.count_nonzero(hit & mine)

    def part(self, files: Sequence[RunFile] = (), n_flows: int = 0) -> DevicePart:
        """Return the counts, with what else belongs to a part."""
        bits = np.arange(256)
        sent, received = self._sides.tolist()
        return DevicePart(
            files=tuple(file.name for file in files),
            spans_ns=tuple((file.first_ns, file.last_ns) for file in files),
            n_packets=self._n,
            n_flows=n_flows,
            retransmissions=tuple(self._classes.tolist()),
            errors={
                str(bit.name).lower(): int(self._errors[bits & bit != 0].sum())
                for bit in Error
            },
            certain=int(self._errors[bits & int(CERTAIN) != 0].sum()),
            checked=(sent[0], received[0]),
            wrong=(sent[1], received[1]),
            only_wrong=(sent[2], received[2]),
        )


def counts_of(packets: Any) -> Counts:
    """Return the counts of one packet table."""
    counts = Counts()
    names = ("outbound", "protocol", "retransmission", "error")
    counts.add(**{name: getattr(packets, name) for name in names})
    return counts
