"""`train`: from a campaign to a model that is kept, with its card."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

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
from testbed.cli.starting import load_kernels
from testbed.errors import ConfigError

if TYPE_CHECKING:
    from rich.progress import Progress

    from analysis.models import DeviceModel, TrainPlan

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
    load_kernels()
    from analysis.evaluate.campaign import devices_of
    from analysis.models import save, train_plan_of
    from analysis.models import train as learn
    from analysis.models.store import refuse_present

    options = label_options(by, overlap, clean)
    options["window_s"] = window_of(window)
    plan = train_plan_of(classifier, seed=seed, n_idle=idle, **options)
    if streaming:
        _refuse_own_windows(plan)
    refuse_present(out)
    devices = devices_of(folder, device or ())
    make_current(folder)
    with _told(devices) as bar:
        model = learn(
            folder,
            devices,
            plan,
            on_device=bar.on_device,
            progress=bar.on_fit,
            jobs=jobs or os.cpu_count() or 1,
        )
    parts = _learn_streaming(folder, devices, plan) if streaming else {}
    size_b = save(model, out, parts=parts)
    for name, made in model.devices.items():
        print(f"{name}: {_scores(made)}")
    kind = "simulated" if model.origin.simulated else "captured"
    print(f"{out}: {len(model.devices)} devices, {size_b} bytes, {kind}; see CARD.md")


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


def _learn_streaming(
    folder: Path, devices: Sequence[str], plan: "TrainPlan"
) -> dict[str, bytes]:
    """Return what `classify` needs, as files of the model.

    Activities are named by the classifier of the model.
    """
    from analysis.streaming.fit import StreamPlan
    from analysis.streaming.learn import learn
    from analysis.streaming.store import to_parts

    with _told(devices) as bar:
        how = StreamPlan(classifier=plan.classifier, seed=plan.seed)
        learnt = learn(folder, devices, how, on_device=bar.on_device)
    return to_parts(learnt)


def _scores(made: "DeviceModel") -> str:
    said = []
    for score in made.facts.scores:
        if score.reason:
            said.append(f"{score.split} none ({score.reason})")
        elif score.interval is None:
            said.append(f"{score.split} {score.accuracy:.3f}")
        else:
            low, high = score.interval
            said.append(f"{score.split} {score.accuracy:.3f} {low:.2f}–{high:.2f}")
    n_rows, n_sessions = made.facts.learnt.n_rows, len(made.facts.learnt.sessions)
    return f"{n_rows} windows of {n_sessions} sessions; accuracy {', '.join(said)}"


class _Silent:
    """Nothing is shown."""

    def on_device(self, name: str) -> None:
        """Hear that a device is begun."""

    def on_fit(self, done: int, total: int) -> None:
        """Hear how many of the fits of a device are done."""


class _Bar(_Silent):
    """A bar over all devices, fit by fit."""

    def __init__(self, progress: "Progress", total: int) -> None:
        self._progress = progress
        self._bar = progress.add_task("training", total=total)
        self._begun = 0

    def on_device(self, name: str) -> None:
        """Show which device is learnt."""
        shown = f"training {name}"
        self._progress.update(self._bar, completed=self._begun, description=shown)
        self._begun += 1

    def on_fit(self, done: int, total: int) -> None:
        """Show how far it is."""
        self._progress.update(self._bar, completed=self._begun - 1 + done / total)


@contextmanager
def _told(devices: Sequence[str]) -> Iterator[_Silent]:
    """Show a bar on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield _Silent()
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        yield _Bar(progress, len(devices))
