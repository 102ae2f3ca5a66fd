"""Starts the virtual instruments, each on its own node, and ends them."""

import asyncio
import contextlib
from collections.abc import Mapping

from testbed.clock import Clock
from testbed.errors import LabError
from testbed.model.profile import DeviceProfile
from testbed.virtual.house.catalogue import WAKE_WORDS
from testbed.virtual.house.hosts import NODES, PHONE, PLUGS, Node
from testbed.virtual.live import names, places, topology
from testbed.virtual.live.config import LiveConfig
from testbed.virtual.live.doors import Conversation
from testbed.virtual.live.ground import GroundTruth
from testbed.virtual.live.links import Switchboard
from testbed.virtual.live.livestage import LiveStage
from testbed.virtual.phone.server import start_phone
from testbed.virtual.room import start_room
from testbed.virtual.room.speech_service import start_speech_service
from testbed.virtual.wemo import start_wemo
from testbed.virtual.wemo.description import Identity
from testbed.virtual.wemo.server import Wemo, make_wemo

ADB_PORT = 5555
PCM_PORT = 4711
MIC_PORT = 4712
WEMO_PORT = 49153
HTTPS_PORT = 443
_PLUG_PORTS = 3  # among which a plug wanders
_LOOK_S = 0.1
_FIRMWARE = "2.00.11408"


class Instruments:
    """Phone, room and plugs of a lab file."""

    def __init__(
        self,
        config: LiveConfig,
        stage: LiveStage,
        *,
        clock: Clock,
        profiles: Mapping[str, DeviceProfile],
        board: Switchboard,
        ground: GroundTruth,
    ) -> None:
        self._config = config
        self._stage = stage
        self._clock = clock
        self._profiles = profiles
        self._board = board
        self._ground = ground
        self._running = contextlib.AsyncExitStack()

    async def start(self) -> None:
        """Start them all; return once they answer."""
        lab = self._config.lab
        if lab.phone is not None:
            await self._start_phone()
        if lab.voice is not None:
            await self._start_room()
            await self._start_speech()
        for name, plug in lab.plugs.items():
            if plug.is_device is None:
                await self._start_plug(name)
            else:
                await self._open_plug_under_test(name, plug.is_device)

    async def close(self) -> None:
        """End them all."""
        await self._running.aclose()

    async def _start_phone(self) -> None:
        apps = [p.app for p in self._profiles.values() if p.app is not None]
        phone = await start_phone(
            self._stage,
            places.listener(PHONE, topology.MGMT_PHONE, ADB_PORT),
            clock=self._clock,
            seed=self._config.virtual.seed,
            versions={app.package: app.version for app in apps},
        )
        self._running.push_async_callback(phone.close)

    async def _start_room(self) -> None:
        room = await start_room(
            self._stage,
            places.listener(topology.ROOM, topology.MGMT_ROOM, PCM_PORT),
            clock=self._clock,
            seed=self._config.virtual.seed,
            speakers=WAKE_WORDS,
            microphone=places.listener(topology.ROOM, topology.MGMT_ROOM, MIC_PORT),
        )
        self._running.push_async_callback(room.close)

    async def _start_speech(self) -> None:
        def down() -> bool:
            return self._stage.fault("tts_down", "voice") is not None

        service = await start_speech_service(
            places.listener(names.SPEECH_HOST, names.SPEECH_IP, HTTPS_PORT),
            self._board.authority.server_context(names.SPEECH_HOST),
            down=down,
        )
        self._running.push_async_callback(service.close)

    async def _start_plug(self, name: str) -> None:
        plug = self._config.lab.plugs[name]
        node = _plug_at(name, plug.host)
        wemo = await start_wemo(
            self._stage,
            places.listener(node.name, node.ip, WEMO_PORT),
            name=name,
            udn=plug.udn,
            mac=node.mac,
            firmware=_FIRMWARE,
            clock=self._clock,
            seed=self._config.virtual.seed,
            feeds=plug.feeds,
        )
        self._running.push_async_callback(wemo.close)
        flapping = asyncio.create_task(self._flap(name, node, wemo))
        self._running.callback(flapping.cancel)

    async def _flap(self, name: str, node: Node, wemo: Wemo) -> None:
        """Press the plug's button when `plug_flaps` begins, and again when it ends.

        It restarts with that, and listens on another port.
        """
        n_ports, flaps = 0, False
        while True:
            faulty = self._stage.fault("plug_flaps", name) is not None
            if faulty and not flaps:
                n_ports += 1
                port = WEMO_PORT + n_ports % _PLUG_PORTS
                await wemo.move(places.listener(node.name, node.ip, port))
            if faulty != flaps:
                wemo.flip()
            flaps = faulty
            await asyncio.sleep(_LOOK_S)

    async def _open_plug_under_test(self, name: str, device: str) -> None:
        """Let the controller talk to a device that is itself a WeMo.

        What its app does to it is played; those connections never come here.
        """
        wemo = make_wemo(
            self._stage,
            identity=Identity(
                name=name,
                udn=self._config.lab.plugs[name].udn,
                mac=self._config.macs.get(device, NODES[device].mac),
                firmware=_FIRMWARE,
            ),
            clock=self._clock,
            seed=self._config.virtual.seed,
            is_device=device,
        )

        def conversation() -> Conversation:
            return Conversation(
                wemo.handle,
                device=device,
                stage=self._stage,
                ground=self._ground,
                clock=self._clock,
            )

        self._board.welcome(device, WEMO_PORT, conversation)
        await self._board.listen(device, WEMO_PORT)
        self._running.push_async_callback(wemo.close)


def _plug_at(name: str, host: str) -> Node:
    found = [NODES[plug] for plug in PLUGS if NODES[plug].ip == host]
    if not found:
        there = ", ".join(NODES[plug].ip for plug in PLUGS)
        raise LabError(
            f"{name}: no plug is at {host}; the virtual house has plugs at {there}"
        )
    return found[0]
