"""What a trial needs to know of the lab that it happens in."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from testbed.clock import Clock
from testbed.errors import LabError
from testbed.model.lab import Lab
from testbed.model.profile import DeviceProfile
from testbed.model.protocols import Phone, Voice
from testbed.model.types import Channel
from testbed.runner.bench import Bench, Plug
from testbed.runner.journal.store import Journal
from testbed.runner.pauses.suspenders import Suspenders
from testbed.runner.stop import Stop
from testbed.runner.trials.arbiter import Arbiter


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a campaign is run.

    settle_s       least silence after a label window, before the trial ends
    clock_every_s  between two measurements of the clock offset
    fetch_every_s  between two looks for finished capture files
    evidence       pictures of the phone: 'all' at trigger, check and failure; 'needed'
                   at failure, and at a check that saw nothing, was the first of its
                   activity, or came while others might have used the phone and nobody
                   waited for it; 'none'
    tick_s         between two looks at what is due beside the trials
    threads        whether trials may overlap and the capture be tended beside them;
                   False under a virtual clock
    """

    settle_s: float = 0.2
    clock_every_s: float = 20.0
    fetch_every_s: float = 5.0
    evidence: Literal["all", "needed", "none"] = "needed"
    tick_s: float = 1.0
    threads: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One lab in the hands of one campaign."""

    lab: Lab
    profiles: Mapping[str, DeviceProfile]
    bench: Bench
    journal: Journal
    clock: Clock
    stop: Stop
    arbiter: Arbiter
    folder: Path
    settings: Settings
    pauses: Suspenders

    @property
    def phone(self) -> Phone:
        """Return the phone; raises LabError when the lab has none."""
        if self.bench.phone is None:
            raise LabError("the plan needs a phone; name one in lab.yaml under phone:")
        return self.bench.phone

    @property
    def voice(self) -> Voice:
        """Return the loudspeaker; raises LabError when the lab has none."""
        if self.bench.voice is None:
            raise LabError(
                "the plan needs a loudspeaker; name one in lab.yaml under voice:"
            )
        return self.bench.voice

    def plug_name(self, device: str, channel: Channel) -> str:
        """Return the name of the plug that acts on a device by `channel`.

        `api` is the plug that is the device; every other channel means the plug that
        feeds it, else the one that is it. Raises LabError when there is none.
        """
        feeding = [n for n, at in self.lab.plugs.items() if at.feeds == device]
        being = [n for n, at in self.lab.plugs.items() if at.is_device == device]
        match channel:
            case Channel.API:
                found = being
            case Channel.POWER:
                found = feeding
            case _:
                found = feeding + being
        if not found:
            key = "is_device" if channel is Channel.API else "feeds"
            raise LabError(
                f"no plug is there for {device}; name one in lab.yaml under plugs: "
                f"with {key}: {device}"
            )
        return found[0]

    def plug(self, device: str, channel: Channel) -> Plug:
        """Return the plug that acts on a device; raises LabError."""
        return self.bench.plugs[self.plug_name(device, channel)]
