"""A phone that shows what it is told to, for tests of what the driver makes of it."""

from PIL import Image

from testbed.clock import VirtualClock
from testbed.drivers.phone_avc import AndroidPhone
from testbed.drivers.phone_client import View
from testbed.errors import DriverRefusedError
from testbed.model.steps import Selector, Step

APP = "com.example.lamp"
IN_FRONT = f"{APP}/{APP}.Main"
NOTHING = RuntimeError("The views are being refreshed too frequently to dump.")
CONTROLLER = "com.android.permissioncontroller"


def view(name, text="", top=200, package=APP, clickable=True):
    full = name if ":id/" in name else f"{package}:id/{name}"
    return View(
        resource_id=full,
        text=text,
        description="",
        package=package,
        clickable=clickable,
        bounds=((0, top), (100, top + 50)),
    )


def status(text):
    return view("status", text, top=100, clickable=False)


BUTTON = view("btn_on", "Turn on")
READY, ON = (status("Ready"), BUTTON), (status("On"), BUTTON)
ANR = (
    view("android:id/alertTitle", "Lamp isn't responding", 400, "android", False),
    view("android:id/aerr_close", "Close app", 500, "android"),
    view("android:id/aerr_wait", "Wait", 600, "android"),
)
ASKS = (
    view("permission_message", "Allow Lamp to look?", 400, CONTROLLER, False),
    view("permission_allow_button", "Allow", 500, CONTROLLER),
    view("permission_deny_button", "Deny", 600, CONTROLLER),
)
UPDATE = (
    view("title", "System update available", 400, "com.google.android.gms", False),
    view("now", "Restart now", 500, "com.google.android.gms"),
    view("later", "Later", 600, "com.google.android.gms"),
)
BATTERY = (
    view("alertTitle", "Battery is low", 400, "com.android.systemui", False),
    view("button1", "Turn on Battery Saver", 500, "com.android.systemui"),
    view("button2", "No thanks", 600, "com.android.systemui"),
)
LAUNCHER = (view("clock", "12:00", 50, "com.launcher", False),)
TIP = (view("tip", "Meet your assistant", 400, "com.example.tip"),)


class Phone:
    """A link and a session at once. What it shows follows from what it was told.

    tree     what a dump gives: views, or an error
    painted  what is really on the screen; None means what the tree says
    react    called with (x, y) at each touch
    """

    serial = "SCRIPT"
    output = b"<hierarchy/>"

    def __init__(self, tree, focus=IN_FRONT):
        self.clock = VirtualClock(10**18)
        self.tree, self.window, self.painted = tree, focus, None
        self.touches, self.n_pictures, self.secret = [], 0, False
        self.react = lambda x, y: None
        self.opened = lambda package: None
        self.pressed = []

    client = deadline = property(lambda self: self)
    answered_ns = property(lambda self: self.clock.now_ns())

    def call(self, request, act, *, timeout_s):
        return act(self)

    def size(self):
        return (720, 1280)

    def focus(self):
        return self.window

    def dump(self):
        self.clock.sleep(0.3)
        if isinstance(self.tree, Exception):
            raise self.tree
        return self.tree

    def picture(self):
        self.n_pictures += 1
        if self.secret:
            raise DriverRefusedError("phone", "take a picture", "it is secret")
        image = Image.new("RGB", self.size(), "white")
        for seen in self.tree if self.painted is None else self.painted:
            colour = sum(seen.text.encode()) % 200
            image.paste((colour, colour, colour), seen.box)
        return image

    def touch(self, x, y):
        self.clock.sleep(0.5)
        self.touches.append((x, y))
        self.react(x, y)

    def start(self, package):
        self.opened(package)

    def press(self, key):
        self.pressed.append(key)
        self.tree, self.window = LAUNCHER, "com.launcher/.Main"

    def require_success(self, request):
        pass

    def close(self):
        pass

    def driver(self, *interrupts):
        driver = AndroidPhone(self, self.clock, interrupts=interrupts)
        driver.perform(Step.model_validate({"open_app": APP}))
        return driver


def tap(within="3 s", trigger=False, **selector):
    step = {"tap": selector, "within": within, "trigger": trigger}
    return Step.model_validate(step)


TAP = tap(id="btn_on")
SAYS_ON = Selector.model_validate({"id": "status", "text": "On"})
