"""Scripted instruments in memory: a lab that does what a test says, on any clock."""

import hashlib
import struct
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field

from analysis.pcap.writer import open_capture
from testbed.clock import SystemClock
from testbed.errors import DriverTimeoutError
from testbed.model.protocols import (
    Bracket,
    CaptureEnd,
    CaptureFile,
    ClockSample,
    Evidence,
    Utterance,
)

START_NS = 1_795_000_000 * 10**9


class Killed(BaseException):
    """Stands for kill -9: nothing of ours runs after it, nothing is written."""


class DyingStore:
    """A journal store whose process is killed at its n-th write, or just after it."""

    def __init__(self, store, world, n, *, after):
        self._store = store
        self._world = world
        self._left = n
        self._after = after

    def __getattr__(self, name):
        return getattr(self._store, name)

    def insert(self, campaign, event):
        if self._world.killed:
            raise Killed
        self._left -= 1
        if self._left == 0:
            if self._after:
                self._store.insert(campaign, event)
            self._world.killed = True
            raise Killed
        return self._store.insert(campaign, event)


class ScaledClock:
    """Real time, `factor` times as fast: threads really overlap, in little time."""

    def __init__(self, factor=200.0):
        self._real = SystemClock()
        self._zero_s = self._real.monotonic_s()
        self._factor = factor

    def monotonic_s(self):
        return (self._real.monotonic_s() - self._zero_s) * self._factor

    def now_ns(self):
        return START_NS + round(self.monotonic_s() * 1e9)

    def sleep(self, duration_s):
        if duration_s > 0:
            self._real.sleep(min(duration_s / self._factor, 0.05))


@dataclass
class Use:
    """One stretch of time for which an instrument was in use."""

    name: str
    begin_s: float
    end_s: float


@dataclass
class World:
    """What the scripted instruments share. Each `broken` entry is raised once.

    gone     first word of an act -> (from, until): all such acts fail meanwhile
    silent   MAC -> (from, until) when a device says nothing
    """

    clock: object
    router_offset_ns: int = 49 * 10**9
    drift_ppm: float = 20.0
    screen: str = "home"
    heard: str = ""
    power: dict = field(default_factory=dict)
    acts: list = field(default_factory=list)
    uses: list = field(default_factory=list)
    broken: dict = field(default_factory=dict)
    deaf: bool = False
    killed: bool = False
    dead: set = field(default_factory=set)  # plugs through which no current flows
    gone: dict = field(default_factory=dict)
    silent: dict = field(default_factory=dict)
    offline: tuple = (0.0, 0.0)  # from, until: no internet
    free_b: int = 10**10
    app: str = "9.1"
    lock: threading.Lock = field(default_factory=threading.Lock)

    def is_in(self, span):
        return span[0] <= self.clock.monotonic_s() < span[1]

    def reach(self, what):
        if self.is_in(self.gone.get(what.split()[0], (0.0, 0.0))):
            self.clock.sleep(2.0)
            raise DriverTimeoutError(what.split()[0], what, "no answer")

    def act(self, what):
        if self.killed:
            raise Killed
        self.reach(what)
        with self.lock:
            self.acts.append(what)
            scripted = self.broken.get(what, [])
            error = scripted.pop(0) if scripted else None
        if error is not None:
            raise error

    @contextmanager
    def using(self, name):
        begin_s = self.clock.monotonic_s()
        yield
        with self.lock:
            self.uses.append(Use(name, begin_s, self.clock.monotonic_s()))

    def router_ns(self, at_ns):
        drift_ns = (at_ns - START_NS) * self.drift_ppm * 1e-6
        return at_ns + self.router_offset_ns + round(drift_ns)

    def bracket(self, duration_s):
        issue_ns = self.clock.now_ns()
        self.clock.sleep(duration_s / 2)
        instant_ns = self.clock.now_ns()
        self.clock.sleep(duration_s / 2)
        return Bracket(
            issue_ns=issue_ns, return_ns=self.clock.now_ns(), instant_ns=instant_ns
        )


class ScriptedPhone:
    def __init__(self, world):
        self.world = world

    def perform(self, step):
        with self.world.using("phone"):
            self.world.act(f"phone {step.act}")
            if step.act == "tap":
                self.world.screen = step.tap.any[0].text
            return self.world.bracket(0.4)

    def expect(self, interrupts):
        pass

    def see(self, selector, within_s):
        with self.world.using("phone"):
            self.world.act("phone see")
            text = selector.any[0].text
            if text in (self.world.screen, f"heard {self.world.heard}"):
                return True
            self.world.clock.sleep(within_s)
            return False

    def evidence(self):
        self.world.reach("phone")
        return Evidence(screenshot_png=b"\x89PNG", view_tree_xml="<hierarchy/>")

    def app_version(self, package):
        self.world.reach("phone")
        return self.world.app

    def set_network(self, network):
        self.world.act(f"phone network {network}")


class ScriptedVoice:
    def __init__(self, world, folder):
        self.world = world
        self.folder = folder

    def render(self, text):
        return Utterance(
            text=text,
            wav=self.folder / "said.wav",
            sha256="00",
            engine="scripted",
            duration_s=1.0,
        )

    def play(self, utterance):
        with self.world.using("room"):
            self.world.act("voice play")
            bracket = self.world.bracket(1.0)
            if not self.world.deaf:
                self.world.heard = utterance.text
            return bracket


class ScriptedPlug:
    def __init__(self, world, name):
        self.world = world
        self.name = name

    def set_power(self, on):
        with self.world.using(f"plug {self.name}"):
            self.world.act(f"{self.name} {'on' if on else 'off'}")
            self.world.power[self.name] = on
            return self.world.bracket(0.1)

    def read_power(self):
        self.world.reach(self.name)
        return self.world.power.get(self.name, False)

    def read_power_w(self):
        flows = self.read_power() and self.name not in self.world.dead
        return 6.0 if flows else 0.0


class ScriptedBeacons:
    def __init__(self, capture):
        self.capture = capture

    def send(self, payload):
        self.capture.see_packet(payload)


class ScriptedCapture:
    """Keeps captured beacons, and hands them over in files as a router would."""

    def __init__(self, world, folder):
        self.world = world
        self.folder = folder
        folder.mkdir()
        self.running = False
        self.n = 0
        self.packets = []
        self.lost = False  # True: packets are no longer recorded
        self.reaped = 0
        self.died = False
        self.names = []  # one entry for each time that a capture was started

    def see_packet(self, payload):
        if self.world.killed:
            raise Killed
        if self.running and not self.lost and not self.died:
            at_ns = self.world.router_ns(self.world.clock.now_ns() + 200_000)
            self.packets.append((at_ns, payload))

    def start_capture(self, name, poke):
        self.world.act("capture start")
        self.running, self.died = True, False
        self.names.append(name)
        poke()

    def is_recording(self):
        self.world.reach("capture")
        return self.running and not self.died

    def rotate(self):
        self.n += 1
        with open_capture(self.folder / f"lan-{self.n:05d}.pcapng") as out:
            for at_ns, payload in self.packets:
                out.packet(at_ns, udp_frame(payload))
        self.packets = []

    def finished_files(self):
        self.world.reach("capture")
        return [
            CaptureFile(
                name=p.name,
                size_b=p.stat().st_size,
                sha256=hashlib.sha256(p.read_bytes()).hexdigest(),
            )
            for p in sorted(self.folder.iterdir())
        ]

    def fetch(self, file, target):
        self.world.act("capture fetch")
        path = self.folder / file.name
        target.write_bytes(path.read_bytes())
        path.unlink()

    def renew_lease(self):
        self.world.act("capture renew")

    def stop_capture(self):
        self.world.act("capture stop")
        if self.running:
            self.rotate()
        self.running = False
        return CaptureEnd(
            tool="tshark",
            version="4",
            received=10,
            dropped=0,
            stopped_by="gone" if self.died else "INT",
            log="",
        )

    def reap(self):
        self.reaped += 1
        if not self.running:
            return ()
        self.running = False
        self.rotate()
        return ("a capture",)

    def free_b(self):
        self.world.reach("capture")
        return self.world.free_b

    def heard_s(self, mac):
        self.world.reach("capture")
        span = self.world.silent.get(mac, (0.0, 0.0))
        return self.world.clock.monotonic_s() - span[0] if self.world.is_in(span) else 1

    def internet_ok(self, host_port):
        self.world.reach("capture")
        return not self.world.is_in(self.world.offline)

    def clock_offset(self):
        self.world.reach("capture")
        at_ns = self.world.clock.now_ns()
        return ClockSample(
            at_ns=at_ns,
            offset_ns=self.world.router_ns(at_ns) - at_ns,
            error_ns=300_000,
        )

    def close(self):
        pass


def udp_frame(payload):
    udp = struct.pack(">HHHH", 40000, 47777, 8 + len(payload), 0) + payload
    ip = struct.pack(
        ">BBHHHBBH4s4s",
        0x45,
        0,
        20 + len(udp),
        0,
        0,
        64,
        17,
        0,
        bytes([10, 77, 0, 5]),
        bytes([10, 77, 0, 1]),
    )
    return bytes(12) + b"\x08\x00" + ip + udp
