"""Remove what the paper removes, by named rules, and count it.

errors           IPv4 headers that do not add up, malformed packets, and TCP or UDP
                 checksums that do not add up. Where a device leaves checksums to its
                 network card, every packet of a direction looks wrong; the checksums of
                 such a direction are not looked at
retransmissions  TCP segments that tshark calls retransmission, fast or spurious
out_of_order     TCP segments that come after a later one, though not sent twice
keep_alives      TCP segments that only ask whether the other side is still there

The paper says "errors and retransmissions"; these two are the rules by default. The
codes stay in the table, so that others can be chosen without parsing again. Some
retransmissions bring bytes that were lost before the capture and are seen for the first
time: they go too, as in the paper.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.errors import AnalysisError
from analysis.packets.index import Index
from analysis.packets.table import Error, PacketTable, Retransmission
from analysis.pcap.decode import TCP, UDP

# above this share of wrong checksums in a direction they are the network card's work
_OFFLOAD_SHARE = 0.5
DEFAULT_RULES = ("errors", "retransmissions")


@dataclass(frozen=True, slots=True, kw_only=True)
class Offload:
    """Whether checksums are left to a network card: of packets sent, and received."""

    sent: bool
    received: bool


Rule = Callable[[PacketTable, Offload], NDArray[np.bool_]]


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
    table: PacketTable,
    rules: Sequence[str] = DEFAULT_RULES,
    *,
    offload: Offload | None = None,
) -> Cleaned:
    """Apply the named rules.

    offload  needed when `table` is a piece of a longer one, for it is judged by all

    Raises AnalysisError for an unknown name.
    """
    offload = offload or offload_of(table)
    bad = np.zeros(len(table), dtype=bool)
    removed = {}
    for name in rules:
        if name not in CLEANING_RULES:
            known = ", ".join(CLEANING_RULES)
            raise AnalysisError(f"no cleaning rule is called {name!r}; use {known}")
        hit = CLEANING_RULES[name](table, offload)
        removed[name] = int(hit.sum())
        bad |= hit
    kept = table.take(~bad) if bad.any() else table
    return Cleaned(table=kept, removed=removed, n_before=len(table))


def offload_of(table: PacketTable) -> Offload:
    """Judge by the packets of a whole table who makes its checksums."""
    wrong = table.error & np.uint8(Error.CHECKSUM) != 0
    checked = (table.protocol == TCP) | (table.protocol == UDP)
    sides = [
        (int((side & checked).sum()), int((side & wrong).sum()))
        for side in (table.outbound, ~table.outbound)
    ]
    return Offload(sent=_is_offloaded(*sides[0]), received=_is_offloaded(*sides[1]))


def offload_in(index: Index, device: str) -> Offload:
    """Judge by the counts of an index who makes the checksums of a device's packets."""
    parts = [each.devices[device] for each in index.captures if device in each.devices]
    sent, received = (
        _is_offloaded(
            sum(part.checked[side] for part in parts),
            sum(part.wrong[side] for part in parts),
        )
        for side in (0, 1)
    )
    return Offload(sent=sent, received=received)


def _is_offloaded(n_checked: int, n_wrong: int) -> bool:
    return n_wrong > _OFFLOAD_SHARE * n_checked


def _errors(table: PacketTable, offload: Offload) -> NDArray[np.bool_]:
    certain = table.error & np.uint8(Error.IP_CHECKSUM | Error.MALFORMED) != 0
    wrong = table.error & np.uint8(Error.CHECKSUM) != 0
    if offload.sent:
        wrong &= ~table.outbound
    if offload.received:
        wrong &= table.outbound
    bad: NDArray[np.bool_] = certain | wrong
    return bad


def _of_classes(*classes: Retransmission) -> Rule:
    numbers = np.array(classes, dtype=np.uint8)

    def rule(table: PacketTable, _offload: Offload) -> NDArray[np.bool_]:
        return np.isin(table.retransmission, numbers)

    return rule


CLEANING_RULES: Mapping[str, Rule] = {
    "errors": _errors,
    "retransmissions": _of_classes(
        Retransmission.RETRANSMISSION, Retransmission.FAST, Retransmission.SPURIOUS
    ),
    "out_of_order": _of_classes(Retransmission.OUT_OF_ORDER),
    "keep_alives": _of_classes(Retransmission.KEEP_ALIVE),
}
