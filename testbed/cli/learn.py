"""`features`, `evaluate`: from a campaign to feature tables and accuracies."""

import json
import os
from collections.abc import Iterator, Sequence
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
    Jobs,
    Label,
    OverlapPolicy,
    Seed,
    Window,
    label_options,
    pairs_of,
    window_of,
)
from testbed.cli.packets import make_current
from testbed.cli.reading import counted
from testbed.cli.score_tables import print_origin, print_scores
from testbed.cli.starting import load_kernels
from testbed.errors import ConfigError

if TYPE_CHECKING:
    from analysis.dataset import Campaign
    from analysis.evaluate.device_study import DeviceStudy, StudyPlan
    from analysis.evaluate.study import Refusal

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
        help="rf, knn, nb, hgb, fusion, another classifier's name or payload; may be "
        "repeated; by default all. Payload is for devices whose profile says "
        "plaintext, and for imported ones.",
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
Renamed = Annotated[
    list[str] | None,
    typer.Option(
        "--as",
        metavar="NAME=NAME",
        help="With --test: a device of FOLDER, and what the other campaign calls it; "
        "may be repeated. A twin is known by itself.",
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
    from analysis.dataset import devices_of

    if out.suffix != ".parquet":
        raise ConfigError(f"--out: {out}: must end in .parquet, which is what it holds")
    devices = devices_of(folder, device or ())
    load_kernels()
    from analysis.evaluate.table import feature_tables, write_features

    options = label_options(by, overlap, clean)
    make_current(folder)
    tables = feature_tables(folder, devices, **options, n_idle=idle, seed=seed)
    height, width = write_features(tables, out)
    print(f"{out}: {counted(height, 'window')}, {width} columns")


def evaluate(
    folder: CampaignFolder,
    test: OtherCampaign = None,
    renamed: Renamed = None,
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
    # what can be wrong is looked at first: the rest takes seconds to load
    splits = _splits(split or (), test)
    devices, left_out, called = _devices(folder, test, device or (), renamed or ())
    from analysis.evaluate.campaign import plan_of

    plan = plan_of(
        classifier or (),
        splits,
        seed=seed,
        n_idle=idle,
        groups=groups,
        curves=curves,
        canaries=canaries,
        window_s=window_of(window),
        jobs=jobs or os.cpu_count() or 1,
        **label_options(by, overlap, clean),
    )
    found, about = _studied(folder, test, devices, plan, called)
    about |= {"left_out": left_out, "called": called} if test is not None else {}
    about |= {"seed": seed, "by": by, "overlap": overlap, "idle": idle}
    about |= {"window": window or None, "splits": [] if test else list(splits)}
    _tell(found, plan, about, as_json=as_json)
    _refuse_nothing(found)


def _tell(
    found: "Sequence[DeviceStudy]",
    plan: "StudyPlan",
    about: dict[str, Any],
    *,
    as_json: bool,
) -> None:
    if as_json:
        print(json.dumps(about | _for_machines(found, plan), indent=2))
        return
    print_origin(about)
    if any(study.results for study in found):
        print_scores(found, plan)  # else the reason is all there is to say


def _splits(asked: Sequence[str], test: Path | None) -> tuple[str, ...]:
    from analysis.evaluate.splits.names import splits_of

    if test is not None and asked:
        raise ConfigError("--test: the campaigns are the split; leave out --split")
    return splits_of(asked)


def _devices(
    folder: Path, test: Path | None, device: Sequence[str], renamed: Sequence[str]
) -> tuple[tuple[str, ...], list[str], dict[str, str]]:
    """Return the devices to score, a sentence for each left out, and other names.

    Those that both campaigns have, where there are two, or twins of them; the names are
    those that `test` has for devices of `folder`, where they differ. Raises
    DatasetError for one that is asked for and is not there, ConfigError where no device
    is left.
    """
    from analysis.dataset import devices_of

    devices = devices_of(folder, device)
    if test is None:
        if renamed:
            raise ConfigError("--as: goes with --test, which is not given")
        return devices, [], {}
    from analysis.compare.matching import matched

    others = devices_of(test)
    asked = pairs_of(renamed, "of FOLDER and what it is called in --test")
    pairs = dict(matched(devices, others, asked, (str(folder), str(test))))
    alone = [name for name in devices if name not in pairs]
    if device and alone:
        devices_of(test, alone)  # refuses those that are not there
    if not pairs:
        how = "name two that are one by --as NAME=NAME"
        raise ConfigError(f"--test: {test}: has no device that {folder} has; {how}")
    if not device:
        alone += [each for each in others if each not in pairs.values()]
    called = {one: two for one, two in pairs.items() if one != two}
    return tuple(pairs), [_LEFT_OUT.format(name) for name in alone], called


def _refuse_nothing(found: "Sequence[DeviceStudy]") -> None:
    """Raise ConfigError where nothing was scored at all, with each reason once."""
    if any(study.results for study in found):
        return
    refused = [each for study in found for each in study.refusals]
    if not refused:
        raise ConfigError("nothing was scored: no device says anything in plain text")
    told = list(_reasons(refused))
    raise ConfigError(
        "\n  ".join(("nothing was scored, every split is refused", *told))
        if len(told) > 1
        else f"nothing was scored, every split is refused; {told[0]}"
    )


def _reasons(refused: "Sequence[Refusal]") -> Iterator[str]:
    """Yield each reason once, with the devices and splits that it is of."""
    splits: dict[tuple[str, str], list[str]] = {}
    for each in refused:
        splits.setdefault((each.device, each.reason), []).append(each.split)
    devices: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for (device, reason), names in splits.items():
        devices.setdefault((reason, tuple(names)), []).append(device)
    for (reason, alike), held in devices.items():
        yield f"{', '.join(held)}: {', '.join(alike)}: {reason}"


def _studied(
    folder: Path,
    test: Path | None,
    devices: Sequence[str],
    plan: "StudyPlan",
    called: dict[str, str],
) -> "tuple[list[DeviceStudy], dict[str, Any]]":
    """Score one campaign, or learn from it and be tested on another."""
    from analysis.dataset import load_campaign
    from analysis.evaluate.campaign import studies, studies_between

    make_current(folder)
    about = _about(load_campaign(folder))
    if test is None:
        with shown_progress() as told:
            return list(studies(folder, devices, plan, told)), about
    make_current(test)
    about |= {"test": _about(load_campaign(test))}
    with shown_progress() as told:
        made = studies_between(folder, test, devices, plan, told, called=called)
        return list(made), about


def _about(campaign: "Campaign") -> dict[str, Any]:
    return {
        "campaign": campaign.name,
        "simulated": campaign.simulated,
        "form": campaign.form,
    }


def _for_machines(found: "Sequence[DeviceStudy]", plan: "StudyPlan") -> dict[str, Any]:
    from analysis.evaluate.records import records_of

    return {
        "classifiers": [c.name for c in plan.classifiers],
        "settings": {c.name: c.settings for c in plan.classifiers},
        "cleaning": list(plan.rules),
    } | records_of(found)
