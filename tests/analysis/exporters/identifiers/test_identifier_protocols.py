"""Secrets of many protocols are planted in frames: harvest finds each by itself."""

import numpy as np
import pytest

from analysis.exporters.anonymise import Policy, Pseudonyms, anonymise_capture
from analysis.exporters.identifiers.captured import harvest_capture
from analysis.exporters.identifiers.gathered import Gathered
from analysis.exporters.identifiers.public import Products
from analysis.exporters.identifiers.speech import PORTS
from analysis.pcap.blocks import Interface
from analysis.pcap.writer import open_capture
from tests.analysis.exporters.identifiers import (
    said_by_apps,
    said_by_bridges,
    said_by_networks,
)
from tests.analysis.exporters.identifiers.crafted import (
    asked,
    certificate,
    dhcp,
    dns,
    eth,
    jsons,
    lldp,
    mqtt,
    option,
    snmp,
    tcp,
    tls,
    udp,
)

START_NS = 1_767_607_200_000_000_000
# protocol: frames, (kind, value) of all that is planted in them
PLANTED = said_by_networks.PLANTED | said_by_apps.PLANTED | said_by_bridges.PLANTED
SECRETS = [
    (protocol, *each.split(" ", 1))
    for protocol, (_, *told) in PLANTED.items()
    for each in told
]
# what none of these may be taken for: frames of words that everybody uses
EVERYDAY = (
    jsons(
        name="Living Room",
        room="Kitchen",
        user="admin",
        state="on",
        secret="none",  # noqa: S106
        key="brightness",
        id="17",
        message="Not Found",
        fw="2.0.0.11",
        version="3.172.33.9",
    )
    + mqtt(4, "homeassistant", "mosquitto", "password", "home/livingroom/lamp/set")
    + tcp(21, "USER anonymous\r\n", "PASS guest\r\n")
    + snmp("public", (5, "switch"), (6, "office"))
    + asked("GET /api/v1/devices/status HTTP/1.1", "Host: api.vendor.com")
    + dhcp(option(60, b"udhcp 1.24.1"), option(15, b"fritz.box"), option(12, b"tv"))
    + dns("www.duckdns.org")
    + dns("ec2-52-1-2-3.compute-1.amazonaws.com")
    + tls(certificate([("550403", "*.vendor.com"), ("550405", "HRB 4471")]), False)
    + lldp((2, b"\5eth0"), (5, b"router"))
    + udp((50004, 514), b"<30>Nov 21 22:00:00 router dnsmasq[7]: hello")
)


def harvested(path, frames):
    links = (Interface(link=1), Interface(link=105))
    with open_capture(path, interfaces=links) as out:
        for number, frame in enumerate(frames):
            in_air = isinstance(frame, tuple)
            raw = frame[0] if in_air else frame
            out.packet(START_NS + number * 1_000_000, raw, interface=int(in_air))
    return {(each.kind, each.value) for each in harvest_of(path)}


def harvest_of(path):
    gathered = Gathered(Products({}), "keep-public")
    harvest_capture(path, gathered)
    return tuple(gathered.identifiers())


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    frames = [frame for made, *_ in PLANTED.values() for frame in made]
    return harvested(tmp_path_factory.mktemp("planted") / "c.pcapng", frames)


def test_a_hundred_secrets_of_many_protocols_are_planted():
    assert len(SECRETS) >= 100
    assert len({protocol for protocol, _, _ in SECRETS}) >= 25


@pytest.mark.parametrize(("protocol", "kind", "value"), SECRETS)
def test_a_planted_secret_is_harvested(found, protocol, kind, value):
    assert (kind, value) in found


def test_nothing_of_it_is_harvested_again_after_the_anonymiser(tmp_path):
    frames = [frame for made, *_ in PLANTED.values() for frame in made]
    before, after = tmp_path / "before.pcapng", tmp_path / "after.pcapng"
    harvested(before, frames)
    told = harvest_of(before)
    anonymise_capture(
        before,
        after,
        pseudonyms=Pseudonyms(bytes(range(32))),
        identifiers=told,
        policy=Policy(),
    )
    values = {each.value for each in told}
    left = {each.value for each in harvest_of(after)} & values
    assert left == set()


def test_what_everybody_says_is_not_harvested(tmp_path):
    found = harvested(tmp_path / "c.pcapng", EVERYDAY)
    assert {each for each in found if each[0] not in ("mac", "ipv4")} == set()
    assert {value for kind, value in found if kind == "ipv4"} == {
        "192.168.178.33",
        "203.0.113.40",
    }


def test_noise_at_any_port_is_no_identifier(tmp_path):
    rng = np.random.default_rng(12)
    frames = []
    for port in (*PORTS, 1883, 23, 25, 389, 445, 443, 3702, 50000):
        for size in rng.integers(4, 400, 12).tolist():
            frames += udp((port, 50100), rng.bytes(size))
            frames += tcp(port, rng.bytes(size))
    for kind in (0x88CC, 0x888E, 0x8863, 0x8864, 0x8137):
        frames += [eth(kind, rng.bytes(200)) for _ in range(12)]
    found = harvested(tmp_path / "c.pcapng", frames)
    assert {value for kind, value in found if kind != "mac"} == {
        "192.168.178.33",
        "203.0.113.40",
    }
    assert len(found) == 4


def test_what_is_an_address_is_no_login_beside(found):
    assert {kind for kind, value in found if value.lower().startswith("b4:75")} == {
        "mac"
    }


@pytest.mark.parametrize("link", [113, 276])
def test_frames_that_linux_cooked_are_read_as_those_of_ethernet(tmp_path, link):
    (tree,), (switch,) = said_by_bridges.tree(1, 2), lldp((5, b"schalter-birke"))
    path = tmp_path / "any.pcapng"
    with open_capture(path, interfaces=[Interface(link=link)]) as out:
        for frame, kind in ((tree, b"\0\4"), (switch, b"\x88\xcc")):
            sender = frame[6:12] + b"\0\0"
            head = b"\0\0\0\1\0\6" + sender + kind
            if link == 276:
                head = kind + b"\0\0\0\0\0\2\0\1\0\6" + sender
            out.packet(START_NS, head + frame[14:])
    told = {each.value for each in harvest_of(path)}
    assert {"b4:75:0e:de:00:01", "b4:75:0e:de:00:02", "schalter-birke"} <= told
