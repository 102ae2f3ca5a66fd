import pytest
from pydantic import ValidationError

from testbed.model.lab import RouterClock


@pytest.mark.parametrize(
    ("text", "offset_s"), [("-49 s", -49.0), ("3 h", 10_800.0), ("- 200 ms", -0.2)]
)
def test_a_clock_may_be_wrong_both_ways(text, offset_s):
    assert RouterClock.model_validate({"offset": text}).offset == offset_s


def test_an_offset_without_a_unit_is_a_fault():
    with pytest.raises(ValidationError, match="must be a duration"):
        RouterClock.model_validate({"offset": "-49"})
