"""Attacks staged in the simulation: what an infected device sends besides.

Only columns of numbers come of it; nothing is ever sent. Each attack runs in spells,
at a low intensity (careful, slow) or a high one (loud), beside the device's own life.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.random import Generator

from testbed.errors import ConfigError
from testbed.virtual.homes.addresses import address_of_stranger
from testbed.virtual.homes.lines import Lines
from testbed.virtual.homes.rare import question, transfer
from testbed.virtual.homes.sheet import ACK, RST, SYN, UDP, Tag
from testbed.virtual.homes.span import DAY_NS, Happening, Span
from testbed.virtual.house.talk import Talk
from testbed.virtual.traffic import Transport

Intensity = Literal["low", "high"]
_HOUR_S = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Attack:
    """An attack on the device of one home.

    home       name of the home
    first_day, last_day  of the span, counted from 0; None for its last third
    """

    name: str
    intensity: Intensity = "low"
    home: str = "lab"
    first_day: int | None = None
    last_day: int | None = None


def read_attack(text: str) -> Attack:
    """Read NAME[:low|high][@HOME][/FIRST-LAST], such as botnet:high@home_2/3-5.

    Raises ConfigError.
    """
    rest, _, days = text.partition("/")
    rest, _, home = rest.partition("@")
    name, _, intensity = rest.partition(":")
    first, _, last = days.partition("-")
    known = intensity or "low"
    if name not in ATTACKS or known not in ("low", "high"):
        raise ConfigError(
            f"{text}: an attack is written NAME[:low|high][@HOME][/FIRST-LAST], "
            f"with one of the names {', '.join(ATTACKS)}"
        )
    if days and not (first.isdecimal() and (last or first).isdecimal()):
        raise ConfigError(f"{text}: days are written FIRST-LAST, counted from 0")
    return Attack(
        name=name,
        intensity="high" if known == "high" else "low",
        home=home or "lab",
        first_day=int(first) if days else None,
        last_day=int(last or first) if days else None,
    )


def days_of(attack: Attack, span: Span) -> range:
    """Return the days of an attack. Raises ConfigError for days not in the span."""
    first = span.days * 2 // 3 if attack.first_day is None else attack.first_day
    last = span.days - 1 if attack.last_day is None else attack.last_day
    if not 0 <= first <= last < span.days:
        raise ConfigError(
            f"{attack.name}: days {first}-{last} are not in a span of {span.days} days"
        )
    return range(first, last + 1)


def happenings(attack: Attack, span: Span, rng: Generator) -> list[Happening]:
    """Draw the spells of an attack, and what each makes the lines carry."""
    found = []
    for day in days_of(attack, span):
        begin_ns = span.start_ns + day * DAY_NS + int(rng.integers(0, DAY_NS * 3 // 4))
        spell = ATTACKS[attack.name](attack.intensity, rng)
        found.append(Happening(begin_ns, spell))
    return found


Spell = Callable[[Lines, int], None]


def _commanded(
    lines: Lines, at_ns: int, tag: Tag, lasts_s: float, rng: Generator
) -> None:
    """Hold a line to whoever gives the orders: a few bytes every minute or so."""
    server = address_of_stranger("command", 7)
    port = int(rng.choice((23, 443, 6_667, 48_101)))
    ends = lines.ends(server, port, at_ns, tag)
    trip_ns = 2 * ends.delay_ns + 1_000_000
    writes = [
        (at_ns, True, 0, SYN),
        (at_ns + trip_ns, False, 0, SYN | ACK),
        (at_ns + trip_ns + 1_000_000, True, 0, ACK),
        (at_ns + trip_ns + 2_000_000, True, 14, 0),
    ]
    at_s = float(rng.uniform(20.0, 60.0))
    while at_s < lasts_s:
        then_ns = at_ns + round(at_s * 1e9)
        writes.append((then_ns, True, 2, 0))
        writes.append((then_ns + trip_ns // 2 + 3_000_000, False, 2, 0))
        if rng.random() < 0.05:  # an order
            writes.append((then_ns + 2 * trip_ns, False, int(rng.integers(30, 90)), 0))
        at_s += float(rng.normal(60.0, 3.0))
    lines.raw(ends, writes)


def _botnet(intensity: Intensity, rng: Generator) -> Spell:
    """Look for open telnet ports everywhere, and keep in touch: as Mirai does."""
    tag = Tag("botnet")
    lasts_s = float(rng.uniform(1.0, 3.0)) * _HOUR_S
    rate = 0.03 if intensity == "low" else 1.5
    times_s = rng.uniform(0.0, lasts_s, int(rng.poisson(lasts_s * rate)))

    def play(lines: Lines, at_ns: int) -> None:
        _commanded(lines, at_ns, tag, lasts_s, rng)
        for at_s in np.sort(times_s):
            _knock(lines, at_ns + round(float(at_s) * 1e9), tag, rng)

    return play


def _knock(lines: Lines, at_ns: int, tag: Tag, rng: Generator) -> None:
    target = address_of_stranger(f"target {rng.integers(1 << 40)}", 0)
    port = int(rng.choice((23, 2_323, 22, 8_080), p=(0.7, 0.15, 0.1, 0.05)))
    if rng.random() < 0.08:
        target = lines.lan(int(rng.integers(2, 60)))
    ends = lines.ends(target, port, at_ns, tag)
    writes = [(at_ns, True, 0, SYN)]
    kind = rng.random()
    trip_ns = 2 * ends.delay_ns + 40_000_000
    if kind < 0.12:
        writes.append((at_ns + trip_ns, False, 0, RST | ACK))
    elif kind < 0.16:  # somebody answers: try a few passwords
        writes.append((at_ns + trip_ns, False, 0, SYN | ACK))
        writes.append((at_ns + trip_ns + 1_000_000, True, 0, ACK))
        for k in range(int(rng.integers(3, 12))):
            then_ns = at_ns + (2 + k) * trip_ns
            writes.append((then_ns, False, int(rng.integers(8, 30)), 0))
            writes.append((then_ns + 5_000_000, True, int(rng.integers(5, 14)), 0))
    elif rng.random() < 0.5:
        writes.append((at_ns + 1_000_000_000, True, 0, SYN))
    lines.raw(ends, writes)


def _coin_mining(intensity: Intensity, rng: Generator) -> Spell:
    """Work for a pool: jobs come, shares go, over one line for hours."""
    tag = Tag("coin_mining")
    loud = intensity == "high"
    lasts_s = float(rng.uniform(2.0, 6.0)) * _HOUR_S
    every_s = 12.0 if loud else 150.0

    def play(lines: Lines, at_ns: int) -> None:
        device, host = lines.device, f"pool{int(rng.integers(3))}.mining.example"
        lines.play(at_ns, question(device, host, rng), tag)
        talk = Talk(
            device,
            host,
            at_s=0.1,
            port=3_333 if loud else 443,
            transport=Transport.TCP if loud else Transport.TLS,
        )
        talk.up(240).down(390, after_s=0.08)
        shares = rng.exponential(every_s, int(lasts_s / every_s)).cumsum()
        jobs = rng.normal(45.0, 12.0, int(lasts_s / 45.0)).clip(5.0).cumsum()
        now_s = 0.2
        for at_s, share in sorted(
            [(s, True) for s in shares] + [(j, False) for j in jobs]
        ):
            gap_s, now_s = max(0.0, float(at_s) - now_s), max(now_s, float(at_s))
            if share:
                talk.up(int(rng.integers(180, 215)), after_s=gap_s)
                talk.down(int(rng.integers(60, 68)), after_s=0.07)
                now_s += 0.07
            else:
                talk.down(int(rng.integers(280, 330)), after_s=gap_s)
        lines.play(at_ns, talk.done(), tag)

    return play


def _exfiltration(intensity: Intensity, rng: Generator) -> Spell:
    """Carry off what was recorded: by parts to a rented machine, or all at once."""
    tag = Tag("exfiltration")
    loud = intensity == "high"
    n = int(rng.integers(2, 5)) if loud else int(rng.integers(10, 24))
    times_s = rng.uniform(0.0, 5.0 * _HOUR_S, n)
    host = "drop.storage.example"

    def play(lines: Lines, at_ns: int) -> None:
        for at_s in np.sort(times_s):
            size_b = float(rng.lognormal(15.6 if loud else 10.6, 0.4))
            make = transfer(
                rng,
                host=host,
                up_b=size_b,
                down_b=300.0,
                duration_s=size_b / (3e5 if loud else 2e4),
            )
            for exchange in make(lines.device):
                lines.play(at_ns + round(float(at_s) * 1e9), exchange, tag)

    return play


def _ddos(intensity: Intensity, rng: Generator) -> Spell:
    """Help to flood somebody: connections that are never finished, or datagrams."""
    tag = Tag("ddos")
    loud = intensity == "high"
    lasts_s = float(rng.uniform(60.0, 150.0)) if loud else float(rng.uniform(300, 900))
    rate = 20.0 if loud else 0.7
    with_datagrams = rng.random() < 0.4
    victim = address_of_stranger(f"victim {rng.integers(1 << 30)}", 1)

    def play(lines: Lines, at_ns: int) -> None:
        _commanded(lines, at_ns, tag, 900.0 + lasts_s, rng)
        at_ns += 120_000_000_000  # the order comes first
        if with_datagrams:
            n = int(lasts_s * rate * (10 if loud else 4))
            gaps_s = rng.exponential(lasts_s / n, n).cumsum()
            ends = lines.ends(victim, 80, at_ns, tag, UDP)
            at = [at_ns + round(float(g) * 1e9) for g in gaps_s]
            lines.raw(ends, [(t, True, 512, 0) for t in at])
            return
        for at_s in rng.exponential(1.0 / rate, int(lasts_s * rate)).cumsum():
            then_ns = at_ns + round(float(at_s) * 1e9)
            ends = lines.ends(victim, 80 if loud else 443, then_ns, tag)
            writes = [(then_ns, True, 0, SYN)]
            if rng.random() < 0.3:
                answer_ns = then_ns + 2 * ends.delay_ns
                writes.append((answer_ns, False, 0, SYN | ACK))
                writes.append((answer_ns + 1_000_000, True, 0, RST))
            lines.raw(ends, writes)

    return play


ATTACKS: Mapping[str, Callable[[Intensity, Generator], Spell]] = {
    "botnet": _botnet,
    "coin_mining": _coin_mining,
    "exfiltration": _exfiltration,
    "ddos": _ddos,
}
