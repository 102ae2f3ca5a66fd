"""Who asks whom for a MAC address, and when: ARP as Linux does it.

The first packet to a neighbour waits for a question to everyone. Later, a neighbour of
whom nothing was confirmed for half a minute is talked to all the same, and asked five
seconds afterwards, unless TCP has confirmed meanwhile that it hears. A router that only
forwards gets no such confirmation, and so goes on asking.
"""

import heapq
from collections.abc import Mapping
from dataclasses import dataclass

from testbed.virtual.fast.frames import ACK, FIN, SYN, TCP, Packet, Way

_REACHABLE_NS = 30_000_000_000
_DELAY_NS = 5_000_000_000
_TICK_NS = 256_000_000  # Linux rounds timers of seconds up to its next tick
_ASK_NS, _ANSWER_NS = 400_000, 200_000  # before the first packet
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


class Neighbours:
    """Adds ARP to packets that go by.

    ips   MAC -> IP of every node of the LAN
    """

    def __init__(self, ips: Mapping[bytes, bytes]) -> None:
        self._ips = ips
        self._known: dict[tuple[bytes, bytes], _Neighbour] = {}
        self._due: list[tuple[int, bytes, bytes]] = []
        self._seen_ns = 0

    def forget(self) -> None:
        """Know nobody any more."""
        self._known.clear()
        self._due.clear()

    def among(self, packets: list[Packet], until_ns: int) -> list[Packet]:
        """Return packets before `until_ns` with the ARP that they cause, by time."""
        asked: list[Packet] = []
        for packet in packets:
            way = packet.way
            if way.protocol and way.target_mac in self._ips:
                while self._due and self._due[0][0] <= packet.time_ns:
                    self._fall_due(asked)
                self._watch(packet, way, asked)
        while self._due and self._due[0][0] < until_ns:
            self._fall_due(asked)
        self._seen_ns = until_ns
        if not asked:
            return packets
        return sorted(packets + asked, key=lambda p: p.time_ns)

    def _watch(self, packet: Packet, way: Way, asked: list[Packet]) -> None:
        here, there, now_ns = way.source_mac, way.target_mac, packet.time_ns
        known = self._known.get((here, there))
        if known is None:
            known = self._known[here, there] = _Neighbour(now_ns)
            self._known.setdefault((there, here), _Neighbour(0))
            ask_ns = max(self._seen_ns, now_ns - _ASK_NS)
            answer_ns = max(ask_ns, now_ns - _ANSWER_NS)
            asked += self._question(here, there, ask_ns, answer_ns, True, packet.cause)
        if way.protocol == TCP:
            self._follow(packet, way, known)
        if not known.asking and now_ns - known.confirmed_ns > _REACHABLE_NS:
            known.asking = True
            ticks = (now_ns + _DELAY_NS) // _TICK_NS + 1
            heapq.heappush(self._due, (ticks * _TICK_NS, here, there))

    def _follow(self, packet: Packet, way: Way, known: _Neighbour) -> None:
        """Let TCP confirm neighbours, as its ends do; a router between is no end."""
        here, there = way.source_mac, way.target_mac
        if way.source_ip == self._ips.get(here):
            ports = (way.source_port, way.target_port)
            if known.confirmed == ports:
                known.confirmed_ns, known.confirmed = packet.time_ns, None
            if packet.payload or packet.flags & (SYN | FIN):
                known.unheard = ports
        back = self._known.get((there, here))
        if (
            back is not None
            and packet.flags & ACK
            and way.target_ip == self._ips[there]
        ):
            ports = (way.target_port, way.source_port)
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
