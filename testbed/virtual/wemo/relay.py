"""The plug behind the protocol: a relay, what it reports, and the current that flows.

A plug has one of two roles. As an instrument it feeds a device under test, whose mains
comes and goes with the relay. As a device under test itself, its relay is the state
that the stage keeps, so that its app and its LAN interface agree.
"""

import threading
from typing import Protocol

from numpy.random import Generator

from testbed.clock import Clock
from testbed.virtual.stage import Stage

# Watts of a small camera or a TV in use, and the noise of a plug's meter: guesses.
LOAD_W = (18.0, 65.0)
NOISE_SHARE = 0.03
SIGNAL = "80"  # of the Wi-Fi
SETTLE_S = 3.0  # a device's own effect delay is shorter


class Relay(Protocol):
    """What the server asks; every call is quick."""

    def switch(self, on: bool) -> bool:
        """Take a command; return False when the plug says it is so already."""

    def reported(self) -> bool:
        """Return the state that the plug reports."""

    def closed(self) -> bool:
        """Return whether current can flow, whatever is reported."""

    def changed_ns(self) -> int:
        """Return when the reported state changed last, lab clock."""

    def is_garbled(self) -> bool:
        """Return whether what is said in the network is nonsense."""


class FeedingRelay:
    """Mains of one device. `lying_plug` and `stuck_plug` of the plug's name apply."""

    def __init__(
        self, stage: Stage, clock: Clock, *, plug: str, feeds: str | None
    ) -> None:
        self._stage = stage
        self._clock = clock
        self._plug = plug
        self._feeds = feeds
        on = feeds is None or stage.state(feeds).get("power") != "off"
        self._closed = on
        self._reported = on
        self._changed_ns = clock.now_ns()
        self._lock = threading.Lock()

    def switch(self, on: bool) -> bool:
        """Take a command; the device's power follows unless a fault is active."""
        with self._lock:
            if on == self._reported and on == self._closed:
                return False
            if self._stage.fault("stuck_plug", self._plug) is not None:
                return True
            now_ns = self._clock.now_ns()
            if on != self._reported:
                self._reported, self._changed_ns = on, now_ns
            if self._stage.fault("lying_plug", self._plug) is not None:
                return True
            if on != self._closed:
                self._closed = on
                self._tell(on, now_ns)
            return True

    def reported(self) -> bool:
        """Return the state that the plug reports."""
        return self._reported

    def closed(self) -> bool:
        """Return whether current can flow."""
        return self._closed

    def changed_ns(self) -> int:
        """Return when the reported state changed last, lab clock."""
        return self._changed_ns

    def is_garbled(self) -> bool:
        """Return whether what is said in the network is nonsense."""
        return self._stage.fault("api_garbled", self._plug) is not None

    def _tell(self, on: bool, now_ns: int) -> None:
        if self._feeds is not None:
            self._stage.begin(
                self._feeds,
                "power_on" if on else "power_off",
                channel="power",
                network=None,
                parameters={},
                instant_ns=now_ns,
            )


class DeviceRelay:
    """A plug that is a device under test: the stage's `switch` is its relay.

    What the plug was told counts at once; when the stage has not come to the same
    within a few seconds, the stage is right.
    """

    def __init__(self, stage: Stage, clock: Clock, *, plug: str, device: str) -> None:
        self._stage = stage
        self._clock = clock
        self._plug = plug
        self._device = device
        self._told: tuple[bool, int] | None = None
        self._lie: bool | None = None
        self._seen = self._staged()
        self._changed_ns = clock.now_ns()
        self._lock = threading.Lock()

    def switch(self, on: bool) -> bool:
        """Take a command from the controller: an activity over the channel `api`."""
        with self._lock:
            if on == self._state() and on == self.closed():
                return False
            if self._faulty("stuck_plug"):
                return True
            if self._faulty("lying_plug"):
                self._lie = on
                return True
            self._lie = None
            now_ns = self._clock.now_ns()
            self._told = (on, now_ns)
            self._stage.begin(
                self._device,
                "turn_on" if on else "turn_off",
                channel="api",
                network=None,
                parameters={},
                instant_ns=now_ns,
            )
            return True

    def overheard(self, on: bool) -> bool:
        """Take a command whose effect on the device is played elsewhere (the app)."""
        with self._lock:
            if on == self._state():
                return False
            if not self._faulty("stuck_plug") and not self._faulty("lying_plug"):
                self._told = (on, self._clock.now_ns())
            return True

    def reported(self) -> bool:
        """Return the state that the plug reports."""
        with self._lock:
            return self._state()

    def closed(self) -> bool:
        """Return whether current can flow."""
        if self._told is not None:
            on, since_ns = self._told
            age_s = (self._clock.now_ns() - since_ns) / 1e9
            if on != self._staged() and age_s < SETTLE_S:
                return on
            self._told = None
        return self._staged()

    def changed_ns(self) -> int:
        """Return when the reported state changed last, as far as was seen."""
        with self._lock:
            self._state()
            return self._changed_ns

    def is_garbled(self) -> bool:
        """Return whether what is said in the network is nonsense."""
        return self._faulty("api_garbled")

    def _state(self) -> bool:
        on = self.closed() if self._lie is None else self._lie
        if on != self._seen:
            self._seen, self._changed_ns = on, self._clock.now_ns()
        return on

    def _staged(self) -> bool:
        return self._stage.state(self._device).get("switch") == "on"

    def _faulty(self, kind: str) -> bool:
        targets = (self._plug, self._device)
        return any(self._stage.fault(kind, target) is not None for target in targets)


class Meter:
    """Power through a relay, in whole milliwatts as an Insight has it."""

    def __init__(self, relay: Relay, rng: Generator) -> None:
        self._relay = relay
        self._rng = rng
        self._load_w = float(rng.uniform(*LOAD_W))

    def read_mw(self) -> int:
        """Return the power now; 0 when no current can flow."""
        if not self._relay.closed():
            return 0
        noise = float(self._rng.normal(0.0, NOISE_SHARE))
        return max(1000, round(self._load_w * (1.0 + noise) * 1000))


def insight_params(relay: Relay, power_mw: int, now_ns: int) -> str:
    """Return the eleven fields of an Insight: state, seconds, mW, mW minutes.

    state|lastchange|onfor|ontoday|ontotal|period|wifi|mW|today|total|threshold
    """
    on = relay.reported()
    changed_s = relay.changed_ns() // 10**9
    on_for_s = now_ns // 10**9 - changed_s if on else 0
    energy_mw_min = power_mw * on_for_s / 60.0  # since the last change
    fields = (
        int(on),
        changed_s,
        on_for_s,
        on_for_s,
        on_for_s,
        1209600,
        SIGNAL,
        power_mw,
        round(energy_mw_min),
        f"{energy_mw_min:.6f}",
        8000,
    )
    return "|".join(str(field) for field in fields)
