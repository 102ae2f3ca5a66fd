"""TCP connections as they pass the capture point between a device and its router.

Losses happen before the capture point (the packet is never seen) or behind it (it is
seen twice); the sender notices by three duplicate acknowledgements, by its timer, or
repeats what was acknowledged all along. Neighbours may swap places.
"""

import random

from tests.bench.plan import (
    ACKED,
    FIN,
    PSH,
    RST,
    STREAM,
    SYN,
    TCP,
    TEMPLATE,
    Plan,
)

SEGMENT_B = 1448
RECORD_B = 11 * SEGMENT_B  # the longest TLS record that is made
MS = 1_000_000
CLIENT_HELLO, SERVER_HELLO = 0, 1  # templates
_TROUBLE = ("fast", "fast", "late", "late", "spurious", "swapped", "swapped")
_WRAP = 1 << 32
_BAD_CHECKSUMS = 1 / 5_000

Part = tuple[int, int, int]  # where in the stream, length, content


class Connection:
    """One TCP connection; each call adds packets and moves `now_ns` on."""

    def __init__(
        self, plan: Plan, rng: random.Random, flow: int, at_ns: int, trouble: float
    ) -> None:
        """`trouble` is the share of bursts in which something is lost or swapped."""
        self._plan, self._rng, self._flow = plan, rng, flow
        self._share = trouble
        self.now_ns = at_ns
        wraps = rng.random() < 0.1
        self._next = [rng.randrange(_WRAP), rng.randrange(_WRAP)]
        if wraps:
            self._next[rng.randrange(2)] = _WRAP - rng.randrange(1, 60_000)
        # from a packet at the capture point to the answer there, by its direction
        self._answer_ns = [
            int(rng.uniform(0.5, 3) * MS),
            int(rng.choice((6, 12, 25, 45)) * rng.uniform(0.9, 1.1) * MS),
        ]

    def open(self, hello: tuple[int, int]) -> None:
        """Shake hands and exchange the TLS hellos of these lengths (templates)."""
        if self._rng.random() < 0.01:  # the first SYN is lost behind the tap
            self._add(self.now_ns, 1, SYN)
            self.now_ns += 1_000 * MS
        self._add(self.now_ns, 1, SYN)
        self._next[1] += 1
        self.now_ns += self._answer_ns[1]
        self._add(self.now_ns, 0, SYN | ACKED)
        self._next[0] += 1
        self.now_ns += self._answer_ns[0]
        self._add(self.now_ns, 1, ACKED)
        self.now_ns += MS
        self._burst(1, [(0, hello[0], TEMPLATE - CLIENT_HELLO)])
        self._burst(0, [(0, hello[1], TEMPLATE - SERVER_HELLO)])
        self.send(0, self._rng.randrange(2_400, 4_200))
        self.send(1, 64)

    def send(self, out: int, size: int) -> None:
        """Send so many bytes as TLS records, each waiting for its acknowledgement."""
        while size > 0:
            record = min(size, RECORD_B)
            parts = []
            for at in range(0, record, SEGMENT_B):
                content = max(record - 5, 1) if at == 0 else STREAM
                parts.append((at, min(SEGMENT_B, record - at), content))
            self._burst(out, parts)
            size -= record

    def keep_alive(self) -> None:
        """Probe with the byte before the next one, as an idle sender does."""
        length = self._rng.randrange(2)
        self._add(self.now_ns, 1, ACKED, at=self._next[1] - 1, size=length)
        self.now_ns += self._answer_ns[1]
        self._add(self.now_ns, 0, ACKED)

    def close(self) -> None:
        """End by FIN from the device, or, one time in ten, by RST."""
        if self._rng.random() < 0.1:
            self._add(self.now_ns, 1, RST | ACKED)
            return
        self._add(self.now_ns, 1, FIN | ACKED)
        self._next[1] += 1
        self.now_ns += self._answer_ns[1]
        self._add(self.now_ns, 0, FIN | ACKED)
        self._next[0] += 1
        self.now_ns += self._answer_ns[0]
        self._add(self.now_ns, 1, ACKED)

    def _add(
        self,
        time_ns: int,
        out: int,
        flags: int,
        *,
        at: int | None = None,
        size: int = 0,
        content: int = STREAM,
    ) -> None:
        seq = (self._next[out] if at is None else at) % _WRAP
        ack = self._next[1 - out] % _WRAP if flags & ACKED else 0
        bad = int(self._rng.random() < _BAD_CHECKSUMS) if size else 0
        flow = self._flow
        self._plan.add(time_ns, flow, out, TCP, seq, ack, flags, size, content, bad)

    def _data(self, time_ns: int, out: int, part: Part) -> None:
        at, size, content = part
        flags = ACKED if size == SEGMENT_B else ACKED | PSH
        seq = self._next[out] + at
        self._add(time_ns, out, flags, at=seq, size=size, content=content)

    def _ack(self, time_ns: int, out: int, upto: int) -> None:
        """Acknowledge the other side's stream up to `upto` bytes of the burst."""
        seq, ack = self._next[1 - out] % _WRAP, (self._next[out] + upto) % _WRAP
        flow = self._flow
        self._plan.add(time_ns, flow, 1 - out, TCP, seq, ack, ACKED, 0, STREAM, 0)

    def _burst(self, out: int, parts: list[Part]) -> None:
        gap = self._rng.randrange(15_000, 120_000)
        times = [self.now_ns + k * gap for k in range(len(parts))]
        trouble = ""
        if self._rng.random() < self._share:
            trouble = self._rng.choice(_TROUBLE)
        if trouble == "fast" and len(parts) >= 6:
            end_ns = self._fast(out, parts, times)
        elif trouble == "late":
            end_ns = self._late(out, parts, times)
        elif trouble == "swapped" and len(parts) >= 2:
            end_ns = self._swapped(out, parts, times)
        else:
            end_ns = self._smooth(out, parts, times)
            if trouble == "spurious":
                end_ns = self._again(out, parts[-1], end_ns)
        self._next[out] += parts[-1][0] + parts[-1][1]
        self.now_ns = end_ns + self._rng.randrange(200_000, 2 * MS)

    def _smooth(self, out: int, parts: list[Part], times: list[int]) -> int:
        """All arrives; every second segment is acknowledged, and the last."""
        end_ns = self.now_ns
        for k, (part, time_ns) in enumerate(zip(parts, times, strict=True)):
            self._data(time_ns, out, part)
            if k & 1 or k == len(parts) - 1:
                end_ns = time_ns + self._answer_ns[out]
                self._ack(end_ns, out, part[0] + part[1])
        return end_ns

    def _fast(self, out: int, parts: list[Part], times: list[int]) -> int:
        """Lose one of the first segments; three duplicate acknowledgements tell."""
        lost = self._rng.randrange(len(parts) - 4)
        seen = self._rng.random() < 0.6
        for k, (part, time_ns) in enumerate(zip(parts, times, strict=True)):
            if k != lost or seen:
                self._data(time_ns, out, part)
            if k != lost:
                upto = parts[min(k + 1, lost)][0]
                self._ack(time_ns + self._answer_ns[out], out, upto)
        repaired = times[lost + 3] + self._answer_ns[out] + self._answer_ns[1 - out]
        repaired = max(repaired, times[-1] + 10_000)
        self._data(repaired, out, parts[lost])
        return self._finish(out, parts, repaired)

    def _late(self, out: int, parts: list[Part], times: list[int]) -> int:
        """Lose the last segment; only the sender's timer tells."""
        seen = self._rng.random() < 0.6
        if len(parts) > 1:
            self._smooth(out, parts[:-1], times[:-1])
        if seen:
            self._data(times[-1], out, parts[-1])
        repaired = times[-1] + self._rng.randrange(210, 420) * MS
        self._data(repaired, out, parts[-1])
        return self._finish(out, parts, repaired)

    def _swapped(self, out: int, parts: list[Part], times: list[int]) -> int:
        """Two neighbours come in the wrong order."""
        k = self._rng.randrange(len(parts) - 1)
        order = list(range(len(parts)))
        order[k], order[k + 1] = k + 1, k
        for time_ns, number in zip(times, order, strict=True):
            self._data(time_ns, out, parts[number])
            if number == k + 1:
                self._ack(time_ns + self._answer_ns[out], out, parts[k][0])
        return self._finish(out, parts, times[-1])

    def _again(self, out: int, part: Part, end_ns: int) -> int:
        """Repeat what was acknowledged: the acknowledgement was lost behind the tap."""
        repeated = end_ns + self._rng.randrange(210, 420) * MS
        self._data(repeated, out, part)
        self._ack(repeated + self._answer_ns[out], out, part[0] + part[1])
        return repeated + self._answer_ns[out]

    def _finish(self, out: int, parts: list[Part], time_ns: int) -> int:
        end_ns = time_ns + self._answer_ns[out]
        self._ack(end_ns, out, parts[-1][0] + parts[-1][1])
        return end_ns
