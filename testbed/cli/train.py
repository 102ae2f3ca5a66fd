"""`train`: from a campaign to a model that is kept, with its card."""

import os
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from testbed.cli.bar import shown_progress
from testbed.cli.folders import refuse_unwritable
from testbed.cli.options import (
    CampaignFolder,
    CleaningRules,
    DeviceNames,
    Jobs,
    Label,
    OverlapPolicy,
    Seed,
    Window,
    label_options,
    window_of,
)
from testbed.cli.packets import make_current
from testbed.cli.reading import counted
from testbed.cli.starting import load_kernels
from testbed.errors import ConfigError

if TYPE_CHECKING:
    from analysis.models import DeviceModel, TrainPlan

_OPEN = "s6"  # leaves activities out of training

ModelFolder = Annotated[
    Path, typer.Option("--out", help="Folder to write the model to; must be new.")
]
ClassifierName = Annotated[
    str,
    typer.Option("--classifier", help="fusion, rf, knn, nb, hgb: as for evaluate."),
]
IdleWindows = Annotated[
    int | None,
    typer.Option(
        "--idle",
        min=0,
        help="Draw so many windows of a device without an activity; by default as many "
        "as its commonest activity has trials.",
    ),
]

Streaming = Annotated[
    bool,
    typer.Option(
        "--streaming",
        help="Learn as well how activities begin in traffic without labels, for "
        "`classify`; needs the captures, and finds its own windows: not with --by, "
        "--clean, --idle, --overlap or --window.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands of this topic."""
    app.command()(train)


def train(
    folder: CampaignFolder,
    out: ModelFolder,
    device: DeviceNames = None,
    classifier: ClassifierName = "fusion",
    idle: IdleWindows = None,
    by: Label = "activity",
    overlap: OverlapPolicy = "refuse",
    clean: CleaningRules = None,
    seed: Seed = 0,
    window: Window = "",
    streaming: Streaming = False,
    jobs: Jobs = 0,
) -> None:
    """Train a model on a campaign and keep it, with a card that says how good it is."""
    from analysis.dataset import devices_of

    devices = devices_of(folder, device or ())
    load_kernels()
    from analysis.models import save, train_plan_of
    from analysis.models import train as learn
    from analysis.models.store import refuse_present

    options = label_options(by, overlap, clean)
    options["window_s"] = window_of(window)
    plan = train_plan_of(classifier, seed=seed, n_idle=idle, **options)
    if streaming:
        _refuse_own_windows(plan)
        _refuse_made_up_times(folder)
    refuse_present(out)
    refuse_unwritable(out, "--out")
    make_current(folder)
    with shown_progress() as told:
        n_jobs = jobs or os.cpu_count() or 1
        model = learn(folder, devices, plan, told=told, jobs=n_jobs)
    parts = _learn_streaming(folder, devices, plan) if streaming else {}
    size_b = save(model, out, parts=parts)
    for name, made in model.devices.items():
        print(f"{name}: {_scores(made)}")
        for line in _left_out(made):
            print(f"{name}: {line}")
    kind = "simulated" if model.origin.simulated else "captured"
    n = counted(len(model.devices), "device")
    print(f"{out}: {n}, {size_b} bytes, {kind}; see CARD.md")


def _refuse_own_windows(plan: "TrainPlan") -> None:
    """Raise ConfigError for options about windows that streaming does not look at."""
    from analysis.models import train_plan_of

    usual = train_plan_of(plan.classifier.name)
    asked = {
        "--by": plan.by != usual.by,
        "--clean": set(plan.rules) != set(usual.rules),
        "--idle": plan.n_idle != usual.n_idle,
        "--overlap": plan.overlap != usual.overlap,
        "--window": plan.window_s != usual.window_s,
    }
    wrong = [option for option, is_asked in asked.items() if is_asked]
    if wrong:
        raise ConfigError(
            f"--streaming finds its own windows, without {', '.join(wrong)}; leave "
            "that out, or train two models, one with --streaming"
        )


def _refuse_made_up_times(folder: CampaignFolder) -> None:
    """Raise ConfigError where nobody recorded what lies between activities."""
    from analysis.dataset import Times, load_campaign

    if load_campaign(folder).times is not Times.RECORDED:
        raise ConfigError(
            f"--streaming learns what lies between activities, and {folder} holds "
            "traces of activities alone; train without it"
        )


def _learn_streaming(
    folder: Path, devices: Sequence[str], plan: "TrainPlan"
) -> dict[str, bytes]:
    """Return what `classify` needs, as files of the model.

    Activities are named by the classifier of the model.
    """
    from analysis.streaming.fit import StreamPlan
    from analysis.streaming.learn import learn
    from analysis.streaming.store import to_parts

    how = StreamPlan(classifier=plan.classifier, seed=plan.seed)
    begun = count()
    with shown_progress() as told:

        def on_device(name: str) -> None:
            told(f"{name}: training for a stream", next(begun), len(devices))

        learnt = learn(folder, devices, how, on_device=on_device)
    return to_parts(learnt)


def _left_out(made: "DeviceModel") -> Iterator[str]:
    """Say which trials were not learnt from, and why."""
    learnt = made.facts.learnt
    if learnt.n_too_close:
        yield (
            f"all windows are {made.longest_s:g} s; "
            f"{counted(learnt.n_too_close, 'act')} left out, another follows too soon"
        )
    if learnt.n_uncovered:
        n = counted(learnt.n_uncovered, "window")
        yield f"{n} outside every capture left out"


def _scores(made: "DeviceModel") -> str:
    said = []
    for score in made.facts.scores:
        if score.reason:
            said.append(f"{score.split} none ({score.reason})")
            continue
        between = ""
        if score.interval is not None:
            between = f" {score.interval[0]:.2f}–{score.interval[1]:.2f}"
        known = " of known activities only" if score.split == _OPEN else ""
        said.append(f"{score.split} {score.accuracy:.3f}{between}{known}")
    learnt = made.facts.learnt
    windows = counted(learnt.n_rows, "window")
    sessions = counted(len(learnt.sessions), "session")
    return f"{windows} of {sessions}; accuracy {', '.join(said)}"
