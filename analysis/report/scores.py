"""How well activities are recognised: Table 1 and Figure 2 of the paper, and more."""

import contextlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import analysis.classifiers
from analysis.classifiers.model import Classifier
from analysis.evaluate.patterns.payloads import payload_study
from analysis.evaluate.samples import samples_in
from analysis.evaluate.splits.named import SPLITS
from analysis.evaluate.study import Refusal, Result, study
from analysis.payload import (
    Captures,
    TooMuchTextError,
    Vocabulary,
    messages_of,
    vocabulary,
)
from analysis.registry import discover
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
from analysis.report.recording import Share
from analysis.report.score_charts import draw_confusion, draw_precision_recall
from analysis.report.tables import Cell, Table

_SPLITS = ("s0_folds", "s1", "s2")
_SHOWN_SPLITS = ("s1", "s0_folds")  # the first that some device allows
_ORDER = ("random_forest", "nearest", "naive_bayes")  # that of the paper's table
_SHORT = {"random_forest": "RF", "nearest": "kNN", "naive_bayes": "NB"}
_HEADS = {
    "s0_folds": "S0 random, 5-fold (leaky)",
    "s1": "S1 by session",
    "s2": "S2 chronological",
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Every result and refusal of one campaign; `payload` are the matcher's."""

    results: tuple[Result, ...]
    refusals: tuple[Refusal, ...]
    classifiers: tuple[Classifier, ...]
    payload: tuple[Result, ...] = ()

    def of(self, device: str, split: str, classifier: str) -> Result | None:
        """Return one result, or None when the split was refused."""
        for r in self.results:
            if (r.device, r.split.name, r.classifier) == (device, split, classifier):
                return r
        return None

    def shown_split(self) -> str | None:
        """Return the split of the pictures; None when all are refused."""
        found = {r.split.name for r in self.results}
        return next((name for name in _SHOWN_SPLITS if name in found), None)

    def headline(self) -> tuple[str, str] | None:
        """Return the best mean accuracy under the shown split, and what it is of."""
        split = self.shown_split()
        if split is None:
            return None
        mean = {
            c.title: float(np.mean([r.accuracy for r in found]))
            for c in self.classifiers
            if (found := [r for r in self.under(split) if r.classifier == c.name])
        }
        best = max(mean, key=lambda title: mean[title])
        where = _HEADS[split].split(",")[0]
        return words.score(mean[best]), f"mean accuracy, {best}, {where}"

    def under(self, split: str) -> tuple[Result, ...]:
        """Return the results of one split."""
        return tuple(r for r in self.results if r.split.name == split)


def payloads_of(
    shares: Sequence[Share], plain: Collection[str], raw: Sequence[Path]
) -> Mapping[str, Vocabulary]:
    """Return what devices that speak in plain text said in their windows.

    plain  names of such devices;  raw  the captures; without them nothing was heard
    """
    if not raw:
        return {}
    captures = Captures(raw)
    said: dict[str, Vocabulary] = {}
    for share in shares:
        if share.device not in plain or not len(share.cut.windows):
            continue
        table, windows = share.cut.cleaned.table, share.cut.windows
        # More text than can be compared is not scored; `testbed evaluate` says so.
        with contextlib.suppress(TooMuchTextError):
            said[share.device] = vocabulary(messages_of(captures, table, windows))
    return said


def measure(
    shares: Sequence[Share],
    seed: int,
    say: Callable[[str], None],
    payloads: Mapping[str, Vocabulary],
) -> Scores:
    """Learn and test the paper's three classifiers under three splits per device."""
    found = discover(analysis.classifiers, "CLASSIFIERS")
    classifiers = tuple(found[name] for name in _ORDER if name in found)
    results: list[Result] = []
    refusals: list[Refusal] = []
    payload: list[Result] = []
    for share in shares:
        if not len(share.cut.windows):
            continue
        say(f"  learning from {share.device}, {len(share.cut.windows)} trials")
        samples = samples_in(share.cut)
        made, refused = study(samples, classifiers, _SPLITS, seed=seed)
        results += made
        refusals += refused
        if share.device in payloads:
            said = payloads[share.device]
            payload += payload_study(samples, said, _SPLITS, seed)[0]
    return Scores(
        results=tuple(results),
        refusals=tuple(refusals),
        classifiers=classifiers,
        payload=tuple(payload),
    )


def recognition(scores: Scores) -> Section:
    """Return the accuracy table, precision and recall, and confusion matrices."""
    split = scores.shown_split()
    if split is None:
        return Section(
            key="recognition",
            title="Recognising activities",
            lead="",
            blocks=(Note(text=_all_refused(scores)),),
        )
    blocks: list[Block] = [_accuracy(scores)]
    blocks += _refused(scores)
    if scores.payload:
        blocks.append(_payload(scores.payload))
    titles = {c.name: c.title for c in scores.classifiers}
    shown = scores.under(split)
    pair = draw_precision_recall(shown, titles, "precision_recall", _HEADS[split])
    blocks.append(Gallery(pictures=(pair,), wide=True))
    best = [_best(shown, d) for d in dict.fromkeys(r.device for r in shown)]
    matrices = [draw_confusion(r, titles[r.classifier]) for r in best]
    head = f"Confusion matrices of the best classifier: {_HEADS[split]}"
    blocks.append(Gallery(title=head, pictures=tuple(matrices)))
    return Section(
        key="recognition",
        title="Recognising activities",
        lead="Accuracy of naming the activity behind a label window, from sizes and "
        "times of its packets alone. S0 is the split of the paper: neighbours in time "
        "are on both sides, so it flatters. S1 tests on sessions that were never seen, "
        "S2 on the future.",
        blocks=tuple(blocks),
    )


def _best(results: Sequence[Result], device: str) -> Result:
    return max((r for r in results if r.device == device), key=lambda r: r.accuracy)


def _all_refused(scores: Scores) -> str:
    reasons = sorted({r.reason.split(":")[0] for r in scores.refusals})
    why = f" ({'; '.join(reasons)})" if reasons else ""
    return (
        "Nothing is learnt from this campaign alone: its trials are too few to part "
        f"into training and test{why}. Record each activity at least five times, in at "
        "least two sessions."
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
    devices = list(dict.fromkeys(r.device for r in scores.results))
    heads = [Column(title="device", number=False)]
    heads.append(Column(title="trials"))
    for split in _SPLITS:
        heads += [
            Column(title=_SHORT.get(c.name, c.title), group=_HEADS[split])
            for c in scores.classifiers
        ]
    rows = [_device_row(scores, device) for device in devices]
    if len(devices) > 1:
        rows.append(_mean_row(scores))
    return Grid(
        title="Accuracy, in the shape of the paper’s Table 1",
        columns=tuple(heads),
        rows=tuple(rows),
        data=_accuracy_data("accuracy", scores.results, scores.refusals),
        note="Small print: the 95 % interval (bootstrap over sessions) and ∅, the "
        "accuracy of the same classifier on labels shuffled within sessions, which "
        "is what chance gives. Bold: the best of the three. Last row: the mean over "
        "devices.",
    )


def _payload(results: Sequence[Result]) -> Grid:
    by_place = {(r.device, r.split.name): r for r in results}
    rows = []
    for device in dict.fromkeys(r.device for r in results):
        cells = [_accuracy_item(by_place.get((device, s)), 2.0) for s in _SPLITS]
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


def _device_row(scores: Scores, device: str) -> tuple[Item, ...]:
    mine = [r for r in scores.results if r.device == device]
    row = [
        Item(text=device),
        _sizes(mine),
    ]
    for split in _SPLITS:
        found = [scores.of(device, split, c.name) for c in scores.classifiers]
        best = max((r.accuracy for r in found if r), default=0.0)
        if not any(found):
            row.append(Item(text="refused", span=len(found)))
            continue
        row += [_accuracy_item(r, best) for r in found]
    return tuple(row)


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
    return Item(
        text=words.score(result.accuracy),
        below=f"{between}∅ {result.null_accuracy:.2f}",
        strong=result.accuracy == best,
        shade=max(0.0, result.accuracy - 0.35) * 0.7,
    )


def _mean_row(scores: Scores) -> tuple[Item, ...]:
    row = [Item(text="mean", strong=True), Item(text="")]
    for split in _SPLITS:
        found = scores.under(split)
        for classifier in scores.classifiers:
            mine = [r.accuracy for r in found if r.classifier == classifier.name]
            text = words.score(float(np.mean(mine))) if mine else "–"
            row.append(Item(text=text, strong=True))
    return tuple(row)


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
