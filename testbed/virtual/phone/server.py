"""The virtual phone on a listening socket."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Mapping

import numpy as np

from testbed.clock import Clock
from testbed.virtual.phone.commands import PROPERTIES, Delays, Programs
from testbed.virtual.phone.screens import AppScreens
from testbed.virtual.phone.services import FEATURES, Services
from testbed.virtual.phone.shell import Shell
from testbed.virtual.phone.wire import Connection
from testbed.virtual.stage import Stage

_log = logging.getLogger(__name__)
_FAULT_POLL_S = 0.05


class PhoneServer:
    """A running phone; `screens` is what it shows."""

    def __init__(self, screens: AppScreens, services: Services) -> None:
        self.screens = screens
        self._services = services
        self._connections: set[Connection] = set()
        self._server: asyncio.Server | None = None
        self._watch: asyncio.Task[None] | None = None

    async def start(self, sock: socket.socket) -> None:
        """Begin to answer on a bound socket."""
        self._server = await asyncio.start_server(self._serve, sock=sock)
        self._watch = asyncio.get_running_loop().create_task(self._cut_when_offline())

    async def close(self) -> None:
        """Stop answering and cut all connections."""
        if self._watch is not None:
            self._watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watch
        if self._server is not None:
            self._server.close()
        self._cut()
        await asyncio.sleep(0)  # let the transports close

    def _cut(self) -> None:
        for connection in tuple(self._connections):
            connection.close()

    def _offline(self) -> bool:
        return self.screens.troubles.is_down(self.screens.restart)

    async def _cut_when_offline(self) -> None:
        while True:
            if self._offline():
                self._cut()
            await asyncio.sleep(_FAULT_POLL_S)

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if self._offline():
            writer.close()
            return
        # asyncio does this only for sockets made with IPPROTO_TCP; without it an answer
        # waits 40 ms for the acknowledgement of the one before
        link = writer.get_extra_info("socket")
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = Connection(
            reader, writer, banner=_banner(), service=self._services
        )
        self._connections.add(connection)
        _log.debug("an adb server has connected")
        try:
            await connection.serve()
        finally:
            self._connections.discard(connection)


def _banner() -> str:
    keys = ("ro.product.name", "ro.product.model", "ro.product.device")
    facts = ";".join(f"{k}={PROPERTIES[k]}" for k in keys)
    return f"device::{facts};features={','.join(FEATURES)}"


async def start_phone(
    stage: Stage,
    sock: socket.socket,
    *,
    clock: Clock,
    seed: int,
    versions: Mapping[str, str],
    delays: Delays | None = None,
) -> PhoneServer:
    """Let a virtual phone answer on `sock`, which is bound; close it in the end.

    versions  package -> version of the apps that are installed
    delays    None means those of a real phone
    """
    screens = AppScreens(stage, clock, versions)
    files: dict[str, bytes] = {}
    rng = np.random.default_rng(seed)
    programs = Programs(screens, files, rng, delays or Delays())
    shell = Shell(programs.commands(), files)
    phone = PhoneServer(screens, Services(shell, screens, files))
    await phone.start(sock)
    return phone
