"""Scenarios: which devices and activities, how often, in what order, by whom."""

from typing import Literal

from pydantic import PositiveInt, model_validator

from testbed.model.types import Channel, Network, Seconds, Slug, Strict, Truth
from testbed.model.users import User


class Rest(Strict):
    """Rest of a device before a stimulus: fixed, or uniform between two durations."""

    uniform: tuple[Seconds, Seconds]

    @model_validator(mode="before")
    @classmethod
    def _fixed(cls, value: object) -> object:
        return {"uniform": [value, value]} if isinstance(value, str) else value


class Selection(Strict):
    """Some activities of one device; what is left out means all."""

    device: Slug
    activities: tuple[Slug, ...] = ()
    channels: tuple[Channel, ...] = ()
    networks: tuple[Network, ...] = ()
    repeats: PositiveInt | None = None


class Scenario(Strict):
    """One experiment.

    Either `devices` / `select` with `repeats`, or `users` over `days`.

    repeats   valid (labelled) repetitions of each device, activity, channel, network
    attempts  attempts at each before it is given up: a failure or an act without
              effect counts, an attempt of which nothing was recorded does not
    settle    silence after each label window; the device profile's own when absent
    begins    time of day at which day 0 of the users starts, such as '18 h'; day 0 is
              a Monday
    late      how late an act of a user may be done after a pause; else it is left out
    """

    scenario: Slug
    description: str = ""
    seed: int = 0
    devices: tuple[Slug, ...] = ()
    select: tuple[Selection, ...] = ()
    repeats: PositiveInt = 1
    attempts: PositiveInt = 2
    sessions: PositiveInt = 1
    order: Literal["fixed", "shuffled", "counterbalanced"] = "shuffled"
    rest: Rest | None = None  # the device profile's own rest when absent
    settle: Seconds | None = None
    interleave: Truth = True
    idle: Seconds = 5.0  # idle stretch at the start and end of each session
    users: tuple[User, ...] = ()
    days: PositiveInt = 1
    begins: Seconds = 0.0
    late: Seconds = 300.0
