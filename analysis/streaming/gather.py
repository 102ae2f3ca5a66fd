"""What a campaign tells of a device, seen through the front end that detection has.

Windows open where a detector would open them, not where labels are: some moments after
the label's instant, and wherever something else is not explained. So training sees what
detection will see.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from analysis.dataset import LABELLED, ActivityLog, Device
from analysis.streaming.arrivals import Arrivals, Sorter
from analysis.streaming.background import Background, learn_background
from analysis.streaming.bursts import Burst, Bursts
from analysis.streaming.captures import batches_of
from analysis.streaming.front import Due, Front
from analysis.streaming.openings import Openings, OpeningsOfMany

Int64 = NDArray[np.int64]
Text = NDArray[np.str_]

_NS = 1_000_000_000
AFTERMATH_NS = 20 * _NS  # what an activity may still cause after its label window
_BEFORE_NS = 300_000_000  # a label's instant is that much wrong at most
_OPENING_NS = 4 * _NS


@dataclass(frozen=True, slots=True, kw_only=True)
class Acts:
    """What was done to one device, in order of time.

    start_ns, end_ns  (m,) int64, label windows;  activity, session  (m,) text
    is_label          (m,) bool; another outcome says that something may have happened
    """

    start_ns: Int64
    end_ns: Int64
    activity: Text
    session: Text
    is_label: NDArray[np.bool_]

    def __len__(self) -> int:
        return self.start_ns.size

    def take(self, rows: NDArray[np.bool_]) -> "Acts":
        """Return the chosen ones."""
        return Acts(
            start_ns=self.start_ns[rows],
            end_ns=self.end_ns[rows],
            activity=self.activity[rows],
            session=self.session[rows],
            is_label=self.is_label[rows],
        )


def acts_of(log: ActivityLog, device: str) -> Acts:
    """Return all attempts at a device that have an instant."""
    frame = log.of_device(device).frame.drop_nulls(["t_ns", "delta_ns"])
    start_ns = frame["t_ns"].to_numpy().astype(np.int64)
    return Acts(
        start_ns=start_ns,
        end_ns=start_ns + frame["delta_ns"].to_numpy().astype(np.int64),
        activity=np.array(frame["activity"].to_list(), dtype=np.str_),
        session=np.array(frame["session"].to_list(), dtype=np.str_),
        is_label=frame["outcome"].is_in(LABELLED).to_numpy(),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Quiet:
    """Where nothing was done to a device.

    spans_ns  [start, end), disjoint, in order of time
    """

    spans_ns: tuple[tuple[int, int], ...]

    @property
    def total_s(self) -> float:
        """Seconds of all."""
        return sum(end - start for start, end in self.spans_ns) / _NS

    def holds(self, stamps_ns: Int64) -> NDArray[np.bool_]:
        """Say which stamps lie in one of them."""
        starts = np.array([start for start, _ in self.spans_ns], dtype=np.int64)
        ends = np.array([end for _, end in self.spans_ns], dtype=np.int64)
        if not starts.size:
            return np.zeros(stamps_ns.size, dtype=np.bool_)
        at = np.searchsorted(starts, stamps_ns, side="right") - 1
        inside: NDArray[np.bool_] = (at >= 0) & (stamps_ns < ends[np.maximum(at, 0)])
        return inside


def quiet_of(acts: Acts, covered_ns: Sequence[tuple[int, int]]) -> Quiet:
    """Return where a device was recorded and nothing was done to it."""
    spans = []
    for first, last in covered_ns:
        at = first
        for start, end in zip(
            acts.start_ns.tolist(), acts.end_ns.tolist(), strict=True
        ):
            if end + AFTERMATH_NS <= at or start - _NS >= last:
                continue
            if start - _NS > at:
                spans.append((at, start - _NS))
            at = max(at, end + AFTERMATH_NS)
        if at < last:
            spans.append((at, last))
    return Quiet(spans_ns=tuple(spans))


def arrivals_of(
    captures: Sequence[Path], devices: Sequence[Device]
) -> Iterator[tuple[Mapping[str, Arrivals], int]]:
    """Yield the packets of each device, batch by batch, and the time after each."""
    sorter = Sorter(devices)
    for batch in batches_of(captures):
        found = sorter.take(batch)
        if found or len(batch):
            yield found, sorter.now_ns


def bursts_of(
    captures: Sequence[Path], devices: Sequence[Device]
) -> dict[str, list[Burst]]:
    """Return every burst of each device."""
    makers = {device.name: Bursts() for device in devices}
    found: dict[str, list[Burst]] = {name: [] for name in makers}
    for arrivals, _now_ns in arrivals_of(captures, devices):
        for name, packets in arrivals.items():
            found[name] += makers[name].take(packets)
    return found


def background_of(bursts: Sequence[Burst], acts: Acts, quiet: Quiet) -> Background:
    """Learn what a device says by itself."""
    stamps = np.array([burst.start_ns for burst in bursts], dtype=np.int64)
    idle = quiet.holds(stamps)
    low = np.searchsorted(stamps, acts.start_ns - _BEFORE_NS)
    high = np.searchsorted(stamps, acts.start_ns + _OPENING_NS)
    pairs = zip(low.tolist(), high.tolist(), strict=True)
    after = [row for first, last in pairs for row in range(first, last)]
    return learn_background(
        [bursts[row] for row in np.flatnonzero(idle).tolist()],
        [bursts[row] for row in after],
        idle_s=quiet.total_s,
        acted_s=len(acts) * (_OPENING_NS + _BEFORE_NS) / _NS,
    )


def openings_of(bursts: Sequence[Burst], background: Background) -> Int64:
    """Return where windows open, (k,) int64, of all bursts of a device."""
    openings = Openings(background)
    openings.take(bursts)
    last_ns = max((burst.last_ns for burst in bursts), default=0)
    return np.array(openings.until(last_ns + 60 * _NS), dtype=np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """Every window of one device that opens by any of several backgrounds.

    due  the windows, batch by batch;  of  background by background, where they open
    """

    due: list[Due]
    of: tuple[set[int], ...]


def windows_of(
    captures: Sequence[Path],
    devices: Sequence[Device],
    backgrounds: Mapping[str, Sequence[Background]],
    lengths_ns: Mapping[str, Sequence[int]],
) -> dict[str, Opened]:
    """Return every window that opens by one of its backgrounds, of each device."""
    openings = {each.name: OpeningsOfMany(backgrounds[each.name]) for each in devices}
    fronts = {name: Front(each, lengths_ns[name]) for name, each in openings.items()}
    found: dict[str, list[Due]] = {name: [] for name in fronts}
    now_ns = 0
    for arrivals, now_ns in arrivals_of(captures, devices):
        for name, front in fronts.items():
            if name in arrivals:
                front.take(arrivals[name])
            found[name] += front.due(now_ns)
    for name, front in fronts.items():
        found[name] += front.due(now_ns + 3600 * _NS)
    return {name: Opened(due=due, of=openings[name].of) for name, due in found.items()}
