"""A WeMo Insight on one socket: description, control and events."""

import asyncio
import logging
import re
import socket
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from testbed.clock import Clock
from testbed.virtual.plain_http import Answer, Request, answer_bytes, read_request
from testbed.virtual.stage import Stage
from testbed.virtual.wemo.description import (
    HEADERS,
    SERVICES,
    Identity,
    answer_xml,
    fault_xml,
    scpd_xml,
    setup_xml,
)
from testbed.virtual.wemo.events import Connect, Events, connect_tcp
from testbed.virtual.wemo.relay import (
    SIGNAL,
    DeviceRelay,
    FeedingRelay,
    Meter,
    Relay,
    insight_params,
)

_SOAP_ACTION = re.compile(r'^"?([^"#]+)#(\w+)"?$')
_GARBAGE = "<html><body>502 <b>Bad gateway</body>"  # of some proxy, say
_WANTED = re.compile(r"<BinaryState>\s*([01])\s*</BinaryState>")

_log = logging.getLogger(__name__)

Overhears = Callable[[str], bool]


class Wemo:
    """A running plug."""

    def __init__(
        self,
        identity: Identity,
        relay: Relay,
        meter: Meter,
        *,
        clock: Clock,
        events: Events,
        overhears: Overhears,
    ) -> None:
        self._identity = identity
        self._relay = relay
        self._meter = meter
        self._clock = clock
        self._events = events
        self._overhears = overhears
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, sock: socket.socket) -> None:
        """Take connections on a bound socket."""
        self._server = await asyncio.start_server(self.handle, sock=sock)

    async def move(self, sock: socket.socket) -> None:
        """Take connections on another bound socket from now on, as after a restart."""
        if self._server is not None:
            self._server.close()
        await self.serve(sock)

    def flip(self) -> None:
        """Change the state as somebody who presses the button does."""
        self._relay.switch(not self._relay.reported())
        self._events.notify(self._binary_state())

    async def close(self) -> None:
        """Stop listening; return when no task is left."""
        if self._server is not None:
            self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._events.close()

    async def handle(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Answer one connection; for a host that accepts for several servers."""
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        try:
            peer = str(writer.get_extra_info("peername")[0])
            request = await read_request(reader, peer)
            answer = Answer(status=400) if request is None else self._answer(request)
            headers = {**HEADERS, **answer.headers}
            writer.write(answer_bytes(replace(answer, headers=headers)))
            await writer.drain()
        except (OSError, TimeoutError) as exc:
            _log.info("%s: a client broke off: %s", self._identity.name, exc)
        finally:
            writer.close()

    def _answer(self, request: Request) -> Answer:
        if self._relay.is_garbled():
            return Answer(body=_GARBAGE)
        match request.method:
            case "GET":
                return self._describe(request.path)
            case "POST":
                return self._control(request)
            case "SUBSCRIBE":
                return self._events.subscribe(request, self._binary_state())
            case "UNSUBSCRIBE":
                return self._events.unsubscribe(request)
            case _:
                return Answer(status=400)

    def _describe(self, path: str) -> Answer:
        if path == "/setup.xml":
            return Answer(body=setup_xml(self._identity, self._binary_state()))
        service = path.removeprefix("/").removesuffix("service.xml")
        xml = scpd_xml(service)
        return Answer(status=404) if xml is None else Answer(body=xml)

    def _control(self, request: Request) -> Answer:
        asked = _SOAP_ACTION.match(request.headers.get("soapaction", ""))
        service = request.path.removeprefix("/upnp/control/").removesuffix("1")
        if asked is None or service not in SERVICES:
            return Answer(status=404)
        urn, action = asked[1], asked[2]
        if urn != SERVICES[service][0] or action not in SERVICES[service][1]:
            return Answer(status=500, body=fault_xml(401, "Invalid Action"))
        if action == "SetBinaryState":
            value = self._set(request)
            if value is None:
                return Answer(status=500, body=fault_xml(402, "Invalid Args"))
        else:
            value = self._read(action)
        given = SERVICES[service][1][action][1][0]
        return Answer(body=answer_xml(urn, action, given, value))

    def _set(self, request: Request) -> str | None:
        wanted = _WANTED.search(request.body)
        if wanted is None:
            return None
        on = wanted[1] == "1"
        before = self._binary_state()
        if isinstance(self._relay, DeviceRelay) and self._overhears(request.peer):
            taken = self._relay.overheard(on)
        else:
            taken = self._relay.switch(on)
        if self._binary_state() != before:
            self._events.notify(self._binary_state())
        return wanted[1] if taken else "Error"

    def _read(self, action: str) -> str:
        match action:
            case "GetBinaryState":
                return self._binary_state()
            case "GetFriendlyName":
                return self._identity.name
            case "GetSignalStrength":
                return SIGNAL
            case _:
                return self._insight_params()

    def _binary_state(self) -> str:
        return "1" if self._relay.reported() else "0"

    def _insight_params(self) -> str:
        power_mw = self._meter.read_mw()
        return insight_params(self._relay, power_mw, self._clock.now_ns())


def make_wemo(
    stage: Stage,
    *,
    identity: Identity,
    clock: Clock,
    seed: int,
    feeds: str | None = None,
    is_device: str | None = None,
    overhears: Overhears = lambda peer: False,
    connect: Connect = connect_tcp,
) -> Wemo:
    """Return a plug that listens nowhere yet: `serve` a socket, or `handle`.

    See `start_wemo` for the rest.
    """
    name = identity.name
    rng = np.random.default_rng([seed, *name.encode()])
    relay: Relay
    if is_device is None:
        relay = FeedingRelay(stage, clock, plug=name, feeds=feeds)
    else:
        relay = DeviceRelay(stage, clock, plug=name, device=is_device)
    return Wemo(
        identity,
        relay,
        Meter(relay, rng),
        clock=clock,
        events=Events(rng, connect),
        overhears=overhears,
    )


async def start_wemo(
    stage: Stage,
    sock: socket.socket,
    *,
    name: str,
    udn: str,
    mac: str,
    firmware: str,
    clock: Clock,
    seed: int,
    feeds: str | None = None,
    is_device: str | None = None,
    overhears: Overhears = lambda peer: False,
    connect: Connect = connect_tcp,
) -> Wemo:
    """Host one plug on a bound TCP socket; return once it answers.

    name       its name in lab.yaml, target of the faults lying_plug and stuck_plug
    feeds      the device on its socket, for a plug that is an instrument
    is_device  the device that it is, for a plug that is under test
    overhears  called with the address of who commands a plug under test; True when the
               house plays that activity itself (the phone's app), so nothing begins
    connect    opens connections to subscribers, from the plug's own namespace

    `await wemo.close()` ends it.
    """
    wemo = make_wemo(
        stage,
        identity=Identity(name=name, udn=udn, mac=mac, firmware=firmware),
        clock=clock,
        seed=seed,
        feeds=feeds,
        is_device=is_device,
        overhears=overhears,
        connect=connect,
    )
    await wemo.serve(sock)
    return wemo
