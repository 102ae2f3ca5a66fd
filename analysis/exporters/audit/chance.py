"""Four bytes in headers that are an address by chance: a port and a sequence number.

An IPv4 address in bytes counts among bytes that do not look random, and headers do not.
Their addresses are compared as such by another reader: so what is found between the
fields of a header, and nowhere else in the capture, is nothing.
"""

import numpy as np
from numpy.typing import NDArray

from analysis.exporters.audit.looking import Key, Looker
from analysis.pcap.decode import Decoded
from analysis.pcap.walk import Batch

_ENCODINGS = ("binary", "binary reversed")
_ETHERNET_B = 14
_IPV4 = (b"\x08\x00", 0x45)  # without tags and without options, which hold addresses
_LATER = 2


class Headers:
    """Looks again for findings of one capture, and takes back what is chance.

    places  findings whose place is a byte, as `Looker.bytes_of` returns them
    """

    def __init__(self, looker: Looker, places: dict[Key, int]) -> None:
        self._looker = looker
        self._suspects: dict[Key, bytes] = {
            key: raw[::-1] if key[2] == _ENCODINGS[1] else raw
            for key in places
            if key[2] in _ENCODINGS
            and looker.identifiers[key[1]].kind == "ipv4"
            and (raw := looker.identifiers[key[1]].binary)
        }

    def add(self, batch: Batch, decoded: Decoded) -> None:
        """Clear of suspicion what is also found elsewhere than in headers."""
        if not self._suspects or not len(batch):
            return
        first = int(batch.block[0])
        data = batch.data[first : int(batch.block[-1] + batch.block_b[-1])].tobytes()
        for key, pattern in list(self._suspects.items()):
            at = data.find(pattern)
            while at >= 0:
                if not _in_header(batch, decoded, first + at):
                    del self._suspects[key]
                    break
                at = data.find(pattern, at + 1)

    def finish(self) -> None:
        """Take back what was found in headers alone."""
        for key in self._suspects:
            self._looker.take_back(key)


def _in_header(batch: Batch, decoded: Decoded, at: int) -> bool:
    """Say whether four bytes lie within the headers of a plain IPv4 packet."""
    row = int(np.searchsorted(batch.block, at, side="right")) - 1
    start = int(batch.start[row])
    end = start + int(decoded.payload_at[row])
    head: NDArray[np.uint8] = batch.data[start + 12 : start + 15]
    plain = head[:2].tobytes() == _IPV4[0] and int(head[2]) == _IPV4[1]
    whole = decoded.fragment[row] != _LATER
    return bool(plain and whole and start + _ETHERNET_B <= at and at + 4 <= end)
