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
from analysis.evaluate.delta import DeltaEstimate, estimate_delta
from analysis.evaluate.responses import (
    STEP_S,
    Int64,
    Traffic,
    traffic_at,
)
from analysis.labelling import spans
from analysis.packets import PacketTable
from analysis.windows import free_stretches

LONGEST_S = 60.0  # runs are followed for no longer
# Of the time to the next act. Before it the next trial begins: an app is opened, a
# screen is looked for, and the device may talk. Half of it, as is usual where triggers
# come at a beat, would cut what fills its slot: 33 s of video in 48 s.
GAP_SHARE = 0.8
_SOONEST = 0.25  # of the runs, those that the next act follows soonest, are not learnt
_PIECE_S = 5.0
_MARGIN_NS = 20 * 10**9  # after a label window, until silence is believed
_NEAR_NS = 2 * 10**9  # the same, where that leaves too little
_ENOUGH = 24  # pieces of silence
_MOST = 3_000  # of them: four hours say what silence is like


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """All that is needed to learn δ of a device, in any fold.

    acts      its rows of the log that have a stamp and an effect to look for
    runs      activity -> traffic from each of its triggers;  rows  of `acts`
    cap_s     activity -> what δ may be at most, so that no window meets the next act
    idle      pieces in which nothing was done;  idle_row  of `acts`, the act before
    """

    device: str
    acts: ActivityLog
    runs: Mapping[str, Traffic]
    rows: Mapping[str, Int64]
    cap_s: Mapping[str, float]
    idle: Traffic
    idle_row: Int64

    def estimates(
        self, learn: NDArray[np.bool_] | None = None, *, seed: int = 0
    ) -> Mapping[str, DeltaEstimate]:
        """Return δ by activity; those without an answer, or with few runs, have none.

        learn  (rows of acts,) bool, those that may be learnt from; by default all.
               Silence counts to the act before it.
        """
        n = len(self.acts)
        may = np.ones(n, dtype=np.bool_) if learn is None else learn
        idle = self.idle.take(may[self.idle_row]) if n else self.idle
        session = self.acts.frame["session"].to_numpy().astype(np.str_)
        found = {}
        for activity, runs in self.runs.items():
            rows = self.rows[activity]
            kept = may[rows]
            estimate = estimate_delta(
                activity,
                runs.take(kept),
                session[rows[kept]],
                idle,
                cap_s=self.cap_s[activity],
                seed=seed,
            )
            if estimate is not None:
                found[activity] = estimate
        return found


def listen(
    table: PacketTable, log: ActivityLog, *, gap_share: float = GAP_SHARE
) -> Heard:
    """Count what a device says after each act, and in silence.

    table      its cleaned packets;  log  of the campaign, attempts of every outcome
    gap_share  δ is at most so much of the shortest time from an activity to the
               device's next act
    """
    acts = _acted(log.of_device(table.device))
    start_ns, end_ns = spans(acts, widen=True)
    at_ns = acts.frame["t_ns"].to_numpy().astype(np.int64)
    gaps_s = _gaps_s(table, at_ns)
    activity = acts.frame["activity"].to_numpy().astype(np.str_)
    labelled = acts.frame["outcome"].is_in(LABELLED).to_numpy()
    runs, rows, cap_s = {}, {}, {}
    for name in np.unique(activity[labelled]).tolist():
        mine = np.flatnonzero(labelled & (activity == name))
        length_s = _followed_s(gaps_s[mine]) * gap_share
        if length_s < STEP_S:
            continue
        cap_s[name] = round(float(gaps_s[mine].min()) * gap_share, 3)
        rows[name] = mine[gaps_s[mine] >= length_s]
        runs[name] = traffic_at(table, at_ns[rows[name]], length_s)
    idle, idle_row = _silence(table, start_ns, end_ns)
    return Heard(
        device=table.device,
        acts=acts,
        runs=runs,
        rows=rows,
        cap_s=cap_s,
        idle=idle,
        idle_row=idle_row,
    )


def _acted(log: ActivityLog) -> ActivityLog:
    given = pl.col("t_ns").is_not_null() & pl.col("delta_ns").is_not_null()
    return ActivityLog(path=log.path, frame=log.frame.filter(given))


def _gaps_s(table: PacketTable, at_ns: Int64) -> NDArray[np.float64]:
    """Return seconds from each act to the next, or to the end of its capture."""
    last_ns = max((last for _first, last in table.covered_ns), default=2**62)
    following = np.append(at_ns[1:], last_ns)
    for first, last in table.covered_ns:
        inside = (at_ns >= first) & (at_ns <= last)
        following[inside] = np.minimum(following[inside], last)
    return np.maximum(following - at_ns, 0) / 1e9


def _followed_s(gaps_s: NDArray[np.float64]) -> float:
    """Return how long runs are followed: those with a shorter gap are left out."""
    return min(LONGEST_S, float(np.quantile(gaps_s, _SOONEST, method="lower")))


def _silence(
    table: PacketTable, start_ns: Int64, end_ns: Int64
) -> tuple[Traffic, Int64]:
    """Return pieces of silence, and the act before each (the first where none is)."""
    at_ns = np.zeros(0, dtype=np.int64)
    for margin_ns in (_MARGIN_NS, _NEAR_NS):
        busy = zip(start_ns.tolist(), (end_ns + margin_ns).tolist(), strict=True)
        at_ns = _pieces_in(free_stretches(table.covered_ns, busy))
        if at_ns.size >= _ENOUGH:
            break
    row = np.searchsorted(start_ns, at_ns, side="right") - 1
    return traffic_at(table, at_ns, _PIECE_S), np.maximum(row, 0).astype(np.int64)


def _pieces_in(free_ns: list[tuple[int, int]]) -> Int64:
    """Return where whole pieces of stretches begin, evenly some of them when many."""
    length_ns = round(_PIECE_S * 1e9)
    held = [(end - start) // length_ns for start, end in free_ns]
    total = sum(held)
    chosen = np.unique(np.linspace(0, total - 1, min(total, _MOST)).astype(np.int64))
    before = np.cumsum([0, *held[:-1]]) if held else np.zeros(0, dtype=np.int64)
    stretch = np.searchsorted(before, chosen, side="right") - 1
    starts = np.array([start for start, _end in free_ns], dtype=np.int64)
    found: Int64 = starts[stretch] + (chosen - before[stretch]) * length_ns
    return found
