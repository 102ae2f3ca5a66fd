"""What `detect` watches and learns from: logs, and what is to be said of them first."""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from testbed.cli.reading import counted
from testbed.errors import ConfigError

if TYPE_CHECKING:
    from analysis.detectors.events import Events, Name
    from analysis.detectors.hours import Hours
    from analysis.evaluate.watched.spans import Split

DAY_S = 24 * 3600
_ABOUT, _LOG, _JOURNAL = "campaign.yaml", "activities.csv", "journal.jsonl"
_MOST = 5  # names that are listed
_LONG_NS = 21 * DAY_S * 10**9  # without any event, longer than most holidays
_EPOCH_DAY = date(1970, 1, 1).toordinal()


def say(source: str, sentence: str) -> None:
    """Print a sentence about a log on standard error."""
    from analysis.dissection import printable

    print(printable(f"testbed: {source}: {sentence}"), file=sys.stderr)


@contextmanager
def named(source: str) -> Iterator[None]:
    """Say of which log it is that something cannot be done with it."""
    from analysis.errors import RequestError

    try:
        yield
    except RequestError as exc:
        raise RequestError(f"{source}: {exc}") from exc


def split_of(
    source: str, owners: Sequence[str], from_day: int | None, zone: str
) -> "Split":
    """Return what is learnt from and what is scored of a log; say what is odd."""
    from analysis.evaluate.watched.spans import learn_elsewhere, split_days, whole_days

    logs = [owned(owner, zone) for owner in owners]
    with named(source):
        events = read_source(source, zone)
        _say_gap(events, source)
        if not owners:
            split = split_days(events, from_day)
            where = "its own first days, in which nobody else must have acted"
        else:
            _refuse_same(events, dict(zip(owners, logs, strict=True)), source)
            split = learn_elsewhere(logs, whole_days(events))
            where = ", ".join(Path(owner).name for owner in owners)
    say(source, f"learnt from {_days(split.learn)} of {where}")
    return split


def owned(owner: str, zone: str) -> "Events":
    """Return the events of a log to learn from, which has whole days."""
    from analysis.evaluate.watched.spans import whole_days

    with named(owner):
        events = read_source(owner, zone)
        whole_days(events)
    return events


def read_source(source: str, zone: str) -> "Events":
    """Return the events of a campaign, or of a file. Raises ConfigError for none."""
    path = Path(source)
    if path.is_dir():
        from analysis.dataset import load_activities
        from analysis.detectors.events import events_of_log

        _refuse_other_folder(path)
        if _is_unfinished(path):
            say(source, f"is not finished; `testbed resume {path}` goes on with it")
        return events_of_log(load_activities(path), zone)
    if not path.exists():
        raise ConfigError(f"{path}: is not there; name a campaign or a file of events")
    if path.name == _LOG and (path.parent / _ABOUT).is_file():
        raise ConfigError(
            f"{path}: is part of a campaign; name its folder, {path.parent}"
        )
    from analysis.importers.event_lists import read_events

    return read_events(path, zone)


def say_zone(sources: Sequence[str]) -> None:
    """Say that hours are taken as UTC where no log tells where its people live.

    People of simulated campaigns live by the clock of UTC.
    """
    for source in sources:
        if Path(source).exists() and not _is_simulated(Path(source)):
            reason = "does not say where its people live; hours are taken as UTC"
            say(source, f"{reason}, give --zone, such as Europe/Berlin")
            return


def say_unknown(known: "set[Name]", events: "Events", source: str) -> None:
    """Say once what was never learnt: names of another model are strange, all of them.

    known  is added to
    """
    new = sorted({events.names[i] for i in set(events.what.tolist())} - known)
    known.update(new)
    if new:
        names = ", ".join(f"{device} {activity}" for device, activity in new[:_MOST])
        more = f" and {len(new) - _MOST} more" if len(new) > _MOST else ""
        say(source, f"{names}{more} never happened in what was learnt from")


def learnt_names(learn: "Hours") -> "set[Name]":
    """Return what happened at all in what was learnt from."""
    there = learn.counts.sum(axis=0) > 0
    return {name for name, seen in zip(learn.names, there, strict=True) if seen}


def _days(learn: "Hours") -> str:
    """Return how many days these are, and which."""
    days = sorted(set(learn.day.tolist()))
    first, last = (date.fromordinal(_EPOCH_DAY + day) for day in (days[0], days[-1]))
    return f"{counted(len(days), 'day')}, {first} to {last},"


def _say_gap(events: "Events", source: str) -> None:
    """Say on standard error where nothing happened for weeks: days like others."""
    import numpy as np

    if len(events) < 2:
        return
    row = int(np.diff(events.time_ns).argmax())
    first_ns, last_ns = events.time_ns[[row, row + 1]].tolist()
    if last_ns - first_ns > _LONG_NS:
        day = datetime.fromtimestamp(first_ns // 10**9, UTC).date()
        days = (last_ns - first_ns) // (DAY_S * 10**9)
        reason = f"nothing happened for {days} days from {day} on, which count as quiet"
        say(source, f"{reason}; leave out wrong stamps, or days that nobody recorded")


def _refuse_same(events: "Events", owners: "dict[str, Events]", source: str) -> None:
    """Refuse a log whose events are all learnt from as well; say so of some.

    Nothing is found that way, or only that the log repeats itself.
    """
    own = _acts(events)
    for owner, log in owners.items():
        both = len(own & _acts(log))
        if own and both == len(own):
            raise ConfigError(
                f"{source}: all its events are in {owner} as well, which is learnt "
                "from; watch another log, or leave out --owner"
            )
        if both:
            share = f"{both} of its {len(own)} events are in {owner} as well"
            say(source, f"{share}, to the nanosecond; are both of one recording?")


def _acts(events: "Events") -> "set[tuple[int, Name]]":
    what = [events.names[i] for i in events.what.tolist()]
    return set(zip(events.time_ns.tolist(), what, strict=True))


def _refuse_other_folder(path: Path) -> None:
    """Raise ConfigError for a folder that is no campaign; say where one is."""
    from analysis.dataset import instead_of_campaign

    if (path / _ABOUT).is_file() or (path / _LOG).is_file():
        return
    around = next((p for p in path.resolve().parents if (p / _ABOUT).is_file()), None)
    if around is None and (instead := instead_of_campaign(path)):
        raise ConfigError(f"{path}: {instead}")
    remedy = f"did you mean {around}?" if around else f"name one that holds {_ABOUT}"
    raise ConfigError(f"{path}: is no campaign folder; {remedy}")


def _is_unfinished(folder: Path) -> bool:
    """Say whether a campaign was recorded here, and stopped before its end."""
    try:
        last = (folder / _JOURNAL).read_bytes().splitlines()[-1]
        return bool(json.loads(last)["event"] != "campaign_closed")
    except (OSError, IndexError, ValueError, KeyError, TypeError):
        return False


def _is_simulated(source: Path) -> bool:
    from analysis.dataset import load_campaign
    from analysis.errors import DatasetError

    try:
        return load_campaign(source).simulated
    except DatasetError:
        return False
