"""`init`, `check`, `plan`: everything that touches no instrument."""

import json
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from testbed.cli.options import ScenarioSeed
from testbed.cli.reading import counted
from testbed.cli.templates import template_folder
from testbed.drivers.registry import Kind, find_driver
from testbed.errors import ConfigError
from testbed.model import applock
from testbed.model.estimate import Estimate, estimate
from testbed.model.lab import Lab
from testbed.model.load import (
    check_all,
    find_scenario,
    load_for_plan,
    load_scenario,
)
from testbed.model.plan import Plan, PlannedTrial
from testbed.model.profile import DeviceProfile
from testbed.model.schema import write_schemas
from testbed.model.source import describe
from testbed.model.unroll import unroll
from testbed.model.wired import Wired, left_out

LabFile = Annotated[Path, typer.Option("--lab", help="The lab file.")]
DevicesFolder = Annotated[
    Path, typer.Option("--devices", help="Folder of device profiles.")
]
ScenariosFolder = Annotated[
    Path, typer.Option("--scenarios", help="Folder of scenarios.")
]
LAB = Path("lab.yaml")
DEVICES = Path("devices")
SCENARIOS = Path("scenarios")

_FEW_DAYS = 14  # that fit beside each other on a screen


def register(app: typer.Typer) -> None:
    """Add the commands of this topic."""
    app.command()(init)
    app.command()(check)
    app.command()(plan)


def init(
    folder: Annotated[Path, typer.Argument(help="Folder to make; must not exist.")],
) -> None:
    """Make a folder with a lab file, device profiles and scenarios to start from."""
    if folder.exists() and any(folder.iterdir()):
        raise ConfigError(f"{folder}: exists and is not empty; name a new folder")
    source = template_folder()
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("lab.yaml", applock.NAME):
        shutil.copy(source / name, folder / name)
    for name in ("devices", "scenarios"):
        shutil.copytree(source / name, folder / name)
    (folder / "captures").mkdir()
    write_schemas(folder / "docs" / "schema")
    print(f"{folder}: a virtual lab with nine devices; try:")
    print(f"  cd {folder} && testbed check && testbed run demo")


def check(
    lab: LabFile = LAB,
    devices: DevicesFolder = DEVICES,
    scenarios: ScenariosFolder = SCENARIOS,
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """Read the lab file, all profiles and all scenarios; list every fault at once."""
    found = check_all(lab, devices, scenarios)
    if found.lab is not None:
        require_drivers(found.lab, lab)
    if as_json:
        faults = [asdict(fault) for fault in found.faults]
        print(json.dumps({"ok": not faults, "faults": faults}, indent=2))
    elif not found.faults:
        n_activities = sum(len(p.activities) for p in found.profiles.values())
        print(
            f"{lab}: ok; {len(found.profiles)} devices with {n_activities} activities, "
            f"{len(found.scenarios)} scenarios"
        )
    else:
        typer.echo(describe(found.faults), err=True)
    if found.faults:
        raise typer.Exit(2)


def plan(
    scenario: Annotated[str, typer.Argument(help="Name or file of a scenario.")],
    lab: LabFile = LAB,
    devices: DevicesFolder = DEVICES,
    scenarios: ScenariosFolder = SCENARIOS,
    seed: ScenarioSeed = None,
    trials: Annotated[
        bool, typer.Option("--trials", help="List every trial in order.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """Show what `run` would do: trials, coverage, duration. Touches nothing."""
    the_lab, profiles, made = make_plan(scenario, lab, devices, scenarios, seed)
    expected = estimate(made, profiles)
    absent = absent_of(find_scenario(scenario, scenarios), the_lab, profiles)
    if as_json:
        doubts = {"left_out": list(absent), "remarks": list(_remarks(made))}
        plain = _as_json(made, expected) | doubts
        print(json.dumps(plain, indent=2))
        return
    console = Console()
    console.print(_coverage(made, expected))
    if any(t.user for t in made.trials):
        console.print(_days(made))
    if trials:
        console.print(_trials(made))
    sessions = len({t.session for t in made.trials})
    length = _duration(expected.duration_s)
    if made.interleave and expected.sequential_s > 1.1 * expected.duration_s:
        length += f" ({_duration(expected.sequential_s)} one after the other)"
    print(
        f"{counted(len(made.trials), 'trial')} "
        f"({expected.n_preparations} of them preparations) "
        f"in {counted(sessions, 'session')}, about {length}; "
        f"seed {made.seed}; lab {the_lab.lab}"
    )
    for line in absent:
        print(f"left out: {line}")
    for line in _remarks(made):
        print(line)


def _remarks(plan: Plan) -> Iterator[str]:
    """Say what no analysis will be able to make of what is planned."""
    if len({t.session for t in plan.trials}) == 1:
        yield (
            "one session: only leaky scores (S0) are possible, as none is new to what "
            "was learnt; set `sessions` in the scenario"
        )


def make_plan(
    scenario: str,
    lab_file: Path,
    devices: Path,
    scenarios: Path,
    seed: int | None = None,
) -> tuple[Lab, dict[str, DeviceProfile], Plan]:
    """Load what a plan needs and unroll it; raises ConfigError with all faults."""
    path = find_scenario(scenario, scenarios)
    lab, profiles, loaded = load_for_plan(lab_file, devices, path)
    require_drivers(lab, lab_file)
    if seed is not None:
        loaded = loaded.model_copy(update={"seed": seed})
    wired = Wired.of(lab)
    made = unroll(loaded, profiles, wired)
    if not made.trials and (absent := left_out(loaded, profiles, wired)):
        raise ConfigError(f"{scenario}: all is left out: {'; '.join(absent)}")
    return lab, profiles, made


def absent_of(
    scenario: Path, lab: Lab, profiles: Mapping[str, DeviceProfile]
) -> tuple[str, ...]:
    """Return what a plan leaves out because no plug of the lab serves it."""
    return left_out(load_scenario(scenario, profiles), profiles, Wired.of(lab))


def require_drivers(lab: Lab, lab_file: Path) -> None:
    """Raise ConfigError where the lab names a driver that does not exist."""
    named: dict[str, tuple[Kind, str]] = {"router": ("router", lab.router.driver)}
    if lab.phone is not None:
        named["phone"] = ("phone", lab.phone.driver)
    if lab.voice is not None:
        named["voice"] = ("voice", lab.voice.driver)
    for name, plug in lab.plugs.items():
        named[f"plugs.{name}"] = ("plug", plug.driver)
    for place, (kind, driver) in named.items():
        try:
            find_driver(kind, driver)
        except ConfigError as exc:
            raise ConfigError(f"{lab_file}: {place}.driver: {exc}") from exc


def _as_json(plan: Plan, expected: Estimate) -> dict[str, object]:
    cells = [
        {"device": d, "activity": a, "channel": c, "network": n, "trials": k}
        for (d, a, c, n), k in sorted(expected.coverage.items())
    ]
    return {
        "scenario": plan.scenario,
        "seed": plan.seed,
        "duration_s": round(expected.duration_s, 1),
        "sequential_s": round(expected.sequential_s, 1),
        "busy_s": {k: round(v, 1) for k, v in expected.busy_s.items()},
        "coverage": cells,
        "trials": [asdict(t) for t in plan.trials],
    }


def _coverage(plan: Plan, expected: Estimate) -> Table:
    table = Table(title=f"{plan.scenario}: trials by device, activity and channel")
    for name in ("device", "activity", "channel", "trials", "δ"):
        table.add_column(name, justify="right" if name in ("trials", "δ") else "left")
    delta = {(t.device, t.activity): t.delta_s for t in plan.trials}
    last = ""
    for (device, activity, channel, network), n in sorted(expected.coverage.items()):
        if last and device != last:
            table.add_section()
        way = f"{channel} ({network})" if network else channel
        shown = device if device != last else ""
        seconds = f"{delta[device, activity]:g} s"
        table.add_row(shown, activity, way, str(n), seconds)
        last = device
    return table


def _days(plan: Plan) -> Table:
    """Return how often each user does something, by day, or by week of a long plan."""
    days = sorted({t.session for t in plan.trials})
    per_column = 1 if len(days) <= _FEW_DAYS else 7
    columns = sorted({day // per_column for day in days})
    acts = Counter((t.user, t.session // per_column) for t in plan.trials if t.user)
    malicious = {t.user for t in plan.trials if t.malicious}
    unit = "day" if per_column == 1 else "week"
    table = Table(title=f"acts of users, {unit} by {unit}; day 0 is a Monday")
    table.add_column("user")
    for column in columns:
        last = min(column * per_column + per_column - 1, days[-1])
        shown = f"{column * per_column}-{last}" if per_column > 1 else str(column)
        table.add_column(shown, justify="right")
    table.add_column("all", justify="right")
    for user in dict.fromkeys(t.user for t in plan.trials if t.user):
        counts = [acts[user, column] for column in columns]
        name = f"{user} (malicious)" if user in malicious else user
        table.add_row(name, *(str(n or "") for n in counts), str(sum(counts)))
    return table


def _trials(plan: Plan) -> Table:
    table = Table(title="trials in the order of the plan")
    timed = any(t.not_before_s is not None for t in plan.trials)
    columns = ("trial", "session", "device", "activity", "channel")
    for name in (*columns, *(("time of day", "user") if timed else ()), ""):
        table.add_column(name)
    for t in plan.trials:
        way = f"{t.channel} ({t.network})" if t.network else str(t.channel)
        note = "preparation" if t.preparation else "malicious" if t.malicious else ""
        when = (_time_of_day(plan, t), t.user) if timed else ()
        row = (t.trial, str(t.session), t.device, t.activity, way, *when, note)
        table.add_row(*row)
    return table


def _time_of_day(plan: Plan, trial: PlannedTrial) -> str:
    if trial.not_before_s is None:
        return ""
    minutes, seconds = divmod(int(plan.begins_s + trial.not_before_s) % 86_400, 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}"


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 2 * 3600:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
