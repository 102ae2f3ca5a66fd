"""What the phone shows, as far as it can be believed.

A view tree may be old: what was dumped before an act is given once more, although the
screen has changed. So a tree is believed

- only when it belongs to the app whose window is in front; where the window does not
  say whose it is, only when it belongs to the app that should be there;
- at once, when it differs from the one before: nobody can have kept it;
- when it is the same as before an act, only where a picture proves it: the part of the
  screen that is to be touched or read looks as it did when that tree was new.

That picture is taken right behind the dump that was new, and never later: the screen
may change by itself at any time, and a later picture would prove the old tree by the
new screen. For the same reason every dump counts, whoever asked for it.

The same proof lets the last good tree stand in where no tree is to be had, as beside a
video that never comes to rest.
"""

import logging
from collections.abc import Callable
from typing import Any

from testbed.drivers.phone_client import Session, View
from testbed.drivers.phone_link import PhoneLink
from testbed.drivers.phone_words import is_passing
from testbed.errors import DriverGarbledError, DriverRefusedError
from testbed.model.interrupts import has_failed, package_of
from testbed.model.ladder import Box

_log = logging.getLogger(__name__)
_LOOK_S = 18.0  # uiautomator waits up to 10 s for a screen to come to rest
_PICTURE_S = 10.0
_UNKNOWN_SIZE = (1 << 20, 1 << 20)


class Screen:
    """The screen of one phone. The caller holds the phone.

    views  what is shown of the app in front, () when that is not known just now
    shown  what is shown, also when it is of nobody known: for dialogs in the way
    focus  title of the window in front, '' when that is not known
    doubt  why there are no views, in words
    size   of the screen in pixels
    """

    def __init__(self, link: PhoneLink) -> None:
        self._link = link
        self.views: tuple[View, ...] = ()
        self.shown: tuple[View, ...] = ()
        self.focus = ""
        self.doubt = ""
        self.size = _UNKNOWN_SIZE
        self._tree: tuple[View, ...] = ()  # the last one that was dumped
        self._picture: Any = None  # of the screen when that tree was new
        self._n_acts = 0  # since that tree was new
        self._is_doubted = False  # whether that tree could not be proven
        self._proven: set[Box] = set()  # since the last act

    @property
    def package(self) -> str:
        """Return the package in front; '' when that is not known.

        A window without a package, such as a menu, is of the app that the tree is of.
        """
        views = self.views or self.shown
        return package_of(self.focus) or (views[0].package if views else "")

    def look(self, request: str, app: str = "") -> tuple[View, ...]:
        """Ask for the view tree and the window in front; return the views.

        app  package that should be in front, '' for any

        Raises DriverError when the phone does not answer.
        """
        self.doubt = ""
        self.views = self.shown = ()

        def read(session: Session) -> tuple[View, ...]:
            self.size = session.size()
            try:
                return session.dump()
            except (RuntimeError, ValueError) as exc:
                if not is_passing(exc):
                    raise
                self.doubt = f"the phone gives no view tree ({exc})"
                return ()

        views = self._link.call(request, read, timeout_s=_LOOK_S)
        self._note(views, self._take)
        self.window(request, _LOOK_S)
        self.views = self._believed(views, app)
        if self.doubt:
            _log.debug("%s: %s", request, self.doubt)
        return self.views

    def window(self, request: str, timeout_s: float) -> str:
        """Ask only for the title of the window in front."""
        self.focus = self._link.call(request, lambda s: s.focus(), timeout_s=timeout_s)
        return self.focus

    def evidence(self, request: str, timeout_s: float) -> tuple[Any, str]:
        """Return a picture of the screen and the XML of its view tree."""
        dumped: list[tuple[View, ...]] = []

        def read(session: Session) -> tuple[Any, str]:
            dumped.append(session.dump())
            xml = session.client.output.decode(errors="replace")
            return session.picture(), xml

        picture = None
        try:
            picture, xml = self._link.call(request, read, timeout_s=timeout_s)
        finally:
            for views in dumped:
                self._note(views, lambda: picture)
        return picture, xml

    def acted(self) -> None:
        """Note that something was done to the phone: what was seen is of before."""
        self.views = self.shown = ()
        self._n_acts += 1
        self._proven.clear()

    def last_good(self, package: str) -> tuple[View, ...]:
        """Return the last tree that was dumped, if it is of the app in front.

        It is of before: prove what is used of it. () when it is of another app, or
        when the phone does not say what is in front.
        """
        if not package or package_of(self.focus) != package:
            return ()
        is_of_it = any(v.package == package for v in self._tree)
        return self._tree if is_of_it else ()

    def proves(self, box: Box, *, strictly: bool = False) -> bool:
        """Say whether the last tree is of now at this place of the screen.

        strictly  ask for a picture even if nothing was done since the tree was new
        """
        if not strictly and (self._n_acts == 0 or box in self._proven):
            return True
        picture = self._take()
        self._is_doubted = True
        if picture is None or self._picture is None:
            self.doubt = "the view tree may be old, and no picture proves it"
            return False
        if _cut(picture, box) != _cut(self._picture, box):
            self.doubt = "the view tree is old: the screen has changed and it has not"
            return False
        self._proven.add(box)
        self._is_doubted = False
        return True

    @property
    def needs_change(self) -> bool:
        """Say whether the last tree, should it come again, would not be believed.

        Then only another one in between can show that trees are new again.
        """
        return self._is_doubted or (bool(self._tree) and self._picture is None)

    def _note(self, views: tuple[View, ...], take: Callable[[], Any]) -> None:
        """Note that a tree was dumped; one that is new gets its picture."""
        if not views or views == self._tree:
            return
        self._tree, self._picture, self._n_acts = views, None, 0
        self._is_doubted = False
        self._proven.clear()
        self._picture = take()

    def _believed(self, views: tuple[View, ...], app: str) -> tuple[View, ...]:
        """Return those views that are of the app in front."""
        owner = package_of(self.focus)
        if not views:
            return ()
        if owner and all(v.package != owner for v in views):
            self.doubt = f"the view tree is of {views[0].package}, not of {owner}"
            return ()
        self.shown = views
        if owner or not app or has_failed(self.focus):
            return views
        mine = tuple(v for v in views if v.package == app)
        if not mine:
            window = self.focus or "a window that is not known"
            self.doubt = f"{window} is in front, of {views[0].package}, not of {app}"
        return mine

    def _take(self) -> Any:
        """Return a picture, or None when the phone shows none (it may be secret)."""
        try:
            return self._link.call(
                "take a picture", lambda s: s.picture(), timeout_s=_PICTURE_S
            )
        except (DriverRefusedError, DriverGarbledError) as exc:
            _log.info("no picture of the screen: %s", exc)
            return None


def _cut(picture: Any, box: Box) -> bytes:
    part: bytes = picture.crop(box).convert("RGB").tobytes()
    return part
