"""`report`: one page about campaigns."""

from pathlib import Path
from typing import Annotated

import typer

from testbed.cli.manifest import keep_manifest_true

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


def register(app: typer.Typer) -> None:
    """Add the commands of this topic."""
    app.command()(report)


def report(
    campaigns: Campaigns,
    behaviour: Behaviour = None,
    out: Out = None,
    seed: Seed = 0,
) -> None:
    """Write a page with everything that the campaigns hold and teach."""
    from analysis.report import write_report

    target = out or campaigns[0] / "report"
    path = write_report(campaigns, target, behaviour or (), seed=seed, say=_say)
    for folder in campaigns:
        keep_manifest_true(folder)
    print(path)


def _say(line: str) -> None:
    print(line, flush=True)
