"""Remove what the paper removes, by named rules, and count it.

errors           malformed packets, and checksums of IPv4 headers, TCP or UDP that do
                 not add up. Where a device leaves checksums to its network card, every
                 packet of a direction looks wrong; such checksums of such a direction
                 are not looked at
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
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from analysis.errors import AnalysisError
from analysis.packets.counts import counts_of
from analysis.packets.index import DevicePart, Index
from analysis.packets.table import Error, PacketTable, Retransmission

Bool = NDArray[np.bool_]
Codes = NDArray[np.uint8]

# above this share of wrong checksums in a direction they are the network card's work
_OFFLOAD_SHARE = 0.5
DEFAULT_RULES = ("errors", "retransmissions")
_ERRORS = Error.MALFORMED | Error.IP_CHECKSUM | Error.CHECKSUM


@dataclass(frozen=True, slots=True, kw_only=True)
class Offload:
    """Which checksums are left to a network card.

    sent, received  bits of `Error` that mean nothing for packets of the direction
    """

    sent: int
    received: int


class Coded(Protocol):
    """What the rules look at; a packet table has it."""

    @property
    def outbound(self) -> Bool:
        """(n,) bool, whether the device sent it."""

    @property
    def error(self) -> Codes:
        """(n,) uint8, bits of `Error`."""

    @property
    def retransmission(self) -> Codes:
        """(n,) uint8, numbers of `Retransmission`."""


Rule = Callable[[Coded, Offload], Bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleaned:
    """A table without what the rules removed.

    removed  rule -> packets that it alone would remove; a packet may count twice
    n_before packets before
    """

    table: PacketTable
    removed: Mapping[str, int]
    n_before: int


def clean(table: PacketTable, rules: Sequence[str] = DEFAULT_RULES) -> Cleaned:
    """Apply the named rules to a whole table. Raises AnalysisError for an unknown name.

    Pieces of a table are judged with `find_bad` and the counts of the whole.
    """
    offload = offload_of(table)
    hits = {name: find_rule(name)(table, offload) for name in rules}
    bad = np.zeros(len(table), dtype=bool)
    for hit in hits.values():
        bad |= hit
    return Cleaned(
        table=table.take(~bad) if bad.any() else table,
        removed={name: int(np.count_nonzero(hit)) for name, hit in hits.items()},
        n_before=len(table),
    )


def find_bad(packets: Coded, rules: Sequence[str], offload: Offload) -> Bool:
    """Say which packets the rules remove, (n,) bool. Raises AnalysisError."""
    bad = np.zeros(packets.outbound.size, dtype=bool)
    for name in rules:
        bad |= find_rule(name)(packets, offload)
    return bad


def find_rule(name: str) -> Rule:
    """Return the rule of that name. Raises AnalysisError with those there are."""
    if name not in CLEANING_RULES:
        known = ", ".join(CLEANING_RULES)
        raise AnalysisError(f"no cleaning rule is called {name!r}; use {known}")
    return CLEANING_RULES[name]


def removed_in(
    index: Index, device: str, rules: Sequence[str] = DEFAULT_RULES
) -> dict[str, int]:
    """Return how many packets of a device each rule would remove, by the counts kept.

    Raises AnalysisError for an unknown rule.
    """
    parts = _parts(index, device)
    offload = _judged(parts)
    telling = [int(_ERRORS) & ~off for off in (offload.sent, offload.received)]
    removed = {}
    for name in rules:
        find_rule(name)
        if name in _CLASSES:
            classes = _CLASSES[name]
            removed[name] = sum(p.retransmissions[c] for p in parts for c in classes)
        else:
            removed[name] = sum(
                part.n_errors(bits, side)
                for part in parts
                for side, bits in enumerate(telling)
            )
    return removed


def offload_of(table: PacketTable) -> Offload:
    """Judge by the packets of a whole table who makes its checksums."""
    return _judged([counts_of(table)])


def offload_in(index: Index, device: str) -> Offload:
    """Judge by the counts of an index who makes the checksums of a device's packets."""
    return _judged(_parts(index, device))


def _parts(index: Index, device: str) -> list[DevicePart]:
    return [each.devices[device] for each in index.captures if device in each.devices]


def _judged(parts: Sequence[DevicePart]) -> Offload:
    sent, received = (
        _left_to_card(parts, side, Error.CHECKSUM, [p.checked[side] for p in parts])
        | _left_to_card(parts, side, Error.IP_CHECKSUM, [p.ip[side] for p in parts])
        for side in (0, 1)
    )
    return Offload(sent=sent, received=received)


def _left_to_card(
    parts: Sequence[DevicePart], side: int, bit: Error, looked_at: Sequence[int]
) -> int:
    """Return the bit when most of what was looked at has it, else 0."""
    wrong = sum(part.n_errors(bit, side) for part in parts)
    return int(bit) if wrong > _OFFLOAD_SHARE * sum(looked_at) else 0


def _errors(packets: Coded, offload: Offload) -> Bool:
    sent, received = (
        packets.error & np.uint8(int(_ERRORS) & ~off) != 0
        for off in (offload.sent, offload.received)
    )
    bad: Bool = np.where(packets.outbound, sent, received)
    return bad


def _of_classes(classes: Sequence[Retransmission]) -> Rule:
    numbers = np.array(classes, dtype=np.uint8)

    def rule(packets: Coded, _offload: Offload) -> Bool:
        return np.isin(packets.retransmission, numbers)

    return rule


_CLASSES: Mapping[str, Sequence[Retransmission]] = {
    "retransmissions": (
        Retransmission.RETRANSMISSION,
        Retransmission.FAST,
        Retransmission.SPURIOUS,
    ),
    "out_of_order": (Retransmission.OUT_OF_ORDER,),
    "keep_alives": (Retransmission.KEEP_ALIVE,),
}
CLEANING_RULES: Mapping[str, Rule] = {
    "errors": _errors,
    **{name: _of_classes(classes) for name, classes in _CLASSES.items()},
}
