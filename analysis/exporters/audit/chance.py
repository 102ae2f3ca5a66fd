"""Four bytes between packets and fields that are an address by chance.

An IPv4 address in bytes counts among bytes that do not look random, and headers do not.
Their addresses are compared as such by another reader: so what is found between the
fields of a header, or in what a capture writes around packets, and nowhere else in the
capture, is nothing.
"""

import numpy as np
from numpy.typing import NDArray

from analysis.exporters.audit.looking import Key, Looker
from analysis.exporters.identifiers.search import is_chance
from analysis.exporters.identifiers.variants import Variant, variants
from analysis.pcap.decode import Decoded
from analysis.pcap.walk import Batch

_ENCODINGS = ("binary", "binary reversed", "binary stun")
_ETHERNET_B = 14
_IPV4 = (b"\x08\x00", 0x45)  # without tags and without options, which hold addresses
_LATER = 2
_SIZE_B = 4  # of an address, and of the length behind each block of pcapng


class Headers:
    """Looks again for findings of one capture, and takes back what is chance.

    places  findings whose place is a byte, as `Looker.bytes_of` returns them
    """

    def __init__(self, looker: Looker, places: dict[Key, int]) -> None:
        self._looker = looker
        self._suspects: dict[Key, Variant] = {
            key: spelling
            for key in places
            if key[2] in _ENCODINGS and looker.identifiers[key[1]].kind == "ipv4"
            for spelling in variants(looker.identifiers[key[1]])
            if spelling.encoding == key[2]
        }

    def add(self, batch: Batch, decoded: Decoded) -> None:
        """Clear of suspicion what is also found elsewhere than in headers."""
        if not self._suspects or not len(batch):
            return
        first = int(batch.block[0])
        data = batch.data[first : int(batch.block[-1] + batch.block_b[-1])].tobytes()
        for key, spelling in list(self._suspects.items()):
            at = data.find(spelling.pattern)
            while at >= 0:
                among = _in_header(batch, decoded, first + at)
                among = among or _in_framing(batch, first + at)
                if not among and not is_chance(data, at, _SIZE_B, spelling):
                    del self._suspects[key]
                    break
                at = data.find(spelling.pattern, at + 1)

    def finish(self) -> None:
        """Take back what was found in headers alone."""
        for key in self._suspects:
            self._looker.take_back(key)


def _row(batch: Batch, at: int) -> int:
    return int(np.searchsorted(batch.block, at, side="right")) - 1


def _in_header(batch: Batch, decoded: Decoded, at: int) -> bool:
    """Say whether four bytes lie within the headers of a plain IPv4 packet."""
    row = _row(batch, at)
    start = int(batch.start[row])
    end = start + int(decoded.payload_at[row])
    head: NDArray[np.uint8] = batch.data[start + 12 : start + 15]
    plain = head[:2].tobytes() == _IPV4[0] and int(head[2]) == _IPV4[1]
    whole = decoded.fragment[row] != _LATER
    return bool(plain and whole and start + _ETHERNET_B <= at and at + _SIZE_B <= end)


def _in_framing(batch: Batch, at: int) -> bool:
    """Say whether four bytes are of stamps and lengths of a capture, also in part.

    Options of pcapng, such as comments, are none of these.
    """
    row = _row(batch, at)
    start = int(batch.start[row])
    if at < start:
        return True
    end = start + int(batch.captured_b[row])
    behind = int(batch.block[row] + batch.block_b[row])
    if at >= behind:
        return False  # a block without a packet, as of names and addresses
    length_b = _SIZE_B if behind > end else 0
    return at + _SIZE_B > max(end, behind - length_b)
