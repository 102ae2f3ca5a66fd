"""What is done to a part of a trial: walks over several, longer, stretched, resized."""

from collections.abc import Sequence

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from testbed.virtual.twin.gaps import Gaps, gaps_of
from testbed.virtual.twin.read import Shape

_SYN_FIN_RST = 7
_NEAR = (
    0.06  # share of the packets within which a way over to another trial is looked for
)
_EDGE = 8  # packets at either end where nobody goes over
_SAID = ("outbound", "protocol", "tcp_flags", "flow")
_BEYOND = 0.3  # of what two trials differ
_FAR = 1.0  # in logs of gaps
_RUN = 14.0  # mean of the packets that are taken from one trial in one go
_MOST_BLOCKS = 3  # stretches that are repeated or left out
_OPEN_END = 0.95  # share of the window from which a part was cut off by its end
_SILENCE, _SILENCE_NS = 8.0, 20_000_000  # times the median gap, and at least
_PACE = 0.15  # sigma of the log of a silence
_LENGTH_SIGMA = 0.06
_MOST_FACTOR, _MOST_TILT, _MOST_SHIFT = 1.6, 1.25, 0.5
_LEAST_NS = 10_000  # shorter gaps are one
_FULL_B = 1400  # frames above are as large as the path allows
_SMALL_B = 70  # frames below are all header
Int64 = NDArray[np.int64]


def joined(parts: Sequence[Shape]) -> Shape:
    """Return the packets of all parts, one part after the other."""
    names = parts[0].columns
    return Shape(
        columns={n: np.concatenate([p.columns[n] for p in parts]) for n in names}
    )


def walked(parts: Sequence[Shape], rng: Generator) -> Shape:
    """Walk over several parts of trials, some packets from each, each with its gap.

    From a packet of one, the walk goes over to a packet of another after the same two
    packets (lengths and ways), near the same share of all, and where as much has come
    in so far.
    """
    ways = [_Path(part) for part in parts]
    at = int(rng.integers(len(ways)))
    row = 0
    taken: list[tuple[int, int, int]] = []
    while row < ways[at].n:
        end = min(ways[at].n, row + 1 + int(rng.geometric(1.0 / _RUN)))
        taken.append((at, row, end))
        row = end
        other = int(rng.integers(len(ways)))
        if other == at or not _EDGE < row < ways[at].n - _EDGE:
            continue
        there = ways[other].like(ways[at], row)
        if there is not None:
            at, row = other, there
    pieces = [parts[k].take(np.arange(a, b)) for k, a, b in taken]
    gaps = np.concatenate([ways[k].gap_ns[a:b] for k, a, b in taken])
    made = joined(pieces)
    begin_ns = int(parts[taken[0][0]].columns["offset_ns"][0])
    return Shape(columns={**made.columns, "offset_ns": begin_ns + np.cumsum(gaps)})


class _Path:
    """A part as something that can be walked: what comes before each packet."""

    def __init__(self, part: Shape) -> None:
        out = part.columns["outbound"]
        length = part.columns["length_b"].astype(np.int64)
        offset = part.columns["offset_ns"].astype(np.int64)
        self.n = len(part)
        self.gap_ns = np.diff(offset, prepend=offset[:1])
        kind = length * 2 + out
        before = np.concatenate(([0], kind))[: self.n]
        earlier = np.concatenate(([0, 0], kind))[: self.n]
        self.context = before * (1 << 20) + earlier
        came = np.where(out, 0, length)
        went = np.where(out, length, 0)
        self.came_b = np.concatenate(([0], np.cumsum(came)))[: self.n]
        self.went_b = np.concatenate(([0], np.cumsum(went)))[: self.n]

    def like(self, other: "_Path", row: int) -> int | None:
        """Return the row here that is most like a row of another; None without one."""
        share = row / other.n
        low = max(_EDGE, int((share - _NEAR) * self.n))
        high = min(self.n - _EDGE, int((share + _NEAR) * self.n) + 1)
        if high <= low:
            return None
        fits = np.flatnonzero(self.context[low:high] == other.context[row]) + low
        if not fits.size:
            return None
        far = np.abs(self.came_b[fits] - other.came_b[row])
        far = far + np.abs(self.went_b[fits] - other.went_b[row])
        return int(fits[np.argmin(far)])


def says_same(one: Shape, other: Shape, names: Sequence[str] = _SAID) -> bool:
    """Say whether two parts have the same packets but for lengths and times."""
    return len(one) == len(other) and all(
        bool((one.columns[name] == other.columns[name]).all()) for name in names
    )


def between(one: Shape, other: Shape, rng: Generator) -> Shape:
    """Return a part between two that say the same, or a little beyond.

    For some packets on end it is more like the one, for the next ones more like the
    other. Between gaps that are far apart lies none: there it is one of them.
    """
    n = len(one)
    turns = rng.random(n) < 1.0 / _RUN
    weight = rng.uniform(-_BEYOND, 1.0 + _BEYOND, n + 1)[np.cumsum(turns)]
    nearer = weight < 0.5
    logs = [np.log(np.maximum(gaps_of(part), 1.0)) for part in (one, other)]
    far = np.abs(logs[1] - logs[0]) > _FAR
    mixed = np.where(far, ~nearer[1:], weight[1:])
    gaps = np.exp(logs[0] + mixed * (logs[1] - logs[0]))
    moved = np.concatenate(([0.0], np.cumsum(gaps)))
    begin_ns = int(one.columns["offset_ns"][0])
    columns = {
        name: np.where(nearer, one.columns[name], other.columns[name])
        for name in ("length_b", "payload_b", "rare")
    }
    offset = begin_ns + np.rint(moved).astype(np.int64)
    return Shape(columns={**one.columns, **columns, "offset_ns": offset})


def lengthened(part: Shape, factor: float, rng: Generator) -> Shape:
    """Repeat stretches of the packets or leave some out: both ways, with their times.

    Stretches that open or close a connection stay as they are.
    """
    n = len(part)
    opens = (part.columns["tcp_flags"] & _SYN_FIN_RST) != 0
    n_opened = np.concatenate(([0], np.cumsum(opens)))
    rows = np.arange(n)
    n_blocks = int(rng.integers(1, _MOST_BLOCKS + 1))
    size = min(n // 2, round(abs(factor - 1.0) * n / n_blocks))
    offset = part.columns["offset_ns"]
    gaps = np.diff(offset, prepend=offset[:1])
    for _ in range(n_blocks if size else 0):
        at = int(rng.integers(1, n - size)) if n - size > 1 else 1
        if n_opened[min(n, at + size)] - n_opened[at]:
            continue
        place = int(np.searchsorted(rows, at))
        if factor > 1:
            rows = np.insert(rows, place, np.arange(at, at + size))
        else:
            rows = rows[(rows < at) | (rows >= at + size)]
    new = int(offset[0]) + np.cumsum(gaps[rows])
    return Shape(columns={**part.take(rows).columns, "offset_ns": new})


def thinned(part: Shape, is_out: bool, factor: float, rng: Generator) -> Shape:
    """Repeat packets without payload of one direction, or leave some out."""
    plain = (part.columns["tcp_flags"] & _SYN_FIN_RST) == 0
    small = part.columns["length_b"] < _SMALL_B
    rows = np.flatnonzero(plain & small & (part.columns["outbound"] == is_out))
    rows = rows[(rows > 0) & (rows < len(part) - 1)]
    if rows.size < _EDGE:
        return part
    factor = min(_MOST_FACTOR, max(1 / _MOST_FACTOR, factor))
    times = np.ones(len(part), dtype=np.int64)
    steps = np.floor(np.arange(rows.size + 1) * factor + rng.random())
    times[rows] = np.diff(steps).astype(np.int64)
    chosen = np.repeat(np.arange(len(part)), times)
    offset = part.columns["offset_ns"].astype(np.int64)
    again = np.concatenate(([False], chosen[1:] == chosen[:-1]))
    late = np.diff(offset, append=offset[-1:])[chosen] * rng.random(chosen.size) * again
    moved = offset[chosen] + late.astype(np.int64)
    return Shape(columns={**part.take(chosen).columns, "offset_ns": np.sort(moved)})


def warped(part: Shape, mean: float, wanted: float, tilt: float) -> Shape:
    """Move the mean of the log gap, and spread it by a factor around the mean."""
    offset = part.columns["offset_ns"].astype(np.int64)
    gaps = np.maximum(np.diff(offset), 0).astype(np.float64)
    tilt = min(_MOST_TILT, max(1 / _MOST_TILT, tilt))
    by = min(_MOST_SHIFT, max(-_MOST_SHIFT, wanted - mean))
    new = np.exp(mean + by + (np.log(np.maximum(gaps, 1.0)) - mean) * tilt)
    moved = np.concatenate(([0.0], np.cumsum(np.where(gaps > _LEAST_NS, new, gaps))))
    begin_ns = int(offset[0])
    return Shape(
        columns={
            **part.columns,
            "offset_ns": begin_ns + np.rint(moved).astype(np.int64),
        }
    )


def stretched(
    part: Shape, gaps: Gaps, spread: float, delta_ns: int, rng: Generator
) -> Shape:
    """Move each gap among its like, and stretch silences, each by itself."""
    offset = part.columns["offset_ns"].astype(np.int64)
    old = gaps_of(part)
    if not old.size:
        return part
    is_silence = old > max(_SILENCE * float(np.median(old)), _SILENCE_NS)
    paced = old * np.exp(rng.normal(0.0, 1.0, old.size) * _PACE * spread)
    new = np.where(is_silence, paced, gaps.moved(part, spread, rng))
    if int(offset[-1]) > _OPEN_END * delta_ns:
        new *= old.sum() / max(new.sum(), 1.0)  # it went on when the window ended
    ends = np.concatenate(([0.0], np.cumsum(new)))
    moved = int(offset[0]) + np.rint(ends).astype(np.int64)
    return Shape(columns={**part.columns, "offset_ns": moved})


def resized(shape: Shape, spread: float, rng: Generator) -> Shape:
    """Move lengths that one recorded trial had and no other."""
    length = shape.columns["length_b"].astype(np.int64)
    payload = shape.columns["payload_b"].astype(np.int64)
    movable = shape.columns["rare"] & (length < _FULL_B) & (length > _SMALL_B)
    movable &= payload > 8
    factor = np.exp(rng.normal(0.0, _LENGTH_SIGMA * spread, length.size))
    new = np.clip(np.rint(length * factor).astype(np.int64), _SMALL_B, _FULL_B)
    new = np.maximum(new, length - payload + 1)
    new = np.where(movable, new, length)
    added = new - length
    return Shape(
        columns={
            **shape.columns,
            "length_b": new.astype(np.uint32),
            "payload_b": (payload + added).astype(np.uint32),
        }
    )
