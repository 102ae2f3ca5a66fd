"""Give packets the activity that caused them, and write captures that say so.

A label window of a device is [t, t + δ): half open, so that two windows may touch and
share no packet. Two windows of one device that overlap are refused unless asked
otherwise, for a packet in both has no one label. Only outcomes `confirmed` and
`unchecked` make labels.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analysis.dataset import ActivityLog, Campaign, load_activities, load_campaign
from analysis.errors import LabelError
from analysis.packets import PacketTable, RawFiles, find_raw, tables_of
from analysis.pcap.convert import copy_packet, declare
from analysis.pcap.reader import Frames, read_frames
from analysis.pcap.writer import CaptureWriter

Int64 = NDArray[np.int64]

IDLE = -1
_COPY_BATCH = 65_536


class Overlap(StrEnum):
    """What to do when two windows of one device overlap."""

    REFUSE = "refuse"  # name both and stop
    CUT = "cut"  # the earlier ends where the later begins
    DROP = "drop"  # neither makes a label


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelWindows:
    """The label windows of one device, in order of time, disjoint.

    log       the rows of the activity log that they come from, one per window
    start_ns  (k,) int64
    end_ns    (k,) int64, exclusive
    n_cut     windows that were cut short by the next
    n_dropped windows that were dropped because they overlap
    """

    log: ActivityLog
    start_ns: Int64
    end_ns: Int64
    n_cut: int = 0
    n_dropped: int = 0

    def __len__(self) -> int:
        return self.start_ns.size


def label_windows(
    log: ActivityLog,
    device: str,
    *,
    overlap: Overlap = Overlap.REFUSE,
    widen: bool = False,
) -> LabelWindows:
    """Return the label windows of `device`.

    widen  let each begin t_uncertainty earlier and end as much later

    Raises LabelError when two windows overlap and `overlap` is REFUSE.
    """
    rows = log.labelled().of_device(device)
    start_ns, end_ns = spans(rows, widen=widen)
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
        after = start_ns[1:] < np.maximum.accumulate(end_ns)[:-1]
        reach = np.minimum.accumulate(start_ns[::-1])[::-1][1:]
        before = reach < end_ns[:-1]
        keep &= ~(np.append(False, after) | np.append(before, False))
    return LabelWindows(
        log=ActivityLog(path=rows.path, frame=rows.frame.filter(pl.Series(keep))),
        start_ns=start_ns[keep],
        end_ns=end_ns[keep],
        n_cut=n_cut,
        n_dropped=int((~keep).sum()),
    )


def spans(rows: ActivityLog, *, widen: bool = False) -> tuple[Int64, Int64]:
    """Return start and end in ns, (k,) int64 each, of rows that all have a stamp."""
    start_ns = rows.frame["t_ns"].to_numpy().astype(np.int64)
    end_ns = start_ns + rows.frame["delta_ns"].to_numpy().astype(np.int64)
    if widen:
        slack = rows.frame["t_uncertainty_ns"].fill_null(0).to_numpy().astype(np.int64)
        start_ns, end_ns = start_ns - slack, end_ns + slack
    return start_ns, end_ns


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
    end_ns    (k,) int64, exclusive, not above the next start
    returns   (n,) int32, row of the window, or IDLE

    Raises LabelError when windows overlap: a packet in both has no one label.
    """
    if start_ns.size == 0:
        return np.full(time_ns.shape, IDLE, dtype=np.int32)
    if (end_ns[:-1] > start_ns[1:]).any():
        raise LabelError("two windows overlap; a packet in both has no one label")
    row = np.searchsorted(start_ns, time_ns, side="right") - 1
    inside = (row >= 0) & (time_ns < end_ns[row])
    return np.where(inside, row, IDLE).astype(np.int32)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceLabels:
    """What labelling found for one device.

    windows    label windows after the overlap policy
    empty      ids of trials whose window holds no packet
    n_packets  packets of the device, beacons not among them
    n_labelled those that lie in a window
    """

    device: str
    windows: int
    empty: tuple[str, ...]
    n_cut: int
    n_dropped: int
    n_packets: int
    n_labelled: int
    packets_by_activity: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelReport:
    """What labelling did; also written as `labelled/labels.json`.

    truncated  raw captures that end inside a packet, with the byte
    """

    campaign: str
    simulated: bool
    overlap: str
    widened: bool
    devices: tuple[DeviceLabels, ...]
    truncated: Mapping[str, int]

    @property
    def n_windows(self) -> int:
        """Label windows of all devices."""
        return sum(device.windows for device in self.devices)


def label_campaign(
    folder: Path, *, overlap: Overlap = Overlap.REFUSE, widen: bool = False
) -> LabelReport:
    """Write `labelled/<device>.pcapng` for every device, and `labelled/labels.json`.

    Nothing is written when a window clashes (LabelError) or a capture is damaged
    (CaptureError).
    """
    campaign, log = load_campaign(folder), load_activities(folder)
    windows = {
        device.name: label_windows(log, device.name, overlap=overlap, widen=widen)
        for device in campaign.devices
    }
    frames = [read_frames(path) for path in find_raw(folder)]
    tables, raw = tables_of(frames, campaign.devices)
    target = folder / "labelled"
    target.mkdir(exist_ok=True)
    found = []
    for name, table in tables.items():
        label = label_packets(
            table.time_ns, windows[name].start_ns, windows[name].end_ns
        )
        comments = [_comment(row) for row in windows[name].log.frame.to_dicts()]
        path = target / f"{name}.pcapng"
        _write_labelled(path, campaign, table, (raw, frames), (label, comments))
        found.append(_counts(name, windows[name], label))
    report = LabelReport(
        campaign=campaign.name,
        simulated=campaign.simulated,
        overlap=str(overlap),
        widened=widen,
        devices=tuple(found),
        truncated={path.name: at for path, at in raw.truncated},
    )
    text = json.dumps(asdict(report), indent=2) + "\n"
    (target / "labels.json").write_text(text, encoding="utf-8")
    return report


def _counts(
    device: str, windows: LabelWindows, label: NDArray[np.int32]
) -> DeviceLabels:
    held = np.bincount(label[label != IDLE], minlength=len(windows))
    activities = windows.log.frame["activity"].to_list()
    by_activity = dict.fromkeys(sorted(set(activities)), 0)
    for activity, packets in zip(activities, held.tolist(), strict=True):
        by_activity[activity] += packets
    trials = windows.log.frame["trial"].to_list()
    return DeviceLabels(
        device=device,
        windows=len(windows),
        empty=tuple(trials[row] for row in np.flatnonzero(held == 0)),
        n_cut=windows.n_cut,
        n_dropped=windows.n_dropped,
        n_packets=label.size,
        n_labelled=int((label != IDLE).sum()),
        packets_by_activity=by_activity,
    )


def _comment(row: Mapping[str, object]) -> bytes:
    """Return the comment of a labelled packet, as pcapML reads it."""
    trial = "-".join(str(row[key]) for key in ("campaign", "trial", "attempt"))
    parts = {"s": trial, "device": row["device"], "label": row["activity"]}
    for key in ("channel", "network", "attempt", "session"):
        if row[key] not in ("", None):
            parts[key] = row[key]
    # commas part the fields in pcapML, and equals signs part key from value
    clean = {k: str(v).replace(",", ";").replace("=", ":") for k, v in parts.items()}
    return ",".join(f"{key}={value}" for key, value in clean.items()).encode()


def _write_labelled(
    path: Path,
    campaign: Campaign,
    table: PacketTable,
    source: tuple[RawFiles, list[Frames]],
    labels: tuple[NDArray[np.int32], list[bytes]],
) -> None:
    """Copy the packets of `table` in order of time, with comments on the labelled."""
    raw, frames = source
    label, comments = labels
    part = path.with_suffix(".part")
    about = f"campaign={campaign.name},device={table.device}"
    if campaign.simulated:
        about += ",simulated=true"
    file_of = np.searchsorted(raw.first_row, table.row, side="right") - 1
    with part.open("wb") as file:
        writer = CaptureWriter(file, comment=about)
        numbers = declare(writer, frames)
        for number, row, kind in zip(
            file_of.tolist(),
            (table.row - np.array(raw.first_row)[file_of]).tolist(),
            label.tolist(),
            strict=True,
        ):
            comment = comments[kind] if kind != IDLE else b""
            copy_packet(writer, frames[number], row, numbers[number], comment)
    part.replace(path)
