"""`label`: from captures and activities to labels."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from testbed.cli.manifest import manifest_kept_true
from testbed.cli.options import AsJson, CampaignFolder, OverlapPolicy, overlap_of
from testbed.cli.packets import tabulate
from testbed.cli.reading import Reading
from testbed.cli.starting import load_kernels
from testbed.clock import SystemClock

if TYPE_CHECKING:
    from analysis.labelling import LabelReport


def register(app: typer.Typer) -> None:
    """Add the commands of this topic."""
    app.command()(label)


def label_whole(folder: Path) -> None:
    """Write packet tables and labelled captures of a campaign that was just made."""
    from analysis.labelling import label_campaign

    tabulate(folder)
    label_campaign(folder)


def label(
    folder: CampaignFolder,
    overlap: OverlapPolicy = "refuse",
    widen: Annotated[
        bool,
        typer.Option(
            "--widen/--no-widen",
            help="Widen windows by the uncertainty of their start.",
        ),
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Write one labelled capture per device, with a comment on each labelled packet."""
    load_kernels()
    from analysis.labelling import label_campaign

    policy = overlap_of(overlap)
    raw_b = sum(p.stat().st_size for p in (folder / "raw").glob("*") if p.is_file())
    kept_true = manifest_kept_true(folder, "labelled")
    with kept_true, Reading(SystemClock()) as reading:
        reading.begin(raw_b)
        report = label_campaign(
            folder, overlap=policy, widen=widen, progress=reading.read
        )
    if as_json:
        print(json.dumps(asdict(report), indent=2))
        return
    print_labels(report)
    print(f"labelled captures: {folder / 'labelled'}")


def print_labels(report: "LabelReport") -> None:
    """Print what labelling found, a line per device."""
    for each in report.devices:
        line = (
            f"{each.device}: {each.windows} windows, {each.n_labelled} of "
            f"{each.n_packets} packets labelled"
        )
        if each.n_cut or each.n_dropped:
            line += f", {each.n_cut} windows cut, {each.n_dropped} dropped"
        if each.n_uncovered:
            line += f", {each.n_uncovered} outside every capture left out"
        if each.empty:
            line += f", without a packet: trial {', '.join(each.empty)}"
        print(line)
    for sentence in report.unseen:
        print(sentence)
    for name, at in report.truncated.items():
        print(f"{name}: ends inside a packet at byte {at}; read up to there")
