"""What every plug promises; see `PowerSwitch` and `PowerMeter` of the protocols.

An opener takes a folder and is a context that gives (plug, clock); the plug is on and
its device draws current. To hold another plug to the contract, add its opener to
OPENERS.
"""

import socket
from contextlib import contextmanager
from pathlib import Path

import pytest

from testbed.clock import SystemClock
from testbed.drivers.plug_wemo import open_plug
from testbed.model.lab import PlugAt
from testbed.model.load import load_lab, load_profiles
from testbed.virtual.fast.lab import open_fast_lab
from testbed.virtual.rehearsal import LoopThread, Rehearsal
from testbed.virtual.wemo import start_wemo
from tests.ports import own_address

ROOT = Path(__file__).parents[2]


@contextmanager
def wemo(host, udn, **role):
    clock = SystemClock()
    stage = Rehearsal({"wemo_insight": {"switch": "on"}})
    with LoopThread() as loop:
        running = loop.run(
            start_wemo(
                stage,
                socket.create_server((host, 49153)),
                name="plug",
                udn=udn,
                mac="02:00:00:00:00:31",
                firmware="WeMo_WW_2.00.11408.PVT-OWRT-Insight",
                clock=clock,
                seed=1,
                **role,
            )
        )
        plug = open_plug("plug", PlugAt(host=host, udn=udn), clock)
        try:
            yield plug, clock
        finally:
            plug.close()
            loop.run(running.close())


def wemo_that_feeds_a_device(tmp_path):
    return wemo(own_address(0), "uuid:Insight-1_0-SIM00000031", feeds="omna_180")


def wemo_that_is_a_device(tmp_path):
    return wemo(
        own_address(1), "uuid:Insight-1_0-SIM00000016", is_device="wemo_insight"
    )


@contextmanager
def plug_of_the_fast_lab(name, tmp_path):
    lab_file = load_lab(ROOT / "lab.yaml")
    profiles = load_profiles(ROOT / "devices")
    with open_fast_lab(
        lab_file,
        profiles,
        seed=1,
        truth=tmp_path / "truth",
        start_ns=1_800_000_000 * 10**9,
    ) as lab:
        lab.plugs[name].set_power(True)
        yield lab.plugs[name], lab.clock


def fast_plug_that_feeds_a_device(tmp_path):
    return plug_of_the_fast_lab("plug_camera", tmp_path)


def fast_plug_that_is_a_device(tmp_path):
    return plug_of_the_fast_lab("plug_under_test", tmp_path)


OPENERS = [
    wemo_that_feeds_a_device,
    wemo_that_is_a_device,
    fast_plug_that_feeds_a_device,
    fast_plug_that_is_a_device,
]


@pytest.fixture(params=OPENERS, ids=lambda opener: opener.__name__)
def opened(request, tmp_path):
    with request.param(tmp_path) as pair:
        yield pair


def test_it_does_what_it_says_and_says_what_it_did(opened):
    plug, _ = opened
    for on in (False, True, False):
        plug.set_power(on)
        assert plug.read_power() is on
        # A device takes a moment to act on its own API; a reading takes time too.
        assert any((plug.read_power_w() > 1.0) is on for _ in range(400))


def test_no_current_flows_when_it_is_off(opened):
    plug, _ = opened
    plug.set_power(False)
    assert plug.read_power_w() == 0.0


def test_a_state_that_it_has_already_is_no_error(opened):
    plug, _ = opened
    plug.set_power(True)
    plug.set_power(False)
    plug.set_power(False)
    assert plug.read_power() is False


def test_the_stamps_bracket_the_change(opened):
    plug, clock = opened
    before_ns = clock.now_ns()
    done = plug.set_power(False)
    assert before_ns <= done.issue_ns <= done.instant_ns <= done.return_ns
    assert done.return_ns <= clock.now_ns()


def test_the_power_of_a_device_is_tens_of_watts_and_not_constant(opened):
    plug, _ = opened
    readings_w = [plug.read_power_w() for _ in range(5)]
    assert all(10.0 < watts < 90.0 for watts in readings_w)
    assert len(set(readings_w)) > 1
