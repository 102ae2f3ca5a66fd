"""What such devices do besides, all day, that the house model leaves out.

Taken from what public flows of a real speaker and a real hub show: plain pages asked
for to learn whether the Internet is there, time servers that do not answer,
announcements of music services, object stores that have another address each time.
How often differs from home to home, with the network's troubles.
"""

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from operator import itemgetter

import numpy as np
from numpy.random import Generator

from testbed.virtual.homes.addresses import MANY, address_of_stranger
from testbed.virtual.homes.lines import Lines
from testbed.virtual.homes.rare import Play, transfer
from testbed.virtual.homes.sheet import ROUTINE, SYN, UDP
from testbed.virtual.homes.span import DAY_NS
from testbed.virtual.house.unit import generator

_PAGES = ("check.portal.example", "www.portal.example", "s3.portal.example")
_SERVERS = 12  # of time, known by their addresses
_BROADCAST = 57_621


@dataclass(frozen=True, slots=True, kw_only=True)
class Besides:
    """How often what happens in one home, in s; 0 for never.

    deaf_share   of the time servers that do not answer here
    stuck_share  of the pages that do not come: the line is given up half open
    """

    page_s: float
    time_s: float
    store_s: float
    broadcast_s: float
    deaf_share: float
    stuck_share: float


def draw_besides(rng: Generator) -> Besides:
    """Draw the ways of one home."""
    sings = rng.random() < 0.4
    return Besides(
        page_s=float(rng.lognormal(np.log(400.0), 0.5)),
        time_s=float(rng.lognormal(np.log(900.0), 0.5)),
        store_s=float(rng.lognormal(np.log(2_400.0), 0.5)),
        broadcast_s=float(rng.uniform(60.0, 1_800.0)) if sings else 0.0,
        deaf_share=float(rng.beta(1.2, 4.0)),
        stuck_share=float(rng.beta(1.0, 14.0)),
    )


def unasked(
    besides: Besides, begin_ns: int, rng: Generator
) -> Iterator[tuple[int, Play]]:
    """Yield what a home's device does besides on one day, by time."""
    makers: tuple[tuple[float, Callable[[], Play]], ...] = (
        (besides.page_s, lambda: _page(besides, rng)),
        (besides.time_s, lambda: _time(besides, rng)),
        (besides.store_s, lambda: _store(rng)),
        (besides.broadcast_s, lambda: _broadcast(rng)),
    )
    rows = [_every(begin_ns, every_s, make, rng) for every_s, make in makers if every_s]
    return heapq.merge(*rows, key=itemgetter(0))


def _every(
    begin_ns: int, every_s: float, make: Callable[[], Play], rng: Generator
) -> Iterator[tuple[int, Play]]:
    at_ns = begin_ns + round(float(rng.uniform(0.0, every_s)) * 1e9)
    while at_ns < begin_ns + DAY_NS:
        yield at_ns, make()
        at_ns += round(every_s * float(rng.gamma(3.0, 1 / 3.0)) * 1e9) + 1_000_000_000


def _page(besides: Besides, rng: Generator) -> Play:
    host = str(rng.choice(_PAGES))
    if rng.random() < besides.stuck_share:
        return _stuck(host)
    make = transfer(rng, host=host, up_b=140.0, down_b=260.0, duration_s=0.1, port=80)

    def play(lines: Lines, at_ns: int) -> None:
        asked, page = make(lines.device)
        if rng.random() < 0.4:  # else it still knows the address
            lines.play(at_ns, asked, ROUTINE)
        lines.play(at_ns, page, ROUTINE)

    return play


def _stuck(host: str) -> Play:
    def play(lines: Lines, at_ns: int) -> None:
        ends = lines.ends(host, 80, at_ns, ROUTINE)
        writes = [(at_ns + k * 1_000_000_000, True, 0, SYN) for k in (0, 1, 3)]
        lines.raw(ends, writes)

    return play


def _time(besides: Besides, rng: Generator) -> Play:
    server = int(rng.integers(_SERVERS))
    address = address_of_stranger(f"time {server}", 3)

    def play(lines: Lines, at_ns: int) -> None:
        ends = lines.ends(address, 123, at_ns, ROUTINE, UDP)
        writes = [(at_ns, True, 48, 0)]
        deaf = generator("deaf", lines.home.name, server).random()
        if deaf >= besides.deaf_share:
            writes.append((at_ns + ends.delay_ns + 100_000, False, 48, 0))
        lines.raw(ends, writes)

    return play


def _store(rng: Generator) -> Play:
    host = str(rng.choice(sorted(MANY)))
    make = transfer(
        rng,
        host=host,
        up_b=float(rng.lognormal(6.8, 0.5)),
        down_b=float(rng.lognormal(8.8, 1.4)),
        duration_s=float(rng.lognormal(-0.5, 0.8)),
    )

    def play(lines: Lines, at_ns: int) -> None:
        for exchange in make(lines.device):
            lines.play(at_ns, exchange, ROUTINE)

    return play


def _broadcast(rng: Generator) -> Play:
    size_b = int(rng.choice((44, 44, 84)))

    def play(lines: Lines, at_ns: int) -> None:
        ends = lines.ends(lines.lan(255), _BROADCAST, at_ns, ROUTINE, UDP)
        lines.raw(ends._replace(device_port=_BROADCAST), [(at_ns, True, size_b, 0)])

    return play
