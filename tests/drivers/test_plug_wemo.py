"""The WeMo driver where plugs misbehave, move, lie or are gone."""

import itertools
import socket
import sys
import threading

import pytest

from testbed.clock import SystemClock
from testbed.drivers import plug_wemo
from testbed.drivers.plug_wemo import open_plug
from testbed.errors import (
    DriverGarbledError,
    DriverNoEffectError,
    DriverRefusedError,
    DriverTimeoutError,
)
from testbed.model.lab import PlugAt
from testbed.virtual.rehearsal import LoopThread, Rehearsal
from testbed.virtual.wemo import start_wemo
from tests.ports import own_address

HOST = own_address(0)
UDN = "uuid:Insight-1_0-SIM00000031"
SENT = []


def note_where_packets_go(event, arguments):
    if event in ("socket.sendto", "socket.connect"):
        SENT.append(arguments[1])


sys.addaudithook(note_where_packets_go)  # cannot be taken away again, and is cheap


class Lab:
    """A plug that can be started on a port, and the driver for it."""

    def __init__(self, loop):
        self.loop = loop
        self.stage = Rehearsal()
        self.running = None
        self.plug = open_plug("plug_camera", PlugAt(host=HOST, udn=UDN), SystemClock())

    def start(self, port=49153, udn=UDN):
        self.stop()
        self.running = self.loop.run(
            start_wemo(
                self.stage,
                socket.create_server((HOST, port)),
                name="plug_camera",
                udn=udn,
                mac="02:00:00:00:00:31",
                firmware="WeMo_WW_2.00",
                clock=SystemClock(),
                seed=1,
                feeds="omna_180",
            )
        )

    def stop(self):
        if self.running is not None:
            self.loop.run(self.running.close())
            self.running = None


@pytest.fixture
def lab(monkeypatch):
    monkeypatch.setattr(plug_wemo, "EFFECT_S", 0.3)
    with LoopThread() as loop:
        lab = Lab(loop)
        lab.start()
        yield lab
        lab.stop()


@pytest.fixture
def wanderings(monkeypatch):
    """Searches by multicast that pywemo wanted to make; none leaves."""
    wanted = []

    def scan(**kwargs):
        wanted.append(kwargs)
        return []

    monkeypatch.setattr("pywemo.ssdp.scan", scan)
    return wanted


def test_the_device_begins_within_the_stamps(lab):
    off = lab.plug.set_power(False)
    on = lab.plug.set_power(True)
    begun = lab.stage.begun
    assert [(b.device, b.activity, b.channel) for b in begun] == [
        ("omna_180", "power_off", "power"),
        ("omna_180", "power_on", "power"),
    ]
    assert off.issue_ns <= begun[0].instant_ns <= off.return_ns
    assert on.issue_ns <= begun[1].instant_ns <= on.return_ns


def test_a_command_is_sent_once(lab, monkeypatch):
    lab.plug.set_power(False)
    lab.plug.set_power(False)
    assert len(lab.stage.begun) == 1


def test_a_stuck_plug_accepts_and_has_no_effect(lab):
    lab.stage.faults["stuck_plug", "plug_camera"] = ""
    with pytest.raises(DriverNoEffectError, match="still reports on"):
        lab.plug.set_power(False)
    assert lab.stage.begun == []
    assert lab.plug.read_power() is True


def test_a_lying_plug_reports_the_new_state_and_the_meter_betrays_it(lab):
    lab.stage.faults["lying_plug", "plug_camera"] = ""
    lab.plug.set_power(False)
    assert lab.plug.read_power() is False
    assert lab.plug.read_power_w() > 10.0
    assert lab.stage.begun == []


def test_a_plug_tells_the_truth_again_when_the_fault_is_over(lab):
    lab.stage.faults["lying_plug", "plug_camera"] = ""
    lab.plug.set_power(False)
    lab.stage.faults.clear()
    lab.plug.set_power(False)
    assert lab.plug.read_power_w() == 0.0
    assert [b.activity for b in lab.stage.begun] == ["power_off"]


def test_another_plug_at_the_same_address_is_refused(lab):
    lab.start(udn="uuid:Insight-1_0-OTHER")
    with pytest.raises(DriverRefusedError, match=f"OTHER and not {UDN}") as caught:
        lab.plug.set_power(False)
    assert "correct host or udn in lab.yaml" in str(caught.value)
    assert lab.stage.begun == []


def test_a_plug_that_was_exchanged_while_open_is_refused(lab):
    lab.plug.read_power()
    lab.start(udn="uuid:Insight-1_0-OTHER", port=49154)
    with pytest.raises(DriverRefusedError, match="OTHER"):
        lab.plug.set_power(False)


def test_a_plug_that_came_back_on_another_port_is_found(lab):
    lab.plug.set_power(False)
    lab.start(port=49155)
    lab.plug.set_power(False)
    lab.plug.set_power(True)
    assert lab.plug.read_power() is True


def test_a_plug_that_is_gone_is_said_to_be_gone_soon(lab):
    clock = SystemClock()
    lab.plug.read_power()
    lab.stop()
    start_s = clock.monotonic_s()
    with pytest.raises(DriverTimeoutError, match=f"no WeMo answers at {HOST}"):
        lab.plug.set_power(False)
    assert clock.monotonic_s() - start_s < 10.0


def test_a_plug_that_takes_connections_and_says_nothing_costs_a_bounded_time(
    lab, monkeypatch
):
    monkeypatch.setattr(plug_wemo, "REQUEST_S", 0.2)
    lab.stop()
    clock = SystemClock()
    with socket.create_server((HOST, 49153)):
        start_s = clock.monotonic_s()
        with pytest.raises(DriverTimeoutError):
            lab.plug.read_power()
        assert clock.monotonic_s() - start_s < 10.0


def test_a_server_that_is_no_wemo_is_not_taken_for_one(lab):
    lab.stop()
    server = socket.create_server((HOST, 49153))

    def answer():
        connection, _ = server.accept()
        with connection:
            connection.recv(1000)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")

    thread = threading.Thread(target=answer)
    thread.start()
    with pytest.raises(DriverTimeoutError, match="no WeMo answers"):
        lab.plug.read_power()
    thread.join(10)
    server.close()


@pytest.mark.parametrize("params", ["", "1|2", "1|x|0|0|0|0|0|0|0|0|0"])
def test_a_meter_that_says_nonsense_is_garbled(lab, monkeypatch, params):
    lab.plug.read_power()
    monkeypatch.setattr(type(lab.running), "_insight_params", lambda self: params)
    with pytest.raises(DriverGarbledError, match="not that of a WeMo"):
        lab.plug.read_power_w()


def test_nothing_is_ever_multicast(lab, wanderings):
    SENT.clear()
    lab.plug.set_power(False)
    lab.start(port=49156)
    lab.plug.set_power(True)
    lab.stop()
    with pytest.raises(DriverTimeoutError):
        lab.plug.read_power()
    assert wanderings == []
    assert {address[0] for address in SENT} == {HOST}


def test_pywemo_left_alone_would_wander(lab, wanderings):
    from pywemo import Insight

    device = Insight(f"http://{HOST}:49153/setup.xml")
    device.session.retries = 0
    lab.stop()
    device.reconnect_with_device()
    assert len(wanderings) == 1


def test_proxies_of_the_controller_are_not_asked(lab, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert lab.plug.read_power() is True


def test_calls_of_several_threads_are_serialised(lab):
    brackets = []

    def switch(on):
        brackets.append(lab.plug.set_power(on))

    threads = [threading.Thread(target=switch, args=(n % 2 == 0,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    brackets.sort(key=lambda bracket: bracket.issue_ns)
    assert len(brackets) == 6
    for a, b in itertools.pairwise(brackets):
        assert a.return_ns <= b.issue_ns
