"""`features`, `evaluate`: from a campaign to feature tables and accuracies."""

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from testbed.cli.options import (
    AsJson,
    CampaignFolder,
    CleaningRules,
    DeviceNames,
    Idle,
    Jobs,
    Label,
    OverlapPolicy,
    Seed,
    Window,
    label_options,
    window_of,
)
from testbed.cli.packets import make_current
from testbed.cli.score_tables import print_origin, print_scores
from testbed.cli.starting import load_kernels
from testbed.errors import ConfigError

if TYPE_CHECKING:
    from analysis.dataset import Campaign
    from analysis.evaluate.device_study import DeviceStudy, StudyPlan
    from analysis.evaluate.fits import Told

_LEFT_OUT = "{}: left out, it is in one of the campaigns only"

SplitNames = Annotated[
    list[str] | None,
    typer.Option(
        "--split",
        help="s0 (random, leaky), s1 (by session), s2 (chronological), s3 (by day), s4 "
        "(by unit or home), s5 (by interface), s6 (open set) or all; may be repeated; "
        "by default s0, s1 and s2.",
    ),
]
ClassifierNames = Annotated[
    list[str] | None,
    typer.Option(
        "--classifier",
        help="rf, knn, nb, another classifier's name or payload; may be repeated; by "
        "default all. Payload is for devices whose profile says plaintext, and for "
        "imported ones.",
    ),
]
OtherCampaign = Annotated[
    Path | None,
    typer.Option(
        "--test",
        help="Learn from FOLDER and be tested on this campaign; activities that are "
        "not in both are left out.",
    ),
]
Groups = Annotated[
    bool,
    typer.Option(
        "--groups",
        help="Score as well by groups of activities that can be told apart at all, "
        "learnt from training rows only.",
    ),
]
Curves = Annotated[
    bool,
    typer.Option(
        "--curves",
        help="Accuracy as well by the sessions learnt from, and by how much of each "
        "window is seen.",
    ),
]
Canaries = Annotated[
    bool, typer.Option("--canaries/--no-canaries", help="Measure known leaks.")
]


def register(app: typer.Typer) -> None:
    """Add the commands of this topic."""
    app.command()(features)
    app.command()(evaluate)


def features(
    folder: CampaignFolder,
    out: Annotated[Path, typer.Option("--out", help="Parquet file to write.")],
    device: DeviceNames = None,
    by: Label = "activity",
    overlap: OverlapPolicy = "refuse",
    clean: CleaningRules = None,
    idle: Idle = 0,
    seed: Seed = 0,
) -> None:
    """Write one row of features per label window, for other tools."""
    load_kernels()
    from analysis.evaluate.campaign import devices_of
    from analysis.evaluate.table import feature_tables, write_features

    if out.suffix != ".parquet":
        raise ConfigError(f"--out: {out}: must end in .parquet, which is what it holds")
    options = label_options(by, overlap, clean)
    make_current(folder)
    tables = feature_tables(
        folder, devices_of(folder, device or ()), **options, n_idle=idle, seed=seed
    )
    height, width = write_features(tables, out)
    print(f"{out}: {height} windows, {width} columns")


def evaluate(
    folder: CampaignFolder,
    test: OtherCampaign = None,
    device: DeviceNames = None,
    split: SplitNames = None,
    classifier: ClassifierNames = None,
    seed: Seed = 0,
    by: Label = "activity",
    overlap: OverlapPolicy = "refuse",
    clean: CleaningRules = None,
    idle: Idle = 0,
    window: Window = "",
    groups: Groups = False,
    curves: Curves = False,
    canaries: Canaries = True,
    jobs: Jobs = 0,
    as_json: AsJson = False,
) -> None:
    """Score classifiers on a campaign, as Table 1 of the paper, split by split."""
    from analysis.evaluate.campaign import plan_of

    plan = plan_of(
        classifier or (),
        split or (),
        seed=seed,
        n_idle=idle,
        groups=groups,
        curves=curves,
        canaries=canaries,
        window_s=window_of(window),
        jobs=jobs or os.cpu_count() or 1,
        **label_options(by, overlap, clean),
    )
    if test is not None and split:
        raise ConfigError("--test: the campaigns are the split; leave out --split")
    found, about = _studied(folder, test, device or (), plan)
    about |= {"seed": seed, "by": by, "overlap": overlap, "idle": idle}
    splits = list(plan.splits) if test is None else []
    about |= {"window": window or None, "splits": splits}
    if as_json:
        print(json.dumps(about | _for_machines(found, plan), indent=2))
    else:
        print_origin(about)
        print_scores(found, plan)


def _studied(
    folder: Path, test: Path | None, device: "Sequence[str]", plan: "StudyPlan"
) -> "tuple[list[DeviceStudy], dict[str, Any]]":
    """Score one campaign, or learn from it and be tested on another."""
    from analysis.dataset import load_campaign
    from analysis.evaluate.campaign import devices_of, studies, studies_between

    devices = devices_of(folder, device)
    make_current(folder)
    about = _about(load_campaign(folder))
    if test is None:
        with shown_progress() as told:
            return list(studies(folder, devices, plan, told)), about
    other = load_campaign(test)
    known = {each.name for each in other.devices}
    both = devices_of(test, device) if device else [d for d in devices if d in known]
    alone = [d for d in devices if d not in known]
    alone += [d for d in devices_of(test, device) if d not in devices]
    if not both:
        raise ConfigError(f"--test: {test}: has no device that {folder} has")
    make_current(test)
    about |= {"test": _about(other), "left_out": [_LEFT_OUT.format(d) for d in alone]}
    with shown_progress() as told:
        return list(studies_between(folder, test, both, plan, told)), about


def _about(campaign: "Campaign") -> dict[str, Any]:
    return {
        "campaign": campaign.name,
        "simulated": campaign.simulated,
        "form": campaign.form,
    }


def shown_progress() -> "AbstractContextManager[Told]":
    """Return who is told how far it is: a bar on a terminal, nobody elsewhere."""
    from analysis.evaluate.fits import nobody_told

    return _drawn() if sys.stderr.isatty() else nullcontext(nobody_told)


@contextmanager
def _drawn() -> "Iterator[Told]":
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("reading", total=None)

        def told(what: str, done: int, total: int) -> None:
            progress.update(task, description=what, completed=done, total=total)

        yield told


def _for_machines(found: "Sequence[DeviceStudy]", plan: "StudyPlan") -> dict[str, Any]:
    from analysis.evaluate.records import records_of

    return {
        "classifiers": [c.name for c in plan.classifiers],
        "settings": {c.name: c.settings for c in plan.classifiers},
        "cleaning": list(plan.rules),
    } | records_of(found)
