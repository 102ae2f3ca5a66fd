"""Rare, yet benign: what happens in a home once a week or once in its life.

To one home alone it looks like trouble: new servers, large transfers, many failed
connections, strangers on the LAN. Each function returns what the lines are to carry.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from numpy.random import Generator

from testbed.virtual.homes.addresses import address_of_stranger
from testbed.virtual.homes.lines import Lines
from testbed.virtual.homes.sheet import ACK, ICMP, RST, SYN, UDP, Ends, Tag
from testbed.virtual.house import services
from testbed.virtual.house.hosts import ROUTER, SSDP
from testbed.virtual.house.talk import Talk, stream
from testbed.virtual.traffic import Exchange, Transport

Play = Callable[[Lines, int], None]
_CHUNK_B = 120_000
_PORTS = (80, 443, 22, 23, 8080, 8008, 8009, 1900, 5000, 49_153, 55_443, 4_070, 7_000)


def question(client: str, host: str, rng: Generator, *, at_s: float = 0.0) -> Exchange:
    """Return the question for the address of a server that the house does not know."""
    asked_b = len(host) + 18
    chain_b = len(host) % 5 * 31  # some names lead to others first
    talk = Talk(client, ROUTER, port=53, transport=Transport.UDP, at_s=at_s)
    talk.up(asked_b)
    told_s = 0.002 + float(rng.gamma(1.2, 0.02))
    return talk.down(asked_b + 16 + chain_b, after_s=told_s).done()


def transfer(
    rng: Generator,
    *,
    host: str,
    up_b: float,
    down_b: float,
    duration_s: float,
    port: int = 443,
) -> Callable[[str], Sequence[Exchange]]:
    """Return the making of one larger transfer by a device, after its DNS question."""

    def make(device: str) -> Sequence[Exchange]:
        encrypted = Transport.TLS if port == 443 else Transport.TCP
        talk = Talk(device, host, port=port, transport=encrypted, at_s=0.12)
        for upstream, size_b in ((True, up_b), (False, down_b)):
            if size_b:
                stream(
                    talk.wait(0.05),
                    rng,
                    total_b=int(size_b),
                    chunk_b=min(_CHUNK_B, max(400, int(size_b) // 3)),
                    duration_s=duration_s * size_b / (up_b + down_b),
                    upstream=upstream,
                )
        return question(device, host, rng), talk.done()

    return make


def _plays(
    make: Callable[[str], Sequence[Exchange]], tag: Tag, after_s: float = 0.0
) -> Play:
    def play(lines: Lines, at_ns: int) -> None:
        for exchange in make(lines.device):
            lines.play(at_ns + round(after_s * 1e9), exchange, tag)

    return play


def together(*plays: Play) -> Play:
    """Return the playing of several things."""

    def play(lines: Lines, at_ns: int) -> None:
        for each in plays:
            each(lines, at_ns)

    return play


def visit(host: str, rng: Generator, tag: Tag) -> Play:
    """Talk to a service of the household's own choice."""
    up_b, down_b = rng.lognormal(7.0, 0.8), rng.lognormal(9.3, 1.3)
    lasts_s = float(rng.lognormal(0.7, 0.8))
    return _plays(
        transfer(rng, host=host, up_b=up_b, down_b=down_b, duration_s=lasts_s), tag
    )


def music(rng: Generator) -> Play:
    """Play music for a while, from one of many edge servers."""
    lasts_s = float(min(rng.lognormal(7.1, 0.7), 9_000.0))
    rate_b = float(rng.choice((6_000, 12_000, 20_000)))
    number = min(int(rng.zipf(1.5)), 60)
    make = transfer(
        rng,
        host=f"edge{number}.music.example",
        up_b=900.0,
        down_b=lasts_s * rate_b,
        duration_s=lasts_s,
    )
    return _plays(make, Tag(occasion="music"))


def download(version: int, rng: Generator) -> Play:
    """Fetch a firmware image from a server that serves it for some days only."""
    size_b = float(rng.normal(18e6, 1e5)) * (1 + 0.3 * version)
    make = transfer(
        rng,
        host=f"d{version}.images.updates.example",
        up_b=1_400.0,
        down_b=size_b,
        duration_s=size_b / float(rng.uniform(2e5, 1.2e6)),
        port=443 if version % 2 else 80,
    )
    return _plays(make, Tag(occasion="firmware"))


def crash_report(rng: Generator) -> Play:
    """Upload what went wrong: large, upwards, to a server that is seldom asked."""
    make = transfer(
        rng,
        host="crash.reports.example",
        up_b=float(min(rng.lognormal(13.2, 1.1), 8e6)),
        down_b=400.0,
        duration_s=float(rng.uniform(3, 40)),
    )
    return _plays(make, Tag(occasion="report"))


def set_up_anew(boot: Sequence[Exchange], rng: Generator) -> Play:
    """Reset to factory settings: start, look for a network, register, fetch all."""
    tag = Tag(occasion="reset")
    parts = [starts(boot, tag), captive_check(rng, tag)]
    for k in range(int(rng.integers(4, 9))):
        size_b = float(rng.lognormal(10.0, 1.2))
        make = transfer(
            rng,
            host=f"setup{k % 4}.register.example",
            up_b=2_200.0,
            down_b=size_b,
            duration_s=2.0,
        )
        parts.append(_plays(make, tag, after_s=20.0 + 7.0 * k))
    return together(*parts)


def starts(boot: Sequence[Exchange], tag: Tag) -> Play:
    """Start the device: all connections are new."""

    def play(lines: Lines, at_ns: int) -> None:
        lines.drop_all()
        for exchange in boot:
            lines.play(at_ns, exchange, tag)

    return play


def captive_check(rng: Generator, tag: Tag) -> Play:
    """Ask whether the Internet is there: one plain page without content."""
    make = transfer(
        rng,
        host="check.portal.example",
        up_b=150.0,
        down_b=210.0,
        duration_s=0.1,
        port=80,
    )
    return _plays(make, tag)


def clock_change(rng: Generator) -> Play:
    """Fetch the rules of the time zone and ask time servers, as all do at once."""
    tag = Tag(occasion="clock")
    gaps_s = rng.uniform(0.5, 20.0, 4)
    make = transfer(
        rng, host="zones.time.example", up_b=380.0, down_b=9_500.0, duration_s=0.4
    )

    def play(lines: Lines, at_ns: int) -> None:
        for gap_s in gaps_s:
            lines.play(at_ns + round(gap_s * 1e9), services.ntp(lines.device, rng), tag)
        for exchange in make(lines.device):
            lines.play(at_ns, exchange, tag)

    return play


def guest_casts(rng: Generator) -> Play:
    """Let a visitor's phone find the device, talk to it and play something on it."""
    tag = Tag(occasion="guest")
    last = int(rng.integers(100, 200))
    turns = int(rng.integers(8, 60))
    gaps_s = rng.gamma(1.2, 8.0, turns).cumsum()
    sizes = rng.integers(80, 900, (turns, 2))
    song = music(rng)

    def play(lines: Lines, at_ns: int) -> None:
        phone = lines.lan(last)
        ends = replace_ends(lines.ends(phone, 55_443, at_ns, tag), outbound=False)
        writes = _opening(at_ns, out=False)
        for gap_s, (ask_b, tell_b) in zip(gaps_s, sizes, strict=True):
            then_ns = at_ns + 20_000_000 + round(float(gap_s) * 1e9)
            writes.append((then_ns, False, int(ask_b), 0))
            writes.append((then_ns + 30_000_000, True, int(tell_b), 0))
        lines.raw(ends, writes)
        song(lines, at_ns + 5_000_000_000)

    return play


def replace_ends(ends: Ends, *, outbound: bool) -> Ends:
    """Return ends as opened by the other side: ports change places."""
    if ends.outbound == outbound:
        return ends
    return ends._replace(
        outbound=outbound, device_port=ends.remote_port, remote_port=ends.device_port
    )


def _opening(at_ns: int, *, out: bool) -> list[tuple[int, bool, int, int]]:
    return [
        (at_ns, out, 0, SYN),
        (at_ns + 1_000_000, not out, 0, SYN | ACK),
        (at_ns + 2_000_000, out, 0, ACK),
    ]


def looked_over(rng: Generator) -> Play:
    """Let the home's own scanner try the device's ports, as network apps do."""
    tag = Tag(occasion="scanner")
    n = int(rng.choice((len(_PORTS), 40, 100), p=(0.6, 0.25, 0.15)))
    ports = [*_PORTS, *rng.integers(1, 10_000, max(0, n - len(_PORTS))).tolist()]
    gaps_s = rng.exponential(0.05, len(ports)).cumsum()

    def play(lines: Lines, at_ns: int) -> None:
        scanner = lines.lan(21)
        pinged = lines.ends(scanner, 0, at_ns, tag, ICMP)._replace(outbound=False)
        lines.raw(pinged, [(at_ns, False, 56, 0), (at_ns + 800_000, True, 56, 0)])
        for port, gap_s in zip(ports, gaps_s, strict=True):
            then_ns = at_ns + round(float(gap_s) * 1e9)
            ends = lines.ends(scanner, int(port), then_ns, tag)
            writes = [(then_ns, False, 0, SYN), (then_ns + 900_000, True, 0, RST | ACK)]
            lines.raw(replace_ends(ends, outbound=False), writes)

    return play


def looks_around(rng: Generator) -> Play:
    """Look for other devices to control, everywhere on the LAN, as hubs do."""
    tag = Tag(occasion="discovery")
    present = set(rng.choice(range(2, 120), int(rng.integers(4, 15))).tolist())
    asked = rng.choice(range(2, 255), int(rng.integers(20, 90)), replace=False)
    ports = rng.choice((80, 8_060, 9_123, 49_153), int(rng.integers(1, 4)), False)
    gaps_s = rng.exponential(0.08, len(asked) * len(ports)).cumsum()

    def play(lines: Lines, at_ns: int) -> None:
        pairs = [(last, port) for last in asked.tolist() for port in ports.tolist()]
        for (last, port), gap_s in zip(pairs, gaps_s, strict=True):
            then_ns = at_ns + round(float(gap_s) * 1e9)
            ends = lines.ends(lines.lan(last), port, then_ns, tag)
            writes = [(then_ns, True, 0, SYN)]
            if last in present:
                writes.append((then_ns + 1_200_000, False, 0, RST | ACK))
            elif last % 3 == 0:
                writes.append((then_ns + 1_000_000_000, True, 0, SYN))
            lines.raw(ends, writes)

    return play


def several_rooms(rng: Generator) -> Play:
    """Play in several rooms at once: datagrams to another speaker of the home."""
    tag = Tag(occasion="rooms")
    lasts_s = float(min(rng.lognormal(6.0, 0.7), 2_400.0))
    n = int(lasts_s * 8)
    at = rng.gamma(6.0, lasts_s / n / 6.0, n).cumsum()
    sizes = rng.integers(600, 1_300, n).tolist()
    last, port = int(rng.integers(40, 60)), int(rng.integers(40_000, 60_000))
    song = music(rng)

    def play(lines: Lines, at_ns: int) -> None:
        ends = lines.ends(lines.lan(last), port, at_ns, tag, UDP)
        writes = [
            (at_ns + round(float(s) * 1e9), True, b, 0)
            for s, b in zip(at, sizes, strict=True)
        ]
        lines.raw(ends, writes)
        song(lines, at_ns)

    return play


def searched(rng: Generator) -> Play:
    """Answer a search by UPnP, and ask the router for a way in through it."""
    tag = Tag(occasion="upnp")
    answers = rng.integers(280, 420, int(rng.integers(1, 5))).tolist()

    def play(lines: Lines, at_ns: int) -> None:
        ends = lines.ends(lines.lan(20), 1900, at_ns, tag, UDP)
        ends = replace_ends(ends, outbound=False)._replace(outbound=True)
        gaps = [(at_ns + 40_000_000 * k, True, b, 0) for k, b in enumerate(answers)]
        lines.raw(ends, gaps)
        talk = Talk(lines.device, SSDP, port=1900, transport=Transport.UDP)
        lines.play(at_ns, talk.up(130).up(130, after_s=1.0).done(), tag)
        ask = Talk(lines.device, ROUTER, port=5_000, transport=Transport.TCP, at_s=1.4)
        ask.up(190).down(2_900, after_s=0.01).up(610, after_s=0.02).down(420)
        lines.play(at_ns, ask.done(), tag)

    return play


def call(rng: Generator) -> Play:
    """Call another household: find a way through, then talk to a stranger."""
    tag = Tag(occasion="call")
    stranger = int(rng.integers(1 << 30))
    lasts_s = float(min(rng.lognormal(4.6, 0.9), 1_500.0))
    direct = rng.random() < 0.7
    n = int(lasts_s * 12)
    times = (rng.gamma(4.0, lasts_s / n / 4.0, (2, n)).cumsum(axis=1) * 1e9).astype(int)
    sizes = rng.integers(70, 180, (2, n))

    def play(lines: Lines, at_ns: int) -> None:
        host = f"stun{stranger % 3}.calls.example"
        lines.play(at_ns, question(lines.device, host, rng), tag)
        probe = Talk(lines.device, host, port=3478, transport=Transport.UDP, at_s=0.1)
        for _ in range(4):
            probe.up(28, after_s=0.05).down(68, after_s=0.03)
        lines.play(at_ns, probe.done(), tag)
        peer = address_of_stranger(f"peer {stranger}", 0) if direct else host
        port = int(49_152 + stranger % 16_000) if direct else 3478
        ends = lines.ends(peer, port, at_ns, tag, UDP)
        begin_ns = at_ns + 2_000_000_000
        writes = [
            (begin_ns + int(t), out, int(b), 0)
            for out, row, some in zip((True, False), times, sizes, strict=True)
            for t, b in zip(row, some, strict=True)
        ]
        lines.raw(ends, sorted(writes))

    return play


def offline(lasts_s: float, rng: Generator) -> Play:
    """Try again and again while the provider is out."""
    tag = Tag(occasion="outage")
    tries: list[float] = []
    at_s, pause_s = 15.0, 8.0
    while at_s < lasts_s and len(tries) < 200:
        tries.append(at_s)
        pause_s = min(pause_s * 1.5, 300.0)
        at_s += pause_s * float(rng.uniform(0.8, 1.2))

    def play(lines: Lines, at_ns: int) -> None:
        for begin_s in tries:
            then_ns = at_ns + round(begin_s * 1e9)
            captive_check(rng, tag)(lines, then_ns)
            pinged = lines.ends(lines.lan(1), 0, then_ns, tag, ICMP)
            pings = [(then_ns + k * 1_000_000_000, True, 56, 0) for k in range(3)]
            pongs = [(at + 600_000, False, 56, 0) for at, *_ in pings]
            lines.raw(pinged, sorted(pings + pongs))

    return play


def weak_radio(lasts_s: float, rng: Generator) -> Play:
    """Lose the lease again and again, and ask for another that does not come."""
    tag = Tag(occasion="weak")
    every_s = float(rng.lognormal(4.6, 0.6))
    at_s = rng.exponential(every_s, int(lasts_s / every_s)).cumsum()
    sizes = rng.choice((300, 300, 308, 328), (len(at_s), 4))
    n = 1 + rng.poisson(0.8, len(at_s)).clip(0, 3)

    def play(lines: Lines, at_ns: int) -> None:
        for begin_s, row, some in zip(at_s, sizes, n, strict=True):
            then_ns = at_ns + round(float(begin_s) * 1e9)
            ends = lines.ends("255.255.255.255", 67, then_ns, tag, UDP)
            asks = [
                (then_ns + (2**k - 1) * 3_000_000_000, True, int(size_b), 0)
                for k, size_b in enumerate(row[:some])
            ]
            lines.raw(ends, asks)

    return play


def reconnects(boot: Sequence[Exchange], rng: Generator) -> Play:
    """Connect anew when the provider is back, all at once, as everybody does."""
    tag = Tag(occasion="outage")
    wait_s = float(rng.uniform(1.0, 45.0))
    hurried = [replace(e, at_s=wait_s + 0.4 * e.at_s) for e in boot if e.port != 67]
    return together(starts(hurried, tag), captive_check(rng, tag))
