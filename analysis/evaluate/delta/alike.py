"""Label windows that are all equally long, so that their length tells no label.

The longest δ of a device may be longer than the time between two of its acts. Where few
acts follow each other far sooner than the others do, as after a slip, these are left
out rather than all windows cut down to them.
"""

from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from analysis.evaluate.samples import Recorded
from analysis.features.model import Int64

# the outcome of an act that makes no label because another follows it too soon
TOO_CLOSE = "too_close"

_FEW = 20  # at most one of so many gaps, rounded up, may be called too short
_FROM_GAPS = 10  # of fewer nobody can say which are usual
_SHORT = 0.5  # of the shortest usual gap


def alike(recorded: Recorded, device: str, window_s: float) -> Recorded:
    """Return a campaign in which all windows of a device are equally long.

    window_s  δ of every attempt; 0 for the longest of the device, or as much of it as
              fits between its labelled acts. Then acts that follow each other far
              sooner than others make no label; see `n_too_close`
    """
    if window_s:
        return _cut_to(recorded, device, round(window_s * 1e9))
    longest_ns = _spacing(recorded, device).longest_ns
    return _cut_to(_apart(recorded, device, longest_ns), device, longest_ns)


def alike_both(
    both: tuple[Recorded, Recorded], names: tuple[str, str], window_s: float
) -> tuple[Recorded, Recorded]:
    """Return two campaigns in which all windows of a device are equally long.

    names  of the device, in each of them
    """
    held = list(zip(both, names, strict=True))
    if window_s:
        one, other = (alike(each, device, window_s) for each, device in held)
        return one, other
    longest_ns = min(_spacing(each, device).longest_ns for each, device in held)
    one, other = (
        _cut_to(_apart(each, device, longest_ns), device, longest_ns)
        for each, device in held
    )
    return one, other


def n_too_close(recorded: Recorded, device: str) -> int:
    """Return how many acts of a device were left out by `alike`."""
    frame = recorded.log.of_device(device).frame
    return int((frame["outcome"] == TOO_CLOSE).sum())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Spacing:
    """How labelled acts of a device follow each other.

    longest_ns  what windows may have;  line  (k,) line in the log, in order of time
    gap_ns      (k - 1,) to the next act;  short  (k - 1,) bool, far below the usual
    """

    longest_ns: int
    line: Int64
    gap_ns: Int64
    short: np.ndarray


def _spacing(recorded: Recorded, device: str) -> _Spacing:
    rows = recorded.log.of_device(device).labelled().frame
    rows = rows.filter(pl.col("t_ns").is_not_null() & pl.col("delta_ns").is_not_null())
    gap_ns = np.diff(rows["t_ns"].to_numpy().astype(np.int64))
    usual_ns = 0.0
    if gap_ns.size >= _FROM_GAPS:
        usual_ns = float(np.sort(gap_ns)[-(-gap_ns.size // _FEW)])
    short = gap_ns < _SHORT * usual_ns
    # two acts at once leave no window at all: --overlap says what becomes of them
    room = gap_ns[~short & (gap_ns > 0)].tolist()
    return _Spacing(
        longest_ns=min([max(rows["delta_ns"].to_list(), default=0), *room]),
        line=rows["line"].to_numpy().astype(np.int64),
        gap_ns=gap_ns,
        short=short,
    )


def _apart(recorded: Recorded, device: str, length_ns: int) -> Recorded:
    """Take the label from acts that are too close for windows of that length.

    Both of a pair: the one holds the other's traffic, the other its rest. They stay in
    the log, as idle windows keep away from every act.
    """
    spacing = _spacing(recorded, device)
    first = np.flatnonzero(spacing.short & (spacing.gap_ns < length_ns))
    lines = spacing.line[np.union1d(first, first + 1)].tolist()
    if not lines:
        return recorded
    frame = recorded.log.frame
    outcome = (
        pl.when(pl.col("line").is_in(lines))
        .then(pl.lit(TOO_CLOSE))
        .otherwise(pl.col("outcome"))
        .alias("outcome")
    )
    return replace(
        recorded, log=replace(recorded.log, frame=frame.with_columns(outcome))
    )


def _cut_to(recorded: Recorded, device: str, delta_ns: int) -> Recorded:
    frame = recorded.log.frame
    mine = (pl.col("device") == device) & pl.col("delta_ns").is_not_null()
    column = pl.when(mine).then(pl.lit(delta_ns)).otherwise(pl.col("delta_ns"))
    column = column.cast(frame["delta_ns"].dtype).alias("delta_ns")
    log = replace(recorded.log, frame=frame.with_columns(column))
    return replace(recorded, log=log)
