"""`doctor`: is the lab fit for a campaign? And the app lock."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from testbed.cli.inside import go_inside
from testbed.cli.options import AsJson
from testbed.cli.places import JOURNAL, OutFolder
from testbed.cli.plan import (
    DEVICES,
    LAB,
    SCENARIOS,
    DevicesFolder,
    LabFile,
    ScenariosFolder,
)
from testbed.cli.timing import controller_clock
from testbed.errors import ConfigError
from testbed.model.applock import load_lock, lock_beside, write_lock
from testbed.model.load import check_all
from testbed.runner.doctor.examine import Examined, Order, examine, lock_of
from testbed.runner.doctor.findings import PARTS, Examination, Finding, Verdict

_MARKS = {
    Verdict.OK: ("ok", "green"),
    Verdict.WARNING: ("warning", "yellow"),
    Verdict.BAD: ("BAD", "bold red"),
    Verdict.NOT_LOOKED: ("not looked", "dim"),
}
ScenarioWord = Annotated[
    str | None,
    typer.Argument(help="Look only at what this scenario needs, and its size."),
]
OnlyParts = Annotated[str, typer.Option("--only", help=f"Some of {','.join(PARTS)}.")]
Switching = Annotated[
    bool, typer.Option("--switch", help="Switch plugs off and on: cuts devices' power.")
]
Locking = Annotated[
    bool,
    typer.Option("--lock", help="Keep phone, apps and selectors in app.lock.yaml."),
]
_WIDE = 130
_ACCEPTED = ("phone.app", "files.lock")  # what a new lock takes as it is


def register(app: typer.Typer) -> None:
    """Add the commands of this topic."""
    app.command()(doctor)


def doctor(
    scenario: ScenarioWord = None,
    lab: LabFile = LAB,
    devices: DevicesFolder = DEVICES,
    scenarios: ScenariosFolder = SCENARIOS,
    only: OnlyParts = "",
    switch: Switching = False,
    lock: Locking = False,
    out: OutFolder = None,
    as_json: AsJson = False,
) -> None:
    """Look at every instrument of the lab; say what is wrong and what to do."""
    parts = _parts(only, lock)
    found = check_all(lab, devices, scenarios)
    if found.profiles:  # what is faulty is looked at from here
        go_inside(found.lab, lab, found.profiles)
    order = Order(
        lab_file=lab,
        devices=devices,
        scenarios=scenarios,
        scenario=scenario or "",
        captures=out,
        journal=str(out / JOURNAL) if out is not None else None,
        only=parts,
        switching=switch,
    )
    examined = _examined(order, as_json)
    if as_json:
        print(json.dumps(examined.examination.plain(), indent=2))
    else:
        _print(examined.examination)
    if lock:
        _lock(examined, lab, as_json)
    code = examined.examination.exit_code_but(_ACCEPTED if lock else ())
    if code:
        raise typer.Exit(code)


def _parts(only: str, lock: bool) -> tuple[str, ...]:
    if not only:
        return PARTS
    wanted = tuple(word.strip() for word in only.split(",") if word.strip())
    for word in wanted:
        if word not in PARTS:
            known = ", ".join(PARTS)
            raise ConfigError(f"--only: must be some of {known}, got {word!r}")
    if lock and "phone" not in wanted:
        raise ConfigError("--lock looks at the phone; leave --only out, or add phone")
    return wanted


def _examined(order: Order, as_json: bool) -> Examined:
    console = Console(stderr=True)
    if as_json or not console.is_terminal:
        return examine(order, controller_clock())
    with console.status("looking at the lab") as status:

        def noted(finding: Finding) -> None:
            status.update(f"looking at the lab: {finding.name} {finding.said.verdict}")

        return examine(order, controller_clock(), noted=noted)


def _lock(examined: Examined, lab_file: Path, quiet: bool) -> None:
    """Write the app lock, which keeps what it knows of devices not looked at."""
    path = lock_beside(lab_file)
    try:
        before = load_lock(path)
    except ConfigError:
        before = None  # it is made anew because it is faulty
    made = lock_of(examined, controller_clock(), before)
    write_lock(path, made)
    if not quiet:
        print(f"{path}: {len(made.devices)} devices")


def _print(found: Examination) -> None:
    table = Table(show_lines=False, pad_edge=False)
    table.add_column("check", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    table.add_column("what was seen")
    for finding in found.findings:
        said = finding.said
        mark, style = _MARKS[said.verdict]
        text = said.said
        if said.remedy:
            text += f"\n-> {said.remedy}"
        table.add_row(_plain(finding.name), f"[{style}]{mark}[/{style}]", _plain(text))
    console = Console(width=None if sys.stdout.isatty() else _WIDE)
    console.print(table)
    counts = ", ".join(
        f"{found.count(v)} {_MARKS[v][0]}" for v in Verdict if found.count(v)
    )
    verdict = "fit for a campaign" if found.ok else "not fit for a campaign"
    print(f"{found.lab or 'the lab'}: {verdict}; {counts}; {found.took_s:.1f} s")


def _plain(text: str) -> str:
    """Return text that rich does not take for markup."""
    return text.replace("[", r"\[")
