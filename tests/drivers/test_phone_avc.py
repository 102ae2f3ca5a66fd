"""What the phone driver makes of what the screen shows, dump by dump."""

from dataclasses import dataclass, field

import pytest
from PIL import Image

from testbed.clock import VirtualClock
from testbed.drivers.phone_avc import AndroidPhone
from testbed.drivers.phone_client import View
from testbed.errors import (
    DriverNoEffectError,
    DriverRefusedError,
    DriverTimeoutError,
)
from testbed.model.steps import Selector, Step

APP = "com.example.lamp"
DUMP_S = 0.3


def view(name, top=200, text="On"):
    return View(
        resource_id=f"{APP}:id/{name}",
        text=text,
        description="",
        package=APP,
        clickable=True,
        bounds=((0, top), (100, top + 50)),
    )


BUTTON, MOVED = view("btn_on"), view("btn_on", top=400)
POPUP = view("no", text="Not now")


@dataclass
class Script:
    """A session and its link at once: shows dumps in turn, notes touches.

    dumps  each a tuple of views or an error; the last one is shown for ever
    """

    clock: VirtualClock
    dumps: list
    touches: list = field(default_factory=list)
    typed: list = field(default_factory=list)
    answers: dict = field(default_factory=dict)
    serial: str = "SCRIPT"
    windows: list = field(default_factory=lambda: [""])
    pictures: list = field(default_factory=list)

    @property
    def client(self):
        return self

    @property
    def deadline(self):
        return self

    @property
    def answered_ns(self):
        return self.clock.now_ns() - 7

    def call(self, request, act, *, timeout_s):
        return act(self)

    def dump(self):
        self.clock.sleep(DUMP_S)
        shown = self.dumps.pop(0) if len(self.dumps) > 1 else self.dumps[0]
        if isinstance(shown, Exception):
            raise shown
        return shown

    def focus(self):
        return self.windows.pop(0) if len(self.windows) > 1 else self.windows[0]

    def size(self):
        return (720, 1280)

    def picture(self):
        colour = self.pictures.pop(0) if self.pictures else "white"
        if isinstance(colour, Exception):
            raise colour
        return Image.new("RGB", self.size(), colour)

    def touch(self, x, y):
        self.clock.sleep(0.5)
        self.touches.append((x, y))

    def shell(self, command):
        self.typed.append(command)
        return self.answers.get(command, "")

    def start(self, package):
        self.typed.append(f"start {package}")

    def press(self, key):
        self.typed.append(f"press {key}")

    def drag(self, start, end, duration):
        self.typed.append(f"drag {start} {end}")

    def require_success(self, request):
        pass

    def close(self):
        pass


def make(*dumps, interrupts=()):
    clock = VirtualClock(10**18)
    script = Script(clock, list(dumps))
    return AndroidPhone(script, clock, interrupts=interrupts), script


def tap(within="3 s", **selector):
    return Step.model_validate({"tap": selector, "within": within})


CLOSE = Step.model_validate({"tap": {"text": "Not now"}})


def test_a_tap_waits_until_the_button_stands_still():
    phone, script = make((BUTTON,), (MOVED,), (MOVED,))
    phone.perform(tap(id=f"{APP}:id/btn_on"))
    assert script.touches == [(50, 425)]
    assert script.dumps == [(MOVED,)]


def test_a_button_that_never_stands_still_is_not_touched():
    phone, script = make(*[(BUTTON,), (MOVED,)] * 20)
    with pytest.raises(DriverTimeoutError):
        phone.perform(tap(id=f"{APP}:id/btn_on"))
    assert script.touches == []


def test_what_was_seen_before_an_act_does_not_count_after_it():
    phone, script = make((BUTTON,))
    phone.perform(tap(text="On"))
    script.dumps = [(BUTTON,), (MOVED,), (MOVED,), ()]
    phone.perform(tap(text="On"))
    assert script.touches == [(50, 225), (50, 425)]
    assert script.dumps == [()]


@pytest.mark.parametrize(
    "trouble",
    [
        RuntimeError("ERROR: Empty UiAutomator dump was received"),
        RuntimeError("The views are being refreshed too frequently to dump."),
        ValueError("received does not contain valid XML: Killed"),
    ],
)
def test_a_dump_that_fails_in_passing_is_done_again(trouble):
    phone, script = make(trouble, (BUTTON,), trouble, (BUTTON,), (BUTTON,))
    phone.perform(tap(text="On"))
    assert script.touches == [(50, 225)]


def test_a_dump_that_fails_for_good_is_an_error():
    phone, _ = make(RuntimeError("ERROR: b'FAIL' b'device offline'"))
    with pytest.raises(RuntimeError, match="offline"):
        phone.see(Selector.model_validate({"text": "On"}), 3)


def test_a_screen_that_is_never_told_ends_in_time():
    phone, script = make(RuntimeError("ERROR: Empty UiAutomator dump was received"))
    with pytest.raises(DriverTimeoutError, match="the phone gives no view tree"):
        phone.perform(tap(text="On"))
    assert script.clock.monotonic_s() < 4


def test_a_missing_button_is_told_with_what_is_there_instead():
    phone, _ = make((BUTTON, POPUP))
    with pytest.raises(DriverTimeoutError) as caught:
        phone.perform(tap(id="btn_off"))
    assert str(caught.value) == (
        "phone SCRIPT: tap id 'btn_off': not on the screen within 3 s; "
        "it shows 'On', 'Not now'"
    )


def test_a_pop_up_is_closed_before_the_button_under_it_is_touched():
    phone, script = make((POPUP, BUTTON), (BUTTON,), interrupts=[CLOSE])
    bracket = phone.perform(tap(text="On"))
    assert script.touches == [(50, 225), (50, 225)]
    assert bracket.detail["interrupt"] == "text 'Not now'"


def test_a_pop_up_that_comes_again_is_closed_three_times_and_no_more():
    phone, script = make((POPUP,), interrupts=[CLOSE])
    with pytest.raises(DriverRefusedError, match="comes again each time"):
        phone.perform(tap(text="On", within="60 s"))
    assert len(script.touches) == 3


def test_a_bare_point_is_used_only_after_the_other_rungs_had_their_time():
    phone, script = make(())
    script.windows = [f"{APP}/.Main"]
    phone.perform(tap(any=[{"text": "On"}, {"at": (3, 4)}], within="4 s"))
    assert script.touches == [(3, 4)]
    assert 2 <= script.clock.monotonic_s() < 3.5


def test_a_ladder_of_one_point_is_touched_at_once():
    phone, script = make(())
    script.windows = [f"{APP}/.Main"]
    phone.perform(tap(at=(3, 4)))
    assert script.touches == [(3, 4)]
    assert script.clock.monotonic_s() < 1


def test_a_point_is_never_seen():
    phone, _ = make((BUTTON,))
    assert not phone.see(Selector.model_validate({"at": (50, 225)}), 1)


def test_the_estimate_is_25_ms_before_the_answer_and_never_before_the_question():
    phone, script = make((BUTTON,))
    bracket = phone.perform(tap(text="On"))
    assert bracket.return_ns == script.clock.now_ns() - 7
    assert bracket.return_ns - bracket.instant_ns == 25_000_000
    script.touch = lambda x, y: script.clock.sleep(0.01)
    bracket = phone.perform(tap(text="On"))
    assert bracket.instant_ns == bracket.issue_ns


def test_an_app_is_open_when_it_is_in_front():
    launcher = View(
        resource_id="",
        text="",
        description="",
        package="com.android.launcher3",
        clickable=False,
    )
    phone, script = make((launcher,), (launcher,), (BUTTON,))
    phone.perform(Step.model_validate({"open_app": APP}))
    assert script.dumps == [(BUTTON,)]
    script.dumps = [(launcher,)]
    with pytest.raises(DriverTimeoutError, match=r"shows com\.android\.launcher3"):
        phone.perform(Step.model_validate({"open_app": APP, "within": "1 s"}))


def test_an_id_without_a_package_is_of_the_app_that_was_opened():
    phone, script = make((BUTTON,))
    phone.perform(Step.model_validate({"open_app": APP}))
    phone.perform(tap(id="btn_on"))
    assert script.touches == [(50, 225)]


@pytest.mark.parametrize(
    ("act", "command"),
    [
        ({"type": {"text": "a b"}}, "input text a%sb"),
        ({"key": "back"}, "press KEYCODE_BACK"),
        ({"swipe": [[1, 2], [3, 4]]}, "drag (1, 2) (3, 4)"),
    ],
)
def test_other_steps_are_one_act_between_two_stamps(act, command):
    phone, script = make(())
    bracket = phone.perform(Step.model_validate(act))
    assert script.typed == [command]
    assert bracket.issue_ns <= bracket.instant_ns <= script.clock.now_ns()


def test_a_phone_that_stays_on_the_wifi_had_no_effect():
    phone, script = make(())
    script.answers = {"dumpsys wifi": "Wi-Fi is enabled\n"}
    phone.set_network("lan")
    with pytest.raises(DriverNoEffectError, match="'Wi-Fi is disabled'"):
        phone.set_network("wan")
    assert script.typed[-1] == "dumpsys wifi"


def test_a_network_that_does_not_exist_is_refused():
    phone, script = make(())
    with pytest.raises(DriverRefusedError, match="'lan' and 'wan'"):
        phone.set_network("vpn")
    assert script.typed == []


@pytest.mark.parametrize("package", ["a.b; reboot", "lamp", ""])
def test_no_command_is_made_of_a_name_that_is_no_package(package):
    phone, script = make(())
    with pytest.raises(DriverRefusedError, match="is not the name of an app"):
        phone.app_version(package)
    assert script.typed == []
