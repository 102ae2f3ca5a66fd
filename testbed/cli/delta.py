"""`delta`: how long devices answer, and what accuracy depends on it."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from testbed.cli.bar import shown_progress
from testbed.cli.options import (
    AsJson,
    CampaignFolder,
    CleaningRules,
    DeviceNames,
    Idle,
    Seed,
    rules_of,
)
from testbed.cli.packets import make_current
from testbed.cli.reading import counted
from testbed.errors import ConfigError

if TYPE_CHECKING:
    from analysis.classifiers.model import Classifier
    from analysis.dataset import Campaign
    from analysis.evaluate.delta.estimate import DeltaEstimate
    from analysis.evaluate.delta.scores import DeltaScore
    from analysis.evaluate.delta.study import DeltaPlan, DeltaStudy

_WIDTH = 200
_PAYLOAD = "payload"
_SPLITS = ("s0_folds", "s0_holdout", "s1", "s2", "s3", "s4", "s5")

Scored = Annotated[
    list[str] | None,
    typer.Option(
        "--classifier",
        help="Score this one by δ: by rule, δ learnt inside each fold, and by seconds; "
        "may be repeated.",
    ),
]
SplitName = Annotated[
    str, typer.Option("--split", help="s0_folds, s0_holdout or one of s1 to s5.")
]
GapShare = Annotated[
    float,
    typer.Option(
        "--gap-share",
        min=0.05,
        max=1.0,
        help="δ is at most so much of the shortest time to the device's next act.",
    ),
]
PictureFile = Annotated[
    Path | None,
    typer.Option("--picture", help="Draw accuracy against δ into this SVG file."),
]


def register(app: typer.Typer) -> None:
    """Add the commands of this topic."""
    app.command()(delta)


def delta(
    folder: CampaignFolder,
    device: DeviceNames = None,
    classifier: Scored = None,
    split: SplitName = "s1",
    idle: Idle = 0,
    gap_share: GapShare = 0.8,
    clean: CleaningRules = None,
    seed: Seed = 0,
    picture: PictureFile = None,
    as_json: AsJson = False,
) -> None:
    """Learn how long each activity's answer is, and compare with the profile's δ."""
    from analysis.dataset import devices_of, load_campaign

    # what can be wrong is looked at first: the rest takes seconds to load
    _check(split, picture, classifier)
    devices = devices_of(folder, device or ())
    from analysis.evaluate.campaign import plan_of
    from analysis.evaluate.delta.study import DeltaPlan, delta_study
    from analysis.evaluate.samples import open_recorded

    classifiers = plan_of(classifier).classifiers if classifier else ()
    plan = DeltaPlan(
        classifiers=classifiers,
        split=split,
        n_idle=idle,
        seed=seed,
        gap_share=gap_share,
        rules=rules_of(clean),
    )
    make_current(folder)
    recorded = open_recorded(folder)
    with shown_progress() as told:
        found = [delta_study(recorded, name, plan, told) for name in devices]
    _print(load_campaign(folder), found, plan, as_json)
    # what was found is shown even where there is nothing to draw
    if picture is not None:
        _draw(found, classifiers, split, picture)


def _print(
    campaign: "Campaign",
    found: "Sequence[DeltaStudy]",
    plan: "DeltaPlan",
    as_json: bool,
) -> None:
    if as_json:
        about = {"campaign": campaign.name, "simulated": campaign.simulated}
        print(json.dumps(about | _for_machines(found, plan), indent=2))
        return
    kind = "simulated" if campaign.simulated else "captured"
    print(f"campaign {campaign.name}: {kind}, {campaign.form}; seed {plan.seed}")
    _print_estimates(found, recorded=campaign.form == "imported")
    _print_scores(found)


def _check(split: str, picture: Path | None, classifier: list[str] | None) -> None:
    if split not in _SPLITS:
        raise ConfigError(
            f"--split: must be one of {', '.join(_SPLITS)}, got {split!r}"
        )
    if _PAYLOAD in (classifier or ()):
        raise ConfigError(
            f"--classifier: {_PAYLOAD} reads single messages, whatever δ is; name one "
            "that reads windows, as rf"
        )
    if picture is not None and not classifier:
        raise ConfigError("--picture: name a --classifier to draw")
    if picture is not None and picture.suffix != ".svg":
        raise ConfigError(f"--picture: {picture}: must end in .svg, which it will be")


def _draw(
    found: "Sequence[DeltaStudy]",
    classifiers: "Sequence[Classifier]",
    split: str,
    path: Path,
) -> None:
    from analysis.evaluate.splits.named import SPLITS
    from analysis.report.delta_chart import draw_delta

    scores = [score for study in found for score in study.scores]
    if not scores:
        reasons = "; ".join(f"{study.device}: {study.refused}" for study in found)
        raise ConfigError(f"--picture: nothing could be scored: {reasons}")
    titles = {each.name: each.title for each in classifiers}
    drawn = draw_delta(scores, titles, path.stem, SPLITS[split].title)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(drawn.svg, encoding="utf-8")


def _for_machines(found: "Sequence[DeltaStudy]", plan: "DeltaPlan") -> dict[str, Any]:
    return {
        "seed": plan.seed,
        "split": plan.split,
        "gap_share": plan.gap_share,
        "devices": [asdict(study) for study in found],
    }


def _print_estimates(found: "Sequence[DeltaStudy]", *, recorded: bool) -> None:
    """Print δ beside the one given.

    recorded  whether that is the span somebody else recorded, and no profile's
    """
    from rich.console import Console
    from rich.table import Table

    from analysis.evaluate.delta.rules import DeltaRule, deltas_by

    table = Table(box=None, pad_edge=False, header_style=None)
    given = "recorded s" if recorded else "profile s"
    heads = ("device", "activity", given, "δ s", "95 %", "shared s")
    for title in (*heads, "trials", "sessions", "note"):
        table.add_column(title, no_wrap=True, justify="left")
    for study in found:
        by_group = deltas_by(DeltaRule.GROUP, study.estimates, study.given_s)
        for name, given_s in sorted(study.given_s.items()):
            estimate = study.estimates.get(name)
            if estimate is None:
                cells: tuple[str, ...] = (*("-",) * 5, _why(study, name))
            else:
                note = "; ".join(_notes(study, estimate))
                cells = (*_cells(estimate, by_group[name]), note)
            table.add_row(study.device, name, f"{given_s:g}", *cells)
    Console(width=_WIDTH, highlight=False).print(table)


def _why(study: "DeltaStudy", activity: str) -> str:
    from analysis.evaluate.delta.estimate import MIN_RUNS

    n_runs = study.n_runs.get(activity, 0)
    if n_runs >= MIN_RUNS:
        return "no answer is heard"
    why = f"fewer than {MIN_RUNS} trials to learn from"
    if n_short := study.n_trials.get(activity, 0) - n_runs:
        why += f", {n_short} more cut short by the next act"
    return why


def _notes(study: "DeltaStudy", estimate: "DeltaEstimate") -> Iterator[str]:
    """Say what an estimate does not rest on."""
    name = estimate.activity
    if estimate.capped:
        yield "cut short by the next act"
    n_runs = study.n_runs[name]
    if n_short := study.n_trials[name] - n_runs:
        yield f"{n_short} not learnt from, the next act came too soon"
    if n_silent := n_runs - estimate.n_trials:
        yield f"{n_silent} without an answer"


def _cells(estimate: "DeltaEstimate", shared_s: float) -> tuple[str, ...]:
    return (
        f"{estimate.delta_s:.1f}",
        f"{estimate.low_s:.1f}–{estimate.high_s:.1f}",
        f"{shared_s:.1f}",
        str(estimate.n_trials),
        str(estimate.n_sessions),
    )


def _print_scores(found: "Sequence[DeltaStudy]") -> None:
    from rich.console import Console
    from rich.table import Table

    for study in found:
        if study.refused:
            print(f"{study.device}: refused: {study.refused}")
    scores = [score for study in found for score in study.scores]
    if not scores:
        return
    print("\naccuracy by δ; learnt inside each fold where a rule learns it")
    table = Table(box=None, pad_edge=False, header_style=None)
    heads = ("device", "classifier", "rule", "mean δ s", "accuracy", "macro F1")
    for title in (*heads, "length only", "windows", "idle", "sessions"):
        table.add_column(title, no_wrap=True, justify="left")
    for score in scores:
        table.add_row(*_score_cells(score))
    Console(width=_WIDTH, highlight=False).print(table)
    print("length only: the accuracy of knowing nothing but how long a window is")
    for study in found:
        if study.n_cut:
            trials = counted(study.n_cut, "trial")
            print(f"{study.device}: {trials} left out, cut by the next act")


def _score_cells(score: "DeltaScore") -> tuple[str, ...]:
    between = ""
    if score.interval is not None:
        between = f" {score.interval.low:.2f}–{score.interval.high:.2f}"
    return (
        score.device,
        score.classifier,
        score.rule,
        f"{score.seconds:.1f}",
        f"{score.accuracy:.3f}{between}",
        f"{score.f1:.3f}",
        f"{score.length_only:.3f}",
        str(score.n_trials),
        str(score.n_idle),
        str(score.n_sessions),
    )
