"""Which window a packet lies in, and what to do about windows that overlap.

A label window of a device is [t, t + δ): half open, so that two windows may touch and
share no packet. It is widened by the uncertainty of t at both ends, so that the true
window is inside. Two windows of one device that overlap are refused unless asked
otherwise, for a packet in both has no one label; where only what they were widened by
overlaps, they meet in the middle. Only outcomes `confirmed` and `unchecked` make
labels.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analysis.dataset import ActivityLog
from analysis.errors import LabelError
from analysis.labelling.coverage import explain_outside, is_covered

Int64 = NDArray[np.int64]

IDLE = -1


class Overlap(StrEnum):
    """What to do when two windows of one device overlap."""

    REFUSE = "refuse"  # name both and stop
    CUT = "cut"  # the earlier ends where the later begins
    DROP = "drop"  # neither makes a label


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelWindows:
    """The label windows of one device, in order of time, disjoint.

    log          the rows of the activity log that they come from, one per window
    start_ns     (k,) int64
    end_ns       (k,) int64, exclusive
    n_cut        windows that were cut short by the next
    n_dropped    windows that were dropped because they overlap
    n_uncovered  windows that were left out because no capture covers them
    """

    log: ActivityLog
    start_ns: Int64
    end_ns: Int64
    n_cut: int = 0
    n_dropped: int = 0
    n_uncovered: int = 0

    def __len__(self) -> int:
        return self.start_ns.size

    def covered_by(self, covered_ns: Sequence[tuple[int, int]]) -> "LabelWindows":
        """Leave out the windows that lie wholly outside every capture, and count them.

        covered_ns  (first, last) stamp of each capture
        """
        inside = is_covered(self.start_ns, self.end_ns, covered_ns)
        return replace(
            self,
            log=ActivityLog(
                path=self.log.path, frame=self.log.frame.filter(pl.Series(inside))
            ),
            start_ns=self.start_ns[inside],
            end_ns=self.end_ns[inside],
            n_uncovered=self.n_uncovered + int((~inside).sum()),
        )


def label_windows(
    log: ActivityLog,
    device: str,
    *,
    overlap: Overlap = Overlap.REFUSE,
    widen: bool = True,
) -> LabelWindows:
    """Return the label windows of `device`.

    widen  let each begin t_uncertainty earlier and end as much later

    Raises LabelError when two windows overlap and `overlap` is REFUSE.
    """
    rows = log.labelled().of_device(device)
    start_ns, end_ns = spans(rows)
    order = np.argsort(start_ns, kind="stable")
    rows = ActivityLog(path=rows.path, frame=rows.frame[order])
    start_ns, end_ns = start_ns[order], end_ns[order]
    keep = end_ns > start_ns
    n_cut = 0
    # a long window may reach over several, so compare with the furthest end so far
    clash = start_ns[1:] < np.maximum.accumulate(end_ns)[:-1]
    if clash.any() and overlap is Overlap.REFUSE:
        second = int(np.argmax(clash)) + 1
        first = int(np.argmax(end_ns[:second] > start_ns[second]))
        raise LabelError(_clash(rows, device, first, second, end_ns, start_ns))
    if clash.any() and overlap is Overlap.CUT:
        n_cut = int((end_ns[:-1] > start_ns[1:]).sum())
        end_ns = np.append(np.minimum(end_ns[:-1], start_ns[1:]), end_ns[-1:])
        keep = end_ns > start_ns
    elif clash.any():
        keep &= ~_in_a_clash(start_ns, end_ns)
    kept = ActivityLog(path=rows.path, frame=rows.frame.filter(pl.Series(keep)))
    start_ns, end_ns = start_ns[keep], end_ns[keep]
    if widen:
        start_ns, end_ns = _widened(start_ns, end_ns, _slack_ns(kept))
    return LabelWindows(
        log=kept,
        start_ns=start_ns,
        end_ns=end_ns,
        n_cut=n_cut,
        n_dropped=int((~keep).sum()),
    )


def _in_a_clash(start_ns: Int64, end_ns: Int64) -> NDArray[np.bool_]:
    """Say of each window, in order of starts, whether it overlaps with another."""
    after = start_ns[1:] < np.maximum.accumulate(end_ns)[:-1]
    reach = np.minimum.accumulate(start_ns[::-1])[::-1][1:]
    before = reach < end_ns[:-1]
    clash: NDArray[np.bool_] = np.append(False, after) | np.append(before, False)
    return clash


def _widened(start_ns: Int64, end_ns: Int64, slack_ns: Int64) -> tuple[Int64, Int64]:
    """Widen disjoint windows; neighbours share what is between them."""
    early, late = start_ns - slack_ns, end_ns + slack_ns
    middle = (end_ns[:-1] + start_ns[1:]) // 2
    meet = late[:-1] > early[1:]
    early[1:] = np.where(meet, np.maximum(early[1:], middle), early[1:])
    late[:-1] = np.where(meet, np.minimum(late[:-1], middle), late[:-1])
    return early, late


def spans(rows: ActivityLog, *, widen: bool = False) -> tuple[Int64, Int64]:
    """Return start and end in ns, (k,) int64 each, of rows that all have a stamp."""
    start_ns = rows.frame["t_ns"].to_numpy().astype(np.int64)
    end_ns = start_ns + rows.frame["delta_ns"].to_numpy().astype(np.int64)
    if widen:
        slack_ns = _slack_ns(rows)
        start_ns, end_ns = start_ns - slack_ns, end_ns + slack_ns
    return start_ns, end_ns


def _slack_ns(rows: ActivityLog) -> Int64:
    return rows.frame["t_uncertainty_ns"].fill_null(0).to_numpy().astype(np.int64)


def refuse_outside(
    log: ActivityLog,
    covered_ns: Sequence[tuple[int, int]],
    names: Sequence[str],
    *,
    widen: bool = True,
) -> None:
    """Raise LabelError when there are labels, and no capture covers any of them.

    log         activities of all devices
    covered_ns  (first, last) stamp of each capture that holds packets
    names       what these captures are called
    """
    rows = log.labelled()
    if not len(rows):
        return
    if not covered_ns:
        raise LabelError(f"{log.path.parent}: the captures hold no packet to label")
    start_ns, end_ns = spans(rows, widen=widen)
    if is_covered(start_ns, end_ns, covered_ns).any():
        return
    first = rows.frame.row(int(np.argmin(start_ns)), named=True)
    raise LabelError(
        f"{log.path}: no activity lies in a capture: {first['activity']} "
        f"(line {first['line']}), "
        f"{explain_outside(start_ns, end_ns, covered_ns, names)}"
    )


def _clash(
    rows: ActivityLog,
    device: str,
    first: int,
    second: int,
    end_ns: Int64,
    start_ns: Int64,
) -> str:
    one, two = rows.frame.row(first, named=True), rows.frame.row(second, named=True)
    by_s = (int(end_ns[first]) - int(start_ns[second])) / 1e9
    return (
        f"{rows.path}: the windows of {device}: {one['activity']} (line {one['line']}, "
        f"trial {one['trial']}) and {two['activity']} (line {two['line']}, trial "
        f"{two['trial']}) overlap by {by_s:g} s; choose a smaller δ, a longer rest, or "
        "--overlap cut or drop"
    )


def label_packets(time_ns: Int64, start_ns: Int64, end_ns: Int64) -> NDArray[np.int32]:
    """Give each packet the window that holds it.

    time_ns   (n,) int64, any order
    start_ns  (k,) int64, increasing
    end_ns    (k,) int64, exclusive, not above the next start: see `LabelWindows`
    returns   (n,) int32, row of the window, or IDLE
    """
    if start_ns.size == 0:
        return np.full(time_ns.shape, IDLE, dtype=np.int32)
    row = np.searchsorted(start_ns, time_ns, side="right").astype(np.int32) - 1
    # row -1 looks at the last window, which every such packet comes before
    row[(time_ns >= end_ns[row]) | (row < 0)] = IDLE
    return row
