"""`report`: one page about campaigns."""

import os
from pathlib import Path
from typing import Annotated

import typer

from testbed.cli.bar import shown_progress
from testbed.cli.folders import refuse_changing
from testbed.cli.manifest import keep_manifest_true
from testbed.cli.options import Jobs

Campaigns = Annotated[list[Path], typer.Argument(help="Campaign folders.")]
Behaviour = Annotated[
    list[Path] | None,
    typer.Option(
        "--behaviour", help="Campaign with users, for the study of behaviour; repeat."
    ),
]
Out = Annotated[
    Path | None,
    typer.Option("--out", help="Folder of the report; by default CAMPAIGN/report."),
]
Seed = Annotated[int, typer.Option("--seed", help="For splits and classifiers.")]
Classifiers = Annotated[
    list[str] | None,
    typer.Option(
        "--classifier",
        help="Score these only; by default all, as `testbed evaluate`. Some are slow: "
        "--classifier rf is not.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands of this topic."""
    app.command()(report)


def report(
    campaigns: Campaigns,
    behaviour: Behaviour = None,
    out: Out = None,
    seed: Seed = 0,
    classifier: Classifiers = None,
    jobs: Jobs = 0,
) -> None:
    """Write a page with everything that the campaigns hold and teach."""
    from analysis.report import write_report

    if out is None:
        refuse_changing(campaigns[0], "name a folder elsewhere with --out")
    target = out or campaigns[0] / "report"
    with shown_progress() as told:
        path = write_report(
            campaigns,
            target,
            behaviour or (),
            say=_say,
            seed=seed,
            classifiers=classifier or (),
            jobs=jobs or os.cpu_count() or 1,
            told=told,
        )
    for folder in campaigns:
        keep_manifest_true(folder)
    print(path)


def _say(line: str) -> None:
    print(line, flush=True)
