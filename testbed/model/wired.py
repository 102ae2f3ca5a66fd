"""Which devices the plugs of a lab serve, and what is left out where none does."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Self

from testbed.model.lab import Lab
from testbed.model.profile import DeviceProfile
from testbed.model.scenario import Scenario, Selection
from testbed.model.types import Channel


@dataclass(frozen=True, slots=True, kw_only=True)
class Wired:
    """Devices that a plug feeds, and those that are plugs; None means every one."""

    fed: frozenset[str] | None = None
    plugs: frozenset[str] | None = None

    @classmethod
    def of(cls, lab: Lab | None) -> Self:
        """Return what the lab file says; without one no device is served."""
        plugs = lab.plugs.values() if lab is not None else ()
        return cls(
            fed=frozenset(p.feeds for p in plugs if p.feeds),
            plugs=frozenset(p.is_device for p in plugs if p.is_device),
        )

    def serves(self, device: str, channel: Channel) -> bool:
        """Say whether a channel of a device is there, as far as plugs decide it."""
        there = {Channel.POWER: self.fed, Channel.API: self.plugs}.get(channel)
        return there is None or device in there


EVERYWHERE = Wired()


def selections(scenario: Scenario) -> tuple[Selection, ...]:
    """Return what the scenario selects; `devices:` is everything of each device."""
    whole = (Selection(device=d) for d in scenario.devices)
    return (*whole, *scenario.select)


def left_out(
    scenario: Scenario, profiles: Mapping[str, DeviceProfile], wired: Wired
) -> tuple[str, ...]:
    """Return what a scenario wants and no plug serves, a line for each channel."""
    found: dict[tuple[str, Channel], dict[str, None]] = {}
    for device, activity, channel in _wanted(scenario, profiles):
        if not wired.serves(device, channel):
            found.setdefault((device, channel), {})[activity] = None
    return tuple(
        f"{device} {', '.join(names)} ({channel}): no plug of lab.yaml "
        + ("feeds it" if channel is Channel.POWER else f"has is_device: {device}")
        for (device, channel), names in found.items()
    )


def _wanted(
    scenario: Scenario, profiles: Mapping[str, DeviceProfile]
) -> Iterator[tuple[str, str, Channel]]:
    """Yield (device, activity, channel)."""
    for selection in selections(scenario):
        profile = profiles[selection.device]
        for name in selection.activities or profile.activities:
            for channel in profile.activities[name].channels:
                if not selection.channels or channel in selection.channels:
                    yield selection.device, name, channel
    for user in scenario.users:
        for action in user.actions():
            yield action.device, action.activity, action.channel
