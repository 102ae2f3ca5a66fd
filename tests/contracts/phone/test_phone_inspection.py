"""A phone is looked at without a touch: what it is, its apps, what is on its screen."""

import pytest

from testbed.model.inspection import PhoneInspector
from testbed.model.steps import Selector


@pytest.fixture
def phone(adb):
    """The real driver before a phone that is switched on."""
    return adb.open(adb.switch_on().serial)


def selector(*rungs):
    return Selector.model_validate({"any": list(rungs)})


def test_it_says_what_decides_how_its_screens_look(phone):
    assert isinstance(phone, PhoneInspector)
    facts = phone.describe()
    assert (facts.width, facts.height, facts.density) == (720, 1280, 320)
    assert (facts.locale, facts.font_scale) == ("en-US", "1")
    assert facts.awake
    assert not facts.locked
    assert facts.stays_on


def test_it_says_which_build_of_an_app_is_installed(phone):
    found = phone.describe_app("com.iview.smart")
    assert found.version
    assert found.version_code.isdigit()
    assert found.signer
    assert phone.describe_app("com.nobody.app").version == ""


def test_selectors_are_found_and_nothing_is_touched(adb, phone, make_step):
    phone.perform(make_step(open_app="com.iview.smart"))
    by_id, by_text, lost, point = phone.sight(
        [
            selector({"id": "btn_turn_on"}, {"text": "Turn on"}),
            selector({"id": "btn_old"}, {"text": "Turn off"}),
            selector({"id": "btn_old"}),
            selector({"at": [10, 10]}),
        ]
    )
    assert (by_id.rung, by_id.text) == ("id", "Turn on")
    assert (by_text.rung, by_text.text) == ("text", "Turn off")
    assert by_id.point != by_text.point
    assert lost is None
    assert point is None
    assert adb.stage.begun == []
