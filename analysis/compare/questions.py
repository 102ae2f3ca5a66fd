"""The questions that are asked of a device, and what the answers mean."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from analysis.compare.effects import detectable, effect_of
from analysis.compare.exchange import (
    LEAST_UNITS,
    Answer,
    Vectors,
    can_tell,
    evened,
    ranked,
    together,
    vectors_of,
)
from analysis.compare.model import (
    ALL,
    EXACT_FRAMES,
    FIRST_FRAMES,
    FRAMES,
    MEASURES,
    Asked,
    Bool,
    Effect,
    Float64,
    Int64,
    Kind,
    Measure,
    Tested,
    Text,
    Trials,
    Verdict,
)
from analysis.compare.shapes import Shape, counted, exact, first_ranks, spread
from analysis.windows import IDLE_ACTIVITY

_SHAPES = (FRAMES, EXACT_FRAMES, FIRST_FRAMES)
Units = Mapping[tuple[str, bool], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """The trials of one device in both campaigns, of activities that both have.

    strata  names;  hosts  those of any window, in order
    """

    device: str
    a: Trials
    b: Trials
    strata: tuple[str, ...]
    hosts: tuple[str, ...]

    @property
    def sides(self) -> tuple[Trials, Trials]:
        """A and B."""
        return self.a, self.b

    @property
    def measures(self) -> tuple[Measure, ...]:
        """Columns of `values`: measures, then hosts."""
        hosts = (Measure(name=h, unit="share", kind=Kind.HOST) for h in self.hosts)
        return (*MEASURES, *hosts)

    def values(self, side: Trials) -> Float64:
        """Return (k, columns) values of one side."""
        nothing = np.zeros(len(side), dtype=np.bool_)
        marks = [side.hosts.get(host, nothing).astype(float) for host in self.hosts]
        return np.column_stack([side.values, *marks])


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One question, and what is known of it before any exchange.

    n, units  (of A, of B) windows or packets, and units with any of them
    vectors   what each unit says
    is_one    whether that is one number, in which case its sum of squares within the
              campaigns tells what would have been found
    """

    device: str
    activity: str
    measure: Measure
    n: tuple[int, int]
    units: tuple[int, int]
    effect: Effect
    vectors: Vectors
    is_one: bool


def pair_of(a: Trials, b: Trials) -> Pair | None:
    """Return what two campaigns have in common of a device, None for nothing."""
    strata = tuple(np.intersect1d(a.stratum, b.stratum).tolist())
    if set(strata) <= {IDLE_ACTIVITY}:
        return None
    one, two = (_kept(side, strata) for side in (a, b))
    hosts = sorted({*one.hosts, *two.hosts})
    return Pair(device=a.device, a=one, b=two, strata=strata, hosts=tuple(hosts))


def chosen(side: Trials, rows: Bool) -> Trials:
    """Return some windows of a side."""
    return replace(
        side,
        stratum=side.stratum[rows],
        unit=side.unit[rows],
        values=side.values[rows],
        hosts={host: held[rows] for host, held in side.hosts.items()},
        lengths=side.lengths[:, rows],
        first=side.first[rows],
    )


def _kept(side: Trials, strata: Sequence[str]) -> Trials:
    kept = chosen(side, np.isin(side.stratum, strata))
    hosts = {host: held for host, held in kept.hosts.items() if held.any()}
    gone = frozenset(side.hosts) - frozenset(hosts)
    return replace(kept, hosts=hosts, elsewhere=side.elsewhere | gone)


def numbered(pairs: Sequence[Pair]) -> tuple[Units, Bool]:
    """Return a number per (unit, is it of B), and (u,) whether each is of B."""
    known: dict[tuple[str, bool], int] = {}
    for pair in pairs:
        for side, in_b in ((pair.a, False), (pair.b, True)):
            held = [side.unit, *(e.unit for e in side.events.values())]
            for name in sorted({n for each in held for n in each.tolist()}):
                known.setdefault((name, in_b), len(known))
    return known, np.array([in_b for _name, in_b in known], dtype=np.bool_)


def questions_of(pair: Pair, units: Units, asked: Asked) -> Iterator[Question]:
    """Yield all questions about a device."""
    both = _Both(pair, units, asked)
    for activity in (ALL, *(pair.strata if len(pair.strata) > 1 else ())):
        yield from both.measures(activity)
        yield from both.shapes(activity)
    yield from both.events()


class _Both:
    """The windows of both sides below each other."""

    def __init__(self, pair: Pair, units: Units, asked: Asked) -> None:
        self._pair, self._asked = pair, asked
        self._n_units = len(units)
        self._units = units
        self._in_b = np.repeat([False, True], [len(s) for s in pair.sides])
        self._stratum = np.concatenate([s.stratum for s in pair.sides])
        self._values = np.concatenate([pair.values(s) for s in pair.sides])
        sides = ((pair.a, False), (pair.b, True))
        self._unit = np.concatenate([self._numbers(s.unit, b) for s, b in sides])
        self._lengths = np.concatenate([s.lengths for s in pair.sides], axis=1)
        self._first = np.concatenate([s.first for s in pair.sides])
        self._ranks = np.full(self._values.shape, np.nan)
        self._kept = np.zeros(self._stratum.size, dtype=np.bool_)
        for name in pair.strata:
            rows = self._stratum == name
            even = evened(self._unit[rows], self._in_b[rows], asked.seed)
            self._kept[rows] = even
            self._ranks[self._kept & rows] = ranked(self._values[self._kept & rows])

    def measures(self, activity: str) -> Iterator[Question]:
        """Yield a question per measure; hosts of the whole device alone."""
        rows = self._rows(activity)
        for column, measure in enumerate(self._pair.measures):
            if measure.kind is Kind.HOST and activity != ALL:
                continue
            is_host = measure.kind is Kind.HOST
            kept = rows & self._kept
            said = (self._values if is_host else self._ranks)[kept, column]
            yield self._question(
                activity,
                measure,
                rows=rows & ~np.isnan(self._values[:, column]),
                effect=self._effect(measure, column, rows),
                vectors=vectors_of(said[:, None], self._unit[kept], self._n_units),
                is_one=True,
            )

    def shapes(self, activity: str) -> Iterator[Question]:
        """Yield questions of how sizes are distributed."""
        names = self._pair.strata if activity == ALL else (activity,)
        for measure in _SHAPES:
            parts, deltas = [], []
            for name in names:
                rows = self._stratum == name
                shape = self._shape(measure, rows)
                kept = self._kept[rows]
                unit = self._unit[rows][kept]
                parts.append(vectors_of(shape.rows[kept], unit, self._n_units))
                deltas.append(shape.apart(self._in_b[rows]))
            yield self._question(
                activity,
                measure,
                rows=self._rows(activity),
                effect=_distance(float(np.mean(deltas))),
                vectors=together(parts),
                is_one=False,
            )

    def events(self) -> Iterator[Question]:
        """Yield questions of what is seen outside of windows, and in captures."""
        names = sorted({n for s in self._pair.sides for n in s.events})
        for name in names:
            held = [s.events[name] for s in self._pair.sides if name in s.events]
            if len(held) < 2 or not all(each.n.size for each in held):
                continue  # nothing to compare it with
            parts = [
                (self._numbers(each.unit, in_b), each.value, each.n)
                for each, in_b in zip(held, (False, True), strict=True)
            ]
            counts = counted(
                parts, self._n_units, ordered=held[0].ordered, seed=self._asked.seed
            )
            n = tuple(int(each.n.sum()) for each in held)
            spots = [np.unique(unit) for unit, _value, _n in parts]
            yield Question(
                device=self._pair.device,
                activity=ALL,
                measure=Measure(name=name, unit="share", kind=held[0].kind),
                n=(n[0], n[1]),
                units=(spots[0].size, spots[1].size),
                effect=_distance(counts.apart(self._of_b())),
                vectors=counts.vectors,
                is_one=False,
            )

    def _of_b(self) -> Bool:
        return np.array([in_b for _name, in_b in self._units], dtype=np.bool_)

    def _shape(self, measure: Measure, rows: Bool) -> Shape:
        if measure is FIRST_FRAMES:
            return first_ranks(self._first[rows])
        make = spread if measure is FRAMES else exact
        return make(self._lengths[:, rows])

    def _numbers(self, names: Text, in_b: bool) -> Int64:
        found = [self._units[name, in_b] for name in names.tolist()]
        return np.array(found, dtype=np.int64)

    def _rows(self, activity: str) -> Bool:
        if activity == ALL:
            return np.ones(self._stratum.size, dtype=np.bool_)
        return np.asarray(self._stratum == activity)

    def _effect(self, measure: Measure, column: int, rows: Bool) -> Effect:
        values = [self._values[rows & (self._in_b == b), column] for b in (0, 1)]
        if measure.kind is Kind.HOST:
            one, two = (float(v.mean()) for v in values)
            return replace(
                _distance(two - one),
                median_a=one,
                median_b=two,
                ratio=two / one if one else None,
            )
        units = [self._unit[rows & (self._in_b == b)] for b in (0, 1)]
        return effect_of(
            (values[0], values[1]),
            (units[0], units[1]),
            self._asked.seed,
            with_interval=self._asked.intervals,
        )

    def _question(
        self,
        activity: str,
        measure: Measure,
        *,
        rows: Bool,
        effect: Effect,
        vectors: Vectors,
        is_one: bool,
    ) -> Question:
        parts = [rows & (self._in_b == in_b) for in_b in (False, True)]
        n = [int(part.sum()) for part in parts]
        units = [int(np.unique(self._unit[part]).size) for part in parts]
        return Question(
            device=self._pair.device,
            activity=activity,
            measure=measure,
            n=(n[0], n[1]),
            units=(units[0], units[1]),
            effect=effect,
            vectors=vectors,
            is_one=is_one,
        )


def _distance(delta: float) -> Effect:
    return Effect(
        median_a=None,
        median_b=None,
        ratio=None,
        ratio_low=None,
        ratio_high=None,
        delta=delta,
    )


def is_asked(question: Question, alpha: float) -> bool:
    """Say whether there are enough units with anything to say."""
    return min(question.units) >= LEAST_UNITS and can_tell(*question.units, alpha)


def tested(
    question: Question, found: tuple[Answer, int] | None, in_b: Bool, alpha: float
) -> Tested:
    """Return the test of a question; found: the answers, and where its own is."""
    p, p_adjusted, least = None, None, None
    verdict = Verdict.UNTOLD
    if found is not None:
        answers, at = found
        p, p_adjusted = float(answers.p[at]), float(answers.p_adjusted[at])
        verdict = Verdict.DRIFT if p_adjusted <= alpha else Verdict.SAME
        if question.is_one:
            least = detectable(question.vectors, in_b, answers.critical)
    return Tested(
        device=question.device,
        activity=question.activity,
        measure=question.measure.name,
        kind=question.measure.kind,
        unit=question.measure.unit,
        n_a=question.n[0],
        n_b=question.n[1],
        units_a=question.units[0],
        units_b=question.units[1],
        effect=question.effect,
        p=p,
        p_adjusted=p_adjusted,
        verdict=verdict,
        detectable=least,
    )
