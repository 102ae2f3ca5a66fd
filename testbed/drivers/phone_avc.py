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
from testbed.drivers.phone_client import Session, View
from testbed.drivers.phone_find import (
    Found,
    find_point,
    find_view,
    is_package,
    is_passing,
    typing_command,
    words,
)
from testbed.drivers.phone_link import READY_S, PhoneLink
from testbed.drivers.registry import Driver
from testbed.errors import (
    DriverNoEffectError,
    DriverRefusedError,
    DriverTimeoutError,
)
from testbed.model.inspection import AppFacts, PhoneFacts, Sighting
from testbed.model.lab import PhoneAt
from testbed.model.protocols import Bracket, Evidence
from testbed.model.steps import Selector, Step

_log = logging.getLogger(__name__)

# `input tap` returns when the app has taken the touch and its own process has ended.
# On the virtual phone touch-down is 10-40 ms before that; on a real phone measure it
# (a guess until then). It only shifts the estimate inside the bracket.
TOUCH_LEAD_NS = 25_000_000
_CALL_S = 15.0
_DUMP_S = 10.0  # uiautomator takes up to 4 s on a real phone
_POLL_S = 0.05
_POINT_AFTER_S = 3.0  # how long the other rungs are tried before a bare point is used
_SWIPE_MS = 300
_SEEN_CHARACTERS = 200
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
        self.expect(interrupts)
        self._link = link
        self._clock = clock
        self._call_s = call_timeout_s
        self._on_close = on_close
        self._lock = threading.RLock()
        self._name = f"phone {link.serial}"
        self._package = ""  # of the app that was opened last
        self._shown: tuple[View, ...] = ()  # the last dump since the last act
        self._closed: list[str] = []  # pop-ups closed since the step began

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
        self._popups = tuple(s.tap for s in interrupts if s.tap is not None)

    def perform(self, step: Step) -> Bracket:
        """Do one step; return once the phone has done it.

        `instant_ns` of a tap is the estimated touch-down; `detail` says which rung of
        the ladder was used and which pop-ups were closed. Nothing is ever repeated.
        """
        with self._lock:
            self._closed = []
            if step.open_app is not None:
                return self._open_app(step.open_app, step.within)
            if step.tap is not None:
                return self._tap(step.tap, step.within)
            if step.wait_for is not None:
                return self._wait_for(step.wait_for, step.within)
            return self._input(step)

    def see(self, selector: Selector, within_s: float) -> bool:
        """Say whether the selector matches the screen within `within_s` seconds.

        A rung that is a point matches nothing.
        """
        with self._lock:
            return self._find(selector, within_s, still=False, points=False) is not None

    def evidence(self) -> Evidence:
        """Return what the screen shows now: a PNG and the XML of the view tree."""

        def look(session: Session) -> Evidence:
            image = session.client.takeSnapshot(reconnect=True)
            session.dump()
            file = io.BytesIO()
            image.convert("RGB").save(file, format="PNG", compress_level=3)
            xml = session.client.output.decode(errors="replace")
            return Evidence(screenshot_png=file.getvalue(), view_tree_xml=xml)

        return self._call("take a screenshot", look)

    def app_version(self, package: str) -> str:
        """Return the installed version of an app, or '' when it is not installed."""
        request = f"read the version of {package}"
        self._check_package(package, request)
        text = self._call(request, lambda s: s.shell(f"dumpsys package {package}"))
        match = re.search(r"versionName=(\S+)", text)
        return match[1] if match else ""

    def describe(self) -> PhoneFacts:
        """Return what the phone says of itself."""
        asked = phone_facts.QUESTIONS

        def ask(session: Session) -> list[str]:
            return [session.shell(question) for question in asked]

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
            views = self._dump("look at the screen")
            found = [find_view(s, views, self._package) for s in selectors]
        return tuple(
            Sighting(rung=f.rung, text=f.text, point=f.point) if f else None
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
        bracket = self._stamped(request, lambda s: s.start(package))
        self._package = package
        end_s = self._clock.monotonic_s() + within_s
        while not any(v.package == package for v in self._dump(request)):
            self._close_popups()
            if self._clock.monotonic_s() >= end_s:
                seen = self._shown[0].package if self._shown else "nothing"
                reason = f"not in front within {within_s:g} s; the screen shows {seen}"
                raise DriverTimeoutError(self._name, request, reason)
            self._clock.sleep(_POLL_S)
        return self._reported(bracket, {"package": package})

    def _tap(self, selector: Selector, within_s: float) -> Bracket:
        request = f"tap {words(selector)}"
        found = self._find(selector, within_s, still=True, points=True)
        if found is None:
            raise self._not_there(request, within_s)
        bracket = self._touch(request, found)
        x, y = found.point
        return self._reported(bracket, {"rung": found.rung, "point": f"{x},{y}"})

    def _wait_for(self, selector: Selector, within_s: float) -> Bracket:
        issue_ns = self._clock.now_ns()
        found = self._find(selector, within_s, still=False, points=False)
        if found is None:
            raise self._not_there(f"wait for {words(selector)}", within_s)
        now_ns = self._clock.now_ns()
        bracket = Bracket(issue_ns=issue_ns, return_ns=now_ns, instant_ns=now_ns)
        return self._reported(bracket, {"rung": found.rung})

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

    def _find(
        self, selector: Selector, within_s: float, *, still: bool, points: bool
    ) -> Found | None:
        """Poll the screen until the ladder matches; None when it does not in time.

        still   require the same place in two dumps in a row: nothing moves any more
        points  whether a bare point counts, once the other rungs had their time
        """
        request = f"look for {words(selector)}"
        start_s = self._clock.monotonic_s()
        point = find_point(selector) if points else None
        patience_s = (
            0.0 if len(selector.any) == 1 else min(_POINT_AFTER_S, within_s / 2)
        )
        last = find_view(selector, self._shown, self._package)
        while True:
            self._dump(request)
            closed = self._close_popups()
            found = find_view(selector, self._shown, self._package)
            if found is not None and (not still or found == last):
                return found
            waited_s = self._clock.monotonic_s() - start_s
            if point and not found and not closed and waited_s >= patience_s:
                return point
            if waited_s >= within_s:
                return None
            last = found
            if found is None:
                self._clock.sleep(_POLL_S)

    def _dump(self, request: str) -> tuple[View, ...]:
        """Return the screen; () when the phone could not say what it shows just now."""

        def dump(session: Session) -> tuple[View, ...]:
            try:
                return session.dump()
            except (RuntimeError, ValueError) as exc:
                if not is_passing(exc):
                    raise
                _log.debug("%s: no dump: %s", self._name, exc)
                return ()

        self._shown = self._link.call(request, dump, timeout_s=_DUMP_S)
        return self._shown

    def _close_popups(self) -> bool:
        """Touch the first declared pop-up that is shown; say whether one was."""
        for selector in self._popups:
            found = find_view(selector, self._shown, self._package)
            if found is not None:
                self._touch(f"close a pop-up by {words(selector)}", found)
                _log.info("%s: closed a pop-up by %s", self._name, words(selector))
                self._closed.append(words(selector))
                return True
        return False

    def _touch(self, request: str, found: Found) -> Bracket:
        x, y = found.point
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

        self._shown = ()  # what was seen before the act says nothing about after it
        return self._call(request, timed)

    def _call(self, request: str, act: Callable[[Session], _Answer]) -> _Answer:
        return self._link.call(request, act, timeout_s=self._call_s)

    def _reported(self, bracket: Bracket, detail: dict[str, str]) -> Bracket:
        if self._closed:
            detail = {**detail, "interrupt": "; ".join(self._closed)}
        return replace(bracket, detail=detail)

    def _not_there(self, request: str, within_s: float) -> DriverTimeoutError:
        texts = [v.text or v.resource_id for v in self._shown]
        seen = ", ".join(repr(t) for t in texts if t)[:_SEEN_CHARACTERS] or "nothing"
        reason = f"not on the screen within {within_s:g} s; it shows {seen}"
        return DriverTimeoutError(self._name, request, reason)

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
