"""Which view trees the phone driver believes, and what it does about dialogs."""

import pytest

from testbed.errors import DriverRefusedError, DriverTimeoutError
from testbed.model.interrupts import ALLOW_PERMISSIONS
from testbed.model.steps import Step
from tests.drivers.scripted_phone import (
    ANR,
    APP,
    ASKS,
    BATTERY,
    BUTTON,
    CONTROLLER,
    IN_FRONT,
    NOTHING,
    ON,
    READY,
    SAYS_ON,
    TAP,
    TIP,
    UPDATE,
    Phone,
    tap,
    view,
)


def test_a_tree_that_stays_though_the_screen_has_changed_is_not_believed():
    phone = Phone(ON)
    driver = phone.driver()
    assert driver.see(SAYS_ON, 1)
    phone.painted = READY  # the dump goes on to say On
    driver.perform(Step.model_validate({"open_app": APP}))
    driver.perform(TAP)
    assert not driver.see(SAYS_ON, 2)
    phone.painted = ON
    assert driver.see(SAYS_ON, 2)


def test_a_tree_that_rightly_stays_is_believed():
    phone = Phone(ON)
    driver = phone.driver()
    assert driver.see(SAYS_ON, 1)
    driver.perform(TAP)
    assert driver.see(SAYS_ON, 1)
    assert phone.touches == [(50, 225)]


def test_what_changed_elsewhere_on_the_screen_does_not_matter():
    phone = Phone(ON)
    driver = phone.driver()
    phone.painted = (*ON, view("clock", "12:01", top=0))
    driver.perform(TAP)
    assert driver.see(SAYS_ON, 1)


def test_a_tree_that_is_new_needs_one_picture_and_no_proof():
    phone = Phone(READY)
    driver = phone.driver()
    driver.perform(TAP)
    phone.tree = ON
    assert driver.see(SAYS_ON, 1)
    assert phone.n_pictures == 2


def test_on_a_screen_of_which_there_are_no_pictures_only_a_new_tree_is_believed():
    phone = Phone(READY)
    phone.secret = True
    driver = phone.driver()
    phone.tree = ON
    driver.perform(TAP)
    assert not driver.see(SAYS_ON, 1)
    phone.tree = (*ON, view("more", "More", top=300))
    assert driver.see(SAYS_ON, 1)


def shows_ready_when_opened(phone):
    def opened(package):
        phone.tree, phone.window = READY, IN_FRONT

    phone.opened = opened


def test_what_was_in_vain_does_not_make_the_next_attempt_blind():
    phone = Phone(READY)
    driver = phone.driver()
    driver.perform(TAP)
    phone.tree = TIP  # something comes up, and goes by itself
    phone.window = "com.example.tip/.Tip"
    assert not driver.see(SAYS_ON, 1)
    phone.tree, phone.window = READY, IN_FRONT
    assert not driver.see(SAYS_ON, 1)
    for _ in range(2):
        driver.perform(Step.model_validate({"open_app": APP}))
        driver.perform(TAP)
    assert phone.pressed == []
    assert len(phone.touches) == 3


def test_a_tree_that_was_in_doubt_is_left_for_the_launcher_and_then_believed():
    phone = Phone(READY)
    driver = phone.driver()
    phone.painted = TIP
    driver.perform(Step.model_validate({"open_app": APP}))
    with pytest.raises(DriverTimeoutError):
        driver.perform(TAP)
    phone.painted = (view("btn_on", "of another colour"),)
    shows_ready_when_opened(phone)
    driver.perform(Step.model_validate({"open_app": APP}))
    driver.perform(TAP)
    assert phone.pressed == ["KEYCODE_HOME"]
    assert phone.touches == [(50, 225)]


def test_an_app_that_may_not_be_photographed_is_opened_from_the_launcher():
    phone = Phone(READY)
    phone.secret = True
    shows_ready_when_opened(phone)
    driver = phone.driver()
    for _ in range(2):
        driver.perform(Step.model_validate({"open_app": APP}))
        driver.perform(TAP)
    assert len(phone.touches) == 2
    assert len(phone.pressed) == 2


def test_the_button_of_an_old_tree_is_not_touched():
    phone = Phone(ON)
    driver = phone.driver()
    phone.painted = TIP
    driver.perform(Step.model_validate({"open_app": APP}))
    with pytest.raises(DriverTimeoutError, match="the view tree is old"):
        driver.perform(TAP)
    assert phone.touches == []


def test_the_tree_of_another_app_than_the_one_in_front_is_no_tree():
    phone = Phone(ON)
    driver = phone.driver()
    phone.window = "com.example.tip/.Tip"
    assert not driver.see(SAYS_ON, 1)
    with pytest.raises(DriverTimeoutError, match=r"com\.example\.tip covers the app"):
        driver.perform(TAP)


def test_beside_a_video_the_last_good_tree_is_used_where_a_picture_proves_it():
    phone = Phone(READY)
    driver = phone.driver()
    phone.tree, phone.painted = NOTHING, (*READY, view("video", "a frame", top=600))
    driver.perform(TAP)
    assert phone.touches == [(50, 225)]


def test_beside_a_video_nothing_is_touched_that_no_picture_proves():
    phone = Phone(READY)
    driver = phone.driver()
    phone.tree, phone.painted = NOTHING, TIP
    with pytest.raises(DriverTimeoutError):
        driver.perform(TAP)
    assert phone.touches == []
    assert phone.clock.monotonic_s() < 10


def test_the_last_good_tree_of_another_app_is_not_used_for_this_one():
    phone = Phone(READY)
    driver = phone.driver()
    phone.window = "com.example.other/.Main"  # which looks just the same
    driver.perform(Step.model_validate({"open_app": "com.example.other"}))
    with pytest.raises(DriverTimeoutError, match=r"is of com\.example\.lamp, not of"):
        driver.perform(tap(text="Turn on"))
    assert phone.touches == []


def test_an_effect_is_not_seen_in_the_last_good_tree_of_before():
    phone = Phone(READY)
    driver = phone.driver()
    driver.perform(TAP)
    phone.tree, phone.painted = NOTHING, ON
    assert not driver.see(SAYS_ON, 1)


def test_a_lower_rung_is_used_after_three_dumps_and_journalled_as_a_fallback():
    phone = Phone(READY)
    driver = phone.driver()
    ladder = {"any": [{"id": "moved"}, {"text": "Turn on"}]}
    bracket = driver.perform(tap(**ladder))
    assert bracket.detail["rung"] == "text"
    assert "id 'moved' is not on the screen" in bracket.detail["fallback"]
    assert "fallback" not in driver.perform(TAP).detail


def test_of_two_buttons_with_one_text_none_is_touched():
    phone = Phone((BUTTON, view("btn_two", "Turn on", top=400)))
    driver = phone.driver()
    with pytest.raises(DriverTimeoutError, match="text 'Turn on' means 2 views"):
        driver.perform(tap(text="Turn on"))
    assert phone.touches == []


def test_a_point_is_not_touched_through_what_covers_the_app():
    phone = Phone(READY)
    driver = phone.driver()
    phone.tree, phone.window = TIP, "com.example.tip/.Tip"
    with pytest.raises(DriverTimeoutError, match="declare how to close it"):
        driver.perform(tap(any=[{"id": "gone"}, {"at": ["50 %", "50 %"]}]))
    assert phone.touches == []


def covered(dialog, focus):
    """Return a phone that shows a dialog until one of its buttons is touched."""
    phone = Phone(READY)
    driver = phone.driver()
    phone.tree, phone.window = dialog, focus

    def closes(x, y):
        if any(v.clickable and v.bounds[0][1] <= y < v.bounds[1][1] for v in dialog):
            phone.tree, phone.window = READY, IN_FRONT

    phone.react = closes
    return phone, driver


@pytest.mark.parametrize(
    ("dialog", "name", "y"),
    [(ASKS, "permission dialog", 625), (UPDATE, "system update", 625),
     (BATTERY, "battery dialog", 625)],
)  # fmt: skip
def test_a_dialog_of_android_is_closed_without_a_change_and_journalled(dialog, name, y):
    phone, driver = covered(dialog, f"{dialog[0].package}/.Dialog")
    bracket = driver.perform(TAP)
    assert phone.touches == [(50, y), (50, 225)]
    assert bracket.detail["interrupt"].startswith(f"{name}, closed by")


def test_a_permission_is_given_where_the_profile_says_so():
    phone, driver = covered(ASKS, f"{CONTROLLER}/.Grant")
    driver.expect([ALLOW_PERMISSIONS])
    driver.perform(TAP)
    assert phone.touches == [(50, 525), (50, 225)]


def test_an_app_that_does_not_respond_is_closed_and_the_step_fails():
    phone, driver = covered(ANR, f"Application Not Responding: {APP}")
    with pytest.raises(DriverRefusedError, match="Lamp isn't responding"):
        driver.see(SAYS_ON, 3)
    assert phone.touches == [(50, 525)]


def test_another_app_that_does_not_respond_is_closed_and_work_goes_on():
    _, driver = covered(ANR, "Application Not Responding: com.google.other")
    bracket = driver.perform(TAP)
    assert bracket.detail["interrupt"].startswith("app not responding, closed by")


def test_a_dialog_under_the_finger_fails_the_trigger_but_not_a_step_on_the_way():
    phone = Phone(READY)
    driver = phone.driver()

    def asks(x, y):
        phone.window = f"{CONTROLLER}/.Grant"

    phone.react = asks
    with pytest.raises(DriverRefusedError, match="permission dialog came up"):
        driver.perform(tap(id="btn_on", trigger=True))
    phone.window = IN_FRONT
    assert len(phone.touches) == 1
    driver.perform(TAP)


def test_an_app_that_hangs_under_the_finger_fails_every_step():
    phone = Phone(READY)
    driver = phone.driver()

    def hangs(x, y):
        phone.window = f"Application Not Responding: {APP}"

    phone.react = hangs
    with pytest.raises(DriverRefusedError, match="app not responding"):
        driver.perform(TAP)


def test_an_app_is_open_when_its_window_is_in_front_though_there_is_no_tree():
    phone = Phone(NOTHING)
    phone.driver()
    phone.window = "com.example.tip/.Tip"
    with pytest.raises(DriverTimeoutError, match="not in front"):
        phone.driver()


def test_a_menu_of_the_app_has_no_package_and_is_the_app():
    phone = Phone(READY, focus="PopupWindow:5d3f")
    driver = phone.driver()
    driver.perform(TAP)
    assert phone.touches == [(50, 225)]
