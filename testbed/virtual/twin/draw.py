"""New trials from recorded ones: none of them is a copy.

A trial is drawn part by part, one for each other end (address, protocol, port), since
devices talk to several at a time:

1. one recorded trial of the activity tells which other ends there are. What it says
   unasked, as between trials, is left out and drawn by itself: see `twin.unasked`;
2. amounts are drawn: packets and bytes each way, seconds, how gaps are spread. They are
   the mean of that trial and the half of its session that is most like it, moved by
   what some trial differs from such a mean, and by as much more as the mean of a
   handful is uncertain;
3. candidates are walks over these trials: some packets of one, then, after the same two
   packets, some of another. Stretches are repeated or left out, both ways
   and with their times, never those that open or close a connection; gaps are warped;
   so each comes near to the amounts, and the one that comes nearest is taken;
4. gaps move a little among those between the same two packets; silences differ;
5. lengths that only one recorded trial has are moved a little.

Parts of which other trials say the same in the same order are drawn between two of
these, some packets on end nearer to the one or to the other; short parts for which
there is none, connection by connection. Then 4 and 5. `spread` scales what is moved.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from testbed.virtual.twin.gaps import Gaps
from testbed.virtual.twin.groups import (
    Role,
    connections,
    groups_in,
    of_group,
    parts_of,
    roles_of,
)
from testbed.virtual.twin.parts import (
    between,
    joined,
    lengthened,
    resized,
    says_same,
    stretched,
    thinned,
    walked,
    warped,
)
from testbed.virtual.twin.read import Shape, Trial, Twin
from testbed.virtual.twin.unasked import unasked_of

_MANY = 40  # packets from which a part is a walk, and changes its length
_CANDIDATES = 6
_FEW = 6.0  # trials of a session that count as much as those of all activities
_SIGMAS = (0.02, 0.5)  # least and most that amounts differ
_LEAST_NS = 10_000  # shorter gaps are one
_NEVER_NS = 1 << 62
_SMALL_B = 70  # frames below are all header
Amounts = NDArray[np.float64]
_N, _SMALL_OUT, _SMALL_IN, _GAP, _GAP_SPREAD = 0, 6, 7, 8, 9
_DIMS = 10
_SYN = 2
_NEW_FLOWS = 1 << 20  # more than a part has


class Drawer:
    """Draws trials of one twin; what it needs of all trials is computed once."""

    def __init__(self, twin: Twin) -> None:
        self._gaps = Gaps(parts_of(twin))
        self._roles = roles_of(twin)
        self._unasked = unasked_of(twin)
        self._twin = twin = replace(twin, trials=self._unasked.trials)
        self._kept: dict[tuple[int, Role], list[Shape]] = {}
        self._scale = np.ones(_DIMS)
        rough = [self._differences(name) for name in twin.trials]
        self._scale = np.clip(_sigma(np.concatenate(rough)), *_SIGMAS)
        self._residuals = {name: self._differences(name) for name in twin.trials}
        every = [each for each in self._residuals.values() if each.size]
        self._sigma = _sigma(np.concatenate(every)) if every else np.zeros(_DIMS)
        self._pool = np.concatenate(
            [self._scaled(each, name) for name, each in self._residuals.items()]
        )

    def trial(self, activity: str, session: int, rng: Generator) -> Shape:
        """Return a new trial, offsets from the label instant, in order of time.

        session  number of the session that is played; those that were learnt are taken
                 in turn
        """
        mates = session_mates(self._twin, activity, session)
        base = mates[int(rng.integers(len(mates)))]
        delta_ns = self._twin.delta_ns[activity]
        groups = groups_in(base)
        parts = [self._part(base, mates, group, delta_ns, rng) for group in groups]
        whole = joined([*parts, *self._said_unasked(activity, delta_ns, rng)])
        offset = whole.columns["offset_ns"]
        inside = (offset < delta_ns) & (offset >= 0)
        order = np.argsort(offset[inside], kind="stable")
        whole = whole.take(np.flatnonzero(inside)[order])
        return resized(whole, self._twin.spread, rng)

    def event(self, events: Sequence[Shape], rng: Generator) -> Shape:
        """Return one event of idle traffic, its gaps and rare lengths moved."""
        event = events[int(rng.integers(len(events)))]
        spread = self._twin.spread
        return resized(
            stretched(event, self._gaps, spread, _NEVER_NS, rng), spread, rng
        )

    def _said_unasked(
        self, activity: str, delta_ns: int, rng: Generator
    ) -> list[Shape]:
        """Return what is said unasked meanwhile, with connections of its own."""
        found: list[Shape] = []
        for at_ns, event in self._unasked.drawn(activity, delta_ns, rng):
            made = stretched(event, self._gaps, self._twin.spread, _NEVER_NS, rng)
            if (made.columns["tcp_flags"] & _SYN).any():
                flow = made.columns["flow"] + _NEW_FLOWS * (len(found) + 1)
                columns = {**made.columns, "flow": flow.astype(np.int32)}
                made = Shape(columns=columns)
            found.append(_moved(made, at_ns))
        return found

    def _part(
        self,
        base: Trial,
        mates: Sequence[Trial],
        group: int,
        delta_ns: int,
        rng: Generator,
    ) -> Shape:
        """Return what is said with one other end."""
        own = of_group(base.shape, group)
        rest = [mate for mate in mates if mate is not base]
        others = [of_group(mate.shape, group) for mate in rest]
        others = [part for part in others if len(part)]
        known = self._alike([own, *others])
        same = [part for part in others if says_same(own, part)]
        if same:
            made = between(own, same[int(rng.integers(len(same)))], rng)
        elif min(map(len, known)) < _MANY:
            made = self._by_connection(own, rest, rng)
        else:
            made = self._nearest(known, base.activity, rng)
        made = stretched(made, self._gaps, self._twin.spread, delta_ns, rng)
        if not others:
            return made
        there = others[int(rng.integers(len(others)))]
        there_ns, own_ns = (int(p.columns["offset_ns"][0]) for p in (there, own))
        made_ns = int(made.columns["offset_ns"][0])
        begin_ns = round(own_ns + float(rng.random()) * (there_ns - own_ns))
        return _moved(made, begin_ns - made_ns)

    def _by_connection(
        self, own: Shape, mates: Sequence[Trial], rng: Generator
    ) -> Shape:
        """Return a part connection by connection: each between two that say the same.

        The other is of any of the mates, and about the same service, with whomever.
        """
        role = self._roles[int(own.columns["group"][0])]
        pieces = []
        for piece in connections(own):
            like = [
                each
                for mate in mates
                for each in self._connections(mate, role)
                if says_same(piece, each, ("outbound", "protocol", "tcp_flags"))
            ]
            if like:
                piece = between(piece, like[int(rng.integers(len(like)))], rng)
            pieces.append(piece)
        whole = joined(pieces)
        return whole.take(np.argsort(whole.columns["offset_ns"], kind="stable"))

    def _connections(self, trial: Trial, role: Role) -> list[Shape]:
        """Return the connections of a trial that are about a service."""
        key = id(trial), role
        if key not in self._kept:
            groups = [g for g in groups_in(trial) if self._roles[g] == role]
            parts = [of_group(trial.shape, group) for group in groups]
            self._kept[key] = [each for part in parts for each in connections(part)]
        return self._kept[key]

    def _alike(self, parts: Sequence[Shape]) -> list[Shape]:
        """Return the first part and the half of the others that are most like it.

        An activity may go in several ways; between two of them lies none.
        """
        if len(parts) < 2:
            return list(parts)
        amounts = np.array([_amounts(part) for part in parts])
        far = (((amounts - amounts[0]) / self._scale) ** 2).sum(axis=1)
        n_kept = 1 + math.ceil((len(parts) - 1) / 2)
        return [parts[k] for k in np.argsort(far, kind="stable")[:n_kept].tolist()]

    def _differences(self, activity: str) -> Amounts:
        """Return what long parts differ from the mean of those like them, (m, 10).

        The degree of freedom that the mean took is given back.
        """
        found = [np.zeros((0, _DIMS))]
        trials = self._twin.trials[activity]
        for number in range(len({trial.session for trial in trials})):
            mates = session_mates(self._twin, activity, number)
            groups = np.concatenate([m.shape.columns["group"] for m in mates])
            for group in np.unique(groups).tolist():
                parts = [of_group(mate.shape, group) for mate in mates]
                parts = [part for part in parts if len(part) >= _MANY]
                found += [
                    self._difference([part, *(p for p in parts if p is not part)])
                    for part in parts
                    if len(parts) > 1
                ]
        return np.concatenate(found)

    def _difference(self, parts: Sequence[Shape]) -> Amounts:
        amounts = np.array([_amounts(part) for part in self._alike(parts)])
        inflate = math.sqrt(len(amounts) / (len(amounts) - 1))
        away: Amounts = (amounts[:1] - amounts.mean(axis=0)) * inflate
        return away

    def _nearest(self, known: Sequence[Shape], activity: str, rng: Generator) -> Shape:
        """Return the candidate whose amounts come nearest to those that are drawn."""
        amounts = np.array([_amounts(part) for part in known])
        sigma = self._sigma_of(activity)
        n = len(known)
        moved = sigma * math.sqrt(1 + 1 / n) * self._twin.spread
        if len(self._pool):
            moved = moved * self._pool[int(rng.integers(len(self._pool)))]
        else:
            moved = moved * rng.normal(0.0, 1.0, _DIMS)
        wanted = amounts.mean(axis=0) + moved
        best, least = known[0], math.inf
        for _ in range(_CANDIDATES):
            made = _steered(walked(known, rng), wanted, rng)
            far = float((((_amounts(made) - wanted) / sigma) ** 2).sum())
            if far < least:
                best, least = made, far
        return best

    def _sigma_of(self, activity: str) -> Amounts:
        """Return how much an activity differs within sessions, drawn to all others."""
        own = self._residuals[activity]
        if not own.size:
            return np.clip(self._sigma, *_SIGMAS)
        weight = len(own) / (len(own) + _FEW)
        logs = [np.log(np.maximum(s, 1e-3)) for s in (_sigma(own), self._sigma)]
        mixed = np.exp(weight * logs[0] + (1 - weight) * logs[1])
        return np.clip(mixed, *_SIGMAS)

    def _scaled(self, residuals: Amounts, activity: str) -> Amounts:
        return residuals / self._sigma_of(activity)


def session_mates(twin: Twin, activity: str, session: int) -> list[Trial]:
    """Return the trials of an activity in the session that stands for this one."""
    trials = twin.trials[activity]
    known = sorted({trial.session for trial in trials})
    wanted = known[session % len(known)]
    return [trial for trial in trials if trial.session == wanted]


def _sigma(residuals: Amounts) -> Amounts:
    if not residuals.size:
        return np.zeros(_DIMS)
    sigma: Amounts = np.sqrt((residuals**2).mean(axis=0))
    return sigma


def _steered(made: Shape, wanted: Amounts, rng: Generator) -> Shape:
    """Bring a walk near to amounts: its length, its small packets, its gaps."""
    made = lengthened(made, math.exp(float(wanted[_N] - _amounts(made)[_N])), rng)
    away = wanted - _amounts(made)
    for is_out, place in ((True, _SMALL_OUT), (False, _SMALL_IN)):
        made = thinned(made, is_out, math.exp(float(away[place])), rng)
    now = _amounts(made)
    tilt = math.exp(float(wanted[_GAP_SPREAD] - now[_GAP_SPREAD]))
    return warped(made, float(now[_GAP]), float(wanted[_GAP]), tilt)


def _amounts(shape: Shape) -> Amounts:
    """Return logs, (10,): packets, packets and bytes each way, seconds, small packets.

    The last two are the mean of the log gap, and the log of its deviation.
    """
    out = shape.columns["outbound"]
    length = shape.columns["length_b"].astype(np.float64)
    offset = shape.columns["offset_ns"]
    small = length < _SMALL_B
    told = (
        out.size,
        np.count_nonzero(out) + 1,
        np.count_nonzero(~out) + 1,
        length[out].sum() + 60,
        length[~out].sum() + 60,
        (int(offset[-1]) - int(offset[0])) / 1e9 + 0.01,
        np.count_nonzero(small & out) + 2,
        np.count_nonzero(small & ~out) + 2,
    )
    gaps = np.log(np.maximum(np.diff(offset), _LEAST_NS).astype(np.float64))
    gaps = gaps if gaps.size else np.zeros(1)
    return np.array([*map(math.log, told), gaps.mean(), math.log(gaps.std() + 0.1)])


def _moved(shape: Shape, by_ns: int) -> Shape:
    offset = shape.columns["offset_ns"] + by_ns
    return Shape(columns={**shape.columns, "offset_ns": offset})
