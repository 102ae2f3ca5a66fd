"""What the scripted faults do to the screens of the virtual phone."""

import itertools

import pytest

from testbed.clock import VirtualClock
from testbed.virtual.phone.apps import APPS
from testbed.virtual.phone.dialogs import DIALOGS
from testbed.virtual.phone.screens import HEIGHT, AppScreens
from testbed.virtual.phone.troubles import UPDATES, newer

BULB = "com.iview.smart"
WORDS = [(kind, word) for kind, named in DIALOGS.items() for word in named]


class FaultyStage:
    def __init__(self):
        self.begun = []
        self.faults = {}

    def begin(self, device, activity, **how):
        self.begun.append(" ".join((activity, *how["parameters"].values())))

    def state(self, device):
        return {"status": "On"}

    def fault(self, kind, target):
        return self.faults.get((kind, target))


@pytest.fixture
def stage():
    return FaultyStage()


@pytest.fixture
def clock():
    return VirtualClock(10**18)


@pytest.fixture
def screens(stage, clock):
    screens = AppScreens(stage, clock, {app.package: "4.11.2" for app in APPS})
    screens.open_app(BULB)
    return screens


def names(screens):
    return {n.resource_id.partition("/")[2]: n for n in screens.view_tree().walk()}


def touch(screens, name):
    return screens.tap(*names(screens)[name].centre)


@pytest.mark.parametrize(("kind", "word"), WORDS)
def test_a_dialog_covers_all_buttons_and_each_of_its_buttons_takes_it_away(
    kind, word, screens, stage
):
    stage.faults = {(kind, "iview_bulb"): word}
    for button in DIALOGS[kind][word].buttons:
        screens.open_app(BULB)
        if "btn_turn_on" in names(screens):
            continue  # it was granted for good
        touch(screens, button.id.rpartition("/")[2])
        assert screens.package != BULB or "btn_turn_on" in names(screens)
    assert stage.begun == []


@pytest.mark.parametrize("kind", DIALOGS)
def test_a_dialog_comes_up_under_the_finger_and_takes_the_touch(kind, screens, stage):
    stage.faults = {(kind, "phone"): "touch"}
    assert "btn_turn_on" in names(screens)
    touch(screens, "btn_turn_on")
    assert stage.begun == []
    assert "btn_turn_on" not in names(screens)
    screens.open_app(BULB)
    assert "btn_turn_on" in names(screens)


def test_a_permission_that_was_denied_is_asked_for_again_and_a_given_one_is_not(
    screens, stage
):
    stage.faults = {("permission_dialog", "phone"): ""}
    touch(screens, "permission_deny_button")
    screens.open_app(BULB)
    touch(screens, "permission_allow_button")
    screens.open_app(BULB)
    assert "btn_turn_on" in names(screens)


def test_an_app_that_does_not_respond_is_left_by_close_and_kept_by_wait(screens, stage):
    stage.faults = {("anr", "phone"): ""}
    assert screens.focus == f"Application Not Responding: {BULB}"
    touch(screens, "aerr_wait")
    assert screens.focus == f"{BULB}/{BULB}.Main"
    screens.open_app(BULB)
    touch(screens, "aerr_close")
    assert screens.package == "com.android.launcher3"


@pytest.mark.parametrize(
    ("how", "name", "text"),
    [("", "turn_on_button", "Turn on"), ("text", "btn_turn_on", "Turn on now"),
     ("all", "turn_on_button", "Turn on now"), ("move", "btn_turn_on", "Turn on")],
)  # fmt: skip
def test_an_update_changes_what_a_button_is_called_but_not_what_it_does(
    how, name, text, screens, stage
):
    before = names(screens)["btn_turn_on"].centre
    stage.faults = {("app_updated", "iview_bulb"): how}
    button = names(screens)[name]
    assert button.text == text
    assert (button.centre != before) is (how == "move")
    touch(screens, name)
    assert stage.begun == ["turn_on"]
    assert screens.version(BULB) == "4.11.3"


def test_swapped_ids_begin_the_activity_that_the_text_says(screens, stage):
    stage.faults = {("app_updated", "iview_bulb"): "swap"}
    assert names(screens)["btn_turn_off"].text == "Turn on"
    touch(screens, "btn_turn_off")
    assert stage.begun == ["turn_on"]


@pytest.mark.parametrize("how", UPDATES)
@pytest.mark.parametrize("app", APPS, ids=lambda a: a.device)
def test_the_views_of_an_updated_app_are_on_the_screen_and_apart(
    how, app, screens, stage
):
    stage.faults = {("app_updated", "phone"): how}
    screens.open_app(app.package)
    edges = [(n.bounds[1], n.bounds[3]) for n in screens.view_tree().children]
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(edges))
    assert edges[-1][1] <= HEIGHT


def test_the_app_of_another_device_is_not_updated(screens, stage):
    stage.faults = {("app_updated", "arlo_q"): ""}
    assert screens.version(BULB) == "4.11.2"
    assert "btn_turn_on" in names(screens)


def test_a_phone_restarts_once_for_as_long_as_the_fault_says(screens, stage, clock):
    stage.faults = {("phone_reboot", "phone"): "3 s"}
    restarts = []
    down = []
    for _ in range(5):
        down.append(screens.troubles.is_down(lambda: restarts.append(clock.now_ns())))
        clock.sleep(1)
    assert down == [True, True, True, False, False]
    assert len(restarts) == 1
    stage.faults = {}
    assert not screens.troubles.is_down(list)
    stage.faults = {("phone_reboot", "phone"): "3 s"}
    assert screens.troubles.is_down(list)


@pytest.mark.parametrize(("value", "late_s"), [("", 5), ("200 ms", 0.2), ("x", 5)])
def test_how_slow_the_phone_is_stands_in_the_value(value, late_s, screens, stage):
    assert screens.troubles.slow_s() == 0
    stage.faults = {("phone_slow", "phone"): value}
    assert screens.troubles.slow_s() == late_s


@pytest.mark.parametrize(
    ("version", "after"), [("1.2.9", "1.2.10"), ("7", "8"), ("4.1-beta", "4.1-beta.1")]
)
def test_an_update_counts_the_version_up(version, after):
    assert newer(version) == after
