"""Twelve devices behind a router: what each does, and when.

An actor is a generator that adds packets to the plan and yields the time at which it
wants to go on; `simulate` lets the one whose turn is next go on until the capture is
long enough.
"""

import heapq
import random
from collections.abc import Iterator
from typing import NamedTuple

from tests.bench.conversation import MS, Connection
from tests.bench.plan import (
    ARP,
    ICMP,
    PAYLOAD,
    SHORT_QUIC,
    STREAM,
    TEMPLATE,
    UDP,
    End,
    Flow,
    Plan,
)
from tests.bench.templates import (
    DNS,
    MDNS,
    NTP_ANSWERED,
    NTP_ASKED,
    POLLED,
    SERVERS,
    build_templates,
)

START_NS = 1_767_607_200 * 10**9  # 2026-01-05T10:00:00Z
S = 1_000 * MS
N_DEVICES = 12
TROUBLE = 0.29
_HEADS_B = 90  # of a packet in the file, all in all, on average
_ROUTER_MAC = bytes.fromhex("02004d000001")
_LENGTHS = [len(t) for t in build_templates()]


class Kind(NamedTuple):
    """An activity: bytes up and down per exchange, exchanges, seconds between them."""

    name: str
    delta_s: int
    up_b: int
    down_b: int
    exchanges: int
    gap_s: float
    quic: bool = False


KINDS = (
    Kind("stream_video", 25, 42_000, 300, 12, 1.2),
    Kind("record_video", 25, 60_000, 200, 9, 1.5, quic=True),
    Kind("take_snapshot", 10, 90_000, 600, 1, 0.5),
    Kind("ask_weather", 14, 24_000, 70_000, 1, 0.4),
    Kind("ask_time", 14, 18_000, 22_000, 1, 0.4),
    Kind("play_music", 20, 16_000, 95_000, 6, 1.6),
    Kind("turn_on", 8, 420, 380, 2, 0.3),
    Kind("turn_off", 8, 400, 510, 3, 0.3),
    Kind("read_state", 8, 260, 1_900, 1, 0.2),
    Kind("volume_up", 14, 21_000, 2_500, 2, 0.5),
)


class Activity(NamedTuple):
    """One row of the activity log to be."""

    t_ns: int
    device: int
    kind: Kind


class House:
    """The devices, their ports, and the plan that they fill."""

    def __init__(self, seed: int) -> None:
        self.plan = Plan()
        self.activities: list[Activity] = []
        self.rng = random.Random(seed)
        self._ports = [0] * N_DEVICES

    def near(self, device: int, family: int) -> End:
        """Return the device's end of a flow."""
        if family == 6:
            return End(mac(device), _ip6(0x77, 11 + device))
        return End(mac(device), bytes((10, 77, 0, 11 + device)))

    def flow(self, device: int, server: int, port: int, *, family: int = 4) -> int:
        """Return a flow to a server in the cloud, from the device's next port.

        A device has few ports, so that it uses them again.
        """
        self._ports[device] = (self._ports[device] + 1) % 60
        near_port = 40_000 + 300 * device + self._ports[device]
        return self._flow(device, cloud(server, family), near_port, port)

    def local(self, device: int, far: End, near_port: int, far_port: int) -> int:
        """Return a flow inside the house, IPv4."""
        return self._flow(device, far, near_port, far_port)

    def _flow(self, device: int, far: End, near_port: int, far_port: int) -> int:
        near = self.near(device, 6 if len(far.ip) == 16 else 4)
        vlan = 20 if device == N_DEVICES - 1 else 0
        padded = device % 3 == 0
        flow = Flow(near, far, near_port, far_port, vlan=vlan, padded=padded)
        return self.plan.flow(flow)

    def datagram(
        self, time_ns: int, flow: int, out: int, size: int, content: int = STREAM
    ) -> None:
        """Add a UDP datagram with payload cut from anywhere."""
        at = self.rng.randrange(1 << 16)
        self.plan.add(time_ns, flow, out, UDP, at, 0, 0, size, content, 0)

    def template(self, time_ns: int, flow: int, out: int, row: tuple[int, int]) -> None:
        """Add a datagram of template `row[0]` with number `row[1]`, 0 for none."""
        which, number = row
        size = _LENGTHS[which]
        content = TEMPLATE - which
        self.plan.add(time_ns, flow, out, UDP, number, 0, 0, size, content, 0)

    def connection(self, device: int, server: int, port: int, at_ns: int) -> Connection:
        """Return a connection that is open, one in five over IPv6."""
        family = 6 if self.rng.random() < 0.2 else 4
        flow = self.flow(device, server, port, family=family)
        connection = Connection(self.plan, self.rng, flow, at_ns, TROUBLE)
        connection.open((_LENGTHS[0], _LENGTHS[1]))
        return connection


def mac(device: int) -> bytes:
    """Return the MAC address of a device."""
    return bytes.fromhex("a0046091") + bytes((0x11, device))


def _ip6(net: int, host: int) -> bytes:
    return (
        bytes.fromhex("20010db80000") + net.to_bytes(2, "big") + host.to_bytes(8, "big")
    )


def cloud(server: int, family: int) -> End:
    """Return a server's end of a flow; all are behind the router's MAC."""
    if family == 6:
        return End(_ROUTER_MAC, _ip6(0xCAFE, 10 + server))
    return End(_ROUTER_MAC, bytes((198, 51, 100, 10 + server)))


ROUTER = End(_ROUTER_MAC, bytes((10, 77, 0, 1)))
MDNS_GROUP = End(bytes.fromhex("01005e0000fb"), bytes((224, 0, 0, 251)))

Actor = Iterator[int]


def _live(house: House, device: int, now_ns: int) -> Actor:
    """Activities, one after the other: never two at once on one device."""
    rng = house.rng
    while True:
        now_ns += int(rng.uniform(40, 200) * S)
        yield now_ns
        kind = rng.choice(KINDS)
        house.activities.append(Activity(now_ns, device, kind))
        begin_ns = now_ns + int(rng.uniform(0.05, 0.4) * S)
        server = rng.randrange(len(SERVERS))
        if rng.random() < 0.5:
            _ask_name(house, device, server, begin_ns)
            begin_ns += 30 * MS
        end_ns = begin_ns + (kind.delta_s - 1) * S
        exchange = _over_quic if kind.quic else _over_tls
        exchange(house, (device, server), kind, (begin_ns, end_ns))
        now_ns += 26 * S


def _over_tls(
    house: House, ends: tuple[int, int], kind: Kind, when: tuple[int, int]
) -> None:
    rng = house.rng
    connection = house.connection(*ends, 443, when[0])
    for _ in range(kind.exchanges):
        connection.send(1, int(kind.up_b * rng.lognormvariate(0, 0.3)))
        connection.send(0, int(kind.down_b * rng.lognormvariate(0, 0.3)))
        connection.now_ns += int(kind.gap_s * rng.expovariate(1) * S)
        if connection.now_ns > when[1]:
            break
    connection.close()


def _over_quic(
    house: House, ends: tuple[int, int], kind: Kind, when: tuple[int, int]
) -> None:
    rng, now_ns = house.rng, when[0]
    flow = house.flow(*ends, 443)
    for _ in range(kind.exchanges):
        for out, size in ((1, kind.up_b), (0, kind.down_b)):
            for _ in range(max(1, int(size * rng.lognormvariate(0, 0.3)) // 1_250)):
                now_ns += rng.randrange(30_000, 300_000)
                datagram_b = min(1_250, size)
                house.datagram(now_ns, flow, out, datagram_b, SHORT_QUIC)
                if rng.random() < 0.3:
                    answer_ns = now_ns + 12 * MS
                    house.datagram(answer_ns, flow, 1 - out, 34, SHORT_QUIC)
        now_ns += int(kind.gap_s * rng.expovariate(1) * S)
        if now_ns > when[1]:
            break


def _ask_name(house: House, device: int, server: int, now_ns: int) -> None:
    flow = house.local(device, ROUTER, 33_000 + house.rng.randrange(500), 53)
    number = house.rng.randrange(1, 65_536)
    question = DNS + 2 * server
    house.template(now_ns, flow, 1, (question, number))
    house.template(now_ns + 9 * MS, flow, 0, (question + 1, number))


def _stay_connected(house: House, device: int, now_ns: int) -> Actor:
    """A connection for messages, kept alive, renewed now and then."""
    rng = house.rng
    now_ns += int(rng.uniform(0, 20) * S)
    while True:
        yield now_ns
        connection = house.connection(device, 5, 8883, now_ns)
        for _ in range(rng.randrange(20, 90)):
            now_ns = connection.now_ns + int(rng.uniform(20, 60) * S)
            yield now_ns
            connection.now_ns = now_ns
            if rng.random() < 0.4:
                connection.keep_alive()
            else:
                connection.send(rng.randrange(2), rng.randrange(60, 900))
        connection.now_ns += S
        connection.close()
        now_ns = connection.now_ns + int(rng.uniform(0.5, 3) * S)


def _small_talk(house: House, device: int, now_ns: int) -> Actor:
    """DNS, NTP, mDNS, ARP, ping, and a poll of a neighbour inside the house."""
    rng = house.rng
    router = house.local(device, ROUTER, 0, 0)
    clock = house.local(device, cloud(6, 4), 123, 123)
    group = house.local(device, MDNS_GROUP, 5353, 5353)
    neighbour = house.near((device + 1) % N_DEVICES, 4)
    poll = house.local(device, neighbour, 38_899, 38_899)
    plan = house.plan
    while True:
        now_ns += int(rng.expovariate(1 / 14) * S) + 1
        yield now_ns
        what = rng.randrange(6)
        later_ns = now_ns + rng.randrange(MS // 2, 20 * MS)
        if what == 0:
            _ask_name(house, device, rng.randrange(len(SERVERS)), now_ns)
        elif what == 1:
            house.template(now_ns, clock, 1, (NTP_ASKED, 0))
            house.template(later_ns, clock, 0, (NTP_ANSWERED, 0))
        elif what == 2:
            house.template(now_ns, group, 1, (MDNS, 0))
        elif what == 3:
            plan.add(now_ns, router, 0, ARP, 0, 0, 1, 0, STREAM, 0)
            plan.add(later_ns, router, 1, ARP, 0, 0, 2, 0, STREAM, 0)
        elif what == 4:
            number = rng.randrange(1 << 32)
            plan.add(now_ns, router, 1, ICMP, number, 0, 8, 56, STREAM, 0)
            plan.add(later_ns, router, 0, ICMP, number, 0, 0, 56, STREAM, 0)
        else:
            house.template(now_ns, poll, 1, (POLLED, 0))
            house.template(later_ns, poll, 0, (POLLED, 0))


def simulate(seed: int, target_b: int) -> House:
    """Let the house live until its packets fill about `target_b` bytes of a file."""
    house = House(seed)
    turns: list[tuple[int, int, Actor]] = []
    for device in range(N_DEVICES):
        for habit in (_live, _stay_connected, _small_talk):
            actor = habit(house, device, START_NS)
            turns.append((next(actor), len(turns), actor))
    heapq.heapify(turns)
    measured, made_b, step = 0, 0, 5_000
    while made_b < target_b:
        _, number, actor = turns[0]
        heapq.heapreplace(turns, (next(actor), number, actor))
        if len(house.plan) - measured >= step:
            fresh = house.plan.rows(measured)
            made_b += int(fresh[:, PAYLOAD].sum()) + _HEADS_B * len(fresh)
            measured += len(fresh)
    return house
