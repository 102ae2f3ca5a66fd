"""Which device is which: by name, a twin with its source, and as asked."""

import pytest

from analysis.compare.matching import matched
from analysis.errors import DatasetError
from testbed.virtual.twin.read import twin_name


def test_devices_are_matched_by_name_in_the_order_of_a():
    assert matched(["tv", "lamp"], ["lamp", "plug", "tv"]) == (
        ("tv", "tv"),
        ("lamp", "lamp"),
    )


@pytest.mark.parametrize("device", ["lamp", "Lamp-2", "7 eleven"])
def test_a_twin_is_matched_with_what_it_was_learnt_of_either_way(device):
    twin = twin_name(device)
    assert matched([device], [twin]) == ((device, twin),)
    assert matched([twin], [device]) == ((twin, device),)


def test_a_twin_gives_way_to_the_device_itself():
    assert matched(["lamp"], ["lamp", "lamp_twin"]) == (("lamp", "lamp"),)
    asked = [("lamp", "lamp_twin")]
    assert matched(["lamp"], ["lamp", "lamp_twin"], asked) == (("lamp", "lamp_twin"),)


def test_what_is_asked_for_must_be_there_and_once():
    told = r"A has no device 'lmp'; did you mean lamp\?"
    with pytest.raises(DatasetError, match=told):
        matched(["lamp"], ["bulb"], [("lmp", "bulb")])
    with pytest.raises(DatasetError, match="B has no device 'x'; it has bulb"):
        matched(["lamp"], ["bulb"], [("lamp", "x")])
    with pytest.raises(DatasetError, match="with one other only"):
        matched(["a", "b"], ["c"], [("a", "c"), ("b", "c")])
