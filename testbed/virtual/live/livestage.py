"""The stage of the live lab: the house's scene, the truth."""

import threading
from collections.abc import Mapping

from testbed.clock import Clock
from testbed.virtual.faults import FaultScript
from testbed.virtual.house import Cause, House, Player, Scene
from testbed.virtual.live.ground import GroundTruth
from testbed.virtual.traffic import Exchange


class _Noting:
    """A player that writes each cause into the ground truth before it plays."""

    def __init__(self, player: Player, ground: GroundTruth) -> None:
        self._player = player
        self._ground = ground
        self._lock = threading.Lock()
        self.parameters: Mapping[str, str] = {}
        self.latest: dict[tuple[str, str], int] = {}  # (device, channel) -> number

    def play(
        self, cause: Cause, exchanges: tuple[Exchange, ...], start_ns: int
    ) -> None:
        with self._lock:
            self._ground.activity(cause, self.parameters)
            self.latest[cause.device, cause.channel] = cause.number
        self._player.play(cause, exchanges, start_ns)

    def silence(self, device: str, at_ns: int) -> None:
        self._player.silence(device, at_ns)

    def wake(self, device: str, at_ns: int) -> None:
        self._player.wake(device, at_ns)


class LiveStage(Scene):
    """A `Stage` whose activities are noted as ground truth. Thread-safe."""

    def __init__(
        self,
        house: House,
        clock: Clock,
        player: Player,
        ground: GroundTruth,
        faults: FaultScript,
    ) -> None:
        self._noting = _Noting(player, ground)
        self._one = threading.Lock()
        super().__init__(house, clock, self._noting, fault=faults)

    def latest(self, device: str, channel: str) -> int:
        """Return the number of the last activity over a channel, 0 for none."""
        return self._noting.latest.get((device, channel), 0)

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
        """Cause an activity; return at once, the effect follows after a delay."""
        with self._one:
            self._noting.parameters = dict(parameters)
            super().begin(
                device,
                activity,
                channel=channel,
                network=network,
                parameters=parameters,
                instant_ns=instant_ns,
            )
