"""What was recorded, on what, and how well: tables that need no learning."""

from collections import Counter
from collections.abc import Sequence

import polars as pl

from analysis.dataset import LABELLED, OUTCOMES
from analysis.packets import CLEANING_RULES
from analysis.report import words
from analysis.report.blocks import (
    Block,
    Grid,
    Item,
    Note,
    Section,
    columns,
    items,
)
from analysis.report.recording import Recording, Share
from analysis.report.tables import Cell, Table


def recorded(recording: Recording) -> Section:
    """Return devices, outcomes, and what was covered."""
    last = last_attempts(recording)
    n, n_good = last.height, _labelled(last)
    return Section(
        key="recorded",
        title="What was recorded",
        lead=f"{words.count(n_good)} of {words.count(n)} trials ended as confirmed or "
        "unchecked and make labels; the others are kept and make none.",
        blocks=(_devices(recording), _outcomes(last), _coverage(last)),
    )


def last_attempts(recording: Recording) -> pl.DataFrame:
    """Return one row per trial: its last attempt says how it ended."""
    rows = recording.log.frame.sort("trial", "attempt", maintain_order=True)
    return rows.unique(["trial"], keep="last", maintain_order=True)


def _labelled(rows: pl.DataFrame) -> int:
    return rows.filter(pl.col("outcome").is_in(LABELLED)).height


def _devices(recording: Recording) -> Grid:
    profiles = recording.about.get("profiles")
    profiles = profiles if isinstance(profiles, dict) else {}
    rows: list[tuple[str, ...]] = []
    for device in recording.campaign.devices:
        profile = profiles.get(device.name)
        profile = profile if isinstance(profile, dict) else {}
        parts = (str(profile.get(k) or "") for k in ("vendor", "model"))
        rows.append(
            (
                device.name,
                " ".join(part for part in parts if part),
                device.category,
                device.unit,
                device.firmware,
                device.app_version,
            )
        )
    heads = ("device", "model", "category", "unit", "firmware", "app version")
    return Grid(
        title="Devices under test",
        columns=columns(*heads, texts=len(heads)),
        rows=tuple(items(*(text or "–" for text in row)) for row in rows),
        data=Table(
            name="devices",
            columns=tuple(head.replace(" ", "_") for head in heads),
            rows=tuple(rows),
        ),
    )


def _outcomes(last: pl.DataFrame) -> Grid:
    tally = Counter(zip(last["device"], last["outcome"], strict=True))
    tries = Counter(last["device"])
    again = dict(zip(last["device"], [0] * last.height, strict=True))
    for device, attempt in zip(last["device"], last["attempt"], strict=True):
        again[device] += int(attempt) - 1
    rows: list[tuple[Cell, ...]] = [
        (d, *(tally[d, o] for o in OUTCOMES), tries[d], again[d]) for d in sorted(tries)
    ]
    sums = [sum(int(row[i] or 0) for row in rows) for i in range(1, len(OUTCOMES) + 3)]
    shown = [
        (Item(text=str(row[0])), *(_number(value) for value in row[1:])) for row in rows
    ]
    total = tuple(Item(text=words.count(n), strong=True) for n in sums)
    shown.append((Item(text="all", strong=True), *total))
    heads = ("device", *OUTCOMES, "trials", "repeated attempts")
    return Grid(
        title="Trials by outcome",
        columns=columns(*(words.plain(head) for head in heads)),
        rows=tuple(shown),
        data=Table(
            name="outcomes",
            columns=tuple(head.replace(" ", "_") for head in heads),
            rows=tuple(rows),
        ),
    )


def _number(value: Cell) -> Item:
    return Item(text="·" if not value else words.count(int(value)))


def _coverage(last: pl.DataFrame) -> Grid:
    way = [
        f"{channel} ({network})" if network else channel
        for channel, network in zip(last["channel"], last["network"], strict=True)
    ]
    places = list(zip(last["device"], last["activity"], way, strict=True))
    total = Counter(places)
    good = Counter(
        place
        for place, outcome in zip(places, last["outcome"], strict=True)
        if outcome in LABELLED
    )
    ways = sorted(set(way))
    most = max(good.values(), default=1)
    rows, shown, before = [], [], ""
    for device, activity in sorted({place[:2] for place in places}):
        cells = []
        for each in ways:
            n, ok = total[device, activity, each], good[device, activity, each]
            text = "" if not n else str(ok) if ok == n else f"{ok} / {n}"
            cells.append(Item(text=text, shade=0.85 * ok / most if n else 0.0))
            if n:
                rows.append((device, activity, each, n, ok))
        head = Item(text=device if device != before else "", strong=True)
        shown.append((head, Item(text=words.plain(activity)), *cells))
        before = device
    return Grid(
        title="Coverage: labelled trials of each activity by channel",
        columns=columns("device", "activity", *ways, texts=2),
        rows=tuple(shown),
        data=Table(
            name="coverage",
            columns=("device", "activity", "channel", "trials", "labelled"),
            rows=tuple(rows),
        ),
        note="Where not every trial made a label, “labelled / trials”.",
    )


def cleaning(shares: Sequence[Share]) -> Section:
    """Return what cleaning removed and how much traffic has a label."""
    applied = tuple(shares[0].cut.cleaned.removed) if shares else ()
    heads = _cleaning_heads(applied)
    grid = Grid(
        title="Packets per device",
        columns=columns(*(words.plain(head) for head in heads)),
        rows=tuple(_cleaning_row(share) for share in shares),
        data=Table(
            name="cleaning",
            columns=heads,
            rows=tuple(_cleaning_record(share) for share in shares),
        ),
    )
    notes = sorted({share.note for share in shares if share.note})
    blocks: tuple[Block, ...] = tuple(Note(text=n, warning=True) for n in notes)
    return Section(
        key="cleaning",
        title="Cleaning and labels",
        lead=_cleaning_lead(applied),
        blocks=(*blocks, grid),
    )


def _cleaning_heads(applied: Sequence[str]) -> tuple[str, ...]:
    rules = (
        f"{name}_removed" if name in applied else f"{name}_left"
        for name in CLEANING_RULES
    )
    last = ("kept", "in_a_label_window", "windows", "empty_windows")
    return ("device", "packets", *rules, *last)


def _cleaning_lead(applied: Sequence[str]) -> str:
    """Say which rules were applied before learning, and which were not."""
    by_name = [words.plain(name) for name in applied]
    others = [words.plain(name) for name in CLEANING_RULES if name not in applied]
    lead = f"Removed before learning: {', '.join(by_name) or 'nothing'}."
    if others:
        lead += f" Counted and left in: {', '.join(others)}."
    return lead + " A packet may be counted by more than one rule."


def _cleaning_record(share: Share) -> tuple[Cell, ...]:
    return (
        share.device,
        len(share.table),
        *(share.found[name] for name in CLEANING_RULES),
        len(share.cut.cleaned.table),
        share.n_labelled,
        len(share.cut.windows),
        share.n_empty,
    )


def _cleaning_row(share: Share) -> tuple[Item, ...]:
    n = len(share.table)
    return (
        Item(text=share.device),
        Item(text=words.count(n)),
        *(_removed(share.found[name], n) for name in CLEANING_RULES),
        Item(text=words.count(len(share.cut.cleaned.table))),
        Item(
            text=words.share(share.n_labelled, n), below=words.count(share.n_labelled)
        ),
        Item(text=words.count(len(share.cut.windows))),
        _number(share.n_empty),
    )


def _removed(n: int, whole: int) -> Item:
    if n == 0:
        return Item(text="0")
    return Item(text=words.count(n), below=words.share(n, whole))
