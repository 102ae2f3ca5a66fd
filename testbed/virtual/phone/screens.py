"""What the apps show and what a touch does, without any transport.

The live phone serves these screens over adb; the fast lab asks them directly. All
coordinates are pixels from the top left of a portrait screen of WIDTH x HEIGHT.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from testbed.clock import Clock
from testbed.virtual.phone.apps import APPS, App, Button
from testbed.virtual.phone.dialogs import DIALOGS, Dialog, Press
from testbed.virtual.phone.troubles import Troubles, newer, placed
from testbed.virtual.stage import Stage

WIDTH, HEIGHT = 720, 1280
LAUNCHER = "com.android.launcher3"
READY = "Ready"
JUST_NOW_NS = 12 * 10**9  # how long the speaker apps call an utterance 'just now'
WAKE_WORDS = ("hey google", "alexa")

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
    def box(self) -> Bounds:
        """Return its bounds, by the name that selectors know them by."""
        return self.bounds

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
        self._closed: set[str] = set()  # kinds of dialogs closed since the app opened
        self._sprung: set[str] = set()  # kinds that a touch has brought up
        self._granted: set[str] = set()  # kinds that do not come again
        self.network = network
        self.troubles = Troubles(stage, clock)

    @property
    def package(self) -> str:
        """Return the package in the foreground."""
        return LAUNCHER if self._app is None else self._app.package

    @property
    def focus(self) -> str:
        """Return what the window manager says is in front: its window's title."""
        shown = self._dialog()
        if shown is None:
            return f"{self.package}/{self.package}.Main"
        dialog = shown[1]
        if dialog.window:
            return dialog.window.format(package=self.package)
        package = dialog.package or self.package
        return f"{package}/{package}.Dialog"

    def version(self, package: str) -> str:
        """Return the installed version, or '' when the app is not installed."""
        app = self._apps.get(package)
        if app is None:
            return ""
        version = self._versions[package]
        return newer(version) if self.troubles.update(app.device) else version

    def restart(self) -> None:
        """Forget what was open, as a phone that reboots does."""
        self._app = None
        self._on_home = self._touched = False
        self._closed.clear()
        self._sprung.clear()

    def open_app(self, package: str) -> bool:
        """Bring an app to the front, on its first screen; False if not installed."""
        if package not in self._apps:
            return False
        self._app = self._apps[package]
        self._on_home = self._app.home_tile
        self._touched = False
        self._closed = set(self._granted)
        self._sprung.clear()
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
        shown = self._dialog()
        package = self.package if shown is None else shown[1].package or self.package
        views = self._views() if shown is None else self._covering(shown[1])
        return Node(
            kind="android.widget.FrameLayout",
            package=package,
            bounds=(0, 0, WIDTH, HEIGHT),
            children=tuple(views),
        )

    def tap(self, x: int, y: int) -> Node | None:
        """Touch a point now; return the clickable view that took the touch, if any.

        A touch on a button begins its activity on the stage at this very instant,
        unless a dialog comes up under the finger and takes it.
        """
        instant_ns = self._clock.now_ns()
        if self._touched_view(x, y) is not None:
            self._spring()
        hit = self._touched_view(x, y)
        if hit is not None:
            shown = self._dialog()
            if shown is not None:
                self._answer(*shown, hit)
            else:
                self._react(hit.resource_id.partition(":id/")[2], instant_ns)
        return hit

    def _touched_view(self, x: int, y: int) -> Node | None:
        hit = [n for n in self.view_tree().walk() if n.clickable and n.holds(x, y)]
        return hit[-1] if hit else None

    def _spring(self) -> None:
        """Bring up the dialogs that waited for a touch on a button of the app."""
        if self._app is not None and not self._on_home:
            for kind in DIALOGS:
                if self.troubles.dialog(kind, self._app.device) is not None:
                    self._sprung.add(kind)

    def _dialog(self) -> tuple[str, Dialog] | None:
        """Return the dialog that covers the app, with its kind of fault."""
        if self._app is None:
            return None
        for kind in DIALOGS:
            found = self.troubles.dialog(kind, self._app.device)
            if found is None or kind in self._closed:
                continue
            dialog, waits = found
            if not waits or kind in self._sprung:
                return kind, dialog
        return None

    def _answer(self, kind: str, dialog: Dialog, hit: Node) -> None:
        package = dialog.package or self.package
        pressed = next(
            b for b in dialog.buttons if _full(b.id, package) == hit.resource_id
        )
        self._closed.add(kind)
        if pressed.press is Press.GRANT:
            self._granted.add(kind)
        if pressed.press is Press.END_APP:
            self._app = None

    def _react(self, name: str, instant_ns: int) -> None:
        app = self._app
        if app is None:
            return
        if name == app.tile:
            self._on_home = self._touched = False
        else:
            rows = placed(app, self.troubles.update(app.device))
            button = next(button for button, shown, _, _ in rows if shown == name)
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
        elif self._on_home:
            yield self._label("title", "My devices", 40)
            yield self._button(app.tile, app.title, 220)
        else:
            yield self._label("title", app.title, 40)
            yield self._label("status", self._status(app), 130)
            rows = placed(app, self.troubles.update(app.device))
            for _, name, text, row in sorted(rows, key=lambda r: r[3]):
                yield self._button(name, text, 220 + 110 * row)
            if app.history and (heard := self._heard(app)):
                below = 1 + max((row for _, _, _, row in rows), default=-1)
                yield self._label("history_0", heard, 220 + 110 * below)

    def _covering(self, dialog: Dialog) -> Iterator[Node]:
        package = dialog.package or self.package
        title = self._app.title if self._app is not None else ""
        # Its buttons lie on those of the app: a touch on one that has gone is not lost.
        yield self._label(
            dialog.title_id, dialog.title.format(app=title), 330, package=package
        )
        for row, button in enumerate(dialog.buttons):
            yield self._button(button.id, button.text, 440 + 110 * row, package=package)

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

    def _label(self, name: str, text: str, top: int, *, package: str = "") -> Node:
        package = package or self.package
        return Node(
            kind="android.widget.TextView",
            package=package,
            resource_id=_full(name, package),
            text=text,
            bounds=(40, top, WIDTH - 40, top + 70),
        )

    def _button(self, name: str, text: str, top: int, *, package: str = "") -> Node:
        package = package or self.package
        return Node(
            kind="android.widget.Button",
            package=package,
            resource_id=_full(name, package),
            text=text,
            description=f"{text} button",
            clickable=True,
            bounds=(40, top, WIDTH - 40, top + 90),
        )


def _full(name: str, package: str) -> str:
    return name if ":id/" in name else f"{package}:id/{name}"
