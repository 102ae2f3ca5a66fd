"""One campaign in memory: what it says of itself, its log, receipt and packets."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from analysis.dataset import ActivityLog, Campaign, load_activities, load_campaign
from analysis.errors import DatasetError, LabelError
from analysis.evaluate.samples import Cut
from analysis.labelling import Overlap, labelled_as
from analysis.packets import (
    PacketTable,
    clean,
    find_raw,
    is_current,
    load_packets,
    read_tables,
)
from analysis.packets.cleaning import CLEANING_RULES, offload_of
from analysis.safe_yaml import load_yaml
from analysis.windows import cut, rows_between


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """A campaign folder, read.

    about    campaign.yaml as it stands;  receipt  raw/receipt.json, empty without one
    packets  device -> its packets; empty when the campaign has no packets at all
    """

    campaign: Campaign
    log: ActivityLog
    about: Mapping[str, Any]
    receipt: Mapping[str, Any]
    packets: Mapping[str, PacketTable]

    @property
    def origin(self) -> str:
        """Where the data come from; figures of two origins never share a table."""
        return origin_of(self.campaign)

    @property
    def title(self) -> str:
        """The name of the scenario, or that of the campaign."""
        scenario = self.about.get("scenario")
        name = scenario.get("scenario") if isinstance(scenario, dict) else None
        return str(name or self.campaign.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """The packets of one device and the label windows in them.

    table       every packet;  cut  cleaned packets and windows over them
    n_labelled  packets of `table` in a label window
    found       cleaning rule -> packets that it finds, whether it was applied or not
    n_empty     windows without any packet
    note        what had to be done to overlapping windows, or ''
    """

    device: str
    table: PacketTable
    cut: Cut
    n_labelled: int
    n_empty: int
    found: Mapping[str, int]
    note: str = ""


def origin_of(campaign: Campaign) -> str:
    """Return 'captured', or 'simulated' with the form."""
    return f"simulated, {campaign.form} form" if campaign.simulated else "captured"


def read_about(folder: Path) -> Mapping[str, Any]:
    """Return campaign.yaml as it stands; `load_campaign` has checked that it is one."""
    text = (folder / "campaign.yaml").read_text(encoding="utf-8")
    about = load_yaml(text)
    return about if isinstance(about, dict) else {}


def read_recording(folder: Path) -> Recording:
    """Read a campaign folder; packet tables that are missing are made in memory.

    Raises DatasetError when the folder cannot be read, CaptureError when a capture is
    damaged.
    """
    campaign = load_campaign(folder)
    return Recording(
        campaign=campaign,
        log=load_activities(folder),
        about=read_about(folder),
        receipt=_receipt(folder / "raw" / "receipt.json"),
        packets=_packets(campaign),
    )


def _receipt(path: Path) -> Mapping[str, Any]:
    try:
        receipt = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as exc:
        raise DatasetError(f"{path}: cannot be read: {exc}") from exc
    return receipt if isinstance(receipt, dict) else {}


def _packets(campaign: Campaign) -> Mapping[str, PacketTable]:
    folder, devices = campaign.folder, campaign.devices
    if devices and is_current(folder, devices):
        return {each.name: load_packets(folder, each.name) for each in devices}
    captures = _raw(folder)
    if not captures:
        return {}  # the fast lab can record activities alone
    return read_tables(captures, devices)


def _raw(folder: Path) -> tuple[Path, ...]:
    try:
        return find_raw(folder)
    except DatasetError:
        return ()


def shares_of(recording: Recording) -> tuple[Share, ...]:
    """Cut the packets of each device into its label windows."""
    return tuple(
        _share(recording, name, table) for name, table in recording.packets.items()
    )


def _share(recording: Recording, device: str, table: PacketTable) -> Share:
    campaign, log = recording.campaign, recording.log
    (overlap, widen), cleaned, note = labelled_as(campaign.folder), clean(table), ""
    try:
        windows = cut(cleaned.table, log, device, overlap=overlap, widen=widen)
    except LabelError:
        note = "label windows overlap; the earlier one was cut short for this report"
        windows = cut(cleaned.table, log, device, overlap=Overlap.CUT, widen=widen)
    # what is real of the times: splits by an order that was made up are refused
    windows = replace(windows, times=campaign.times)
    first, last = rows_between(table.time_ns, windows.start_ns, windows.end_ns)
    return Share(
        device=device,
        table=table,
        cut=Cut(cleaned=cleaned, windows=windows),
        n_labelled=int((last - first).sum()),
        n_empty=int(np.count_nonzero(last == first)),
        found=_found(table),
        note=note,
    )


def _found(table: PacketTable) -> Mapping[str, int]:
    offload = offload_of(table)
    return {
        name: int(np.count_nonzero(rule(table, offload)))
        for name, rule in CLEANING_RULES.items()
    }


def keys_of(names: Sequence[str]) -> tuple[str, ...]:
    """Return a name for files and anchors for each campaign, each once."""
    found: list[str] = []
    for name in names:
        stem = re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-").lower()
        stem, number = stem or "campaign", 2
        key = stem
        while key in found:
            key, number = f"{stem}-{number}", number + 1
        found.append(key)
    return tuple(found)
