"""`features`, `evaluate`: from a campaign to feature tables and accuracies."""

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from testbed.cli.options import (
    AsJson,
    CampaignFolder,
    CleaningRules,
    OverlapPolicy,
    overlap_of,
    rules_of,
)
from testbed.cli.packets import make_current
from testbed.cli.starting import load_kernels
from testbed.errors import ConfigError

if TYPE_CHECKING:
    from analysis.evaluate.campaign import DeviceStudy, StudyPlan
    from analysis.evaluate.study import Result

T = TypeVar("T")

# tables are never cut to a narrow terminal: a number that is not shown cannot be read
_WIDTH = 200
_CONFOUNDED = (
    "each session holds one activity only: what is recognised may be the session, and "
    "there is no null"
)

DeviceNames = Annotated[
    list[str] | None,
    typer.Option("--device", help="Only this device; may be repeated."),
]
Label = Annotated[
    str,
    typer.Option("--by", help="What makes a class: activity, or activity+channel."),
]
Idle = Annotated[
    int,
    typer.Option(
        "--idle", min=0, help="Draw so many windows of a device without an activity."
    ),
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Seed of all that is random.")]

SplitNames = Annotated[
    list[str] | None,
    typer.Option("--split", help="s0, s1 or s2; may be repeated; by default all."),
]
ClassifierNames = Annotated[
    list[str] | None,
    typer.Option(
        "--classifier",
        help="rf, knn, nb or payload; may be repeated; by default all. Payload is for "
        "devices whose profile says plaintext, and for imported ones.",
    ),
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
    device: DeviceNames = None,
    split: SplitNames = None,
    classifier: ClassifierNames = None,
    seed: Seed = 0,
    by: Label = "activity",
    overlap: OverlapPolicy = "refuse",
    clean: CleaningRules = None,
    idle: Idle = 0,
    as_json: AsJson = False,
) -> None:
    """Score classifiers on a campaign, as Table 1 of the paper, split by split."""
    from analysis.dataset import load_campaign
    from analysis.evaluate.campaign import devices_of, plan_of, studies

    plan = plan_of(
        classifier or (),
        split or (),
        seed=seed,
        n_idle=idle,
        **label_options(by, overlap, clean),
    )
    devices = devices_of(folder, device or ())
    make_current(folder)
    found = list(_tracked(studies(folder, devices, plan), len(devices)))
    campaign = load_campaign(folder)
    about = {
        "campaign": campaign.name,
        "simulated": campaign.simulated,
        "form": campaign.form,
        "seed": seed,
        "by": by,
    }
    if as_json:
        print(json.dumps(about | _for_machines(found, plan), indent=2))
        return
    kind = "simulated" if campaign.simulated else "captured"
    print(f"campaign {campaign.name}: {kind}, {campaign.form}; seed {seed}")
    for name in plan.splits:
        _print_split(name, found, plan)
    _print_notes(found, plan)


def label_options(by: str, overlap: str, clean: list[str] | None) -> dict[str, Any]:
    """Return what --by, --overlap and --clean ask for. Raises ConfigError."""
    from analysis.evaluate.samples import By

    try:
        label = By(by)
    except ValueError as exc:
        reason = f"must be activity or activity+channel, got {by!r}"
        raise ConfigError(f"--by: {reason}") from exc
    return {"by": label, "overlap": overlap_of(overlap), "rules": rules_of(clean)}


def _tracked(steps: Iterator[T], total: int) -> Iterator[T]:
    """Show a bar on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        return steps
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    return iter(
        track(steps, "scoring devices", total=total, console=console, transient=True)
    )


def _for_machines(found: "Sequence[DeviceStudy]", plan: "StudyPlan") -> dict[str, Any]:
    from analysis.evaluate.campaign import record_of

    return {
        "settings": {c.name: c.settings for c in plan.classifiers},
        "cleaning": list(plan.rules),
        "results": [record_of(r) for study in found for r in study.results],
        "refusals": [
            {"device": r.device, "split": r.split, "reason": r.reason}
            for study in found
            for r in study.refusals
        ],
        "devices": [
            {
                "device": s.device,
                "windows": s.n_windows,
                "empty_windows": s.n_empty,
                "uncovered_windows": s.n_uncovered,
                "packets": s.n_packets,
                "removed": dict(s.removed),
            }
            for s in found
        ],
    }


def _titles(plan: "StudyPlan") -> dict[str, str]:
    from analysis.evaluate.payloads import NAME, TITLE

    titles = {c.name: c.title for c in plan.classifiers}
    return titles | ({NAME: TITLE} if plan.with_payload else {})


def _print_split(name: str, found: "Sequence[DeviceStudy]", plan: "StudyPlan") -> None:
    """Print one table: a row per device, a column per classifier, as in the paper."""
    from rich.console import Console
    from rich.table import Table

    from analysis.evaluate.splits import SPLITS

    split = SPLITS[name]
    print(f"\n{split.title}{' (LEAKY)' if split.leaky else ''}: {split.description}")
    titles = _titles(plan)
    table = Table(box=None, pad_edge=False, header_style=None)
    for title in ("device", *titles.values(), "null", "majority", "trials", "sessions"):
        table.add_column(title, no_wrap=True, justify="left")
    asides = []
    for study in found:
        scored = {r.classifier: r for r in study.results if r.split.name == name}
        if scored:
            table.add_row(*_row(study.device, scored, list(titles)))
            asides += [f"{study.device}: {each}" for each in _asides(scored)]
        asides += [
            f"{study.device}: refused: {r.reason}"
            for r in study.refusals
            if r.split == name
        ]
    if table.row_count:
        Console(width=_WIDTH, highlight=False).print(table)
    for line in asides:
        print(line)


def _asides(scored: "dict[str, Result]") -> Iterator[str]:
    """Say what the numbers of a row do not."""
    for note in sorted({r.split.note for r in scored.values() if r.split.note}):
        yield f"left out: {note}"
    if any(r.confounded for r in scored.values()):
        yield _CONFOUNDED
    for result in scored.values():
        if result.answered < 1:
            n_answered = round(result.answered * result.n_trials)
            n_right = round(result.accuracy * result.n_trials)
            yield (
                f"{result.classifier} answers {n_answered} of {result.n_trials} "
                f"windows, {n_right} of them right; the others have no known message"
            )


def _row(device: str, scored: "dict[str, Result]", names: list[str]) -> list[str]:
    one = next(iter(scored.values()))
    null = max(result.null_accuracy for result in scored.values())
    return [
        device,
        *(_cell(scored.get(name)) for name in names),
        "-" if one.confounded else f"{null:.3f}",
        f"{one.majority:.3f}",
        str(one.n_trials),
        str(one.n_sessions),
    ]


def _cell(result: "Result | None") -> str:
    if result is None:
        return "-"
    if result.interval is None:
        return f"{result.accuracy:.3f}"
    low, high = result.interval.low, result.interval.high
    return f"{result.accuracy:.3f} {low:.2f}–{high:.2f}"


def _print_notes(found: "Sequence[DeviceStudy]", plan: "StudyPlan") -> None:
    print("\naccuracy over the test windows of all folds; 95 % interval over sessions,")
    print("never narrower than over trials (none for a single session)")
    print(
        "null      the best of the classifiers when labels are shuffled in each session"
    )
    print("majority  always naming the commonest activity")
    for each in plan.classifiers:
        print(f"{each.title}: {each.settings}")
    if plan.with_payload:
        print("Payload: devices in plain text only; no known message counts as wrong")
    for study in found:
        if study.n_empty:
            print(
                f"{study.device}: {study.n_empty} of {study.n_windows} windows hold no "
                "packet"
            )
        if study.n_uncovered:
            print(
                f"{study.device}: {study.n_uncovered} windows outside every capture "
                "left out"
            )
    print(f"cleaning: {_cleaning(found, plan.rules)}")


def _cleaning(found: "Sequence[DeviceStudy]", rules: Sequence[str]) -> str:
    """Say what each rule removed; one packet may be among those of several."""
    packets = sum(study.n_packets for study in found)
    if not rules:
        return f"no rule, all {packets} packets kept"
    counts = (f"{sum(s.removed[name] for s in found)} {name}" for name in rules)
    return f"{', '.join(counts)} removed of {packets} packets"
