"""Delay, jitter and loss between the home and the cloud, where the kernel has none.

`tc netem` does it in the kernel; kernels without it (many cloud machines, containers)
get this process, which carries frames between two interfaces.
"""

import heapq
import random
import selectors
import signal
import socket
from dataclasses import dataclass, field

from testbed.clock import Clock, SystemClock
from testbed.virtual.live import kernel, topology
from testbed.virtual.live.config import LiveConfig

_ALL = 3  # ETH_P_ALL
_SOL_PACKET = 263
_PACKET_IGNORE_OUTGOING = 23
_FRAME_B = 2048
_AT_ONCE = 256
_JITTER = 0.08  # of the delay; a guess, as wired homes show a few per cent


def run(config: LiveConfig) -> None:
    """Carry frames between `home` and `net` until the lab ends."""
    kernel.die_with_parent(signal.SIGKILL)
    kernel.enter(topology.WIRE)
    wire = Wire(
        clock=SystemClock(),
        delay_s=config.wan_delay_s,
        loss=config.wan_loss,
        chance=random.Random(config.virtual.seed),  # noqa: S311 - no secret
    )
    wire.carry(_open("home"), _open("net"))


def _open(interface: str) -> socket.socket:
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL))
    sock.bind((interface, 0))
    sock.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    sock.setblocking(False)
    # Both ends are ours: frames are addressed to the far ends, hence promiscuous.
    index = socket.if_nametoindex(interface)
    request = index.to_bytes(4, "little") + (1).to_bytes(2, "little") + bytes(10)
    sock.setsockopt(_SOL_PACKET, 1, request)
    return sock


@dataclass(slots=True, kw_only=True)
class Wire:
    """Frames under way, by the time at which they arrive; order is kept per side."""

    clock: Clock
    delay_s: float
    loss: float
    chance: random.Random
    _under_way: list[tuple[float, int, socket.socket, bytes]] = field(
        default_factory=list
    )
    _latest: dict[socket.socket, float] = field(default_factory=dict)
    _count: int = 0

    def carry(self, home: socket.socket, net: socket.socket) -> None:
        """Carry frames both ways for ever."""
        with selectors.DefaultSelector() as selector:
            selector.register(home, selectors.EVENT_READ, net)
            selector.register(net, selectors.EVENT_READ, home)
            while True:
                for key, _ in selector.select(self._patience_s()):
                    if isinstance(key.fileobj, socket.socket):
                        self._take(key.fileobj, key.data)
                self._deliver()

    def _patience_s(self) -> float | None:
        if not self._under_way:
            return None
        return max(0.0, self._under_way[0][0] - self.clock.monotonic_s())

    def _take(self, source: socket.socket, target: socket.socket) -> None:
        for _ in range(_AT_ONCE):
            try:
                frame = source.recv(_FRAME_B)
            except (BlockingIOError, OSError):
                return
            if self.chance.random() < self.loss:
                continue
            jitter_s = self.delay_s * _JITTER * self.chance.uniform(-1.0, 1.0)
            due_s = self.clock.monotonic_s() + self.delay_s + jitter_s
            # A wire does not reorder; jitter without this would.
            due_s = max(due_s, self._latest.get(target, 0.0))
            self._latest[target] = due_s
            self._count += 1
            heapq.heappush(self._under_way, (due_s, self._count, target, frame))

    def _deliver(self) -> None:
        now_s = self.clock.monotonic_s()
        while self._under_way and self._under_way[0][0] <= now_s:
            _, _, target, frame = heapq.heappop(self._under_way)
            try:
                target.send(frame)
            except OSError:
                continue  # link is down: the frame is lost, as on a wire
