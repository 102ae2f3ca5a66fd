"""Find on the phone's screen what a selector means, and close what is in the way."""

import logging
from collections.abc import Callable, Sequence

from testbed.clock import Clock
from testbed.drivers.phone_screen import Screen
from testbed.errors import DriverRefusedError, DriverTimeoutError
from testbed.model.interrupts import covers, find_interrupt
from testbed.model.ladder import Hit, climb, doubts
from testbed.model.steps import Selector, Step

_log = logging.getLogger(__name__)
_POLL_S = 0.05
_POINT_AFTER_S = 3.0  # how long the other rungs are tried before a bare point is used
_N_CLOSED = 3  # how often one pop-up may be closed within one step
_SEEN_CHARACTERS = 200


class Finder:
    """Looks for selectors. The caller holds the phone.

    package  of the app that was opened last; completes an id that has no ':id/'
    closed   the pop-ups that were closed since the caller emptied it, in words
    """

    def __init__(
        self,
        name: str,
        screen: Screen,
        clock: Clock,
        *,
        touch: Callable[[str, tuple[int, int]], object],
    ) -> None:
        self.package = ""
        self.closed: list[str] = []
        self._name = name
        self._screen = screen
        self._clock = clock
        self._touch = touch
        self._popups: tuple[Selector, ...] = ()

    def expect(self, interrupts: Sequence[Step]) -> None:
        """Declare pop-ups to close; steps without a tap are left out."""
        self._popups = tuple(s.tap for s in interrupts if s.tap is not None)

    def sight(self, selectors: Sequence[Selector]) -> list[Hit | None]:
        """Find selectors on the screen as it is now."""
        self._screen.look("look at the screen", self.package)
        return [self._climb(s, touch=False) for s in selectors]

    def find(self, selector: Selector, within_s: float, *, touch: bool) -> Hit | None:
        """Poll the screen until the ladder matches; None when it does not in time.

        touch  what is found is to be touched: it must be one view that stands still,
               two dumps in a row for the first rung, three for a lower one. A bare
               point counts once the other rungs had their time.
        """
        request = f"look for {selector.words()}"
        start_s = self._clock.monotonic_s()
        patience_s = (
            0.0 if len(selector.any) == 1 else min(_POINT_AFTER_S, within_s / 2)
        )
        last, n_same = self._climb(selector, touch=touch), 1
        while True:
            self._screen.look(request, self.package)
            closed = self.close_popups(request)
            hit, is_proven = self._usable(selector, touch=touch)
            n_same = n_same + 1 if hit is not None and hit == last else 1
            if hit is not None and (
                not touch or is_proven or n_same >= (3 if hit.passed else 2)
            ):
                return hit
            waited_s = self._clock.monotonic_s() - start_s
            if touch and not hit and not closed and waited_s >= patience_s:
                point = self._bare_point(selector)
                if point is not None:
                    return point
            if waited_s >= within_s:
                return None
            last = hit
            if hit is None:
                self._clock.sleep(_POLL_S)

    def _bare_point(self, selector: Selector) -> Hit | None:
        """Return the point of a ladder, if the app is known to be in front.

        While windows change the phone does not say which one is in front.
        """
        screen = self._screen
        is_foreign = bool(screen.shown) and not screen.views
        if not screen.focus or is_foreign or covers(screen.focus, self.package):
            return None
        package, size = self.package, screen.size
        hit = climb(selector, screen.views, package=package, size=size, points=True)
        return hit if hit is not None and hit.box is None else None

    def _usable(self, selector: Selector, *, touch: bool) -> tuple[Hit | None, bool]:
        """Return what is found and of now, and whether a picture alone proves it."""
        screen = self._screen
        hit = self._climb(selector, touch=touch)
        if hit is not None and hit.box is not None:
            return (hit, False) if screen.proves(hit.box) else (None, False)
        if screen.views:
            return None, False
        hit = self._climb(selector, touch=touch, last_good=True)
        if hit is None or hit.box is None:
            return None, False
        return (hit, True) if screen.proves(hit.box, strictly=True) else (None, False)

    def _climb(
        self, selector: Selector, *, touch: bool, last_good: bool = False
    ) -> Hit | None:
        screen = self._screen
        views = screen.last_good(self.package) if last_good else screen.views
        return climb(
            selector, views, package=self.package, size=self._screen.size, touch=touch
        )

    def close_popups(self, request: str) -> bool:
        """Touch away the first pop-up that is shown; say whether one was.

        One in a tree that may be old is left: where it was, there may be a button of
        the app by now.

        Raises DriverRefusedError when it says that the app has failed.
        """
        screen = self._screen
        views, size = screen.shown, screen.size
        for selector in self._popups:
            hit = climb(selector, views, package=self.package, size=size)
            if hit is not None and hit.box is not None and screen.proves(hit.box):
                self._close(selector.words(), hit.point, request)
                return True
        dialog = find_interrupt(views, size)
        if dialog is None or not screen.proves(dialog.box):
            return False
        cover = covers(screen.focus, self.package)
        self._close(dialog.words(), dialog.point, request)
        if dialog.is_fatal and (not cover or self.package in cover):
            reason = f"Android says {dialog.text!r}; the dialog was closed"
            raise DriverRefusedError(self._name, request, reason)
        return True

    def _close(self, words: str, point: tuple[int, int], request: str) -> None:
        if self.closed.count(words) >= _N_CLOSED:
            reason = f"a pop-up comes again each time it is closed by {words}"
            raise DriverRefusedError(self._name, request, reason)
        self._touch(f"close a pop-up by {words}", point)
        _log.info("%s: closed a pop-up by %s", self._name, words)
        self.closed.append(words)

    def not_there(
        self, request: str, selector: Selector, within_s: float
    ) -> DriverTimeoutError:
        """Return the error that says what the screen shows instead."""
        screen = self._screen
        unclear = doubts(selector, screen.views, package=self.package, size=screen.size)
        reason = f"not on the screen within {within_s:g} s; {self._what_shows()}"
        if unclear:
            reason = f"{unclear}, and which one is meant is not clear"
        return DriverTimeoutError(self._name, request, reason)

    def _what_shows(self) -> str:
        """Say what is on the screen, and what covers the app."""
        screen = self._screen
        texts = [v.text or v.resource_id for v in screen.views]
        seen = ", ".join(repr(t) for t in texts if t)[:_SEEN_CHARACTERS]
        cover = covers(screen.focus, self.package)
        if cover:
            remedy = "declare how to close it under `interrupts` of the profile"
            return f"{cover} covers the app and shows {seen or 'nothing'}; {remedy}"
        if screen.doubt or not seen:
            return screen.doubt or "it shows nothing"
        return f"it shows {seen}"

    def not_open(self, within_s: float) -> str:
        """Say what is in front instead of the app."""
        shows = self._screen.package or "nothing"
        told = f"not in front within {within_s:g} s; the screen shows {shows}"
        return f"{told}: {self._what_shows()}"
