"""Make a campaign folder of what others recorded: all of it, or nothing.

make_folder(target, inputs, captures, rows, overlap)
"""

import csv
import hashlib
import json
import re
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from analysis.dataset import COLUMNS, load_campaign
from analysis.importers.activity_table import ActivityRow
from analysis.labelling import LabelReport, Overlap, label_campaign
from analysis.packets import find_raw, make_tables

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """One capture to be, and what of it goes into the receipt.

    sources  the files that it was made of
    write    writes it as pcapng to the path that it is given
    """

    session: str
    first_ns: int
    last_ns: int
    n_packets: int
    sources: tuple[Path, ...]
    write: Callable[[Path], None]
    truncated_at: int | None = None


def faulty_target(
    target: Path, devices: Iterable[str], option: str = "--out"
) -> list[str]:
    """Return a sentence when the folder exists, and for names that no folder can have.

    devices  names of the devices; they name folders below `target`
    option   by which `target` is given
    """
    faults = []
    if target.exists():
        faults.append(f"{target}: exists; give another {option}")
    for kind, name in (("campaign", target.name), *(("device", d) for d in devices)):
        if not _NAME.fullmatch(name):
            reason = "must be letters, digits, '_', '-' or '.'"
            faults.append(f"{kind}: {reason}, got {name!r}")
    return faults


def make_folder(
    target: Path,
    inputs: Mapping[str, Any],
    captures: Sequence[Capture],
    rows: Sequence[ActivityRow],
    overlap: Overlap,
    *,
    widen: bool = False,
) -> LabelReport:
    """Make the folder beside its place, and move it there when it is whole.

    inputs  what `campaign.yaml` holds; see `inputs_of`
    rows    in order of time; one without a session gets that of its capture
    widen   whether labels are wider than windows by how unsure their starts are
    """
    part = target.with_name(f".{target.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        report = _build(part, inputs, captures, rows, overlap, widen=widen)
        part.replace(target)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return report


def inputs_of(campaign: str, devices: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what `campaign.yaml` holds of imported data."""
    return {
        "campaign": campaign,
        "simulated": False,
        "form": "imported",
        "seed": None,
        "versions": {},
        "devices": [dict(device) for device in devices],
        "lab": None,
        "scenario": None,
        "profiles": {},
    }


def capture_of(row: ActivityRow, found: Sequence[Capture]) -> Capture | None:
    """Return the capture that a window begins in, or at least reaches into."""
    start, end = row.start_ns, row.end_ns
    inside = (each for each in found if each.first_ns <= start <= each.last_ns)
    touched = (each for each in found if each.first_ns < end and start <= each.last_ns)
    return next(inside, None) or next(touched, None)


def _build(
    folder: Path,
    inputs: Mapping[str, Any],
    captures: Sequence[Capture],
    rows: Sequence[ActivityRow],
    overlap: Overlap,
    *,
    widen: bool,
) -> LabelReport:
    """Write everything into `folder`."""
    (folder / "raw").mkdir(parents=True)
    receipt = [_take_over(folder, number, each) for number, each in enumerate(captures)]
    _write_json(folder / "raw" / "receipt.json", {"captures": receipt})
    text = yaml.safe_dump(dict(inputs), sort_keys=False, allow_unicode=True)
    (folder / "campaign.yaml").write_text(text, encoding="utf-8")
    _write_activities(folder / "activities.csv", inputs["campaign"], rows, captures)
    # What is unsure is mostly how finely a log was kept, not a clock: as it was meant.
    report = label_campaign(folder, overlap=overlap, widen=widen)
    make_tables(folder, find_raw(folder), load_campaign(folder).devices)
    _write_manifest(folder)
    return report


def _take_over(folder: Path, number: int, capture: Capture) -> dict[str, Any]:
    """Write one capture into raw/; return its part of the receipt."""
    path = folder / "raw" / f"{capture.session}-{number:05d}.pcapng"
    capture.write(path)
    file = {"name": path.name, "size_b": path.stat().st_size, "sha256": _sha256(path)}
    return {
        "capture": capture.session,
        "session": capture.session,
        "tool": "imported",
        "version": "",
        "ready_ns": capture.first_ns,
        "stopped_ns": capture.last_ns,
        "stopped_by": "unknown",
        "received": capture.n_packets,
        "dropped": None,
        "log": "",
        "n_beacons": 0,
        "first_beacon": None,
        "last_beacon": None,
        "files": [file],
        "clock": [],
        "source": _source(capture.sources),
        "truncated_at": capture.truncated_at,
    }


def _source(paths: Sequence[Path]) -> dict[str, Any]:
    """Return name and digest of a file, or of several as `sha256sum` lists them."""
    if len(paths) == 1:
        return {"name": paths[0].name, "sha256": _sha256(paths[0])}
    lines = "".join(f"{_sha256(path)}  {path.name}\n" for path in paths)
    digest = hashlib.sha256(lines.encode()).hexdigest()
    return {"name": paths[0].parent.name, "files": len(paths), "sha256": digest}


def _write_activities(
    path: Path,
    campaign: str,
    rows: Sequence[ActivityRow],
    captures: Sequence[Capture],
) -> None:
    width = max(4, len(str(len(rows))))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, tuple(COLUMNS), lineterminator="\n")
        writer.writeheader()
        for number, row in enumerate(rows, start=1):
            capture = capture_of(row, captures)
            session = row.texts["session"] or (capture.session if capture else "")
            writer.writerow(
                {
                    **row.texts,
                    "campaign": campaign,
                    "session": session,
                    "trial": row.texts["trial"] or f"{number:0{width}d}",
                    "attempt": 1,
                    "device": row.device,
                    "activity": row.activity,
                    "t_ns": row.start_ns,
                    "t_issue_ns": row.start_ns,
                    "t_return_ns": row.start_ns,
                    "t_uncertainty_ns": row.uncertainty_ns,
                    "delta_ns": row.end_ns - row.start_ns,
                    "outcome": "unchecked",
                    "simulated": "false",
                }
            )


def _write_manifest(folder: Path) -> None:
    """Write `MANIFEST.sha256` over every other file, as `sha256sum -c` reads it."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    lines = [f"{_sha256(p)}  {p.relative_to(folder).as_posix()}\n" for p in files]
    (folder / "MANIFEST.sha256").write_text("".join(lines), encoding="utf-8")


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
