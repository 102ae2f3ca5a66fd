"""The connections of a device in a home: exchanges in, writes out.

Named connections stay open from one exchange to the next, until the device, the
server, the router or the provider ends them.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from testbed.virtual.fast import tls
from testbed.virtual.homes.addresses import address_of, farther_s, hops_to
from testbed.virtual.homes.places import Home
from testbed.virtual.homes.sheet import (
    ACK,
    FIN,
    ICMP,
    ROUTINE,
    RST,
    SYN,
    TCP,
    UDP,
    Ends,
    Sheet,
    Tag,
    Write,
)
from testbed.virtual.house.hosts import CONTROLLER, MULTICAST, NODES, PHONE, ROUTER
from testbed.virtual.house.unit import generator
from testbed.virtual.traffic import Exchange, Transport

_LAN_NS = 500_000
_LAN = {ROUTER: 1, CONTROLLER: 5, PHONE: 20}
_CLIENT_PORTS = {5353: 5353, 67: 68}
_RETRIES_S = (0.3, 0.9, 2.1, 4.5)
_SYN_RETRIES_S = (0.0, 1.0, 3.0)


@dataclass(slots=True)
class _Open:
    """A connection that is up; `ready_ns` when client and server may write."""

    number: int
    ends: Ends
    ready_ns: tuple[int, int]
    last_ns: int


class Lines:
    """Turns what the device of one home says into writes on its connections."""

    def __init__(self, device: str, home: Home, sheet: Sheet, *, seed: int) -> None:
        self.device = device
        self.home = home
        self._seed = seed
        self._sheet = sheet
        self._rng = generator("lines", seed, home.name)
        self._named: dict[str, _Open] = {}
        self._dark: list[int] = []  # begin and end of outages in turn, sorted
        self._weak: list[int] = []  # the same of hours with a weak radio network

    def set_dark(self, spells: Sequence[tuple[int, int]]) -> None:
        """Say when nothing passes between home and provider (by time, in ns)."""
        self._dark = [at for spell in spells for at in spell]

    def is_dark(self, time_ns: int) -> bool:
        """Say whether the provider is out at a time."""
        return bool(bisect_right(self._dark, time_ns) % 2)

    def set_weak(self, spells: Sequence[tuple[int, int]]) -> None:
        """Say when the home's own radio network is weak (by time, in ns)."""
        self._weak = [at for spell in spells for at in spell]

    def drop_all(self) -> None:
        """Forget all connections, as a device does that lost its power."""
        self._named.clear()

    def drop(self, connection: str) -> None:
        """Forget one connection."""
        self._named.pop(connection, None)

    def play(self, start_ns: int, exchange: Exchange, tag: Tag = ROUTINE) -> None:
        """Let an exchange begin; its `at_s` counts from `start_ns`.

        What neither comes from the device nor goes to it is left out.
        """
        if self.device not in (exchange.client, exchange.server):
            return
        base_ns = start_ns + round(exchange.at_s * 1e9)
        if exchange.transport is Transport.UDP:
            self._datagrams(base_ns, exchange, tag)
            return
        name = exchange.connection
        up = self._named.get(name) if name is not None else None
        if not exchange.messages:
            if up is not None and name is not None:
                self._close(up, base_ns)
                del self._named[name]
            return
        base_ns += round(exchange.messages[0].at_s * 1e9)
        up, base_ns = self._still_up(up, name, base_ns, exchange)
        if up is None:
            up = self._connect(base_ns, exchange, tag)
        if up is None:
            return
        self._write(up, base_ns, exchange)
        if name is None:
            self._close(up, up.last_ns + 1_000_000)
        else:
            self._named[name] = up

    def ends(
        self, host: str, port: int, time_ns: int, tag: Tag, protocol: int = TCP
    ) -> Ends:
        """Return the ends of a new connection of the device to a named server."""
        return self._ends(host, port, time_ns, tag, protocol, True)

    def raw(self, ends: Ends, writes: Sequence[tuple[int, bool, int, int]]) -> None:
        """Add a connection that is told write by write: time_ns, out, size_b, flags.

        While the provider is out, nothing comes back from beyond the home.
        """
        number = self._sheet.open(ends)
        local = ends.delay_ns <= _LAN_NS
        for time_ns, out, size_b, flags in writes:
            if out or local or not self.is_dark(time_ns):
                self._sheet.writes.append(Write(number, time_ns, out, size_b, flags))

    def port(self) -> int:
        """Draw a client's port."""
        return int(self._rng.integers(32_768, 60_999))

    def lan(self, last: int) -> str:
        """Return an address of the home's LAN."""
        return f"{self.home.network}.{last}"

    # what follows is one exchange

    def _still_up(
        self, up: _Open | None, name: str | None, at_ns: int, exchange: Exchange
    ) -> tuple[_Open | None, int]:
        """Try an open connection; return it, or None and when its end is noticed."""
        if up is None or name is None:
            return None, at_ns
        local = up.ends.delay_ns <= _LAN_NS
        dark = not local and self.is_dark(at_ns)
        forgotten = not local and at_ns - up.last_ns > self.home.nat_s * 1e9
        if not dark and not forgotten:
            return up, at_ns
        del self._named[name]
        first = exchange.messages[0]
        out = first.upstream == up.ends.outbound
        if not out:  # a server's word does not come through; nobody sees it
            return None, at_ns
        size_b = first.size_b + 22
        self._put(up, at_ns, True, size_b)
        if forgotten and not dark and self.home.nat_answers:
            self._put(up, at_ns + up.ends.delay_ns, False, 0, RST | ACK)
            return None, at_ns + 2 * up.ends.delay_ns + 150_000_000
        for again_s in _RETRIES_S:
            self._put(up, at_ns + round(again_s * 1e9), True, size_b)
        return None, at_ns + round((_RETRIES_S[-1] + 4.0) * 1e9)

    def _connect(self, at_ns: int, exchange: Exchange, tag: Tag) -> _Open | None:
        """Shake hands; None when the provider is out."""
        ends = self._ends_of(exchange, at_ns, tag)
        up = _Open(self._sheet.open(ends), ends, (at_ns, at_ns), at_ns)
        if ends.delay_ns > _LAN_NS and self.is_dark(at_ns):
            for again_s in _SYN_RETRIES_S:
                self._put(up, at_ns + round(again_s * 1e9), True, 0, SYN)
            return None
        near_ns = _LAN_NS if ends.outbound else ends.delay_ns
        far_ns = ends.delay_ns if ends.outbound else _LAN_NS
        half_ns = near_ns + far_ns
        client = ends.outbound
        self._put(up, at_ns, client, 0, SYN)
        self._put(up, at_ns + half_ns + 90_000, not client, 0, SYN | ACK)
        at_ns += 2 * half_ns + 220_000
        self._put(up, at_ns, client, 0, ACK)
        if exchange.transport is Transport.TLS:
            at_ns = self._shake_hands(up, at_ns, half_ns, exchange.server)
        up.ready_ns = (at_ns + 200_000, at_ns + half_ns + 500_000)
        up.last_ns = at_ns
        return up

    def _shake_hands(self, up: _Open, at_ns: int, half_ns: int, server: str) -> int:
        rng, client = self._rng, up.ends.outbound
        hello_b, flight_b, finished_b, tickets_b = _handshake_b(server)
        at_ns += int(rng.uniform(2e6, 6e6))
        self._put(up, at_ns, client, hello_b)
        at_ns += half_ns + int(rng.uniform(3e6, 7e6))
        self._put(up, at_ns, not client, flight_b)
        at_ns += half_ns + int(rng.uniform(6e6, 25e6))
        self._put(up, at_ns, client, finished_b)
        later_ns = at_ns + half_ns + int(rng.uniform(1e6, 3e6))
        self._put(up, later_ns, not client, tickets_b)
        return at_ns

    def _write(self, up: _Open, base_ns: int, exchange: Exchange) -> None:
        first_s = exchange.messages[0].at_s
        tls_b = 22 if exchange.transport is Transport.TLS else 0
        last_ns = base_ns
        for message in exchange.messages:
            at_ns = base_ns + round((message.at_s - first_s) * 1e9)
            at_ns = max(at_ns, up.ready_ns[0 if message.upstream else 1])
            size_b = message.size_b + tls_b * -(-message.size_b // tls.RECORD_B)
            self._put(up, at_ns, message.upstream == up.ends.outbound, size_b)
            last_ns = max(last_ns, at_ns)
        up.last_ns = last_ns

    def _close(self, up: _Open, at_ns: int) -> None:
        """Say goodbye; the client closes first."""
        half_ns = up.ends.delay_ns + _LAN_NS
        at_ns = max(at_ns, up.ready_ns[1], up.last_ns) + 2 * half_ns + 4_000_000
        client = up.ends.outbound
        if up.ends.remote_port == 443:
            self._put(up, at_ns, client, 24)
        self._put(up, at_ns + 60_000, client, 0, FIN | ACK)
        if up.ends.delay_ns > _LAN_NS and self.is_dark(at_ns):
            return
        server_ns = at_ns + half_ns + 15_000_000
        if self._rng.random() < self.home.resets:
            self._put(up, server_ns, not client, 0, RST | ACK)
            return
        self._put(up, server_ns, not client, 0, FIN | ACK)
        self._put(up, server_ns + half_ns + 200_000, client, 0, ACK)

    def _datagrams(self, base_ns: int, exchange: Exchange, tag: Tag) -> None:
        name = exchange.connection
        up = self._named.get(name) if name is not None else None
        if up is None:
            ends = self._ends_of(exchange, base_ns, tag)
            up = _Open(self._sheet.open(ends), ends, (0, 0), base_ns)
            if name is not None:
                self._named[name] = up
        local = up.ends.delay_ns <= _LAN_NS and exchange.port != 53
        for message in exchange.messages:
            at_ns = base_ns + round(message.at_s * 1e9)
            out = message.upstream == up.ends.outbound
            if out or local or not self.is_dark(at_ns):
                self._put(up, at_ns, out, message.size_b)
            up.last_ns = at_ns

    def _put(
        self, up: _Open, at_ns: int, out: bool, size_b: int, flags: int = 0
    ) -> None:
        self._sheet.writes.append(Write(up.number, at_ns, out, size_b, flags))

    def _ends_of(self, exchange: Exchange, at_ns: int, tag: Tag) -> Ends:
        outbound = exchange.client == self.device
        other = exchange.server if outbound else exchange.client
        protocol = UDP if exchange.transport is Transport.UDP else TCP
        return self._ends(other, exchange.port, at_ns, tag, protocol, outbound)

    def _ends(
        self, other: str, port: int, at_ns: int, tag: Tag, protocol: int, outbound: bool
    ) -> Ends:
        client_port = _CLIENT_PORTS.get(port) or self.port()
        remote, name, ttl, delay_ns = self._far_end(other, port, at_ns)
        if protocol == ICMP:
            port = client_port = 0
        elif protocol == UDP and self.home.names_seen == "handshakes":
            name = ""
        loss = self.home.loss / 4 if delay_ns <= _LAN_NS else self.home.loss
        if bisect_right(self._weak, at_ns) % 2:
            loss += self.home.weak_loss
        return Ends(
            protocol=protocol,
            remote=remote,
            device_port=client_port if outbound else port,
            remote_port=port if outbound else client_port,
            outbound=outbound,
            name=name,
            ttl_in=ttl,
            delay_ns=delay_ns,
            loss=loss,
            tag=tag,
        )

    def _far_end(self, other: str, port: int, at_ns: int) -> tuple[str, str, int, int]:
        """Return address, visible name, TTL of its packets, and one-way delay."""
        if other in MULTICAST or other == "255.255.255.255":
            return other, "", 0, _LAN_NS
        if other == ROUTER and port == 53:
            if not self.home.resolver.startswith(self.home.network):
                delay_ns = round(self.home.delay_s * 1e9)
                return self.home.resolver, "", 64 - self.home.hops, delay_ns
            return self.home.resolver, "", 64, _LAN_NS
        if other in NODES:
            return self.lan(_LAN.get(other, 30)), "", 64, _LAN_NS
        if other.startswith(self.home.network):
            return other, "", 64, _LAN_NS
        delay_ns = round((self.home.delay_s + farther_s(other, self.home)) * 1e9)
        ttl = 64 - hops_to(other, self.home)
        if other[0].isdigit():  # an address that nobody asked a name for
            return other, "", ttl, delay_ns
        home = self.home
        address = address_of(other, home, at_ns, self._seed)
        return address, other, ttl, delay_ns


@cache
def _handshake_b(server: str) -> tuple[int, int, int, int]:
    """Return the sizes of the four flights of a TLS handshake."""
    noise = tls.Noise(generator("handshake"))
    parts = (
        tls.client_hello(server, noise),
        tls.server_flight(server, noise),
        tls.client_finished(noise),
        tls.tickets(noise),
    )
    hello_b, flight_b, finished_b, tickets_b = (len(part) for part in parts)
    return hello_b, flight_b, finished_b, tickets_b
