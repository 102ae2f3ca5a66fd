"""What the detectors say of whole hours, all devices together: calendar and alarms."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.detectors.alarms import Alarm
from analysis.detectors.events import events_of_log
from analysis.errors import RequestError
from analysis.evaluate.watched.spans import (
    Split,
    learn_elsewhere,
    split_days,
    whole_days,
)
from analysis.evaluate.watched.told import alarms_of
from analysis.evaluate.watched.truth import (
    Found,
    attacks_of,
    malicious_hours,
    score_hours,
)
from analysis.evaluate.watched.verdicts import PAPER, Verdict, detectors_of, verdict
from analysis.report import words
from analysis.report.behaviour import Diary, malicious_users
from analysis.report.blocks import Block, Gallery, Grid, Item, Section, columns, items
from analysis.report.calendar_chart import draw_calendar
from analysis.report.drawing import Picture
from analysis.report.tables import Table

SHOWN = "ensemble"  # the detector of the calendar and of the list of alarms
_COLUMNS = (
    "campaign",
    "detector",
    "auprc",
    "guessing",
    "malicious_hours",
    "noticed",
    "attacks",
    "caught",
    "delay_h",
    "false_alarms",
    "weeks",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """One campaign as one detector sees it."""

    name: str
    split: Split
    verdict: Verdict
    malicious: np.ndarray
    found: Found


def alarms_section(
    diaries: Sequence[Diary], key: str, seed: int, say: Callable[[str], None]
) -> Section | None:
    """Return calendar, scores and alarms; None where there is too little to learn.

    say  told one line per campaign and detector
    """
    seen = [
        each
        for diary, split in _splits(diaries)
        for each in _seen(diary, split, malicious_users(diaries), seed, say)
    ]
    shown = [each for each in seen if each.verdict.detector == SHOWN]
    if not shown:
        return None
    blocks: tuple[Block, ...] = (
        Gallery(pictures=tuple(_picture(each) for each in shown), wide=True),
        _scores(seen),
        _alarms(shown),
    )
    return Section(
        key=f"{key}-alarms",
        title="Which hours are not the household's?",
        lead="Each hour is scored with all that happened in it. A detector alarms "
        "where an hour is stranger than all but one usual hour in five days.",
        blocks=blocks,
    )


def _splits(diaries: Sequence[Diary]) -> list[tuple[Diary, Split]]:
    """Return what is scored of which log: logs with intruders by those without."""
    bad = malicious_users(diaries)
    events = {id(d): events_of_log(d.log) for d in diaries}
    mixed = [d for d in diaries if d.log.labelled().frame["user"].is_in(bad).any()]
    owners = [events[id(d)] for d in diaries if d not in mixed and len(events[id(d)])]
    found = []
    for diary in mixed or diaries:
        own = events[id(diary)]
        try:
            apart = mixed and owners
            hours = whole_days(own)
            split = learn_elsewhere(owners, hours) if apart else split_days(own)
        except RequestError:
            continue  # a day or less: there is nothing to learn from
        found.append((diary, split))
    return found


def _seen(
    diary: Diary,
    split: Split,
    bad: frozenset[str],
    seed: int,
    say: Callable[[str], None],
) -> list[_Seen]:
    acts: dict[str, list[int]] = {}
    for user, at in diary.log.labelled().frame.select("user", "t_ns").iter_rows():
        if user in bad and at is not None:
            acts.setdefault(user, []).append(at)
    hours = split.score
    attacks = [
        attack for attack in attacks_of(acts) if malicious_hours(hours, [attack]).any()
    ]
    malicious = malicious_hours(hours, attacks)
    seen = []
    for detector in detectors_of((PAPER, SHOWN)):
        say(f"behaviour: {diary.campaign.name}: {detector.title}")
        said = verdict(detector, split, seed=seed)
        found = score_hours(hours, said.scores, said.alarms, attacks)
        seen.append(
            _Seen(
                name=diary.campaign.name,
                split=split,
                verdict=said,
                malicious=malicious,
                found=found,
            )
        )
    return seen


def _picture(seen: _Seen) -> Picture:
    return draw_calendar(seen.verdict, seen.malicious, seen.name)


def _scores(seen: Sequence[_Seen]) -> Grid:
    rows = tuple(
        (
            Item(text=each.name),
            Item(text=each.verdict.title),
            _score(each.found.auprc, f"guessing {words.score(each.found.base)}"),
            _of(each.found.noticed, each.found.malicious),
            _of(each.found.caught, each.found.attacks),
            Item(text=f"{each.found.false_per_week:.1f}"),
        )
        for each in seen
    )
    return Grid(
        title="Scores by hour",
        columns=columns(
            "campaign",
            "detector",
            "AUPRC",
            "malicious hours noticed",
            "attacks caught",
            "false alarms a week",
            texts=2,
        ),
        rows=rows,
        data=Table(
            name="behaviour_scores",
            columns=_COLUMNS,
            rows=tuple(_record(each) for each in seen),
        ),
        note="AUPRC: average precision over hours. An attack is what one intruder does "
        "with less than twelve hours in between; it is caught by an alarm in one of "
        "its hours.",
    )


def _record(seen: _Seen) -> tuple[str | float | int | None, ...]:
    found = seen.found
    auprc = None if np.isnan(found.auprc) else found.auprc
    delay = None if np.isnan(found.delay_h) else found.delay_h
    return (
        seen.name,
        seen.verdict.detector,
        auprc,
        found.base,
        found.malicious,
        found.noticed,
        found.attacks,
        found.caught,
        delay,
        found.false,
        found.weeks,
    )


def _score(value: float, below: str) -> Item:
    return (
        Item(text="–")
        if np.isnan(value)
        else Item(text=words.score(value), below=below)
    )


def _of(part: int, whole: int) -> Item:
    return Item(text=f"{part} / {whole}") if whole else Item(text="–")


def _alarms(shown: Sequence[_Seen]) -> Grid:
    told = [
        (each.name, alarm)
        for each in shown
        for alarm in alarms_of(each.verdict, each.split.learn)
    ]
    return Grid(
        title=f"Alarms of {shown[0].verdict.title}",
        columns=columns(
            "campaign", "hour", "device", "activity", "what is strange", "p", texts=5
        ),
        rows=tuple(_row(name, alarm) for name, alarm in told),
        data=Table(
            name="behaviour_alarms",
            columns=("campaign", "hour", "device", "activity", "reason", "score", "p"),
            rows=tuple(
                (name, a.hour, a.device, a.activity, a.reason, a.score, a.p)
                for name, a in told
            ),
        ),
        folded=True,
    )


def _row(name: str, alarm: Alarm) -> tuple[Item, ...]:
    activity, p = words.plain(alarm.activity), f"{alarm.p:.2g}"
    return items(name, alarm.hour, alarm.device, activity, alarm.reason, p)
