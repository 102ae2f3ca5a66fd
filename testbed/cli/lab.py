"""`lab up | down | shell`: the virtual lab by itself; `learn`, `homes`: beside it."""

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from testbed.cli.datasets import find_campaign
from testbed.cli.interrupting import says_when_interrupted
from testbed.cli.lab_homes import homes
from testbed.cli.lab_learn import learn_lab
from testbed.cli.options import AsJson, CampaignFolder
from testbed.cli.packets import tabulate
from testbed.cli.starting import load_kernels
from testbed.errors import ConfigError, LabError
from testbed.model.lab import Lab
from testbed.model.load import load_lab
from testbed.virtual.live import lab as live

LabFile = Annotated[Path, typer.Option("--lab", help="The lab file.")]
LAB = Path("lab.yaml")


def register(app: typer.Typer) -> None:
    """Add the commands of this topic."""
    topic = typer.Typer(
        no_args_is_help=True, help="The virtual lab by itself; what devices need."
    )
    topic.command()(up)
    topic.command()(down)
    topic.command()(shell)
    topic.command()(learn)
    topic.command()(homes)
    app.add_typer(topic, name="lab")


def up(lab: LabFile = LAB) -> None:
    """Bring the virtual lab up; it stays up until `testbed lab down`."""
    handle = live.up(_virtual(lab), lab)
    print(f"{handle.name}: up; testbed lab shell goes in, testbed lab down ends it")


def down(lab: LabFile = LAB) -> None:
    """End the virtual lab, with all its processes and interfaces."""
    virtual = _virtual(lab)
    ended = live.down(virtual)
    print(f"{virtual.lab}: {'down' if ended else 'was not up'}")


def shell(
    lab: LabFile = LAB,
    command: Annotated[
        list[str] | None, typer.Argument(help="Run this instead of a shell.")
    ] = None,
) -> None:
    """Open a shell on the lab's controller; brings the lab up if need be."""
    chosen = command or [os.environ.get("SHELL", "/bin/sh")]
    with live.borrowed(_virtual(lab), lab) as handle:
        if command is None and sys.stdin.isatty():
            print("inside the virtual lab; devices are named: ip netns; exit leaves")
        code = handle.run(chosen)
    raise typer.Exit(code)


def learn(
    folder: CampaignFolder,
    device: Annotated[
        str | None, typer.Option(help="With --out: the device to learn.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Write a lab with a twin of the device; must be new."),
    ] = None,
    activity: Annotated[
        list[str] | None,
        typer.Option(help="With --out: only this activity. May be repeated."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Tell how long each device goes on talking after its label windows.

    What is suggested is the `settle:` of its profile. A campaign with long rests tells
    most: where the next act comes soon, the end of the talk is not seen.

    With --out: learn a twin instead, a virtual device that plays shapes like those of
    the recorded trials, in a lab of its own for `testbed run --fast`.
    """
    load_kernels()
    if out is not None:
        with says_when_interrupted(lambda: "nothing is kept; call it again"):
            learn_lab(folder, device, out, activity or ())
        return
    if device is not None or activity:
        raise ConfigError("--device and --activity go with --out, which is not given")
    _tell_settle(find_campaign(folder).folder, as_json)


def _tell_settle(folder: Path, as_json: bool) -> None:
    from analysis.evaluate.settle import learn_settle

    tabulate(folder)
    found = learn_settle(folder)
    if as_json:
        print(json.dumps([asdict(one) for one in found], indent=2))
        return
    for one in found:
        suggested = "nothing can be said"
        if one.settle_s is not None:
            suggested = f"settle: {one.settle_s} s"
        print(
            f"{one.device}: {suggested}; after {one.n} windows it talked for "
            f"{one.p50_s:.1f} s (median), {one.p95_s:.1f} s (95 %), {one.max_s:.0f} s "
            f"at most{f' ({one.longest})' if one.max_s else ''}; {one.n_cut} were cut "
            f"off by the next act; above {one.quiet_b} B/s, of {one.n_idle_s} quiet s"
        )


def _virtual(path: Path) -> Lab:
    loaded = load_lab(path)
    if loaded.virtual is None:
        raise LabError(f"{path} describes a real lab; it has no `virtual:` part")
    return loaded
