"""Which view a selector means."""

import shlex

import pytest

from testbed.drivers.phone_client import View
from testbed.drivers.phone_find import (
    find_point,
    find_view,
    is_package,
    typing_command,
    words,
)
from testbed.model.steps import Selector

APP = "com.example.lamp"


def view(name="", text="", top=0, **options):
    return View(
        resource_id=name and f"{APP}:id/{name}",
        text=text,
        description=options.get("description", ""),
        package=APP,
        clickable=options.get("clickable", False),
        bounds=options.get("bounds", ((0, top), (100, top + 50))),
    )


VIEWS = (
    view("title", "Lamp", 0),
    view("status", "On", 100),
    view("btn_on", "On", 200, clickable=True, description="switch on"),
    view("gone", "Hidden", bounds=((0, 0), (0, 0))),
)


def find(views=VIEWS, **selector):
    return find_view(Selector.model_validate(selector), views, APP)


@pytest.mark.parametrize(
    ("selector", "rung"),
    [
        ({"id": "btn_on"}, "id"),
        ({"id": f"{APP}:id/btn_on"}, "id"),
        ({"text": "On"}, "text"),
        ({"text_contains": "n"}, "text_contains"),
        ({"description": "switch on"}, "description"),
        ({"id": "btn_on", "text": "On"}, "id+text"),
        ({"any": [{"id": "moved"}, {"text": "Off"}, {"text": "On"}]}, "text"),
    ],
)
def test_the_button_is_found_by(selector, rung):
    found = find(**selector)
    assert (found.rung, found.point) == (rung, (50, 225))


@pytest.mark.parametrize(
    "selector",
    [
        {"id": "btn"},
        {"id": "com.other:id/btn_on"},
        {"text": "on"},
        {"id": "status", "text": "Off"},
        {"text": "Hidden"},
        {"at": (50, 225)},
    ],
)
def test_no_view_is_found_by(selector):
    assert find(**selector) is None


def test_the_first_rung_wins_even_when_its_view_comes_last():
    assert find(any=[{"id": "btn_on"}, {"id": "title"}]).point == (50, 225)


def test_a_bare_point_is_found_only_where_points_are_asked_for():
    ladder = Selector.model_validate({"any": [{"text": "Nope"}, {"at": (7, 9)}]})
    assert find_point(ladder).point == (7, 9)
    assert find_point(Selector.model_validate({"text": "Nope"})) is None


def test_a_selector_is_told_in_words():
    ladder = Selector.model_validate(
        {"any": [{"id": "live", "text": "Live"}, {"at": [1, 2]}]}
    )
    assert words(ladder) == "id 'live' and text 'Live' or at (1, 2)"


@pytest.mark.parametrize("text", ["hello world", "a'b", '"$HOME"', "`rm -rf`; echo x"])
def test_typed_text_reaches_the_phone_as_one_word(text):
    assert shlex.split(typing_command(text)) == [
        "input",
        "text",
        text.replace(" ", "%s"),
    ]


@pytest.mark.parametrize(
    ("name", "good"),
    [(APP, True), ("a.b; rm", False), ("lamp", False), ("", False), ("a.$b", False)],
)
def test_only_the_name_of_an_app_goes_into_a_command(name, good):
    assert is_package(name) is good
