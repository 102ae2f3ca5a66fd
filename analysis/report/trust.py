"""How far scores can be believed: the split, the probabilities, the rest of the world.

What takes hundreds of fits rests on the classifier that learns in no time; where scores
of all of them are there anyway, all are shown. `evaluate --curves` and `delta` score
any other in the same way.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from analysis.classifiers.model import Classifier
from analysis.dataset import ActivityLog
from analysis.evaluate.delta.scores import SECONDS
from analysis.evaluate.delta.study import DeltaPlan, DeltaStudy, study_delta
from analysis.evaluate.samples import samples_in
from analysis.evaluate.splits.named import SPLITS
from analysis.evaluate.study import Result, parted, scored
from analysis.evaluate.trust.compare import Gap
from analysis.evaluate.trust.curves import CurvePoint, earliness, learning_curve
from analysis.report import words
from analysis.report.blocks import Block, Gallery, Grid, Item, Section, columns
from analysis.report.delta_chart import draw_delta
from analysis.report.recording import Share
from analysis.report.scores import Scores
from analysis.report.tables import Table
from analysis.report.trust_charts import (
    draw_curve,
    draw_open_set,
    draw_reliability,
    draw_splits,
)

QUICK = "nearest"
_OPEN, _CURVES, _DELTA = "s6", "s1", "s1"
_SECONDS = tuple(s for s in SECONDS if s in (1.0, 2.0, 5.0, 10.0, 20.0, 40.0))
# windows of a device: below, a curve says nothing; above, it takes too long for a page
_LEAST, _MOST = 60, 1500
# head of a column, and what δ stand beside
_OF_PROFILE = ("profile s", "the profile’s")
_RECORDED = ("recorded s", "that recorded")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """What is known of the scores of a campaign beside themselves.

    open_set  results under S6;  curves  by sessions and packets;  deltas  by device
    """

    classifier: Classifier
    open_set: tuple[Result, ...]
    curves: tuple[CurvePoint, ...]
    deltas: tuple[DeltaStudy, ...]


def measure_trust(
    shares: Sequence[Share],
    log: ActivityLog,
    classifier: Classifier,
    seed: int,
    say: Callable[[str], None],
) -> Trust:
    """Learn and test again: fewer sessions, less of each window, unknown activities."""
    open_set: list[Result] = []
    curves: list[CurvePoint] = []
    deltas: list[DeltaStudy] = []
    one = (classifier,)
    for share in shares:
        if not len(share.cut.windows):
            continue
        enough = _LEAST <= len(share.cut.windows) <= _MOST
        plan = DeltaPlan(
            classifiers=one if enough else (),
            split=_DELTA,
            seed=seed,
            seconds=_SECONDS,
        )
        deltas.append(study_delta(share.cut.cleaned, log, plan))
        if not enough:
            continue
        samples = samples_in(share.cut)
        splits = {s.name: s for s in parted(samples, (_OPEN, _CURVES), seed)[0]}
        say(f"  how far scores of {share.device} go")
        if _OPEN in splits:
            open_set += scored(samples, one, (splits[_OPEN],), seed=seed)
        if _CURVES in splits:
            split = splits[_CURVES]
            curves += learning_curve(samples, one, split, seed=seed)
            curves += earliness(share.cut, one, split, seed=seed)
    return Trust(
        classifier=classifier,
        open_set=tuple(open_set),
        curves=tuple(curves),
        deltas=tuple(deltas),
    )


def trusted(trust: Trust, scores: Scores, *, recorded: bool = False) -> Section | None:
    """Return the section, None where there is nothing to say.

    recorded  whether δ are spans that somebody else recorded, and no profile's
    """
    results, titles = scores.results, scores.titles
    blocks: list[Block] = []
    if results:
        heads = {name: plan.title for name, plan in SPLITS.items()}
        picture = draw_splits(results, titles, heads)
        blocks.append(Gallery(pictures=(picture,), wide=True))
        blocks += _gaps([gap for s in scores.studies for gap in s.gaps], titles)
    blocks += _reliability(results, titles)
    blocks += _curves(trust)
    blocks += _open_set(trust)
    blocks += _deltas(trust, recorded)
    if not blocks:
        return None
    return Section(
        key="trust",
        title="How far these scores go",
        lead="What a score owes to its split, whether probabilities mean what they "
        "say, how many sessions and packets it takes, what becomes of activities that "
        "were never learnt, and how much depends on the length of label windows. What "
        f"takes hundreds of fits is drawn for {trust.classifier.title} only, which is "
        "quick; those of the others were not measured here, and “testbed evaluate” "
        "and “testbed delta” can.",
        blocks=tuple(blocks),
    )


def _gaps(found: Sequence[Gap], titles: dict[str, str]) -> list[Block]:
    if not found:
        return []
    rows = []
    for each in found:
        between = each.interval
        low_high = f"{between.low:+.3f} to {between.high:+.3f}" if between else "–"
        cells = (f"{each.difference:+.3f}", low_high, words.count(each.n_trials))
        title = titles.get(each.classifier, each.classifier)
        rows.append(tuple(Item(text=t) for t in (each.device, title, *cells)))
    grid = Grid(
        title="What S0 flatters: accuracy under S0 less that under S1",
        columns=columns("device", "classifier", "S0 − S1", "95 %", "trials", texts=2),
        rows=tuple(rows),
        data=Table(
            name="gaps",
            columns=("device", "classifier", "difference", "low", "high", "n_trials"),
            rows=tuple(
                (
                    g.device,
                    g.classifier,
                    g.difference,
                    g.interval.low if g.interval else None,
                    g.interval.high if g.interval else None,
                    g.n_trials,
                )
                for g in found
            ),
        ),
        note="On the trials that both splits test; the interval is over sessions.",
        folded=True,
    )
    return [grid]


def _reliability(results: Sequence[Result], titles: dict[str, str]) -> list[Block]:
    for split in (_CURVES, "s0_folds"):
        mine = [r for r in results if r.split.name == split and r.calibration]
        if mine:
            picture = draw_reliability(mine, titles, SPLITS[split].title)
            return [Gallery(pictures=(picture,), wide=True)]
    return []


def _curves(trust: Trust) -> list[Block]:
    pictures = []
    what = f"{trust.classifier.title}, {SPLITS[_CURVES].title}"
    for of, title, axis in (
        ("sessions", "Accuracy by sessions learnt from", "sessions learnt from"),
        ("packets", "Accuracy by packets seen", "first packets of each window"),
    ):
        if any(p.of == of for p in trust.curves):
            pictures.append(draw_curve(trust.curves, of, f"{title}: {what}", axis))
    return [Gallery(pictures=tuple(pictures))] if pictures else []


def _open_set(trust: Trust) -> list[Block]:
    titles = {trust.classifier.name: trust.classifier.title}
    found = [r for r in trust.open_set if r.open_set is not None]
    return [Gallery(pictures=(draw_open_set(found, titles),))] if found else []


def _deltas(trust: Trust, recorded: bool) -> list[Block]:
    scores = [s for study in trust.deltas for s in study.scores]
    blocks: list[Block] = []
    if scores:
        names = {trust.classifier.name: trust.classifier.title}
        picture = draw_delta(scores, names, "delta", SPLITS[_DELTA].title)
        blocks.append(Gallery(pictures=(picture,), wide=True))
    if any(study.estimates for study in trust.deltas):
        blocks.append(_estimates(trust.deltas, recorded))
    return blocks


def _estimates(deltas: Sequence[DeltaStudy], recorded: bool) -> Grid:
    given, beside = _RECORDED if recorded else _OF_PROFILE
    heads = ("device", "activity", given, "δ s", "95 %", "trials", "sessions")
    rows, data = [], []
    for study in deltas:
        for name, each in sorted(study.estimates.items()):
            given_s = study.given_s[name]
            numbers = (
                f"{given_s:g}",
                f"{each.delta_s:.1f}",
                f"{each.low_s:.1f}–{each.high_s:.1f}",
            )
            counts = (words.count(each.n_trials), words.count(each.n_sessions))
            texts = (study.device, name, *numbers, *counts)
            rows.append(tuple(Item(text=text) for text in texts))
            data.append(
                (
                    study.device,
                    name,
                    given_s,
                    each.delta_s,
                    each.low_s,
                    each.high_s,
                    each.capped,
                    each.n_trials,
                    each.n_sessions,
                )
            )
    return Grid(
        title=f"How long devices answer: δ learnt from all trials beside {beside}",
        columns=columns(*heads, texts=2),
        rows=tuple(rows),
        data=Table(
            name="deltas",
            columns=(
                *("device", "activity", "profile_s", "delta_s", "low_s", "high_s"),
                *("capped", "n_trials", "n_sessions"),
            ),
            rows=tuple(data),
        ),
        note="δ is when the median trial has said 95 % of what it says beyond the "
        "device’s idle rate. Activities without an answer are not listed.",
        folded=True,
    )
