"""The receipt of the capture: files, hashes, drops, beacons, clock."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from analysis.report import words
from analysis.report.blocks import Grid, Item, Note, Section, columns, items
from analysis.report.recording import Recording
from analysis.report.tables import Cell, Table

_SHOWN = 60  # files on the page; the CSV has all


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
    bounds = uncertainty_ns(recording)
    if bounds is None:
        return "The log does not say how sure its clock is."
    median, worst = (words.milliseconds(bound) for bound in bounds)
    return (
        "Label instants are on the capture's own clock; the bound of the clock's "
        f"error is {median} in the median and {worst} at worst."
    )


def _captures(captures: tuple[Mapping[str, Any], ...]) -> Grid:
    rows, shown = [], []
    for capture in captures:
        files, clock = _list(capture, "files"), _list(capture, "clock")
        size_b = sum(_int(file, "size_b") or 0 for file in files)
        offsets = [
            offset for c in clock if (offset := _int(c, "offset_ns")) is not None
        ]
        errors = [error for c in clock if (error := _int(c, "error_ns")) is not None]
        middle = float(np.median(offsets)) if offsets else None
        first, last = (_beacon(capture, f"{w}_beacon") for w in ("first", "last"))
        name, session = str(capture.get("capture", "")), str(capture.get("session", ""))
        received, dropped = _int(capture, "received"), _int(capture, "dropped")
        row: tuple[Cell, ...] = (name, session, str(capture.get("tool", "")))
        row += (len(files), size_b, received, dropped, _int(capture, "n_beacons"))
        row += (first, last, middle, max(errors) if errors else None)
        rows.append(row)
        shown.append(
            (
                *items(name, session),
                Item(text=words.count(len(files)), below=words.size(size_b)),
                _counted(received),
                _counted(dropped),
                _counted(_int(capture, "n_beacons")),
                *(_moment(at_ns) for at_ns in (first, last)),
                Item(text=words.seconds(middle) if middle is not None else "–"),
                Item(text=words.milliseconds(max(errors)) if errors else "–"),
            )
        )
    return Grid(
        title="Captures",
        columns=columns(
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
            texts=2,
        ),
        rows=tuple(shown),
        data=Table(
            name="captures",
            columns=(
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
            ),
            rows=tuple(rows),
        ),
        note=f"Recorded with {_tools(captures)}. The offset is that of the router's "
        "clock against the controller's, measured over SSH; beacons are stamped by "
        "the capture itself.",
    )


def _moment(at_ns: int | None) -> Item:
    if at_ns is None:
        return Item(text="–")
    return Item(
        text=words.stamp(at_ns, "%H:%M:%S"), below=words.stamp(at_ns, "%Y-%m-%d")
    )


def _tools(captures: tuple[Mapping[str, Any], ...]) -> str:
    return words.listed(sorted({str(c.get("tool", "?")) for c in captures}))


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
