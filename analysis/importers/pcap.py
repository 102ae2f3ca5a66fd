"""Make a campaign folder from captures and a table of activities of somebody else.

    import_pcap(captures, activities=..., devices=..., recipe=..., target=...)

The folder is like any other: raw captures as pcapng, campaign.yaml, activities.csv,
labelled captures, packet tables, manifest. Outcomes are `unchecked`.
"""

import ipaddress
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from analysis.dataset import Device
from analysis.errors import ImportDataError
from analysis.importers.activity_table import (
    ActivityRow,
    Recipe,
    find_overlaps,
    load_activity_table,
)
from analysis.importers.faults import SHOWN
from analysis.importers.folder import (
    Capture,
    capture_of,
    faulty_target,
    inputs_of,
    make_folder,
)
from analysis.importers.names import unprintable_files
from analysis.labelling import LabelReport, Overlap, StampSpan, explain_outside
from analysis.packets.unseen import SeenEnds
from analysis.pcap.convert import write_pcapng
from analysis.pcap.decode import decode_batch
from analysis.pcap.stream import open_capture_stream

_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What came of an import.

    folder   the campaign folder
    labels   what labelling found
    ignored  columns of the table that were not taken
    """

    folder: Path
    labels: LabelReport
    ignored: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundRows:
    """Activities in order of time, and the faults that were found.

    widen  whether labels are wider than windows by how unsure their starts are
    """

    rows: tuple[ActivityRow, ...]
    faults: tuple[str, ...] = ()
    widen: bool = False


def import_pcap(
    captures: Sequence[Path],
    *,
    activities: Path,
    devices: Mapping[str, str],
    target: Path,
    recipe: Recipe | None = None,
    overlap: Overlap = Overlap.REFUSE,
    every_packet: bool = False,
) -> Imported:
    """Take over `captures` and `activities` as the campaign folder `target`.

    devices  name -> MAC address, for each device of the table; where captures hold no
             MACs, the IP address after a comma
    recipe   how to read the table; by default as it is, with explicit time zones
    overlap  what to do with windows of one device that overlap
    every_packet  the captures are of the one device alone, so that what others sent in
                  them, such as multicast, counts as sent to it

    A row without a session gets the capture that its start lies in. All is written or
    nothing: raises ImportDataError with every fault found, CaptureError for a damaged
    capture.
    """
    ignored: tuple[str, ...] = ()

    def rows_of(found: Sequence[Capture]) -> FoundRows:
        nonlocal ignored
        table = load_activity_table(activities, tuple(devices), recipe or Recipe())
        ignored = table.ignored
        zone = recipe.zone if recipe is not None else None
        faults = [*table.faults, *_outside(activities, table.rows, found, zone)]
        faults += _twice(activities, table.rows)
        if overlap is Overlap.REFUSE:
            faults += find_overlaps(activities, table.rows)
        return FoundRows(rows=table.rows, faults=tuple(faults))

    report = take_over(
        captures,
        rows_of=rows_of,
        devices=devices,
        target=target,
        overlap=overlap,
        every_packet=every_packet,
    )
    return Imported(folder=target, labels=report, ignored=ignored)


def take_over(
    captures: Sequence[Path],
    *,
    rows_of: Callable[[Sequence[Capture]], FoundRows],
    devices: Mapping[str, str],
    target: Path,
    overlap: Overlap = Overlap.REFUSE,
    every_packet: bool = False,
) -> LabelReport:
    """Make a campaign folder of captures and the activities that `rows_of` finds.

    rows_of  captures in order of time, those without a packet left out -> activities

    The rest is as for `import_pcap`.
    """
    ends = {name: _end_of(text) for name, text in devices.items()}
    faulty = _faulty_request(target, ends, every_packet)
    if faulty := [*faulty, *unprintable_files(captures)]:
        raise ImportDataError(tuple(faulty))
    seen = SeenEnds()
    found = _read(captures, seen)
    table = rows_of(found)
    faults = (*table.faults, *_unseen(ends, seen))
    if faults:
        raise ImportDataError(faults)
    inputs = _inputs(target.name, table.rows, ends, every_packet)
    return make_folder(target, inputs, found, table.rows, overlap, widen=table.widen)


def _end_of(text: str) -> tuple[str, str]:
    """Return the MAC and the IP address, or '', of 'MAC' or 'MAC,IP'."""
    mac, _comma, ip = text.partition(",")
    return mac.strip().lower().replace("-", ":"), ip.strip()


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _faulty_request(
    target: Path, ends: Mapping[str, tuple[str, str]], every_packet: bool
) -> list[str]:
    faults = faulty_target(target, ends, "--campaign or --out")
    if every_packet and len(ends) > 1:
        faults.append("every packet can belong to one device only; name one device")
    for name, (mac, ip) in ends.items():
        if not _MAC.fullmatch(mac):
            reason = "must be a MAC address such as '00:17:88:6a:12:05'"
            faults.append(f"device {name}: {reason}, got {mac!r}")
        if ip and not _is_address(ip):
            reason = "what follows the MAC must be an IP address"
            faults.append(f"device {name}: {reason}, got {ip!r}")
    return faults


def _read(captures: Sequence[Path], seen: SeenEnds) -> list[Capture]:
    """Read the captures, in order of time; those without a packet are left out."""
    found = []
    names: Counter[str] = Counter()
    for path in captures:
        span = StampSpan()
        n_packets = 0
        with open_capture_stream(path) as stream:
            for batch in stream:
                n_packets += len(batch)
                span.add(batch.time_ns)
                seen.add(batch.link, decode_batch(batch))
            truncated_at = stream.truncated_at
        if not n_packets:
            continue
        stem = _UNSAFE.sub("_", path.name.split(".pcap")[0]).strip("_") or "capture"
        names[stem] += 1
        first_ns, last_ns = span.ns or (0, 0)
        found.append(
            Capture(
                sources=(path,),
                write=partial(write_pcapng, path, whole=truncated_at is None),
                session=stem if names[stem] == 1 else f"{stem}_{names[stem]}",
                first_ns=first_ns,
                last_ns=last_ns,
                n_packets=n_packets,
                truncated_at=truncated_at,
            )
        )
    if not found:
        raise ImportDataError(("the captures hold no packet",))
    return sorted(found, key=lambda each: (each.first_ns, each.session))


def _twice(path: Path, rows: Sequence[ActivityRow]) -> list[str]:
    """Find trials that are named twice, or only in some rows: a trial has one name."""
    faults: list[str] = []
    line_of: dict[str, int] = {}
    named = [row for row in rows if row.texts["trial"]]
    for row in rows if named else ():
        trial = row.texts["trial"]
        if not trial:
            faults.append(
                f"{path}: line {row.line}: trial: is empty, in others it is not"
            )
        elif trial in line_of:
            where = f"line {line_of[trial]}"
            faults.append(
                f"{path}: line {row.line}: trial: {trial!r} is that of {where} already"
            )
        line_of.setdefault(trial, row.line)
    return faults


def _outside(
    path: Path,
    rows: Sequence[ActivityRow],
    found: Sequence[Capture],
    zone: tzinfo | None,
) -> list[str]:
    outside = [row for row in rows if capture_of(row, found) is None]
    if outside and len(outside) == len(rows):
        where = explain_outside(
            np.array([row.start_ns for row in rows], dtype=np.int64),
            np.array([row.end_ns for row in rows], dtype=np.int64),
            [(each.first_ns, each.last_ns) for each in found],
            [each.sources[0].name for each in found],
            _taken_as(zone, min(row.start_ns for row in rows)),
        )
        return [f"{path}: no activity lies in a capture: {where}"]
    if len(outside) <= SHOWN:
        return [
            f"{path}: line {row.line}: start: lies in no capture; it is "
            f"{_away(row, found)}; is the time zone right?"
            for row in outside
        ]
    some = "; ".join(f"line {r.line} is {_away(r, found)}" for r in outside[:SHOWN])
    return [
        f"{path}: {len(outside)} of {len(rows)} activities lie in no capture; is one "
        f"missing, or the time zone wrong? {some} ..."
    ]


def _away(row: ActivityRow, found: Sequence[Capture]) -> str:
    """Say how far an activity is from the nearest capture."""
    near = min(found, key=lambda each: abs(each.first_ns - row.start_ns))
    by_s = (row.start_ns - near.first_ns) / 1e9
    return f"{by_s:+.1f} s from the start of {near.sources[0].name}{_cut(near)}"


def _taken_as(zone: tzinfo | None, at_ns: int) -> tuple[str, int]:
    """Return what stamps without an offset were taken as, and its offset in ns."""
    if zone is None:
        return "UTC", 0
    offset = datetime.fromtimestamp(at_ns // 10**9, zone).utcoffset()
    return str(zone), round((offset or timedelta()).total_seconds()) * 10**9


def _cut(capture: Capture) -> str:
    if capture.truncated_at is None:
        return ""
    length_s = (capture.last_ns - capture.first_ns) / 1e9
    where = f"ends inside a packet at byte {capture.truncated_at}"
    return f", which {where}, after {length_s:.1f} s"


def _unseen(ends: Mapping[str, tuple[str, str]], seen: SeenEnds) -> list[str]:
    """Return a sentence for each device of which no packet was captured."""
    devices = [Device(name=n, mac=mac, ip=ip) for n, (mac, ip) in ends.items()]
    told = (seen.tell_unseen(device) for device in devices)
    return [sentence for sentence in told if sentence is not None]


def _inputs(
    campaign: str,
    rows: Sequence[ActivityRow],
    ends: Mapping[str, tuple[str, str]],
    every_packet: bool,
) -> dict[str, Any]:
    """Return what `campaign.yaml` holds."""
    devices = []
    for name, (mac, ip) in ends.items():
        texts = [row.texts for row in rows if row.device == name]
        known = {
            key: next((t[key] for t in texts if t[key]), "")
            for key in ("unit", "firmware", "app_version")
        }
        device = {"device": name, "mac": mac, **known, "category": ""}
        device |= {"ip": ip} if ip else {}
        devices.append({**device, **({"every_packet": True} if every_packet else {})})
    return inputs_of(campaign, devices)
