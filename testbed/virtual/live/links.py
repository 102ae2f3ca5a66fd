"""TCP connections between nodes of the lab; both ends are played by this process."""

import asyncio
import contextlib
import errno
import socket
import ssl
from collections.abc import Callable

from testbed.clock import Clock
from testbed.virtual.house.hosts import address
from testbed.virtual.live import places
from testbed.virtual.live.certificates import Authority
from testbed.virtual.live.ends import End
from testbed.virtual.live.ground import Ends, GroundTruth, Mark

_CONNECT_S = 10.0
_DRAIN_S = 10.0
_TRIES = 20


class Link:
    """One open connection. `mark` is why bytes are sent now."""

    def __init__(self, ends: Ends, ground: GroundTruth, clock: Clock) -> None:
        self.ends = ends
        self.mark = Mark()
        self._ground = ground
        self._clock = clock
        self.client: End | None = None
        self.server: End | None = None

    def note(self, up: bool, first: int, last: int) -> None:
        """Write a range of bytes into the ground truth."""
        self._ground.stream(
            self.ends,
            self.mark,
            up=up,
            first=first,
            last=last,
            time_ns=self._clock.now_ns(),
        )

    def count_from(self, up: bool, sequence: int | None) -> None:
        """Write the first sequence number of a direction into the ground truth."""
        if sequence is not None:
            now_ns = self._clock.now_ns()
            self._ground.sequence(self.ends, up=up, first=sequence, time_ns=now_ns)

    @property
    def alive(self) -> bool:
        """Whether both ends are still there."""
        pair = (self.client, self.server)
        return all(end is not None and not end.gone.is_set() for end in pair)

    def write(self, up: bool, data: bytes, mark: Mark) -> None:
        """Let one side send application bytes."""
        end = self.client if up else self.server
        if end is not None:
            self.mark = mark
            end.write(data)

    async def may_write(self, up: bool) -> None:
        """Return when that side has finished the handshake."""
        end = self.client if up else self.server
        if end is None:
            raise ConnectionResetError("never opened")
        await asyncio.wait_for(asyncio.shield(end.established), _CONNECT_S)

    async def close(self, mark: Mark) -> None:
        """Close it in order, once everything has arrived; the client goes first."""
        client, server = self.client, self.server
        if client is None or server is None:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_S):
                await _arrived(client, server)
                await _arrived(server, client)
        self.mark = mark
        client.finish()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_S):
                await client.gone.wait()
                await server.gone.wait()

    def drop(self) -> None:
        """End it without a word, as when the power goes."""
        for end in (self.client, self.server):
            if end is not None:
                end.drop()


async def _arrived(source: End, target: End) -> None:
    while target.received_b < source.sent_b and not target.gone.is_set():
        target.changed.clear()
        await target.changed.wait()


class Switchboard:
    """Opens links and answers for every server of the lab."""

    def __init__(
        self,
        authority: Authority,
        ground: GroundTruth,
        clock: Clock,
        ports: places.Ports,
    ) -> None:
        self.authority = authority
        self._ground = ground
        self._clock = clock
        self._ports = ports
        self._client_tls = authority.client_context()
        self._server_tls: dict[str, ssl.SSLContext] = {}
        self._servers: dict[tuple[str, int], asyncio.Server] = {}
        self._expected: dict[tuple[str, int, int], Link] = {}
        self._foreign: dict[tuple[str, int], Callable[[], asyncio.Protocol]] = {}

    async def open(
        self, client: str, server: str, port: int, *, tls: bool, mark: Mark
    ) -> Link:
        """Open a connection; returns when TCP is up. Raises OSError."""
        ip = address(server)
        await self.listen(server, port)
        sock, own_port = self._client_socket(client)
        ends = Ends(client=(address(client), own_port), server=(ip, port))
        link = Link(ends, self._ground, self._clock)
        link.mark = mark
        link.server = End(
            self._server_context(server) if tls else None,
            None,
            lambda a, b: link.note(False, a, b),
            lambda n: link.count_from(False, n),
        )
        key = (ip, port, own_port)
        self._expected[key] = link
        self._ground.open(ends, mark, self._clock.now_ns())
        try:
            await self._connect(link, sock, (ip, port), server if tls else None)
        except (OSError, TimeoutError, asyncio.CancelledError):
            self._expected.pop(key, None)
            sock.close()
            raise
        return link

    def _client_socket(self, client: str) -> tuple[socket.socket, int]:
        for _ in range(_TRIES):
            port = self._ports.take()
            try:
                return places.tcp_client(client, port), port
            except OSError as exc:
                if exc.errno != errno.EADDRINUSE:
                    raise
        raise OSError(errno.EADDRINUSE, f"no free port at {client}")

    async def _connect(
        self, link: Link, sock: socket.socket, to: tuple[str, int], tls: str | None
    ) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.wait_for(loop.sock_connect(sock, to), _CONNECT_S)
        context = self._client_tls if tls else None
        client = link.client = End(
            context,
            tls,
            lambda a, b: link.note(True, a, b),
            lambda n: link.count_from(True, n),
        )
        await loop.create_connection(lambda: client, sock=sock)

    def _server_context(self, host: str) -> ssl.SSLContext:
        if host not in self._server_tls:
            self._server_tls[host] = self.authority.server_context(host)
        return self._server_tls[host]

    async def listen(self, server: str, port: int) -> None:
        """Listen at a server, unless it is done already."""
        key = (address(server), port)
        if key in self._servers:
            return
        sock = places.listener(server, *key)
        self._servers[key] = await asyncio.get_running_loop().create_server(
            lambda: _Doorman(self, key), sock=sock
        )

    def welcome(
        self, server: str, port: int, factory: Callable[[], asyncio.Protocol]
    ) -> None:
        """Let connections that no link expects be handled by `factory`."""
        self._foreign[address(server), port] = factory

    def handler(self, key: tuple[str, int], peer_port: int) -> asyncio.Protocol | None:
        """Return who handles a connection that has just come in."""
        link = self._expected.pop((*key, peer_port), None)
        if link is not None:
            return link.server
        factory = self._foreign.get(key)
        return factory() if factory is not None else None


class _Doorman(asyncio.Protocol):
    """Passes each new connection to the one who expects it."""

    def __init__(self, board: Switchboard, key: tuple[str, int]) -> None:
        self._board = board
        self._key = key

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        peer = transport.get_extra_info("peername")
        handler = self._board.handler(self._key, peer[1]) if peer else None
        if handler is None or not isinstance(transport, asyncio.Transport):
            transport.close()
            return
        transport.set_protocol(handler)
        handler.connection_made(transport)
