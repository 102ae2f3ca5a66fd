"""All connections of the virtual house, and the packets that they make.

Exchanges go in with their start; packets come out up to a time, in order. Named
connections stay open from one exchange to the next; power off ends them silently.
"""

import ipaddress
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from operator import itemgetter
from typing import Any

from numpy.random import Generator

from testbed.virtual.fast import tls
from testbed.virtual.fast.frames import ACK, FIN, SYN, TCP, UDP, Packet, Way
from testbed.virtual.fast.line import Line, Path, Write
from testbed.virtual.fast.neighbours import Neighbours
from testbed.virtual.house.hosts import (
    CLOUD,
    MDNS,
    MULTICAST,
    NODES,
    ROUTER,
    address,
)
from testbed.virtual.traffic import Exchange, Transport

_LAN_NS = 500_000
_CLIENT_PORTS = {5353: 5353, 67: 68}


# time_ns, up, size_b, payload, cause: one message to write, or (size 0) the wish to
# close. A plain tuple, since there are hundreds of thousands.
_Entry = tuple[int, bool, int, bytes | None, int]


@dataclass(slots=True, eq=False)
class _Connection:
    client: str
    server: str
    port: int
    transport: Transport
    named: bool
    up: Way
    down: Way
    entries: list[_Entry] = field(default_factory=list)
    line: Line | None = None
    floor_ns: int = 0
    server_floor_ns: int = 0
    dead_ns: int = 1 << 62


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """What lies between the ends: one-way delay to the cloud, share of lost segments.

    macs     MAC addresses of nodes whose profile says something else than `hosts`
    cut_off  node -> when it is off the network: begin and end, ns
    dark     when nothing comes from the cloud
    """

    wan_delay_s: float = 0.018
    loss: float = 0.01
    macs: Mapping[str, str] = field(default_factory=dict)
    cut_off: Mapping[str, Sequence[tuple[int, int]]] = field(default_factory=dict)
    dark: Sequence[tuple[int, int]] = ()


class Wire:
    """Turns exchanges into packets as seen on br-lan. Not thread-safe."""

    def __init__(self, network: Network, rng: Generator) -> None:
        self._network = network
        self._rng = rng
        self._noise = tls.Noise(rng)
        self._macs: dict[str, bytes] = {}
        self._named: dict[tuple[str, str], _Connection] = {}
        self._active: dict[int, _Connection] = {}
        self._held: list[Packet] = []
        self._dead: dict[bytes, list[tuple[int, int]]] = {}
        self._cut_off = {
            _packed(n): spells for n, spells in network.cut_off.items() if spells
        }
        self._cloud = {ipaddress.ip_address(ip).packed for ip in CLOUD.values()}
        own = {n: ipaddress.ip_address(NODES[n].ip).packed for n in NODES}
        self._neighbours = Neighbours({self._mac(n): ip for n, ip in own.items()})

    def add(self, start_ns: int, exchange: Exchange, cause: int = 0) -> None:
        """Let an exchange begin; its `at_s` counts from `start_ns`."""
        base_ns = start_ns + round(exchange.at_s * 1e9)
        connection = self._connection(exchange)
        entries = connection.entries
        for m in exchange.messages:
            at_ns = base_ns + round(m.at_s * 1e9)
            entries.append((at_ns, m.upstream, m.size_b, m.payload, cause))
        last_ns = entries[-1][0] if exchange.messages else base_ns
        if not exchange.messages:
            entries.append((last_ns, True, 0, None, cause))
        elif not connection.named and connection.transport is not Transport.UDP:
            entries.append((last_ns + 1_000_000, True, 0, None, cause))
        self._active[id(connection)] = connection

    def silence(self, node: str, at_ns: int) -> None:
        """Cut a node off at a time: what it would send or get later never happens."""
        for connection in list(self._active.values()) + list(self._named.values()):
            if node in (connection.client, connection.server):
                connection.dead_ns = min(connection.dead_ns, at_ns)
        self._named = {
            k: c for k, c in self._named.items() if node not in (c.client, c.server)
        }
        ip = _packed(node)
        self._dead.setdefault(ip, []).append((at_ns, 1 << 62))

    def wake(self, node: str, at_ns: int) -> None:
        """Let a node talk again."""
        ip = _packed(node)
        spells = self._dead.get(ip)
        if spells and spells[-1][1] == 1 << 62:
            spells[-1] = (spells[-1][0], at_ns)

    def drop_all(self) -> None:
        """Forget every connection and everything that has not been captured yet."""
        self._named.clear()
        self._active.clear()
        self._held.clear()
        self._dead.clear()
        self._neighbours.forget()

    def packets_until(self, until_ns: int) -> list[Packet]:
        """Return all packets before `until_ns` that were not returned yet, by time."""
        packets = self._held
        for key, connection in list(self._active.items()):
            self._advance(connection, until_ns, packets)
            if not connection.entries:
                del self._active[key]
        packets.sort(key=itemgetter(0))
        if self._has_outages:
            packets = [p for p in packets if self._alive(p)]
        cut = _first_at(packets, until_ns)
        self._held = packets[cut:]
        packets = self._neighbours.among(packets[:cut], until_ns)
        if not self._has_outages:
            return packets
        return [p for p in packets if self._alive(p)]

    @property
    def _has_outages(self) -> bool:
        return bool(self._dead or self._cut_off or self._network.dark)

    def _advance(
        self, connection: _Connection, until_ns: int, packets: list[Packet]
    ) -> None:
        due = connection.entries
        due.sort(key=itemgetter(0))
        n_due = _first_at(due, until_ns)
        due, connection.entries = due[:n_due], due[n_due:]
        if due and due[-1][0] >= connection.dead_ns:
            del due[_first_at(due, connection.dead_ns) :]
        if not due:
            return
        if connection.transport is Transport.UDP:
            packets += self._datagrams(connection, due)
            return
        writes: list[Write] = []
        for entry in due:
            if entry[2] == 0:
                self._close(connection, entry, writes)
                if connection.line is not None:
                    packets += connection.line.packets(writes)
                connection.line, writes = None, []
                continue
            if connection.line is None:
                self._open(connection, entry, writes)
            writes.append(self._write(connection, entry))
        if connection.line is not None:
            writes.sort(key=itemgetter(0))
            packets += connection.line.packets(writes)

    def _write(self, connection: _Connection, entry: _Entry) -> Write:
        time_ns, up, size_b, payload, cause = entry
        floor_ns = connection.floor_ns if up else connection.server_floor_ns
        if payload is not None and connection.transport is Transport.TCP:
            data = payload
        elif connection.transport is Transport.TLS:
            data = tls.records(size_b, self._noise)
        else:
            data = self._noise.take(size_b)
        return Write(max(time_ns, floor_ns), up, data, cause)

    def _open(
        self,
        connection: _Connection,
        entry: _Entry,
        writes: list[Write],
    ) -> None:
        """Shake hands, starting when the first message wants to be written."""
        path = self._path(connection)
        line = Line(connection.up, connection.down, path, self._rng)
        connection.line = line
        trip_ns, now_ns, cause = line.trip_ns, entry[0], entry[4]
        half_ns = trip_ns // 2
        writes.append(Write(now_ns, True, b"", cause, SYN))
        writes.append(Write(now_ns + half_ns + 90_000, False, b"", cause, SYN | ACK))
        now_ns += trip_ns + 220_000
        writes.append(Write(now_ns, True, b"", cause, ACK))
        if connection.transport is Transport.TLS:
            now_ns = self._shake_hands(connection.server, line, now_ns, cause, writes)
        connection.floor_ns = now_ns + 200_000
        connection.server_floor_ns = now_ns + half_ns + 500_000

    def _shake_hands(
        self, server: str, line: Line, now_ns: int, cause: int, writes: list[Write]
    ) -> int:
        rng, noise, trip_ns = self._rng, self._noise, line.trip_ns
        now_ns += int(rng.uniform(2e6, 6e6))
        writes.append(Write(now_ns, True, tls.client_hello(server, noise), cause))
        now_ns += trip_ns // 2 + int(rng.uniform(3e6, 7e6))
        flight = tls.server_flight(server, noise)
        writes.append(Write(now_ns, False, flight, cause))
        now_ns += trip_ns // 2 + int(rng.uniform(6e6, 25e6))
        writes.append(Write(now_ns, True, tls.client_finished(noise), cause))
        later_ns = now_ns + trip_ns // 2 + int(rng.uniform(1e6, 3e6))
        writes.append(Write(later_ns, False, tls.tickets(noise), cause))
        return now_ns

    def _close(
        self, connection: _Connection, entry: _Entry, writes: list[Write]
    ) -> None:
        """Say goodbye; the client closes first."""
        line = connection.line
        if line is None:
            return
        asked_ns, _, _, _, cause = entry
        latest_ns = max((w.time_ns for w in writes), default=0)
        now_ns = max(asked_ns, connection.server_floor_ns, latest_ns)
        now_ns += line.trip_ns + 4_000_000
        if connection.transport is Transport.TLS:
            bye = tls.goodbye(self._noise)
            writes.append(Write(now_ns, True, bye, cause))
        half_ns = line.trip_ns // 2
        fin = FIN | ACK
        writes.append(Write(now_ns + 60_000, True, b"", cause, fin))
        server_ns = now_ns + half_ns + 15_000_000
        writes.append(Write(server_ns, False, b"", cause, fin))
        writes.append(Write(server_ns + half_ns + 200_000, True, b"", cause, ACK))
        writes.sort(key=itemgetter(0))

    def _datagrams(
        self, connection: _Connection, due: list[_Entry]
    ) -> Iterable[Packet]:
        path = self._path(connection)
        packets = []
        for time_ns, is_up, size_b, data, cause in due:
            delay_ns = path.client_ns if is_up else path.server_ns
            jitter_ns = int(path.jitter_ns * self._rng.standard_exponential())
            if data is None:
                # The fixed bit of QUIC's short header, so that nobody misreads it.
                head = self._rng.integers(0x40, 0x80, dtype="u1").tobytes()
                data = head + self._noise.take(size_b - 1)
            way = connection.up if is_up else connection.down
            at_ns = time_ns + delay_ns + jitter_ns
            packets.append(Packet(at_ns, way, 0, 0, 0, data, cause))
        return packets

    def _path(self, connection: _Connection) -> Path:
        cloud = connection.server not in NODES and connection.server not in MULTICAST
        wan_ns = round(self._network.wan_delay_s * 1e9)
        return Path(
            client_ns=_LAN_NS,
            server_ns=wan_ns if cloud else _LAN_NS,
            jitter_ns=900_000 if cloud else 150_000,
            gap_ns=350_000,
            loss=self._network.loss if cloud else self._network.loss / 4,
        )

    def _connection(self, exchange: Exchange) -> _Connection:
        name = exchange.connection
        if name is not None:
            known = self._named.get((exchange.client, name))
            if known is not None:
                return known
        up, down = self._ways(exchange)
        connection = _Connection(
            client=exchange.client,
            server=exchange.server,
            port=exchange.port,
            transport=exchange.transport,
            named=name is not None,
            up=up,
            down=down,
        )
        if name is not None:
            self._named[exchange.client, name] = connection
        return connection

    def _ways(self, exchange: Exchange) -> tuple[Way, Way]:
        client, server = exchange.client, exchange.server
        ips = [_packed(n) for n in (client, server)]
        macs = [self._mac(client), self._mac(server)]
        protocol = UDP if exchange.transport is Transport.UDP else TCP
        port = _CLIENT_PORTS.get(exchange.port) or int(self._rng.integers(32768, 60999))
        if exchange.server == MDNS:
            port = 5353
        clocks = [int(x) for x in self._rng.integers(0, 1 << 31, 2)]
        far = 64 if server in NODES else 63
        up = Way(
            macs[0], macs[1], ips[0], ips[1], port, exchange.port, protocol, 64, *clocks
        )
        down = Way(
            macs[1],
            macs[0],
            ips[1],
            ips[0],
            exchange.port,
            port,
            protocol,
            far,
            *clocks[::-1],
        )
        return up, down

    def _mac(self, name: str) -> bytes:
        known = self._macs.get(name)
        if known is None:
            known = self._macs[name] = self._look_up_mac(name)
        return known

    def _look_up_mac(self, name: str) -> bytes:
        if name in MULTICAST:
            ip = ipaddress.ip_address(name).packed
            return b"\x01\x00\x5e" + bytes([ip[1] & 0x7F]) + ip[2:]
        node = name if name in NODES else ROUTER
        return bytes.fromhex(
            self._network.macs.get(node, NODES[node].mac).replace(":", "")
        )

    def _alive(self, packet: Packet) -> bool:
        way = packet.way
        spells = list(self._network.dark) if way.source_ip in self._cloud else []
        for ip in (way.source_ip, way.target_ip):
            spells += self._dead.get(ip, ())
            spells += self._cut_off.get(ip, ())
        return not any(begin <= packet.time_ns < end for begin, end in spells)


@cache
def _packed(name: str) -> bytes:
    return ipaddress.ip_address(address(name)).packed


def _first_at(timed: Sequence[tuple[Any, ...]], time_ns: int) -> int:
    """Return the index of the first packet or entry at or after `time_ns` (sorted)."""
    return bisect_left(timed, time_ns, key=itemgetter(0))
