"""Splits: groups of trials that exist, on one side each, and made again alike."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from analysis.errors import LabelError
from analysis.evaluate.samples import open_recorded, samples_of
from analysis.evaluate.splits.named import SPLITS
from analysis.evaluate.study import parted
from analysis.labelling import labelled_as
from analysis.verify.campaign import Looked
from analysis.verify.labelled import differences
from analysis.verify.model import Findings
from analysis.verify.remade import Remade

NAME = "splits.json"
_USES = ("recommended", "forbidden", "impossible")
_SIDES = ("train", "test", "unknown")
Row = Mapping[str, Any]


def check_splits(
    path: Path, found: Findings, looked: Sequence[Looked]
) -> tuple[Row, ...]:
    """Look at the splits of a dataset by themselves; return those that can be read."""
    rows: list[Row] = []
    with found.guarded(path):
        document = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(document["seed"], int):
            found.fault(path, "must be a whole number", "seed")
        for number, row in enumerate(document["splits"]):
            with found.guarded(path):
                for what in _of_row(row, looked):
                    found.fault(path, what, f"splits[{number}]")
                rows.append({**row, "seed": document["seed"], "number": number})
        _check_whole(path, found, rows, looked)
    return tuple(rows)


def _check_whole(
    path: Path, found: Findings, rows: Sequence[Row], looked: Sequence[Looked]
) -> None:
    """Tell of devices that lack a split which another device has, and of doubles."""
    names = {row["split"] for row in rows if row["split"]}
    there = [(row["campaign"], row["device"], row["split"]) for row in rows]
    for each in sorted({each for each in there if there.count(each) > 1}):
        found.fault(path, f"split {each[2]} of {each[1]} in {each[0]} is there twice")
    for campaign in looked:
        if campaign.campaign is None or (campaign.campaign.name, "", "") in there:
            continue
        for device in campaign.campaign.devices:
            for name in sorted(names):
                if (campaign.campaign.name, device.name, name) not in there:
                    what = f"lacks split {name} of {device.name}"
                    found.fault(path, f"{what} in {campaign.campaign.name}")


def _of_row(row: Row, looked: Sequence[Looked]) -> Iterator[str]:
    """Yield what cannot be of a split."""
    if row["use"] not in _USES:
        yield f"use: must be one of {', '.join(_USES)}, got {row['use']!r}"
    named = [e for e in looked if e.campaign and e.campaign.name == row["campaign"]]
    if not named:
        yield f"names campaign {row['campaign']!r}, which is not there"
        return
    if not row["device"] and not row["split"]:
        return  # none of the campaign could be made
    if row["split"] not in SPLITS:
        yield f"split: {row['split']!r} is not known"
    if ("folds" in row) != (row["use"] != "impossible"):
        yield "must have folds unless it is impossible"
    if "folds" in row:
        trials = {
            r["trial"]: r["session"]
            for r in named[0].rows
            if r["device"] == row["device"] and r.is_labelled
        }
        yield from _of_folds(row, trials)


def _of_folds(row: Row, session_of: Mapping[str, str]) -> Iterator[str]:
    """Yield what cannot be of the sides of folds."""
    plan = SPLITS.get(row["split"])
    for number, fold in enumerate(row["folds"]):
        sides = {side: set(fold.get(side, [])) for side in _SIDES}
        for side, trials in sides.items():
            for trial in sorted(trials - set(session_of)):
                yield f"fold {number}: {side}: trial {trial} has no label in the log"
        tested = sides["test"] | sides["unknown"]
        both = sorted(sides["train"] & tested)
        if both:
            yield f"fold {number}: trial {both[0]} is on both sides"
        sessions = {session_of.get(trial) for trial in sides["train"]}
        shared = sorted({session_of.get(t) or "" for t in tested} & sessions - {None})
        if shared and plan is not None and not plan.leaky:
            yield f"fold {number}: session {shared[0]!r} is on both sides"
    if _digest(row) != row["digest"]:
        yield f"digest: is {row['digest']!r}, but the folds give {_digest(row)!r}"


def _digest(row: Row) -> str:
    """Return the hash of a split, as the analysis makes it of samples."""
    sides = [
        [sorted(fold[s]) for s in _SIDES if fold.get(s) or s == "train"]
        for fold in row["folds"]
    ]
    text = json.dumps([row["split"], sides])
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def splits_again(
    path: Path, found: Findings, rows: Sequence[Row], looked: Looked
) -> Callable[[Remade], None]:
    """Return what makes the splits of a campaign again, and compares them."""

    def compare(made: Remade) -> None:
        if looked.campaign is None or made.index is None:
            return
        name = looked.campaign.name
        mine = [row for row in rows if row["campaign"] == name]
        with found.guarded(path):
            for number, place, what in _differences(made.folder, mine):
                where = f"splits[{number}]" + (f".{place}" if place else "")
                found.fault(path, what, where)

    return compare


def _differences(folder: Path, rows: Sequence[Row]) -> Iterator[tuple[int, str, str]]:
    overlap, _ = labelled_as(folder)
    try:
        recorded = open_recorded(folder)
    except LabelError:
        return  # told where labels are made
    for device in sorted({row["device"] for row in rows if row["device"]}):
        mine = [row for row in rows if row["device"] == device]
        samples = samples_of(recorded, device, overlap=overlap, seed=mine[0]["seed"])
        made, refused = parted(samples, [r["split"] for r in mine], mine[0]["seed"])
        wanted: dict[str, Row] = {
            each.split: {"use": "impossible", "why": each.reason} for each in refused
        }
        for split in made:
            wanted[split.name] = {"digest": split.digest, "left_out": split.note}
        for row in mine:
            is_there = {key: row.get(key) for key in wanted[row["split"]]}
            if "digest" in wanted[row["split"]] and row["use"] == "impossible":
                yield row["number"], "use", "is impossible, but can be made"
            for place, what in differences(is_there, wanted[row["split"]]):
                yield row["number"], place, what
