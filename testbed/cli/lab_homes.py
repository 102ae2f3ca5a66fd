"""`lab homes`: homes with one device each, at the depth of flow records."""

from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import typer

from testbed.cli.bar import shown_progress
from testbed.cli.folders import refuse_unwritable
from testbed.errors import ConfigError
from testbed.model.load import load_profiles

DEVICES = Path("devices")
START = datetime(2026, 10, 12)  # noqa: DTZ001 - a date, without a time or a zone

Out = Annotated[Path, typer.Option(help="The folder to write; must be new.")]
Number = Annotated[
    int, typer.Option("--homes", min=1, help="How many; the first is the lab.")
]
Days = Annotated[int, typer.Option(min=1, help="How many days.")]
Named = Annotated[str, typer.Option(help="The device of all homes.")]
Seed = Annotated[int, typer.Option(help="Same seed, same records.")]
Start = Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="The first day.")]
Staged = Annotated[
    list[str] | None,
    typer.Option(
        "--attack",
        help="Stage an attack: NAME[:low|high][@HOME][/FIRST-LAST], with NAME botnet, "
        "coin_mining, exfiltration or ddos; else in the lab, in the last third of the "
        "days. May be repeated.",
    ),
]
Profiles = Annotated[Path, typer.Option("--devices", help="Folder of device profiles.")]


def homes(
    out: Out,
    number: Number = 8,
    days: Days = 21,
    device: Named = "echo_dot",
    seed: Seed = 1,
    start: Start = START,
    attack: Staged = None,
    profiles: Profiles = DEVICES,
) -> None:
    """Simulate homes with identical devices: weeks of flow records, with causes.

    Nothing is sent. The records are simulated and say so; attacks are columns of
    numbers among them, and the causes are kept apart in truth/.
    """
    from testbed.virtual.homes import Task, read_attack, simulate

    known = load_profiles(profiles)
    if device not in known:
        raise ConfigError(f"{device}: no such device; there are {', '.join(known)}")
    task = Task(
        homes=number,
        days=days,
        seed=seed,
        start=date(start.year, start.month, start.day),
        attacks=tuple(read_attack(text) for text in attack or ()),
    )

    refuse_unwritable(out, "--out")
    with shown_progress() as told:
        total = simulate(task, known[device], out, told=told)
    print(f"{out}: homes: {number}, days: {days}, flow records: {total}, simulated")
