"""What every phone promises, over adb and in the fast lab alike."""

import xml.etree.ElementTree as ET
from contextlib import suppress

import pytest

from testbed.errors import DriverError, DriverRefusedError, DriverTimeoutError
from testbed.model.protocols import Lively
from testbed.model.steps import Selector

ARLO = "com.netgear.android"
BULB = "com.iview.smart"
LIVE = {"any": [{"id": "btn_stream_video"}, {"text": "Live"}]}
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def do(bench, make_step):
    return lambda **act: bench.phone.perform(make_step(**act))


@pytest.fixture
def sees(bench):
    def look(within_s=30.0, **rung):
        return bench.phone.see(Selector.model_validate(rung), within_s)

    return look


@pytest.fixture
def arlo(do):
    do(open_app=ARLO)
    do(tap={"id": "tile_arlo_q"})


def test_it_can_be_asked_whether_it_is_there(bench):
    assert isinstance(bench.phone, Lively)
    assert bench.phone.alive()


@pytest.mark.usefixtures("arlo")
def test_a_tap_begins_exactly_one_activity(bench, do):
    do(tap=LIVE)
    (begun,) = bench.stage.begun
    assert (begun.device, begun.activity) == ("arlo_q", "stream_video")
    assert (begun.channel, begun.network) == ("phone", "lan")


def test_a_button_for_a_value_begins_the_activity_with_that_value(bench, do):
    do(open_app=BULB)
    do(tap={"id": "btn_set_colour_red"})
    (begun,) = bench.stage.begun
    assert begun.activity == "set_colour"
    assert begun.parameters == {"colour": "red"}


@pytest.mark.usefixtures("arlo")
def test_the_stamps_bracket_the_true_touch_down(bench, do):
    off_ns = []
    for n in range(1, 6):
        bracket = do(tap=LIVE)
        assert len(bench.stage.begun) == n
        begun = bench.stage.begun[-1]
        assert bracket.issue_ns <= begun.instant_ns <= bracket.return_ns
        assert bracket.issue_ns <= bracket.instant_ns <= bracket.return_ns
        off_ns.append(abs(bracket.instant_ns - begun.instant_ns))
    assert min(off_ns) < 100_000_000  # a busy machine adds to some of them


@pytest.mark.usefixtures("arlo")
def test_a_tap_falls_to_the_next_rung_and_says_so(bench, do):
    first = do(tap=LIVE)
    second = do(tap={"any": [{"id": "btn_moved"}, {"text": "Live"}]})
    assert first.detail["rung"].split()[0] == "id"
    assert second.detail["rung"].split()[0] == "text"
    assert len(bench.stage.begun) == 2


def test_a_point_is_touched_when_no_other_rung_is_there(bench, do):
    do(open_app=BULB)
    centre = (360, 265)
    bracket = do(tap={"any": [{"id": "btn_moved"}, {"at": centre}]}, within="1 s")
    assert bracket.detail["rung"].split()[0] == "at"
    assert [b.activity for b in bench.stage.begun] == ["turn_on"]


@pytest.mark.usefixtures("arlo")
def test_the_status_goes_from_ready_over_working_to_the_effect(do, sees):
    assert sees(id="status", text="Ready")
    do(tap=LIVE)
    assert sees(id="status", text="Live")
    do(open_app=ARLO)
    do(tap={"id": "tile_arlo_q"})
    assert sees(id="status", text="Ready")


@pytest.mark.usefixtures("arlo")
def test_what_is_not_on_the_screen_is_not_seen(bench, sees):
    start_s = bench.clock.monotonic_s()
    assert not sees(within_s=0.6, id="status", text="Recording")
    assert (
        0.6 <= bench.clock.monotonic_s() - start_s < 12
    )  # most of it a busy machine's


@pytest.mark.usefixtures("arlo")
def test_a_missing_selector_ends_in_time_and_touches_nothing(bench, do):
    start_s = bench.clock.monotonic_s()
    with pytest.raises(DriverTimeoutError, match="btn_moved"):
        do(tap={"id": "btn_moved"}, within="0.6 s")
    assert bench.clock.monotonic_s() - start_s < 12  # most of it a busy machine's
    assert bench.stage.begun == []


@pytest.mark.usefixtures("arlo")
def test_waiting_for_something_ends_when_it_is_there(do):
    do(tap=LIVE)
    bracket = do(wait_for={"id": "status", "text": "Live"})
    assert bracket.issue_ns <= bracket.instant_ns <= bracket.return_ns


@pytest.mark.usefixtures("arlo")
def test_evidence_is_a_picture_and_a_tree_with_the_status(bench, do, sees):
    do(tap=LIVE)
    assert sees(id="status", text="Live")
    evidence = bench.phone.evidence()
    assert evidence.screenshot_png.startswith(PNG)
    tree = ET.fromstring(evidence.view_tree_xml)  # noqa: S314 - made by ourselves
    texts = {n.get("resource-id"): n.get("text") for n in tree.iter("node")}
    assert texts[f"{ARLO}:id/status"] == "Live"


def test_the_phone_works_on_after_a_picture(bench, do):
    do(open_app=BULB)
    bench.phone.evidence()
    do(tap={"id": "btn_turn_on"})
    assert len(bench.stage.begun) == 1


def test_an_app_has_its_version_and_a_missing_app_none(bench):
    assert bench.phone.app_version(ARLO) == "4.11.2"
    assert bench.phone.app_version("com.example.nothing") == ""


def test_an_app_that_is_not_installed_is_refused(do):
    with pytest.raises(DriverRefusedError, match="nothing: it is not installed"):
        do(open_app="com.example.nothing")


@pytest.mark.usefixtures("arlo")
def test_the_network_of_the_phone_goes_with_the_activity(bench, do):
    bench.phone.set_network("wan")
    do(tap=LIVE)
    bench.phone.set_network("lan")
    do(tap=LIVE)
    assert [b.network for b in bench.stage.begun] == ["wan", "lan"]


def test_back_leads_from_the_device_to_the_list_of_devices(do, sees):
    do(open_app=ARLO)
    do(tap={"id": "tile_arlo_q"})
    do(key="back")
    assert sees(id="tile_arlo_q")


def test_what_a_speaker_heard_is_in_its_history(bench, do, sees):
    heard_ns = str(bench.clock.now_ns())
    bench.stage.heard = {"heard": "alexa tell me a joke", "heard_ns": heard_ns}
    do(open_app="com.amazon.dee.app")
    assert sees(id="history_0", text="tell me a joke, just now")


def test_a_pop_up_covers_the_app_until_it_is_closed(bench, do, sees):
    bench.stage.faults.add("popup")
    do(open_app=BULB)
    assert not sees(within_s=0.3, id="btn_turn_on")
    do(tap={"text": "Not now"})
    do(tap={"id": "btn_turn_on"})
    assert len(bench.stage.begun) == 1


def test_a_phone_that_was_away_works_again(bench, do):
    do(open_app=BULB)
    bench.stage.faults.add("phone_offline")
    bench.clock.sleep(0.2)
    with pytest.raises(DriverError):
        do(tap={"id": "btn_turn_on"}, within="1 s")
    bench.stage.faults.clear()
    do(open_app=BULB)
    do(tap={"id": "btn_turn_on"})
    assert len(bench.stage.begun) == 1


def test_a_declared_pop_up_is_closed_before_the_tap_and_said(bench, do, make_step):
    bench.stage.faults.add("popup")
    bench.phone.expect([make_step(tap={"text": "Not now"})])
    do(open_app=BULB)
    bracket = do(tap={"id": "btn_set_colour_red"})
    assert "Not now" in bracket.detail["interrupt"]
    assert [b.activity for b in bench.stage.begun] == ["set_colour"]


def test_a_permission_is_denied_before_the_tap_and_said(bench, do):
    bench.stage.faults.add("permission_dialog")
    done = [do(open_app=BULB), do(tap={"id": "btn_set_colour_red"})]
    (said,) = [b.detail["interrupt"] for b in done if "interrupt" in b.detail]
    assert said.startswith("permission dialog, closed by")
    assert "deny" in said
    assert [b.activity for b in bench.stage.begun] == ["set_colour"]


def test_what_was_closed_on_the_way_to_a_look_is_told(bench, do, sees):
    do(open_app=BULB)
    bench.stage.faults.add("permission_dialog")
    assert sees(id="status", text="Ready")
    (told,) = bench.phone.closed()
    assert told.startswith("permission dialog, closed by")
    assert sees(id="status", text="Ready")
    assert bench.phone.closed() == ()


@pytest.mark.parametrize("word", ["", "crash"])
def test_an_app_that_has_failed_fails_the_step_and_opens_again(word, bench, do):
    do(open_app=BULB)
    bench.stage.values["anr"] = word
    bench.stage.faults.add("anr")
    with pytest.raises(DriverRefusedError, match=r"isn't responding|has stopped"):
        do(tap={"id": "btn_turn_on"})
    bench.stage.faults.clear()
    do(open_app=BULB)
    do(tap={"id": "btn_turn_on"})
    assert len(bench.stage.begun) == 1


@pytest.mark.parametrize("kind", ["anr", "permission_dialog"])
def test_a_dialog_that_comes_up_under_the_finger_fails_the_trigger(kind, bench, do):
    do(open_app=BULB)
    bench.stage.values[kind] = "touch"
    bench.stage.faults.add(kind)
    with pytest.raises(DriverRefusedError, match="came up at the touch"):
        do(tap={"id": "btn_turn_on"}, trigger="true")
    assert bench.stage.begun == []


def test_an_updated_app_is_used_by_a_lower_rung_which_is_said(bench, do):
    bench.stage.faults.add("app_updated")
    do(open_app=BULB)
    bracket = do(tap={"any": [{"id": "btn_turn_on"}, {"text": "Turn on"}]})
    assert bracket.detail["rung"] == "text"
    assert bracket.detail["fallback"].startswith("text 'Turn on', as id 'btn_turn_on'")
    assert [b.activity for b in bench.stage.begun] == ["turn_on"]
    assert bench.phone.app_version(BULB) == "4.11.3"


def test_a_button_beside_another_is_found_from_it(bench, do):
    do(open_app=BULB)
    do(tap={"below": {"text": "Turn on"}})
    assert [b.activity for b in bench.stage.begun] == ["turn_off"]


def test_a_point_may_be_in_shares_of_the_screen(bench, do):
    do(open_app=BULB)
    do(tap={"at": ["50 %", "20.7 %"]})
    assert [b.activity for b in bench.stage.begun] == ["turn_on"]


@pytest.mark.parametrize("kind", ["stale_dump", "dump_fails"])
def test_no_effect_is_seen_while_the_tree_is_old_or_missing(kind, bench, do, sees):
    do(open_app=BULB)
    do(tap={"id": "btn_turn_on"})
    assert sees(id="status", text="On")
    bench.stage.faults.add(kind)
    bench.stage.deaf = True
    do(open_app=BULB)
    with suppress(DriverTimeoutError):  # it may also say that it sees nothing
        do(tap={"id": "btn_turn_on"}, within="2 s")
    assert not sees(within_s=1.0, id="status", text="On")
    bench.stage.faults.clear()
    now = "Working" if len(bench.stage.begun) == 2 else "Ready"
    assert sees(id="status", text=now)


@pytest.mark.parametrize("kind", ["stale_dump", "dump_fails"])
def test_an_effect_is_seen_once_there_is_a_tree_of_now(kind, bench, do, sees):
    do(open_app=BULB)
    do(tap={"id": "btn_turn_on"})
    bench.stage.faults.add(kind)
    assert not sees(within_s=1.0, id="status", text="On")
    bench.stage.faults.clear()
    assert sees(id="status", text="On")


def test_a_pop_up_of_an_old_tree_is_not_closed_once_more(bench, do, make_step):
    bench.phone.expect([make_step(tap={"text": "Not now"})])
    bench.stage.faults.add("popup")
    do(open_app=BULB)
    bench.stage.faults.add("stale_dump")
    with pytest.raises(DriverTimeoutError):
        do(tap={"id": "btn_turn_on"}, within="3 s", trigger="true")
    assert bench.stage.begun == []
    bench.stage.faults.clear()
    do(tap={"id": "btn_turn_on"})
    assert [b.activity for b in bench.stage.begun] == ["turn_on"]


def test_a_phone_that_restarts_has_no_app_open_and_works_again(bench, do):
    do(open_app=BULB)
    bench.stage.values["phone_reboot"] = "1 s"
    bench.stage.faults.add("phone_reboot")
    bench.clock.sleep(0.2)
    with pytest.raises(DriverError):
        do(tap={"id": "btn_turn_on"}, within="1 s")
    bench.clock.sleep(1.2)
    bench.stage.faults.clear()
    do(open_app=BULB)
    do(tap={"id": "btn_turn_on"})
    assert len(bench.stage.begun) == 1


def test_a_slow_phone_does_each_step_once(bench, do, sees):
    bench.stage.values["phone_slow"] = "0.2 s"
    bench.stage.faults.add("phone_slow")
    do(open_app=BULB)
    do(tap={"id": "btn_turn_on"}, within="60 s")
    assert sees(id="status", text="On")
    assert len(bench.stage.begun) == 1
