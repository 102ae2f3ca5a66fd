"""UDP between nodes of the lab: both ends are played by this process."""

import asyncio
import contextlib
import errno
import random
import socket
from collections.abc import Callable

from testbed.clock import Clock
from testbed.virtual.house.hosts import MDNS, MULTICAST, ROUTER, address
from testbed.virtual.live import places, topology
from testbed.virtual.live.ground import Ends, GroundTruth, Mark

_TRIES = 20
_READ_B = 2048
_FIXED_PORTS = {5353: 5353, 67: 68}  # by server port: mDNS, DHCP

Answer = Callable[[socket.socket, bytes, tuple[str, int]], None]


class Flow:
    """One pair of ports. Datagrams are numbered in each direction."""

    def __init__(
        self, ends: Ends, client: socket.socket, server: socket.socket | None
    ) -> None:
        self.ends = ends
        self._client = client
        self._server = server
        self._counts = [0, 0]

    def send(self, up: bool, data: bytes) -> int | None:
        """Send one datagram; return its ordinal, or None when it cannot leave."""
        try:
            if up:
                self._client.sendto(data, self.ends.server)
            elif self._server is not None:
                self._server.sendto(data, self._seen_as())
            else:
                return None
        except OSError:
            return None  # the link is down, or nobody is known there
        ordinal = self._counts[up]
        self._counts[up] += 1
        return ordinal

    def _seen_as(self) -> tuple[str, int]:
        """Return the client's address as its server sees it, beyond the router."""
        ip, port = self.ends.client
        cloud = not self.ends.server[0].startswith("10.77.")
        return (topology.WAN_ROUTER if cloud else ip, port)

    def close(self) -> None:
        """Give the client's port back."""
        with contextlib.suppress(ValueError, RuntimeError):
            asyncio.get_running_loop().remove_reader(self._client)
        self._client.close()


class PostOffice:
    """Opens flows and answers for every UDP server of the lab."""

    def __init__(
        self, ground: GroundTruth, clock: Clock, ports: places.Ports, seed: int
    ) -> None:
        self._ground = ground
        self._clock = clock
        self._ports = ports
        self._chance = random.Random(seed)  # noqa: S311 - filler bytes
        self._servers: dict[tuple[str, int], socket.socket] = {}
        self._answers: dict[tuple[str, int], Answer] = {}
        self._played: dict[tuple[str, int], set[int]] = {}

    def open(self, client: str, server: str, port: int) -> Flow:
        """Open a flow. Raises OSError."""
        ip = address(server)
        if server in MULTICAST:
            sock, own_port = self._client_socket(client, port, server)
            far = None
        else:
            far = self.listen(server, port)
            sock, own_port = self._client_socket(client, port, None)
            self._played.setdefault((ip, port), set()).add(own_port)
        asyncio.get_running_loop().add_reader(sock, _discard, sock)
        ends = Ends(client=(address(client), own_port), server=(ip, port))
        return Flow(ends, sock, far)

    def send(self, flow: Flow, up: bool, data: bytes, mark: Mark) -> None:
        """Send one datagram and note why."""
        ordinal = flow.send(up, data)
        if ordinal is not None:
            self._ground.datagram(
                flow.ends,
                mark,
                up=up,
                ordinal=ordinal,
                data=data,
                time_ns=self._clock.now_ns(),
            )

    def filler(self, size_b: int) -> bytes:
        """Return random bytes that no dissector mistakes for a known protocol."""
        # The fixed bit of QUIC's short header, as the fast lab has it.
        head = 0x40 | self._chance.randrange(0x40)
        return bytes([head]) + self._chance.randbytes(max(0, size_b - 1))

    def listen(self, server: str, port: int, ip: str | None = None) -> socket.socket:
        """Return the socket of a server, opened when it is not yet."""
        key = (ip or address(server), port)
        if key not in self._servers:
            sock = places.udp(server, *key)
            self._servers[key] = sock
            asyncio.get_running_loop().add_reader(sock, self._take, key, sock)
        return self._servers[key]

    def welcome(self, ip: str, port: int, answer: Answer) -> None:
        """Let datagrams of clients that nobody plays be answered by `answer`."""
        self._answers[ip, port] = answer
        self.listen(ROUTER, port, ip)

    def close(self, flow: Flow) -> None:
        """Close a flow."""
        self._played.get(flow.ends.server, set()).discard(flow.ends.client[1])
        flow.close()

    def _client_socket(
        self, client: str, port: int, group: str | None
    ) -> tuple[socket.socket, int]:
        for _ in range(_TRIES):
            own_port = _FIXED_PORTS.get(port) or self._ports.take()
            if group == MDNS:
                own_port = 5353
            try:
                if group is not None:
                    return places.multicaster(client, group, own_port), own_port
                return places.udp(client, address(client), own_port), own_port
            except OSError as exc:
                if exc.errno != errno.EADDRINUSE:
                    raise
        raise OSError(errno.EADDRINUSE, f"no free port at {client}")

    def _take(self, key: tuple[str, int], sock: socket.socket) -> None:
        try:
            data, sender = sock.recvfrom(_READ_B)
        except OSError:
            return
        answer = self._answers.get(key)
        if answer is not None and sender[1] not in self._played.get(key, set()):
            answer(sock, data, (sender[0], sender[1]))


def _discard(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.recv(_READ_B)
