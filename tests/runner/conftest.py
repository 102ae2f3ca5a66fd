"""Labs that do what a test says, with their journals; and servers for journals."""

from types import SimpleNamespace

import pytest

from testbed.clock import VirtualClock
from testbed.errors import DriverError, DriverNoEffectError, DriverTimeoutError
from testbed.model.events import Outcome
from testbed.model.lab import Lab
from testbed.model.profile import DeviceProfile
from testbed.model.types import Channel
from testbed.runner.bench import Bench
from testbed.runner.campaigns.campaign import (
    Inputs,
    Means,
    close_campaign,
    run_campaign,
)
from testbed.runner.journal.fold import fold
from testbed.runner.journal.store import Journal, open_store
from testbed.runner.stop import Stop
from testbed.runner.trials.site import Settings
from tests.postgres import PostgresServer
from tests.runner.planned import LAB, PROFILES, planned, small_plan
from tests.runner.scripted import (
    START_NS,
    DyingStore,
    Killed,
    ScaledClock,
    ScriptedBeacons,
    ScriptedCapture,
    ScriptedPhone,
    ScriptedPlug,
    ScriptedVoice,
    World,
)


class Rig:
    """A lab, its journal and a way to run campaigns in it."""

    def __init__(self, folder, clock, **settings):
        self.folder = folder
        self.clock = clock
        self.world = World(clock)
        self.capture = ScriptedCapture(self.world, folder / "router")
        self.bench = Bench(
            capture=self.capture,
            beacons=ScriptedBeacons(self.capture),
            phone=ScriptedPhone(self.world),
            voice=ScriptedVoice(self.world, folder),
            plugs={n: ScriptedPlug(self.world, n) for n in LAB["plugs"]},
        )
        self.lab = Lab.model_validate(LAB)
        self.profiles = {
            name: DeviceProfile.model_validate({"device": name, **values})
            for name, values in PROFILES.items()
        }
        self.settings = Settings(**({"threads": False} | settings))
        self.store = open_store(folder / "journal.sqlite", clock, durable=False)
        self.stop = Stop()
        self.campaign = "small-1"

    def run(
        self,
        plan=None,
        *,
        store=None,
        ended=lambda _: None,
        say=lambda _: None,
        fresh=True,
    ):
        inputs = Inputs(
            campaign=self.campaign,
            form="fast",
            simulated=True,
            lab=self.lab,
            profiles=self.profiles,
            plan=plan or small_plan(),
        )
        means = Means(
            bench=self.bench,
            store=store or self.store,
            clock=self.clock,
            stop=self.stop,
            captures=self.folder,
            settings=self.settings,
            fresh=fresh,
        )
        return run_campaign(inputs, means, ended, say)

    def resume(self, *, fresh=False, **more):
        """Run again as a new process would: nothing is left but journal and router."""
        self.stop = Stop()
        self.world.killed = False
        return self.run(fresh=fresh, **more)

    def events(self):
        return [r.event for r in Journal(self.store, self.campaign).read()]

    def state(self):
        return fold(Journal(self.store, self.campaign).read())


@pytest.fixture
def rig(tmp_path):
    made = []

    def make(clock=None, **settings):
        folder = tmp_path / f"rig{len(made)}"
        folder.mkdir()
        made.append(Rig(folder, clock or VirtualClock(START_NS), **settings))
        return made[-1]

    yield make
    for one in made:
        one.store.close()


@pytest.fixture(scope="session")
def postgres():
    """A PostgreSQL server, started once for all tests of this process."""
    server = PostgresServer()
    yield server
    server.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def journal_at(request, tmp_path):
    """Where a journal may be: in a file, or in an empty database of a server."""
    if request.param == "sqlite":
        return str(tmp_path / "journal.sqlite")
    return request.getfixturevalue("postgres").new_database()


@pytest.fixture
def kit():
    """Names of this file that tests need; importlib mode does not let them import."""
    return SimpleNamespace(
        START_NS=START_NS,
        ScaledClock=ScaledClock,
        DyingStore=DyingStore,
        Killed=Killed,
        planned=planned,
        small_plan=small_plan,
        close_campaign=close_campaign,
        Outcome=Outcome,
        phone=Channel.PHONE,
        voice=Channel.VOICE,
        power=Channel.POWER,
        api=Channel.API,
        DriverError=DriverError,
        DriverNoEffectError=DriverNoEffectError,
        DriverTimeoutError=DriverTimeoutError,
    )
