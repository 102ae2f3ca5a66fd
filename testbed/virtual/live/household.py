"""The process that plays all devices, the cloud and the virtual instruments."""

import asyncio
import datetime as dt
import logging
import signal
from collections.abc import Callable

from testbed.clock import SystemClock
from testbed.virtual.faults import FaultScript
from testbed.virtual.house import House
from testbed.virtual.house.hosts import ROUTER
from testbed.virtual.live import kernel, names, places, topology
from testbed.virtual.live.certificates import Authority
from testbed.virtual.live.config import FAULTS, LiveConfig
from testbed.virtual.live.datagrams import PostOffice
from testbed.virtual.live.ground import GroundTruth
from testbed.virtual.live.instruments import Instruments
from testbed.virtual.live.links import Switchboard
from testbed.virtual.live.livestage import LiveStage
from testbed.virtual.live.mishaps import Mishaps
from testbed.virtual.live.player import LivePlayer

_BEACON_PORT = 47777
_FLUSH_S = 0.5


def main(config: LiveConfig, ready: Callable[[], None]) -> None:
    """Play the house until SIGTERM."""
    kernel.die_with_parent(signal.SIGKILL)
    logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s")
    asyncio.run(_serve(config, ready))


async def _serve(config: LiveConfig, ready: Callable[[], None]) -> None:
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    clock = SystemClock()
    virtual = config.virtual
    ground = GroundTruth(
        config.state / "truth",
        start_ns=config.start_ns,
        session=config.session,
        offset_s=virtual.router_clock.offset,
        drift_ppm=virtual.router_clock.drift_ppm,
    )
    house = House(virtual.seed, config.profiles)
    house.start_session(config.session)
    now = dt.datetime.fromtimestamp(clock.now_ns() / 1e9, tz=dt.UTC)
    authority = Authority(config.state / "ca.pem", now)
    ports = places.Ports(_filler_seed(config))
    board = Switchboard(authority, ground, clock, ports)
    post = PostOffice(ground, clock, ports, _filler_seed(config))
    script = FaultScript(virtual.faults, clock, config.state / FAULTS)
    names.serve_names(post, lambda: script("internet_down", ROUTER) is not None)
    post.listen(ROUTER, _BEACON_PORT, topology.LAN_ROUTER)
    player = LivePlayer(house, board, post, clock=clock, seed=_filler_seed(config))
    stage = LiveStage(house, clock, player, ground, script)
    instruments = Instruments(
        config, stage, clock=clock, profiles=config.profiles, board=board, ground=ground
    )
    await instruments.start()
    mishaps = Mishaps(script, clock, config.state / "router", player, house.devices)
    mishaps.start()
    player.start()
    script.begin()
    ready()
    await _until_told(ended, ground)
    await mishaps.close()
    await instruments.close()
    await player.close()
    ground.close()


async def _until_told(ended: asyncio.Event, ground: GroundTruth) -> None:
    while not ended.is_set():
        ground.flush()
        try:
            await asyncio.wait_for(ended.wait(), _FLUSH_S)
        except TimeoutError:
            continue


def _filler_seed(config: LiveConfig) -> int:
    """Return a seed for what no analysis may depend on: filler bytes, client ports."""
    return config.virtual.seed * 1_000_003 + config.session
