"""What the apps show and what a touch does, without any transport.

The live phone serves these screens over adb; the fast lab asks them directly. All
coordinates are pixels from the top left of a portrait screen of WIDTH x HEIGHT.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from testbed.clock import Clock
from testbed.model.steps import Rung, Selector
from testbed.virtual.phone.apps import APPS, App, Button
from testbed.virtual.stage import Stage

WIDTH, HEIGHT = 720, 1280
LAUNCHER = "com.android.launcher3"
READY = "Ready"
JUST_NOW_NS = 12 * 10**9  # how long the speaker apps call an utterance 'just now'
WAKE_WORDS = ("hey google", "alexa")
POPUP_TITLE, POPUP_BUTTON = "Rate this app", "Not now"

Bounds = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One view on the screen; `bounds` are left, top, right, bottom in pixels."""

    kind: str
    package: str
    bounds: Bounds
    resource_id: str = ""
    text: str = ""
    description: str = ""
    clickable: bool = False
    children: tuple["Node", ...] = ()

    def walk(self) -> Iterator["Node"]:
        """Yield this view and all views below it, in the order of a dump."""
        yield self
        for child in self.children:
            yield from child.walk()

    def holds(self, x: int, y: int) -> bool:
        """Say whether a point is on this view."""
        left, top, right, bottom = self.bounds
        return left <= x < right and top <= y < bottom

    @property
    def centre(self) -> tuple[int, int]:
        """Return the middle of the view in pixels."""
        left, top, right, bottom = self.bounds
        return (left + right) // 2, (top + bottom) // 2


class AppScreens:
    """The screen of one phone. Not thread-safe: one caller at a time.

    network  'lan' or 'wan'; handed to the stage with each activity
    """

    def __init__(
        self,
        stage: Stage,
        clock: Clock,
        versions: Mapping[str, str],
        *,
        apps: Sequence[App] = APPS,
        network: str = "lan",
    ) -> None:
        self._stage = stage
        self._clock = clock
        self._apps = {a.package: a for a in apps if a.package in versions}
        self._versions = dict(versions)
        self._app: App | None = None
        self._on_home = False  # the app's own list of devices
        self._touched = False  # whether an activity was begun since the app opened
        self._popup_closed = False
        self.network = network

    @property
    def package(self) -> str:
        """Return the package in the foreground."""
        return LAUNCHER if self._app is None else self._app.package

    def version(self, package: str) -> str:
        """Return the installed version, or '' when the app is not installed."""
        return self._versions[package] if package in self._apps else ""

    def open_app(self, package: str) -> bool:
        """Bring an app to the front, on its first screen; False if not installed."""
        if package not in self._apps:
            return False
        self._app = self._apps[package]
        self._on_home = self._app.home_tile
        self._touched = self._popup_closed = False
        return True

    def press(self, key: str) -> None:
        """Press 'back' or 'home'; other keys do nothing."""
        if key == "back" and self._app is not None and self._app.home_tile:
            leave, self._on_home = self._on_home, True
        else:
            leave = key in ("back", "home")
        if leave:
            self._app = None

    def view_tree(self) -> Node:
        """Return what the active window shows now."""
        views = self._views()
        return Node(
            kind="android.widget.FrameLayout",
            package=self.package,
            bounds=(0, 0, WIDTH, HEIGHT),
            children=tuple(views),
        )

    def tap(self, x: int, y: int) -> Node | None:
        """Touch a point now; return the clickable view that took the touch, if any.

        A touch on a button begins its activity on the stage at this very instant.
        """
        instant_ns = self._clock.now_ns()
        hit = [n for n in self.view_tree().walk() if n.clickable and n.holds(x, y)]
        if not hit:
            return None
        self._react(hit[-1].resource_id.partition(":id/")[2], instant_ns)
        return hit[-1]

    def _react(self, name: str, instant_ns: int) -> None:
        app = self._app
        if app is None:
            return
        if name == "popup_not_now":
            self._popup_closed = True
        elif name == app.tile:
            self._on_home = self._touched = False
        else:
            button = next(b for b in app.buttons if b.name == name)
            self._begin(app, button, instant_ns)

    def _begin(self, app: App, button: Button, instant_ns: int) -> None:
        self._touched = True
        self._stage.begin(
            app.device,
            button.activity,
            channel="phone",
            network=self.network,
            parameters=button.parameters,
            instant_ns=instant_ns,
        )

    def _views(self) -> Iterator[Node]:
        app = self._app
        if app is None:
            yield self._label("title", "Home", 40)
        elif self._popup_shown(app):
            yield self._label("popup_title", POPUP_TITLE, 480)
            yield self._button("popup_not_now", POPUP_BUTTON, 600)
        elif self._on_home:
            yield self._label("title", "My devices", 40)
            yield self._button(app.tile, app.title, 220)
        else:
            yield self._label("title", app.title, 40)
            yield self._label("status", self._status(app), 130)
            for row, button in enumerate(app.buttons):
                yield self._button(button.name, button.text, 220 + 110 * row)
            if app.history and (heard := self._heard(app)):
                yield self._label("history_0", heard, 220 + 110 * len(app.buttons))

    def _popup_shown(self, app: App) -> bool:
        faults = (self._stage.fault("popup", t) for t in ("phone", app.device))
        return not self._popup_closed and any(f is not None for f in faults)

    def _status(self, app: App) -> str:
        if not self._touched:
            return READY
        return self._stage.state(app.device).get("status", READY)

    def _heard(self, app: App) -> str:
        state = self._stage.state(app.device)
        utterance = state.get("heard", "")
        if not utterance:
            return ""
        for word in WAKE_WORDS:
            utterance = utterance.removeprefix(word).lstrip(" ,")
        age_ns = self._clock.now_ns() - int(state.get("heard_ns", "0"))
        return f"{utterance}, {'just now' if age_ns <= JUST_NOW_NS else 'earlier'}"

    def _label(self, name: str, text: str, top: int) -> Node:
        return Node(
            kind="android.widget.TextView",
            package=self.package,
            resource_id=f"{self.package}:id/{name}",
            text=text,
            bounds=(40, top, WIDTH - 40, top + 70),
        )

    def _button(self, name: str, text: str, top: int) -> Node:
        return Node(
            kind="android.widget.Button",
            package=self.package,
            resource_id=f"{self.package}:id/{name}",
            text=text,
            description=f"{text} button",
            clickable=True,
            bounds=(40, top, WIDTH - 40, top + 90),
        )


def find_rung(
    selector: Selector, tree: Node, *, package: str
) -> tuple[Rung, tuple[int, int]] | None:
    """Return the first rung of the ladder that matches, and the point to touch.

    Among several views that match, one that can be clicked is preferred.

    package  completes an id that has no ':id/'
    """
    for rung in selector.any:
        if rung.at is not None:
            return rung, rung.at
        hits = [
            n
            for n in tree.walk()
            if rung.matches(
                resource_id=n.resource_id,
                text=n.text,
                description=n.description,
                package=package,
            )
        ]
        if hits:
            return rung, max(hits, key=lambda n: n.clickable).centre
    return None
