"""Four bytes that are an address by chance: between packets, in fields, in tables.

An IPv4 address in bytes counts among bytes that do not look random, and headers do not.
Their addresses are compared as such by another reader: so what is found in fields that
are no addresses, or in what a capture writes around packets, and nowhere else in the
capture, is nothing.
"""

import numpy as np

from analysis.exporters.audit.known import Layers
from analysis.exporters.audit.looking import Key, Looker
from analysis.exporters.identifiers.search import is_chance
from analysis.exporters.identifiers.variants import Variant, variants
from analysis.pcap.walk import Batch

_ENCODINGS = ("binary", "binary reversed", "binary stun")
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
            if _is_address(looker, key)
            for spelling in variants(looker.identifiers[key[1]])
            if spelling.encoding == key[2]
        }

    def add(self, layers: Layers) -> None:
        """Clear of suspicion what is also found elsewhere than in headers."""
        batch = layers.batch
        if not self._suspects or not len(batch):
            return
        first = int(batch.block[0])
        data = batch.data[first : int(batch.block[-1] + batch.block_b[-1])].tobytes()
        for key, spelling in list(self._suspects.items()):
            at = data.find(spelling.pattern)
            while at >= 0:
                row = _row(batch, first + at)
                among = layers.is_known(row, first + at, _SIZE_B)
                among = among or _in_framing(batch, row, first + at)
                if not among and not is_chance(data, at, _SIZE_B, spelling):
                    del self._suspects[key]
                    break
                at = data.find(spelling.pattern, at + 1)

    def finish(self) -> None:
        """Take back what was found in headers alone."""
        for key in self._suspects:
            self._looker.take_back(key)


def take_back_packed(looker: Looker, file: str) -> None:
    """Take back addresses in the bytes of a table, whose columns are packed.

    Their texts and bytes are searched once more, as they are read.
    """
    for key in looker.bytes_of(file):
        if _is_address(looker, key):
            looker.take_back(key)


def _is_address(looker: Looker, key: Key) -> bool:
    return key[2] in _ENCODINGS and looker.identifiers[key[1]].kind == "ipv4"


def _row(batch: Batch, at: int) -> int:
    return int(np.searchsorted(batch.block, at, side="right")) - 1


def _in_framing(batch: Batch, row: int, at: int) -> bool:
    """Say whether four bytes are of stamps and lengths of a capture, also in part.

    Options of pcapng, such as comments, are none of these.
    """
    start = int(batch.start[row])
    if at < start:
        return True
    end = start + int(batch.captured_b[row])
    behind = int(batch.block[row] + batch.block_b[row])
    if at >= behind:
        return False  # a block without a packet, as of names and addresses
    length_b = _SIZE_B if behind > end else 0
    return at + _SIZE_B > max(end, behind - length_b)
