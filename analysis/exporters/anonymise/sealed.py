"""Rewrite what stands under keys that everybody knows, and seal it again."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from analysis.exporters.anonymise.spans import Spans
from analysis.exporters.identifiers.rewriting import rewritten
from analysis.exporters.identifiers.sealed import said_to_all
from analysis.pcap.walk import Batch

Uint8 = NDArray[np.uint8]


def write_sealed(
    batch: Batch,
    new: Uint8,
    spans: Spans,
    replace: Callable[[bytes], bytes],
    changed: Uint8,
) -> None:
    """Write what datagrams say under other names, under the keys that they had.

    replace  returns as many bytes as it gets
    changed  (n,) uint8, set for packets that say something else
    """
    for row, at, part in said_to_all(batch, spans.decoded):
        made = rewritten(part.inner, replace)
        if made != part.inner:
            raw = np.frombuffer(part.sealed(made), dtype=np.uint8)
            new[at : at + raw.size] = raw
            changed[row] = 1
