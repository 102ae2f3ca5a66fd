"""Alarms: which hours are too strange, and why."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """An hour that is too strange, and its strangest activity.

    start_ns  when the hour begins, UTC
    hour      the same on the clock of the zone, ISO 8601
    p         how often an hour is as strange, usually
    reason    in words
    """

    user: str
    device: str
    activity: str
    start_ns: int
    hour: str
    score: float
    p: float
    detector: str
    reason: str
