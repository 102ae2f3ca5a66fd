"""Plays exchanges over real sockets, and cuts and gives power to devices."""

import asyncio
import contextlib
import logging
import random
from collections.abc import Coroutine

from testbed.clock import Clock
from testbed.virtual.house import Cause, House
from testbed.virtual.live import power
from testbed.virtual.live.datagrams import Flow, PostOffice
from testbed.virtual.live.ground import Mark
from testbed.virtual.live.links import Link, Switchboard
from testbed.virtual.traffic import Exchange, Message, Transport

_UDP_LINGER_S = 1.0  # late answers meet an open port
_log = logging.getLogger(__name__)


class LivePlayer:
    """A `house.Player` on an event loop; `play`, `silence`, `wake` from any thread."""

    def __init__(
        self,
        house: House,
        board: Switchboard,
        post: PostOffice,
        *,
        clock: Clock,
        seed: int,
    ) -> None:
        self._house = house
        self._board = board
        self._post = post
        self._clock = clock
        self._chance = random.Random(seed)  # noqa: S311 - filler bytes
        self._loop = asyncio.get_running_loop()
        self._tasks: dict[str, set[asyncio.Task[None]]] = {}
        self._links: dict[tuple[str, str], Link] = {}
        self._opening: dict[tuple[str, str], asyncio.Lock] = {}
        self._flows: dict[tuple[str, str], Flow] = {}
        self._open: dict[str, set[Link]] = {}
        self._silent: set[str] = set()
        self._offline: set[str] = set()
        self._crashed: set[str] = set()
        self._latest: dict[str, Mark] = {}

    def play(
        self, cause: Cause, exchanges: tuple[Exchange, ...], start_ns: int
    ) -> None:
        """Play exchanges, their `at_s` counted from `start_ns`; return at once."""
        mark = Mark(activity=cause.number, kind="activity")
        self._latest[cause.device] = mark
        self._loop.call_soon_threadsafe(self._begin, exchanges, mark, start_ns)

    def silence(self, device: str, at_ns: int) -> None:
        """Cut a device's power: nothing more is sent, not even a FIN."""
        self._loop.call_soon_threadsafe(self._cut, device)

    def wake(self, device: str, at_ns: int) -> None:
        """Give power back: play `house.boot`, then `house.background` anew."""
        self._loop.call_soon_threadsafe(self._boot, device)

    def disconnect(self, device: str) -> None:
        """Take a device off the network; it does not know, and goes on trying."""
        self._offline.add(device)
        power.cut(device)

    def reconnect(self, device: str) -> None:
        """Put a device back on the network, unless it has no power."""
        self._offline.discard(device)
        if device not in self._silent:
            power.give(device)

    def crash(self, device: str) -> None:
        """Let a device stop by itself: it forgets what it was doing."""
        if device not in self._silent:
            self._crashed.add(device)
            self._cut(device)

    def restart(self, device: str) -> None:
        """Let a device that crashed boot."""
        if device in self._crashed:
            self._latest.pop(device, None)  # nobody caused it
            self._boot(device)

    def start(self) -> None:
        """Begin every device's background traffic."""
        for device in self._house.sources:
            self._spawn(device, self._background(device))

    async def close(self) -> None:
        """End all tasks and drop all connections."""
        tasks = [task for some in self._tasks.values() for task in some]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for links in self._open.values():
            for link in links:
                link.drop()

    def _begin(
        self, exchanges: tuple[Exchange, ...], mark: Mark, start_ns: int
    ) -> None:
        late_s = (self._clock.now_ns() - start_ns) / 1e9
        start_s = self._loop.time() - late_s
        for exchange in exchanges:
            if not self._silent & {exchange.client, exchange.server}:
                self._spawn(exchange.client, self._perform(exchange, mark, start_s))

    def _spawn(self, owner: str, work: Coroutine[None, None, None]) -> None:
        task = self._loop.create_task(work)
        tasks = self._tasks.setdefault(owner, set())
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    def _cut(self, device: str) -> None:
        if device in self._silent:
            return
        self._silent.add(device)
        power.cut(device)
        for task in tuple(self._tasks.get(device, ())):
            task.cancel()
        for link in tuple(self._open.get(device, ())):
            link.drop()
        for key in [key for key in self._flows if key[0] == device]:
            self._post.close(self._flows.pop(key))

    def _boot(self, device: str) -> None:
        if device in self._silent:
            self._crashed.discard(device)
            self._silent.discard(device)
            if device not in self._offline:
                power.give(device)
            # Booting is what giving power causes.
            mark = self._latest.get(device, Mark(kind="boot"))
            self._begin(self._house.boot(device), mark, self._clock.now_ns())
            self._spawn(device, self._background(device))

    async def _background(self, device: str) -> None:
        start_s = self._loop.time()
        for at_s, exchange in self._house.background(device):
            await self._until(start_s + at_s)
            work = self._perform(exchange, Mark(), start_s + at_s)
            self._spawn(device, work)

    async def _until(self, when_s: float) -> None:
        wait_s = when_s - self._loop.time()
        if wait_s > 0:
            await asyncio.sleep(wait_s)

    async def _perform(self, exchange: Exchange, mark: Mark, start_s: float) -> None:
        begin_s = start_s + exchange.at_s
        await self._until(begin_s)
        try:
            if exchange.transport is Transport.UDP:
                await self._datagrams(exchange, mark, begin_s)
            else:
                await self._stream(exchange, mark, begin_s)
        except (OSError, TimeoutError) as exc:
            ends = f"{exchange.client} - {exchange.server}:{exchange.port}"
            _log.info("an exchange broke off: %s: %s", ends, exc)

    async def _datagrams(self, exchange: Exchange, mark: Mark, begin_s: float) -> None:
        flow = self._flow(exchange)
        for message in exchange.messages:
            await self._until(begin_s + message.at_s)
            data = message.payload or self._post.filler(message.size_b)
            self._post.send(flow, message.upstream, data, mark)
        if exchange.connection is None:
            await asyncio.sleep(_UDP_LINGER_S)
            self._post.close(flow)

    def _flow(self, exchange: Exchange) -> Flow:
        if exchange.connection is None:
            return self._post.open(exchange.client, exchange.server, exchange.port)
        key = (exchange.client, exchange.connection)
        if key not in self._flows:
            self._flows[key] = self._post.open(
                exchange.client, exchange.server, exchange.port
            )
        return self._flows[key]

    async def _stream(self, exchange: Exchange, mark: Mark, begin_s: float) -> None:
        first = exchange.messages[0].at_s if exchange.messages else 0.0
        await self._until(begin_s + first)
        link = await self._link(exchange, mark)
        if link is None:
            return
        for message in exchange.messages:
            await self._until(begin_s + message.at_s)
            await link.may_write(message.upstream)
            link.write(message.upstream, self._bytes(message), mark)
        if exchange.connection is None or not exchange.messages:
            await link.close(mark)
            self._forget(exchange, link)

    def _bytes(self, message: Message) -> bytes:
        return message.payload or self._chance.randbytes(message.size_b)

    async def _link(self, exchange: Exchange, mark: Mark) -> Link | None:
        """Return the connection of an exchange, opened when need be."""
        if exchange.connection is None:
            return await self._new_link(exchange, mark)
        key = (exchange.client, exchange.connection)
        async with self._opening.setdefault(key, asyncio.Lock()):
            link = self._links.get(key)
            if link is not None and link.alive:
                return link
            if not exchange.messages:
                return None  # nothing to close
            self._links[key] = link = await self._new_link(exchange, mark)
        return link

    async def _new_link(self, exchange: Exchange, mark: Mark) -> Link:
        tls = exchange.transport is Transport.TLS
        link = await self._board.open(
            exchange.client, exchange.server, exchange.port, tls=tls, mark=mark
        )
        for node in (exchange.client, exchange.server):
            links = self._open.setdefault(node, set())
            links.difference_update([old for old in links if not old.alive])
            links.add(link)
        return link

    def _forget(self, exchange: Exchange, link: Link) -> None:
        for node in (exchange.client, exchange.server):
            self._open.get(node, set()).discard(link)
        if exchange.connection is not None:
            key = (exchange.client, exchange.connection)
            if self._links.get(key) is link:
                del self._links[key]
        with contextlib.suppress(OSError):
            link.drop()
