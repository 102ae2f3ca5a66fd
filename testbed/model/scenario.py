"""Scenarios: which devices and activities, how often, in what order, by whom."""

from typing import Literal

from pydantic import Field, PositiveInt, model_validator

from testbed.model.types import Channel, Network, Seconds, Slug, Strict, Truth


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


class Habit(Strict):
    """How often a user does one thing, by hour of the day.

    weekday  hour '22' or range of hours '7-9' -> events per hour (Poisson)
    weekend  the same for Saturday and Sunday; the weekday's where it is left out
    """

    device: Slug
    activity: Slug
    channel: Channel
    network: Network | None = None
    weekday: dict[str, float] = Field(default_factory=dict)
    weekend: dict[str, float] = Field(default_factory=dict)


class User(Strict):
    """A person with daily habits, benign or malicious.

    first_day  day of the scenario on which he appears; 0 is the first
    """

    name: Slug
    malicious: Truth = False
    first_day: int = Field(default=0, ge=0)
    habits: tuple[Habit, ...] = Field(min_length=1)


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
