"""Fingerprints of a device's network software: read, told by day, and tested."""

import struct
from pathlib import Path

import numpy as np

from analysis.compare.prints import (
    HELLO,
    LEASE,
    SYN,
    events_of,
    hello_print,
    lease_print,
    prints_in,
    syn_print,
)
from analysis.dataset import load_campaign
from testbed.virtual.fast.tls import Noise, client_hello
from testbed.virtual.house.services import dhcp

EXAMPLE = Path(__file__).parents[3] / "captures" / "example"
OPTIONS = bytes.fromhex("020405b4 0402 080a0102030400000000 01 030307")


def syn(ttl=64, window=501, options=OPTIONS):
    """Return the IP packet of a SYN."""
    head = struct.pack(">BBHHHBBH", 0x45, 0, 60, 1, 0, ttl, 6, 0) + bytes(8)
    size = 20 + len(options)
    fixed = struct.pack(">HHIIBBHHH", 40000, 443, 1, 0, size // 4 << 4, 2, window, 0, 0)
    return head + fixed + options


def test_a_syn_says_ttl_window_and_options_but_not_when():
    assert syn_print(syn()) == "64:501:2=05b4,4,8,1,3=07"
    later = OPTIONS.replace(bytes([1, 2, 3, 4]), bytes([9, 9, 9, 9]))
    assert syn_print(syn(options=later)) == syn_print(syn())
    assert syn_print(syn(ttl=128)) != syn_print(syn())
    assert syn_print(syn(window=64240)) != syn_print(syn())


def test_a_hello_says_what_it_offers_but_not_to_whom():
    noise = Noise(np.random.default_rng(0))
    one, two = (client_hello(name, noise) for name in ("a.example", "bb.example"))
    assert hello_print(one) == hello_print(two)
    assert hello_print(one).startswith("771:4866-4867-4865:")
    at = one.index(struct.pack(">H", 4866))
    other = one[:at] + struct.pack(">H", 49195) + one[at + 2 :]
    assert hello_print(other) != hello_print(one)
    assert hello_print(one[:-20]) == ""
    grease = one[:at] + struct.pack(">H", 0x1A1A) + one[at + 2 :]
    assert hello_print(grease).startswith("771:4867-4865:")


def test_a_lease_is_asked_for_with_options_and_no_names():
    (asked, told) = (
        m.payload for m in dhcp("echo_dot", np.random.default_rng(0)).messages
    )
    other = dhcp("koogeek_plug", np.random.default_rng(1)).messages[0].payload
    assert lease_print(asked) == lease_print(other) == "3:53,12:"
    assert lease_print(told) != lease_print(asked)
    assert lease_print(b"x" * 300) == ""


def test_captures_tell_fingerprints_of_each_device_by_unit():
    devices = load_campaign(EXAMPLE).devices
    found = prints_in(EXAMPLE, devices)
    assert set(found) == {device.name for device in devices}
    said = found["echo_dot"]
    assert {HELLO, SYN} <= set(said) <= {HELLO, SYN, LEASE}
    events = events_of(said, lambda at: np.full(at.size, "day"))
    assert set(events[SYN].value.tolist()) == {"64:501:2=05b4,4,8,1,3=07"}
    assert events[SYN].n.sum() == sum(said[SYN].values())
