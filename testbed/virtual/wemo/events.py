"""GENA: who wants to know when the plug's state changes, and telling them."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from numpy.random import Generator

from testbed.virtual.plain_http import Answer, Request
from testbed.virtual.wemo.description import event_xml

NOTIFY_S = 2.0
LEASE_S = 300
MAX_SUBSCRIBERS = 16

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Connect = Callable[[str, int], Awaitable[Streams]]

_log = logging.getLogger(__name__)


async def connect_tcp(host: str, port: int) -> Streams:
    """Open a connection from where this process is."""
    return await asyncio.open_connection(host, port)


@dataclass(slots=True, kw_only=True)
class Subscriber:
    """One callback; `until_s` on the event loop's clock."""

    host: str
    port: int
    path: str
    until_s: float
    sequence: int = 0


class Events:
    """The subscriptions of one plug. Only the subscriber's own host is called back."""

    def __init__(self, rng: Generator, connect: Connect) -> None:
        self._rng = rng
        self._connect = connect
        self._subscribers: dict[str, Subscriber] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def subscribe(self, request: Request, binary_state: str) -> Answer:
        """Take or renew a subscription; the first event follows at once."""
        until_s = asyncio.get_running_loop().time() + LEASE_S
        sid = request.headers.get("sid", "")
        if sid:
            if sid not in self._subscribers:
                return Answer(status=412)
            self._subscribers[sid].until_s = until_s
            return self._granted(sid)
        url = urlsplit(request.headers.get("callback", "").strip("<> "))
        self._forget_expired()
        full = len(self._subscribers) >= MAX_SUBSCRIBERS
        if url.hostname != request.peer or full:
            return Answer(status=412)
        sid = f"uuid:{self._rng.bytes(16).hex()}"
        self._subscribers[sid] = Subscriber(
            host=request.peer,
            port=url.port or 80,
            path=url.path or "/",
            until_s=until_s,
        )
        self._spawn(sid, binary_state)
        return self._granted(sid)

    def unsubscribe(self, request: Request) -> Answer:
        """End a subscription."""
        known = self._subscribers.pop(request.headers.get("sid", ""), None)
        return Answer(status=200 if known else 412)

    def notify(self, binary_state: str) -> None:
        """Tell all subscribers; returns at once."""
        self._forget_expired()
        for sid in tuple(self._subscribers):
            self._spawn(sid, binary_state)

    async def close(self) -> None:
        """Forget all; return when no notification is under way."""
        self._subscribers.clear()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @staticmethod
    def _granted(sid: str) -> Answer:
        return Answer(headers={"SID": sid, "TIMEOUT": f"Second-{LEASE_S}"})

    def _forget_expired(self) -> None:
        now_s = asyncio.get_running_loop().time()
        for sid, subscriber in tuple(self._subscribers.items()):
            if subscriber.until_s < now_s:
                del self._subscribers[sid]

    def _spawn(self, sid: str, binary_state: str) -> None:
        task = asyncio.get_running_loop().create_task(self._tell(sid, binary_state))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _tell(self, sid: str, binary_state: str) -> None:
        subscriber = self._subscribers.get(sid)
        if subscriber is None:
            return
        sequence, subscriber.sequence = subscriber.sequence, subscriber.sequence + 1
        body = event_xml(binary_state).encode()
        head = (
            f"NOTIFY {subscriber.path} HTTP/1.1\r\n"
            f"HOST: {subscriber.host}:{subscriber.port}\r\n"
            "CONTENT-TYPE: text/xml\r\nNT: upnp:event\r\nNTS: upnp:propchange\r\n"
            f"SID: {sid}\r\nSEQ: {sequence}\r\nCONTENT-LENGTH: {len(body)}\r\n"
            "CONNECTION: close\r\n\r\n"
        )
        try:
            async with asyncio.timeout(NOTIFY_S):
                reader, writer = await self._connect(subscriber.host, subscriber.port)
                try:
                    writer.write(head.encode() + body)
                    await writer.drain()
                    await reader.readline()
                finally:
                    writer.close()
        except (OSError, TimeoutError) as exc:
            _log.info("%s does not take events: %s", subscriber.host, exc)
