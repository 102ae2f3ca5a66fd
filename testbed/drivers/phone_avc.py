"""An Android phone through AndroidViewClient and our own adb server."""

import contextlib
import io
import logging
import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from testbed.clock import Clock, wait_until
from testbed.drivers import phone_facts
from testbed.drivers.adb_server import AdbServer
from testbed.drivers.phone_client import Session
from testbed.drivers.phone_find import Finder
from testbed.drivers.phone_link import READY_S, PhoneLink
from testbed.drivers.phone_screen import Screen
from testbed.drivers.phone_words import is_package, typing_command
from testbed.drivers.registry import Driver
from testbed.errors import (
    DriverNoEffectError,
    DriverRefusedError,
    DriverTimeoutError,
)
from testbed.model.inspection import AppFacts, PhoneFacts, Sighting
from testbed.model.interrupts import covers, has_failed, is_of_system
from testbed.model.lab import PhoneAt
from testbed.model.protocols import Bracket, Evidence
from testbed.model.steps import Selector, Step

_log = logging.getLogger(__name__)

# `input tap` returns when the app has taken the touch and its own process has ended.
# On the virtual phone touch-down is 10-40 ms before that; on a real phone measure it
# (a guess until then). It only shifts the estimate inside the bracket.
TOUCH_LEAD_NS = 25_000_000
_CALL_S = 15.0
_POLL_S = 0.05
_SWIPE_MS = 300
_NETWORK_S = 10.0
_KEYS = {"back": "KEYCODE_BACK", "home": "KEYCODE_HOME", "enter": "KEYCODE_ENTER"}
_Answer = TypeVar("_Answer")


class AndroidPhone:
    """One phone; implements Phone. One caller at a time, others wait.

    interrupts  steps with a tap, for pop-ups: each is done whenever its selector is on
                the screen while something else is looked for
    """

    def __init__(
        self,
        link: PhoneLink,
        clock: Clock,
        *,
        interrupts: Sequence[Step] = (),
        call_timeout_s: float = _CALL_S,
        on_close: Callable[[], None] | None = None,
    ) -> None:
        self._link = link
        self._screen = Screen(link)
        self._clock = clock
        self._call_s = call_timeout_s
        self._on_close = on_close
        self._lock = threading.RLock()
        self._name = f"phone {link.serial}"
        self._finder = Finder(self._name, self._screen, clock, touch=self._touch)
        self.expect(interrupts)

    def __enter__(self) -> Self:
        """Return the phone."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the phone."""
        self.close()

    def close(self) -> None:
        """Let go of the phone and stop its adb server; safe to call twice."""
        self._link.close()
        if self._on_close is not None:
            self._on_close()

    def expect(self, interrupts: Sequence[Step]) -> None:
        """Declare the pop-ups to close when they are in the way, in place of the last.

        interrupts  steps with a tap; other steps have no selector and are left out
        """
        self._finder.expect(interrupts)

    def perform(self, step: Step) -> Bracket:
        """Do one step; return once the phone has done it.

        `instant_ns` of a tap is the estimated touch-down. `detail` says which rung of
        the ladder was used, as `fallback` why it was not the first, and as `interrupt`
        which pop-ups were closed. Nothing is ever repeated.

        Raises DriverError when an app crashes or does not respond meanwhile, and when
        a dialog of Android came up under the touch that is the trigger.
        """
        with self._lock:
            self._finder.closed.clear()
            if step.open_app is not None:
                return self._open_app(step.open_app, step.within)
            if step.tap is not None:
                return self._tap(step.tap, step.within, is_trigger=step.trigger)
            if step.wait_for is not None:
                return self._wait_for(step.wait_for, step.within)
            return self._input(step)

    def see(self, selector: Selector, within_s: float) -> bool:
        """Say whether the selector matches the screen within `within_s` seconds.

        A rung that is a point matches nothing. Raises DriverError when an app crashes
        or does not respond meanwhile.
        """
        with self._lock:
            self._finder.closed.clear()
            return self._finder.find(selector, within_s, touch=False) is not None

    def closed(self) -> tuple[str, ...]:
        """Return the pop-ups that the last `perform` or `see` has closed, in words."""
        with self._lock:
            return tuple(self._finder.closed)

    def evidence(self) -> Evidence:
        """Return what the screen shows now: a PNG and the XML of the view tree."""
        with self._lock:
            image, xml = self._screen.evidence("take a screenshot", self._call_s)
        file = io.BytesIO()
        image.convert("RGB").save(file, format="PNG", compress_level=3)
        return Evidence(screenshot_png=file.getvalue(), view_tree_xml=xml)

    def app_version(self, package: str) -> str:
        """Return the installed version of an app, or '' when it is not installed."""
        request = f"read the version of {package}"
        self._check_package(package, request)
        text = self._call(request, lambda s: s.shell(f"dumpsys package {package}"))
        match = re.search(r"versionName=(\S+)", text)
        return match[1] if match else ""

    def alive(self) -> bool:
        """Say whether it answers; it is connected anew where that is needed."""
        word = "here"
        said = self._call("say whether it is there", lambda s: s.shell(f"echo {word}"))
        return said.strip() == word

    def describe(self) -> PhoneFacts:
        """Return what the phone says of itself."""
        asked = phone_facts.QUESTIONS

        def ask(session: Session) -> list[str]:
            # not every phone knows every question; what it says is looked at later
            return [str(session.client.shell(question)) for question in asked]

        return phone_facts.phone_facts(self._call("describe itself", ask))

    def describe_app(self, package: str) -> AppFacts:
        """Return what the phone says of an app."""
        request = f"describe {package}"
        self._check_package(package, request)
        text = self._call(request, lambda s: s.shell(f"dumpsys package {package}"))
        return phone_facts.app_facts(package, text)

    def sight(self, selectors: Sequence[Selector]) -> tuple[Sighting | None, ...]:
        """Find selectors on the screen as it is now; a bare point means no view."""
        with self._lock:
            found = self._finder.sight(selectors)
        return tuple(
            Sighting(rung=f.rung.name, text=f.text, point=f.point) if f else None
            for f in found
        )

    def set_network(self, network: str) -> None:
        """Put the phone on the home Wi-Fi ('lan') or on mobile data ('wan').

        Raises DriverNoEffectError when the phone then reports the old state.
        """
        request = f"go to {network}"
        if network not in ("lan", "wan"):
            raise DriverRefusedError(self._name, request, "there are 'lan' and 'wan'")
        wifi, data = (
            ("enable", "disable") if network == "lan" else ("disable", "enable")
        )
        wanted = f"Wi-Fi is {wifi}d"

        def switched() -> bool:
            text = self._call(request, lambda s: s.shell("dumpsys wifi"))
            return text.startswith(wanted)

        with self._lock:
            self._call(request, lambda s: s.shell(f"svc wifi {wifi}"))
            self._call(request, lambda s: s.shell(f"svc data {data}"))
            if not wait_until(switched, clock=self._clock, deadline_s=_NETWORK_S):
                reason = f"it took the command, but does not report {wanted!r}"
                raise DriverNoEffectError(self._name, request, reason)

    def _open_app(self, package: str, within_s: float) -> Bracket:
        request = f"open {package}"
        self._check_package(package, request)
        if self._screen.needs_change:
            self._stamped("go home", lambda s: s.client.press(_KEYS["home"]))
            self._screen.look(request)
        bracket = self._stamped(request, lambda s: s.start(package))
        self._finder.package = package
        end_s = self._clock.monotonic_s() + within_s
        while not self._is_in_front(request):
            self._finder.close_popups(request)
            if self._clock.monotonic_s() >= end_s:
                reason = self._finder.not_open(within_s)
                raise DriverTimeoutError(self._name, request, reason)
            self._clock.sleep(_POLL_S)
        return self._reported(bracket, {"package": package})

    def _is_in_front(self, request: str) -> bool:
        self._screen.look(request, self._finder.package)
        return self._screen.package == self._finder.package

    def _tap(self, selector: Selector, within_s: float, *, is_trigger: bool) -> Bracket:
        request = f"tap {selector.words()}"
        hit = self._finder.find(selector, within_s, touch=True)
        if hit is None:
            raise self._finder.not_there(request, selector, within_s)
        before = self._screen.package
        bracket = self._touch(request, hit.point)
        self._check_cover(request, before, is_trigger=is_trigger)
        return self._reported(bracket, hit.detail())

    def _check_cover(self, request: str, before: str, *, is_trigger: bool) -> None:
        """Raise DriverRefusedError when a dialog of Android came up under the touch.

        The touch may have landed on it, so that nothing is known of its effect.
        """
        focus = self._screen.window(request, self._call_s)
        cover = covers(focus, before)
        if cover and (has_failed(focus) or (is_trigger and is_of_system(focus))):
            reason = f"{cover} came up at the touch, which may have landed on it"
            raise DriverRefusedError(self._name, request, reason)

    def _wait_for(self, selector: Selector, within_s: float) -> Bracket:
        issue_ns = self._clock.now_ns()
        hit = self._finder.find(selector, within_s, touch=False)
        if hit is None:
            request = f"wait for {selector.words()}"
            raise self._finder.not_there(request, selector, within_s)
        now_ns = self._clock.now_ns()
        bracket = Bracket(issue_ns=issue_ns, return_ns=now_ns, instant_ns=now_ns)
        return self._reported(bracket, hit.detail())

    def _input(self, step: Step) -> Bracket:
        if step.type is not None:
            text = step.type.text
            return self._stamped("type", lambda s: s.shell(typing_command(text)))
        if step.key is not None:
            key = _KEYS[step.key]
            return self._stamped(f"press {step.key}", lambda s: s.client.press(key))
        assert step.swipe is not None  # noqa: S101 - a step has exactly one act
        start, end = step.swipe
        return self._stamped("swipe", lambda s: s.client.drag(start, end, _SWIPE_MS))

    def _touch(self, request: str, point: tuple[int, int]) -> Bracket:
        x, y = point
        return self._stamped(
            request, lambda s: s.client.touch(x, y), lead_ns=TOUCH_LEAD_NS
        )

    def _stamped(
        self, request: str, act: Callable[[Session], object], *, lead_ns: int = 0
    ) -> Bracket:
        def timed(session: Session) -> Bracket:
            issue_ns = self._clock.now_ns()
            act(session)
            return_ns = session.deadline.answered_ns or self._clock.now_ns()
            session.require_success(request)
            instant_ns = max(issue_ns, return_ns - lead_ns)
            return Bracket(
                issue_ns=issue_ns, return_ns=return_ns, instant_ns=instant_ns
            )

        self._screen.acted()  # even if it fails: it may have happened
        return self._call(request, timed)

    def _call(self, request: str, act: Callable[[Session], _Answer]) -> _Answer:
        return self._link.call(request, act, timeout_s=self._call_s)

    def _reported(self, bracket: Bracket, detail: dict[str, str]) -> Bracket:
        if self._finder.closed:
            detail = {**detail, "interrupt": "; ".join(self._finder.closed)}
        return replace(bracket, detail=detail)

    def _check_package(self, package: str, request: str) -> None:
        if not is_package(package):
            reason = f"{package!r} is not the name of an app"
            raise DriverRefusedError(self._name, request, reason)


def open_phone(
    at: PhoneAt,
    clock: Clock,
    *,
    interrupts: Sequence[Step] = (),
    home: Path | None = None,
    call_timeout_s: float = _CALL_S,
    ready_s: float = READY_S,
) -> AndroidPhone:
    """Return the phone of a lab, behind an adb server of its own; close it in the end.

    interrupts  pop-ups to close, see AndroidPhone
    home        folder of the adb server's key; None means a lasting one of the user
    ready_s     how long the phone may take to be usable, now and after it was away

    Raises LabError when adb is missing, its port is taken or it does not start, and
    DriverError when the phone is not there.
    """
    server = AdbServer(
        at.adb_port,
        clock=clock,
        usb=":" not in at.serial,
        emulators=at.serial.startswith("emulator-"),
        home=home,
    )
    link = PhoneLink(
        at.serial, server, network=at.connect, clock=clock, ready_s=ready_s
    )
    phone = AndroidPhone(
        link,
        clock,
        interrupts=interrupts,
        call_timeout_s=call_timeout_s,
        on_close=server.stop,
    )
    with contextlib.ExitStack() as undo:
        undo.callback(phone.close)
        server.start()
        link.call("wake up", lambda s: s.shell("true"), timeout_s=call_timeout_s)
        undo.pop_all()
    return phone


DRIVER = Driver(kind="phone", name="androidviewclient", open=open_phone)
