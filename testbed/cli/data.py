"""`label`: from captures and activities to labels."""

import json
from dataclasses import asdict
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from testbed.cli.folders import refuse_changing, refuse_inside
from testbed.cli.manifest import manifest_kept_true
from testbed.cli.options import AsJson, CampaignFolder, OverlapPolicy, overlap_of
from testbed.cli.packets import tabulate
from testbed.cli.reading import Reading, counted
from testbed.cli.starting import load_kernels
from testbed.clock import SystemClock
from testbed.errors import ConfigError

if TYPE_CHECKING:
    from analysis.labelling import LabelReport


# what --as writes, by its name
_KINDS = {
    "pcapml": ("labels.csv",),
    "zeek": ("conn.log.labeled",),
    "netflowlabeler": ("labels.config", "conn.log"),
}


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
    kind: Annotated[
        str,
        typer.Option(
            "--as",
            help="Write the labels of a labelled campaign for other tools instead: "
            "pcapml, zeek or netflowlabeler.",
        ),
    ] = "",
    out: Annotated[
        Path | None,
        typer.Option("--out", help="With --as: folder for what is written."),
    ] = None,
    force: Annotated[
        bool,
        typer.Option("--force", help="With --as: replace what is there already."),
    ] = False,
) -> None:
    """Write one labelled capture per device, with a comment on each labelled packet."""
    load_kernels()
    if kind or out is not None:
        _export(folder, kind, out, force=force)
        return
    if force:
        raise ConfigError("--force belongs to --as; labelled captures are replaced")
    _label(folder, overlap, widen=widen, as_json=as_json)


def _label(folder: Path, overlap: str, *, widen: bool, as_json: bool) -> None:
    """Write labelled captures, and print what was found."""
    from analysis.labelling import label_campaign

    policy = overlap_of(overlap)
    refuse_changing(folder, "copy the campaign, and name the copy")
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


def _export(folder: Path, kind: str, out: Path | None, *, force: bool) -> None:
    """Write labels in the format of another tool. Raises ConfigError."""
    if kind and kind not in _KINDS:
        near = get_close_matches(kind, _KINDS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"use {', '.join(_KINDS)}"
        raise ConfigError(f"--as: {kind!r} is no format of labels; {hint}")
    if not kind or out is None:
        raise ConfigError(f"give --as {', '.join(_KINDS)} and --out FOLDER")
    if out.exists() and not out.is_dir():
        raise ConfigError(f"--out: {out} is no folder; name one, or one to be made")
    refuse_inside(out, "--out")
    there = [out / name for name in _KINDS[kind] if (out / name).exists()]
    if there and not force:
        raise ConfigError(f"{there[0]} is there already; --force replaces it")
    from analysis.exporters import labels

    if kind == "pcapml":
        path = out / "labels.csv"
        n = labels.write_pcapml_rules(folder, path)
        print(f"{counted(n, 'rule')}: {path}")
        return
    with Reading(SystemClock()) as reading:
        raw = (folder / "raw").glob("*")
        reading.begin(sum(path.stat().st_size for path in raw if path.is_file()))
        if kind == "zeek":
            path = out / "conn.log.labeled"
            n, n_labelled = labels.write_labelled_conn_log(
                folder, path, progress=reading.read
            )
        else:
            path = out / "conn.log"
            n, n_labelled = labels.write_netflow_rules(
                folder, out / "labels.config", path, progress=reading.read
            )
    what = "with a label" if kind == "zeek" else f"by the rules {out / 'labels.config'}"
    print(f"{counted(n, 'flow record')}, {n_labelled} {what}: {path}")


def print_labels(report: "LabelReport") -> None:
    """Print what labelling found, a line per device."""
    for each in report.devices:
        line = (
            f"{each.device}: {counted(each.windows, 'window')}, {each.n_labelled} of "
            f"{counted(each.n_packets, 'packet')} labelled"
        )
        if each.n_cut or each.n_dropped:
            cut = counted(each.n_cut, "window")
            line += f", {cut} cut, {each.n_dropped} dropped"
        if each.n_uncovered:
            line += f", {each.n_uncovered} outside every capture left out"
        if each.empty:
            line += f", without a packet: trial {', '.join(each.empty)}"
        print(line)
    for sentence in report.unseen:
        print(sentence)
    for name, at in report.truncated.items():
        print(f"{name}: ends inside a packet at byte {at}; read up to there")
