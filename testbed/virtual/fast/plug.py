"""The plugs of the fast lab: the virtual WeMo's relays without UPnP in between.

What crosses the LAN is what the real driver and pywemo make of a request: before each
one the driver asks whether the plug is there, and an Insight is asked for its readings
whenever it is asked for its state.
"""

from collections.abc import Callable

from numpy.random import Generator

from testbed.clock import Clock
from testbed.errors import (
    DriverGarbledError,
    DriverNoEffectError,
    DriverTimeoutError,
)
from testbed.model.protocols import Bracket
from testbed.virtual.house.scene import CUT_OFF
from testbed.virtual.wemo.relay import Meter, Relay, insight_params

_ANSWER_S = (0.012, 0.045)  # one SOAP call
_FOUND_S = 6.0  # how long the real driver looks for a plug
_UNREACHABLE = ("plug_unreachable", *CUT_OFF)
Call = Callable[[str, str, str], None]
FaultOfPlug = Callable[[str], str | None]


class FastPlug:
    """A `PowerSwitch` and `PowerMeter`.

    fault  asked for what is wrong with the plug: a kind -> its value, or None
    call  called with action, the plug's answer, and XML of the arguments, for each call
          that crosses the LAN
    """

    def __init__(
        self,
        name: str,
        relay: Relay,
        clock: Clock,
        rng: Generator,
        call: Call,
        *,
        fault: FaultOfPlug = lambda kind: None,
    ) -> None:
        self._fault = fault
        self._name = name
        self._relay = relay
        self._clock = clock
        self._rng = rng
        self._call = call
        self._meter = Meter(relay, rng)

    def set_power(self, on: bool) -> Bracket:
        """Switch mains; return once the plug itself reports the new state."""
        self._ask()
        issue_ns = self._clock.now_ns()
        self._sleep()
        taken = self._relay.switch(on)
        wanted = str(int(on))
        given = f"<BinaryState>{wanted}</BinaryState>"
        self._call("SetBinaryState", wanted if taken else "Error", given)
        self._sleep()
        answer_ns = self._clock.now_ns()
        if self._ask() is not on:
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
        self._ask()
        return self._ask()

    def read_power_w(self) -> float:
        """Return the active power in watts."""
        self._ask()
        return self._read() / 1000.0

    def alive(self) -> bool:
        """Say whether the plug describes itself."""
        return not self._is_unreachable() and self._fault("api_garbled") is None

    def close(self) -> None:
        """Leave."""

    def _is_unreachable(self) -> bool:
        return any(self._fault(kind) is not None for kind in _UNREACHABLE)

    def _require(self) -> None:
        if self._is_unreachable():
            self._clock.sleep(_FOUND_S)
            reason = "no WeMo answers; is it on and in the network?"
            raise DriverTimeoutError(self._name, "connect", reason)
        if self._fault("api_garbled") is not None:
            raise DriverGarbledError(
                self._name, "connect", "its answer is not that of a WeMo"
            )

    def _ask(self) -> bool:
        """Return the state that the plug reports."""
        self._read()
        on = self._relay.reported()
        self._call("GetBinaryState", str(int(on)), "")
        self._sleep()
        return on

    def _read(self) -> int:
        """Return the meter's reading in mW."""
        self._require()
        power_mw = self._meter.read_mw()
        params = insight_params(self._relay, power_mw, self._clock.now_ns())
        self._call("GetInsightParams", params, "")
        self._sleep()
        return power_mw

    def _sleep(self) -> None:
        self._clock.sleep(float(self._rng.uniform(*_ANSWER_S)))
