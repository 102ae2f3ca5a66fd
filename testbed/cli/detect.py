"""`detect`: hours in which the household does not behave as it used to."""

import io
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from testbed.cli.detect_sources import (
    learnt_names,
    owned,
    say,
    say_unknown,
    say_zone,
    split_of,
)
from testbed.cli.options import AsJson, Seed
from testbed.cli.reading import counted
from testbed.errors import ConfigError

if TYPE_CHECKING:
    from analysis.detectors.alarms import Alarm
    from analysis.detectors.hours import Hours
    from analysis.detectors.model import Detector
    from analysis.evaluate.watched.spans import Split
    from analysis.evaluate.watched.verdicts import Verdict

_STDIN = "-"
_PIPE = "standard input"
_UTC = "UTC"
DEFAULT = "ensemble"

Sources = Annotated[
    list[str] | None,
    typer.Argument(
        help="Campaign folders, each watched by itself; or files of events: JSON lines "
        "as `classify --json` prints them, or CSV; or - for such lines as they come."
    ),
]
Owners = Annotated[
    list[str] | None,
    typer.Option(
        "--owner",
        help="Campaign or file of events to learn from, without an intruder; repeat. "
        "Without it the first days of what is watched are learnt from.",
    ),
]
FromDay = Annotated[
    int | None,
    typer.Option(
        "--from-day",
        min=1,
        help="Without --owner: learn from the days before this one, counted from 0; by "
        "default from two thirds of the days.",
    ),
]
Detectors = Annotated[
    list[str] | None,
    typer.Option("--detector", help="Which detector; repeat for several."),
]
Zone = Annotated[
    str | None,
    typer.Option(
        "--zone",
        help="Where people live, such as Europe/Berlin. Without it hours are those of "
        "UTC, by which simulated people live.",
    ),
]
Rate = Annotated[
    float | None,
    typer.Option(
        "--fdr",
        min=0.0,
        max=1.0,
        help="Share of false ones to stay below among the alarms of a week; cautious, "
        "as hours depend on each other. By default each detector's own threshold.",
    ),
]
ExitCode = Annotated[
    bool, typer.Option("--exit-code", help="Leave with 1 where there is an alarm.")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """How to watch, and how to tell."""

    detectors: "tuple[Detector, ...]"
    zone: str
    rate: float | None
    seed: int
    show: "Callable[[Alarm], str]"


def register(app: typer.Typer) -> None:
    """Add the command of this topic."""
    app.command()(detect)


def detect(
    sources: Sources = None,
    owner: Owners = None,
    from_day: FromDay = None,
    detector: Detectors = None,
    zone: Zone = None,
    fdr: Rate = None,
    seed: Seed = 0,
    exit_code: ExitCode = False,
    as_json: AsJson = False,
) -> None:
    """Tell in which hours somebody behaves as the household does not.

    An hour is told with the activity that is strangest in it, and why, in words.
    """
    if not sources:
        raise ConfigError("name what is to be watched: a campaign or a file of events")
    if owner and from_day is not None:
        raise ConfigError("--from-day and --owner: choose one of them to learn from")
    from analysis.detectors.events import check_zone
    from analysis.evaluate.watched.verdicts import check_rate, detectors_of

    check_rate(fdr)
    check_zone(zone or _UTC)
    if zone is None:
        say_zone([*sources, *(owner or ())])
    way = _Way(
        detectors=detectors_of(detector or [DEFAULT]),
        zone=zone or _UTC,
        rate=fdr,
        seed=seed,
        show=_as_json if as_json else _as_line,
    )
    n_alarms = 0
    for source in sources:
        if source == _STDIN:
            n_alarms += _stream(way, owner or ())
        else:
            n_alarms += _watch(
                way, source, split_of(source, owner or (), from_day, way.zone)
            )
    if exit_code and n_alarms:
        raise typer.Exit(1)


def _watch(way: _Way, source: str, split: "Split") -> int:
    """Tell the alarms of one log; return how many there are."""
    from analysis.evaluate.watched.verdicts import verdict

    say_unknown(learnt_names(split.learn), split.score.events, source)
    n_alarms = 0
    for each in way.detectors:
        found = verdict(each, split, seed=way.seed, rate=way.rate)
        n_alarms += _tell(way, found, split.learn, Path(source).name)
        print(_sum(source, found), file=sys.stderr)
    return n_alarms


def _stream(way: _Way, owners: Sequence[str]) -> int:
    """Tell alarms at the events that make them, until standard input ends."""
    if not owners:
        raise ConfigError("-: name an --owner to learn from; a stream begins with none")
    from analysis.detectors.events import events_of_answers
    from analysis.evaluate.watched.live import LiveWatch
    from analysis.evaluate.watched.spans import in_a_row
    from analysis.evaluate.watched.verdicts import learnt
    from analysis.importers.event_lists import answers_of

    learn = in_a_row([owned(owner, way.zone) for owner in owners])
    watches = [
        LiveWatch(each, learnt(each, learn, way.seed), way.rate)
        for each in way.detectors
    ]
    n_events, n_alarms, n_late, known = 0, 0, 0, learnt_names(learn)
    if isinstance(sys.stdin, io.TextIOWrapper):  # bytes that are no text are no JSON
        sys.stdin.reconfigure(errors="replace")
    for answer in answers_of(iter(sys.stdin.readline, ""), _PIPE):
        n_events += 1
        event = events_of_answers([answer], way.zone)
        say_unknown(known, event, _PIPE)
        for watch in watches:
            found = watch.take(event)
            n_alarms += _tell(way, found, learn, _PIPE) if found is not None else 0
        if watches[0].n_late > n_late == 0:
            reason = "an event is more than a week older than one before, and left out"
            say(_PIPE, f"{reason}; did a clock jump?")
        n_late = watches[0].n_late
    if not n_events:
        raise ConfigError(f"{_PIPE}: there is no event; did what should send them end?")
    for watch in watches:
        found = watch.finish()
        n_alarms += _tell(way, found, learn, _PIPE) if found is not None else 0
    if n_late:
        late = f"{counted(n_late, 'event')} more than a week older than others"
        say(_PIPE, f"left out {late}")
    alarms = counted(n_alarms, "alarm")
    print(f"{_PIPE}: {alarms} in {counted(n_events, 'event')}", file=sys.stderr)
    return n_alarms


def _tell(way: _Way, found: "Verdict", learn: "Hours", user: str) -> int:
    """Print the alarms.

    user  whose hours they are: of the household of that log
    """
    from analysis.evaluate.watched.told import alarms_of

    alarms = alarms_of(found, learn, user)
    for alarm in alarms:
        print(way.show(alarm), flush=True)
    return len(alarms)


def _sum(source: str, found: "Verdict") -> str:
    hours = found.hours
    days = len(set(hours.day.tolist()))
    alarms = counted(int(found.alarms.sum()), "alarm")
    return f"{source}: {found.detector}: {alarms} in {counted(days, 'day')}"


def _as_json(alarm: "Alarm") -> str:
    return json.dumps(asdict(alarm))


def _as_line(alarm: "Alarm") -> str:
    from analysis.dissection import printable

    when = f"{datetime.fromisoformat(alarm.hour):%a %Y-%m-%d %H:%M}"
    what = f"{alarm.device}  {alarm.activity}"
    told = f"{when}  {what}  {alarm.reason}  ({alarm.detector}, p {alarm.p:.2g})"
    return printable(told)
