"""Refuse packets of link types that nobody here reads: their addresses would stay.

for sentence in foreign_in(capture): ...
"""

from collections import Counter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from analysis.pcap.blocks import (
    LINK_ETHERNET,
    LINK_IEEE802_11,
    LINK_RADIOTAP,
    LINK_SLL,
    LINK_SLL2,
)
from analysis.pcap.decode import DECODED
from analysis.pcap.errors import CaptureError
from analysis.pcap.links import name_of
from analysis.pcap.stream import open_capture_stream

Int32 = NDArray[np.int32]

_READ = np.array(sorted(DECODED), dtype=np.int32)
# how tshark calls what it shall keep, by the link types that are read
_KEPT = {
    LINK_ETHERNET: "eth",
    LINK_IEEE802_11: "wlan",
    LINK_RADIOTAP: "wlan",
    LINK_SLL: "sll",
    LINK_SLL2: "sll",
}


def foreign_in(path: Path) -> str:
    """Return a sentence when a capture holds packets of link types not read, else ''.

    Only where packets begin is looked at. Raises CaptureError where it is damaged.
    """
    counts: Counter[int] = Counter()
    with open_capture_stream(path) as stream:
        for batch in stream:
            links, n = np.unique(batch.link, return_counts=True)
            counts.update(dict(zip(links.tolist(), n.tolist(), strict=True)))
    foreign = {link: n for link, n in sorted(counts.items()) if link not in DECODED}
    if not foreign:
        return ""
    told = ", ".join(
        f"{n} {'packet' if n == 1 else 'packets'} of {name_of(link)}"
        for link, n in foreign.items()
    )
    reason = f"holds {told}, in which addresses and names would stay as they are"
    return f"{path}: {reason}; {_remedy(path, set(counts) - set(foreign))}"


def refuse_foreign(path: Path, link: Int32) -> None:
    """Raise CaptureError when packets, by their link types, are of one not read."""
    foreign = np.setdiff1d(link, _READ)
    if foreign.size:
        named = ", ".join(name_of(each) for each in foreign.tolist())
        reason = f"holds packets of {named}, in which addresses would stay as they are"
        raise CaptureError(path, None, reason)


def _remedy(path: Path, left: set[int]) -> str:
    if not left:
        return "leave this capture out and import the others again"
    kept = " or ".join(sorted({_KEPT.get(link, "ip or ipv6") for link in left}))
    command = f"tshark -r {path.name} -Y '{kept}' -w OTHER"
    return f"import the capture again without them, as `{command}` writes it"
