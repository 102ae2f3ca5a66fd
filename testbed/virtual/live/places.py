"""Sockets in the networks of the lab's nodes."""

import contextlib
import ipaddress
import random
import socket
from collections.abc import Iterator

from testbed.errors import LabError
from testbed.virtual.house.hosts import CONTROLLER, MDNS, MULTICAST, NODES, address
from testbed.virtual.live import kernel, topology

_FIRST_PORT, _LAST_PORT = 32768, 60999
_TCP_REPAIR, _TCP_REPAIR_QUEUE, _TCP_QUEUE_SEQ = 19, 20, 21
_SEND_QUEUE, _REPAIR_OFF_SILENTLY = 2, -1
_BACKLOG = 128


class Ports:
    """Client ports, each used by one connection of the whole lab at a time.

    Masquerading keeps a port that is free, so that the cloud knows a connection by it.
    """

    def __init__(self, seed: int) -> None:
        self._next = random.Random(seed).randrange(_FIRST_PORT, _LAST_PORT)  # noqa: S311

    def take(self) -> int:
        """Return the next port."""
        self._next += 1
        if self._next > _LAST_PORT:
            self._next = _FIRST_PORT
        return self._next


def is_cloud(name: str) -> bool:
    """Say whether a name is a host of the cloud."""
    known = (*NODES, *MULTICAST, *topology.INFRASTRUCTURE)
    return name not in known or name == topology.CLOUD


@contextlib.contextmanager
def at(name: str) -> Iterator[None]:
    """Let this thread make sockets where `name` is; nothing may await."""
    if name == CONTROLLER:
        yield
        return
    with kernel.inside(topology.CLOUD if is_cloud(name) else name):
        yield


def listener(name: str, ip: str, port: int) -> socket.socket:
    """Return a listening TCP socket at a node."""
    with at(name):
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((ip, port))
        sock.listen(_BACKLOG)
    except OSError as exc:
        sock.close()
        reason = (exc.strerror or str(exc)).lower()
        raise LabError(f"{name} cannot listen on {ip}:{port}: {reason}") from exc
    sock.setblocking(False)
    return sock


def tcp_client(name: str, port: int) -> socket.socket:
    """Return a TCP socket at a node, bound to its LAN address and `port`."""
    with at(name):
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    return _bound(sock, address(name), port)


def udp(name: str, ip: str, port: int) -> socket.socket:
    """Return a UDP socket at a node; several may share an address."""
    with at(name):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    return _bound(sock, ip, port)


def multicaster(name: str, group: str, port: int) -> socket.socket:
    """Return a UDP socket at a node that sends to a multicast group."""
    ip = address(name)
    sock = udp(name, ip, port)
    home = ipaddress.IPv4Address(ip).packed
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, home)
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 0)
    lifetime = 255 if group == MDNS else 4  # RFC 6762; UPnP 1.0's default
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, lifetime)
    return sock


def _bound(sock: socket.socket, ip: str, port: int) -> socket.socket:
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((ip, port))
    except OSError:
        sock.close()
        raise
    sock.setblocking(False)
    return sock


def next_sequence(sock: socket.socket) -> int | None:
    """Return the sequence number of the next byte that a TCP socket sends.

    The kernel tells it in repair mode alone, which is left at once and without a word.
    """
    tcp = socket.IPPROTO_TCP
    try:
        sock.setsockopt(tcp, _TCP_REPAIR, 1)
        try:
            sock.setsockopt(tcp, _TCP_REPAIR_QUEUE, _SEND_QUEUE)
            return sock.getsockopt(tcp, _TCP_QUEUE_SEQ) & 0xFFFFFFFF
        finally:
            sock.setsockopt(tcp, _TCP_REPAIR, _REPAIR_OFF_SILENTLY)
    except OSError:
        return None  # without CAP_NET_ADMIN


def forget(sock: socket.socket) -> None:
    """Make closing a TCP socket silent, as pulling a plug is: no FIN, no RST."""
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.IPPROTO_TCP, _TCP_REPAIR, 1)
