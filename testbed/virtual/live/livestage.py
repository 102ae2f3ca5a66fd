"""The stage of the live lab: the house's scene, the script of faults, the truth."""

import threading
from collections.abc import Mapping, Sequence

from testbed.clock import Clock
from testbed.model.lab import Fault
from testbed.virtual.house import Cause, House, Player, Scene
from testbed.virtual.live.ground import GroundTruth
from testbed.virtual.traffic import Exchange


class FaultScript:
    """Which faults are active; times count from `start_ns`."""

    def __init__(self, faults: Sequence[Fault], clock: Clock, start_ns: int) -> None:
        self._faults = tuple(faults)
        self._clock = clock
        self._start_ns = start_ns

    def names(self, kind: str) -> bool:
        """Say whether a fault of this kind is scripted at any time."""
        return any(fault.kind == kind for fault in self._faults)

    def __call__(self, kind: str, target: str) -> str | None:
        """Return the value of an active fault of this kind and target, else None."""
        elapsed_s = (self._clock.now_ns() - self._start_ns) / 1e9
        for fault in self._faults:
            if fault.kind != kind or fault.target not in (None, target):
                continue
            over = fault.until is not None and elapsed_s >= fault.until
            if fault.at <= elapsed_s and not over:
                return fault.value
        return None


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
        super().__init__(house, clock, self._noting, fault=faults, live=True)

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
