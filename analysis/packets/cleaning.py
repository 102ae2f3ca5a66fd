"""Remove what the paper removes, by named rules, and count it.

errors           checksums that do not add up, and malformed packets. Where a device
                 leaves checksums to its network card, every packet of a direction looks
                 wrong; the checksums of such a direction are not looked at
retransmissions  TCP payload that was already seen
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.errors import AnalysisError
from analysis.packets.table import NOT_SEEN_BEFORE, Error, PacketTable

_TCP, _UDP = 6, 17
# above this share of wrong checksums in a direction they are the network card's work
_OFFLOAD_SHARE = 0.5

Rule = Callable[[PacketTable], NDArray[np.bool_]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleaned:
    """A table without what the rules removed.

    removed  rule -> packets that it alone would remove; a packet may count twice
    n_before packets before
    """

    table: PacketTable
    removed: Mapping[str, int]
    n_before: int


def clean(
    table: PacketTable, rules: Sequence[str] = ("errors", "retransmissions")
) -> Cleaned:
    """Apply the named rules. Raises AnalysisError for an unknown name."""
    bad = np.zeros(len(table), dtype=bool)
    removed = {}
    for name in rules:
        if name not in CLEANING_RULES:
            known = ", ".join(CLEANING_RULES)
            raise AnalysisError(f"no cleaning rule is called {name!r}; use {known}")
        hit = CLEANING_RULES[name](table)
        removed[name] = int(hit.sum())
        bad |= hit
    return Cleaned(table=table.take(~bad), removed=removed, n_before=len(table))


def _errors(table: PacketTable) -> NDArray[np.bool_]:
    certain = table.error & np.uint8(Error.IP_CHECKSUM | Error.MALFORMED) != 0
    wrong = table.error & np.uint8(Error.CHECKSUM) != 0
    transport = (table.protocol == _TCP) | (table.protocol == _UDP)
    for side in (table.outbound, ~table.outbound):
        share = wrong[side & transport]
        if share.size and share.mean() > _OFFLOAD_SHARE:
            wrong = wrong & ~side
    bad: NDArray[np.bool_] = certain | wrong
    return bad


def _retransmissions(table: PacketTable) -> NDArray[np.bool_]:
    seen: NDArray[np.bool_] = table.retransmission != NOT_SEEN_BEFORE
    return seen


CLEANING_RULES: Mapping[str, Rule] = {
    "errors": _errors,
    "retransmissions": _retransmissions,
}
