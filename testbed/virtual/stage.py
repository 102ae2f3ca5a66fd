"""Where the virtual instruments meet the virtual devices.

The phone's apps, the room and the plugs tell the stage what a person did; the stage
makes the devices react, after their own delays. Live and fast lab each have one.
"""

from collections.abc import Mapping
from typing import Protocol


class Stage(Protocol):
    """The devices under test, as the virtual instruments see them. Thread-safe."""

    def begin(
        self,
        device: str,
        activity: str,
        *,
        channel: str,
        network: str | None,
        parameters: Mapping[str, str],
        instant_ns: int,
    ) -> None:
        """Cause an activity; return at once, the effect follows after a delay.

        `instant_ns` (lab's own clock) is when it truly began: touch-down, first audio
        sample, relay change. The ground truth keeps it.
        """

    def state(self, device: str) -> Mapping[str, str]:
        """Return the device's state now.

        Beside its own keys (power, switch, ...): `status`, the text its app shows
        ('Working' until the effect), and `heard` / `heard_ns`, its last utterance.
        """

    def fault(self, kind: str, target: str) -> str | None:
        """Return the value of a scripted fault that is active now, else None."""
