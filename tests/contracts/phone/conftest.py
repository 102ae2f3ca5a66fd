"""Phones to test: the real driver over a real adb server, and the fast lab's.

Add an opener to PHONES to hold another phone to the same contract.
"""

import asyncio
import shutil
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from testbed.clock import Clock, SystemClock, VirtualClock
from testbed.drivers.adb_server import AdbServer
from testbed.drivers.phone_avc import AndroidPhone, open_phone
from testbed.model.lab import PhoneAt
from testbed.model.protocols import Phone
from testbed.model.steps import Step
from testbed.virtual.fast.phone import FastPhone
from testbed.virtual.phone.apps import APPS
from testbed.virtual.phone.commands import Delays
from testbed.virtual.phone.loopback import LoopbackPhone
from testbed.virtual.phone.screens import AppScreens
from testbed.virtual.phone.wire import Message, pack, read_message
from tests.ports import free_port

VERSIONS = {app.package: "4.11.2" for app in APPS}
QUICK = Delays(tap=(0.05, 0.08), dump=(0.01, 0.03), start=(0.02, 0.04))
CALL_S = 30.0  # a busy machine takes its time
EFFECT_NS = 200_000_000
EFFECTS = {"stream_video": "Live", "turn_on": "On", "set_colour": "Colour red"}


@dataclass(frozen=True, kw_only=True)
class Begun:
    device: str
    activity: str
    channel: str
    network: str | None
    parameters: dict[str, str]
    instant_ns: int


@dataclass
class NotingStage:
    """A stage that notes what begins; the effect follows after EFFECT_NS."""

    clock: Clock
    begun: list[Begun] = field(default_factory=list)
    faults: set[str] = field(default_factory=set)
    values: dict[str, str] = field(default_factory=dict)  # of faults, '' elsewhere
    deaf: bool = False  # whether what begins from now on has no effect
    heard: dict[str, str] = field(default_factory=dict)
    unheard: list[bool] = field(default_factory=list)

    def begin(self, device, activity, *, channel, network, parameters, instant_ns):
        begun = Begun(
            device=device,
            activity=activity,
            channel=channel,
            network=network,
            parameters=dict(parameters),
            instant_ns=instant_ns,
        )
        self.begun.append(begun)
        self.unheard.append(self.deaf)

    def state(self, device):
        pairs = zip(self.begun, self.unheard, strict=True)
        mine = [(b, deaf) for b, deaf in pairs if b.device == device]
        if not mine:
            return {"status": "Ready", **self.heard}
        last, is_deaf = mine[-1]
        done = self.clock.now_ns() - last.instant_ns >= EFFECT_NS and not is_deaf
        status = EFFECTS.get(last.activity, "Done") if done else "Working"
        return {"status": status, **self.heard}

    def fault(self, kind, target):
        active = kind in self.faults and target == "phone"
        return self.values.get(kind, "") if active else None


@dataclass(frozen=True, kw_only=True)
class Bench:
    """A phone under test, with the stage behind it and the clock it lives by."""

    phone: Phone
    stage: NotingStage
    clock: Clock


def step(**act: object) -> Step:
    return Step.model_validate(act)


@contextmanager
def over_adb(home: Path) -> Iterator[Bench]:
    """Open the real driver, over a real adb server, on a virtual phone."""
    clock = SystemClock()
    stage = NotingStage(clock)
    loopback = LoopbackPhone(stage, clock, versions=VERSIONS, delays=QUICK)
    at = PhoneAt(serial=loopback.serial, adb_port=free_port(), connect=True)
    with loopback, open_phone(at, clock, home=home, call_timeout_s=CALL_S) as phone:
        yield Bench(phone=phone, stage=stage, clock=clock)


@contextmanager
def in_fast_lab(home: Path) -> Iterator[Bench]:
    """Open the phone of the fast lab, on virtual time."""
    clock = VirtualClock(1_795_000_000 * 10**9)
    stage = NotingStage(clock)
    screens = AppScreens(stage, clock, VERSIONS)
    rng = np.random.default_rng(zlib.crc32(home.name.encode()))
    phone = FastPhone(screens, clock, rng)
    yield Bench(phone=phone, stage=stage, clock=clock)
    phone.close()


PHONES = {"adb": over_adb, "fast": in_fast_lab}


def require_adb() -> None:
    assert shutil.which("adb"), "needs the program adb: sudo apt install adb"


@pytest.fixture(params=PHONES)
def bench(request, tmp_path) -> Iterator[Bench]:
    if request.param == "adb":
        require_adb()
    with PHONES[request.param](tmp_path) as opened:
        yield opened


@dataclass
class AdbBench:
    """The parts of the real driver's bench, to break one at a time."""

    home: Path
    clock: SystemClock = field(default_factory=SystemClock)
    stack: ExitStack = field(default_factory=ExitStack)

    def __post_init__(self) -> None:
        self.stage = NotingStage(self.clock)

    def server(self) -> AdbServer:
        """Start an adb server alone."""
        server = AdbServer(free_port(), clock=self.clock, usb=False, home=self.home)
        return self.stack.enter_context(server)

    def switch_on(self, delays: Delays = QUICK, port: int = 0) -> LoopbackPhone:
        phone = LoopbackPhone(
            self.stage, self.clock, versions=VERSIONS, delays=delays, port=port
        )
        return self.stack.enter_context(phone)

    def open(self, serial: str, adb_port: int = 0, **options) -> AndroidPhone:
        """Open the driver, behind a server on a port of its own."""
        port = adb_port or free_port()
        at = PhoneAt(serial=serial, adb_port=port, connect=True)
        options = {
            "home": self.home,
            "call_timeout_s": CALL_S,
            "ready_s": CALL_S,
            **options,
        }
        return self.stack.enter_context(open_phone(at, self.clock, **options))


@pytest.fixture
def adb(tmp_path) -> Iterator[AdbBench]:
    require_adb()
    bench = AdbBench(tmp_path)
    before = set(threading.enumerate())
    with bench.stack:
        yield bench
    left = [t for t in set(threading.enumerate()) - before if not t.daemon]
    for thread in left:
        thread.join(30)
    assert [t.name for t in left if t.is_alive()] == []


@contextmanager
def locked_phone() -> Iterator[str]:
    """Serve a phone whose owner has not said yes; yield its serial."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def ask_for_a_signature(reader, writer):
        token = Message(command="AUTH", arg0=1, arg1=0, payload=bytes(20))
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while (await read_message(reader)).arg0 != 3:  # until it sends its key
                writer.write(pack(token, checksum=True))
            await reader.read()
        writer.close()

    async def serve():
        return await asyncio.start_server(ask_for_a_signature, "127.0.0.1", 0)

    async def stop():
        server.close()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    server = asyncio.run_coroutine_threadsafe(serve(), loop).result(30)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        asyncio.run_coroutine_threadsafe(stop(), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)
        loop.close()


@pytest.fixture
def locked_serial() -> Iterator[str]:
    with locked_phone() as serial:
        yield serial


@pytest.fixture
def make_step() -> Callable[..., Step]:
    return step


@pytest.fixture
def port() -> int:
    return free_port()
