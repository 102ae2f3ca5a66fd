"""The plugs of the fast lab: the virtual WeMo's relays without UPnP in between."""

from collections.abc import Callable

from numpy.random import Generator

from testbed.clock import Clock
from testbed.errors import DriverNoEffectError
from testbed.model.protocols import Bracket
from testbed.virtual.wemo.relay import Meter, Relay

_ANSWER_S = (0.012, 0.045)  # one SOAP call
Visit = Callable[[str, bool], None]


class FastPlug:
    """A `PowerSwitch` and `PowerMeter`.

    visit  called with 'set' or 'get' and the state, for each call that crosses the LAN
    """

    def __init__(
        self, name: str, relay: Relay, clock: Clock, rng: Generator, visit: Visit
    ) -> None:
        self._name = name
        self._relay = relay
        self._clock = clock
        self._rng = rng
        self._visit = visit
        self._meter = Meter(relay, rng)

    def set_power(self, on: bool) -> Bracket:
        """Switch mains; return once the plug itself reports the new state."""
        issue_ns = self._clock.now_ns()
        self._visit("set", on)
        self._sleep()
        self._relay.switch(on)
        self._sleep()
        answer_ns = self._clock.now_ns()
        if self.read_power() is not on:
            state = "off" if on else "on"
            raise DriverNoEffectError(
                self._name,
                f"switch {'on' if on else 'off'}",
                f"it accepted and still reports {state}; is its button held?",
            )
        return Bracket(
            issue_ns=issue_ns,
            return_ns=self._clock.now_ns(),
            instant_ns=(issue_ns + answer_ns) // 2,
        )

    def read_power(self) -> bool:
        """Say whether the plug reports mains as on."""
        self._visit("get", self._relay.reported())
        self._sleep()
        return self._relay.reported()

    def read_power_w(self) -> float:
        """Return the active power in watts."""
        self._visit("get", self._relay.reported())
        self._sleep()
        return self._meter.read_mw() / 1000.0

    def close(self) -> None:
        """Leave."""

    def _sleep(self) -> None:
        self._clock.sleep(float(self._rng.uniform(*_ANSWER_S)))
