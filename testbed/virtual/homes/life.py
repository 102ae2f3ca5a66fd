"""One home, day after day: the device's own life, its people, and what is rare."""

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from operator import itemgetter

import numpy as np
from numpy.random import Generator

from testbed.model.profile import DeviceProfile
from testbed.virtual.homes import rare
from testbed.virtual.homes.attacks import Attack, happenings
from testbed.virtual.homes.beside import draw_besides, unasked
from testbed.virtual.homes.habits import Use
from testbed.virtual.homes.lines import Lines
from testbed.virtual.homes.meter import Meter, Records
from testbed.virtual.homes.places import Home
from testbed.virtual.homes.segments import packets
from testbed.virtual.homes.sheet import ROUTINE, Sheet, Tag, empty_sheet
from testbed.virtual.homes.span import DAY_NS, Happening, Span
from testbed.virtual.house import House
from testbed.virtual.house.hosts import NODES
from testbed.virtual.house.unit import generator
from testbed.virtual.traffic import Exchange

_MUSIC = frozenset({"play_music", "play", "launch_app"})


@dataclass(slots=True)
class Life:
    """What happens in one home.

    profile  the device under test and what it can be made to do
    uses     what the people of the home do with it, by time
    attacks  those that are staged in this home
    meter    with its timeouts; a meter serves one home
    """

    home: Home
    profile: DeviceProfile
    span: Span
    seed: int
    uses: Sequence[Use] = ()
    attacks: Sequence[Attack] = ()
    meter: Meter = field(default_factory=Meter)
    sheet: Sheet = field(default_factory=empty_sheet)

    def days(self) -> Iterator[Records]:
        """Yield the flow records of each day, by start."""
        rng = self._generator("packets")
        for day, _ in enumerate(self._played()):
            until_ns = self.span.start_ns + (day + 1) * DAY_NS
            made = packets(self.sheet.take(), self.sheet.ends, rng)
            last = day == self.span.days - 1
            yield self.meter.records(made, until_ns, last=last)

    def _played(self) -> Iterator[None]:
        """Play one day after the other on the home's lines."""
        lines = Lines(self.profile.device, self.home, self.sheet, seed=self.seed)
        outages = self._spells("outages", self.home.outages, 300.0)
        weak = self._spells("weak", self.home.weak, 7_000.0)
        lines.set_dark(outages)
        lines.set_weak(weak)
        besides = draw_besides(self._generator("besides"))
        plan = sorted(self._plan(outages, weak), key=itemgetter(0))
        for day in range(self.span.days):
            house, version = self._house(day)
            begin_ns = self.span.start_ns + day * DAY_NS
            today = [h for h in plan if begin_ns <= h.time_ns < begin_ns + DAY_NS]
            acts = self._acts(house, version, day)
            timed = heapq.merge(
                ((h.time_ns, h.play) for h in today),
                self._unasked(house, version, begin_ns),
                unasked(besides, begin_ns, self._generator("besides", day)),
                ((at_ns, play) for at_ns, play in acts),
                key=itemgetter(0),
            )
            for at_ns, play in timed:
                play(lines, at_ns)
            yield

    # the device itself

    def _house(self, day: int) -> tuple[House, int]:
        """Return the house with the firmware that the device has on a day."""
        version = sum(at < day + 1 for at in self.home.firmware_day)
        firmware = f"{self.profile.firmware}.{version}" if version else ""
        own = {"unit": self.home.name}
        if firmware:
            own["firmware"] = firmware
        profile = self.profile.model_copy(update=own)
        seed = int(self._generator("house").integers(1 << 40))
        house = House(seed, {profile.device: profile})
        house.start_session(day)
        return house, version

    def _unasked(
        self, house: House, version: int, begin_ns: int
    ) -> Iterator[tuple[int, rare.Play]]:
        device = self.profile.device
        for at_s, exchange in house.background(device):
            if at_s >= DAY_NS / 1e9:
                return
            yield begin_ns + round(at_s * 1e9), _plain(_renamed(exchange, version))

    def _acts(
        self, house: House, version: int, day: int
    ) -> Iterator[tuple[int, rare.Play]]:
        rng = self._generator("acts", day)
        state = house.initial(self.profile.device)
        begin_ns = self.span.start_ns + day * DAY_NS
        for use in self.uses:
            if not begin_ns <= use.time_ns < begin_ns + DAY_NS:
                continue
            reaction = house.react(
                self.profile.device,
                use.activity,
                channel=use.channel,
                network=use.network,
                parameters=_parameters(self.profile, use.activity, rng),
                state=state,
            )
            if reaction is None:
                continue
            state.update(reaction.changes)
            each = [_plain(_renamed(e, version)) for e in reaction.exchanges]
            yield use.time_ns, rare.together(*each)
            if use.activity in _MUSIC and rng.random() < 0.7:
                yield use.time_ns, rare.music(rng)
            if self.home.skills and rng.random() < 0.3:
                host = str(rng.choice(self.home.skills))
                yield use.time_ns, rare.visit(host, rng, Tag(occasion="skill"))

    # what is rare

    def _spells(
        self, purpose: str, per_week: float, median_s: float
    ) -> list[tuple[int, int]]:
        """Draw spells of some hours that do not overlap, by time."""
        rng = self._generator(purpose)
        found: list[tuple[int, int]] = []
        for at_ns in self.span.moments(per_week, rng):
            lasts_s = float(min(rng.lognormal(np.log(median_s), 1.0), 12 * 3600.0))
            end_ns = at_ns + round(lasts_s * 1e9)
            if not found or at_ns > found[-1][1]:
                found.append((at_ns, end_ns))
        return found

    def _plan(
        self, outages: Sequence[tuple[int, int]], weak: Sequence[tuple[int, int]]
    ) -> Iterator[Happening]:
        rng = self._generator("rare")
        for begin_ns, end_ns in outages:
            lasts_s = (end_ns - begin_ns) / 1e9
            yield Happening(begin_ns, rare.offline(lasts_s, rng))
            yield Happening(end_ns, rare.reconnects(self._boot(end_ns), rng))
        for begin_ns, end_ns in weak:
            yield Happening(begin_ns, rare.weak_radio((end_ns - begin_ns) / 1e9, rng))
        yield from self._upkeep(rng)
        for kind, per_week, tag in (
            (rare.guest_casts, self.home.guests, "guest"),
            (rare.call, self.home.calls, "call"),
            (rare.crash_report, 0.6, "report"),
            (rare.searched, 2.5, "upnp"),
            (rare.looks_around, self.home.looks, "discovery"),
            (rare.several_rooms, self.home.rooms, "rooms"),
        ):
            own = self._generator(tag)
            for at_ns in self.span.moments(per_week, own):
                yield Happening(at_ns, kind(own))
        if self.home.scanner:
            for at_ns in self.span.moments(5.0, rng):
                yield Happening(at_ns, rare.looked_over(rng))
        for attack in self.attacks:
            own = self._generator("attack", attack.name, attack.intensity)
            yield from happenings(attack, self.span, own)

    def _upkeep(self, rng: Generator) -> Iterator[Happening]:
        """Yield starts, roll-outs of firmware, a reset, and changes of the clock."""
        for at_ns in self.span.moments(self.home.restarts, rng):
            boot = self._boot(at_ns)
            yield Happening(at_ns, rare.starts(boot, Tag(occasion="boot")))
        for version, day in enumerate(self.home.firmware_day, 1):
            at_ns = self.span.start_ns + round(day * DAY_NS)
            yield Happening(at_ns, rare.download(version, rng))
            again_ns = at_ns + round(float(rng.uniform(120.0, 900.0)) * 1e9)
            fresh = rare.starts(self._boot(again_ns), Tag(occasion="firmware"))
            yield Happening(again_ns, fresh)
        for at_ns in self.span.moments(0.1, rng):
            yield Happening(at_ns, rare.set_up_anew(self._boot(at_ns), rng))
        for at_ns in self.span.zone_changes(self.home.zone):
            yield Happening(at_ns, rare.clock_change(rng))

    def _boot(self, at_ns: int) -> Sequence[Exchange]:
        day = (at_ns - self.span.start_ns) // DAY_NS
        house, version = self._house(int(day))
        for _ in range(at_ns // 1_000_000_000 % 7):  # not the same start each time
            house.boot(self.profile.device)
        boot = house.boot(self.profile.device)
        return tuple(_renamed(exchange, version) for exchange in boot)

    def _generator(self, *purpose: object) -> Generator:
        return generator("home life", self.seed, self.home.name, *purpose)


def _plain(exchange: Exchange) -> rare.Play:
    """Return the playing of one exchange of every day."""

    def play(lines: Lines, at_ns: int) -> None:
        dark = lines.is_dark(at_ns)
        lines.play(at_ns, exchange, Tag(occasion="outage") if dark else ROUTINE)

    return play


def _renamed(exchange: Exchange, version: int) -> Exchange:
    """Let a newer firmware talk to newer servers: of every version one half moves."""
    server = exchange.server
    if not version or server in NODES or not server.endswith(".example"):
        return exchange
    moves = len(server) % 2 == version % 2
    if not moves:
        return exchange
    return replace(exchange, server=f"v{version}-{server}")


def _parameters(
    profile: DeviceProfile, activity: str, rng: Generator
) -> dict[str, str]:
    values = {
        "colour": ("red", "green", "blue"),
        "brightness": ("20", "60", "100"),
    }
    wanted = profile.activities[activity].parameters
    return {name: str(rng.choice(values.get(name, ("1",)))) for name in wanted}
