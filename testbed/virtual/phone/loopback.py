"""A virtual phone on this machine's loopback, in a thread of its own.

For trying a driver without the virtual lab. The ports that adb scans for emulators
(5555-5585) are below those that the kernel hands out here.
"""

import asyncio
import socket
import threading
from collections.abc import Coroutine, Mapping
from types import TracebackType
from typing import Any, Self, TypeVar

from testbed.clock import Clock
from testbed.virtual.phone.commands import Delays
from testbed.virtual.phone.screens import AppScreens
from testbed.virtual.phone.server import PhoneServer, start_phone
from testbed.virtual.stage import Stage

_Answer = TypeVar("_Answer")
_HOST = "127.0.0.1"
_WAIT_S = 5.0


class LoopbackPhone:
    """A running phone; `serial` is what adb calls it."""

    def __init__(
        self,
        stage: Stage,
        clock: Clock,
        *,
        versions: Mapping[str, str],
        seed: int = 1,
        delays: Delays | None = None,
        port: int = 0,
    ) -> None:
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((_HOST, port))
        self.port: int = sock.getsockname()[1]
        self.serial = f"{_HOST}:{self.port}"
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="phone")
        self._thread.start()
        self._phone: PhoneServer = self._do(
            start_phone(
                stage, sock, clock=clock, seed=seed, versions=versions, delays=delays
            )
        )

    @property
    def screens(self) -> AppScreens:
        """Return what the phone shows."""
        return self._phone.screens

    def __enter__(self) -> Self:
        """Return the phone."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Switch the phone off."""
        self.close()

    def close(self) -> None:
        """Switch the phone off; its port is free afterwards. Safe to call twice."""
        if self._loop.is_closed():
            return
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_WAIT_S)
        self._loop.close()

    async def _end(self) -> None:
        await self._phone.close()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.gather(*left, return_exceptions=True)

    def _do(self, work: Coroutine[Any, Any, _Answer]) -> _Answer:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_WAIT_S)
