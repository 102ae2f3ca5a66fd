"""The receipt of the capture: files, hashes, drops, beacons, clock."""

from collections.abc import Mapping
from itertools import compress
from typing import Any

import numpy as np

from analysis.dataset import Times
from analysis.report import words
from analysis.report.blocks import Grid, Item, Note, Section, columns, items
from analysis.report.recording import Recording
from analysis.report.tables import Cell, Table

_SHOWN = 60  # files on the page; the CSV has all
_IMPORTED = "imported"  # what an importer writes for the tool

_HEADS = (
    "capture",
    "session",
    "files",
    "packets received",
    "dropped",
    "beacons",
    "first beacon (UTC)",
    "last beacon (UTC)",
    "clock offset, median",
    "worst error",
)
_CAPTURES = (
    "capture",
    "session",
    "tool",
    "files",
    "size_b",
    "received",
    "dropped",
    "beacons",
    "first_beacon_ns",
    "last_beacon_ns",
    "clock_offset_median_ns",
    "clock_error_worst_ns",
)


def receipt(recording: Recording) -> Section:
    """Return the section about the capture; a sentence when there is no receipt."""
    captures = captures_of(recording.receipt)
    if not captures:
        note = Note(text="This campaign has no receipt: it was not recorded here.")
        blocks: tuple[Grid | Note, ...] = (note,)
    else:
        blocks = (_captures(captures), _files(captures))
    return Section(
        key="receipt",
        title="Receipt of the capture",
        lead=_quality(recording),
        blocks=blocks,
    )


def captures_of(receipt_json: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    """Return the captures of a receipt that are mappings."""
    captures = receipt_json.get("captures")
    captures = captures if isinstance(captures, list) else []
    return tuple(capture for capture in captures if isinstance(capture, dict))


def uncertainty_ns(recording: Recording) -> tuple[float, float] | None:
    """Return median and worst uncertainty of the label instants, or None."""
    bounds = recording.log.labelled().frame["t_uncertainty_ns"].drop_nulls()
    if not len(bounds):
        return None
    return float(np.median(bounds.to_numpy())), float(bounds.to_numpy().max())


def _quality(recording: Recording) -> str:
    if recording.campaign.times is not Times.RECORDED:
        dated = recording.campaign.times is Times.DATES
        what = "At what time of day" if dated else "When"
        only = "Only dates mean" if dated else "No date means"
        return (
            f"{what} the activities were is not known, nor how well their clock went: "
            "the traces hold times within a trace only, and the import placed them. "
            f"{only} anything here."
        )
    bounds = uncertainty_ns(recording)
    if recording.campaign.form == "imported":
        fine = (
            f" Stamps were written to {words.milliseconds(bounds[1])}."
            if bounds
            else ""
        )
        return f"Others recorded this: how well their clock went is not known.{fine}"
    if bounds is None:
        return "The log does not say how sure its clock is."
    median, worst = (words.milliseconds(bound) for bound in bounds)
    return (
        "Label instants are on the capture's own clock; the bound of the clock's "
        f"error is {median} in the median and {worst} at worst."
    )


def _captures(captures: tuple[Mapping[str, Any], ...]) -> Grid:
    rows = tuple(_capture_row(capture) for capture in captures)
    # what an import cannot know is not a column of dashes
    said = [any(row[i].text != "–" for row in rows) for i in range(len(_HEADS))]
    heads = columns(*_HEADS, texts=2)
    return Grid(
        title="Captures",
        columns=tuple(compress(heads, said)),
        rows=tuple(tuple(compress(row, said)) for row in rows),
        data=Table(
            name="captures",
            columns=_CAPTURES,
            rows=tuple(_capture_record(capture) for capture in captures),
        ),
        note=_captured_by(captures),
    )


def _captured_by(captures: tuple[Mapping[str, Any], ...]) -> str:
    tools = {str(capture.get("tool", "?")) for capture in captures}
    if tools == {_IMPORTED}:
        return (
            "Made of the files of others. What they lost on the way, and what their "
            "clock was worth, nobody wrote down."
        )
    return (
        f"Recorded with {words.listed(sorted(tools))}. The offset is that of the "
        "router's clock against the controller's, measured over SSH; beacons are "
        "stamped by the capture itself."
    )


def _capture_record(capture: Mapping[str, Any]) -> tuple[Cell, ...]:
    files = _list(capture, "files")
    offset_ns, error_ns = _clock(capture)
    return (
        str(capture.get("capture", "")),
        str(capture.get("session", "")),
        str(capture.get("tool", "")),
        len(files),
        sum(_int(file, "size_b") or 0 for file in files),
        _int(capture, "received"),
        _int(capture, "dropped"),
        _int(capture, "n_beacons"),
        _beacon(capture, "first_beacon"),
        _beacon(capture, "last_beacon"),
        offset_ns,
        error_ns,
    )


def _capture_row(capture: Mapping[str, Any]) -> tuple[Item, ...]:
    files = _list(capture, "files")
    size_b = sum(_int(file, "size_b") or 0 for file in files)
    offset_ns, error_ns = _clock(capture)
    others = capture.get("tool") == _IMPORTED
    return (
        *items(str(capture.get("capture", "")), str(capture.get("session", ""))),
        Item(text=words.count(len(files)), below=words.size(size_b)),
        *(_counted(_int(capture, key)) for key in ("received", "dropped")),
        Item(text="–") if others else _counted(_int(capture, "n_beacons")),
        *(_moment(_beacon(capture, f"{end}_beacon")) for end in ("first", "last")),
        Item(text="–" if offset_ns is None else words.seconds(offset_ns)),
        Item(text="–" if error_ns is None else words.milliseconds(error_ns)),
    )


def _clock(capture: Mapping[str, Any]) -> tuple[float | None, int | None]:
    """Return the median offset and the worst error in ns, None where unknown."""
    clock = _list(capture, "clock")
    offsets = [ns for c in clock if (ns := _int(c, "offset_ns")) is not None]
    errors = [ns for c in clock if (ns := _int(c, "error_ns")) is not None]
    offset_ns = float(np.median(offsets)) if offsets else None
    return offset_ns, max(errors, default=None)


def _moment(at_ns: int | None) -> Item:
    if at_ns is None:
        return Item(text="–")
    return Item(
        text=words.stamp(at_ns, "%H:%M:%S"), below=words.stamp(at_ns, "%Y-%m-%d")
    )


def _files(captures: tuple[Mapping[str, Any], ...]) -> Grid:
    rows: list[tuple[Cell, ...]] = []
    for capture in captures:
        name = str(capture.get("capture", ""))
        rows += [
            (name, str(f.get("name", "")), _int(f, "size_b"), str(f.get("sha256", "")))
            for f in _list(capture, "files")
        ]
    shown = tuple(
        items(str(name), str(file), words.size(int(size or 0)), str(digest)[:16])
        for name, file, size, digest in rows[:_SHOWN]
    )
    more = len(rows) - len(shown)
    return Grid(
        title=f"Files and their hashes ({words.count(len(rows))})",
        columns=(
            *columns("capture", "file", texts=2),
            *columns("size", "sha256, first 16 digits", texts=0),
        ),
        rows=shown,
        data=Table(
            name="files",
            columns=("capture", "file", "size_b", "sha256"),
            rows=tuple(rows),
        ),
        note=f"{words.count(more)} more files are in the CSV." if more > 0 else "",
        folded=True,
    )


def _list(mapping: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    value = mapping.get(key)
    return [v for v in value if isinstance(v, dict)] if isinstance(value, list) else []


def _int(mapping: Mapping[str, Any], key: str) -> int | None:
    value = mapping.get(key)
    return value if isinstance(value, int) else None


def _beacon(capture: Mapping[str, Any], key: str) -> int | None:
    beacon = capture.get(key)
    return _int(beacon, "captured_ns") if isinstance(beacon, dict) else None


def _counted(number: int | None) -> Item:
    return Item(text="–" if number is None else words.count(number))
