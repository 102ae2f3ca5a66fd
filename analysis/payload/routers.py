"""See through a router that rewrites addresses (NAT): one end has two names then.

What goes out of a house and is captured on both sides of its router is there twice,
from the device and from the router, with the same sequence number (for UDP: number of
the IP packet) and payload, for the same other end. Whichever of the two is nearer to
who sends comes first; so inside is told from outside, and outer names are replaced.
"""

import ipaddress
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import replace

from analysis.payload.copies import Segment

_PASSING_NS = 1_000_000_000  # from one side of a router to the other
_End = tuple[str, int]
_Pair = tuple[bool, _End, _End]  # whether it is TCP, an outer end, and the other end


def seen_through(segments: Iterable[Segment]) -> list[Segment]:
    """Return segments in order of time, with inner ends in place of outer ones."""
    ordered = sorted(segments, key=lambda each: each.time_ns)
    inner = _inner_ends(ordered)
    return [_renamed(each, inner) for each in ordered] if inner else ordered


def _inner_ends(ordered: list[Segment]) -> dict[_Pair, list[tuple[int, _End]]]:
    """Return the inner end of each outer one and its other end, as time goes on."""
    found: dict[_Pair, list[tuple[int, _End]]] = {}
    recent: dict[tuple[object, ...], Segment] = {}
    for each in ordered:
        number = each.number if each.seq is None else each.seq
        if each.seq is None and (not number or _is_to_many(each.target)):
            # without a number they may be alike by chance, and what two devices of one
            # kind tell all others often is; no router takes that outside
            continue
        for outgoing in (True, False):
            other = each.target if outgoing else each.source
            key = (outgoing, each.seq is None, other, number, each.payload)
            first = recent.setdefault(key, each)
            if each.time_ns - first.time_ns > _PASSING_NS:
                recent[key] = each
                continue
            near, far = (first, each) if outgoing else (each, first)
            inside = near.source if outgoing else near.target
            outside = far.source if outgoing else far.target
            if inside != outside:
                pair = (each.seq is not None, outside, other)
                found.setdefault(pair, []).append((each.time_ns, inside))
    return found


def _is_to_many(end: _End) -> bool:
    address = ipaddress.ip_address(end[0].strip("[]"))
    return address.is_multicast or end[0] == "255.255.255.255"


def _renamed(segment: Segment, inner: dict[_Pair, list[tuple[int, _End]]]) -> Segment:
    tcp, source, target = segment.seq is not None, segment.source, segment.target
    renamed = (
        _name_of(inner, (tcp, source, target), segment.time_ns),
        _name_of(inner, (tcp, target, source), segment.time_ns),
    )
    if renamed == (source, target):
        return segment
    return replace(
        segment,
        flow=(tcp, *sorted(renamed)),
        source=renamed[0],
        target=renamed[1],
    )


def _name_of(
    inner: dict[_Pair, list[tuple[int, _End]]], pair: _Pair, time_ns: int
) -> _End:
    """Return the inner end that was the latest to be seen by then, or the end itself.

    A port of the router is another device's after a while, and may have been before.
    """
    known = inner.get(pair, [])
    at = bisect_right(known, time_ns + _PASSING_NS, key=lambda each: each[0])
    return known[at - 1][1] if at else pair[1]
