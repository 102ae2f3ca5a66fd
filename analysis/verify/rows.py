"""The activity log: every row by itself, and rows against each other."""

import csv
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from analysis.dataset import COLUMNS, LABELLED, Campaign, Device, Times
from analysis.labelling import Overlap
from analysis.verify.model import Findings

NAME = "activities.csv"
_DAY = re.compile(r"(\d{4})-(\d{2})-(\d{2})-\d+")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# a capture's clock may be wrong by any amount, but a zone by no more than this
_ZONE_H = 14
_WIDENED = "widened by its uncertainty"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of the log: its line, and its values by column."""

    line: int
    values: Mapping[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.values[name]

    @property
    def place(self) -> str:
        """Where a fault of this row is."""
        return f"line {self.line}"

    @property
    def is_labelled(self) -> bool:
        """Whether the outcome makes a label."""
        return self["outcome"] in LABELLED

    @property
    def key(self) -> tuple[str, int]:
        """Trial and attempt."""
        return self["trial"], self["attempt"]


def load_rows(path: Path, found: Findings) -> list[Row]:
    """Read an activity log; every value that cannot be is a fault.

    Returns the rows that have no such fault.
    """
    rows: list[Row] = []
    with found.guarded(path), path.open(newline="", encoding="utf-8") as file:
        reader = csv.reader(file, strict=True)
        head = next(reader, [])
        _check_head(path, found, head)
        for texts in reader:
            row = _row(path, found, reader.line_num, head, texts)
            if row is not None:
                rows.append(row)
    return rows


def _check_head(path: Path, found: Findings, head: list[str]) -> None:
    for name in COLUMNS:
        if head.count(name) != 1:
            n = head.count(name)
            found.fault(path, f"has {n or 'no'} column {name!r}, not one", "line 1")
    for name in head:
        if name not in COLUMNS:
            found.fault(path, f"has a column that is not known: {name!r}", "line 1")


def _row(
    path: Path, found: Findings, line: int, head: list[str], texts: list[str]
) -> Row | None:
    if len(texts) != len(head):
        reason = f"has {len(texts)} values for {len(head)} columns"
        found.fault(path, reason, f"line {line}")
        return None
    values: dict[str, Any] = {}
    for name, text in zip(head, texts, strict=True):
        if name not in COLUMNS:
            continue
        try:
            values[name] = COLUMNS[name][1](text)
        except ValueError as exc:
            found.fault(path, f"{name}: {exc}, got {text!r}", f"line {line}")
    return Row(line=line, values=values) if len(values) == len(COLUMNS) else None


def check_rows(
    path: Path, found: Findings, campaign: Campaign, rows: list[Row], overlap: Overlap
) -> None:
    """Look at the rows of a campaign: who, when, how often, and windows that clash."""
    devices = {device.name: device for device in campaign.devices}
    for row in rows:
        for what in _of_row(row, campaign, devices.get(row["device"])):
            found.fault(path, what, row.place)
        for what in _stamps(row, campaign):
            found.fault(path, what, row.place)
    _check_twice(path, found, rows)
    if overlap is Overlap.REFUSE:
        _check_overlap(path, found, rows)
    if campaign.times is Times.RECORDED and campaign.form != "imported":
        _check_days(path, found, rows)


def _of_row(row: Row, campaign: Campaign, device: Device | None) -> Iterator[str]:
    """Yield what contradicts `campaign.yaml`."""
    if row["campaign"] != campaign.name:
        yield f"campaign: is {row['campaign']!r}, but this is {campaign.name!r}"
    if row["simulated"] != campaign.simulated:
        yield f"simulated: is {row['simulated']}, but campaign.yaml says otherwise"
    if device is None:
        yield f"device: {row['device']!r} is none of the devices of campaign.yaml"
        return
    if campaign.form == "imported":
        return  # one device may have several units there
    for name in ("unit", "firmware", "app_version"):
        if row[name] != getattr(device, name):
            wanted = getattr(device, name)
            yield f"{name}: is {row[name]!r}, but campaign.yaml says {wanted!r}"


def _stamps(row: Row, campaign: Campaign) -> Iterator[str]:
    """Yield what cannot be of the stamps of a row."""
    at, issue, back = row["t_ns"], row["t_issue_ns"], row["t_return_ns"]
    slack = row["t_uncertainty_ns"]
    if row.is_labelled:
        for name in ("t_ns", "delta_ns"):
            if row[name] is None:
                yield f"{name}: is empty, but the outcome is {row['outcome']}"
        own = campaign.form != "imported"
        if own and None in (issue, back, slack):
            yield "t_issue_ns, t_return_ns or t_uncertainty_ns: is empty"
    if row["delta_ns"] is not None and row["delta_ns"] <= 0:
        yield f"delta_ns: must be more than 0, got {row['delta_ns']}"
    if slack is not None and slack < 0:
        yield f"t_uncertainty_ns: must not be less than 0, got {slack}"
    if issue is not None and back is not None and issue > back:
        yield "t_issue_ns: is later than t_return_ns"
    room = max(slack or 0, 0)
    if None not in (at, issue) and at < issue - room:
        yield f"t_ns: lies {_ms(issue - room - at)} before t_issue_ns, {_WIDENED}"
    if None not in (at, back) and at > back + room:
        yield f"t_ns: lies {_ms(at - back - room)} after t_return_ns, {_WIDENED}"


def _ms(length_ns: int) -> str:
    return f"{length_ns / 1e6:.3f} ms"


def _check_twice(path: Path, found: Findings, rows: list[Row]) -> None:
    """Tell of attempts that are there twice, and trials with several labels."""
    n_of = Counter(row.key for row in rows)
    labelled = Counter(row["trial"] for row in rows if row.is_labelled)
    for row in rows:
        trial, attempt = row.key
        if n_of[row.key] > 1:
            what = f"attempt {attempt} of trial {trial} is there {n_of[row.key]} times"
            found.fault(path, what, row.place)
        elif row.is_labelled and labelled[trial] > 1:
            what = f"trial {trial} has {labelled[trial]} attempts with a label"
            found.fault(path, what, row.place)


def _check_overlap(path: Path, found: Findings, rows: list[Row]) -> None:
    """Tell of label windows of one device that overlap, as the labels refuse it."""
    of_device: dict[str, list[tuple[int, int, Row]]] = {}
    for row in rows:
        if row.is_labelled and None not in (row["t_ns"], row["delta_ns"]):
            start = row["t_ns"]
            window = (start, start + row["delta_ns"], row)
            of_device.setdefault(row["device"], []).append(window)
    for device, windows in of_device.items():
        windows.sort(key=lambda window: window[:2])
        furthest: tuple[int, Row] | None = None
        for start, end, row in windows:
            if furthest is not None and start < furthest[0]:
                by_s = (furthest[0] - start) / 1e9
                before = furthest[1].place
                what = f"overlaps by {by_s:g} s with that of {before}, also of {device}"
                found.fault(path, f"its label window {what}", row.place)
            if furthest is None or end > furthest[0]:
                furthest = end, row


def _check_days(path: Path, found: Findings, rows: list[Row]) -> None:
    """Tell of sessions whose activities are further apart than one calendar day.

    The capture's clock need not be right, so the day itself is not looked at here.
    """
    spans: dict[str, tuple[Row, Row]] = {}
    for row in rows:
        if row["t_issue_ns"] is None:
            continue
        first, last = spans.get(row["session"], (row, row))
        first = min(first, row, key=lambda each: each["t_issue_ns"])
        last = max(last, row, key=lambda each: each["t_issue_ns"])
        spans[row["session"]] = first, last
    for session, (first, last) in spans.items():
        if last["t_issue_ns"] - first["t_issue_ns"] > 86_400 * 10**9:
            what = f"session {session!r} is longer than a day: it begins at"
            found.fault(path, f"{what} {first.place}", last.place)


def is_on_day(session: str, at_ns: int) -> bool:
    """Say whether a session that is named by its day can have been at an instant.

    The day is that of the lab's own zone, which is not known. True for sessions that
    are named in another way.
    """
    match = _DAY.fullmatch(session)
    if match is None:
        return True
    try:
        day = date(int(match[1]), int(match[2]), int(match[3]))
    except ValueError:
        return False
    at = _EPOCH + timedelta(microseconds=at_ns // 1000)
    days = {(at + timedelta(hours=hours)).date() for hours in (-_ZONE_H, 0, _ZONE_H)}
    return day in days
