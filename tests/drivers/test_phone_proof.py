"""What the phone driver takes for a proof that a view tree is of now."""

import pytest

from testbed.errors import DriverRefusedError, DriverTimeoutError
from testbed.model.interrupts import find_interrupt
from testbed.model.steps import Selector, Step
from tests.drivers.scripted_phone import (
    ANR,
    APP,
    ASKS,
    BATTERY,
    BUTTON,
    CONTROLLER,
    NOTHING,
    ON,
    READY,
    SAYS_ON,
    TAP,
    TIP,
    Phone,
    tap,
    view,
)

# its button lies where the app's button is
POPUP = (
    view("popup_title", "Rate this app", top=100, clickable=False),
    view("popup_not_now", "Not now", top=200),
)
NOT_NOW = Step.model_validate({"tap": {"id": "popup_not_now"}})
OPEN = Step.model_validate({"open_app": APP})
ON_WITH_MORE = (*ON, view("more", "More", top=600))
READY_WITH_MORE = (*READY, view("more", "More", top=600))
TRIGGER = tap(id="btn_on", trigger=True)
SHADE = view("android:id/title", "Live", 100, "com.android.systemui", False)
SAYS_LIVE = Selector.model_validate({"text": "Live"})


def behind(dialog, *interrupts):
    """Return a phone whose dialog is gone at a touch, though dumps go on to show it."""
    phone = Phone(READY)
    driver = phone.driver(*interrupts)
    phone.tree = phone.painted = dialog

    def closes(x, y):
        phone.painted = READY

    phone.react = closes
    return phone, driver


def press_enter(phone, driver):
    shown = phone.tree, phone.window
    driver.perform(Step.model_validate({"key": "enter"}))
    phone.tree, phone.window = shown


@pytest.mark.parametrize("act", ["tap", "see", "open"])
def test_a_pop_up_of_an_old_tree_is_not_closed_once_more(act):
    phone, driver = behind(POPUP, NOT_NOW)
    with pytest.raises(DriverTimeoutError, match="the view tree is old"):
        driver.perform(TRIGGER)
    if act == "see":
        assert not driver.see(SAYS_ON, 2)
    if act == "open":
        phone.window = "com.example.tip/.Tip"
        with pytest.raises(DriverTimeoutError, match="not in front"):
            driver.perform(OPEN)
    assert phone.touches == [(50, 225)]


def test_while_another_app_is_in_front_an_old_pop_up_is_not_closed_at_opening():
    phone, driver = behind(TIP, Step.model_validate({"tap": {"text": TIP[0].text}}))
    phone.window = "com.example.tip/.Tip"
    with pytest.raises(DriverTimeoutError, match="not in front"):
        driver.perform(OPEN)
    assert len(phone.touches) == 1


def test_a_dialog_of_android_in_an_old_tree_is_not_closed_once_more():
    dialog = tuple(
        view(v.resource_id, v.text, top, CONTROLLER, v.clickable)
        for v, top in zip(ASKS, (100, 300, 200), strict=True)
    )
    phone, driver = behind(dialog)
    phone.window = f"{CONTROLLER}/.Grant"
    with pytest.raises(DriverTimeoutError):
        driver.perform(TRIGGER)
    assert phone.touches == [(50, 225)]


def test_a_pop_up_that_one_old_dump_shows_again_costs_no_touch():
    phone, driver = behind(POPUP, NOT_NOW)
    react, n_stale = phone.react, []

    def closes(x, y):
        react(x, y)
        n_stale.append(1)
        if len(n_stale) > 1:
            phone.tree = phone.painted = ON

    phone.react = closes
    dump = phone.dump

    def stale_once():
        seen = dump()
        if n_stale and phone.tree is POPUP:
            phone.tree = READY
        return seen

    phone.dump = stale_once
    bracket = driver.perform(TRIGGER)
    assert phone.touches == [(50, 225), (50, 225)]
    assert bracket.detail["interrupt"] == "id 'popup_not_now'"
    assert driver.see(SAYS_ON, 2)


def test_a_pop_up_that_is_missed_by_a_touch_is_touched_again():
    phone, driver = behind(POPUP, NOT_NOW)

    def misses(x, y):
        if len(phone.touches) == 2:
            phone.tree = phone.painted = READY

    phone.react = misses
    driver.perform(TAP)
    assert len(phone.touches) == 3


def test_a_tree_is_not_proven_by_a_picture_of_later():
    phone = Phone(ON)
    driver = phone.driver()
    phone.tree = ON_WITH_MORE
    assert not driver.see(Selector.model_validate({"id": "nothing"}), 1)
    phone.painted = READY_WITH_MORE  # by itself; the dump goes on to say On
    driver.perform(OPEN)
    driver.perform(TAP)
    assert not driver.see(SAYS_ON, 1)


def test_before_a_key_a_tree_is_not_proven_by_a_picture_of_later():
    phone = Phone(ON)
    driver = phone.driver()
    phone.tree = ON_WITH_MORE
    assert not driver.see(Selector.model_validate({"id": "nothing"}), 1)
    phone.painted = READY_WITH_MORE
    press_enter(phone, driver)
    assert not driver.see(SAYS_ON, 1)


def test_what_was_dumped_for_evidence_is_known_when_it_comes_again():
    phone = Phone(READY)
    driver = phone.driver()
    driver.perform(TAP)
    phone.tree = ON
    driver.evidence()
    phone.painted = READY
    driver.perform(OPEN)
    driver.perform(TAP)
    assert not driver.see(SAYS_ON, 1)


def test_what_was_dumped_for_evidence_in_vain_is_known_too():
    phone = Phone(READY)
    driver = phone.driver()
    driver.perform(TAP)
    phone.tree, phone.secret = ON, True
    with pytest.raises(DriverRefusedError):
        driver.evidence()
    phone.painted, phone.secret = READY, False
    press_enter(phone, driver)
    assert not driver.see(SAYS_ON, 1)


def test_a_tree_that_was_not_believed_is_known_when_it_comes_again():
    phone = Phone(READY)
    driver = phone.driver()
    phone.window, phone.tree, phone.painted = "com.example.tip/.Tip", ON, TIP
    assert not driver.see(SAYS_ON, 0.5)
    press_enter(phone, driver)
    phone.window = f"{APP}/.Main"
    phone.painted = READY
    assert not driver.see(SAYS_ON, 1)


@pytest.mark.parametrize("window", ["NotificationShade", ""])
def test_a_notification_does_not_pass_for_an_effect(window):
    phone = Phone(READY)
    driver = phone.driver()
    driver.perform(TAP)
    phone.tree, phone.window = (SHADE,), window
    assert not driver.see(SAYS_LIVE, 1)
    phone.tree = (SHADE, *ON)
    assert not driver.see(SAYS_LIVE, 1)
    assert driver.see(SAYS_ON, 1)


def test_a_dialog_of_android_without_a_title_is_closed_all_the_same():
    phone = Phone(READY)
    driver = phone.driver()
    phone.tree, phone.window = BATTERY, ""

    def closes(x, y):
        phone.tree, phone.window = READY, f"{APP}/.Main"

    phone.react = closes
    driver.perform(TAP)
    assert phone.touches == [(50, 625), (50, 225)]


@pytest.mark.parametrize(
    ("tree", "window"), [(NOTHING, ""), ((SHADE,), "NotificationShade"), (READY, "")]
)
def test_a_point_is_not_touched_while_nobody_knows_what_is_in_front(tree, window):
    phone = Phone(READY)
    driver = phone.driver()
    phone.tree, phone.window = tree, window
    with pytest.raises(DriverTimeoutError):
        driver.perform(tap(any=[{"id": "gone"}, {"at": ["50 %", "50 %"]}]))
    assert phone.touches == []


def test_a_point_is_touched_once_it_is_known_what_is_in_front():
    phone = Phone(NOTHING)
    driver = phone.driver()
    driver.perform(tap(any=[{"id": "gone"}, {"at": ["50 %", "50 %"]}]))
    assert phone.touches == [(360, 640)]


def test_a_button_of_the_app_does_not_pass_for_one_of_a_dialog():
    size = (720, 1280)
    close = view("close", "Close app", top=100)
    title = view("android:id/alertTitle", "Lamp isn't responding", 400, "android")
    assert find_interrupt((title, close), size) is None
    says = view("tip", "Your lamp has stopped")
    ok = view("android:id/aerr_close", "OK", 500, "android")
    assert find_interrupt((says, ok, BUTTON), size) is None
    assert find_interrupt((close, *ANR), size).point == (50, 525)
