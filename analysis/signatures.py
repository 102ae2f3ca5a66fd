"""Packet-length signatures: pairs of packets that mark an activity, encrypted or not.

After Trimananda et al., "Packet-Level Signatures for Smart Home Devices" (NDSS 2020):
what a device and its peer say first and answer has the same few lengths each time, so
that pairs of neighbouring packets of a conversation, clustered by DBSCAN over many
repeats, tell an activity, say at which instant it was, and can be read by people:

    turn_on, within 1.2 s: > 490-491 B, then < 1027-1029 B (in 97% of its windows, in
    96% of those of turn_off, in at most 1% of all others)

learnt = SignatureMatcher(pairs_of(table, windows)).fit(rows, activity)
learnt.predict(rows)                    activity of each window, or unknown
spot(signature, pairs_in(table))        instants of an activity in a whole table
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from analysis.packets import PacketTable
from analysis.windows import IDLE_ACTIVITY, UNKNOWN, Windows

Bool = NDArray[np.bool_]
Int64 = NDArray[np.int64]
Labels = NDArray[np.str_]

_EPS_B = 10.0  # reach of DBSCAN; as in the paper
# A range is so much wider than what was seen; one length alone is exact when it was
# seen in that many windows: then the next has another in 3 of 20 cases at most.
_MARGIN_B = 10
_EXACT_AFTER = 20
_OFTEN = 0.8  # share of an activity's windows that hold a pair of its signature
_RARELY = 0.5  # of that share; activities that hold it more often share the pair
_MOST_PAIRS = 4
_TOGETHER = 0.95  # share of the windows with the first pair that hold all others too
_SPAN_MARGIN_S = 1.0  # longer than the longest in training: answers may be slow
_FEWEST = 3  # windows of an activity to learn a signature from


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """Neighbouring packets with payload of one conversation, in order of time.

    first   (m,) int64, payload bytes, negative when the device received them
    second  (m,) int64, of the next packet if that goes the other way, else 0
    time_ns (m,) int64, stamp of the first packet
    """

    first: Int64
    second: Int64
    time_ns: Int64

    def __len__(self) -> int:
        return self.first.size

    def take(self, rows: Int64 | Bool | slice) -> "Pairs":
        """Return the chosen pairs."""
        return Pairs(
            first=self.first[rows],
            second=self.second[rows],
            time_ns=self.time_ns[rows],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PairRange:
    """One pair of a signature.

    first, second  (low, high) bytes, both ends included, negative when received;
                   second is (0, 0) where no packet the other way follows
    support        share of the activity's windows that hold it
    also           other activities that hold it more than half as often: on and off may
                   have the same lengths;  also_share  of the windows of each that do
    elsewhere      the largest share of windows of any other activity, or idle, that do
    """

    first: tuple[int, int]
    second: tuple[int, int]
    support: float
    elsewhere: float
    also: tuple[str, ...] = ()
    also_share: tuple[float, ...] = ()

    def holds(self, pairs: Pairs) -> Bool:
        """Return (m,) bool, which pairs lie in the ranges."""
        inside = (pairs.first >= self.first[0]) & (pairs.first <= self.first[1])
        return (
            inside & (pairs.second >= self.second[0]) & (pairs.second <= self.second[1])
        )

    def __str__(self) -> str:
        said = [_spoken(self.first)]
        if self.second != (0, 0):
            said.append(_spoken(self.second))
        return ", then ".join(said)

    @property
    def where(self) -> str:
        """Say how often it is found in which windows."""
        shared = zip(self.also, self.also_share, strict=True)
        told = [f"{share:.0%} of those of {name}" for name, share in shared]
        rest = "all others" if told else "others"
        told = [f"{self.support:.0%} of its windows", *told]
        return ", in ".join([*told, f"at most {self.elsewhere:.0%} of {rest}"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """What marks an activity: all of its pairs within `span_s` seconds.

    pairs      the clearest first; empty when nothing marks the activity
    n_windows  windows that it was learnt from
    """

    activity: str
    pairs: tuple[PairRange, ...]
    span_s: float
    n_windows: int

    def __str__(self) -> str:
        if self.n_windows < _FEWEST:
            return f"{self.activity}: too few windows ({self.n_windows})"
        if not self.pairs:
            return f"{self.activity}: no packet lengths mark it"
        told = "; ".join(f"{pair} (in {pair.where})" for pair in self.pairs)
        alike = " and ".join(self.also)
        also = f"; alone it cannot tell {self.activity} from {alike}" if alike else ""
        return f"{self.activity}, within {self.span_s:.1f} s: {told}{also}"

    @property
    def also(self) -> tuple[str, ...]:
        """Other activities that hold all of its pairs.

        They may have a signature of their own by which they are told all the same; see
        `alike`.
        """
        shared = [set(pair.also) for pair in self.pairs]
        return tuple(sorted(set.intersection(*shared))) if shared else ()

    @property
    def weight(self) -> float:
        """How much a match says: the log of how much likelier it is here."""
        return sum(
            float(np.log((pair.support + 0.01) / (pair.elsewhere + 0.01)))
            for pair in self.pairs
        )


def alike(signatures: Mapping[str, Signature]) -> tuple[tuple[str, ...], ...]:
    """Return groups of activities that no signature tells apart, sorted.

    Two are of one group where each holds all pairs of the other.
    """
    groups = {name: {name} for name in signatures}
    for name, each in signatures.items():
        for other in each.also:
            if other in signatures and name in signatures[other].also:
                both = groups[name] | groups[other]
                groups |= dict.fromkeys(both, both)
    found = {tuple(sorted(group)) for group in groups.values() if len(group) > 1}
    return tuple(sorted(found))


def pairs_in(table: PacketTable, first: int = 0, last: int | None = None) -> Pairs:
    """Return the pairs of rows [first, last) of a table, by the time of the first."""
    end = len(table) if last is None else last
    spoken = np.flatnonzero(
        (table.payload_b[first:end] > 0) & (table.flow[first:end] >= 0)
    )
    rows = spoken + first
    order = rows[np.argsort(table.flow[rows], kind="stable")]
    size = table.payload_b[order].astype(np.int64)
    signed = np.where(table.outbound[order], size, -size)
    flow = table.flow[order]
    follows = np.zeros(order.size, dtype=bool)  # the next one answers this one
    follows[:-1] = (flow[1:] == flow[:-1]) & ((signed[1:] > 0) != (signed[:-1] > 0))
    second = np.zeros(order.size, dtype=np.int64)
    second[:-1] = np.where(follows[:-1], signed[1:], 0)
    time_ns = table.time_ns[order]
    by_time = np.argsort(time_ns, kind="stable")
    return Pairs(
        first=signed[by_time], second=second[by_time], time_ns=time_ns[by_time]
    )


def pairs_of(table: PacketTable, windows: Windows) -> tuple[Pairs, ...]:
    """Return the pairs of each window; retransmissions should be cleaned away."""
    edges = zip(windows.first.tolist(), windows.last.tolist(), strict=True)
    return tuple(pairs_in(table, first, last) for first, last in edges)


class SignatureMatcher:
    """Learns signatures of activities and names windows by them.

    pairs       those of all windows, training and test; rows choose among them
    signatures  activity -> what marks it, once learnt
    """

    def __init__(self, pairs: Sequence[Pairs]) -> None:
        self._pairs = tuple(pairs)
        self._silent = UNKNOWN
        self.signatures: dict[str, Signature] = {}

    def fit(self, rows: Int64, activity: Labels) -> "SignatureMatcher":
        """Learn from windows `rows` with (k,) activities.

        An activity needs three windows; idle gets no signature, but counts as another
        activity for all others.
        """
        windows = [self._pairs[row] for row in rows.tolist()]
        held: dict[str, list[Pairs]] = {str(name): [] for name in np.unique(activity)}
        for window, name in zip(windows, activity.tolist(), strict=True):
            held[name].append(window)
        self.signatures = {
            name: _signature(name, held) for name in held if name != IDLE_ACTIVITY
        }
        self._silent = IDLE_ACTIVITY if IDLE_ACTIVITY in held else UNKNOWN
        return self

    def predict(self, rows: Int64) -> Labels:
        """Return (k,) str: the activity whose signature each window holds.

        Of several the one that the fewest others share, then the one that says most;
        of activities that cannot be told apart, see `Signature.also`, always the same.
        A window without any is idle where that was learnt, else UNKNOWN.
        """
        known = sorted(
            (each for each in self.signatures.values() if each.pairs),
            key=lambda each: (len(each.also), -each.weight, each.activity),
        )
        said = []
        for row in rows.tolist():
            pairs = self._pairs[row]
            found = (each.activity for each in known if spot(each, pairs).size)
            said.append(next(found, self._silent))
        return np.array(said, dtype=np.str_)


def spot(signature: Signature, pairs: Pairs) -> Int64:
    """Return (e,) int64, ns UTC: instants at which all pairs come within the span.

    Instants are at least a span apart: one event is told once.
    """
    if not signature.pairs:
        return np.zeros(0, dtype=np.int64)
    span_ns = round(signature.span_s * 1e9)
    held = [pairs.time_ns[pair.holds(pairs)] for pair in signature.pairs]
    starts = np.unique(np.concatenate(held))
    whole = np.ones(starts.size, dtype=bool)
    for times in held:
        begin = np.searchsorted(times, starts, side="left")
        end = np.searchsorted(times, starts + span_ns, side="right")
        whole &= end > begin
    found: list[int] = []
    for start in starts[whole].tolist():
        if not found or start > found[-1] + span_ns:
            found.append(start)
    return np.array(found, dtype=np.int64)


def _signature(name: str, held: dict[str, list[Pairs]]) -> Signature:
    """Choose the pairs that nearly all windows of an activity hold, and few others."""
    ranges = [
        PairRange(first=a, second=b, support=0, elsewhere=0)
        for a, b in _clusters(held[name])
    ]
    measured = [_measured(each, name, held) for each in ranges]
    candidates = [
        p for p in measured if p.support >= _OFTEN and IDLE_ACTIVITY not in p.also
    ]
    candidates.sort(key=_preferred)
    chosen = _chosen(candidates, held[name])
    return Signature(
        activity=name,
        pairs=chosen,
        span_s=_span_s(chosen, held[name]),
        n_windows=len(held[name]),
    )


def _preferred(pair: PairRange) -> tuple[float, ...]:
    """Return what sorts pairs: the clearest first, then those with an answer."""
    margin = pair.elsewhere - pair.support
    return len(pair.also), margin, pair.second == (0, 0), -pair.first[0], pair.second[0]


def _chosen(
    candidates: Sequence[PairRange], mine: Sequence[Pairs]
) -> tuple[PairRange, ...]:
    """Choose pairs, the best first, that come together and share no packet."""
    chosen: list[PairRange] = []
    whole = np.ones(len(mine), dtype=bool)
    for pair in candidates[: 4 * _MOST_PAIRS]:
        ends = {each for other in chosen for each in (other.first, other.second)}
        if pair.first in ends or (pair.second != (0, 0) and pair.second in ends):
            continue
        there = np.array([pair.holds(window).any() for window in mine])
        if chosen and (whole & there).sum() < _TOGETHER * whole.sum():
            continue
        chosen.append(pair)
        whole &= there
        if len(chosen) == _MOST_PAIRS:
            break
    return tuple(chosen)


def _measured(pair: PairRange, name: str, held: dict[str, list[Pairs]]) -> PairRange:
    """Return the pair with what share of the windows of each activity holds it."""
    share = {
        activity: float(np.mean([pair.holds(window).any() for window in windows]))
        for activity, windows in held.items()
    }
    support = share.pop(name)
    also = tuple(a for a, each in share.items() if each > _RARELY * support)
    rest = [each for activity, each in share.items() if activity not in also]
    return replace(
        pair,
        support=support,
        also=also,
        also_share=tuple(share[a] for a in also),
        elsewhere=max(rest, default=0.0),
    )


def _clusters(
    windows: Sequence[Pairs],
) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Cluster the pairs of all windows; return the ranges of lengths of each.

    Pairs that go in other directions are never of one cluster.
    """
    from sklearn.cluster import DBSCAN

    if len(windows) < _FEWEST:
        return []
    points = np.concatenate([np.column_stack((w.first, w.second)) for w in windows])
    way = np.sign(points[:, 0]) * 3 + np.sign(points[:, 1])
    # half of the windows: lengths that vary lie apart, and `_OFTEN` is asked later
    least = max(2, len(windows) // 2)
    found = []
    for each in np.unique(way):
        lengths = points[way == each]
        if lengths.shape[0] < least:
            continue
        label = DBSCAN(eps=_EPS_B, min_samples=least).fit_predict(lengths)
        for number in range(label.max() + 1):
            inside = lengths[label == number]
            low, high = inside.min(axis=0).tolist(), inside.max(axis=0).tolist()
            exact = len(windows) >= _EXACT_AFTER
            found.append(
                (_widened(low[0], high[0], exact), _widened(low[1], high[1], exact))
            )
    return found


def _widened(low: int, high: int, exact: bool) -> tuple[int, int]:
    """Return a range with its margin; it never changes its sign.

    exact  whether one length alone is taken to be the only one
    """
    if low == high == 0 or (exact and low == high):
        return low, high
    if low > 0:
        return max(1, low - _MARGIN_B), high + _MARGIN_B
    return low - _MARGIN_B, min(-1, high + _MARGIN_B)


def _span_s(pairs: Sequence[PairRange], windows: Sequence[Pairs]) -> float:
    """Return how long all pairs take at most in training, with a margin."""
    spans = [0.0]
    for window in windows:
        held = [window.time_ns[pair.holds(window)] for pair in pairs]
        if held and all(times.size for times in held):
            spans.append(_shortest_ns(held) / 1e9)
    return max(spans) + _SPAN_MARGIN_S


def _shortest_ns(held: Sequence[Int64]) -> int:
    """Return the shortest stretch that holds one of each, for sorted times."""
    best = 1 << 62
    for start in np.concatenate(held).tolist():
        after = [np.searchsorted(times, start, side="left") for times in held]
        if all(at < times.size for at, times in zip(after, held, strict=True)):
            ends = [int(t[at]) for at, t in zip(after, held, strict=True)]
            best = min(best, max(ends) - start)
    return best


def _spoken(lengths: tuple[int, int]) -> str:
    low, high = sorted(abs(each) for each in lengths)
    arrow = ">" if lengths[0] > 0 else "<"
    return f"{arrow} {low} B" if low == high else f"{arrow} {low}-{high} B"
