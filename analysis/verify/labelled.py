"""Labelled captures are exactly what raw captures and activity log give."""

import json
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

from analysis.dataset import Campaign
from analysis.labelling.comments import Packet, labelled_packets
from analysis.verify.model import Findings
from analysis.verify.remade import Remade
from analysis.verify.rows import Row
from analysis.verify.sums import Digests, sha256_of

FOLDER = "labelled"
LABELS = "labelled/labels.json"
_MOST_TOLD = 5


def check_labelled(
    campaign: Campaign, found: Findings, digests: Digests, made: Remade
) -> None:
    """Compare labelled captures, and what is told of them, with those made again."""
    folder = campaign.folder / FOLDER
    if made.labels is None:
        return
    wanted = sorted((made.folder / FOLDER).iterdir())
    for path in wanted:
        place = folder / path.name
        if place not in digests.files:
            found.fault(place, "is not there, but raw captures and log give it")
        elif digests.sum(place) != sha256_of(path, lambda _b: None):
            with found.guarded(place):
                _tell(place, path, found)
    names = {path.name for path in wanted}
    for path in digests.below(folder):
        if path.name not in names:
            found.fault(path, "is not what raw captures and activity log give")


def check_windows(path: Path, found: Findings, rows: list[Row], made: Remade) -> None:
    """Tell of labelled trials whose window lies in no capture; remark silent ones."""
    if made.labels is None or made.index is None:
        return
    spans = made.index.covered_ns
    for row in rows:
        if not row.is_labelled or None in (row["t_ns"], row["delta_ns"]):
            continue
        start, end = row["t_ns"], row["t_ns"] + row["delta_ns"]
        if not any(start <= last and end > first for first, last in spans):
            found.fault(path, "its label window lies in no capture", row.place)
    for device in made.labels.devices:
        if device.empty:
            n, shown = len(device.empty), ", ".join(device.empty[:_MOST_TOLD])
            what = "1 window holds" if n == 1 else f"{n} windows hold"
            more = f" and {n - _MOST_TOLD} more" if n > _MOST_TOLD else ""
            text = f"{device.device}: {what} no packet: {shown}{more}"
            found.remark(f"{found.name(path)}: {text}")
        if not device.n_packets:
            found.remark(f"{found.name(path)}: no packet of {device.device}")


def _tell(path: Path, made: Path, found: Findings) -> None:
    """Say in what a file differs from the one that was made again."""
    if path.suffix == ".json":
        _tell_json(path, made, found)
        return
    n_told = 0
    pairs = zip_longest(labelled_packets(path), labelled_packets(made))
    for frame, (is_there, wanted) in enumerate(pairs, start=1):
        what = _difference(is_there, wanted)
        if what:
            found.fault(path, what, f"frame {frame}")
            n_told += 1
        if n_told == _MOST_TOLD or None in (is_there, wanted):
            break
    if n_told == _MOST_TOLD:
        found.fault(path, f"may differ in more than these {n_told} frames")
    if not n_told:
        what = "differs from what raw captures give, beside its packets"
        found.fault(path, f"{what}: a section, an interface or another block")


def _difference(is_there: Packet | None, wanted: Packet | None) -> str:
    if is_there is None:
        return "is missing, and maybe more: raw captures hold more packets"
    if wanted is None:
        return "is too much, and maybe more: raw captures hold fewer packets"
    if is_there[0] != wanted[0]:
        return f"is stamped {is_there[0]}, but raw captures say {wanted[0]}"
    if is_there[1] != wanted[1]:
        label = repr(is_there[1]) if is_there[1] else "not"
        what = f"is labelled {label}, but the activity log gives"
        return f"{what} {wanted[1] or 'no label'!r}"
    if is_there[2] != wanted[2]:
        return "holds other bytes than the raw capture"
    return ""


def _tell_json(path: Path, made: Path, found: Findings) -> None:
    is_there = json.loads(path.read_text(encoding="utf-8"))
    wanted = json.loads(made.read_text(encoding="utf-8"))
    for place, what in differences(is_there, wanted):
        found.fault(path, what, place)
    if is_there == wanted:
        found.remark(f"{found.name(path)}: says the same in other words")


def differences(
    is_there: Any, wanted: Any, place: str = ""
) -> Iterator[tuple[str, str]]:
    """Yield place and sentence of each value of a JSON document that differs."""
    if isinstance(is_there, dict) and isinstance(wanted, dict):
        for key in sorted({*is_there, *wanted}):
            inner = f"{place}.{key}" if place else key
            yield from differences(is_there.get(key), wanted.get(key), inner)
    elif (
        isinstance(is_there, list)
        and isinstance(wanted, list)
        and len(is_there) == len(wanted)
    ):
        for number, pair in enumerate(zip(is_there, wanted, strict=True)):
            yield from differences(*pair, f"{place}[{number}]")
    elif is_there != wanted or type(is_there) is not type(wanted):
        yield place, f"is {_short(is_there)}, but raw captures give {_short(wanted)}"


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
