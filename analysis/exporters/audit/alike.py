"""Packets that are alike byte by byte: what tshark says of one it says of all.

Half of what tshark would dissect of a week at home are questions and answers of ARP,
the same few a thousand times. How such a packet is read depends on its bytes alone, so
the first of a capture is dissected for all, and counts for as many.
"""

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from analysis.pcap.decode import Decoded
from analysis.pcap.walk import Batch

Int64 = NDArray[np.int64]

_ARP = 0x0806
_MOST_B, _MOST = 512, 1 << 15  # bytes of one that is remembered, and how many are


class Alike:
    """Counts packets of captures that are as an earlier one of the same capture.

    All of their bytes count, with comments, interface and length on the wire: only when
    they were captured does not.
    """

    def __init__(self) -> None:
        self._first: dict[tuple[int, int, bytes], int] = {}
        self._more: Counter[int] = Counter()

    def begin(self) -> None:
        """Go on with another capture."""
        self._first.clear()

    def firsts(self, batch: Batch, decoded: Decoded, rows: Int64, before: int) -> Int64:
        """Return rows of a batch without those that are as an earlier one.

        before  how many were returned so far, of all captures
        """
        kept = np.ones(rows.size, dtype=np.bool_)
        end = batch.block + batch.block_b
        small = (decoded.ethertype == _ARP) & (end - batch.start <= _MOST_B)
        dropped = 0
        for k in np.flatnonzero(small[rows]).tolist():
            row = int(rows[k])
            raw = batch.data[batch.start[row] : end[row]].tobytes()
            key = (int(batch.interface[row]), int(batch.length_b[row]), raw)
            first = self._first.get(key)
            if first is not None:
                kept[k] = False
                dropped += 1
                self._more[first] += 1
            elif len(self._first) < _MOST:
                self._first[key] = before + k - dropped
        return rows[kept]

    def counts(self, begin: int, n: int) -> list[int]:
        """Return for how many each of n packets stands, from the one numbered begin."""
        return [1 + self._more[number] for number in range(begin, begin + n)]
