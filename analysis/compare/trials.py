"""What is measured of each trial, read in one pass over the packet table."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analysis.compare.hosts import Endpoints
from analysis.compare.idle import Idle
from analysis.compare.model import Bool, Float64, Int64, Text, Trials, Unit
from analysis.compare.prints import Said, events_of
from analysis.dataset import Times
from analysis.evaluate.samples import Recorded, days_of, windows_of
from analysis.labelling import Overlap
from analysis.packets import Retransmission, iter_columns, load_index
from analysis.packets.parquet import Numbers
from analysis.windows import IDLE_ACTIVITY, Windows

_WANTED = (
    "time_ns",
    "length_b",
    "outbound",
    "protocol",
    "remote",
    "src_port",
    "dst_port",
    "payload_b",
    "retransmission",
    "flow",
)
_AGAIN = (
    Retransmission.RETRANSMISSION,
    Retransmission.FAST,
    Retransmission.SPURIOUS,
)
_KEY = ("device", "activity")
_LONGEST_B = 1518  # frames that are longer, as a card puts them together, count as this
_IDLE = 100  # windows without an activity, drawn from all there is room for
_SHARES = (0.25, 0.5, 0.75, 1.0)
FIRST = 6  # frames with payload that are looked at one by one


def same_windows(
    both: tuple[Recorded, Recorded], matches: Sequence[tuple[str, str]]
) -> tuple[Recorded, Recorded]:
    """Return both with the shorter δ of each activity: longer windows hold more.

    matches  (device in A, that in B)
    """
    called = {two: one for one, two in matches}
    device = pl.col("device")
    as_in_a = device.replace_strict(called, default=None, return_dtype=pl.String)
    frames = [both[0].log.frame, both[1].log.frame.with_columns(device=as_in_a)]
    told = [f.select(*_KEY, "delta_ns").drop_nulls() for f in frames]
    in_both = told[0].select(_KEY).unique().join(told[1].select(_KEY).unique(), on=_KEY)
    least = pl.concat(told).group_by(_KEY).agg(pl.col("delta_ns").min().alias("least"))
    least = least.join(in_both, on=_KEY, how="semi")
    back = device.replace_strict(dict(matches), default=None, return_dtype=pl.String)
    of_b = least.with_columns(device=back)
    return _shortened(both[0], least), _shortened(both[1], of_b)


def _shortened(recorded: Recorded, least: pl.DataFrame) -> Recorded:
    frame = recorded.log.frame.join(least, on=_KEY, how="left", maintain_order="left")
    delta = pl.min_horizontal("delta_ns", "least")
    shown = pl.when(pl.col("delta_ns").is_null()).then(None).otherwise(delta)
    frame = frame.with_columns(shown.alias("delta_ns")).drop("least")
    return replace(recorded, log=replace(recorded.log, frame=frame))


def trials_of(
    recorded: Recorded,
    device: str,
    endpoints: Endpoints,
    by: Unit,
    said: Said | None = None,
) -> Trials:
    """Measure the windows of one device, idle ones too; memory is that of a piece.

    by    what is exchanged;  said  fingerprints of the device in the captures

    Raises LabelError when windows overlap, DatasetError without packet tables.
    """
    has_idle = (recorded.log.frame["activity"] == IDLE_ACTIVITY).any()
    n_idle = 0 if has_idle else _IDLE
    windows = windows_of(recorded, device, overlap=Overlap.CUT, n_idle=n_idle)
    unit = units_in(windows, by)
    seen = _Seen(windows, endpoints, unit)
    for piece, remotes in _pieces(recorded.folder, device):
        seen.take(piece, remotes)
    rows = _rows(recorded, windows)
    events = seen.idle.events()
    if len(windows):
        events |= events_of(said or {}, seen.idle.units_at)
    return Trials(
        device=device,
        stratum=_strata(windows),
        unit=unit,
        values=np.column_stack([*_timing(windows, seen, rows), *seen.amounts()]),
        hosts=seen.hosts(),
        lengths=seen.lengths,
        first=seen.first,
        events=events,
        elsewhere=frozenset(seen.all_hosts - set(seen.in_windows)),
    )


def unit_of(both: tuple[Recorded, Recorded]) -> Unit:
    """Return what is exchanged: days, where both know which sessions share one."""
    known = all(each.campaign.times is not Times.INVENTED for each in both)
    return Unit.DAY if known else Unit.SESSION


def units_in(windows: Windows, by: Unit) -> Text:
    """Return (k,) the day of each window, or its session.

    What one day is in two homes is two.
    """
    of = windows.session
    if by is Unit.DAY:
        of = days_of(windows.session, windows.start_ns)
    homes = set(windows.home.tolist())
    if len(homes) < 2:
        return of
    pairs = zip(windows.home.tolist(), of.tolist(), strict=True)
    return np.array([f"{home}: {name}" for home, name in pairs], dtype=np.str_)


def _pieces(folder: Path, device: str) -> Iterator[tuple[Mapping[str, Any], list[str]]]:
    numbers = Numbers(load_index(folder))
    for piece in iter_columns(folder, device, _WANTED, numbers=numbers):
        yield piece, numbers.remotes


class _Seen:
    """What windows held, summed up piece by piece."""

    def __init__(self, windows: Windows, endpoints: Endpoints, unit: Text) -> None:
        k = len(windows)
        self._windows, self._endpoints = windows, endpoints
        self._counts = np.zeros((k, 5))  # packets and bytes out and in; sent again
        self.lengths = np.zeros((2, k, _LONGEST_B + 1), np.int32)
        self.first = np.full((k, FIRST), np.nan)
        self._n_first = np.zeros(k, np.int64)
        self._unused = (windows.activity == IDLE_ACTIVITY) & (windows.trial == "")
        self.idle = Idle(windows, unit, ~self._unused)
        self.first_ns = np.full(k, np.iinfo(np.int64).max)
        self.last_ns = np.full(k, np.iinfo(np.int64).min)
        self.in_windows: dict[str, Bool] = {}
        self.all_hosts: set[str] = set()

    def take(self, piece: Mapping[str, Any], remotes: list[str]) -> None:
        """Take packets in order of time."""
        stamps = piece["time_ns"]
        window = np.searchsorted(self._windows.start_ns, stamps, side="right") - 1
        inside = window >= 0
        if len(self._windows):
            inside &= stamps < self._windows.end_ns[np.maximum(window, 0)]
        else:
            inside[:] = False
        self._note_hosts(piece, remotes, window, inside)
        said = (piece["payload_b"] > 0) & ~np.isin(piece["retransmission"], _AGAIN)
        unused = ~inside
        unused[inside] = self._unused[window[inside]]
        told = {name: column[said] for name, column in piece.items()}
        self.idle.take(told, unused[said])
        self._note_first(piece, window, inside & said)
        window = window[inside]
        np.minimum.at(self.first_ns, window, stamps[inside])
        np.maximum.at(self.last_ns, window, stamps[inside])
        self._add(window, {name: column[inside] for name, column in piece.items()})

    def _add(self, window: Int64, piece: Mapping[str, Any]) -> None:
        again = np.isin(piece["retransmission"], _AGAIN)
        length = piece["length_b"].astype(np.float64)
        k = len(self._windows)
        for column, chosen in ((0, piece["outbound"]), (1, ~piece["outbound"])):
            rows = chosen & ~again
            self._counts[:, column] += np.bincount(window[rows], minlength=k)
            sums = np.bincount(window[rows], weights=length[rows], minlength=k)
            self._counts[:, 2 + column] += sums
            full = rows & (piece["payload_b"] > 0)
            bins = np.minimum(piece["length_b"][full], _LONGEST_B).astype(np.int64)
            np.add.at(self.lengths[column], (window[full], bins), 1)
        self._counts[:, 4] += np.bincount(window[again], minlength=k)

    def _note_first(self, piece: Mapping[str, Any], window: Int64, rows: Bool) -> None:
        """Keep the first frames of each window, those in negative."""
        held = window[rows]
        length = np.minimum(piece["length_b"][rows], _LONGEST_B).astype(np.float64)
        signed = np.where(piece["outbound"][rows], length, -length)
        _names, first, n = np.unique(held, return_index=True, return_counts=True)
        place = np.arange(held.size) - np.repeat(first, n) + self._n_first[held]
        early = place < FIRST
        self.first[held[early], place[early]] = signed[early]
        self._n_first += np.bincount(held, minlength=self._n_first.size)

    def _note_hosts(
        self, piece: Mapping[str, Any], remotes: list[str], window: Int64, inside: Bool
    ) -> None:
        port = np.minimum(piece["src_port"], piece["dst_port"]).astype(np.int64)
        place = np.where(inside, window, -1)
        keys = np.column_stack((piece["remote"], piece["protocol"], port, place))
        for remote, protocol, at, row in np.unique(keys, axis=0).tolist():
            if remote < 0:
                continue
            host = self._endpoints.name(remotes[remote], protocol, at)
            self.all_hosts.add(host)
            if row >= 0:
                k = len(self._windows)
                marks = self.in_windows.setdefault(host, np.zeros(k, dtype=np.bool_))
                marks[row] = True

    def amounts(self) -> list[Float64]:
        """Return columns of sizes, as in `MEASURES`."""
        sums = [self._counts[:, column] for column in range(5)]
        return sums + [c for way in self.lengths for c in _quantiles(way)]

    def hosts(self) -> dict[str, Bool]:
        """Return hosts of windows, by name."""
        return dict(sorted(self.in_windows.items()))


def _quantiles(counts: NDArray[np.int32]) -> list[Float64]:
    """Return columns of `_SHARES` of the lengths of frames; NaN where there is none.

    counts  (k, lengths) frames of each length
    """
    k = len(counts)
    out = np.full((k, len(_SHARES)), np.nan)
    for row in range(k):
        below = np.cumsum(counts[row])
        if below[-1]:
            out[row] = np.searchsorted(below, np.array(_SHARES) * below[-1], "left")
    return list(out.T)


def _rows(recorded: Recorded, windows: Windows) -> pl.DataFrame:
    """Return the rows of the log that the windows are of, in their order."""
    frame = recorded.log.of_device(windows.device).labelled().frame
    frame = frame.with_columns(
        since_ns=pl.col("t_ns").diff().over("session", "home"),
    )
    keys = pl.DataFrame(
        {
            "session": windows.session.tolist(),
            "home": windows.home.tolist(),
            "trial": windows.trial.tolist(),
            "attempt": windows.attempt,
        },
        schema={"session": str, "home": str, "trial": str, "attempt": int},
    )
    on = ["session", "home", "trial", "attempt"]
    first = frame.unique(subset=on, keep="first", maintain_order=True)
    return keys.join(first, on=on, how="left", maintain_order="left")


def _timing(windows: Windows, seen: _Seen, rows: pl.DataFrame) -> list[Float64]:
    """Return columns of timing, as in `MEASURES`."""
    t_ns = rows["t_ns"].fill_null(0).to_numpy()
    t_ns = np.where(rows["t_ns"].is_null().to_numpy(), windows.start_ns, t_ns)
    none = seen.first_ns > seen.last_ns
    first = np.where(none, t_ns, seen.first_ns)
    span = np.where(none, 0, seen.last_ns - first)
    took = (rows["t_return_ns"] - rows["t_issue_ns"]).cast(pl.Float64)
    return [
        np.where(none, np.inf, (first - t_ns) / 1e9),
        span / 1e9,
        _seconds(rows["since_ns"].cast(pl.Float64)),
        _seconds(took),
    ]


def _seconds(column: pl.Series) -> Float64:
    return np.asarray(column.fill_null(float("nan")).to_numpy() / 1e9, dtype=np.float64)


def _strata(windows: Windows) -> Text:
    names = [
        " ".join((a, f"by {c}" if c else "", f"over {n}" if n else "")).strip()
        for a, c, n in zip(
            windows.activity, windows.channel, windows.network, strict=True
        )
    ]
    return np.array([" ".join(name.split()) for name in names], dtype=np.str_)
