"""What a device sends when nobody does anything, and when its power comes on.

Keep-alives on persistent connections, time, names, announcements, polls, firmware
checks, connections that are given up and made anew.
"""

import heapq
from collections.abc import Callable, Iterator
from typing import NamedTuple

from numpy.random import Generator

from testbed.virtual.house import services
from testbed.virtual.house.hosts import PHONE, PLUGS
from testbed.virtual.house.talk import Talk, hang_up, stream
from testbed.virtual.house.unit import Unit
from testbed.virtual.traffic import Exchange

Sender = Callable[[Unit, Generator], tuple[Exchange, ...]]
_UPDATES = "fw.updates.example"


class Link(NamedTuple):
    """A persistent connection with its keep-alives.

    every_s  between two keep-alives; sizes of question and answer in bytes
    """

    host: str
    connection: str
    every_s: float
    up_b: int
    down_b: int


_LINKS: dict[str, tuple[Link, ...]] = {
    "arlo_q": (Link("api.arlo.example", "control", 28.0, 52, 44),),
    "omna_180": (Link("api.omna.example", "control", 22.0, 70, 40),),
    "echo_dot": (
        Link("avs.alexa.example", "avs", 31.0, 26, 26),
        Link("api.alexa.example", "sync", 58.0, 180, 140),
    ),
    "home_mini": (
        Link("cast.google.example", "cast", 20.0, 110, 110),
        Link("clients.google.example", "push", 47.0, 38, 38),
    ),
    "samsung_tv": (Link("api.smartthings.example", "control", 30.0, 64, 58),),
    "wemo_insight": (Link("api.wemo.example", "cloud", 40.0, 78, 62),),
    "iview_bulb": (Link("api.iview.example", "cloud", 33.0, 31, 29),),
    "koogeek_plug": (Link("api.koogeek.example", "cloud", 36.0, 42, 36),),
    "tplink_hs110": (Link("api.tplink.example", "cloud", 45.0, 88, 70),),
    PHONE: (Link("push.phone.example", "push", 60.0, 40, 40),),
}


class Burst(NamedTuple):
    """A larger transfer that nobody asked for: motion, adverts, preloading, logs.

    up, down  median bytes of one transfer; they vary by a factor of three or so
    """

    host: str
    every_s: float
    up_b: int
    down_b: int


_BURSTS: dict[str, Burst] = {
    "arlo_q": Burst("media.arlo.example", 1500.0, 170_000, 900),
    "omna_180": Burst("api.omna.example", 1800.0, 90_000, 700),
    "echo_dot": Burst("device-metrics.alexa.example", 700.0, 9_000, 2_500),
    "home_mini": Burst("clients.google.example", 800.0, 12_000, 9_000),
    "samsung_tv": Burst("cdn.samsungtv.example", 600.0, 2_500, 90_000),
    "wemo_insight": Burst("api.wemo.example", 900.0, 1_800, 600),
    "koogeek_plug": Burst("api.koogeek.example", 1100.0, 1_500, 500),
    "tplink_hs110": Burst("api.tplink.example", 1000.0, 1_600, 700),
    "iview_bulb": Burst("api.iview.example", 1000.0, 1_400, 500),
}
_SERVICES = {
    "echo_dot": "_amzn-wplay._tcp.local",
    "home_mini": "_googlecast._tcp.local",
    "samsung_tv": "_airplay._tcp.local",
    "koogeek_plug": "_hap._tcp.local",
}
_SSDP_PORTS = {"wemo_insight": 49153, "samsung_tv": 9197, **dict.fromkeys(PLUGS, 49153)}


def background(unit: Unit, rng: Generator) -> Iterator[tuple[float, Exchange]]:
    """Yield (seconds from now, exchange) by time, without end."""
    queue: list[tuple[float, int, float, Sender]] = []
    for number, (every_s, sender) in enumerate(_senders(unit)):
        # Nothing is in step with the start: each has begun long ago.
        first_s = float(rng.uniform(0.0, every_s))
        heapq.heappush(queue, (first_s, number, every_s, sender))
    while queue:
        at_s, number, every_s, sender = heapq.heappop(queue)
        for exchange in sender(unit, rng):
            yield at_s, exchange
        wait_s = every_s * unit.pace * float(rng.lognormal(0.0, 0.12))
        heapq.heappush(queue, (at_s + wait_s, number, every_s, sender))


def boot(unit: Unit, rng: Generator) -> tuple[Exchange, ...]:
    """Return what a device sends after its power comes on, over 5 to 15 seconds."""
    up_s = unit.lasting(3.0, rng, 0.15)
    exchanges = [services.dhcp(unit.device, rng, at_s=up_s)]
    at_s = up_s + unit.lasting(0.6, rng, 0.3)
    exchanges.append(services.dns(unit.device, "pool.ntp.example", rng, at_s=at_s))
    exchanges.append(services.ntp(unit.device, rng, at_s=at_s + 0.08))
    exchanges += _announce(unit, rng, at_s + 0.4)
    for link in _LINKS.get(unit.device, ()):
        at_s += unit.lasting(0.7, rng, 0.4)
        exchanges.append(services.dns(unit.device, link.host, rng, at_s=at_s))
        talk = Talk(
            unit.device, link.host, at_s=at_s + 0.06, connection=link.connection
        )
        talk.up(unit.sized(900, rng, 0.1)).down(
            unit.sized(1_300, rng, 0.1), after_s=0.1
        )
        talk.up(unit.sized(420, rng, 0.2), after_s=0.3).down(160, after_s=0.06)
        exchanges.append(talk.done())
    at_s += unit.lasting(1.5, rng, 0.4)
    exchanges.append(_firmware(unit, rng, at_s))
    return tuple(exchanges)


def _senders(unit: Unit) -> Iterator[tuple[float, Sender]]:
    device = unit.device
    for link in _LINKS.get(device, ()):
        yield link.every_s, _keep_alive(link)
        yield 2700.0, _reconnect(link)
        yield 600.0, _poll(link)
    if device == PHONE:
        yield 240.0, lambda u, r: (_question(u, r),)
        return
    yield 1024.0, lambda u, r: (services.ntp(u.device, r),)
    yield 21_600.0, lambda u, r: (services.dhcp(u.device, r),)
    if device in _SERVICES or device in _SSDP_PORTS:
        yield 300.0, lambda u, r: tuple(_announce(u, r, 0.0))
    if device in _BURSTS:
        yield _BURSTS[device].every_s, _burst(_BURSTS[device])
    if device not in PLUGS:
        yield 7_200.0, lambda u, r: (_firmware(u, r, 0.3), _name_first(u, r))


def _keep_alive(link: Link) -> Sender:
    def send(unit: Unit, rng: Generator) -> tuple[Exchange, ...]:
        talk = Talk(unit.device, link.host, connection=link.connection)
        extra_b = int(rng.integers(0, 12))
        talk.up(link.up_b + max(0, unit.header_b) + extra_b)
        return (talk.down(link.down_b + extra_b, after_s=0.045).done(),)

    return send


def _poll(link: Link) -> Sender:
    def send(unit: Unit, rng: Generator) -> tuple[Exchange, ...]:
        talk = Talk(unit.device, link.host, connection=link.connection)
        talk.up(unit.sized(340, rng, 0.3))
        return (talk.down(unit.sized(480, rng, 0.4), after_s=0.07).done(),)

    return send


def _burst(burst: Burst) -> Sender:
    def send(unit: Unit, rng: Generator) -> tuple[Exchange, ...]:
        sizes = [unit.sized(b, rng, 0.9) for b in (burst.up_b, burst.down_b)]
        talk = Talk(unit.device, burst.host, at_s=0.06)
        for upstream, size_b in zip((True, False), sizes, strict=True):
            stream(
                talk.wait(0.1),
                rng,
                total_b=size_b,
                chunk_b=9_000,
                duration_s=0.2 + size_b / 60_000,
                upstream=upstream,
            )
        return services.dns(unit.device, burst.host, rng), talk.done()

    return send


def _reconnect(link: Link) -> Sender:
    def send(unit: Unit, rng: Generator) -> tuple[Exchange, ...]:
        again_s = 0.4 + float(rng.gamma(2.0, 0.2))
        name = services.dns(unit.device, link.host, rng, at_s=again_s)
        talk = Talk(
            unit.device, link.host, at_s=again_s + 0.05, connection=link.connection
        )
        talk.up(unit.sized(760, rng, 0.1)).down(unit.sized(900, rng, 0.1), after_s=0.08)
        return hang_up(unit.device, link.host, link.connection), name, talk.done()

    return send


def _announce(unit: Unit, rng: Generator, at_s: float) -> Iterator[Exchange]:
    if unit.device in _SERVICES:
        yield services.mdns(unit.device, _SERVICES[unit.device], rng, at_s=at_s)
    if unit.device in _SSDP_PORTS:
        yield services.ssdp(unit.device, _SSDP_PORTS[unit.device], rng, at_s=at_s)


def _firmware(unit: Unit, rng: Generator, at_s: float) -> Exchange:
    talk = Talk(unit.device, _UPDATES, at_s=at_s)
    talk.up(unit.sized(420, rng, 0.05)).down(unit.sized(1_800, rng, 0.1), after_s=0.09)
    return talk.done()


def _name_first(unit: Unit, rng: Generator) -> Exchange:
    return services.dns(unit.device, _UPDATES, rng)


def _question(unit: Unit, rng: Generator) -> Exchange:
    service = str(rng.choice(sorted(_SERVICES.values())))
    return services.mdns_question(unit.device, service, rng)
