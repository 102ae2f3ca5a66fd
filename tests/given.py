"""Packet tables and samples that were not made of a capture, as tests want them."""

from dataclasses import replace

import numpy as np

from analysis.evaluate.samples import Samples
from analysis.packets.counts import counts_of
from analysis.packets.index import (
    CapturePart,
    Index,
    find_index,
    write_index,
)
from analysis.packets.runs import SortedRuns
from analysis.packets.table import COLUMNS

GIVEN = "given"  # stands for the capture that nobody has


def write_packets(folder, table):
    """Write the table of one device into a campaign folder that has no captures."""
    index = find_index(folder)
    if index is None or [each.name for each in index.captures] != [GIVEN]:
        index = Index(devices={}, captures=(_nothing(),))
    place = folder / "packets" / f"device={table.device}"
    runs = SortedRuns(place, GIVEN, {"capture": GIVEN, "device": table.device})
    runs.addresses = table.remotes
    runs.add({name: getattr(table, name) for name in COLUMNS if name != "capture"})
    n_flows = np.unique(table.flow[table.flow >= 0]).size
    part = replace(counts_of(table), files=runs.close(), n_flows=n_flows)
    before = index.captures[0]
    spans = [*table.covered_ns]
    if before.first_ns is not None:
        spans.append((before.first_ns, before.last_ns))
    most = max(before.n_conversations, int(table.flow.max(initial=-1)) + 1)
    capture = replace(
        before,
        n_conversations=most,
        first_ns=min((first for first, _last in spans), default=None),
        last_ns=max((last for _first, last in spans), default=None),
        devices={**before.devices, table.device: part},
    )
    devices = {**index.devices, table.device: {}}
    write_index(folder, Index(devices=devices, captures=(capture,)))


def _nothing():
    return CapturePart(
        name=GIVEN,
        size_b=0,
        mtime_ns=0,
        digest="",
        n_frames=0,
        n_conversations=0,
        first_ns=None,
        last_ns=None,
        truncated_at=None,
        n_backwards=0,
        n_foreign=0,
        n_one_sided=0,
        devices={},
    )


def trials(apart=4.0, n_sessions=8, repeats=6, n_kinds=4, seed=0):
    """Make rows of which the first activities differ, by `apart`, and two do not."""
    rng = np.random.default_rng(seed)
    n = n_sessions * repeats * n_kinds
    kind = np.arange(n) % n_kinds
    x = rng.normal(size=(n, n_kinds + 2))
    x[:, :n_kinds] += apart * np.eye(n_kinds)[np.minimum(kind, n_kinds - 2)]
    return Samples(
        device="bulb",
        names=tuple(f"f{i}" for i in range(n_kinds + 2)),
        x=x,
        activity=np.array([f"activity_{k}" for k in kind]),
        session=np.array([f"s{i * n_sessions // n}" for i in range(n)]),
        trial=np.array([f"{i:04d}" for i in range(n)]),
        start_ns=np.arange(n, dtype=np.int64) * 40 * 10**9,
        n_packets=np.full(n, 9),
        channel=np.full(n, "phone"),
    )
