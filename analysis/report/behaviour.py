"""Whose hours are these? The study of the paper's Figure 3, from logged activities.

A point is one hour of one day: the hour of day, and how often an activity happened in
it, whoever caused it. An hour is malicious when a malicious user acted in it. The
detector learns from the logs without malicious users.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from analysis.dataset import ActivityLog, Campaign
from analysis.detectors.hours import HOUR_NS
from analysis.detectors.hours import Hours as CalendarHours
from analysis.detectors.kmeans_paper import Clusters
from analysis.evaluate.watched.spans import Split
from analysis.features.model import Float64, Int64

_DAY_HOURS = 24
FEWEST = 5  # training hours below which two centres mean nothing

Bools = np.ndarray


@dataclass(frozen=True, slots=True, kw_only=True)
class Diary:
    """The log of one campaign with users."""

    campaign: Campaign
    about: Mapping[str, Any]
    log: ActivityLog


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """Hours in which one activity happened.

    hour      (n,) int64, hours since the Unix epoch, UTC
    count     (n,) int64, events in that hour
    malicious (n,) bool, a malicious user acted in it
    """

    hour: Int64
    count: Int64
    malicious: Bools

    def __len__(self) -> int:
        return int(self.hour.size)

    def points(self) -> Float64:
        """Return (n, 2) float64: hour of day, events in that hour."""
        day_hour = self.hour % _DAY_HOURS
        return np.column_stack((day_hour, self.count)).astype(np.float64)

    def take(self, rows: Bools) -> "Hours":
        """Return the chosen hours."""
        return Hours(
            hour=self.hour[rows], count=self.count[rows], malicious=self.malicious[rows]
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """What the detector says about one activity of one device.

    train, fresh, malicious  hours to learn from; benign hours that are not among them;
                             hours of malicious users
    n_copies                 benign hours left out because the detector has seen them
    detector                 None when there is too little to learn from
    train_alarms             (n,) bool, alarms on training hours by a detector that has
                             not seen the day; n is 0 where there is one day only
    """

    device: str
    activity: str
    train: Hours
    fresh: Hours
    malicious: Hours
    n_copies: int
    detector: Clusters | None
    train_alarms: Bools

    def alarms(self, hours: Hours) -> Bools:
        """Return (n,) bool: which hours raise an alarm."""
        if self.detector is None or not len(hours):
            return np.zeros(len(hours), dtype=bool)
        alarms: Bools = self.detector.score(hours.points()) > 1
        return alarms


def malicious_users(diaries: Sequence[Diary]) -> frozenset[str]:
    """Return who is malicious: as the scenarios say, or whoever is not in the first."""
    told = [users for diary in diaries if (users := _users(diary.about))]
    if told:
        bad = {str(u.get("name", "")) for us in told for u in us if u.get("malicious")}
        return frozenset(bad)
    everybody = {name for diary in diaries for name in diary.log.frame["user"]}
    return frozenset(everybody - set(diaries[0].log.frame["user"]))


def _users(about: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    scenario = about.get("scenario")
    users = scenario.get("users") if isinstance(scenario, dict) else None
    return [u for u in users if isinstance(u, dict)] if isinstance(users, list) else []


def watch_all(diaries: Sequence[Diary], seed: int) -> tuple[Watch, ...]:
    """Learn and test for each activity of each device that a user caused."""
    bad = malicious_users(diaries)
    frames = [diary.log.labelled().frame for diary in diaries]
    clean = [not frame["user"].is_in(bad).any() for frame in frames]
    pairs = sorted({p for f in frames for p in f.select("device", "activity").rows()})
    found = []
    for device, activity in pairs:
        hours = [_hours(frame, device, activity, bad) for frame in frames]
        train = [h for h, benign in zip(hours, clean, strict=True) if benign]
        mixed = [h for h, benign in zip(hours, clean, strict=True) if not benign]
        found.append(_watch(device, activity, _joined(train), _joined(mixed), seed))
    return tuple(found)


def watch_together(
    name: tuple[str, str], split: Split, malicious: Bools, seed: int
) -> Watch:
    """Learn and test on all activities of a split together, as one of this name.

    malicious  (h,) bool, the hours of `split.score` in which an intruder acted
    """
    nobody = np.zeros(len(split.learn), dtype=bool)
    train = _together(split.learn, nobody)
    return _watch(*name, train, _together(split.score, malicious), seed)


def _together(hours: CalendarHours, malicious: Bools) -> Hours:
    there = hours.total > 0
    return Hours(
        hour=hours.start_ns[there] // HOUR_NS,
        count=hours.total[there],
        malicious=malicious[there],
    )


def _hours(
    frame: pl.DataFrame, device: str, activity: str, bad: frozenset[str]
) -> Hours:
    rows = frame.filter(pl.col("device") == device, pl.col("activity") == activity)
    hour = rows["t_ns"].to_numpy().astype(np.int64) // HOUR_NS
    by_bad = np.array([user in bad for user in rows["user"]], dtype=np.int64)
    hours, index, count = np.unique(hour, return_inverse=True, return_counts=True)
    malicious = np.bincount(index, weights=by_bad, minlength=hours.size) > 0
    return Hours(hour=hours, count=count.astype(np.int64), malicious=malicious)


def _joined(parts: Sequence[Hours]) -> Hours:
    empty = np.zeros(0, dtype=np.int64)
    return Hours(
        hour=np.concatenate([empty, *(p.hour for p in parts)]),
        count=np.concatenate([empty, *(p.count for p in parts)]),
        malicious=np.concatenate([empty.astype(bool), *(p.malicious for p in parts)]),
    )


def _watch(device: str, activity: str, train: Hours, mixed: Hours, seed: int) -> Watch:
    benign, malicious = mixed.take(~mixed.malicious), mixed.take(mixed.malicious)
    if not len(train):  # no log is without malicious users: learn from the early days
        train, benign = _early(benign)
    seen = set(zip(train.hour.tolist(), train.count.tolist(), strict=True))
    pairs = zip(benign.hour.tolist(), benign.count.tolist(), strict=True)
    fresh = np.array([pair not in seen for pair in pairs], dtype=bool)
    enough = len(train) >= FEWEST
    return Watch(
        device=device,
        activity=activity,
        train=train,
        fresh=benign.take(fresh),
        malicious=malicious,
        n_copies=int((~fresh).sum()),
        detector=Clusters(seed).fit(train.points()) if enough else None,
        train_alarms=_day_by_day(train, seed) if enough else np.zeros(0, dtype=bool),
    )


def _early(benign: Hours) -> tuple[Hours, Hours]:
    """Part benign hours into the first two thirds of their days, and the rest."""
    if not len(benign):
        return benign, benign
    day = benign.hour // _DAY_HOURS
    early = day <= np.quantile(np.unique(day), 2 / 3)
    return benign.take(early), benign.take(~early)


def _day_by_day(train: Hours, seed: int) -> Bools:
    """Judge the hours of each day by a detector that learnt from the other days.

    Nothing is judged where there are no other days.
    """
    day, points = train.hour // _DAY_HOURS, train.points()
    if np.unique(day).size < 2:
        return np.zeros(0, dtype=bool)
    alarms = np.zeros(len(train), dtype=bool)
    for each in np.unique(day):
        out = day == each
        detector = Clusters(seed).fit(points[~out])
        alarms[out] = detector.score(points[out]) > 1
    return alarms
