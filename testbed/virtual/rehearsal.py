"""A stage without devices, to try one virtual instrument alone.

`Rehearsal` writes down what it is told and says what it was set to say.
`LoopThread` hosts asyncio servers of the lab beside code that blocks.
"""

import asyncio
import threading
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeVar

RUN_S = 30.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """One activity that an instrument caused."""

    device: str
    activity: str
    channel: str
    network: str | None
    parameters: Mapping[str, str]
    instant_ns: int


class Rehearsal:
    """Implements `Stage`; power_*, turn_* take effect at once."""

    def __init__(self, states: Mapping[str, Mapping[str, str]] | None = None) -> None:
        self.begun: list[Begun] = []
        self.faults: dict[tuple[str, str], str] = {}
        self._states = {name: dict(state) for name, state in (states or {}).items()}
        self._news = threading.Condition()

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
        """Write the activity down."""
        begun = Begun(
            device=device,
            activity=activity,
            channel=channel,
            network=network,
            parameters=dict(parameters),
            instant_ns=instant_ns,
        )
        key, _, value = activity.rpartition("_")
        with self._news:
            if key in ("power", "turn"):
                name = "power" if key == "power" else "switch"
                self._states.setdefault(device, {})[name] = value
            self.begun.append(begun)
            self._news.notify_all()

    def state(self, device: str) -> Mapping[str, str]:
        """Return what the device was set to, power on unless said otherwise."""
        return {"power": "on", "switch": "off", **self._states.get(device, {})}

    def fault(self, kind: str, target: str) -> str | None:
        """Return the value in `faults`, else None."""
        return self.faults.get((kind, target))

    def wait_for(self, n: int, within_s: float = 10.0) -> list[Begun]:
        """Return what has begun, once it is `n` activities or the time is over."""
        with self._news:
            self._news.wait_for(lambda: len(self.begun) >= n, timeout=within_s)
            return list(self.begun)


class LoopThread:
    """An event loop in a thread of its own, as a context."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="lab loop")

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Return the result of a coroutine that runs in the loop."""
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        return future.result(RUN_S)

    def __enter__(self) -> Self:
        """Start the loop."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the loop and its thread."""
        self.run(self._loop.shutdown_asyncgens())
        self.run(self._loop.shutdown_default_executor())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(RUN_S)
        self._loop.close()
