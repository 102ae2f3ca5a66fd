"""`schedule` and `serve`: campaigns that start by themselves."""

import json
import os
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from testbed.cli.options import AsJson, Fast, ScenarioSeed
from testbed.cli.places import OutFolder, Place
from testbed.cli.plan import (
    DEVICES,
    LAB,
    SCENARIOS,
    DevicesFolder,
    LabFile,
    ScenariosFolder,
    make_plan,
)
from testbed.cli.progress import say_at_once
from testbed.cli.reading import counted
from testbed.clock import SystemClock, iso_time
from testbed.errors import ConfigError, LabError
from testbed.model.events import ScheduleAdded
from testbed.model.load import find_scenario, load_lab
from testbed.model.types import parse_seconds
from testbed.runner.campaigns.folder import INPUTS, is_complete
from testbed.runner.journal.lab_lease import leased
from testbed.runner.journal.leases import Lease
from testbed.runner.journal.store import JournalStore, open_store
from testbed.runner.journal.vacancy import taken_by
from testbed.runner.schedules.alarm import ScheduledAlarm
from testbed.runner.schedules.processes import CampaignProcess
from testbed.runner.schedules.schedule import Book, Missed, Schedule
from testbed.runner.schedules.serve import Server
from testbed.runner.schedules.triggers import Trigger, parse_time, trigger_of
from testbed.runner.stop import Stop, interruptible

At = Annotated[
    str | None,
    typer.Option("--at", help="now, 18:30, or 2026-11-23T18:30 (UTC without offset)."),
]
Every = Annotated[
    str | None, typer.Option("--every", help="Such as '6 h'; with --at, from then on.")
]
Cron = Annotated[
    str | None, typer.Option("--cron", help="Five fields, UTC: '30 18 * * mon-fri'.")
]
OnMissed = Annotated[
    str | None,
    typer.Option(
        "--missed",
        help="A missed start: skip (default), late (default with --at now), "
        "or reschedule.",
    ),
]
Grace = Annotated[
    str, typer.Option("--grace", help="How late a start still is in time.")
]


def register(app: typer.Typer) -> None:
    """Add the commands of this topic."""
    topic = typer.Typer(no_args_is_help=True, help="When scenarios are to be run.")
    topic.command(name="add")(add)
    topic.command(name="list")(list_)
    topic.command(name="remove")(remove)
    app.add_typer(topic, name="schedule")
    app.command()(serve)


def add(
    scenario: Annotated[str, typer.Argument(help="Name or file of a scenario.")],
    at: At = None,
    every: Every = None,
    cron: Cron = None,
    missed: OnMissed = None,
    grace: Grace = "60 s",
    lab: LabFile = LAB,
    devices: DevicesFolder = DEVICES,
    scenarios: ScenariosFolder = SCENARIOS,
    fast: Fast = False,
    seed: ScenarioSeed = None,
    out: OutFolder = None,
) -> None:
    """Run a scenario at a time, again and again, or by a cron line; see `serve`."""
    trigger = trigger_of(at, every, cron, SystemClock().now_ns())
    # Whoever says now wants it as soon as somebody serves.
    missed = missed or (Missed.LATE if at == "now" else Missed.SKIP).value
    _check(missed, grace)
    the_lab, _, plan = make_plan(scenario, lab, devices, scenarios, seed)
    if not plan.trials:
        raise ConfigError(f"{scenario}: its plan has no trial; nothing would be run")
    if fast and the_lab.virtual is None:
        raise ConfigError(f"--fast: {lab} describes a real lab; leave it out")
    options = {
        "missed": missed,
        "grace": grace,
        "file": str(find_scenario(scenario, scenarios).resolve()),
        "lab": str(lab.resolve()),
        "devices": str(devices.resolve()),
        **({"fast": "yes"} if fast else {}),
        **({"seed": str(seed)} if seed is not None else {}),
    }
    place = Place.of(the_lab, out)
    first = _added(place, the_lab.lab, plan.scenario, trigger, options)
    print(f"{first}; testbed serve runs it")


def _check(missed: str, grace: str) -> None:
    if missed not in tuple(Missed):
        words = ", ".join(Missed)
        raise ConfigError(f"--missed: must be one of {words}, got {missed!r}")
    _seconds("--grace", grace)


def _added(
    place: Place, lab: str, scenario: str, trigger: Trigger, options: dict[str, str]
) -> str:
    """Journal a schedule; return its name and first start as a sentence."""
    with open_store(place.journal, SystemClock()) as store:
        book = Book(store)
        name = book.free_name(scenario)
        book.add(
            ScheduleAdded(
                schedule=name,
                scenario=scenario,
                lab=lab,
                trigger=trigger.plain(),
                missed=options.pop("missed"),
                options=options,
            )
        )
        due_ns = book.schedules[name].next_ns()
    first = iso_time(due_ns) if due_ns is not None else "never"
    return f"{name}: {trigger.sentence()}; first start {first}"


def list_(lab: LabFile = LAB, out: OutFolder = None, as_json: AsJson = False) -> None:
    """List the schedules with their next start and the last decision."""
    place = Place.of(load_lab(lab), out)
    active: list[Schedule] = []
    if place.has_journal():
        with open_store(place.journal, SystemClock()) as store:
            active = Book(store).active()
    if as_json:
        print(json.dumps([_plain(s) for s in active], indent=2))
        return
    if not active:
        print("there is no schedule; testbed schedule add makes one")
        return
    now_ns = SystemClock().now_ns()
    table = Table()
    for name in ("schedule", "when", "missed", "next start", "last decision"):
        table.add_column(name)
    for one in active:
        plain = _plain(one)
        last = f"{plain['last_decision']} {plain['last_detail']}".strip()
        following = one.next_start(now_ns)
        when = one.trigger.sentence()
        table.add_row(one.schedule, when, one.missed.value, following, last)
    Console(width=None if sys.stdout.isatty() else 140).print(table)


def remove(
    schedule: Annotated[str, typer.Argument(help="As `schedule list` names it.")],
    lab: LabFile = LAB,
    out: OutFolder = None,
) -> None:
    """End a schedule; a campaign of it that is at work is stopped by `serve`."""
    place = Place.of(load_lab(lab), out)
    with open_store(place.journal, SystemClock()) as store:
        Book(store).remove(schedule)
    print(f"{schedule}: removed")


def serve(
    lab: LabFile = LAB,
    out: OutFolder = None,
    until: Annotated[
        str | None, typer.Option("--until", help="Leave then: 18:30, or a date, UTC.")
    ] = None,
    for_: Annotated[
        str | None, typer.Option("--for", help="Leave after this long: '10 min'.")
    ] = None,
    once: Annotated[
        bool, typer.Option("--once", help="Leave when no start is to come.")
    ] = False,
) -> None:
    """Run what is due, one campaign at a time, until Ctrl-C.

    Goes on with what it had begun before, and decides about each start that was missed.
    """
    the_lab = load_lab(lab)
    place = Place.of(the_lab, out)
    stop, clock = Stop(), SystemClock()
    until_s = _until_s(until, for_)
    with ExitStack() as stack:
        store = stack.enter_context(open_store(place.journal, clock))
        lease = Lease(store, f"serve.{the_lab.lab}", clock)
        _alone(lease, the_lab.lab)
        stack.callback(lease.release)
        server = Server(
            store,
            the_lab.lab,
            launcher=Processes(place=place, store=store),
            clock=clock,
            stop=stop,
            lease=lease,
            say=_say,
        )
        n = len(server.book.active(the_lab.lab))
        _say(f"serving {the_lab.lab}: {counted(n, 'schedule')}; process {os.getpid()}")
        alarm = stack.enter_context(ScheduledAlarm(stop))
        stack.enter_context(interruptible(stop, clock, say_at_once))
        server.run(alarm, until_s=until_s, once=once)
    _say("serving is over")


@dataclass(frozen=True, slots=True, kw_only=True)
class Processes:
    """Starts campaigns as `testbed run` and `testbed resume`."""

    place: Place
    store: JournalStore

    def launch(
        self, schedule: Schedule, campaign: str, *, resume: bool
    ) -> CampaignProcess:
        """Start a campaign of this name, or go on with it."""
        options, place = schedule.options, self.place
        folder = place.captures / campaign
        words = ["resume", str(folder), "--lab", options["lab"]]
        # One that was killed before its inputs were frozen begins again, same name.
        if not (resume and (folder / INPUTS).exists()):
            words = ["run", options["file"], "--campaign", campaign]
            words += ["--lab", options["lab"], "--devices", options["devices"]]
            words += ["--fast"] if "fast" in options else []
            words += ["--seed", options["seed"]] if "seed" in options else []
        if place.out is not None:
            words += ["--out", str(place.out)]
        return CampaignProcess(words)

    def busy(self, schedule: Schedule, campaign: str) -> str:
        """Return why the lab is not free, or ''."""
        form = "fast" if "fast" in schedule.options else "live"
        name = leased(form, campaign, schedule.lab)
        holder = taken_by(self.store, name, SystemClock())
        return f"the lab {name!r} is held by {holder}" if holder else ""

    def is_complete(self, campaign: str) -> bool:
        """Say whether a campaign is closed, and its folder is whole."""
        return is_complete(self.place.captures / campaign)


def _alone(lease: Lease, lab: str) -> None:
    try:
        lease.acquire("serve")
    except LabError as exc:
        holder = lease.holder()
        who = holder.name if holder is not None else "another process"
        raise LabError(
            f"lab {lab!r} is served already, by {who}; end that one"
        ) from exc


def _until_s(until: str | None, for_: str | None) -> float | None:
    """Return when to leave, on the monotonic clock; raises ConfigError."""
    clock = SystemClock()
    if until is not None and for_ is not None:
        raise ConfigError("--until and --for exclude each other")
    if for_ is not None:
        return clock.monotonic_s() + _seconds("--for", for_)
    if until is None:
        return None
    now_ns = clock.now_ns()
    try:
        stamp_ns = parse_time(until, now_ns)
    except ConfigError as exc:
        raise ConfigError(str(exc).replace("--at", "--until")) from exc
    return clock.monotonic_s() + (stamp_ns - now_ns) / 1e9


def _seconds(option: str, text: str) -> float:
    try:
        return parse_seconds(text)
    except ValueError as exc:
        raise ConfigError(f"{option}: {exc}, got {text!r}") from None


def _plain(schedule: Schedule) -> dict[str, object]:
    next_ns = schedule.next_ns()
    last = schedule.decisions[-1][1] if schedule.decisions else None
    return {
        "schedule": schedule.schedule,
        "scenario": schedule.scenario,
        "lab": schedule.lab,
        "trigger": schedule.trigger.plain(),
        "missed": schedule.missed.value,
        "grace_s": schedule.grace_s,
        "form": "fast" if "fast" in schedule.options else "live",
        "next": iso_time(next_ns) if next_ns is not None else None,
        "last_decision": last.decision if last else "",
        "last_campaign": last.campaign if last else "",
        "last_detail": last.detail if last else "",
    }


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)
