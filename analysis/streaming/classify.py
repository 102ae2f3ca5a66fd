"""Events of devices in captures, or in the bytes of a pipe, as they come.

for event in classify_captures(paths, model): ...
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from analysis.pcap.walk import Batch
from analysis.streaming.arrivals import Arrivals, Sorter
from analysis.streaming.captures import batches_of
from analysis.streaming.detector import Detector, Event
from analysis.streaming.model import StreamDevice

_END_NS = 3_600_000_000_000  # after the last packet nothing more is waited for


class Watch:
    """Detectors of all devices over one stream of packets."""

    def __init__(self, learnt: Mapping[str, StreamDevice]) -> None:
        self._sorter = Sorter([each.device for each in learnt.values()])
        self._detectors = {name: Detector(each) for name, each in learnt.items()}
        self._now_ns = 0
        self._seen: set[str] = set()

    @property
    def unseen(self) -> tuple[str, ...]:
        """Devices of which no packet came."""
        return tuple(name for name in self._detectors if name not in self._seen)

    @property
    def n_packets(self) -> int:
        """Packets that came so far, whosever."""
        return self._sorter.n_packets

    @property
    def n_kept(self) -> int:
        """Packets that are remembered."""
        return sum(each.n_kept for each in self._detectors.values())

    @property
    def now_ns(self) -> int:
        """Highest stamp so far."""
        return self._now_ns

    def sort(self, batch: Batch) -> Mapping[str, Arrivals]:
        """Sort packets for `advance`; another thread may do so."""
        return self._sorter.take(batch)

    def take(self, batch: Batch) -> list[Event]:
        """Take packets; return what can be told after them, in the order of telling."""
        return self.advance(self.sort(batch), batch.time_ns)

    def advance(
        self, arrivals: Mapping[str, Arrivals], stamps_ns: NDArray[np.int64]
    ) -> list[Event]:
        """Take sorted packets; return what can be told after them.

        stamps_ns  (n,) int64, of all packets among which they were
        """
        if not stamps_ns.size:
            return []
        for name, packets in arrivals.items():
            self._detectors[name].take(packets)
            self._seen.add(name)
        ordered = np.maximum.accumulate(np.maximum(stamps_ns, self._now_ns))
        self._now_ns = int(ordered[-1])
        told = []
        for event in self._at(self._now_ns):
            # the first packet at which it could have been told
            at = min(int(np.searchsorted(ordered, event.told_ns)), ordered.size - 1)
            told.append(replace(event, told_ns=int(ordered[at])))
        return told

    def finish(self) -> list[Event]:
        """Return what is left when no packet follows."""
        return self._at(self._now_ns + _END_NS)

    def pass_time(self, now_ns: int) -> list[Event]:
        """Return what can be told when no packet came until `now_ns`."""
        return self._at(now_ns)

    def _at(self, now_ns: int) -> list[Event]:
        events = [e for each in self._detectors.values() for e in each.advance(now_ns)]
        return sorted(events, key=lambda event: event.told_ns)


def classify(
    batches: Iterable[Batch], learnt: Mapping[str, StreamDevice]
) -> Iterator[Event]:
    """Yield the events in packets, each as soon as it can be told."""
    watch = Watch(learnt)
    for batch in batches:
        yield from watch.take(batch)
    yield from watch.finish()


def classify_captures(
    captures: Sequence[Path], learnt: Mapping[str, StreamDevice]
) -> Iterator[Event]:
    """Yield the events in captures that follow each other in time.

    Raises CaptureError, after the events before, where a capture is damaged or begins
    before the one before it has ended.
    """
    yield from classify(batches_of(captures), learnt)
