"""Events of a week in a real house, read in their stated time zone, through `detect`.

    TESTBED_PUBLIC_DATA=FOLDER python -m tests.bench.fit_events [--out FOLDER]

The labels of fit-iot-week (Campos and O'Connor, CSET 2021) are local times of
America/New_York, whose clock was changed on 14 March 2021 within the week. Nobody knows
of an intruder: what is told are alarms on benign days, as they are. Events of a fixed
schedule (ifttt-actions) are scored apart, as nobody lived them. Of the part of the data
that is held here, all devices have labels for 8 to 11 March, three for the whole week.
Only hours that were recorded from beginning to end are learnt and scored: that nothing
is known of the first morning does not mean that nothing happened.
"""

import argparse
import csv
import json
import os
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

import analysis.detectors
from analysis.detectors.events import Events
from analysis.detectors.hours import HOUR_NS, Hours
from analysis.evaluate.watched.spans import Split, split_days, whole_days
from analysis.evaluate.watched.verdicts import detectors_of, verdict
from analysis.importers.event_lists import read_events
from analysis.registry import discover

ZONE = "America/New_York"
FORMS = ("%B %d, %Y at %I:%M:%S%p", "%B %d, %Y at %I:%M%p")
LIVED = ("android-events", "ifttt-events", "smartthings-events")
SCHEDULED = ("ifttt-actions",)
WHOLE_WEEK = ("blink-cam-01", "schlage-lock-01", "sifely-hub-01")
RECORDED = ("2021-03-08T13:30Z", "2021-03-15T21:16Z")  # as its authors say
Record = dict[str, Any]


def rows_of(path: Path) -> Iterator[tuple[datetime, str, str]]:
    """Yield local time, device and event of each label."""
    with path.open(encoding="utf-8", newline="") as file:
        for text, device, event in csv.reader(file):
            yield _moment(text), device, event


def _moment(text: str) -> datetime:
    for form in FORMS:
        try:
            return datetime.strptime(text, form)  # noqa: DTZ007 - see ZONE
        except ValueError:
            continue
    raise ValueError(f"{text!r} is no time of these labels")


def there(moment: datetime) -> bool:
    """Say whether a local time exists, once."""
    zone = ZoneInfo(ZONE)
    early, late = (moment.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    return early.utcoffset() == late.utcoffset()


def write_list(source: Path, names: Sequence[str], out: Path) -> Record:
    """Write events as a CSV for `detect`; return how many there are, and are not."""
    moments = [row for name in names for row in rows_of(source / f"{name}.csv")]
    kept = sorted({row for row in moments if there(row[0])})
    with out.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("start", "device", "activity"))
        writer.writerows((f"{at:%Y-%m-%d %H:%M:%S}", *what) for at, *what in kept)
    in_no_hour = sum(not there(row[0]) for row in moments)
    return {"rows": len(moments), "distinct": len(kept), "in_no_hour": in_no_hour}


def recorded(split: Split) -> Split:
    """Return the hours that were recorded as a whole."""
    first, last = (datetime.fromisoformat(text).timestamp() for text in RECORDED)

    def whole(hours: Hours) -> Hours:
        begun = hours.start_ns >= round(first) * 10**9
        return hours.take(begun & (hours.end_ns <= round(last) * 10**9))

    return Split(learn=whole(split.learn), score=whole(split.score))


def scored(events: Events, n_days: int) -> Record:
    """Return alarms per week of each detector on the days from `n_days` on."""
    split = recorded(split_days(events, n_days))
    found: Record = {}
    for detector in detectors_of(list(discover(analysis.detectors, "DETECTORS"))):
        said = verdict(detector, split)
        at_rate = verdict(detector, split, rate=0.1)
        weeks = len(said.hours) / 168
        found[detector.name] = {
            "alarms": int(said.alarms.sum()),
            "alarms_fdr": int(at_rate.alarms.sum()),
            "per_week": float(said.alarms.sum() / weeks),
        }
    length = split.score.end_ns - split.score.start_ns
    return {
        "events": len(events),
        "activities": len(events.names),
        "learn_hours": len(split.learn),
        "score_hours": len(split.score),
        "active_hours": int((split.score.total > 0).sum()),
        "hours_of_days": np.bincount(split.score.day - split.score.day[0]).tolist(),
        "short_hours": int((length < HOUR_NS).sum()),
        "detectors": found,
    }


def main(argv: Sequence[str] | None = None) -> None:
    """Read, score, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("build/bench/fit"))
    options = parser.parse_args(argv)
    options.out.mkdir(parents=True, exist_ok=True)
    labels = Path(os.environ["TESTBED_PUBLIC_DATA"]) / "fit-iot-week" / "labels"
    facts: Record = {"captured": True, "zone": ZONE}
    for kind, names in (("lived", LIVED), ("scheduled", SCHEDULED)):
        path = options.out / f"{kind}.csv"
        read = write_list(labels, names, path)
        events = read_events(path, ZONE)
        facts[kind] = {**read, "all_devices": scored(first_days(events, 4), 3)}
        week = _of_devices(events, WHOLE_WEEK)
        if len(week):
            facts[kind]["three_devices"] = scored(week, 5)
    (options.out / "fit.json").write_text(json.dumps(facts, indent=1) + "\n", "utf-8")
    print("\n".join(table_of(facts)))


def table_of(facts: Record) -> Iterator[str]:
    """Yield the figures as a section of a page."""
    parts = {
        "all devices, 3 days learnt, 1 scored": facts["lived"]["all_devices"],
        "3 devices, 5 days learnt, 3 scored": facts["lived"]["three_devices"],
        "fixed schedule, 3 days learnt, 1 scored": facts["scheduled"]["all_devices"],
    }
    for title, part in parts.items():
        hours = " + ".join(str(n) for n in part["hours_of_days"])
        yield (
            f"- {title}: {part['events']} events, {hours} local hours scored, "
            f"{part['active_hours']} of them with events"
        )
    yield ""
    yield f"| alarms, own / FDR 0.1 | {' | '.join(parts)} |"
    yield "|---|" + "--:|" * len(parts)
    for name in facts["lived"]["all_devices"]["detectors"]:
        cells = [part["detectors"][name] for part in parts.values()]
        told = [f"{each['alarms']} / {each['alarms_fdr']}" for each in cells]
        yield f"| {name} | {' | '.join(told)} |"
    yield ""


def first_days(events: Events, n_days: int) -> Events:
    """Return the events of the first days on the local clock."""
    hours = whole_days(events)
    end_ns = hours.end_ns[hours.day < hours.day[0] + n_days].max()
    return events.between(int(hours.start_ns[0]), int(end_ns))


def _of_devices(events: Events, devices: Sequence[str]) -> Events:
    of_them = np.array([events.names[i][0] in devices for i in events.what])
    return Events(
        time_ns=events.time_ns[of_them],
        what=events.what[of_them],
        names=events.names,
        zone=events.zone,
    )


if __name__ == "__main__":
    main()
