"""Events in packets that come through a pipe, told while they come.

for event in live_events(read, Watch(learnt), clock): ...

A thread reads and sorts packets; here time passes also while none come, so that an
answer does not wait for the next packet.
"""

import io
import queue
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Protocol, Self, cast

import numpy as np
from numpy.typing import NDArray

from analysis.pcap.stream import open_capture_stream
from analysis.streaming.arrivals import Arrivals
from analysis.streaming.classify import Watch
from analysis.streaming.detector import Event

_TICK_S = 0.2
# the kernel of the capture point hands packets over in blocks; most are here by then
_DELAY_NS = 300_000_000
# stamps so far from this machine's clock are of the past: no time passes between them
_LIVE_NS = 600_000_000_000
_MOST_WAITING = 64
_PACKED = (b"\x1f\x8b", b"\x28\xb5")  # gzip, zstd


class Ticking(Protocol):
    """The time of this machine."""

    def now_ns(self) -> int:
        """Return UTC in nanoseconds since the Unix epoch."""

    def monotonic_s(self) -> float:
        """Return seconds from an arbitrary start; never goes back."""


class AtHand(io.RawIOBase):
    """A file whose chunks are what is at hand, so that nobody waits for a full one.

    read  at most so many bytes -> some bytes, none at the end

    After a piece that leaves room it says once that there is no more; who asks again
    gets the next. Nobody asks after one that fills the room. Packed bytes are not cut
    into pieces, since an end means something to them.
    """

    def __init__(self, read: Callable[[int], bytes]) -> None:
        super().__init__()
        self._more = read
        self._rest = b""
        self._is_packed = False
        self._paused = False

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, room: Any) -> int:
        """Fill `room`, or a part of it; 0 at the end, and once after such a part."""
        view = memoryview(room).cast("B")
        if self._paused:
            self._paused = False
            return 0
        data = self._rest or self._more(len(view))
        n = min(len(data), len(view))
        view[:n] = data[:n]
        self._rest = data[n:]
        self._paused = 0 < n < len(view) and not self._is_packed
        return n

    def read(self, size: int | None = -1) -> bytes:
        """Return the first `size` bytes, which tell what it is; fewer at the end."""
        data, wanted = b"", size or 0
        while len(data) < wanted and (more := self._more(wanted - len(data))):
            data += more
        self._is_packed = data.startswith(_PACKED)
        self._rest = data[wanted:]
        return data[:wanted]


@dataclass(frozen=True, slots=True)
class _Sorted:
    """Packets of one batch, sorted to devices; `stamps_ns` of all of them."""

    arrivals: Mapping[str, Arrivals]
    stamps_ns: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Ended:
    """Why there is no more, and where the bytes end inside a packet."""

    fault: BaseException | None = None
    truncated_at: int | None = None


class LiveEnd:
    """How a live stream ended.

    truncated_at  byte at which it ended inside a packet, or None
    """

    def __init__(self) -> None:
        self.truncated_at: int | None = None


def live_events(
    read: Callable[[int], bytes],
    watch: Watch,
    clock: Ticking,
    *,
    name: str = "-",
    end: LiveEnd | None = None,
) -> Iterator[Event]:
    """Yield events as soon as they can be told.

    read  at most so many bytes -> some bytes of a capture, none at the end
    name  what errors call it;  end  is told how it ended

    Raises CaptureError, after the events before, where the bytes are damaged, and
    whatever `read` raises.
    """
    waiting: queue.Queue[_Sorted | _Ended] = queue.Queue(_MOST_WAITING)
    stop = threading.Event()
    thread = threading.Thread(
        target=_read, args=(read, watch, name, waiting, stop), daemon=True
    )
    thread.start()
    try:
        yield from _events(waiting, watch, clock, end or LiveEnd())
    finally:
        stop.set()


def _events(
    waiting: "queue.Queue[_Sorted | _Ended]", watch: Watch, clock: Ticking, end: LiveEnd
) -> Iterator[Event]:
    latest: tuple[int, float] | None = None
    while True:
        try:
            item = waiting.get(timeout=_TICK_S)
        except queue.Empty:
            if latest is not None:
                stamp_ns, since_s = latest
                passed_ns = round((clock.monotonic_s() - since_s) * 1e9)
                yield from watch.pass_time(stamp_ns + max(0, passed_ns - _DELAY_NS))
            continue
        if isinstance(item, _Ended):
            end.truncated_at = item.truncated_at
            yield from watch.finish()
            if item.fault is not None:
                raise item.fault
            return
        yield from watch.advance(item.arrivals, item.stamps_ns)
        stamp_ns = watch.now_ns
        is_live = abs(stamp_ns - clock.now_ns()) < _LIVE_NS
        latest = (stamp_ns, clock.monotonic_s()) if is_live else None


def _read(
    read: Callable[[int], bytes],
    watch: Watch,
    name: str,
    waiting: "queue.Queue[_Sorted | _Ended]",
    stop: threading.Event,
) -> None:
    """Read and sort packets until the end; whatever happens, say so."""
    with _Telling(waiting, stop) as telling:
        file = cast("BinaryIO", AtHand(read))
        with open_capture_stream(Path(name), file) as stream:
            for batch in stream:
                if len(batch):
                    stamps = batch.time_ns.copy()
                    _put(_Sorted(watch.sort(batch), stamps), waiting, stop)
                if stop.is_set():
                    return
            telling.ended = _Ended(truncated_at=stream.truncated_at)


class _Telling:
    """Tells who waits how reading ended: by itself, or by an error of any kind.

    An error that stayed in the thread would look like the end of the packets.
    """

    def __init__(
        self, waiting: "queue.Queue[_Sorted | _Ended]", stop: threading.Event
    ) -> None:
        self._waiting, self._stop = waiting, stop
        self.ended = _Ended(fault=EOFError("reading stopped"))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        ended = self.ended if fault is None else _Ended(fault=fault)
        _put(ended, self._waiting, self._stop)
        return True  # who waits raises it


def _put(
    item: _Sorted | _Ended,
    waiting: "queue.Queue[_Sorted | _Ended]",
    stop: threading.Event,
) -> None:
    while not stop.is_set():
        with suppress(queue.Full):
            waiting.put(item, timeout=_TICK_S)
            return
