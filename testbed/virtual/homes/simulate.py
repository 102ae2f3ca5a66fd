"""All homes of a task, one after the other, into a folder."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

import pyarrow as pa

from testbed.errors import ConfigError
from testbed.model.profile import DeviceProfile
from testbed.virtual.homes.attacks import Attack, days_of
from testbed.virtual.homes.files import VERSION, table, write_about, write_home
from testbed.virtual.homes.habits import households
from testbed.virtual.homes.life import Life
from testbed.virtual.homes.places import LAB, Home, draw_homes
from testbed.virtual.homes.span import Span

Tables = tuple[pa.Table, pa.Table]
START = date(2026, 10, 12)  # a Monday; summer time ends in Europe within two weeks


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What to simulate.

    homes    how many; the first is the lab
    attacks  staged attacks, each in one home
    """

    homes: int = 8
    days: int = 21
    seed: int = 1
    start: date = START
    attacks: tuple[Attack, ...] = ()


def simulate(
    task: Task,
    profile: DeviceProfile,
    folder: Path,
    *,
    told: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> int:
    """Write the flow records of all homes; return their number.

    told  called after each day of each home: what, days done, days in all

    They are made beside the folder, which appears when all is written.
    Raises ConfigError, before anything is written, for a home or days of an attack that
    do not exist, and for a folder that is not empty.
    """
    if task.homes < 1 or task.days < 1:
        raise ConfigError("a simulation needs at least one home and one day")
    if folder.exists() and any(folder.iterdir()):
        raise ConfigError(f"{folder}: is not empty; name a new folder")
    homes = draw_homes(task.homes, task.days, task.seed)
    unknown = {a.home for a in task.attacks} - {h.name for h in homes}
    if unknown:
        raise ConfigError(
            f"{', '.join(sorted(unknown))}: no such home; there are "
            f"{', '.join(h.name for h in homes)}"
        )
    span = Span(start=task.start, days=task.days)
    for attack in task.attacks:
        days_of(attack, span)
    part = folder.resolve().with_name(f".{folder.resolve().name}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        total = _write(task, profile, homes, part, told)
        part.replace(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return total


def _write(
    task: Task,
    profile: DeviceProfile,
    homes: tuple[Home, ...],
    folder: Path,
    told: Callable[[str, int, int], None],
) -> int:
    """Write all homes, and homes.json; return the number of records."""
    span = Span(start=task.start, days=task.days)
    people = households(homes, profile.device, span, task.seed)
    total = 0

    def told_of(days: Iterator[Tables], name: str, k: int) -> Iterator[Tables]:
        for day, tables in enumerate(days, 1):
            told(name, k * span.days + day, len(homes) * span.days)
            yield tables

    for k, (home, uses) in enumerate(zip(homes, people, strict=True)):
        staged = tuple(a for a in task.attacks if a.home == home.name)
        life = Life(home, profile, span, task.seed, uses, staged)
        days = told_of(_tables(life), home.name, k)
        total += write_home(folder, home.name, days)
    write_about(folder, _about(task, profile, homes))
    return total


def _tables(life: Life) -> Iterator[Tables]:
    profile, home = life.profile, life.home
    same = {
        "home": home.name,
        "device": profile.device,
        "model": f"{profile.vendor} {profile.model}",
    }
    for records in life.days():
        yield table(records, life.sheet.ends, same, f"{home.network}.13")


def _about(
    task: Task, profile: DeviceProfile, homes: tuple[Home, ...]
) -> dict[str, object]:
    return {
        "version": VERSION,
        "simulated": True,
        "seed": task.seed,
        "device": profile.device,
        "model": f"{profile.vendor} {profile.model}",
        "start": task.start.isoformat(),
        "days": task.days,
        "lab": LAB,
        "attacks": [asdict(a) for a in task.attacks],
        "homes": [asdict(h) for h in homes],
    }
