"""New trials from recorded ones: none of them is a copy.

A trial is drawn part by part, one for each other end (address, protocol, port), since
devices talk to several at a time:

1. one recorded trial of the activity tells which other ends there are;
2. how much is said with each, and for how long, is that of this trial, moved by as much
   as two others of the same session differ (a smoothed bootstrap, which keeps what goes
   together: packets and bytes each way, seconds);
3. candidates are joined of two trials at a silence near the same share of their
   packets, and made longer or shorter by stretches that are repeated or left out, both
   ways and with their times, never those that open or close a connection. The one that
   comes nearest to the amounts is taken;
4. silences are stretched, each by itself, and gaps within trains a very little;
5. lengths that only one recorded trial has are moved a little.

Short parts are taken whole, with 4 and 5. `spread` scales all that is moved.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from testbed.virtual.twin.read import Shape, Trial, Twin

_SYN_FIN_RST = 7
_MANY = 40  # packets from which a part is joined of two trials and changes its length
_CANDIDATES = 12
_NEAR = 0.06  # share of the packets within which a silence to join at is looked for
_EDGE = 12  # packets at either end where nothing is joined
_MOST_BLOCKS = 3  # stretches that are repeated or left out
_OPEN_END = 0.95  # share of the window from which a part was cut off by its end
_SILENCE, _SILENCE_NS = 8.0, 20_000_000  # times the median gap, and at least
_GAP_SIGMA = 0.05
_PACE = 0.15  # sigma of the log of a silence
_LENGTH_SIGMA = 0.06
_MOVED = 0.5  # share of the difference of two trials by which a third is moved
_LEAST_SIGMA, _MOST_SIGMA = 0.03, 0.5
_FULL_B = 1400  # frames above are as large as the path allows
_SMALL_B = 70  # frames below are all header
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
    return _resized(whole, twin.spread, rng)


def session_mates(twin: Twin, activity: str, session: int) -> list[Trial]:
    """Return the trials of an activity in the session that stands for this one."""
    trials = twin.trials[activity]
    known = sorted({trial.session for trial in trials})
    wanted = known[session % len(known)]
    return [trial for trial in trials if trial.session == wanted]


def draw_event(events: Sequence[Shape], spread: float, rng: Generator) -> Shape:
    """Return one event of idle traffic, its gaps and rare lengths moved."""
    event = events[int(rng.integers(len(events)))]
    return _resized(_stretched(event, spread, _NEVER_NS, rng), spread, rng)


def joined(parts: Sequence[Shape]) -> Shape:
    """Return the packets of all parts, one part after the other."""
    names = parts[0].columns
    return Shape(
        columns={n: np.concatenate([p.columns[n] for p in parts]) for n in names}
    )


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
        chosen = known[int(rng.integers(len(known)))]
        made = _stretched(chosen, spread, delta_ns, rng)
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
        pair = rng.permutation(len(known))[:2]
        made = known[int(pair[0])]
        if pair.size > 1:
            made = _crossed(made, known[int(pair[1])], rng)
        made = _lengthened(made, float(sigma[0]) * spread, rng)
        made = _stretched(made, spread, delta_ns, rng)
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


def _crossed(one: Shape, other: Shape, rng: Generator) -> Shape:
    """Join the beginning of one with the end of the other, at a silence of each."""
    share = float(rng.uniform(0.15, 0.85))
    cuts = [_silence(part.columns["offset_ns"], share) for part in (one, other)]
    head = one.take(np.arange(cuts[0]))
    tail = other.take(np.arange(cuts[1], len(other)))
    at = [
        int(p.columns["offset_ns"][c]) for p, c in zip((one, other), cuts, strict=True)
    ]
    return joined((head, _moved(tail, at[0] - at[1])))


def _silence(offset_ns: NDArray[np.int64], share: float) -> int:
    """Return the row after the longest gap near a share of the packets."""
    n = offset_ns.size
    low = max(_EDGE, round((share - _NEAR) * n))
    high = min(n - _EDGE, round((share + _NEAR) * n))
    low = min(low, n - _EDGE - 1)
    gaps = np.diff(offset_ns[low - 1 : max(high, low + 1)])
    return low + int(np.argmax(gaps))


def _lengthened(part: Shape, sigma: float, rng: Generator) -> Shape:
    """Repeat stretches of the packets or leave some out: both ways, with their times.

    Stretches that open or close a connection stay as they are.
    """
    n = len(part)
    factor = float(np.exp(rng.normal(0.0, sigma)))
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


def _stretched(part: Shape, spread: float, delta_ns: int, rng: Generator) -> Shape:
    """Stretch silences, each by itself; within a train gaps hardly differ."""
    offset = part.columns["offset_ns"].astype(np.int64)
    gaps = np.diff(offset).astype(np.float64)
    if not gaps.size:
        return part
    is_silence = gaps > max(_SILENCE * float(np.median(gaps)), _SILENCE_NS)
    sigma = np.where(is_silence, _PACE, _GAP_SIGMA) * spread
    new = gaps * np.exp(rng.normal(0.0, 1.0, gaps.size) * sigma)
    if int(offset[-1]) > _OPEN_END * delta_ns:
        new *= gaps.sum() / max(new.sum(), 1.0)  # it went on when the window ended
    ends = np.concatenate(([0.0], np.cumsum(new)))
    moved = int(offset[0]) + np.rint(ends).astype(np.int64)
    return Shape(columns={**part.columns, "offset_ns": moved})


def _resized(shape: Shape, spread: float, rng: Generator) -> Shape:
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


def _moved(shape: Shape, by_ns: int) -> Shape:
    offset = shape.columns["offset_ns"] + by_ns
    return Shape(columns={**shape.columns, "offset_ns": offset})
