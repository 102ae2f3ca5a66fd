"""How long a device goes on talking after its label windows.

What is still said belongs to no window, and would fall into the next one if the next
stimulus came too soon. Per second after each window the bytes are compared with those
of quiet seconds of the same device; the talk is over when `QUIET_S` quiet seconds have
followed each other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analysis.dataset import ActivityLog, load_activities, load_campaign
from analysis.labelling import spans
from analysis.packets import PacketTable, clean, load_packets
from analysis.windows import free_stretches

Int64 = NDArray[np.int64]

HORIZON_S = 30  # talk that goes on for longer is no echo of the activity
QUIET_S = 3
MIN_IDLE_S = 60  # fewer quiet seconds say nothing of what is usual
_USUAL = 99.0  # percentile of quiet seconds that a second must exceed to be talk
_COVER = 95.0  # percentile of the tails that the suggestion covers
_S = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class Settle:
    """What one device needs after a window, and the evidence.

    settle_s   suggestion: whole seconds that cover 95 % of the tails; None where there
               are too few quiet seconds to compare with
    n          windows that were followed for long enough to tell
    n_cut      windows after which the next act came while it still talked
    p50_s, p95_s, max_s  how long it went on, of the n
    quiet_b    bytes in a second above which it talks
    n_idle_s   quiet seconds that this is taken from
    longest    the activity with the longest tail
    """

    device: str
    settle_s: int | None
    n: int
    n_cut: int
    p50_s: float
    p95_s: float
    max_s: float
    quiet_b: int
    n_idle_s: int
    longest: str


def learn_settle(folder: Path) -> tuple[Settle, ...]:
    """Return what each device of a campaign needs; packet tables must be there."""
    log, found = load_activities(folder), []
    for device in load_campaign(folder).devices:
        table = clean(load_packets(folder, device.name)).table
        found.append(settle_of(table, log.of_device(device.name)))
    return tuple(found)


def settle_of(table: PacketTable, log: ActivityLog) -> Settle:
    """Return what one device needs.

    log  its activities, of every outcome: each of them may make it talk
    """
    acted = _acted(log)
    starts, ends = spans(acted, widen=True)
    busy = [(s, e + HORIZON_S * _S) for s, e in zip(starts, ends, strict=True)]
    idle_b = _bytes_of(table, free_stretches(table.covered_ns, busy))
    quiet_b = int(np.percentile(idle_b, _USUAL)) if len(idle_b) else 0
    tails, cut, names = [], 0, []
    for row, tail in enumerate(_tails(table, starts, ends, quiet_b)):
        if tail is None:
            cut += 1
        else:
            tails.append(tail)
            names.append(acted.frame["activity"][row])
    known = len(idle_b) >= MIN_IDLE_S and bool(tails)
    p95_s = _percentile(tails, _COVER)
    return Settle(
        device=table.device,
        settle_s=int(np.ceil(p95_s)) if known else None,
        n=len(tails),
        n_cut=cut,
        p50_s=_percentile(tails, 50.0),
        p95_s=p95_s,
        max_s=_percentile(tails, 100.0),
        quiet_b=quiet_b,
        n_idle_s=len(idle_b),
        longest=names[int(np.argmax(tails))] if tails else "",
    )


def _acted(log: ActivityLog) -> ActivityLog:
    given = pl.col("t_ns").is_not_null() & pl.col("delta_ns").is_not_null()
    return ActivityLog(path=log.path, frame=log.frame.filter(given))


def _bytes_of(table: PacketTable, stretches: Sequence[tuple[int, int]]) -> Int64:
    """Return the bytes in each whole second of some stretches."""
    found = [_per_second(table, start, (end - start) // _S) for start, end in stretches]
    return np.concatenate(found) if found else np.zeros(0, dtype=np.int64)


def _per_second(table: PacketTable, start_ns: int, n: int) -> Int64:
    edges = start_ns + np.arange(n + 1, dtype=np.int64) * _S
    first, last = np.searchsorted(table.time_ns, edges[[0, -1]], side="left")
    second = (table.time_ns[first:last] - start_ns) // _S
    sizes = table.length_b[first:last].astype(np.float64)
    return np.bincount(second, weights=sizes, minlength=n).astype(np.int64)


def _tails(
    table: PacketTable, starts: Int64, ends: Int64, quiet_b: int
) -> list[float | None]:
    """Return how long it talks after each window; None when that was cut off."""
    last_ns = max((last for _, last in table.covered_ns), default=0)
    until = np.minimum(np.append(starts[1:], last_ns), ends + HORIZON_S * _S)
    found: list[float | None] = []
    for end, stop in zip(ends.tolist(), until.tolist(), strict=True):
        n = max(0, (stop - end) // _S)
        loud = _per_second(table, end, n) > quiet_b if n else np.zeros(0, dtype=bool)
        found.append(_tail(loud))
    return found


def _tail(loud: NDArray[np.bool_]) -> float | None:
    """Return the seconds up to the first `QUIET_S` quiet ones, None without them."""
    quiet = 0
    for second, is_loud in enumerate(loud.tolist()):
        quiet = 0 if is_loud else quiet + 1
        if quiet == QUIET_S:
            return float(second + 1 - QUIET_S)
    return None


def _percentile(values: Sequence[float], percent: float) -> float:
    return float(np.percentile(values, percent)) if values else 0.0
