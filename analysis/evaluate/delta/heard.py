"""δ of every activity of a device, learnt from some of its trials and from no other.

heard = listen(table, acts)            once per device
found = heard.estimates(learn)         once per training fold
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analysis.dataset import LABELLED, ActivityLog
from analysis.evaluate.delta.estimate import DeltaEstimate, estimate_delta
from analysis.evaluate.delta.responses import STEP_S, Float64, Int64, traffic_at
from analysis.labelling import spans
from analysis.packets import PacketTable
from analysis.windows import free_stretches

LONGEST_S = 60.0  # runs are followed for no longer
# Of the time to the next act. Before it the next trial begins: an app is opened, a
# screen is looked for, and the device may talk. Half of it, as is usual where triggers
# come at a beat, would cut what fills its slot: 33 s of video in 48 s.
GAP_SHARE = 0.8
_SOONEST = 0.25  # of the runs, those that the next act follows soonest, are not learnt
# One of so many runs, rounded up, may be followed so soon that it does not shorten δ:
# a slip, not a habit. Of fewer than `_FROM_RUNS` nobody can say which is the slip.
_SLIPS = 20
_FROM_RUNS = 10
_PIECE_S = 5.0
_MARGIN_NS = 20 * 10**9  # after a label window, until silence is believed
_NEAR_NS = 2 * 10**9  # the same, where that leaves too little
_ENOUGH = 24  # pieces of silence
_MOST = 3_000  # of them: four hours say what silence is like


@dataclass(frozen=True, slots=True, kw_only=True)
class Pieces:
    """Where nothing was done.

    at_ns  (n,) int64, starts;  act  (n,) row of the act each counts to: the one before
           it in the same capture, else the one after it
    """

    at_ns: Int64
    act: Int64


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """Runs of one activity, and how far they can be followed.

    rows   (n,) int64, rows of the log
    cap_s  what δ may be at most, so that windows do not meet the next act
    """

    rows: Int64
    length_s: float
    cap_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """All that is needed to learn δ of a device, in any fold.

    acts      its rows of the log that have a stamp and an effect to look for
    labelled  (n,) bool, rows of `acts` that have a label
    gaps_s    (n,) float64, from each act to the next one, or to the end of its capture
    silence   pieces far from any act, and pieces nearer to them
    gap_share  see `listen`
    """

    table: PacketTable
    acts: ActivityLog
    labelled: NDArray[np.bool_]
    gaps_s: Float64
    silence: tuple[Pieces, Pieces]
    gap_share: float

    @property
    def device(self) -> str:
        """Whose δ it is."""
        return self.table.device

    def estimates(
        self, learn: NDArray[np.bool_] | None = None, *, seed: int = 0
    ) -> Mapping[str, DeltaEstimate]:
        """Return δ by activity; those without an answer, or with few runs, have none.

        learn  (rows of acts,) bool, those that may be learnt from; by default all.
               Silence counts to an act next to it.
        """
        idle = traffic_at(self.table, self.idle_ns(learn), _PIECE_S)
        at_ns = self.acts.frame["t_ns"].to_numpy().astype(np.int64)
        session = self.acts.frame["session"].to_numpy().astype(np.str_)
        found = {}
        for activity, runs in self.followed(learn).items():
            estimate = estimate_delta(
                activity,
                traffic_at(self.table, at_ns[runs.rows], runs.length_s),
                session[runs.rows],
                idle,
                cap_s=runs.cap_s,
                seed=seed,
            )
            if estimate is not None:
                found[activity] = estimate
        return found

    def followed(
        self, learn: NDArray[np.bool_] | None = None
    ) -> Mapping[str, Followed]:
        """Return the runs of each activity; see `estimates` for `learn`.

        How long they are followed, and what δ may be at most, is of these rows alone. A
        row that one of the other side follows is a run where it is long enough, and
        says nothing of either.
        """
        may = self._may(learn)
        activity = self.acts.frame["activity"].to_numpy().astype(np.str_)
        says = may & ~np.append((self.labelled & ~may)[1:], False)
        found = {}
        for name in np.unique(activity[may & self.labelled]).tolist():
            mine = may & self.labelled & (activity == name)
            gaps_s = self.gaps_s[mine & says]
            if not gaps_s.size:
                continue
            length_s = _followed_s(gaps_s) * self.gap_share
            if length_s < STEP_S:
                continue
            found[name] = Followed(
                rows=np.flatnonzero(mine & (self.gaps_s >= length_s)),
                length_s=length_s,
                cap_s=round(_soonest_s(gaps_s) * self.gap_share, 3),
            )
        return found

    def n_labelled(self) -> Mapping[str, int]:
        """Return activity -> acts that have a label."""
        names = self.acts.frame["activity"].to_numpy().astype(np.str_)
        found, count = np.unique(names[self.labelled], return_counts=True)
        return dict(zip(found.tolist(), count.tolist(), strict=True))

    def idle_ns(self, learn: NDArray[np.bool_] | None = None) -> Int64:
        """Return (n,) starts of pieces of silence, evenly some where there are many."""
        may = self._may(learn)
        at_ns = np.zeros(0, dtype=np.int64)
        for pieces in self.silence:
            at_ns = pieces.at_ns[may[pieces.act]] if may.size else pieces.at_ns
            if at_ns.size >= _ENOUGH:
                break
        n = at_ns.size
        return at_ns[np.unique(np.linspace(0, n - 1, min(n, _MOST)).astype(np.int64))]

    def _may(self, learn: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
        return np.ones(len(self.acts), dtype=np.bool_) if learn is None else learn


def listen(
    table: PacketTable, log: ActivityLog, *, gap_share: float = GAP_SHARE
) -> Heard:
    """Prepare what δ of a device is learnt from.

    table      its cleaned packets;  log  of the campaign, attempts of every outcome
    gap_share  δ is at most so much of the time from an activity to the device's next
               act, that of a few slips apart
    """
    acts = _acted(log.of_device(table.device))
    start_ns, end_ns = spans(acts, widen=True)
    at_ns = acts.frame["t_ns"].to_numpy().astype(np.int64)
    far, near = (
        _silence(table, start_ns, end_ns + margin) for margin in (_MARGIN_NS, _NEAR_NS)
    )
    return Heard(
        table=table,
        acts=acts,
        labelled=acts.frame["outcome"].is_in(LABELLED).to_numpy(),
        gaps_s=_gaps_s(table, at_ns),
        silence=(far, near),
        gap_share=gap_share,
    )


def _acted(log: ActivityLog) -> ActivityLog:
    given = pl.col("t_ns").is_not_null() & pl.col("delta_ns").is_not_null()
    return ActivityLog(path=log.path, frame=log.frame.filter(given))


def _gaps_s(table: PacketTable, at_ns: Int64) -> Float64:
    """Return seconds from each act to the next, or to the end of its capture."""
    last_ns = max((last for _first, last in table.covered_ns), default=2**62)
    following = np.append(at_ns[1:], last_ns)
    for first, last in table.covered_ns:
        inside = (at_ns >= first) & (at_ns <= last)
        following[inside] = np.minimum(following[inside], last)
    return np.asarray(np.maximum(following - at_ns, 0) / 1e9, dtype=np.float64)


def _followed_s(gaps_s: Float64) -> float:
    """Return how long runs are followed: those with a shorter gap are left out."""
    return min(LONGEST_S, float(np.quantile(gaps_s, _SOONEST, method="lower")))


def _soonest_s(gaps_s: Float64) -> float:
    """Return the shortest gap, that of a few slips apart."""
    slips = -(-gaps_s.size // _SLIPS) if gaps_s.size >= _FROM_RUNS else 0
    return float(np.sort(gaps_s)[slips])


def _silence(table: PacketTable, start_ns: Int64, end_ns: Int64) -> Pieces:
    """Return all pieces of silence between what was done."""
    busy = zip(start_ns.tolist(), end_ns.tolist(), strict=True)
    at_ns = _pieces_in(free_stretches(table.covered_ns, busy))
    before = np.searchsorted(start_ns, at_ns, side="right") - 1
    after = np.minimum(before + 1, max(0, start_ns.size - 1))
    act = np.maximum(before, 0)
    for first, last in table.covered_ns if start_ns.size else ():
        here = (at_ns >= first) & (at_ns <= last)
        # at the beginning of a capture: the act before was in another one
        alone = here & ((before < 0) | (start_ns[act] < first))
        nearer = alone & (start_ns[after] <= last)
        act = np.where(nearer, after, act)
    return Pieces(at_ns=at_ns, act=act.astype(np.int64))


def _pieces_in(free_ns: list[tuple[int, int]]) -> Int64:
    """Return where whole pieces of stretches begin."""
    length_ns = round(_PIECE_S * 1e9)
    held = [
        start + length_ns * np.arange((end - start) // length_ns, dtype=np.int64)
        for start, end in free_ns
    ]
    return np.concatenate([np.zeros(0, dtype=np.int64), *held])
