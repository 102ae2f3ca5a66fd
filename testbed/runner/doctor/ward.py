"""What is looked at: one lab, and what a campaign would want of it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from testbed.clock import Clock
from testbed.model.applock import AppLock
from testbed.model.estimate import estimate
from testbed.model.lab import Lab
from testbed.model.plan import Plan
from testbed.model.profile import DeviceProfile
from testbed.runner.bench import Opener, expanded
from testbed.runner.doctor.findings import Examiner

# Bytes per second of capture. The first line is what the nine devices of the virtual
# lab send when nobody does anything, at most; the others are guesses for real ones
# within a label window, about six times what the virtual ones send.
IDLE_B_PER_S = 600
WINDOW_B_PER_S = {"camera": 250_000, "tv": 120_000, "speaker": 90_000}
OTHER_B_PER_S = 4_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Ward:
    """One lab on the day of its examination.

    profiles   the devices that are looked at
    plan       of the scenario that was named, else None
    lock       the app lock, None where there is none
    captures   folder of campaigns; journal: its place
    switching  whether plugs may be switched, which cuts their devices' power
    open_one   opens one instrument: kind, driver, section of the lab file, clock
    closing    closes what was opened
    """

    lab: Lab
    profiles: Mapping[str, DeviceProfile]
    plan: Plan | None
    lock: AppLock | None
    captures: Path
    journal: str
    examiner: Examiner
    clock: Clock
    open_one: Opener
    closing: ExitStack
    switching: bool = False
    only_devices: Sequence[str] = field(default=())

    def opened(self, kind: str, section: Any) -> Any:
        """Open one instrument; it is closed with the examination."""
        at = expanded(section)
        ready = self.open_one(kind, at.driver, at, self.clock)
        close = getattr(ready, "close", None)
        if close is not None:
            self.closing.callback(close)
        return ready

    def activities(self, device: str) -> tuple[str, ...]:
        """Return the activities of a device that matter, in the profile's order."""
        profile = self.profiles[device]
        if self.plan is None:
            return tuple(profile.activities)
        planned = {t.activity for t in self.plan.trials if t.device == device}
        return tuple(a for a in profile.activities if a in planned)

    def sentences(self) -> Iterator[str]:
        """Yield what may be said, each once."""
        said = set()
        for device, profile in self.profiles.items():
            for activity in self.activities(device):
                voice = profile.activities[activity].voice
                if voice is not None and voice.say not in said:
                    said.add(voice.say)
                    yield voice.say

    def expected_b(self) -> int:
        """Return how large the captures of the plan may become, 0 without a plan."""
        if self.plan is None:
            return 0
        seconds = estimate(self.plan, self.profiles).duration_s
        size = IDLE_B_PER_S * len(self.profiles) * seconds
        for trial in self.plan.trials:
            category = self.profiles[trial.device].category
            rate = WINDOW_B_PER_S.get(category, OTHER_B_PER_S)
            size += rate * trial.delta_s
        return round(size)
