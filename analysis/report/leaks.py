"""What the canaries found: signs that a score is not what it seems."""

from collections.abc import Sequence
from typing import TypeAlias

from analysis.evaluate.device_study import DeviceStudy
from analysis.evaluate.splits.named import SPLITS
from analysis.evaluate.trust.canaries import Canary
from analysis.report import words
from analysis.report.blocks import Block, Grid, Item, Note, columns
from analysis.report.tables import Table

_Found: TypeAlias = tuple[str, str, Canary]  # device, split, what was measured
_HEADS = ("device", "split", "canary", "what it is", "measured", "must not exceed")


def leaks(studies: Sequence[DeviceStudy]) -> list[Block]:
    """Return how many canaries were asked, and which found something."""
    every = [
        (study.device, split, canary)
        for study in studies
        for split, canaries in study.canaries.items()
        for canary in canaries
    ]
    judged = [found for found in every if found[2].sound is not None]
    if not judged:
        return []
    loud = [found for found in judged if not found[2].sound]
    blocks: list[Block] = [Note(text=_sentence(loud, len(judged)), warning=bool(loud))]
    if loud:
        title = "Signs that a score may not be what it seems"
        blocks.append(_grid(title, loud, "canaries_found"))
    blocks.append(_grid("Every canary that was asked", every, "canaries", folded=True))
    return blocks


def _sentence(loud: Sequence[_Found], n_judged: int) -> str:
    told = (
        "Canaries look for known leaks: copies, shared time and shared sessions on "
        "both sides, features that are clocks, models that see only the time or the "
        "length of a window."
    )
    if not loud:
        return f"{told} None of {words.count(n_judged)} found any."
    return (
        f"{told} {words.count(len(loud))} of {words.count(n_judged)} found something; "
        "read the scores that they stand beside with it in mind."
    )


def _grid(
    title: str, found: Sequence[_Found], name: str, *, folded: bool = False
) -> Grid:
    return Grid(
        title=title,
        columns=columns(*_HEADS, texts=4),
        rows=tuple(_row(*each) for each in found),
        data=Table(
            name=name,
            columns=("device", "split", "canary", "value", "limit", "sound", "note"),
            rows=tuple(
                (d, s, c.name, c.value, c.limit, c.sound, c.note) for d, s, c in found
            ),
        ),
        folded=folded,
    )


def _row(device: str, split: str, canary: Canary) -> tuple[Item, ...]:
    numbers = (
        Item(text="–" if value is None else f"{value:.3g}")
        for value in (canary.value, canary.limit)
    )
    title = SPLITS[split].title if split in SPLITS else split
    texts = (device, title, words.plain(canary.name), canary.note)
    return (*(Item(text=text) for text in texts), *numbers)
