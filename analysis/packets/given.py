"""Write packet tables that were not made of a capture: of lists that others publish."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from analysis.packets.counts import counts_of
from analysis.packets.index import (
    CapturePart,
    DevicePart,
    Index,
    find_index,
    write_index,
)
from analysis.packets.runs import SortedRuns
from analysis.packets.table import COLUMNS, PacketTable

GIVEN = "given"  # stands for the capture that nobody has


def write_packets(folder: Path, table: PacketTable) -> None:
    """Write the table of one device into a campaign folder that has no captures.

    Tables of other devices that were written so are kept, any other table is not. The
    columns `capture` and `frame` are kept as numbers without a meaning.
    """
    index = find_index(folder)
    if index is None or [each.name for each in index.captures] != [GIVEN]:
        index = Index(devices={}, captures=(_nothing(),))
    part = _write(folder, table)
    before = index.captures[0]
    spans = [*table.covered_ns, *_span(before)]
    capture = replace(
        before,
        n_frames=before.n_frames + len(table),
        n_conversations=max(
            before.n_conversations, int(table.flow.max(initial=-1)) + 1
        ),
        first_ns=min((first for first, _last in spans), default=None),
        last_ns=max((last for _first, last in spans), default=None),
        devices={**before.devices, table.device: part},
    )
    devices = {**index.devices, table.device: {}}
    write_index(folder, Index(devices=devices, captures=(capture,)))


def _write(folder: Path, table: PacketTable) -> DevicePart:
    runs = SortedRuns(folder / "packets" / f"device={table.device}", GIVEN)
    runs.addresses = list(table.remotes)
    columns: dict[str, Any] = {
        name: getattr(table, name) for name in COLUMNS if name != "capture"
    }
    runs.add(columns)
    files = runs.close({"capture": GIVEN, "device": table.device})
    n_flows = np.unique(table.flow[table.flow >= 0]).size
    return counts_of(table).part(files, n_flows)


def _span(capture: CapturePart) -> list[tuple[int, int]]:
    if capture.first_ns is None or capture.last_ns is None:
        return []
    return [(capture.first_ns, capture.last_ns)]


def _nothing() -> CapturePart:
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
        devices={},
    )
