"""A scenario unrolled into trials, in an order fixed by the seed."""

from dataclasses import dataclass, field

from testbed.model.types import Channel, Network


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedTrial:
    """One execution of one (device, activity, channel), from rest to rest.

    trial        '0001', unique in the campaign
    session      index of the session it belongs to, from 0
    needs/gives  device state before and after (a precondition is an earlier trial)
    rest_s       rest of the device before the stimulus
    delta_s      label window [t, t + delta_s)
    settle_s     silence after the window, for what the device still says
    user         who does it, '' where nobody in particular; malicious: whether he
                 has no business here
    not_before_s seconds after the start of the plan, for users with habits; else None
    preparation  True when the plan put it in to reach the state another trial needs
    """

    trial: str
    session: int
    device: str
    activity: str
    channel: Channel
    network: Network | None
    delta_s: float
    rest_s: float
    parameters: dict[str, str] = field(default_factory=dict)
    needs: dict[str, str] = field(default_factory=dict)
    gives: dict[str, str] = field(default_factory=dict)
    user: str = ""
    not_before_s: float | None = None
    preparation: bool = False
    malicious: bool = False
    settle_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All trials of a campaign, with the idle stretch before, between and after.

    attempts  attempts at a trial before it is given up; those of which nothing was
              recorded do not count
    begins_s  time of day at which the plan starts, for users with habits
    late_s    how late an act of a user may be done; it is left out after that
    """

    scenario: str
    seed: int
    interleave: bool
    idle_s: float
    trials: tuple[PlannedTrial, ...]
    attempts: int = 2
    begins_s: float = 0.0
    late_s: float = 300.0
