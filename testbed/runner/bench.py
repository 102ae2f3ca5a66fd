"""All instruments of one lab, opened together and left together."""

import getpass
import os
import re
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from testbed.clock import Clock
from testbed.errors import ConfigError, DriverRefusedError
from testbed.model.lab import Lab
from testbed.model.protocols import (
    CapturePoint,
    Phone,
    PowerMeter,
    PowerSwitch,
    Voice,
)
from testbed.model.types import Strict

_VARIABLE = re.compile(r"\$\{(\w+)\}")
Opener = Callable[[Any, str, object, Clock], Any]  # kind, driver, section, clock
Section = TypeVar("Section", bound=Strict)


class Plug(PowerSwitch, PowerMeter, Protocol):
    """A plug that switches mains and measures power."""


class BeaconSender(Protocol):
    """A way across the captured interface."""

    def send(self, payload: bytes) -> None:
        """Send one beacon; returns when it has left. Raises DriverError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """The instruments of a lab; an absent one is None."""

    capture: CapturePoint
    beacons: BeaconSender
    phone: Phone | None = None
    voice: Voice | None = None
    plugs: Mapping[str, Plug] = field(default_factory=dict)


class UdpBeacons:
    """Beacons as UDP packets from this machine to `host:port`."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        if not host or not port.isdecimal():
            raise ConfigError(
                f"router.beacon: must be host:port such as '10.77.0.1:47777', "
                f"got {address!r}"
            )
        self._to = (host, int(port))
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    def send(self, payload: bytes) -> None:
        """Send one beacon; raises DriverRefusedError when there is no way to it."""
        try:
            self._socket.sendto(payload, self._to)
        except OSError as exc:
            place = f"{self._to[0]}:{self._to[1]}"
            reason = f"{exc.strerror}; is this machine on the captured network?"
            raise DriverRefusedError("beacon", f"send to {place}", reason) from exc

    def close(self) -> None:
        """Give the socket back."""
        self._socket.close()


@contextmanager
def open_bench(lab: Lab, clock: Clock, opener: Opener | None = None) -> Iterator[Bench]:
    """Open every instrument of `lab`; close them all when the context ends.

    opener  as `testbed.drivers.registry.open_driver`, which is the default

    Raises ConfigError for an unknown driver or an unset variable, DriverError when an
    instrument does not open.
    """
    open_one = opener if opener is not None else _registry()
    with ExitStack() as stack:

        def opened(kind: str, at: Any) -> Any:
            ready = open_one(kind, at.driver, expanded(at), clock)
            close = getattr(ready, "close", None)
            if close is not None:
                stack.callback(close)
            return ready

        router = expanded(lab.router)
        beacons = UdpBeacons(router.beacon)
        stack.callback(beacons.close)
        yield Bench(
            capture=opened("router", lab.router),
            beacons=beacons,
            phone=opened("phone", lab.phone) if lab.phone else None,
            voice=opened("voice", lab.voice) if lab.voice else None,
            plugs={name: opened("plug", at) for name, at in lab.plugs.items()},
        )


def expanded(section: Section) -> Section:
    """Return a section of lab.yaml with each ${VAR} replaced.

    Raises ConfigError that names a variable which is not set.
    """
    values = section.model_dump(exclude_unset=True)
    return type(section).model_validate(_expand(values))


def expand(text: str) -> str:
    """Return a text of lab.yaml with each ${VAR} replaced.

    Raises ConfigError that names a variable which is not set.
    """
    return _VARIABLE.sub(_variable, text)


def _registry() -> Opener:
    from testbed.drivers.registry import open_driver  # drivers are found when needed

    return open_driver


def _expand(value: object) -> object:
    if isinstance(value, str):
        return expand(value)
    if isinstance(value, dict):
        return {key: _expand(one) for key, one in value.items()}
    if isinstance(value, tuple):
        return tuple(_expand(one) for one in value)
    return value


def _variable(match: re.Match[str]) -> str:
    name = match[1]
    if name == "USER":  # not every shell and no container sets it
        return getpass.getuser()
    if name not in os.environ:
        raise ConfigError(
            f"lab.yaml uses ${{{name}}}, which is not set; set it, or start the "
            "virtual lab, which sets its own"
        )
    return os.environ[name]
