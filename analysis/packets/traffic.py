"""The cleaned packets of a device in pieces, with only what features look at."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.packets.cleaning import DEFAULT_RULES, find_bad, offload_in
from analysis.packets.destination import destinations
from analysis.packets.index import load_index
from analysis.packets.parquet import Numbers, iter_columns


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """Packets in order of time.

    time_ns   (n,) int64, ns UTC on the capture's clock, not decreasing
    length_b  (n,) uint32, bytes of the frame on the wire
    outbound  (n,) bool, True when the device sent it
    destination  (n,) uint8, numbers of `Destination`
    """

    time_ns: NDArray[np.int64]
    length_b: NDArray[np.uint32]
    outbound: NDArray[np.bool_]
    destination: NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Codes:
    outbound: NDArray[np.bool_]
    error: NDArray[np.uint8]
    retransmission: NDArray[np.uint8]


_PLACE = ("protocol", "outbound", "src_port", "dst_port", "remote")
_WANTED = ("time_ns", "length_b", "error", "retransmission", *_PLACE)


def iter_traffic(
    folder: Path, device: str, rules: Sequence[str] = DEFAULT_RULES
) -> Iterator[Traffic]:
    """Read what the cleaning rules leave of a device's packets, piece by piece.

    Memory is that of a piece, however long the table is. Raises DatasetError when there
    is no table or it cannot be read, AnalysisError for an unknown rule.
    """
    index = load_index(folder)
    offload = offload_in(index, device)
    numbers = Numbers(index)
    for piece in iter_columns(folder, device, _WANTED, numbers=numbers):
        codes = _Codes(
            outbound=piece["outbound"],
            error=piece["error"],
            retransmission=piece["retransmission"],
        )
        kept = ~find_bad(codes, rules, offload)
        place: Any = {name: piece[name][kept] for name in _PLACE}
        yield Traffic(
            time_ns=piece["time_ns"][kept],
            length_b=piece["length_b"][kept],
            outbound=place["outbound"],
            destination=destinations(remotes=numbers.remotes, **place),
        )
