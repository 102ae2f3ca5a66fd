"""The apps of the virtual phone, without a transport."""

import io
import itertools
import xml.etree.ElementTree as ET

import pytest
from PIL import Image

from testbed.clock import VirtualClock
from testbed.virtual.phone.apps import APPS
from testbed.virtual.phone.screen import dump_xml, pixels, png
from testbed.virtual.phone.screens import HEIGHT, WIDTH, AppScreens

VERSIONS = {app.package: "1.0" for app in APPS}


class QuietStage:
    def __init__(self):
        self.begun = []
        self.facts = {"status": "Live"}
        self.faults = set()

    def begin(self, device, activity, **how):
        self.begun.append((device, activity, dict(how["parameters"])))

    def state(self, device):
        return self.facts

    def fault(self, kind, target):
        return "" if (kind, target) in self.faults else None


@pytest.fixture
def stage():
    return QuietStage()


@pytest.fixture
def clock():
    return VirtualClock(10**18)


@pytest.fixture
def screens(stage, clock):
    return AppScreens(stage, clock, VERSIONS)


def shown(screens):
    return {n.resource_id.partition("/")[2]: n for n in screens.view_tree().walk()}


def touch(screens, name):
    return screens.tap(*shown(screens)[name].centre)


def open_device(screens, app):
    screens.open_app(app.package)
    if app.home_tile:
        touch(screens, app.tile)


@pytest.mark.parametrize("app", APPS, ids=lambda a: a.device)
def test_each_button_begins_its_own_activity(app, screens, stage):
    open_device(screens, app)
    for button in app.buttons:
        touch(screens, button.name)
    wanted = [(app.device, b.activity, dict(b.parameters)) for b in app.buttons]
    assert stage.begun == wanted


@pytest.mark.parametrize("app", APPS, ids=lambda a: a.device)
def test_all_that_is_shown_is_on_the_screen_and_apart(app, screens, stage):
    stage.facts = {"status": "Live", "heard": "alexa stop", "heard_ns": "0"}
    open_device(screens, app)
    views = screens.view_tree().children
    edges = [(n.bounds[1], n.bounds[3]) for n in views]
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(edges))
    assert edges[-1][1] <= HEIGHT


def test_an_app_that_is_not_installed_does_not_open(stage, clock):
    screens = AppScreens(stage, clock, {})
    assert not screens.open_app("com.iview.smart")
    assert screens.version("com.iview.smart") == ""


def test_a_touch_beside_the_buttons_does_nothing(screens, stage):
    screens.open_app("com.iview.smart")
    assert screens.tap(1, HEIGHT - 1) is None
    assert stage.begun == []


def test_the_status_is_ready_until_something_was_touched(screens):
    screens.open_app("com.iview.smart")
    assert shown(screens)["status"].text == "Ready"
    touch(screens, "btn_turn_on")
    assert shown(screens)["status"].text == "Live"
    screens.open_app("com.iview.smart")
    assert shown(screens)["status"].text == "Ready"


@pytest.mark.parametrize("target", ["phone", "iview_bulb"])
def test_a_pop_up_covers_all_buttons_and_comes_back_with_the_app(
    target, screens, stage
):
    stage.faults.add(("popup", target))
    screens.open_app("com.iview.smart")
    assert "btn_turn_on" not in shown(screens)
    touch(screens, "popup_not_now")
    assert "btn_turn_on" in shown(screens)
    screens.open_app("com.iview.smart")
    assert "popup_title" in shown(screens)


def test_a_pop_up_of_another_device_is_not_here(screens, stage):
    stage.faults.add(("popup", "arlo_q"))
    screens.open_app("com.iview.smart")
    assert "btn_turn_on" in shown(screens)


@pytest.mark.parametrize(
    ("age_s", "text"),
    [(0, "tell me a joke, just now"), (12, "tell me a joke, just now"),
     (12.1, "tell me a joke, earlier")],
)  # fmt: skip
def test_the_history_says_how_long_ago_it_was(age_s, text, screens, stage, clock):
    stage.facts = {
        "heard": "hey google tell me a joke",
        "heard_ns": str(clock.now_ns()),
    }
    clock.sleep(age_s)
    screens.open_app("com.google.android.apps.chromecast.app")
    assert shown(screens)["history_0"].text == text


def test_home_leaves_the_app(screens):
    screens.open_app("com.iview.smart")
    screens.press("home")
    assert shown(screens)["title"].text == "Home"


def test_the_dump_holds_every_view_with_its_place(screens):
    screens.open_app("com.iview.smart")
    nodes = list(ET.fromstring(dump_xml(screens.view_tree())).iter("node"))  # noqa: S314
    assert [n.get("text") for n in nodes][1:5] == [
        "iView bulb",
        "Ready",
        "Turn on",
        "Turn off",
    ]
    assert nodes[3].get("bounds") == "[40,220][680,310]"


def test_a_picture_shows_the_button_where_it_is(screens):
    screens.open_app("com.iview.smart")
    tree = screens.view_tree()
    image = Image.open(io.BytesIO(png(tree)))
    assert image.size == (WIDTH, HEIGHT)
    assert image.getpixel((60, 265)) != image.getpixel((60, HEIGHT - 1))
    assert pixels(tree) == image.convert("RGBA").tobytes()
