"""What a device says unasked, told from what an activity makes it say.

Within label windows there is both. What is said between trials as well, and within
windows no oftener than there, has nothing to do with the activity, nor with whatever
else is said unasked: a recorded trial has it by chance, and a drawn one must have it by
a chance of its own. It is taken out of the trials, and sent anew.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from testbed.virtual.twin.read import IdleSource, Shape, Trial, Twin

_SILENCE_NS = 250_000_000  # a longer one of one other end parts what is said
_NEAR, _NEAR_B = 0.12, 16  # share and bytes by which lengths differ that are the same
_OFTENER = 1.5  # times as often as between trials is not asked for yet
_CHANCE = 0.05
_FEW = 2.0  # times that count as much as what was seen within windows
_MANY = 40  # packets; so many that nobody else says are not odd but a conversation
Rows = NDArray[np.int64]
Lengths = NDArray[np.float64]
# group, ways and TCP flags of the packets
Saying = tuple[int, bytes, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """One other end that is talked to unasked within windows: what, how often."""

    source: IdleSource
    mean_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Unasked:
    """Trials without what was said unasked, and what says it, by activity."""

    trials: Mapping[str, tuple[Trial, ...]]
    senders: Mapping[str, tuple[Sender, ...]]

    def drawn(
        self, activity: str, length_ns: int, rng: Generator
    ) -> Iterator[tuple[int, Shape]]:
        """Yield when something is said unasked in a window, in ns, and what.

        It may have begun before the window.
        """
        for sender in self.senders[activity]:
            events = sender.source.events
            ends_s = [int(event.columns["offset_ns"][-1]) / 1e9 for event in events]
            shape = 1.0 / max(sender.source.cv, 0.02) ** 2
            at_s = float(rng.uniform(0.0, sender.mean_s)) - max(ends_s)
            while at_s * 1e9 < length_ns:
                k = int(rng.integers(len(events)))
                if at_s + ends_s[k] >= 0.0:
                    yield round(at_s * 1e9), events[k]
                wait_s = sender.mean_s * float(rng.gamma(shape, 1.0 / shape))
                at_s += max(1e-3, wait_s)


def unasked_of(twin: Twin) -> Unasked:
    """Tell what is said unasked from what is asked for, for each activity."""
    known = _Known(twin.idle)
    trials: dict[str, tuple[Trial, ...]] = {}
    senders: dict[str, tuple[Sender, ...]] = {}
    for name, recorded in twin.trials.items():
        found = _Found(recorded, known)
        left = found.left()
        # a trial of nothing else is of an activity that says nothing by itself
        whole = not all(len(trial.shape) for trial in left)
        trials[name] = recorded if whole else left
        senders[name] = () if whole else found.senders()
    return Unasked(trials=trials, senders=senders)


def pieces(shape: Shape) -> Iterator[Rows]:
    """Yield the rows of what is said on end with one other end, for all of these."""
    for group in np.unique(shape.columns["group"]).tolist():
        rows = np.flatnonzero(shape.columns["group"] == group)
        gaps = np.diff(shape.columns["offset_ns"][rows])
        yield from np.split(rows, np.flatnonzero(gaps > _SILENCE_NS) + 1)


class _Known:
    """What is said between trials."""

    def __init__(self, sources: Sequence[IdleSource]) -> None:
        self.sources = {int(s.events[0].columns["group"][0]): s for s in sources}
        self.pieces_per_s: dict[int, float] = {}
        self.odd_per_s: dict[int, float] = {}
        self._lengths: dict[Saying, list[Lengths]] = defaultdict(list)
        for group, source in self.sources.items():
            said = [e.take(rows) for e in source.events for rows in pieces(e)]
            for piece in said:
                self._lengths[_saying(piece)].append(_lengths(piece))
            n_odd = sum(n == 1 for n in Counter(map(_saying, said)).values())
            seen_s = len(source.events) * source.mean_s
            self.pieces_per_s[group] = len(said) / seen_s
            self.odd_per_s[group] = n_odd / seen_s

    def has(self, piece: Shape) -> bool:
        """Say whether the same is said between trials, with such lengths."""
        mine = _lengths(piece)
        return any(
            bool((np.abs(mine - each) <= np.maximum(_NEAR_B, _NEAR * each)).all())
            for each in self._lengths.get(_saying(piece), ())
        )


class _Found:
    """The trials of one activity, and which of their packets are unasked.

    Of a group that also speaks between trials, these are what is said there as well,
    and odd pieces, which no other trial has; unless there are more than by chance.
    """

    def __init__(self, trials: Sequence[Trial], known: _Known) -> None:
        self._trials = trials
        self._known = known
        self._seen_s = sum(trial.length_ns for trial in trials) / 1e9
        told = [list(pieces(trial.shape)) for trial in trials]
        said = Counter(
            chain.from_iterable(
                {_saying(trial.shape.take(rows)) for rows in each}
                for trial, each in zip(trials, told, strict=True)
            )
        )
        self._same: dict[int, list[tuple[int, Rows]]] = defaultdict(list)
        self._odd: dict[int, list[tuple[int, Rows]]] = defaultdict(list)
        for number, (trial, each) in enumerate(zip(trials, told, strict=True)):
            for rows in each:
                piece = trial.shape.take(rows)
                group = _saying(piece)[0]
                if known.has(piece):
                    self._same[group].append((number, rows))
                elif said[_saying(piece)] == 1 and len(piece) < _MANY:
                    self._odd[group].append((number, rows))
        self._free = {g: self._by_chance(g) for g in known.sources}

    def left(self) -> tuple[Trial, ...]:
        """Return the trials without what is unasked."""
        keep = [np.ones(len(trial.shape), dtype=np.bool_) for trial in self._trials]
        for free in self._free.values():
            for number, rows in free or ():
                keep[number][rows] = False
        return tuple(
            replace(trial, shape=trial.shape.take(np.flatnonzero(rows)))
            for trial, rows in zip(self._trials, keep, strict=True)
        )

    def senders(self) -> tuple[Sender, ...]:
        """Return who speaks unasked, how often: as within windows, drawn to between."""
        found = []
        for group, free in self._free.items():
            if free is not None:
                source = self._known.sources[group]
                n_each = self._known.pieces_per_s[group] * source.mean_s
                n_seen = len(free) / n_each + _FEW
                seen_s = self._seen_s + _FEW * source.mean_s
                found.append(Sender(source=source, mean_s=seen_s / n_seen))
        return tuple(found)

    def _by_chance(self, group: int) -> list[tuple[int, Rows]] | None:
        """Return what a group says unasked; None where it may be asked for."""
        same, odd = self._same[group], self._odd[group]
        n_same, n_odd = (
            per_s[group] * self._seen_s
            for per_s in (self._known.pieces_per_s, self._known.odd_per_s)
        )
        if not is_chance(len(same), n_same):
            return None
        return same + odd if is_chance(len(odd), n_odd) else same


def is_chance(n: int, expected: float) -> bool:
    """Say whether n may be seen where half as many again as expected is the mean."""
    mean = _OFTENER * expected
    if not n or mean <= 0.0:
        return not n
    logs = [k * math.log(mean) - mean - math.lgamma(k + 1) for k in range(n)]
    return 1.0 - math.fsum(map(math.exp, logs)) > _CHANCE


def _saying(piece: Shape) -> Saying:
    columns = piece.columns
    ways = columns["outbound"].astype(np.uint8), columns["tcp_flags"].astype(np.uint8)
    return int(columns["group"][0]), ways[0].tobytes(), ways[1].tobytes()


def _lengths(piece: Shape) -> Lengths:
    lengths: Lengths = piece.columns["length_b"].astype(np.float64)
    return lengths
