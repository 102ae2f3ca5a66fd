"""How trials should be parted into training and test, and how they must not be."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from analysis.dataset import load_campaign
from analysis.errors import LabelError
from analysis.evaluate.samples import Samples, Strings, open_recorded, samples_of
from analysis.evaluate.splits.folds import Split
from analysis.evaluate.splits.named import SPLITS
from analysis.evaluate.study import parted
from analysis.exporters.bundle.work import Made, Source, Work, write_text
from analysis.labelling import labelled_as

# the most honest first; who can use several should report the first
RECOMMENDED = ("s2", "s1", "s3", "s4", "s5", "s6")
FORBIDDEN = ("s0_folds", "s0_holdout")
SEED = 0
_WHY = {
    "s2": "a model is made first and used later: what counts is how it fares on "
    "sessions that come after those it learnt from",
    "s1": "no session is on both sides, so nothing that only holds within a session "
    "(open connections, cloud servers, clock) can be learnt instead of the activity",
    "s3": "no day is on both sides; says whether what was learnt lasts overnight",
    "s4": "no unit or home is on both sides; says whether what was learnt holds for "
    "another copy of the device or another network",
    "s5": "no interface is on both sides; says whether what was learnt is the "
    "activity, or how it was caused",
    "s6": "activities that training does not hold are to be told from those it does",
}
_WHY_NOT = (
    "rows are drawn at random, so trials of one session, minutes apart on the same "
    "connections, are on both sides: scores are higher than anybody will see in use; "
    "it is listed only so that figures of others, which were made so, can be compared"
)
FORBIDDEN_WAYS = (
    (
        "random rows",
        "trials of one session are alike for reasons other than their activity; a "
        "random draw puts them on both sides",
    ),
    (
        "packets or flows of one trial on both sides",
        "they are parts of one sample; the trial is the unit of labels and of splits",
    ),
    (
        "stratified k-fold over windows",
        "is a random draw too, with each session in every fold",
    ),
    (
        "training on later sessions than those of the test",
        "tells of the past what only the future taught",
    ),
    (
        "choosing a classifier, feature or threshold by scores on the test side",
        "the best of many is best by chance as well; choose within the training side",
    ),
)


def write_splits(work: Work, sources: Sequence[Source]) -> None:
    """Write `splits.json`: trials of each side, and the reasons."""
    inputs = work.after(*(f"packets {s.name}" for s in sources))
    inputs |= work.after(*(f"label {s.name}" for s in sources))

    def make() -> Made:
        about = splits_of([work.campaign(source) for source in sources])
        rows, text = about["splits"], json.dumps(about, indent=1) + "\n"
        good = [r for r in rows if r["use"] == "recommended" and "folds" in r]
        return Made(
            outputs=[write_text(work.data / "splits.json", text)],
            facts={"devices": sorted({r["device"] for r in good})},
            note=f"{len(good)} recommended",
        )

    work.step("splits", inputs, make)


def splits_of(folders: Sequence[Path]) -> dict[str, Any]:
    """Return what `splits.json` says of published campaign folders, in their order."""
    return _about([row for folder in folders for row in _of_campaign(folder)])


def _about(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {
        "format": 1,
        "seed": SEED,
        "unit": "trial: `trial` of tables/activities, within one campaign and device",
        "recommended": [
            {"split": name, "description": SPLITS[name].description, "why": _WHY[name]}
            for name in RECOMMENDED
        ],
        "forbidden": [{"what": what, "why": why} for what, why in FORBIDDEN_WAYS],
        "splits": list(rows),
    }


def _of_campaign(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield every split of every device, or why there is none."""
    campaign = load_campaign(folder)
    overlap, _ = labelled_as(folder)
    try:
        recorded = open_recorded(folder)
    except LabelError as exc:
        of = {"campaign": campaign.name, "device": "", "split": ""}
        yield {**of, "use": "impossible", "why": str(exc)}
        return
    for device in campaign.devices:
        samples = samples_of(recorded, device.name, overlap=overlap, seed=SEED)
        yield from rows_of(campaign.name, samples)


def rows_of(campaign: str, samples: Samples) -> Iterator[dict[str, Any]]:
    """Yield every split of the trials of a device, or why there is none."""
    made, refused = parted(samples, (*RECOMMENDED, *FORBIDDEN), SEED)
    of = {"campaign": campaign, "device": samples.device}
    for split in made:
        good = split.name in RECOMMENDED
        yield {
            **of,
            "split": split.name,
            "use": "recommended" if good else "forbidden",
            "why": _WHY[split.name] if good else _WHY_NOT,
            "digest": split.digest,
            "left_out": split.note,
            "folds": _folds(split, samples.trial),
        }
    for each in refused:
        yield {**of, "split": each.split, "use": "impossible", "why": each.reason}


def _folds(split: Split, trial: Strings) -> list[Any]:
    return [
        {
            side: sorted(trial[rows].tolist())
            for side, rows in (
                ("train", fold.train),
                ("test", fold.test),
                ("unknown", fold.unknown),
            )
            if side != "unknown" or rows.size
        }
        for fold in split.folds
    ]
