"""The stage of both labs: holds the devices' state and tells a player what to play."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from testbed.clock import Clock
from testbed.virtual.house.hosts import PHONE, ROUTER
from testbed.virtual.house.house import House, Reaction
from testbed.virtual.traffic import Exchange

OFFLINE = "Device offline"  # what an app shows of a device that cannot be reached
CUT_OFF = ("device_offline", "device_reboots")  # faults of a device out of reach


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """A true activity, for the ground truth. `instant_ns` is on the lab's own clock."""

    number: int
    device: str
    activity: str
    channel: str
    network: str | None
    instant_ns: int
    parameters: Mapping[str, str] = field(default_factory=dict)


class Player(Protocol):
    """What plays exchanges: over sockets in the live lab, into a file in the fast."""

    def play(
        self, cause: Cause, exchanges: tuple[Exchange, ...], start_ns: int
    ) -> None:
        """Play exchanges, their `at_s` counted from `start_ns`; return at once."""

    def silence(self, device: str, at_ns: int) -> None:
        """Cut a device's power: nothing more is sent, not even a FIN."""

    def wake(self, device: str, at_ns: int) -> None:
        """Give power back: play `house.boot`, then `house.background` anew."""


FaultOf = Callable[[str, str], str | None]


def no_faults(kind: str, target: str) -> str | None:
    """Know of no fault."""
    return None


class Scene:
    """The devices under test as the virtual instruments see them (a `Stage`).

    first_number  number of the first cause
    hearing_s  how long a speaker takes to understand, when `begin` is called at the
               last word (a live room really takes it)
    """

    def __init__(
        self,
        house: House,
        clock: Clock,
        player: Player,
        *,
        fault: FaultOf = no_faults,
        hearing_s: float = 0.0,
        first_number: int = 1,
    ) -> None:
        self._house = house
        self._clock = clock
        self._player = player
        self._fault = fault
        self._hearing_ns = round(hearing_s * 1e9)
        self._lock = threading.RLock()
        self._states = {name: house.initial(name) for name in house.devices}
        self._due: list[tuple[int, Reaction]] = []
        self._number = first_number - 1

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
        if channel == "voice" and self.fault("deaf_speaker", device) is not None:
            return
        if channel != "power" and self._cut_off(device):
            with self._lock:
                self._states[device]["status"] = OFFLINE
            return
        with self._lock:
            self._settle()
            state = self._states[device]
            reaction = self._house.react(
                device,
                activity,
                channel=channel,
                network=network,
                parameters=parameters,
                state=state,
                instant_ns=instant_ns,
            )
            if reaction is None or self._needs_internet_in_vain(reaction):
                state["status"] = OFFLINE
                return
            state["status"] = "Working"
            self._start(reaction, parameters, instant_ns)

    def state(self, device: str) -> Mapping[str, str]:
        """Return the device's state now, with `status`, `heard` and `heard_ns`."""
        with self._lock:
            self._settle()
            return dict(self._states[device])

    def fault(self, kind: str, target: str) -> str | None:
        """Return the value of a scripted fault that is active now, else None."""
        return self._fault(kind, target)

    def _cut_off(self, device: str) -> bool:
        """Say whether nothing that is said to a device reaches it."""
        return any(self.fault(kind, device) is not None for kind in CUT_OFF)

    def _needs_internet_in_vain(self, reaction: Reaction) -> bool:
        """Say whether a reaction has to go by the cloud while there is no way there."""
        if reaction.channel == "power" or self.fault("internet_down", ROUTER) is None:
            return False
        if reaction.channel == "api":
            return False
        at_home = {PHONE, reaction.device}
        return not any({e.client, e.server} == at_home for e in reaction.exchanges)

    def _start(
        self, reaction: Reaction, parameters: Mapping[str, str], instant_ns: int
    ) -> None:
        device = reaction.device
        # Who heard or saw late (recognition takes time) must not play the past.
        first_s = min((e.at_s for e in reaction.exchanges), default=0.0)
        now_ns = self._clock.now_ns()
        if reaction.channel == "voice":
            now_ns += self._hearing_ns
        start_ns = max(instant_ns, now_ns - round(first_s * 1e9))
        self._number += 1
        cause = Cause(
            number=self._number,
            device=device,
            activity=reaction.activity,
            channel=reaction.channel,
            network=reaction.network,
            instant_ns=instant_ns,
            parameters=dict(parameters),
        )
        if reaction.channel == "power":
            self._switch(reaction, cause, now_ns)
            return
        if reaction.channel == "voice":
            self._hear(device, reaction, parameters, instant_ns)
        self._due.append((now_ns + round(reaction.effect_s * 1e9), reaction))
        self._player.play(cause, reaction.exchanges, start_ns)

    def _hear(
        self,
        device: str,
        reaction: Reaction,
        parameters: Mapping[str, str],
        instant_ns: int,
    ) -> None:
        heard = parameters.get("utterance") or reaction.changes.get("heard", "")
        self._states[device].update(heard=heard, heard_ns=str(instant_ns))

    def _switch(self, reaction: Reaction, cause: Cause, now_ns: int) -> None:
        state = self._states[reaction.device]
        state.update(reaction.changes, status=reaction.status)
        self._player.play(cause, reaction.exchanges, now_ns)
        if reaction.activity == "power_off":
            self._due = [d for d in self._due if d[1].device != reaction.device]
            self._player.silence(reaction.device, now_ns)
        else:
            self._player.wake(reaction.device, now_ns)

    def _settle(self) -> None:
        now_ns = self._clock.now_ns()
        for _, reaction in sorted(
            (d for d in self._due if d[0] <= now_ns), key=lambda d: d[0]
        ):
            if self._cut_off(reaction.device):
                self._states[reaction.device]["status"] = OFFLINE
                continue
            self._states[reaction.device].update(
                reaction.changes, status=reaction.status
            )
        self._due = [d for d in self._due if d[0] > now_ns]
