"""From what is told, and from connections, to spans of time in which a name held."""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from analysis.dataset import Device
from analysis.hosts.telling import S, Telling, mixed
from analysis.packets.select import Selected, Selector
from analysis.pcap.decode import TCP, Decoded

Int64 = NDArray[np.int64]
Uint64 = NDArray[np.uint64]
Key = tuple[int, ...]

LAST_NS = (1 << 63) - 1
_MOST_CONNECTIONS = 1 << 15
_MOST_SPANS = 4096
_MOST_OPEN = 1 << 16
_QUIET_NS = 60 * S
_SYN, _ACK = 2, 16
_GOODBYE_NS = S


@dataclass(slots=True)
class Span:
    """A name of an address for a time.

    held_ns  until when it was told to hold;  used_ns  until when connections used it
    users    connections that may go on to
    """

    address: int
    name: str
    source: str
    from_ns: int
    held_ns: int
    used_ns: int
    n: int = 1
    users: int = 0
    is_open: bool = True

    @property
    def until_ns(self) -> int:
        """Return the end."""
        return min(LAST_NS, max(self.from_ns, self.held_ns, self.used_ns))


@dataclass(slots=True)
class _Connection:
    first_ns: int
    last_ns: int
    spans: list[Span] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """Packets of one connection in a batch."""

    row: int
    key: Key
    first_ns: int
    last_ns: int
    is_new: bool  # it begins with a SYN


class _Open:
    """Spans that may still be told of again, of a limited number, newest last."""

    def __init__(self) -> None:
        self._of: OrderedDict[int, dict[tuple[str, str], Span]] = OrderedDict()
        self._n, self._most = 0, _MOST_SPANS

    def at(self, address: int) -> list[Span]:
        """Return those of an address, the newest last."""
        return [*self._of.get(address, {}).values()]

    def find(self, told: Telling) -> Span | None:
        """Return the span that a telling is about."""
        return self._of.get(told.address, {}).get((told.source, told.name))

    def put(self, span: Span) -> None:
        """Add a span, or make it the newest."""
        of_address = self._of.setdefault(span.address, {})
        self._n += (span.source, span.name) not in of_address
        of_address.pop((span.source, span.name), None)
        of_address[span.source, span.name] = span
        self._of.move_to_end(span.address)

    def drop(self, span: Span) -> None:
        """Take a span out."""
        of_address = self._of[span.address]
        del of_address[span.source, span.name]
        self._n -= 1
        if not of_address:
            del self._of[span.address]

    def __iter__(self) -> Iterator[Span]:
        return iter([s for each in self._of.values() for s in each.values()])

    def too_many(self, now_ns: int) -> list[Span]:
        """Return spans to let go: those that are over; half of all when few are."""
        if self._n <= self._most:
            return []
        every = [*self]
        over = [span for span in every if span.held_ns < now_ns]
        left = self._n - len(over)
        self._most = max(_MOST_SPANS, 2 * left)
        if left <= _MOST_OPEN:
            return over
        self._most = _MOST_OPEN
        return every[: self._n - _MOST_OPEN // 2]


class DeviceSpans:
    """Spans of one device. Memory is that of what is open; the oldest is let go."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self._selector = Selector(device)
        self._mac = int(device.mac.replace(":", ""), 16)
        self._open = _Open()
        self._connections: OrderedDict[Key, _Connection] = OrderedDict()
        self._done: list[Span] = []

    def take(
        self, decoded: Decoded, time_ns: Int64, beacons: Int64, told: Sequence[Telling]
    ) -> list[Span]:
        """Take a batch and what it tells; return spans that are complete."""
        mine = self._selector.of(decoded, beacons)
        runs, run_of = _runs(decoded, mine, time_ns)
        # what is told and what begins, in the order of the capture
        events: list[tuple[int, bool, Telling | _Run]]
        events = [(each.row, True, each) for each in told if self._is_own(each, mine)]
        events += [(run.row, False, run) for run in runs]
        for row, _, event in sorted(events, key=lambda each: each[:2]):
            if isinstance(event, _Run):
                self._run(event)
            elif event.source == "dhcp":
                self._lease(event)
            elif event.hold_ns is None:
                self._named(run_of(row), event)
            else:
                self._told(event)
        for span in self._open.too_many(int(time_ns[-1])):
            self._close(span)
        done, self._done = self._done, []
        return done

    def finish(self) -> list[Span]:
        """Return the spans that are left."""
        for span in self._open:
            self._close(span)
        for key in [*self._connections]:
            self._end(key)
        done, self._done = self._done, []
        return done

    def _is_own(self, told: Telling, mine: Selected) -> bool:
        """Say whether something is told of the device, or to it."""
        if told.mac is not None:
            return told.mac == self._mac
        at = int(np.searchsorted(mine.rows, told.row))
        if at == mine.rows.size or mine.rows[at] != told.row:
            return False
        return told.source != "dns" or not mine.outbound[at]

    def _told(self, told: Telling) -> None:
        span, hold_ns = self._open.find(told), told.hold_ns or 0
        if not hold_ns and told.source != "dns":  # it holds no more
            if span is not None:
                left_ns = _GOODBYE_NS if told.source == "mdns" else 0
                span.held_ns = min(span.held_ns, told.time_ns + left_ns)
            return
        until_ns = min(LAST_NS, told.time_ns + hold_ns)
        if span is not None and told.time_ns <= span.held_ns:
            span.from_ns = min(span.from_ns, told.time_ns)
            span.held_ns = max(span.held_ns, until_ns)
            span.n += 1
        else:
            if span is not None:
                self._close(span)
            span = _span(told, told.time_ns, until_ns)
        self._open.put(span)

    def _lease(self, told: Telling) -> None:
        """Take a lease, which ends that of another address, or the end of one."""
        for span in self._open:
            if span.source == "dhcp" and (
                span.address != told.address or not told.hold_ns
            ):
                span.held_ns = min(span.held_ns, told.time_ns)
                self._close(span)
        self._told(told)

    def _run(self, run: _Run) -> None:
        connection = self._connections.get(run.key)
        if connection is not None and (
            run.is_new or _is_quiet(run.key, run.first_ns - connection.last_ns)
        ):
            self._end(run.key)
            connection = None
        if connection is None:
            connection = _Connection(run.first_ns, run.last_ns)
            self._connections[run.key] = connection
            self._use(connection, run.key)
            if len(self._connections) > _MOST_CONNECTIONS:
                self._end(next(iter(self._connections)))
        self._connections.move_to_end(run.key)
        connection.last_ns = max(connection.last_ns, run.last_ns)
        for span in connection.spans:
            span.used_ns = max(span.used_ns, connection.last_ns)

    def _use(self, connection: _Connection, key: Key) -> None:
        """Hold on to the name by which a connection was likely opened: the newest."""
        now_ns = connection.first_ns
        valid = [
            span
            for span in self._open.at(key[2] << 64 | key[3])
            if span.source != "dhcp" and span.from_ns <= now_ns <= span.held_ns
        ]
        if valid:
            connection.spans.append(valid[-1])
            valid[-1].users += 1

    def _named(self, key: Key, told: Telling) -> None:
        """Take the name that a connection was opened with."""
        connection = self._connections.get(key)
        if connection is None:
            return
        for span in connection.spans:
            if (span.source, span.name) == (told.source, told.name):
                span.n += 1
                return
        span = _span(told, connection.first_ns, connection.last_ns)
        span.users, span.is_open = 1, False
        connection.spans.append(span)

    def _close(self, span: Span) -> None:
        self._open.drop(span)
        span.is_open = False
        if not span.users:
            self._done.append(span)

    def _end(self, key: Key) -> None:
        for span in self._connections.pop(key).spans:
            span.users -= 1
            if not span.users and not span.is_open:
                self._done.append(span)


def _span(told: Telling, from_ns: int, until_ns: int) -> Span:
    return Span(
        address=told.address,
        name=told.name,
        source=told.source,
        from_ns=from_ns,
        held_ns=until_ns,
        used_ns=from_ns,
    )


def _is_quiet(key: Key, gap_ns: int) -> bool:
    """Say whether what has no end of its own has ended."""
    return key[4] & 0xFF != TCP and gap_ns > _QUIET_NS


def _runs(
    decoded: Decoded, mine: Selected, time_ns: Int64
) -> tuple[list[_Run], Callable[[int], Key]]:
    """Return the device's connections in a batch, and to which one a row belongs."""
    rows, outbound = mine.rows, mine.outbound
    is_ip = decoded.protocol[rows] > 0
    rows, outbound = rows[is_ip], outbound[is_ip]
    keys = _keys(decoded, rows, outbound)
    mix = mixed(*keys.T)
    order = np.argsort(mix, kind="stable")
    mix, now_ns = mix[order], time_ns[rows[order]]
    tcp = decoded.protocol[rows[order]] == TCP
    flags = decoded.tcp_flags[rows[order]] & (_SYN | _ACK)
    syn = tcp & (flags == _SYN)
    begins = np.ones(rows.size, dtype=np.bool_)
    begins[1:] = (mix[1:] != mix[:-1]) | syn[1:]
    begins[1:] |= ~tcp[1:] & (np.diff(now_ns) > _QUIET_NS)
    first = np.flatnonzero(begins)

    def key_of(row: int) -> Key:
        return tuple(keys[int(np.searchsorted(rows, row))].tolist())

    if not first.size:
        return [], key_of
    least_ns = np.minimum.reduceat(now_ns, first)
    most_ns = np.maximum.reduceat(now_ns, first)
    runs = [
        _Run(
            row=int(rows[at]),
            key=tuple(keys[at].tolist()),
            first_ns=int(least_ns[k]),
            last_ns=int(most_ns[k]),
            is_new=bool(syn[first[k]]),
        )
        for k, at in enumerate(order[first].tolist())
    ]
    return runs, key_of


def _keys(decoded: Decoded, rows: Int64, outbound: NDArray[np.bool_]) -> Uint64:
    """Return (n, 5) uint64: device, remote, and ports with the protocol."""
    out = outbound[:, None]
    src, dst = decoded.src[rows], decoded.dst[rows]
    src_port = decoded.src_port[rows].astype(np.uint64)
    dst_port = decoded.dst_port[rows].astype(np.uint64)
    own = np.where(outbound, src_port, dst_port)
    remote = np.where(outbound, dst_port, src_port)
    last = own << np.uint64(24) | remote << np.uint64(8) | decoded.protocol[rows]
    return np.column_stack((np.where(out, src, dst), np.where(out, dst, src), last))
