"""Bursts: packets of one conversation that follow each other without a pause."""

from dataclasses import dataclass, field

import numpy as np

from analysis.streaming.arrivals import Arrivals

GAP_NS = 1_000_000_000  # as BehavIoT has it
SHAPE = 8  # packets with a payload that are looked at
_MANY = 4096  # conversations that may be open before old ones are let go


@dataclass(slots=True, kw_only=True, eq=False)
class Burst:
    """One burst of one device, growing until a pause ends it.

    destination  number of `Destination`
    start_ns     first packet;  last_ns  latest packet so far
    shape        lengths of the first frames with a payload, negative when received; at
                 most one more than SHAPE, which says that there are more
    """

    destination: int
    start_ns: int
    last_ns: int
    shape: list[int] = field(default_factory=list)

    @property
    def is_long(self) -> bool:
        """Whether there are more packets than a shape tells of."""
        return len(self.shape) > SHAPE

    def is_over(self, now_ns: int) -> bool:
        """Say whether no packet can follow any more."""
        return now_ns - self.last_ns > GAP_NS


class Bursts:
    """The bursts of one device that are open, and how packets join them."""

    def __init__(self) -> None:
        self._open: dict[int, Burst] = {}

    def take(self, packets: Arrivals) -> list[Burst]:
        """Take packets that follow those before; return the bursts that they begin."""
        order = np.argsort(packets.flow, kind="stable")
        flow, time_ns = packets.flow[order], packets.time_ns[order]
        length = packets.length_b[order].astype(np.int64)
        signed = np.where(packets.outbound[order], length, -length)
        signed[packets.payload_b[order] == 0] = 0
        other_flow = flow[1:] != flow[:-1]
        seams = np.flatnonzero(other_flow | (np.diff(time_ns) > GAP_NS)) + 1
        starts = [0, *seams.tolist()]
        begun = []
        for start, end in zip(starts, [*seams.tolist(), flow.size], strict=True):
            burst = self._joined(int(flow[start]), int(time_ns[start]))
            if burst is None:
                burst = Burst(
                    destination=int(packets.destination[order[start]]),
                    start_ns=int(time_ns[start]),
                    last_ns=0,
                )
                self._open[int(flow[start])] = burst
                begun.append(burst)
            burst.last_ns = int(time_ns[end - 1])
            _extend(burst.shape, signed[start:end])
        if len(self._open) > _MANY:
            self._let_go(int(packets.time_ns[-1]))
        return sorted(begun, key=lambda burst: burst.start_ns)

    def _joined(self, flow: int, time_ns: int) -> Burst | None:
        burst = self._open.get(flow)
        return None if burst is None or burst.is_over(time_ns) else burst

    def _let_go(self, now_ns: int) -> None:
        self._open = {f: b for f, b in self._open.items() if not b.is_over(now_ns)}


def _extend(
    shape: list[int], signed: np.ndarray[tuple[int], np.dtype[np.int64]]
) -> None:
    """Add the packets with a payload (not 0) until the shape is full."""
    room = SHAPE + 1 - len(shape)
    if room > 0:
        shape += signed[signed != 0][:room].tolist()
