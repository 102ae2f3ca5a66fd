"""The player of the fast lab: what is played becomes packets, not sockets.

It also keeps the devices' background going, which is drawn only as far as the packets
are asked for.
"""

import heapq
from collections.abc import Callable, Iterator
from enum import StrEnum

from testbed.virtual.fast.frames import Packet
from testbed.virtual.fast.wire import Wire
from testbed.virtual.house import Cause, House, crosses_lan
from testbed.virtual.house.hosts import CONTROLLER, ROUTER
from testbed.virtual.traffic import Exchange, Message, Transport

BEACON_CAUSE = -1
_BEACON_PORT = 47777


class Depth(StrEnum):
    """How much of the house is written down."""

    PACKETS = "packets"  # all that crosses the captured interface
    ACTIVITIES = "activities"  # the log and the ground truth; of packets beacons only


class Recorder:
    """Collects what is played, and gives it back as packets by time."""

    def __init__(
        self, house: House, wire: Wire, start_ns: int, depth: Depth = Depth.PACKETS
    ) -> None:
        self._depth = depth
        self.phone_network: Callable[[], str] = lambda: "lan"
        self._house = house
        self.devices = house.devices
        self._wire = wire
        self._heap: list[tuple[int, str, Exchange]] = []
        self._sources: dict[str, tuple[int, Iterator[tuple[float, Exchange]]]] = {}
        self.causes: list[Cause] = []
        self.silent_ns: dict[str, int] = {}  # device without power -> since when
        for name in house.sources:
            self._begin_background(name, start_ns)

    def play(
        self, cause: Cause, exchanges: tuple[Exchange, ...], start_ns: int
    ) -> None:
        """Play exchanges of an activity, their `at_s` counted from `start_ns`."""
        self.causes.append(cause)
        for exchange in exchanges if self._depth is Depth.PACKETS else ():
            self._wire.add(start_ns, exchange, cause.number)

    def silence(self, device: str, at_ns: int) -> None:
        """Cut a device's power."""
        self._draw_background(at_ns)
        self.silent_ns[device] = at_ns
        self._sources.pop(device, None)
        self._heap = [entry for entry in self._heap if entry[1] != device]
        heapq.heapify(self._heap)
        self._wire.silence(device, at_ns)

    def wake(self, device: str, at_ns: int) -> None:
        """Give a device its power back: it boots, then does as always."""
        if device in self._sources:
            return
        self._wire.wake(device, at_ns)
        self.silent_ns.pop(device, None)
        number = self.causes[-1].number if self.causes else 0
        for exchange in self._house.boot(device):
            if self._depth is Depth.PACKETS:
                self._wire.add(at_ns, exchange, number)
        self._begin_background(device, at_ns)

    def add(self, exchange: Exchange, at_ns: int, cause: int = 0) -> None:
        """Play one exchange; 0 for one that no activity caused."""
        if self._depth is Depth.PACKETS:
            self._wire.add(at_ns, exchange, cause)

    def send_beacon(self, payload: bytes, at_ns: int) -> None:
        """Let the controller send one beacon to the router."""
        message = Message(at_s=0.0, upstream=True, size_b=len(payload), payload=payload)
        exchange = Exchange(
            at_s=0.0,
            client=CONTROLLER,
            server=ROUTER,
            port=_BEACON_PORT,
            transport=Transport.UDP,
            messages=(message,),
            connection="beacons",
        )
        self._wire.add(at_ns, exchange, BEACON_CAUSE)

    def packets_until(self, until_ns: int) -> list[Packet]:
        """Return the packets before `until_ns` that were not returned yet, by time."""
        self._draw_background(until_ns)
        return self._wire.packets_until(until_ns)

    def restart(self, start_ns: int) -> None:
        """Begin another day: nobody remembers a connection."""
        self._wire.drop_all()
        self._heap.clear()
        on = list(self._sources)
        self._sources.clear()
        for name in on:
            self._begin_background(name, start_ns)

    def _begin_background(self, name: str, start_ns: int) -> None:
        self._sources[name] = (start_ns, self._house.background(name))
        if self._depth is Depth.PACKETS:
            self._draw_next(name)

    def _draw_next(self, name: str) -> None:
        start_ns, source = self._sources[name]
        at_s, exchange = next(source)
        entry = (start_ns + round(at_s * 1e9), name, exchange)
        heapq.heappush(self._heap, entry)

    def _draw_background(self, until_ns: int) -> None:
        while self._heap and self._heap[0][0] < until_ns:
            at_ns, name, exchange = heapq.heappop(self._heap)
            if crosses_lan(exchange, self.phone_network()):
                self._wire.add(at_ns, exchange)
            self._draw_next(name)
