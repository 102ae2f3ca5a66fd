"""The questions that are asked of a device, and what the answers mean."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.compare.effects import detectable, effect_of
from analysis.compare.exchange import Answer, Block, Stratum, ranked
from analysis.compare.model import (
    ALL,
    MEASURES,
    Asked,
    Bool,
    Effect,
    Float64,
    Kind,
    Measure,
    Tested,
    Trials,
    Unit,
    Verdict,
)
from analysis.windows import IDLE_ACTIVITY


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
    def measures(self) -> tuple[Measure, ...]:
        """Columns of the questions: measures, then hosts."""
        hosts = (Measure(name=h, unit="share", kind=Kind.HOST) for h in self.hosts)
        return (*MEASURES, *hosts)

    def values(self, side: Trials) -> Float64:
        """Return (k, columns) values of one side."""
        nothing = np.zeros(len(side), dtype=np.bool_)
        marks = [side.hosts.get(host, nothing).astype(float) for host in self.hosts]
        return np.column_stack([side.values, *marks])

    def cells(self) -> Bool:
        """Return (strata, columns) which are questions of their own."""
        made = np.zeros((len(self.strata), len(self.measures)), dtype=np.bool_)
        if len(self.strata) > 1:  # else all of the device is the same question
            made[:, : len(MEASURES)] = True
        return made

    def block(self, numbers: Mapping[tuple[str, bool], int]) -> Block:
        """Return the device as exchanges see it; numbers of sessions."""
        values = [self.values(side) for side in (self.a, self.b)]
        sessions = [
            np.array([numbers[name, in_b] for name in side.session.tolist()], np.int64)
            for side, in_b in ((self.a, False), (self.b, True))
        ]
        strata = []
        for name in self.strata:
            rows = self.a.stratum == name, self.b.stratum == name
            n_a, n_b = (int(r.sum()) for r in rows)
            both = np.concatenate([v[r] for v, r in zip(values, rows, strict=True)])
            held = np.concatenate([s[r] for s, r in zip(sessions, rows, strict=True)])
            strata.append(
                Stratum(
                    in_b=np.repeat([False, True], [n_a, n_b]),
                    session=held,
                    ranks=ranked(both),
                )
            )
        return Block(strata=tuple(strata), cells=self.cells())


def pair_of(a: Trials, b: Trials) -> Pair | None:
    """Return what two campaigns have in common of a device, None for nothing."""
    strata = tuple(np.intersect1d(a.stratum, b.stratum).tolist())
    if set(strata) <= {IDLE_ACTIVITY}:
        return None
    one, two = (_kept(side, strata) for side in (a, b))
    hosts = sorted({*one.hosts, *two.hosts})
    return Pair(device=a.device, a=one, b=two, strata=strata, hosts=tuple(hosts))


def _kept(side: Trials, strata: Sequence[str]) -> Trials:
    rows = np.isin(side.stratum, strata)
    marks = {host: held[rows] for host, held in side.hosts.items()}
    hosts = {host: held for host, held in marks.items() if held.any()}
    return Trials(
        device=side.device,
        stratum=side.stratum[rows],
        session=side.session[rows],
        values=side.values[rows],
        hosts=hosts,
        elsewhere=side.elsewhere | (set(side.hosts) - set(hosts)),
    )


def tests_of(
    pairs: Sequence[Pair], found: Answer, unit: Unit, asked: Asked
) -> Iterator[Tested]:
    """Yield a test per question, in the order in which `answer` has them."""
    at = 0
    for pair in pairs:
        for place, activity, column in _places(pair):
            yield _test(pair, activity, column, (found, at + place), unit, asked)
        at += sum(1 for _ in _places(pair))


def _places(pair: Pair) -> Iterator[tuple[int, str, int]]:
    """Yield (place in the answer, stratum, column) of a device's questions."""
    columns = len(pair.measures)
    asked = [(ALL, column) for column in range(columns)]
    for row, name in enumerate(pair.strata):
        asked += [(name, int(c)) for c in np.flatnonzero(pair.cells()[row])]
    for place, (name, column) in enumerate(asked):
        yield place, name, column


def _test(
    pair: Pair,
    activity: str,
    column: int,
    answered: tuple[Answer, int],
    unit: Unit,
    asked: Asked,
) -> Tested:
    found, at = answered
    measure = pair.measures[column]
    rows = [_rows(side, activity) for side in (pair.a, pair.b)]
    sides = (pair.a, pair.b)
    values = [
        pair.values(side)[row, column] for side, row in zip(sides, rows, strict=True)
    ]
    n_a, n_b = (int((~np.isnan(v)).sum()) for v in values)
    drifts = bool(found.p_adjusted[at] <= asked.alpha)
    can_tell = unit is Unit.TRIAL
    return Tested(
        device=pair.device,
        activity=activity,
        measure=measure.name,
        kind=measure.kind,
        unit=measure.unit,
        n_a=n_a,
        n_b=n_b,
        effect=_effect(pair, measure, values, rows, unit, asked),
        p=float(found.p[at]),
        p_adjusted=float(found.p_adjusted[at]),
        verdict=_verdict(pair, activity, column, unit) if drifts else Verdict.SAME,
        detectable=detectable(n_a, n_b, found.critical) if can_tell else None,
    )


def _rows(side: Trials, activity: str) -> Bool:
    if activity == ALL:
        return np.ones(len(side), dtype=np.bool_)
    return np.asarray(side.stratum == activity)


def _effect(
    pair: Pair,
    measure: Measure,
    values: Sequence[Float64],
    rows: Sequence[Bool],
    unit: Unit,
    asked: Asked,
) -> Effect:
    if measure.kind is Kind.HOST:
        one, two = (float(v.mean()) for v in values)
        return Effect(
            median_a=one,
            median_b=two,
            ratio=two / one if one else None,
            ratio_low=None,
            ratio_high=None,
            delta=two - one,
        )
    whole = None
    if unit is Unit.SESSION:
        whole = pair.a.session[rows[0]], pair.b.session[rows[1]]
    return effect_of(
        values[0], values[1], whole, asked.seed, with_interval=asked.intervals
    )


def _verdict(pair: Pair, activity: str, column: int, unit: Unit) -> Verdict:
    """Say whether a difference is more than one between days."""
    if unit is Unit.SESSION:
        return Verdict.DRIFT
    means: tuple[list[float], list[float]] = ([], [])
    names = pair.strata if activity == ALL else (activity,)
    values = pair.values(pair.a)[:, column], pair.values(pair.b)[:, column]
    ranks = [np.zeros(v.size) for v in values]
    for name in names:
        rows = [side.stratum == name for side in (pair.a, pair.b)]
        both = np.concatenate([v[r] for v, r in zip(values, rows, strict=True)])
        ranked_both = ranked(both[:, None])[:, 0] / (both.size + 1)
        n_a = int(rows[0].sum())
        ranks[0][rows[0]], ranks[1][rows[1]] = ranked_both[:n_a], ranked_both[n_a:]
    for number, side in enumerate((pair.a, pair.b)):
        asked_for = np.isin(side.stratum, names)
        for session in np.unique(side.session[asked_for]):
            own = asked_for & (side.session == session)
            means[number].append(float(ranks[number][own].mean()))
    apart = max(means[0]) < min(means[1]) or max(means[1]) < min(means[0])
    return Verdict.DRIFT if apart else Verdict.DAYS
