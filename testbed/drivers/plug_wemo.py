"""A Belkin WeMo plug over its LAN interface, through pywemo.

pywemo by itself goes looking for a device that does not answer: it multicasts on every
network of the controller and retries for minutes. Here a plug is addressed by its host
and pinned by its UDN, nothing is ever multicast, and each request has a deadline. A
plug that came back on another port (they do after a reboot) is found by asking the
known WeMo ports of the same host, and held to its UDN again.
"""

import functools
import logging
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn
from urllib.parse import urlsplit

from testbed.clock import Clock, wait_until
from testbed.drivers import tap
from testbed.drivers.registry import Driver
from testbed.errors import (
    DriverGarbledError,
    DriverNoEffectError,
    DriverRefusedError,
    DriverTimeoutError,
)
from testbed.model.lab import PlugAt
from testbed.model.protocols import Bracket

REQUEST_S = 2.0
LOOK_S = 1.0
FIND_S = 6.0
EFFECT_S = 3.0


logging.getLogger("pywemo").addHandler(logging.NullHandler())  # errors are translated


class WemoPlug:
    """One WeMo plug; implements PowerSwitch, and PowerMeter when it is an Insight.

    Connects when it is first asked. Calls from several threads are serialised.
    """

    def __init__(self, name: str, at: PlugAt, clock: Clock) -> None:
        self._name = name
        self._at = at
        self._clock = clock
        self._device: Any = None
        self._lock = threading.RLock()

    def set_power(self, on: bool) -> Bracket:
        """Switch mains; return once the plug itself reports the new state.

        `instant_ns` is the middle between command and answer. A plug that is in that
        state already is content. Raises DriverNoEffectError when it goes on reporting
        the old state for 3 s.
        """
        request = f"switch {'on' if on else 'off'}"
        with self._lock:
            device = self._reachable(request)
            issue_ns = self._clock.now_ns()
            with self._translated(request):
                answer = device.basicevent.SetBinaryState(BinaryState=int(on))
            answer_ns = self._clock.now_ns()
            if not self._comes_to(device, on, request):
                state = "off" if on else "on"
                reason = f"it accepted and still reports {state}; is its button held?"
                raise DriverNoEffectError(self._name, request, reason)
            return Bracket(
                issue_ns=issue_ns,
                return_ns=self._clock.now_ns(),
                instant_ns=(issue_ns + answer_ns) // 2,
                detail={"answer": answer.get("BinaryState", "")},
            )

    def read_power(self) -> bool:
        """Say whether the plug reports mains as on (on without load is on)."""
        with self._lock:
            device = self._reachable("read state")
            return self._state(device, "read state")

    def read_power_w(self) -> float:
        """Return the active power in watts.

        Raises DriverRefusedError when the plug is a model without a meter.
        """
        request = "read power"
        with self._lock:
            device = self._reachable(request)
            if "insight" not in device.services:
                reason = f"a {device.model_name} has no meter; use a WeMo Insight"
                raise DriverRefusedError(self._name, request, reason)
            with self._translated(request):
                device.update_insight_params()
                return float(device.current_power_watts)

    def alive(self) -> bool:
        """Say whether the plug describes itself; it is asked for nothing else.

        A plug that is itself a device under test is not touched: its packets would be
        in its windows. Whether it is there is told by its device.
        """
        from pywemo.ouimeaux_device import PROBE_PORTS

        if self._at.is_device is not None:
            return True
        device = self._device
        ports = PROBE_PORTS if device is None else (device.port, *PROBE_PORTS)
        for port in dict.fromkeys(int(port) for port in ports):
            try:
                socket.create_connection((self._at.host, port), LOOK_S).close()
            except ConnectionRefusedError:
                continue  # it came back on another
            except OSError:
                return False
            return _udn_at(f"http://{self._at.host}:{port}/setup.xml") == self._at.udn
        return False

    def close(self) -> None:
        """Leave; connections are per request, so there is nothing to give back."""
        with self._lock:
            self._device = None

    def _reachable(self, request: str) -> Any:
        """Return the connected device, found again when it does not answer."""
        if self._device is not None:
            try:
                self._state(self._device, request)
            except DriverTimeoutError:
                self._device = None
            else:
                return self._device
        self._device = self._connect(request)
        return self._device

    def _connect(self, request: str) -> Any:
        """Find the plug on its host by unicast and hold it to its UDN."""
        from pywemo.ouimeaux_device import PROBE_PORTS

        end_s = self._clock.monotonic_s() + FIND_S
        others: list[str] = []
        for port in PROBE_PORTS:
            url = f"http://{self._at.host}:{port}/setup.xml"
            udn = _udn_at(url)
            if udn == self._at.udn:
                with self._translated(request):
                    return _open_device(url, is_insight=udn.startswith("uuid:Insight"))
            if udn is not None:
                others.append(udn)
            if self._clock.monotonic_s() > end_s:
                break
        if others:
            reason = f"{self._at.host} is {others[0]} and not {self._at.udn}"
            remedy = "correct host or udn in lab.yaml"
            raise DriverRefusedError(self._name, request, f"{reason}; {remedy}")
        reason = f"no WeMo answers at {self._at.host}; is it on and in the network?"
        raise DriverTimeoutError(self._name, request, reason)

    def _comes_to(self, device: Any, on: bool, request: str) -> bool:
        return wait_until(
            lambda: self._state(device, request) is on,
            clock=self._clock,
            deadline_s=EFFECT_S,
            poll_s=0.1,
        )

    def _state(self, device: Any, request: str) -> bool:
        with self._translated(request):
            return bool(device.get_state(force_update=True))

    @contextmanager
    def _translated(self, request: str) -> Iterator[None]:
        """Turn the errors of pywemo, lxml and the network into ours, once."""
        from lxml.etree import LxmlError  # type: ignore[import-untyped]
        from pywemo import exceptions as wemo

        try:
            yield
        except wemo.SOAPFault as exc:
            raise DriverRefusedError(self._name, request, f"it said {exc}") from exc
        except (wemo.ActionException, wemo.HTTPException) as exc:
            reason = f"no proper answer from {self._at.host}; is it on?"
            raise DriverTimeoutError(self._name, request, reason) from exc
        except (wemo.PyWeMoException, LxmlError) as exc:
            self._garbled(request, exc)
        except (ValueError, KeyError, IndexError, AssertionError, TypeError) as exc:
            self._garbled(request, exc)

    def _garbled(self, request: str, exc: Exception) -> NoReturn:
        reason = f"its answer is not that of a WeMo ({type(exc).__name__}: {exc})"
        raise DriverGarbledError(self._name, request, reason) from exc


def open_plug(name: str, at: PlugAt, clock: Clock) -> WemoPlug:
    """Return the plug `name` of a lab; asks nobody yet."""
    return WemoPlug(name, at, clock)


def _udn_at(url: str) -> str | None:
    """Return the UDN of the device described at a URL, or None when there is none."""
    from lxml.etree import LxmlError
    from pywemo.exceptions import PyWeMoException
    from pywemo.ouimeaux_device.api.service import Session
    from pywemo.ouimeaux_device.api.xsd_types import DeviceDescription
    from urllib3 import Retry

    session = _tapped(Session(url, retries=Retry(total=0), timeout=REQUEST_S))
    try:
        return str(DeviceDescription.from_xml(session.get(url).data).udn)
    except (PyWeMoException, LxmlError, ValueError):
        return None


def _tapped(session: Any) -> Any:
    """Let those who listen hear what goes over a session of pywemo."""
    ask = session.request

    def request(method: str, url: str, **options: Any) -> Any:
        answer = ask(method, url, **options)
        if tap.is_heard():
            action = options.get("headers", {}).get("SOAPACTION", "")
            body = options.get("body") or ""
            body = body.decode() if isinstance(body, bytes) else str(body)
            path, body = urlsplit(url).path, " ".join(body.split())
            asked = " ".join(p for p in (method, path, action, body) if p)
            tap.tell(asked, answer.data.decode(errors="replace"), answer.status, 0.0)
        return answer

    session.request = request
    return session


def _open_device(url: str, *, is_insight: bool) -> Any:
    device = _device_classes()[is_insight](url)
    for service in device.services.values():
        for action in service.actions.values():
            action.max_rediscovery_attempts = 1  # what is rediscovered is asked again
    return device


@functools.cache
def _device_classes() -> dict[bool, Callable[[str], Any]]:
    """Return pywemo's Switch (False) and Insight (True) without their wanderlust."""
    from pywemo.ouimeaux_device.insight import Insight
    from pywemo.ouimeaux_device.switch import Switch
    from urllib3 import Retry

    class Bounded:
        """Sets deadlines before the first request, and never goes looking."""

        @property
        def session(self) -> Any:
            return self._session

        @session.setter
        def session(self, session: Any) -> None:
            session.retries = Retry(total=1, allowed_methods=["GET"])
            session.timeout = REQUEST_S
            self._session = _tapped(session)

        def reconnect_with_device(self) -> None:
            """Stay; pywemo would multicast on every network of this machine."""

    class BoundedSwitch(Bounded, Switch):
        pass

    class BoundedInsight(Bounded, Insight):
        pass

    return {False: BoundedSwitch, True: BoundedInsight}


def _open(at: PlugAt, clock: Clock) -> WemoPlug:
    return open_plug(f"plug {at.host}", at, clock)


DRIVER = Driver(kind="plug", name="pywemo", open=_open)
