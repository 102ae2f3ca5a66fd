"""How well activities are recognised: Table 1 and Figure 2 of the paper, and more."""

from collections.abc import Sequence

import numpy as np

from analysis.evaluate.splits.named import SPLITS
from analysis.evaluate.study import Refusal, Result
from analysis.report import words
from analysis.report.blocks import (
    Block,
    Column,
    Gallery,
    Grid,
    Item,
    Note,
    Section,
    columns,
)
from analysis.report.leaks import leaks
from analysis.report.score_charts import draw_confusion, draw_precision_recall
from analysis.report.scores import BELIEVED, Scores
from analysis.report.tables import Cell, Table

_SHORT = {"random_forest": "RF", "nearest": "kNN", "naive_bayes": "NB"}
_HEADS = {
    "s2": "S2 chronological",
    "s1": "S1 by session",
    "s0_folds": "S0 random (leaky)",
}

_ACCURACY = (
    "device",
    "split",
    "leaky",
    "classifier",
    "accuracy",
    "low",
    "high",
    "null_accuracy",
    "majority",
    "precision",
    "recall",
    "f1",
    "n_trials",
    "n_sessions",
    "split_hash",
    "note",
)


def recognition(scores: Scores) -> Section:
    """Return the accuracy table, signs of leaks, and pictures of the headline split."""
    split = scores.headline_split()
    if split is None:
        return Section(
            key="recognition",
            title="Recognising activities",
            lead="",
            blocks=tuple(_without_results(scores)),
        )
    blocks: list[Block] = [_accuracy(scores)]
    blocks += _refused(scores)
    if scores.payload:
        blocks.append(_payload(scores.payload))
    blocks += leaks(scores.studies)
    blocks += _pictures(scores, split)
    return Section(
        key="recognition",
        title="Recognising activities",
        lead=_lead(split),
        blocks=tuple(blocks),
    )


def _lead(split: str) -> str:
    lead = (
        "Accuracy of naming the activity behind a label window, from sizes and times "
        "of its packets alone. S2 is the one to believe: it learns from earlier "
        "sessions and tests on later ones, as whoever uses it will. S1 tests on "
        "sessions that were never seen, earlier or later. S0 is the split of the "
        "paper: neighbours in time are on both sides, so it flatters."
    )
    if split == "s2":
        return lead
    return f"{lead} No device allows S2 here; pictures are of {SPLITS[split].title}."


def _pictures(scores: Scores, split: str) -> list[Block]:
    shown, titles, head = scores.under(split), scores.titles, SPLITS[split].title
    own = scores.shown()
    pair = draw_precision_recall(shown, titles, "precision_recall", head)
    mine = [r for r in shown if r.classifier == own.name]
    matrices = tuple(draw_confusion(r, own.title) for r in mine)
    return [
        Gallery(pictures=(pair,), wide=True),
        Gallery(title=f"Confusion matrices: {own.title}, {head}", pictures=matrices),
    ]


def _without_results(scores: Scores) -> list[Block]:
    """Return what there is where no classifier has learnt, or none was asked for."""
    if scores.classifiers:
        return [Note(text=_all_refused(scores))]
    if scores.payload:
        return [_payload(scores.payload), *_refused(scores)]
    silent = Note(text="No device was heard to say anything in plain text.")
    return _refused(scores) or [silent]


def _all_refused(scores: Scores) -> str:
    reasons = sorted({r.reason for r in scores.refusals})
    why = f": {'; '.join(reasons)}" if reasons else ""
    return (
        f"Nothing is learnt from this campaign alone{why}. Record each activity at "
        "least five times, in at least two sessions."
    )


def _refused(scores: Scores) -> list[Block]:
    """Say in one sentence per reason which devices a split refused."""
    by_reason: dict[tuple[str, str], list[str]] = {}
    for refusal in scores.refusals:
        by_reason.setdefault((refusal.split, refusal.reason), []).append(refusal.device)
    return [
        Note(text=f"{SPLITS[split].title} refused for {words.listed(who, 9)}: {why}.")
        for (split, why), who in by_reason.items()
    ]


def _accuracy(scores: Scores) -> Grid:
    heads = [Column(title="device", number=False), Column(title="split", number=False)]
    heads += [Column(title=_SHORT.get(c.name, c.title)) for c in scores.classifiers]
    heads.append(Column(title="trials"))
    rows = [row for device in scores.devices for row in _device_rows(scores, device)]
    means = ""
    if len(scores.devices) > 1:
        rows += _mean_rows(scores)
        means = " Last rows: means over the devices that allow the split."
    return Grid(
        title="Accuracy by device and split; the paper’s Table 1 is RF, kNN, NB and S0",
        columns=tuple(heads),
        rows=tuple(rows),
        data=_accuracy_data("accuracy", scores.results, scores.refusals),
        note="Small print: the 95 % interval (bootstrap over sessions); the macro-F1; "
        "and ∅, the accuracy of the same classifier on labels shuffled within "
        "sessions, which is what chance gives. Bold: the best of a row, chosen by "
        "these very trials, which flatters it a little." + means,
    )


def _device_rows(scores: Scores, device: str) -> list[tuple[Item, ...]]:
    rows: list[tuple[Item, ...]] = []
    for split in BELIEVED:
        found = [scores.of(device, split, c.name) for c in scores.classifiers]
        here = [r for r in found if r is not None]
        first = Item(text="" if rows else device, strong=True)
        head = (first, Item(text=_HEADS[split], strong=split == BELIEVED[0]))
        if not here:
            refused = Item(text="refused", span=len(found) + 1)
            rows.append((*head, refused))
            continue
        best = max(r.accuracy for r in here)
        rows.append((*head, *(_accuracy_item(r, best) for r in found), _sizes(here)))
    return rows


def _mean_rows(scores: Scores) -> list[tuple[Item, ...]]:
    rows: list[tuple[Item, ...]] = []
    for split in BELIEVED:
        cells = []
        for classifier in scores.classifiers:
            mine = [r for r in scores.under(split) if r.classifier == classifier.name]
            f1 = float(np.mean([r.f1 for r in mine])) if mine else 0.0
            mean = float(np.mean([r.accuracy for r in mine])) if mine else 0.0
            below = f"F1 {f1:.3f}" if mine else ""
            text = words.score(mean) if mine else "–"
            cells.append(Item(text=text, below=below, strong=True))
        first = Item(text="" if rows else "mean", strong=True)
        head = Item(text=_HEADS[split], strong=split == BELIEVED[0])
        n = len({r.device for r in scores.under(split)})
        devices = Item(text=f"{n} device{'' if n == 1 else 's'}")
        rows.append((first, head, *cells, devices))
    return rows


def _sizes(results: Sequence[Result]) -> Item:
    n, sessions = (
        max(getattr(r, what) for r in results) for what in ("n_trials", "n_sessions")
    )
    below = f"{sessions} session{'s' if sessions > 1 else ''}"
    return Item(text=words.count(n), below=below)


def _accuracy_item(result: Result | None, best: float) -> Item:
    if result is None:
        return Item(text="–")
    interval = result.interval
    between = f"{interval.low:.2f}–{interval.high:.2f}\n" if interval else ""
    null = "–" if result.confounded else f"{result.null_accuracy:.2f}"
    return Item(
        text=words.score(result.accuracy),
        below=f"{between}F1 {result.f1:.2f} ∅ {null}",
        strong=result.accuracy == best,
        shade=max(0.0, result.accuracy - 0.35) * 0.7,
    )


def _payload(results: Sequence[Result]) -> Grid:
    by_place = {(r.device, r.split.name): r for r in results}
    rows = []
    for device in dict.fromkeys(r.device for r in results):
        cells = [_accuracy_item(by_place.get((device, s)), 2.0) for s in BELIEVED]
        mine = [r for r in results if r.device == device]
        rows.append((Item(text=device), _sizes(mine), *cells))
    return Grid(
        title="Devices that speak in plain text: accuracy of the payload matcher",
        columns=columns("device", "trials", *_HEADS.values()),
        rows=tuple(rows),
        data=_accuracy_data("payload", results),
        note="Levenshtein distance between payloads, for devices whose packets say "
        "little by size and time.",
    )


def _accuracy_data(
    name: str, results: Sequence[Result], refusals: Sequence[Refusal] = ()
) -> Table:
    empty = [None] * (len(_ACCURACY) - 5)
    refused = tuple(
        (f.device, f.split, SPLITS[f.split].leaky, "", *empty, f.reason)
        for f in refusals
    )
    rows = tuple(_accuracy_record(result) for result in results)
    return Table(name=name, columns=_ACCURACY, rows=rows + refused)


def _accuracy_record(r: Result) -> tuple[Cell, ...]:
    return (
        r.device,
        r.split.name,
        r.split.leaky,
        r.classifier,
        r.accuracy,
        r.interval.low if r.interval else None,
        r.interval.high if r.interval else None,
        r.null_accuracy,
        r.majority,
        r.precision,
        r.recall,
        r.f1,
        r.n_trials,
        r.n_sessions,
        r.split.digest,
        r.split.note,
    )
