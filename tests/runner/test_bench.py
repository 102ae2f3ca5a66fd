import socket
from dataclasses import replace

import pytest

from testbed.clock import VirtualClock
from testbed.errors import ConfigError, LabError
from testbed.model.lab import Lab
from testbed.model.types import Channel
from testbed.runner.bench import UdpBeacons, expanded, open_bench

LAB = {
    "lab": "bench",
    "phone": {"serial": "x"},
    "plugs": {"plug_tv": {"host": "${PLUG_HOST}", "udn": "u", "feeds": "tv"}},
    "router": {"host": "r", "interface": "br-lan", "beacon": "127.0.0.1:47777"},
}


class Instrument:
    def __init__(self, kind, at, closed):
        self.kind = kind
        self.at = at
        self.closed = closed

    def close(self):
        self.closed.append(self.kind)


def test_every_instrument_is_opened_by_its_driver_and_closed(monkeypatch):
    monkeypatch.setenv("PLUG_HOST", "10.0.0.9")
    asked, closed = [], []

    def opener(kind, name, at, clock):
        asked.append((kind, name))
        return Instrument(kind, at, closed)

    with open_bench(Lab.model_validate(LAB), VirtualClock(), opener) as bench:
        assert bench.voice is None
        assert bench.plugs["plug_tv"].at.host == "10.0.0.9"
    assert asked == [
        ("router", "ssh"),
        ("phone", "androidviewclient"),
        ("plug", "pywemo"),
    ]
    assert closed == ["plug", "phone", "router"]


def test_what_was_opened_is_closed_when_the_next_does_not_open(monkeypatch):
    monkeypatch.setenv("PLUG_HOST", "10.0.0.9")
    closed = []

    def opener(kind, name, at, clock):
        if kind == "plug":
            raise ConfigError("no such driver")
        return Instrument(kind, at, closed)

    bench = open_bench(Lab.model_validate(LAB), VirtualClock(), opener)
    with pytest.raises(ConfigError, match="no such driver"), bench:
        pass
    assert closed == ["phone", "router"]


def test_a_variable_that_is_not_set_is_named(monkeypatch):
    monkeypatch.delenv("PLUG_HOST", raising=False)
    lab = Lab.model_validate(LAB)
    with pytest.raises(ConfigError, match=r"\$\{PLUG_HOST\}, which is not set"):
        expanded(lab.plugs["plug_tv"])


def test_a_section_keeps_its_values_when_there_is_nothing_to_replace():
    lab = Lab.model_validate(LAB)
    assert expanded(lab.router) == lab.router


def test_a_beacon_arrives_as_it_was_sent():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(5)
        beacons = UdpBeacons(f"127.0.0.1:{receiver.getsockname()[1]}")
        beacons.send(b"TBB1|x")
        assert receiver.recv(100) == b"TBB1|x"
        beacons.close()


def test_a_beacon_address_without_a_port_is_refused():
    with pytest.raises(ConfigError, match="must be host:port"):
        UdpBeacons("10.77.0.1")


def test_an_api_trial_needs_the_plug_that_is_the_device(rig, kit):
    lab = rig()
    plugs = {n: p for n, p in lab.lab.plugs.items() if n != "plug_dut"}
    lab.lab = lab.lab.model_copy(update={"plugs": plugs})
    with pytest.raises(LabError, match="with is_device: wemo"):
        lab.run()
    trials = tuple(t for t in kit.small_plan().trials if t.channel is not Channel.API)
    lab.campaign = "small-2"
    result = lab.run(replace(kit.small_plan(), trials=trials))
    assert result.count(kit.Outcome.CONFIRMED) == 3
