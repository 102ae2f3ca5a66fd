import numpy as np
import pytest

from analysis.dataset import Device
from analysis.packets.select import address_of
from analysis.packets.unseen import SeenEnds
from analysis.pcap.decode import Decoded

LAMP, PLUG = Device(name="lamp", mac="02:00:00:00:00:11"), 0x020000000012
HOME, AWAY = "10.77.0.11", "2001:db8::9"
ETHERNET, PPP, RAW, USB = 1, 9, 101, 189


def seen_of(*pairs, seen=None, link=ETHERNET):
    """Packets of (source, destination) MAC, batch by batch."""
    seen = seen or SeenEnds()
    for batch in pairs:
        decoded = Decoded.zeros(len(batch))
        decoded.src_mac[:], decoded.dst_mac[:] = np.array(batch, dtype=np.uint64).T
        seen.add(np.full(len(batch), link, dtype=np.int32), decoded)
    return seen


def seen_bare(*pairs):
    """Packets of raw IP, by (source, destination)."""
    seen, decoded = SeenEnds(), Decoded.zeros(len(pairs))
    for row, (src, dst) in enumerate(pairs):
        decoded.src[row], decoded.dst[row] = address_of(src), address_of(dst)
    seen.add(np.full(len(pairs), RAW, dtype=np.int32), decoded)
    return seen


@pytest.mark.parametrize("pair", [(0x020000000011, PLUG), (PLUG, 0x020000000011)])
def test_a_device_that_sends_or_is_addressed_was_seen(pair):
    assert seen_of([(PLUG, 1)], [pair]).tell_unseen(LAMP) is None


def test_who_was_seen_instead_is_named_by_how_much_was_sent():
    seen = seen_of([(PLUG, 1), (5, 1)], [(5, 1), (0, 0)])
    assert seen.tell_unseen(LAMP) == (
        "device lamp: no capture holds a packet of 02:00:00:00:00:11; "
        "the most seen are 00:00:00:00:00:05 (2), 02:00:00:00:00:12 (1)"
    )


def test_captures_without_macs_ask_for_an_address():
    assert seen_bare((HOME, AWAY)).tell_unseen(LAMP) == (
        "device lamp: the captures hold no MAC addresses; the device's ip is needed"
    )


@pytest.mark.parametrize("ip", [HOME, AWAY])
def test_captures_without_macs_go_by_the_address(ip):
    seen = seen_bare((HOME, AWAY))
    assert seen.tell_unseen(Device(name="lamp", mac=LAMP.mac, ip=ip)) is None


def test_an_address_that_does_not_occur_is_told_with_those_that_do():
    seen = seen_bare((HOME, AWAY), (AWAY, HOME), (HOME, AWAY))
    lamp = Device(name="lamp", mac=LAMP.mac, ip="10.77.0.12")
    assert seen.tell_unseen(lamp) == (
        "device lamp: the captures hold no MAC addresses and no packet of 10.77.0.12; "
        "the most seen are 10.77.0.11 (2), 2001:db8::9 (1)"
    )


def test_link_types_that_are_not_understood_are_named():
    foreign = seen_of([(0, 0)], link=PPP)
    assert foreign.tell_unseen(LAMP) == (
        "device lamp: the captures hold packets of PPP (link type 9) only, not "
        "understood"
    )
    mixed = seen_of([(0, 0)], seen=seen_of([(PLUG, 1)]), link=USB)
    assert mixed.tell_unseen(LAMP).endswith(
        "02:00:00:00:00:12 (1); packets of USB of Linux (link type 189) are not "
        "understood"
    )


def test_captures_without_a_packet_say_so():
    assert SeenEnds().tell_unseen(LAMP) == "device lamp: the captures hold no packet"
