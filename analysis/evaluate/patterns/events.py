"""Score what was detected in a continuous capture against what happened.

score = score_events(happened, detected, collar_s=2.0)

An event is found when a detection of the same device (and, class-aware, of the same
activity) begins within the collar of it, both ends included. One event answers for one
detection: pairs are chosen so that as many as can be are found, and of all such choices
the one with the smallest sum of onset errors. A second detection of one event is false.
Adjusting detections to events in any other way (such as counting a long event as found
wherever it is touched) makes scores that mean nothing, and is not offered.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from analysis.evaluate.scores.intervals import never_narrower

Float64 = NDArray[np.float64]

COLLAR_S = 2.0
COLLARS_S = (0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 15.0)  # of the curve; 15 s is PingPong's
_NS = 1_000_000_000
_DAY_NS = 86_400 * _NS
_DRAWS = 2000
_LEVEL = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """One event, true or detected.

    start_ns  onset;  end_ns  just behind it, both on the capture's clock
    told_ns   clock at which a detection was told; None for what truly happened
    group     what intervals are drawn over: a session, or a day
    """

    device: str
    activity: str
    start_ns: int
    end_ns: int
    told_ns: int | None = None
    group: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """An event and the detection that found it."""

    happened: Happening
    detected: Happening

    @property
    def onset_error_s(self) -> float:
        """Detected onset less the true one."""
        return (self.detected.start_ns - self.happened.start_ns) / _NS

    @property
    def latency_s(self) -> float | None:
        """From the true end until it was told; None when nobody noted when."""
        told_ns = self.detected.told_ns
        return None if told_ns is None else (told_ns - self.happened.end_ns) / _NS


@dataclass(frozen=True, slots=True, kw_only=True)
class EventScore:
    """How well events were found.

    missed, false  what has no partner
    """

    collar_s: float
    class_aware: bool
    pairs: tuple[Pair, ...]
    missed: tuple[Happening, ...]
    false: tuple[Happening, ...]

    @property
    def precision(self) -> float:
        """Share of detections that found an event; 0 without any."""
        return len(self.pairs) / max(len(self.pairs) + len(self.false), 1)

    @property
    def recall(self) -> float:
        """Share of events that were found; 0 without any."""
        return len(self.pairs) / max(len(self.pairs) + len(self.missed), 1)

    @property
    def f1(self) -> float:
        """Twice the pairs among all events and detections; 0 without any."""
        return _f1(len(self.pairs), len(self.missed) + len(self.false))

    def onset_error_s(self, quantile: float) -> float | None:
        """Return a quantile of the size of onset errors; None without a pair."""
        return _quantile([abs(pair.onset_error_s) for pair in self.pairs], quantile)

    def latency_s(self, quantile: float) -> float | None:
        """Return a quantile of latencies; None without a pair that has one."""
        known = [pair.latency_s for pair in self.pairs]
        return _quantile([each for each in known if each is not None], quantile)


def score_events(
    happened: Iterable[Happening],
    detected: Iterable[Happening],
    *,
    collar_s: float = COLLAR_S,
    class_aware: bool = True,
) -> EventScore:
    """Match detections to events one to one; see the module."""
    collar_ns = round(collar_s * _NS)
    pairs: list[Pair] = []
    missed: list[Happening] = []
    false: list[Happening] = []
    for group in _alike([*happened], [*detected], class_aware):
        for cluster in _clusters(group, collar_ns):
            _match(cluster, collar_ns, pairs, missed, false)
    return EventScore(
        collar_s=collar_s,
        class_aware=class_aware,
        pairs=tuple(sorted(pairs, key=lambda pair: pair.happened.start_ns)),
        missed=tuple(sorted(missed, key=lambda each: each.start_ns)),
        false=tuple(sorted(false, key=lambda each: each.start_ns)),
    )


def collar_curve(
    happened: Sequence[Happening],
    detected: Sequence[Happening],
    *,
    collars_s: Sequence[float] = COLLARS_S,
    class_aware: bool = True,
) -> tuple[tuple[float, float], ...]:
    """Return (collar, event F1) for each collar."""
    return tuple(
        (
            collar_s,
            score_events(
                happened, detected, collar_s=collar_s, class_aware=class_aware
            ).f1,
        )
        for collar_s in collars_s
    )


def f1_interval(score: EventScore, seed: int) -> tuple[float, float] | None:
    """Return a 95 % interval of F1 by a bootstrap over groups; None for fewer than two.

    Events count for their own group, false detections for theirs. As that of other
    scores, it never reaches less far than that of as many events: days on which all was
    found would claim to be certain.
    """
    hits = [pair.happened.group for pair in score.pairs]
    faults = [each.group for each in (*score.missed, *score.false)]
    names = sorted({*hits, *faults})
    if len(names) < 2:
        return None
    at = {name: i for i, name in enumerate(names)}
    counts = np.zeros((2, len(names)))
    for row, of in enumerate((hits, faults)):
        for name in of:
            counts[row, at[name]] += 1
    rng = np.random.default_rng(seed)
    draws = rng.integers(len(names), size=(_DRAWS, len(names)))
    hit, fault = counts[0][draws].sum(axis=1), counts[1][draws].sum(axis=1)
    drawn = 2 * hit / np.maximum(2 * hit + fault, 1)
    n_happened = len(score.pairs) + len(score.missed)
    interval = never_narrower(drawn, score.f1, max(n_happened, 1))
    return interval.low, interval.high


@dataclass(frozen=True, slots=True, kw_only=True)
class FalseRate:
    """False events on days on which nothing was done.

    high  upper end of an exact 95 % interval (Poisson), per device and day
    """

    n_false: int
    device_days: float
    high: float

    @property
    def per_device_day(self) -> float:
        """False events per device and day."""
        return self.n_false / self.device_days


def false_rate(n_false: int, spans_ns: Iterable[tuple[int, int]]) -> FalseRate:
    """Return the rate of false events.

    spans_ns  (first, last) stamp of idle traffic, one per device and stretch
    """
    from scipy.stats import chi2

    days = sum(last - first for first, last in spans_ns) / _DAY_NS
    if days <= 0:
        raise ValueError("a rate needs idle stretches that have a length")
    high = float(chi2.ppf(0.5 + _LEVEL / 2, 2 * (n_false + 1))) / 2
    return FalseRate(n_false=n_false, device_days=days, high=high / days)


@dataclass(slots=True)
class _Sides:
    """Events and detections that may be partners, in order of time."""

    happened: list[Happening] = field(default_factory=list)
    detected: list[Happening] = field(default_factory=list)


def _alike(
    happened: list[Happening], detected: list[Happening], class_aware: bool
) -> Iterator[_Sides]:
    """Yield the sides of each device, or of each of its activities."""

    def key(each: Happening) -> tuple[str, str]:
        return each.device, each.activity if class_aware else ""

    sides: dict[tuple[str, str], _Sides] = {}
    for each in happened:
        sides.setdefault(key(each), _Sides()).happened.append(each)
    for each in detected:
        sides.setdefault(key(each), _Sides()).detected.append(each)
    yield from sides.values()


def _clusters(sides: _Sides, collar_ns: int) -> Iterator[_Sides]:
    """Yield stretches further apart than the collar, with all partners in one."""
    true = [(each.start_ns, 0, i) for i, each in enumerate(sides.happened)]
    found = [(each.start_ns, 1, i) for i, each in enumerate(sides.detected)]
    order = sorted(true + found)
    number, before = 0, None
    numbered = []
    for each in order:
        if before is not None and each[0] - before > collar_ns:
            number += 1
        before = each[0]
        numbered.append((number, each))
    for _number, members in groupby(numbered, key=lambda pair: pair[0]):
        cluster = _Sides()
        for _, (_start, side, i) in members:
            if side:
                cluster.detected.append(sides.detected[i])
            else:
                cluster.happened.append(sides.happened[i])
        yield cluster


def _match(
    sides: _Sides,
    collar_ns: int,
    pairs: list[Pair],
    missed: list[Happening],
    false: list[Happening],
) -> None:
    """Sort a cluster into pairs and what has no partner."""
    chosen = _assigned(sides, collar_ns)
    pairs += [
        Pair(happened=sides.happened[row], detected=sides.detected[column])
        for row, column in chosen.items()
    ]
    missed += [each for i, each in enumerate(sides.happened) if i not in chosen]
    taken = set(chosen.values())
    false += [each for i, each in enumerate(sides.detected) if i not in taken]


def _assigned(sides: _Sides, collar_ns: int) -> dict[int, int]:
    """Return row of an event -> row of its detection."""
    if not sides.happened or not sides.detected:
        return {}
    from scipy.optimize import linear_sum_assignment

    true = np.array([each.start_ns for each in sides.happened], dtype=np.int64)
    found = np.array([each.start_ns for each in sides.detected], dtype=np.int64)
    apart_ns = np.abs(true[:, None] - found[None, :])
    allowed = apart_ns <= collar_ns
    # a pair that is not allowed costs more than all allowed ones together can
    forbidden = (min(apart_ns.shape) + 1) * (collar_ns / _NS + 1)
    rows, columns = linear_sum_assignment(np.where(allowed, apart_ns / _NS, forbidden))
    return {
        int(row): int(column)
        for row, column in zip(rows, columns, strict=True)
        if allowed[row, column]
    }


def _f1(pairs: int, faults: int) -> float:
    return 2 * pairs / max(2 * pairs + faults, 1)


def _quantile(values: Sequence[float], quantile: float) -> float | None:
    return float(np.quantile(values, quantile)) if values else None
