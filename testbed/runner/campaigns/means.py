"""What a campaign is made from, and with what it is run."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from testbed.clock import Clock, SystemClock
from testbed.model.applock import AppLock
from testbed.model.lab import Lab
from testbed.model.plan import Plan
from testbed.model.profile import DeviceProfile
from testbed.runner.bench import Bench
from testbed.runner.journal.leases import Lease
from testbed.runner.journal.store import JournalStore
from testbed.runner.stop import Stop
from testbed.runner.trials.site import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """All that a campaign is made from; frozen in `campaign.yaml`.

    form      'live' or 'fast'
    depth     'packets'; 'activities' where the fast form writes no packets
    scenario  the scenario as plain values, for the record
    lock      the app lock that the phone is held against, where there is one
    rerun_of  the campaign that this one does again, as plain values, for the record
    """

    campaign: str
    form: str
    simulated: bool
    lab: Lab
    profiles: Mapping[str, DeviceProfile]
    plan: Plan
    scenario: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    depth: str = "packets"
    lock: AppLock | None = None
    rerun_of: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """With what a campaign is run.

    captures  folder of all campaigns
    between   called before each session with its index in the plan, while nothing is
              captured; a lab under a virtual clock moves to another day
    wall      the time of controllers, where `clock` is a virtual one
    fresh     whether the devices are in their initial state, as in a virtual lab that
              was just made; else nothing is known of what can change
    lease     the right to all this, when it is held already; else it is taken here
    """

    bench: Bench
    store: JournalStore
    clock: Clock
    stop: Stop
    captures: Path
    settings: Settings = field(default_factory=Settings)
    between: Callable[[int], None] = lambda _: None
    wall: Clock = field(default_factory=SystemClock)
    fresh: bool = False
    lease: Lease | None = None
