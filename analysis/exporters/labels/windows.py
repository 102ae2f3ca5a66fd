"""The label windows of a campaign, as its labelled captures have them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.dataset import Device, load_activities, load_campaign
from analysis.flows import FlowRecords
from analysis.labelling import LabelWindows, label_windows, labelled_as

NOTHING = ("", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceWindows:
    """Windows of one device."""

    device: Device
    windows: LabelWindows

    def rows(self) -> Iterator[tuple[int, int, Mapping[str, Any]]]:
        """Yield start and end (exclusive) in ns, and the row of the activity log."""
        w = self.windows
        edges = zip(w.start_ns.tolist(), w.end_ns.tolist(), strict=True)
        for edge, row in zip(edges, w.log.frame.iter_rows(named=True), strict=True):
            yield *edge, row


def windows_of(folder: Path) -> tuple[DeviceWindows, ...]:
    """Return the windows of each device. Raises DatasetError, LabelError."""
    log = load_activities(folder)
    overlap, widen = labelled_as(folder)
    return tuple(
        DeviceWindows(
            device=device,
            windows=label_windows(log, device.name, overlap=overlap, widen=widen),
        )
        for device in load_campaign(folder).devices
    )


class FlowLabels:
    """Tells which activity a flow record belongs to."""

    def __init__(self, each: tuple[DeviceWindows, ...]) -> None:
        self._of = {one.device.name: one.windows for one in each}

    def of(self, records: FlowRecords) -> list[tuple[str, str]]:
        """Return (device, activity) of each record, empty texts for none.

        A record is of the window that it shares most time with, the earlier of two.
        """
        labels = [NOTHING] * len(records)
        devices = np.array(records.device.tolist())
        for name, windows in self._of.items():
            rows = np.flatnonzero(devices == name)
            best = _most_shared(records, rows, windows)
            activities = windows.log.frame["activity"].to_list()
            for row, window in zip(rows.tolist(), best.tolist(), strict=True):
                if window >= 0:
                    labels[row] = name, activities[window]
        return labels


def _most_shared(
    records: FlowRecords, rows: NDArray[np.int64], windows: LabelWindows
) -> NDArray[np.int64]:
    first, last = records.start_ns[rows], records.end_ns[rows]
    best = np.full(rows.size, -1, dtype=np.int64)
    most_ns = np.zeros(rows.size, dtype=np.int64)
    edges = zip(windows.start_ns.tolist(), windows.end_ns.tolist(), strict=True)
    for number, (start, end) in enumerate(edges):
        # of a record that is one instant 1 ns is shared
        shared = np.minimum(last + 1, end) - np.maximum(first, start)
        better = shared > most_ns
        best[better], most_ns[better] = number, shared[better]
    return best
