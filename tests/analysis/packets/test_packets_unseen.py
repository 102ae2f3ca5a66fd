import numpy as np
import pytest

from analysis.dataset import Device
from analysis.packets.unseen import SeenMacs

LAMP, PLUG = Device(name="lamp", mac="02:00:00:00:00:11"), 0x020000000012


def seen_of(*pairs):
    seen = SeenMacs()
    for batch in pairs:
        src, dst = np.array(batch, dtype=np.uint64).reshape(-1, 2).T
        seen.add(src, dst)
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
    told = seen_of([(0, 0)]).tell_unseen(LAMP)
    assert told == (
        "device lamp: the captures hold no MAC addresses; the device's ip is needed"
    )
