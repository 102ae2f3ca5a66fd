"""Who asks whom for a MAC address, and when: ARP as Linux does it.

The first packet to a neighbour waits for a question to everyone. Later, a neighbour of
whom nothing was confirmed for half a minute is talked to all the same, and asked five
seconds afterwards, unless TCP has confirmed meanwhile that it hears. A router that only
forwards gets no such confirmation, and so goes on asking.
"""

import heapq
from collections.abc import Mapping
from dataclasses import dataclass
from operator import itemgetter

from testbed.virtual.fast.frames import ACK, FIN, SYN, TCP, Packet, Way

_REACHABLE_NS = 30_000_000_000
_DELAY_NS = 5_000_000_000
_TICK_NS = 256_000_000  # Linux rounds timers of seconds up to its next tick
_ASK_NS, _ANSWER_NS = 400_000, 200_000  # before the first packet
_MANY_LINKS = 10_000
_HEAD = bytes.fromhex("0001 0800 06 04")


@dataclass(slots=True)
class _Neighbour:
    """What one node knows of another.

    asking     whether a question is due
    unheard    connection (ports) that sent something which TCP will acknowledge
    confirmed  connection that got it acknowledged; counts with its next packet there
    """

    confirmed_ns: int
    asking: bool = False
    unheard: tuple[int, int] | None = None
    confirmed: tuple[int, int] | None = None


@dataclass(slots=True, kw_only=True)
class _Link:
    """What stays for all packets of one way.

    between_nodes   whether the receiver is a node of the LAN, and it is not ARP
    from_end        whether the sender on the LAN is where the packet began
    to_end          whether the receiver on the LAN is where it ends
    known           what the sender knows of the receiver; back the other way round
    """

    way: Way
    between_nodes: bool
    tcp: bool
    from_end: bool
    to_end: bool
    ports: tuple[int, int]
    ports_back: tuple[int, int]
    known: _Neighbour | None = None
    back: _Neighbour | None = None


class Neighbours:
    """Adds ARP to packets that go by.

    ips   MAC -> IP of every node of the LAN
    """

    def __init__(self, ips: Mapping[bytes, bytes]) -> None:
        self._ips = ips
        self._known: dict[tuple[bytes, bytes], _Neighbour] = {}
        self._links: dict[Way, _Link] = {}
        self._due: list[tuple[int, bytes, bytes]] = []
        self._seen_ns = 0

    def forget(self) -> None:
        """Know nobody any more."""
        self._known.clear()
        self._links.clear()
        self._due.clear()

    def among(self, packets: list[Packet], until_ns: int) -> list[Packet]:
        """Return packets before `until_ns` with the ARP that they cause, by time."""
        asked: list[Packet] = []
        due, links = self._due, self._links
        if len(links) > _MANY_LINKS:
            links.clear()  # of connections that are over; it is only a cache
        for packet in packets:
            way = packet[1]
            link = links.get(way)
            if link is None:
                link = links[way] = self._link(way)
            if not link.between_nodes:
                continue
            while due and due[0][0] <= packet[0]:
                self._fall_due(asked)
            self._watch(packet, link, asked)
        while due and due[0][0] < until_ns:
            self._fall_due(asked)
        self._seen_ns = until_ns
        if not asked:
            return packets
        return sorted(packets + asked, key=itemgetter(0))

    def _link(self, way: Way) -> _Link:
        here, there = way.source_mac, way.target_mac
        return _Link(
            way=way,
            between_nodes=way.protocol != 0 and there in self._ips,
            tcp=way.protocol == TCP,
            from_end=way.source_ip == self._ips.get(here),
            to_end=way.target_ip == self._ips.get(there),
            ports=(way.source_port, way.target_port),
            ports_back=(way.target_port, way.source_port),
        )

    def _watch(self, packet: Packet, link: _Link, asked: list[Packet]) -> None:
        now_ns, known = packet[0], link.known
        if known is None:
            known = link.known = self._meet(packet, link.way, asked)
            link.back = self._known[link.way.target_mac, link.way.source_mac]
        if link.tcp:
            self._follow(packet, link, known)
        if not known.asking and now_ns - known.confirmed_ns > _REACHABLE_NS:
            known.asking = True
            ticks = (now_ns + _DELAY_NS) // _TICK_NS + 1
            way = link.way
            heapq.heappush(
                self._due, (ticks * _TICK_NS, way.source_mac, way.target_mac)
            )

    def _meet(self, packet: Packet, way: Way, asked: list[Packet]) -> _Neighbour:
        """Return what the sender knows of the receiver; knowing nothing, it asks."""
        here, there, now_ns = way.source_mac, way.target_mac, packet.time_ns
        known = self._known.get((here, there))
        if known is None:
            known = self._known[here, there] = _Neighbour(now_ns)
            self._known.setdefault((there, here), _Neighbour(0))
            ask_ns = max(self._seen_ns, now_ns - _ASK_NS)
            answer_ns = max(ask_ns, now_ns - _ANSWER_NS)
            asked += self._question(here, there, ask_ns, answer_ns, True, packet.cause)
        return known

    def _follow(self, packet: Packet, link: _Link, known: _Neighbour) -> None:
        """Let TCP confirm neighbours, as its ends do; a router between is no end."""
        time_ns, _, _, _, flags, payload, _ = packet
        if link.from_end:
            if known.confirmed == link.ports:
                known.confirmed_ns, known.confirmed = time_ns, None
            if payload or flags & (SYN | FIN):
                known.unheard = link.ports
        back = link.back
        if back is not None and flags & ACK and link.to_end:
            ports = link.ports_back
            if back.unheard == ports:
                back.confirmed, back.unheard = ports, None

    def _fall_due(self, asked: list[Packet]) -> None:
        now_ns, here, there = heapq.heappop(self._due)
        known = self._known[here, there]
        known.asking = False
        if now_ns - known.confirmed_ns <= _DELAY_NS:
            return
        known.confirmed_ns = now_ns
        answer_ns = now_ns + _ANSWER_NS
        asked += self._question(here, there, now_ns, answer_ns, False, 0)

    def _question(
        self,
        here: bytes,
        there: bytes,
        ask_ns: int,
        answer_ns: int,
        everyone: bool,
        cause: int,
    ) -> list[Packet]:
        own, other = self._ips[here], self._ips[there]
        ask = _HEAD + b"\0\1" + here + own + bytes(6) + other
        answer = _HEAD + b"\0\2" + there + other + here + own
        target = b"\xff" * 6 if everyone else there
        out = Way(here, target, own, other, 0, 0, 0)
        back = Way(there, here, other, own, 0, 0, 0)
        return [
            Packet(ask_ns, out, 0, 0, 0, ask, cause),
            Packet(answer_ns, back, 0, 0, 0, answer, cause),
        ]
