"""`lab up | down | shell`: the virtual lab by itself."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from testbed.errors import LabError
from testbed.model.lab import Lab
from testbed.model.load import load_lab
from testbed.virtual.live import lab as live

LabFile = Annotated[Path, typer.Option("--lab", help="The lab file.")]
LAB = Path("lab.yaml")


def register(app: typer.Typer) -> None:
    """Add the commands of this topic."""
    topic = typer.Typer(no_args_is_help=True, help="The virtual lab by itself.")
    topic.command()(up)
    topic.command()(down)
    topic.command()(shell)
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


def _virtual(path: Path) -> Lab:
    loaded = load_lab(path)
    if loaded.virtual is None:
        raise LabError(f"{path} describes a real lab; it has no `virtual:` part")
    return loaded
