"""The phone of the fast lab: the virtual phone's screens without adb in between."""

from collections.abc import Callable, Sequence
from functools import lru_cache

from numpy.random import Generator

from testbed.clock import Clock, wait_until
from testbed.errors import DriverError, DriverRefusedError, DriverTimeoutError
from testbed.model.interrupts import covers, find_interrupt, has_failed, is_of_system
from testbed.model.ladder import Hit, climb
from testbed.model.protocols import Bracket, Evidence
from testbed.model.steps import Selector, Step
from testbed.virtual.phone.commands import Delays
from testbed.virtual.phone.screen import dump_xml, png
from testbed.virtual.phone.screens import HEIGHT, WIDTH, AppScreens, Node

_NAME = "phone"
_LEAD_NS = 25_000_000  # middle of Delays.lead, which is all a driver can know
_OTHER_S = (0.1, 0.3)
_SIZE = (WIDTH, HEIGHT)
_CALL_S = 15.0  # the deadline of a call


class FastPhone:
    """A `Phone` on virtual time, with the delays of the live one."""

    def __init__(
        self,
        screens: AppScreens,
        clock: Clock,
        rng: Generator,
        *,
        delays: Delays | None = None,
    ) -> None:
        self._screens = screens
        self._clock = clock
        self._rng = rng
        self._delays = delays or Delays()
        self._popups: tuple[Selector, ...] = ()
        self._closed: list[str] = []  # pop-ups closed since the step began

    def expect(self, interrupts: Sequence[Step]) -> None:
        """Declare the pop-ups to close when they are in the way."""
        self._popups = tuple(s.tap for s in interrupts if s.tap is not None)

    def perform(self, step: Step) -> Bracket:
        """Do one step; see `Phone.perform`."""
        self._closed = []
        self._require_online(step.act)
        if step.tap is not None:
            return self._tap(step.tap, step.within, is_trigger=step.trigger)
        if step.wait_for is not None:
            return self._wait(step.wait_for, step.within)
        if step.open_app is not None:
            return self._open(step.open_app)
        key = step.key
        if key is not None:
            return self._timed(_OTHER_S, lambda: self._screens.press(key))
        return self._timed(_OTHER_S, lambda: None)

    def see(self, selector: Selector, within_s: float) -> bool:
        """Say whether the selector matches the screen within `within_s` seconds."""
        self._closed = []
        self._require_online("look")
        return self._found(selector, within_s, touch=False) is not None

    def closed(self) -> tuple[str, ...]:
        """Return the pop-ups that the last `perform` or `see` has closed, in words."""
        return tuple(self._closed)

    def evidence(self) -> Evidence:
        """Return what the screen shows now."""
        self._require_online("take a picture")
        tree = self._screens.view_tree()
        return Evidence(
            screenshot_png=_picture(tree), view_tree_xml=dump_xml(tree).decode()
        )

    def app_version(self, package: str) -> str:
        """Return the installed version of an app, or '' when it is not installed."""
        self._require_online("ask for a version")
        return self._screens.version(package)

    def alive(self) -> bool:
        """Say whether it answers."""
        return not self._screens.troubles.is_down(self._screens.restart)

    def set_network(self, network: str) -> None:
        """Put the phone on the home Wi-Fi ('lan') or on mobile data ('wan')."""
        self._require_online("change network")
        self._sleep((0.2, 0.5))
        self._screens.network = network

    def close(self) -> None:
        """Leave."""

    def _open(self, package: str) -> Bracket:
        opened: list[bool] = []
        bracket = self._timed(
            self._delays.start, lambda: opened.append(self._screens.open_app(package))
        )
        if not opened[0]:
            raise DriverRefusedError(
                _NAME, f"open {package}", "it is not installed; install the app"
            )
        return bracket

    def _tap(self, selector: Selector, within_s: float, *, is_trigger: bool) -> Bracket:
        hit = self._found(selector, within_s, touch=True)
        if hit is None:
            raise self._not_there(selector, within_s)
        before, request = self._screens.package, f"tap {selector.words()}"
        issue_ns = self._clock.now_ns()
        lead_s = float(self._rng.uniform(*self._delays.lead))
        self._clock.sleep(float(self._rng.uniform(*self._delays.tap)) - lead_s)
        self._screens.tap(*hit.point)
        self._clock.sleep(lead_s)
        return_ns = self._clock.now_ns()
        focus = self._screens.focus
        cover = covers(focus, before)
        if cover and (has_failed(focus) or (is_trigger and is_of_system(focus))):
            raise DriverRefusedError(_NAME, request, f"{cover} came up at the touch")
        return Bracket(
            issue_ns=issue_ns,
            return_ns=return_ns,
            instant_ns=max(issue_ns, return_ns - _LEAD_NS),
            detail={**hit.detail(), **self._interrupts()},
        )

    def _wait(self, selector: Selector, within_s: float) -> Bracket:
        issue_ns = self._clock.now_ns()
        if self._found(selector, within_s, touch=False) is None:
            raise self._not_there(selector, within_s)
        now_ns = self._clock.now_ns()
        return Bracket(
            issue_ns=issue_ns,
            return_ns=now_ns,
            instant_ns=now_ns,
            detail=self._interrupts(),
        )

    def _found(self, selector: Selector, within_s: float, *, touch: bool) -> Hit | None:
        """Return what the ladder means on the screen, once it is there."""
        found: list[Hit] = []

        def look() -> bool:
            self._sleep(self._delays.dump)
            if self._is_blind() or self._close_popup(selector.words()):
                return False
            hit = climb(
                selector,
                tuple(self._screens.view_tree().walk()),
                package=self._screens.package,
                size=_SIZE,
                touch=touch,
                points=touch,
            )
            if hit is not None:
                found.append(hit)
            return hit is not None

        wait_until(look, clock=self._clock, deadline_s=within_s)
        return found[0] if found else None

    def _is_blind(self) -> bool:
        """Say whether there is no dump, or one that is not of now."""
        troubles = self._screens.troubles
        self._clock.sleep(troubles.slow_s() + troubles.no_dump_s())
        return troubles.no_dump_s() > 0 or troubles.is_stale()

    def _close_popup(self, request: str) -> bool:
        """Touch away what covers the app; say whether something did."""
        views = tuple(self._screens.view_tree().walk())
        for selector in self._popups:
            hit = climb(selector, views, package=self._screens.package, size=_SIZE)
            if hit is not None:
                self._close(selector.words(), hit.point)
                return True
        dialog = find_interrupt(views, _SIZE)
        if dialog is not None:
            self._close(dialog.words(), dialog.point)
            if dialog.is_fatal:
                reason = f"Android says {dialog.text!r}; the dialog was closed"
                raise DriverRefusedError(_NAME, request, reason)
        return dialog is not None

    def _close(self, words: str, point: tuple[int, int]) -> None:
        self._sleep(self._delays.tap)
        self._screens.tap(*point)
        self._closed.append(words)

    def _interrupts(self) -> dict[str, str]:
        return {"interrupt": "; ".join(self._closed)} if self._closed else {}

    def _timed(self, range_s: tuple[float, float], act: Callable[[], None]) -> Bracket:
        issue_ns = self._clock.now_ns()
        self._sleep(range_s)
        act()
        now_ns = self._clock.now_ns()
        return Bracket(issue_ns=issue_ns, return_ns=now_ns, instant_ns=now_ns)

    def _sleep(self, range_s: tuple[float, float]) -> None:
        self._clock.sleep(float(self._rng.uniform(*range_s)))

    def _require_online(self, request: str) -> None:
        troubles = self._screens.troubles
        if troubles.is_down(self._screens.restart):
            self._clock.sleep(5.0)
            raise DriverTimeoutError(_NAME, request, "no answer; is it plugged in?")
        slow_s = troubles.slow_s()
        self._clock.sleep(min(slow_s, _CALL_S))
        if slow_s > _CALL_S:
            reason = f"no answer within {_CALL_S:g} s; is it on, awake and connected?"
            raise DriverTimeoutError(_NAME, request, reason)

    def _not_there(self, selector: Selector, within_s: float) -> DriverError:
        reason = f"not on the screen within {within_s:g} s"
        return DriverTimeoutError(_NAME, f"find {selector.words()}", reason)


@lru_cache(maxsize=64)
def _picture(tree: Node) -> bytes:
    # Compressing a picture takes longer than a trial; most screens come again.
    return png(tree)
