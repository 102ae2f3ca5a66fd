import csv

import pytest

from testbed.errors import DriverNoEffectError, DriverTimeoutError, LabError
from testbed.model.lab import Lab
from testbed.model.steps import Selector, Step
from testbed.virtual.fast.lab import open_fast_lab


def _cases(profiles):
    return [
        (device, activity, channel)
        for device, profile in profiles.items()
        for activity, described in profile.activities.items()
        for channel in described.channels
        if device != "samsung_tv" or channel != "power"
    ]


def test_every_activity_of_every_profile_passes_its_own_check(opened, profiles, act):
    lab, _ = opened()
    for device, activity, channel in _cases(profiles):
        profile = profiles[device]
        act(lab, profile, activity, channel)
        check = profile.activities[activity].check_for(channel)
        for step in check.steps:
            lab.phone.perform(step)
        where = f"{device} {activity} {channel}"
        if check.see is not None:
            assert lab.phone.see(check.see, check.within), where
        if check.power is not None:
            on = lab.plugs["plug_under_test"].read_power()
            assert on is (check.power == "on"), where
        if check.power_w is not None and check.power_w.above is not None:
            assert lab.plugs["plug_camera"].read_power_w() > check.power_w.above, where
        lab.clock.sleep(15.0)


def test_the_true_start_lies_in_the_bracket_and_near_its_estimate(
    opened, profiles, act
):
    lab, truth = opened()
    lab.capture_point.start_capture("brackets", lambda: None)
    cases = [c for c in _cases(profiles) if c[2] in ("phone", "voice")]
    plugs = (lab.plugs["plug_camera"], lab.plugs["plug_under_test"])
    brackets = []
    for plug, on in zip(plugs * 2, (False, True, True, False), strict=True):
        brackets.append(plug.set_power(on))
        lab.clock.sleep(15.0)
    for device, activity, channel in cases:
        brackets.append(act(lab, profiles[device], activity, channel))
        lab.clock.sleep(15.0)
    lab.capture_point.stop_capture()
    with (truth / "activities.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for bracket, row in zip(brackets, rows, strict=True):
        true_ns = int(row["true_ns"])
        assert bracket.issue_ns <= true_ns <= bracket.return_ns
        assert abs(bracket.instant_ns - true_ns) < 20_000_000


def test_a_deaf_speaker_hears_nothing(opened, profiles, act):
    lab, _ = opened(faults=[{"kind": "deaf_speaker", "target": "echo_dot"}])
    act(lab, profiles["echo_dot"], "ask_weather", "voice")
    act(lab, profiles["home_mini"], "ask_weather", "voice")
    assert "heard" not in lab.scene.state("echo_dot")
    assert lab.scene.state("home_mini")["heard"] == "what is the weather"


def test_a_lying_plug_reports_off_while_its_device_goes_on(opened, profiles, act):
    lab, _ = opened(faults=[{"kind": "lying_plug", "target": "plug_camera"}])
    act(lab, profiles["omna_180"], "power_off", "power")
    assert lab.plugs["plug_camera"].read_power() is False
    assert lab.plugs["plug_camera"].read_power_w() > 1
    assert lab.scene.state("omna_180")["power"] == "on"


def test_a_stuck_plug_is_no_effect(opened, profiles, act):
    lab, _ = opened(faults=[{"kind": "stuck_plug", "target": "plug_camera"}])
    with pytest.raises(DriverNoEffectError):
        act(lab, profiles["omna_180"], "power_off", "power")


def test_a_phone_that_is_offline_says_so_until_the_fault_ends(opened):
    fault = {"kind": "phone_offline", "target": "phone", "until": "60 s"}
    lab, _ = opened(faults=[fault])
    step = Step.model_validate({"open_app": "com.koogeek.home"})
    with pytest.raises(DriverTimeoutError):
        lab.phone.perform(step)
    lab.clock.sleep(60.0)
    lab.phone.perform(step)


def test_a_device_without_power_shows_no_effect(opened, profiles, act):
    lab, _ = opened()
    act(lab, profiles["omna_180"], "power_off", "power")
    act(lab, profiles["omna_180"], "stream_video", "phone")
    status = Selector.model_validate({"text": "Device offline"})
    assert lab.phone.see(status, 3.0)


def test_a_lab_that_is_not_virtual_is_refused(tmp_path):
    router = {"host": "r", "interface": "br-lan", "beacon": "10.0.0.1:1"}
    lab = Lab.model_validate({"lab": "bench", "router": router})
    with pytest.raises(LabError, match="not virtual"):
        open_fast_lab(lab, {}, seed=1, truth=tmp_path, start_ns=0)
