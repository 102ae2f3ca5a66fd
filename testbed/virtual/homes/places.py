"""Homes: how each is connected, who lives there, and what its servers are called.

No two are alike, though the device is of one model: other delay and loss, another
router that forgets connections, another resolver, another time zone.
"""

from dataclasses import dataclass
from typing import Literal

from numpy.random import Generator

from testbed.virtual.house.unit import generator

LAB = "lab"
USERS = ("resident", "shift_worker", "family")
_REGIONS = {
    "europe": ("Europe/Berlin", "Europe/London", "Europe/Madrid"),
    "us_east": ("America/New_York", "America/Toronto"),
    "us_west": ("America/Los_Angeles", "America/Denver"),
}
_LINES = {  # one-way delay in s (median), share of lost segments (median)
    "fibre": (0.006, 0.0015),
    "cable": (0.014, 0.006),
    "dsl": (0.022, 0.008),
    "lte": (0.038, 0.018),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """One household with one device.

    delay_s, loss    one way to the nearest servers; share of segments lost
    nat_s            the router forgets a connection that was silent for so long
    nat_answers      it then resets the connection; else packets vanish
    resolver         address of the DNS server that the device asks
    names_seen       'all' names, or only those of TLS handshakes ('handshakes')
    network          first three numbers of the LAN
    hops             routers between home and the nearest servers
    outages          of the provider; `restarts` of the device; per week
    guests, calls    visitors that cast, calls to other homes; per week
    weak, weak_loss  hours with a weak radio network, per week; share then lost
    resets           share of closings that the server answers with a reset
    looks, rooms     searches for other devices, music in several rooms; per week
    scanner          a program in the home looks for devices and open ports every day
    skills           third-party services that the household uses
    firmware_day     on which day of the span each roll-out reaches the home
    """

    name: str
    user: str
    region: str
    zone: str
    line: str
    delay_s: float
    loss: float
    nat_s: float
    nat_answers: bool
    resolver: str
    names_seen: Literal["all", "handshakes"]
    network: str
    hops: int
    outages: float
    restarts: float
    guests: float
    calls: float
    weak: float
    weak_loss: float
    resets: float
    looks: float
    rooms: float
    scanner: bool
    skills: tuple[str, ...]
    firmware_day: tuple[float, ...]


def draw_homes(n: int, days: int, seed: int) -> tuple[Home, ...]:
    """Draw `n` homes, the first of them the lab."""
    names = [LAB, *(f"home_{k}" for k in range(1, n))]
    return tuple(_draw(name, k, days, seed) for k, name in enumerate(names))


def _draw(name: str, index: int, days: int, seed: int) -> Home:
    rng = generator("home", seed, name)
    region = str(rng.choice(list(_REGIONS)))
    line = str(rng.choice(list(_LINES), p=(0.3, 0.35, 0.2, 0.15)))
    delay_s, loss = _LINES[line]
    router = str(rng.choice(("192.168.0", "192.168.1", "192.168.178", "10.0.0")))
    own = rng.random() < 0.6
    return Home(
        name=name,
        user=USERS[index % 3],
        region=region,
        zone=str(rng.choice(_REGIONS[region])),
        line=line,
        delay_s=delay_s * float(rng.lognormal(0.0, 0.25)),
        loss=loss * float(rng.lognormal(0.0, 0.4)),
        nat_s=float(
            rng.choice((58.0, 120.0, 300.0, 7_200.0), p=(0.3, 0.2, 0.25, 0.25))
        ),
        nat_answers=bool(rng.random() < 0.4),
        resolver=f"{router}.1" if own else str(rng.choice(_RESOLVERS)),
        names_seen="all" if rng.random() < 0.8 else "handshakes",
        network=router,
        hops=int(rng.integers(7, 14)),
        outages=float(rng.gamma(1.5, 0.8)),
        restarts=float(rng.gamma(1.5, 0.7)),
        guests=float(rng.gamma(2.0, 0.8)),
        calls=float(rng.gamma(0.8, 1.5)),
        weak=float(rng.gamma(4.0, 1.0)),
        weak_loss=float(rng.uniform(0.04, 0.22)),
        resets=float(rng.beta(1.5, 6.0)),
        looks=float(rng.gamma(4.0, 0.5)),
        rooms=float(rng.gamma(1.0, 1.5)),
        scanner=bool(rng.random() < 0.6),
        skills=_skills(rng),
        firmware_day=_roll_outs(rng, days),
    )


_RESOLVERS = ("192.0.2.53", "192.0.2.54", "203.0.113.53")


def _skills(rng: Generator) -> tuple[str, ...]:
    """Draw services by their popularity: a few have many, most have one household."""
    ranks = rng.zipf(1.35, int(rng.integers(2, 9)))
    return tuple(sorted({f"skill{min(int(r), 9_999)}.services.example" for r in ranks}))


def _roll_outs(rng: Generator, days: int) -> tuple[float, ...]:
    """Draw when two versions of the firmware come; the makers stagger them."""
    starts = (0.15 * days, 0.62 * days)
    spread = 0.18 * days
    return tuple(float(s + rng.beta(1.6, 2.2) * 2 * spread) for s in starts)
