"""What the canaries found: signs that a score is not what it seems."""

from collections.abc import Iterator, Sequence
from typing import TypeAlias

from analysis.evaluate.device_study import DeviceStudy
from analysis.evaluate.splits.named import SPLITS
from analysis.evaluate.trust.canaries import ABOVE, OWN_LENGTHS, Canary
from analysis.report import words
from analysis.report.blocks import Block, Grid, Item, Note, columns
from analysis.report.tables import Table

_Found: TypeAlias = tuple[str, str, Canary]  # device, split, what was measured
_IS_UNSURE = (
    "is above its limit, with too few trials to be sure",
    "are above their limits, with too few trials to be sure",
)
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
    unsure = [found for found in judged if found[2].unsure]
    text = " ".join(_sentences(loud, unsure, len(judged)))
    blocks: list[Block] = [Note(text=text, warning=bool(loud))]
    if loud:
        title = "Signs that a score may not be what it seems"
        blocks.append(_grid(title, loud, "canaries_found"))
    if unsure:
        blocks.append(
            _grid(f"{ABOVE[0].upper()}{ABOVE[1:]}", unsure, "canaries_unsure")
        )
    blocks.append(_grid("Every canary that was asked", every, "canaries", folded=True))
    return blocks


def _sentences(
    loud: Sequence[_Found], unsure: Sequence[_Found], n_judged: int
) -> Iterator[str]:
    yield (
        "Canaries look for known leaks: copies, shared time and shared sessions on "
        "both sides, features that are clocks, models that see only the time or the "
        "length of a window. One has found something where it is above its limit, and "
        "by more than luck would make of it."
    )
    if loud:
        yield (
            f"{words.count(len(loud))} of {words.count(n_judged)} found something; "
            "read the scores that they stand beside with it in mind."
        )
    else:
        yield f"None of {words.count(n_judged)} found any."
    if unsure:
        yield f"{words.count(len(unsure))} {_IS_UNSURE[len(unsure) > 1]}."
    if any(found[2].name == "length_only" for found in (*loud, *unsure)):
        yield f"{OWN_LENGTHS.replace('`', '')}, in “testbed evaluate”."


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
