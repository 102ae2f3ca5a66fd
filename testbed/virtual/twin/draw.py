"""New trials from recorded ones: none of them is a copy.

A trial is drawn part by part, one for each other end (address, protocol, port), since
devices talk to several at a time:

1. one recorded trial of the activity tells which other ends there are;
2. how much is said with each, and for how long, is that of this trial, moved by as much
   as two others of the same session differ (a smoothed bootstrap, which keeps what goes
   together: packets and bytes each way, seconds);
3. candidates are walks over all trials of the session: some packets of one, then, after
   the same two packets, some of another. They are made longer or shorter by stretches
   that are repeated or left out, both ways and with their times, never those that open
   or close a connection. The one that comes nearest to the amounts is taken;
4. silences are stretched, each by itself, and gaps within trains a very little;
5. lengths that only one recorded trial has are moved a little.

Short parts are drawn between two trials that say the same in the same order (gaps and
lengths packet by packet), then 4 and 5. `spread` scales all that is moved.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from testbed.virtual.twin.parts import (
    between,
    joined,
    lengthened,
    resized,
    stretched,
    walked,
)
from testbed.virtual.twin.read import Shape, Trial, Twin

_MANY = 40  # packets from which a part is a walk, and changes its length
_CANDIDATES = 12
_MOVED = 0.5  # share of the difference of two trials by which a third is moved
_LEAST_SIGMA, _MOST_SIGMA = 0.03, 0.5
_NEVER_NS = 1 << 62


def draw_trial(twin: Twin, activity: str, session: int, rng: Generator) -> Shape:
    """Return a new trial, offsets from the label instant, in order of time.

    session  number of the session that is played; those that were learnt are taken
             in turn
    """
    mates = session_mates(twin, activity, session)
    base = mates[int(rng.integers(len(mates)))]
    delta_ns = twin.delta_ns[activity]
    parts = [
        _part(base, mates, group, (twin.spread, delta_ns), rng)
        for group in np.unique(base.shape.columns["group"]).tolist()
    ]
    whole = joined(parts)
    offset = whole.columns["offset_ns"]
    inside = (offset < delta_ns) & (offset >= 0)
    order = np.argsort(offset[inside], kind="stable")
    whole = whole.take(np.flatnonzero(inside)[order])
    return resized(whole, twin.spread, rng)


def session_mates(twin: Twin, activity: str, session: int) -> list[Trial]:
    """Return the trials of an activity in the session that stands for this one."""
    trials = twin.trials[activity]
    known = sorted({trial.session for trial in trials})
    wanted = known[session % len(known)]
    return [trial for trial in trials if trial.session == wanted]


def draw_event(events: Sequence[Shape], spread: float, rng: Generator) -> Shape:
    """Return one event of idle traffic, its gaps and rare lengths moved."""
    event = events[int(rng.integers(len(events)))]
    return resized(stretched(event, spread, _NEVER_NS, rng), spread, rng)


def _part(
    base: Trial,
    mates: Sequence[Trial],
    group: int,
    how: tuple[float, int],
    rng: Generator,
) -> Shape:
    """Return what is said with one other end; `how` is spread and δ in ns."""
    spread, delta_ns = how
    own = _of_group(base.shape, group)
    known = [_of_group(mate.shape, group) for mate in mates]
    known = [part for part in known if len(part)]
    if min(map(len, known)) < _MANY:
        one, other = rng.integers(len(known), size=2).tolist()
        made = between(known[one], known[other], rng)
        made = stretched(made, spread, delta_ns, rng)
    else:
        made = _nearest(own, known, how, rng)
    there_ns, own_ns = (int(p.columns["offset_ns"][0]) for p in (made, own))
    begin_ns = round(own_ns + float(rng.random()) * (there_ns - own_ns))
    return _moved(made, begin_ns - there_ns)


def _nearest(
    own: Shape, known: Sequence[Shape], how: tuple[float, int], rng: Generator
) -> Shape:
    """Return the candidate whose amounts come nearest to those that are drawn."""
    spread, delta_ns = how
    amounts = np.array([_amounts(part) for part in known])
    one, other = rng.integers(len(known), size=2)
    wanted = _amounts(own) + _MOVED * spread * (amounts[one] - amounts[other])
    sigma = np.clip(amounts.std(axis=0), _LEAST_SIGMA, _MOST_SIGMA)
    best, least = own, math.inf
    for _ in range(_CANDIDATES):
        made = walked(known, rng)
        made = lengthened(made, float(sigma[0]) * spread, rng)
        made = stretched(made, spread, delta_ns, rng)
        far = float((((_amounts(made) - wanted) / sigma) ** 2).sum())
        if far < least:
            best, least = made, far
    return best


def _amounts(shape: Shape) -> NDArray[np.float64]:
    """Return logs of packets, packets and bytes each way, and seconds."""
    out = shape.columns["outbound"]
    length = shape.columns["length_b"].astype(np.float64)
    offset = shape.columns["offset_ns"]
    n_out = float(np.count_nonzero(out))
    lasts_s = (int(offset[-1]) - int(offset[0])) / 1e9
    told = (
        out.size,
        n_out + 1,
        out.size - n_out + 1,
        float(length[out].sum()) + 60,
        float(length[~out].sum()) + 60,
        lasts_s + 0.01,
    )
    logs: NDArray[np.float64] = np.log(np.array(told))
    return logs


def _of_group(shape: Shape, group: int) -> Shape:
    return shape.take(np.flatnonzero(shape.columns["group"] == group))


def _moved(shape: Shape, by_ns: int) -> Shape:
    offset = shape.columns["offset_ns"] + by_ns
    return Shape(columns={**shape.columns, "offset_ns": offset})
