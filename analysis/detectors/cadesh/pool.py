"""Features over a pool of identical devices: what the other homes have seen, and when.

A home shares one row for each key and hour: how many flows, and sums of the logarithms
of bytes and durations. A row counts from the end of its hour on, so that nothing of the
future is looked at; a home's own rows are never among those it is compared with.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.detectors.cadesh.flows import (
    HOUR_NS,
    Float64,
    Int64,
    logs,
)
from analysis.detectors.cadesh.keys import KINDS, Keys
from analysis.flows import FlowRecords

WEEK_H, DAY_H = 168, 24
_FEW, _ENOUGH, _MANY = 2, 3, 6
_SPREAD = 0.5  # least standard deviation of logarithms: devices differ
_AGE_H = 24 * 60.0

NAMES = (
    *(f"{kind}_{what}" for kind in KINDS for what in ("week", "day", "age")),
    *("server_bytes_z", "server_duration_z", "server_rate"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """What one home shares of one kind of key, by key and hour.

    keys   (k,) distinct keys, sorted;  begin  (k + 1,) where the rows of each begin
    hour   (r,) hours since 1970
    sums   (r, 4) running sums within the key: flows, log bytes, their squares,
           log durations
    """

    keys: Int64
    begin: Int64
    hour: Int64
    sums: Float64


Tables = Mapping[str, Table]  # by kind of key


def support(n_others: int) -> int:
    """Return how many other homes must have shown something before it counts.

    Two, so that one home that was taken over makes nothing known; three where there
    are six others or more, so that two do not.
    """
    return _ENOUGH if n_others >= _MANY else _FEW


def tables_of(flows: FlowRecords, keys: Keys) -> Tables:
    """Return what a home shares."""
    hour = flows.start_ns // HOUR_NS
    size = logs(flows.bytes_out + flows.bytes_in)
    lasts = logs(flows.duration_s)
    values = np.column_stack((np.ones(len(size)), size, size**2, lasts))
    return {kind: _table(getattr(keys, kind), hour, values) for kind in KINDS}


def _table(key: Int64, hour: Int64, values: Float64) -> Table:
    order = np.lexsort((hour, key))
    key, hour, values = key[order], hour[order], values[order]
    new_key = np.append(True, key[1:] != key[:-1])[: len(key)]
    new_row = new_key.copy()
    new_row[1:] |= hour[1:] != hour[:-1]
    rows = np.flatnonzero(new_row)
    if not len(rows):
        none = np.zeros(0, dtype=np.int64)
        return Table(
            keys=none,
            begin=np.zeros(1, dtype=np.int64),
            hour=none,
            sums=np.zeros((0, values.shape[1])),
        )
    total = np.add.reduceat(values, rows).cumsum(axis=0)
    first = np.flatnonzero(new_key[rows])
    before = np.vstack((np.zeros(values.shape[1]), total))[first]
    length = np.diff(np.append(first, len(rows)))
    return Table(
        keys=key[rows][first],
        begin=np.append(first, len(rows)),
        hour=hour[rows],
        sums=total - np.repeat(before, length, axis=0),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What one home says of each asked (key, hour): hours of first and last, sums."""

    known: np.ndarray
    first: Int64
    last: Int64
    sums: Float64
    sums_day: Float64


def _asked(table: Table, key: Int64, hour: Int64) -> _Seen:
    n = len(key)
    if not len(table.keys):
        zero = np.zeros(n, dtype=np.int64)
        none = np.zeros((n, 4))
        return _Seen(
            known=np.zeros(n, dtype=np.bool_),
            first=zero,
            last=zero,
            sums=none,
            sums_day=none,
        )
    at = np.searchsorted(table.keys, key).clip(max=len(table.keys) - 1)
    begin, match = table.begin[at], table.keys[at] == key
    row = _last_before(table, at, hour)
    known = match & (row >= begin)
    safe = np.where(known, row, 0)
    sums = np.where(known[:, None], table.sums[safe], 0.0)
    old = _last_before(table, at, hour - DAY_H)
    older = known & (old >= begin)
    before = np.where(older[:, None], table.sums[np.where(older, old, 0)], 0.0)
    return _Seen(
        known=known,
        first=np.where(known, table.hour[np.where(known, begin, 0)], 0),
        last=np.where(known, table.hour[safe], 0),
        sums=sums,
        sums_day=sums - before,
    )


def _last_before(table: Table, at: Int64, hour: Int64) -> Int64:
    """Return the row of a key's last hour before the asked one."""
    width = 1 << 32
    of_row = np.repeat(np.arange(len(table.keys)), np.diff(table.begin))
    found: Int64 = np.searchsorted(of_row * width + table.hour, at * width + hour) - 1
    return found


def pool_features(
    flows: FlowRecords, keys: Keys, own: Tables, others: Sequence[Tables]
) -> Float64:
    """Return (n, len(NAMES)) float64, finite; zeros where there are no others.

    own  the inspected home's tables, for its own rates only
    """
    hour = flows.start_ns // HOUR_NS
    columns: list[Float64] = []
    server: list[_Seen] = []
    for kind in KINDS:
        key = getattr(keys, kind)
        seen = [_asked(each[kind], key, hour) for each in others]
        columns += _presence(seen, hour)
        if kind == "server":
            server = seen
    mine = _asked(own["server"], keys.server, hour)
    columns += _compared(flows, server, mine)
    return np.column_stack(columns)


def _presence(seen: Sequence[_Seen], hour: Int64) -> list[Float64]:
    """Return the shares of homes with a key in a week and a day, and its age."""
    if not seen:
        return [np.zeros(len(hour))] * 3
    known = np.stack([s.known for s in seen])
    last = np.stack([s.last for s in seen])
    shares = []
    for span_h in (WEEK_H, DAY_H):
        n = (known & (last >= hour - span_h)).sum(axis=0)
        shares.append(np.where(n >= support(len(seen)), n, 0) / len(seen))
    shared = known.sum(axis=0) >= support(len(seen))
    first = np.where(known, np.stack([s.first for s in seen]), np.iinfo(np.int64).max)
    age = np.where(shared, np.clip(hour - first.min(axis=0), 0, _AGE_H), 0.0)
    return [*shares, np.log1p(age / DAY_H)]


def _compared(flows: FlowRecords, seen: Sequence[_Seen], mine: _Seen) -> list[Float64]:
    """Return how a flow's bytes, duration and rate compare with the others'."""
    n = len(flows)
    if not seen:
        return [np.zeros(n)] * 3
    known = np.stack([s.known for s in seen])
    shared = known.sum(axis=0) >= support(len(seen))
    sums = np.stack([s.sums for s in seen])
    count = np.maximum(sums[:, :, 0], 1.0)
    means = np.where(known, sums[:, :, 1] / count, np.nan)
    lasts = np.where(known, sums[:, :, 3] / count, np.nan)
    spread = np.where(known, sums[:, :, 2] / count - (sums[:, :, 1] / count) ** 2, 0.0)
    deep = np.sqrt(np.maximum(_middle(spread, shared), _SPREAD**2))
    size = logs(flows.bytes_out + flows.bytes_in)
    daily = np.where(known, [s.sums_day[:, 0] for s in seen], np.nan)
    rate = np.log1p(mine.sums_day[:, 0]) - np.log1p(_middle(daily, shared))
    return [
        np.where(shared, (size - _middle(means, shared)) / deep, 0.0),
        np.where(shared, logs(flows.duration_s) - _middle(lasts, shared), 0.0),
        np.where(shared, rate, 0.0),
    ]


def _middle(values: Float64, shared: np.ndarray) -> Float64:
    """Return the median over homes where enough have a value, else 0."""
    middle = np.zeros(values.shape[1])
    if shared.any():
        middle[shared] = np.nanmedian(values[:, shared], axis=0)
    return middle
