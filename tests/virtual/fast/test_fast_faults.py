"""Scripted faults of the fast lab's router, network and plugs."""

import pytest

from testbed.errors import (
    DriverGarbledError,
    DriverRefusedError,
    DriverTimeoutError,
)
from testbed.model.protocols import Lively, Lookout
from testbed.virtual.faults import step_s

TPLINK = "50:c7:bf:6b:e0:19"


def fault(kind, at=10.0, until=20.0, **more):
    return {"kind": kind, "at": at, "until": until, **more}


def poke():
    pass


def until(lab, elapsed_s, start_ns=1_795_000_000 * 10**9):
    lab.clock.sleep(elapsed_s - (lab.clock.now_ns() - start_ns) / 1e9)


@pytest.mark.parametrize("kind", ["ssh_hang", "router_link_down", "router_reboot"])
def test_a_router_out_of_reach_says_nothing_and_comes_back(opened, kind):
    lab, _ = opened(faults=[fault(kind)])
    point = lab.capture_point
    point.start_capture("c", poke)
    until(lab, 12)
    for ask in (
        point.is_recording,
        point.clock_offset,
        point.renew_lease,
        point.free_b,
        lambda: point.internet_ok("api.tplink.example:443"),
        lambda: point.heard_s(TPLINK),
    ):
        if (lab.clock.now_ns() / 1e9 - 1_795_000_000) < 20:
            with pytest.raises(DriverTimeoutError):
                ask()
    until(lab, 21)
    assert point.is_recording() == (kind != "router_reboot")


@pytest.mark.parametrize(
    ("kind", "by"), [("capture_killed", "gone"), ("router_disk_full", "disk")]
)
def test_a_capture_ends_when_the_fault_strikes(opened, kind, by):
    lab, _ = opened(faults=[fault(kind)])
    point = lab.capture_point
    assert isinstance(point, Lookout)
    point.start_capture("c", poke)
    until(lab, 9)
    assert point.is_recording()
    until(lab, 12)
    assert not point.is_recording()
    assert point.stop_capture().stopped_by == by
    assert len(point.finished_files()) == 1
    if by == "disk":
        assert point.free_b() == 0
        with pytest.raises(DriverRefusedError, match="full"):
            point.start_capture("c", poke)
    until(lab, 21)
    point.start_capture("c", poke)
    assert point.is_recording()


def test_a_reboot_may_take_the_files_along(opened):
    kept = []
    for value in ("", "lost"):
        lab, _ = opened(faults=[fault("router_reboot", value=value)])
        lab.capture_point.start_capture("c", poke)
        until(lab, 21)
        lab.capture_point.stop_capture()
        kept.append(len(lab.capture_point.finished_files()))
    assert kept == [1, 0]


def test_the_clock_steps_and_steps_back(opened):
    lab, _ = opened(faults=[fault("clock_step", value="-3 s")])
    point = lab.capture_point

    def offset_s():
        return point.clock_offset().offset_ns / 1e9

    assert offset_s() == pytest.approx(49, abs=0.01)
    until(lab, 15)
    assert offset_s() == pytest.approx(46, abs=0.01)
    until(lab, 25)
    assert offset_s() == pytest.approx(49, abs=0.01)


def test_a_step_of_the_clock_is_said_with_its_sign():
    assert [step_s(v) for v in ("3 s", "-500 ms", "")] == [3.0, -0.5, 1.0]


def test_drops_are_missing_and_are_counted(opened):
    received = []
    for faults in ([], [fault("capture_drops", 10, 50)]):
        lab, _ = opened(faults=faults)
        lab.capture_point.start_capture("c", poke)
        until(lab, 60)
        end = lab.capture_point.stop_capture()
        received.append((end.received, end.dropped))
    (all_of_them, none), (fewer, some) = received
    assert none == 0
    assert some > 0
    assert fewer + some == all_of_them


def test_a_device_off_the_network_is_not_heard_and_does_not_react(opened):
    lab, _ = opened(faults=[fault("device_offline", target="tplink_hs110")])
    point = lab.capture_point
    act = {"channel": "phone", "network": "lan", "parameters": {}}
    assert point.heard_s(TPLINK) < 5
    until(lab, 18)
    assert point.heard_s(TPLINK) > 8
    assert point.heard_s("00:00:00:00:00:01") is None
    lab.scene.begin("tplink_hs110", "turn_on", instant_ns=lab.clock.now_ns(), **act)
    lab.clock.sleep(1)
    assert lab.scene.state("tplink_hs110")["status"] == "Device offline"
    assert lab.scene.state("tplink_hs110")["switch"] == "off"
    until(lab, 21)
    assert point.heard_s(TPLINK) < 5


@pytest.mark.parametrize(
    ("device", "activity", "reached"),
    [("tplink_hs110", "turn_off", True), ("arlo_q", "take_snapshot", False)],
)
def test_without_internet_only_what_is_local_works(opened, device, activity, reached):
    lab, _ = opened(faults=[fault("internet_down")])
    assert lab.capture_point.internet_ok("api.tplink.example:443")
    until(lab, 12)
    assert not lab.capture_point.internet_ok("api.tplink.example:443")
    lab.scene.begin(
        device,
        activity,
        channel="phone",
        network="lan",
        parameters={},
        instant_ns=lab.clock.now_ns(),
    )
    assert (lab.scene.state(device)["status"] != "Device offline") is reached


def test_a_plug_is_out_of_reach_or_speaks_nonsense(opened):
    faults = [
        fault("plug_unreachable", target="plug_camera"),
        fault("api_garbled", 30, 40, target="plug_camera"),
    ]
    lab, _ = opened(faults=faults)
    plug = lab.plugs["plug_camera"]
    assert isinstance(plug, Lively)
    assert plug.alive()
    until(lab, 12)
    assert not plug.alive()
    with pytest.raises(DriverTimeoutError):
        plug.read_power()
    until(lab, 31)
    with pytest.raises(DriverGarbledError):
        plug.set_power(False)
    until(lab, 41)
    plug.set_power(False)
    assert not plug.read_power()
