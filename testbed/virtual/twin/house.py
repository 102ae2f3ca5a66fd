"""Twins beside the devices of the virtual house, in the fast lab.

`TwinHouse` answers for twins when somebody acts; `TwinRecorder` writes what they send.
Neither changes what the devices of the house do.
"""

import heapq
import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from numpy.random import Generator

from testbed.errors import ConfigError
from testbed.model.profile import DeviceProfile
from testbed.virtual.fast.frames import Packet
from testbed.virtual.fast.recorder import Depth, Recorder
from testbed.virtual.fast.wire import Wire
from testbed.virtual.house import Cause, House
from testbed.virtual.house.act import SOME_DAY_NS
from testbed.virtual.house.hosts import NODES, ROUTER
from testbed.virtual.house.house import Reaction
from testbed.virtual.phone.apps import App, Button
from testbed.virtual.traffic import Exchange
from testbed.virtual.twin.draw import Drawer
from testbed.virtual.twin.frames import Flow, FrameMaker
from testbed.virtual.twin.groups import roles_of
from testbed.virtual.twin.read import Shape, Twin, load_twin, mac_of

BUTTONS = 9  # on one screen; more activities have more apps
_DONE = "Done"
_EFFECT_S = (0.2, 1.0)
_FIRST_HOST = 41  # of the LAN
_EPHEMERAL = 32_768
_SYN = 2


class TwinHouse(House):
    """The house, and twins in it that do what was learnt."""

    def __init__(
        self,
        seed: int,
        profiles: Mapping[str, DeviceProfile],
        *,
        run: str,
        twins: Mapping[str, Twin],
    ) -> None:
        self.twins = twins
        self.session = 0
        super().__init__(seed, profiles, run=run)
        self.devices = (*self.devices, *twins)

    def start_session(self, index: int) -> None:
        """Redraw what differs from session to session."""
        self.session = index
        super().start_session(index)

    def initial(self, device: str) -> dict[str, str]:
        """Return the state in which a device is found."""
        if device in self.twins:
            return {"power": "on", "status": "Ready"}
        return super().initial(device)

    def draws(self, purpose: str, device: str) -> Generator:
        """Return the next generator of a twin's purpose."""
        return self._generator(purpose, device)

    def react(
        self,
        device: str,
        activity: str,
        *,
        channel: str,
        network: str | None,
        parameters: Mapping[str, str],
        state: Mapping[str, str],
        instant_ns: int = SOME_DAY_NS,
    ) -> Reaction | None:
        """Return what follows from an activity; a twin's packets are not exchanges."""
        if device not in self.twins:
            return super().react(
                device,
                activity,
                channel=channel,
                network=network,
                parameters=parameters,
                state=state,
                instant_ns=instant_ns,
            )
        rng = self.draws("react", device)
        return Reaction(
            device=device,
            activity=activity,
            channel=channel,
            network=network,
            effect_s=float(rng.uniform(*_EFFECT_S)),
            status=done(activity),
            changes={},
            exchanges=(),
        )


# time_ns, what the shape tells, the connection, cause; numbers in the headers follow
# the order of time, so that frames are made when they are due
_Due = tuple[int, dict[str, Any], Flow, int]


@dataclass(slots=True)
class _Playing:
    """One twin at work.

    busy_ns  where label windows are: what is idle then is part of what was learnt
    serves   groups that ask the twin: the changing port is the other end's
    """

    twin: Twin
    drawer: Drawer
    maker: FrameMaker
    packets: list[_Due] = field(default_factory=list)
    due: list[tuple[int, int]] = field(default_factory=list)
    busy_ns: list[tuple[int, int]] = field(default_factory=list)
    ports: dict[tuple[int, int], int] = field(default_factory=dict)
    serves: frozenset[int] = frozenset()


class TwinRecorder(Recorder):
    """A recorder that also writes the packets of twins."""

    def __init__(
        self,
        house: TwinHouse,
        wire: Wire,
        start_ns: int,
        depth: Depth,
        macs: Mapping[str, str],
    ) -> None:
        super().__init__(house, wire, start_ns, depth)
        self._twin_house = house
        self._writes = depth is Depth.PACKETS
        self._playing: dict[str, _Playing] = {}
        for number, (name, twin) in enumerate(house.twins.items()):
            rng = house.draws("frames", name)
            last = _FIRST_HOST + number
            self._playing[name] = _Playing(
                twin=twin,
                drawer=Drawer(twin),
                serves=frozenset(
                    group for group, role in roles_of(twin).items() if role[-1]
                ),
                maker=FrameMaker(
                    mac=bytes.fromhex(macs.get(name, mac_of(twin)).replace(":", "")),
                    router_mac=bytes.fromhex(NODES[ROUTER].mac.replace(":", "")),
                    ip=ipaddress.ip_address(f"10.77.0.{last}").packed,
                    rng=rng,
                ),
            )
            self._begin_idle(name, start_ns)

    def play(
        self, cause: Cause, exchanges: tuple[Exchange, ...], start_ns: int
    ) -> None:
        """Play an activity; that of a twin is drawn from what it learnt."""
        super().play(cause, exchanges, start_ns)
        playing = self._playing.get(cause.device)
        if playing is None or not self._writes:
            return
        at_ns = cause.instant_ns
        rng = self._twin_house.draws("trial", cause.device)
        session = self._twin_house.session
        shape = playing.drawer.trial(cause.activity, session, rng)
        end_ns = at_ns + playing.twin.delta_ns[cause.activity]
        playing.packets = [
            p for p in playing.packets if p[3] or not at_ns <= p[0] < end_ns
        ]
        playing.busy_ns.append((at_ns, end_ns))
        playing.packets += _packets(playing, shape, at_ns, cause.number, rng)

    def packets_until(self, until_ns: int) -> list[Packet]:
        """Return the packets before `until_ns` that were not returned yet, by time."""
        found = super().packets_until(until_ns)
        for name, playing in self._playing.items():
            self._idle_until(name, playing, until_ns)
            due = [p for p in playing.packets if p[0] < until_ns]
            due.sort(key=lambda each: each[0])
            found += [playing.maker.packet(*each) for each in due]
            playing.packets = [p for p in playing.packets if p[0] >= until_ns]
            playing.busy_ns = [b for b in playing.busy_ns if b[1] > until_ns]
        found.sort(key=lambda packet: packet.time_ns)
        return found

    def restart(self, start_ns: int) -> None:
        """Begin another day: nobody remembers a connection."""
        super().restart(start_ns)
        for name, playing in self._playing.items():
            playing.packets.clear()
            playing.busy_ns.clear()
            playing.ports.clear()
            playing.maker.forget()
            self._begin_idle(name, start_ns)

    def _begin_idle(self, name: str, start_ns: int) -> None:
        playing = self._playing[name]
        rng = self._twin_house.draws("idle", name)
        # Nothing is in step with the start: each has begun long ago.
        firsts = [rng.uniform(0.0, source.mean_s) for source in playing.twin.idle]
        playing.due = [(start_ns + round(s * 1e9), k) for k, s in enumerate(firsts)]
        heapq.heapify(playing.due)

    def _idle_until(self, name: str, playing: _Playing, until_ns: int) -> None:
        if not self._writes:
            return
        while playing.due and playing.due[0][0] < until_ns:
            at_ns, number = heapq.heappop(playing.due)
            source = playing.twin.idle[number]
            rng = self._twin_house.draws("event", name)
            if not any(begin <= at_ns < end for begin, end in playing.busy_ns):
                shape = playing.drawer.event(source.events, rng)
                playing.packets += _packets(playing, shape, at_ns, 0, rng)
            shape_of = 1.0 / max(source.cv, 0.02) ** 2
            wait_s = source.mean_s * float(rng.gamma(shape_of, 1.0 / shape_of))
            next_ns = at_ns + max(1_000_000, round(wait_s * 1e9))
            heapq.heappush(playing.due, (next_ns, number))


def _packets(
    playing: _Playing, shape: Shape, at_ns: int, cause: int, rng: Generator
) -> list[_Due]:
    columns = {name: column.tolist() for name, column in shape.columns.items()}
    port_of = _ports(playing, columns, rng)
    remotes = playing.twin.remotes
    found: list[_Due] = []
    for values in zip(*columns.values(), strict=True):
        row = dict(zip(columns, values, strict=True))
        ports = port_of[row["group"], row["flow"]], row["remote_port"]
        if row["group"] in playing.serves:
            ports = row["own_port"], ports[0]
        remote = remotes[row["remote"]] if row["remote"] >= 0 else ""
        flow = Flow(remote, row["protocol"], *ports)
        time_ns = at_ns + row["offset_ns"]
        found.append((time_ns, row, flow, cause))
    return found


def _ports(
    playing: _Playing, columns: Mapping[str, Sequence[int]], rng: Generator
) -> dict[tuple[int, int], int]:
    """Return the ports of who asks: fixed ones as learnt, old ones as before.

    A connection that opens within the shape, and datagrams, have a port of their own.
    """
    found: dict[tuple[int, int], int] = {}
    names = ("group", "flow", "own_port", "remote_port", "protocol", "tcp_flags")
    for group, flow, own, far, protocol, flags in zip(
        *(columns[name] for name in names), strict=True
    ):
        own = far if group in playing.serves else own
        key = (group, flow)
        if own < _EPHEMERAL:
            found.setdefault(key, own)
        elif key not in found:
            fresh = int(rng.integers(_EPHEMERAL, 60_999))
            stands = protocol == 6 and not flags & _SYN
            found[key] = playing.ports.setdefault(key, fresh) if stands else fresh
            if not stands and protocol == 6:
                playing.ports[key] = found[key]
    return found


def twins_of(files: Sequence[str]) -> dict[str, Twin]:
    """Return the twins of a lab by name.

    Raises ConfigError when a file is no twin, or two have one name.
    """
    twins: dict[str, Twin] = {}
    for file in files:
        twin = load_twin(Path(file))
        if twin.device in twins:
            raise ConfigError(f"{file}: another twin is called {twin.device} already")
        twins[twin.device] = twin
    return twins


def apps_of(twin: Twin) -> tuple[App, ...]:
    """Return the apps of a twin: a button per activity, as many as fit on a screen."""
    names = list(twin.trials)
    pages = [names[at : at + BUTTONS] for at in range(0, len(names), BUTTONS)]
    return tuple(
        App(
            device=twin.device,
            package=package_of(twin.device, number),
            title=f"{twin.device} {number + 1}",
            buttons=tuple(Button(activity=name) for name in page),
        )
        for number, page in enumerate(pages)
    )


def package_of(device: str, page: int) -> str:
    """Return the package of one of a twin's apps."""
    return f"example.twin.{device}.p{page + 1}"


def done(activity: str) -> str:
    """Return what the app shows when an activity has taken effect."""
    return f"{_DONE}: {activity}"
