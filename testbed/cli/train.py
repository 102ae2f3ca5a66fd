"""`train`: from a campaign to a model that is kept, with its card."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from testbed.cli.learn import DeviceNames, Label, Seed, label_options
from testbed.cli.options import CampaignFolder, CleaningRules, OverlapPolicy
from testbed.cli.packets import make_current
from testbed.cli.starting import load_kernels

if TYPE_CHECKING:
    from analysis.models import DeviceModel

ModelFolder = Annotated[
    Path, typer.Option("--out", help="Folder to write the model to; must be new.")
]
ClassifierName = Annotated[
    str, typer.Option("--classifier", help="rf, knn, nb or another that evaluate has.")
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
        "`classify`; needs the captures.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands of this topic."""
    app.command()(train)


def train(
    folder: CampaignFolder,
    out: ModelFolder,
    device: DeviceNames = None,
    classifier: ClassifierName = "rf",
    idle: IdleWindows = None,
    by: Label = "activity",
    overlap: OverlapPolicy = "refuse",
    clean: CleaningRules = None,
    seed: Seed = 0,
    streaming: Streaming = False,
) -> None:
    """Train a model on a campaign and keep it, with a card that says how good it is."""
    load_kernels()
    from analysis.evaluate.campaign import devices_of
    from analysis.models import save, train_plan_of
    from analysis.models import train as learn
    from analysis.models.store import refuse_present

    options = label_options(by, overlap, clean)
    plan = train_plan_of(classifier, seed=seed, n_idle=idle, **options)
    refuse_present(out)
    devices = devices_of(folder, device or ())
    make_current(folder)
    with _told(devices) as on_device:
        model = learn(folder, devices, plan, on_device=on_device)
    parts = _learn_streaming(folder, devices, seed) if streaming else {}
    size_b = save(model, out, parts=parts)
    for name, made in model.devices.items():
        print(f"{name}: {_scores(made)}")
    kind = "simulated" if model.origin.simulated else "captured"
    print(f"{out}: {len(model.devices)} devices, {size_b} bytes, {kind}; see CARD.md")


def _learn_streaming(
    folder: Path, devices: Sequence[str], seed: int
) -> dict[str, bytes]:
    """Return what `classify` needs, as files of the model."""
    from analysis.streaming.fit import StreamPlan
    from analysis.streaming.learn import learn
    from analysis.streaming.store import to_parts

    with _told(devices) as on_device:
        learnt = learn(folder, devices, StreamPlan(seed=seed), on_device=on_device)
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


@contextmanager
def _told(devices: Sequence[str]) -> Iterator[Callable[[str], None]]:
    """Show a bar on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda name: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("training", total=len(devices))
        begun: list[str] = []

        def on_device(name: str) -> None:
            progress.update(bar, completed=len(begun), description=f"training {name}")
            begun.append(name)

        yield on_device
