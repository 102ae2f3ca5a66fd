"""Real conversations with a device under test, noted in the ground truth."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from testbed.clock import Clock
from testbed.virtual.live import places
from testbed.virtual.live.ground import Ends, GroundTruth, Mark
from testbed.virtual.live.livestage import LiveStage

Handle = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Conversation(asyncio.StreamReaderProtocol):
    """One connection of the controller to a device's own API.

    Which activity it was is known when it ends: the one that the device began over the
    channel `api` in the meantime. Until then, what is sent is kept back.
    """

    def __init__(
        self,
        handle: Handle,
        *,
        device: str,
        stage: LiveStage,
        ground: GroundTruth,
        clock: Clock,
    ) -> None:
        loop = asyncio.get_running_loop()
        super().__init__(asyncio.StreamReader(loop=loop), handle, loop=loop)
        self._device = device
        self._stage = stage
        self._ground = ground
        self._clock = clock
        self._before = stage.latest(device, "api")
        self._opened_ns = clock.now_ns()
        self._ends: Ends | None = None
        self._sequence: int | None = None
        self._counts = [0, 0]
        self._kept: list[tuple[bool, int, int, int]] = []

    def connection_made(self, transport: Any) -> None:
        """Begin to count."""
        peer, own = (transport.get_extra_info(n) for n in ("peername", "sockname"))
        self._ends = Ends(client=(peer[0], peer[1]), server=(own[0], own[1]))
        sock = transport.get_extra_info("socket")
        self._sequence = places.next_sequence(sock)
        super().connection_made(_Counted(transport, self))  # type: ignore[arg-type]

    def data_received(self, data: bytes) -> None:
        """Count what the controller says."""
        self.count(True, len(data))
        super().data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Write down what was said, and why."""
        after = self._stage.latest(self._device, "api")
        if self._ends is not None:
            mark = Mark(kind="api")
            if after != self._before:
                mark = Mark(activity=after, kind="activity")
            self._tell(self._ends, mark)
        super().connection_lost(exc)

    def count(self, up: bool, size_b: int) -> None:
        """Note bytes of one direction."""
        first = self._counts[up]
        self._counts[up] = first + size_b
        self._kept.append((up, first, first + size_b, self._clock.now_ns()))

    def _tell(self, ends: Ends, mark: Mark) -> None:
        self._ground.open(ends, mark, self._opened_ns)
        if self._sequence is not None:
            self._ground.sequence(
                ends, up=False, first=self._sequence, time_ns=self._opened_ns
            )
        for up, first, last, time_ns in self._kept:
            self._ground.stream(
                ends, mark, up=up, first=first, last=last, time_ns=time_ns
            )


class _Counted:
    """A transport whose writes are counted; all else is the transport's own."""

    def __init__(self, transport: asyncio.Transport, owner: Conversation) -> None:
        self._transport = transport
        self._owner = owner

    def write(self, data: bytes) -> None:
        self._owner.count(False, len(data))
        self._transport.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
