"""Going on inside the virtual lab, for commands that use its instruments."""

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import typer

from testbed.model.lab import Lab
from testbed.model.profile import DeviceProfile
from testbed.runner.journal.leases import CONTROLLER

_INSIDE = "TESTBED_IN_LAB"


def is_inside() -> bool:
    """Say whether this process is inside the virtual lab."""
    return _INSIDE in os.environ


def go_inside(
    lab: Lab | None,
    lab_file: Path,
    profiles: Mapping[str, DeviceProfile],
    *,
    environment: Callable[[], Mapping[str, str]] = dict,
) -> None:
    """Do this command inside the virtual lab and leave with its exit code.

    Comes back where the lab is none, or we are in it already.

    lab          None for one whose file is faulty, which is no virtual lab
    environment  asked for more of it just before the lab is borrowed
    """
    if lab is None or lab.virtual is None or is_inside():
        return
    from testbed.virtual.live.lab import borrowed  # only where there is one

    # A process inside has a number of its own, which means nothing to people here.
    more = {CONTROLLER: str(os.getpid()), **environment()}
    with borrowed(lab, lab_file, profiles) as handle:
        code = handle.run([sys.executable, "-m", "testbed", *sys.argv[1:]], more)
    raise typer.Exit(code)
