"""The fast lab: the virtual house under a virtual clock, without a network.

    lab = open_fast_lab(lab_file, profiles, seed=7, truth=folder, start_ns=...)
    lab.capture_point.start_capture("evening", poke)
    lab.phone.perform(step)
    lab.next_session(1)

Its instruments keep the promises of `testbed.model.protocols`, with the delays of the
live lab; use them from one thread.
"""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Self

from testbed.clock import VirtualClock
from testbed.errors import LabError
from testbed.model.lab import Lab, Virtual
from testbed.model.profile import DeviceProfile
from testbed.virtual.fast.around import Around
from testbed.virtual.fast.calls import plug_call
from testbed.virtual.fast.capture import FastCapture, SkewedClock
from testbed.virtual.fast.phone import FastPhone
from testbed.virtual.fast.plug import Call, FastPlug
from testbed.virtual.fast.recorder import Depth, Recorder
from testbed.virtual.fast.truth import Truth
from testbed.virtual.fast.voice import FastVoice
from testbed.virtual.fast.wire import Network, Wire
from testbed.virtual.faults import FaultScript, step_s
from testbed.virtual.house import House, Scene
from testbed.virtual.house.catalogue import WAKE_WORDS
from testbed.virtual.house.hosts import DEVICES, PLUGS, ROUTER
from testbed.virtual.house.scene import CUT_OFF
from testbed.virtual.house.unit import generator
from testbed.virtual.phone.apps import APPS
from testbed.virtual.phone.screens import AppScreens
from testbed.virtual.twin.house import (
    TwinHouse,
    TwinRecorder,
    apps_of,
    twins_of,
)
from testbed.virtual.twin.read import Twin
from testbed.virtual.wemo.relay import DeviceRelay, FeedingRelay, Relay

_DAY_NS = 86_400 * 10**9
_HEARING_S = 0.36  # how long after the last word a speaker has understood


@dataclass(frozen=True, slots=True)
class FastBeacons:
    """Sends beacons across the captured LAN."""

    recorder: Recorder
    clock: VirtualClock

    def send(self, payload: bytes) -> None:
        """Send one beacon now."""
        self.recorder.send_beacon(payload, self.clock.now_ns())


@dataclass(slots=True, kw_only=True)
class FastLab:
    """The instruments of the fast lab; a context manager that leaves nothing behind."""

    phone: FastPhone
    voice: FastVoice
    plugs: dict[str, FastPlug]
    capture_point: FastCapture
    clock: VirtualClock
    beacons: FastBeacons
    scene: Scene
    house: House
    _recorder: Recorder
    _seed: int
    _started_ns: int

    def next_session(self, index: int) -> None:
        """Move to a later day, and redraw what differs from session to session.

        The hour of the day stays about the same. Session 0 is the first; a session
        whose day has begun already is not moved.
        """
        self.capture_point.pump()
        rng = generator("calendar", self._seed, index)
        # Within the same hour, yet never at the same minute of two days.
        late_ns = int(rng.uniform(-1800, 1800) * 1e9) if index else 0
        aim_ns = self._started_ns + index * _DAY_NS + late_ns
        now_ns = self.clock.now_ns()
        while aim_ns < now_ns and _day(aim_ns) <= _day(now_ns):
            aim_ns += _DAY_NS
        if index == 0 and now_ns - self._started_ns < _DAY_NS:
            return
        self.clock.sleep((aim_ns - now_ns) / 1e9)
        self.house.start_session(index)
        self._recorder.restart(self.clock.now_ns())

    def close(self) -> None:
        """End the capture; files that nobody fetched are gone."""
        self.capture_point.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_fast_lab(
    lab: Lab,
    profiles: Mapping[str, DeviceProfile],
    *,
    seed: int,
    truth: Path,
    start_ns: int,
    depth: Depth = Depth.PACKETS,
) -> FastLab:
    """Open the fast form of the virtual lab that `lab` describes.

    seed      of everything that is drawn: same seed and same calls, same bytes
    truth     folder for the ground truth
    start_ns  where the virtual clock starts, ns UTC
    depth     whether packets are written, or only what people did

    Raises LabError when `lab` is not a virtual one.
    """
    if lab.virtual is None:
        raise LabError(f"lab {lab.lab!r} is not virtual; run it without --fast")
    clock, ground = VirtualClock(start_ns), Truth(truth)
    behind = _open_house(lab.virtual, profiles, seed, clock, ground, depth)
    scene, recorder, wrong = behind.scene, behind.recorder, lab.virtual.router_clock
    return FastLab(
        phone=FastPhone(behind.screens, clock, generator("phone", seed, start_ns)),
        voice=FastVoice(scene, clock, generator("voice", seed, start_ns), WAKE_WORDS),
        plugs=_plugs(lab, scene, clock, recorder, seed),
        capture_point=FastCapture(
            lab.router,
            recorder,
            clock,
            router_clock=SkewedClock(wrong, start_ns, _steps(behind.script)),
            truth=ground,
            rng=generator("router", seed, start_ns),
            folder=truth / "router",
            around=_around(behind, clock, profiles),
        ),
        clock=clock,
        beacons=FastBeacons(recorder, clock),
        scene=scene,
        house=behind.house,
        _recorder=recorder,
        _seed=seed,
        _started_ns=start_ns,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Behind:
    """What the instruments act on."""

    house: House
    recorder: Recorder
    scene: Scene
    screens: AppScreens
    script: FaultScript


def _open_house(
    virtual: Virtual,
    profiles: Mapping[str, DeviceProfile],
    seed: int,
    clock: VirtualClock,
    ground: Truth,
    depth: Depth,
) -> _Behind:
    start_ns = clock.now_ns()
    twins = twins_of(virtual.twins or ())
    house = _house(virtual.seed, profiles, f"{seed} {start_ns}", twins)
    faults = FaultScript(virtual.faults, clock)
    faults.begin()
    network = _network(virtual, profiles, faults)
    wire = Wire(network, generator("wire", seed, start_ns))
    recorder = _recorder(house, wire, start_ns, depth, profiles)
    scene = Scene(
        house,
        clock,
        recorder,
        fault=faults,
        hearing_s=_HEARING_S,
        first_number=ground.next_number,
    )
    versions = {p.app.package: p.app.version for p in profiles.values() if p.app}
    apps = [app for twin in twins.values() for app in apps_of(twin)]
    versions |= {app.package: "1" for app in apps}
    screens = AppScreens(scene, clock, versions, apps=(*APPS, *apps))
    recorder.phone_network = lambda: screens.network
    return _Behind(
        house=house, recorder=recorder, scene=scene, screens=screens, script=faults
    )


def _house(
    seed: int,
    profiles: Mapping[str, DeviceProfile],
    run: str,
    twins: Mapping[str, Twin],
) -> House:
    # The lab file says which copies of the devices stand here, the seed what they do.
    if twins:
        return TwinHouse(seed, profiles, run=run, twins=twins)
    return House(seed, profiles, run=run)


def _recorder(
    house: House,
    wire: Wire,
    start_ns: int,
    depth: Depth,
    profiles: Mapping[str, DeviceProfile],
) -> Recorder:
    if not isinstance(house, TwinHouse):
        return Recorder(house, wire, start_ns, depth)
    macs = {name: profile.mac for name, profile in profiles.items()}
    return TwinRecorder(house, wire, start_ns, depth, macs)


def _around(
    behind: _Behind, clock: VirtualClock, profiles: Mapping[str, DeviceProfile]
) -> Around:
    return Around(
        script=behind.script,
        clock=clock,
        macs={profile.mac: name for name, profile in profiles.items()},
        silent_ns=behind.recorder.silent_ns.get,
    )


def _steps(script: FaultScript) -> list[tuple[int, int, int]]:
    return [
        (spell.begin_ns, spell.end_ns, round(step_s(spell.value) * 1e9))
        for spell in script.spells("clock_step", ROUTER)
    ]


def _network(
    virtual: Virtual, profiles: Mapping[str, DeviceProfile], script: FaultScript
) -> Network:
    def spells(kind: str, target: str) -> list[tuple[int, int]]:
        return [(s.begin_ns, s.end_ns) for s in script.spells(kind, target)]

    return Network(
        wan_delay_s=virtual.wan_delay,
        # Each way loses its share, and a lost acknowledgement may cost a segment too.
        loss=2 * virtual.wan_loss,
        macs={name: profile.mac for name, profile in profiles.items()},
        cut_off={
            node: [one for kind in CUT_OFF for one in spells(kind, node)]
            for node in DEVICES
        }
        | {plug: spells("plug_unreachable", plug) for plug in PLUGS},
        dark=spells("internet_down", ROUTER),
    )


def _plugs(
    lab: Lab, scene: Scene, clock: VirtualClock, recorder: Recorder, seed: int
) -> dict[str, FastPlug]:
    plugs = {}
    for name, at in lab.plugs.items():
        relay: Relay
        if at.is_device is not None:
            relay = DeviceRelay(scene, clock, plug=name, device=at.is_device)
            node = at.is_device
        else:
            relay = FeedingRelay(scene, clock, plug=name, feeds=at.feeds)
            node = name
        rng = generator("plug", seed, clock.now_ns(), name)
        plugs[name] = FastPlug(
            name,
            relay,
            clock,
            rng,
            _caller(node, recorder, clock, seed),
            fault=partial(_fault_of, scene, (name, node)),
        )
    return plugs


def _fault_of(scene: Scene, names: tuple[str, str], kind: str) -> str | None:
    found = (scene.fault(kind, name) for name in names)
    return next((value for value in found if value is not None), None)


def _caller(node: str, recorder: Recorder, clock: VirtualClock, seed: int) -> Call:
    rng = generator("calls", seed, clock.now_ns(), node)

    def call(action: str, value: str, given: str) -> None:
        now_ns = clock.now_ns()
        exchange = plug_call(node, action, value, rng, given=given)
        cause = 0
        for latest in recorder.causes[-1:] if action == "SetBinaryState" else ():
            # The activity of a device that is itself a plug is this very call.
            if (latest.device, latest.instant_ns) == (node, now_ns):
                cause = latest.number
        recorder.add(exchange, now_ns, cause)

    return call


def _day(stamp_ns: int) -> datetime.date:
    return datetime.datetime.fromtimestamp(stamp_ns // 10**9, tz=datetime.UTC).date()
