"""Which view a selector means."""

from dataclasses import dataclass

import pytest
from pydantic import ValidationError

from testbed.model.ladder import climb, doubts
from testbed.model.steps import Rung, Selector

APP = "com.example.lamp"
SIZE = (400, 800)


@dataclass(frozen=True)
class Shown:
    resource_id: str
    text: str
    box: tuple[int, int, int, int]
    description: str = ""
    package: str = APP
    kind: str = "android.widget.TextView"
    clickable: bool = False


def view(name="", text="", box=(0, 0, 100, 50), **options):
    return Shown(name and f"{APP}:id/{name}", text, box, **options)


def button(name="", text="", box=(0, 0, 100, 50), **options):
    return view(name, text, box, clickable=True, **options)


VIEWS = (
    view("title", "Lamp", (0, 0, 100, 50)),
    view("status", "On", (0, 100, 100, 150)),
    button("btn_on", "On", (0, 200, 100, 250), description="switch on"),
    view("gone", "Hidden", (0, 0, 0, 0)),
    view("beyond", "Beyond", (0, 900, 100, 950)),
)
SWITCH = "android.widget.Switch"
# a list: a label on the left of each row, a switch of the same name on the right
ROWS = (
    view("list", "", (0, 0, 400, 300)),
    view("row", "", (0, 0, 400, 100)),
    view("label", "Volume", (10, 20, 200, 80)),
    button("toggle", "", (300, 30, 380, 70), kind=SWITCH),
    view("row", "", (0, 100, 400, 200)),
    view("label", "Light", (10, 120, 200, 180)),
    button("info", "i", (220, 130, 260, 170)),
    button("toggle", "", (300, 130, 380, 170), kind=SWITCH),
    view("foot", "Below", (10, 400, 200, 450)),
)


def find(views=VIEWS, *, touch=True, points=False, **selector):
    ladder = Selector.model_validate(selector)
    return climb(ladder, views, package=APP, size=SIZE, touch=touch, points=points)


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
    hit = find(**selector)
    assert (hit.rung.name, hit.point) == (rung, (50, 225))


@pytest.mark.parametrize(
    "selector",
    [
        {"id": "btn"},
        {"id": "com.other:id/btn_on"},
        {"text": "on"},
        {"id": "status", "text": "Off"},
        {"text": "Hidden"},
        {"text": "Beyond"},
        {"at": (50, 225)},
        {"id": "btn_on", "class": "Switch"},
        {"id": "btn_on", "clickable": "false"},
    ],
)
def test_no_view_is_found_by(selector):
    assert find(**selector) is None


def test_the_first_rung_wins_even_when_its_view_comes_last():
    assert find(any=[{"id": "btn_on"}, {"id": "title"}]).point == (50, 225)


def test_the_first_rung_is_no_fallback_and_a_lower_one_says_why():
    first = find(any=[{"id": "btn_on"}, {"text": "Lamp"}])
    lower = find(any=[{"id": "moved"}, {"text": "Lamp"}])
    assert first.detail() == {"rung": "id", "point": "50,225"}
    assert lower.detail() == {
        "rung": "text",
        "point": "50,25",
        "fallback": "text 'Lamp', as id 'moved' is not on the screen",
    }


def test_a_bare_point_is_found_only_where_points_are_asked_for():
    ladder = {"any": [{"text": "Nope"}, {"at": ["50 %", "9"]}]}
    assert find(points=True, **ladder).point == (200, 9)
    assert find(points=True, text="Nope") is None
    assert find(**ladder) is None


TWINS = (
    button("btn_a", "Live", (0, 0, 100, 50)),
    button("btn_b", "Live", (0, 100, 100, 150)),
)


def test_a_rung_that_means_two_buttons_is_refused_and_the_next_one_is_used():
    hit = find(TWINS, any=[{"text": "Live"}, {"id": "btn_b"}])
    assert hit.point == (50, 125)
    assert hit.passed == ("text 'Live' means 2 views",)
    assert find(TWINS, text="Live") is None


def test_what_is_only_looked_for_may_be_there_twice():
    assert find(TWINS, text="Live", touch=False) is not None


def test_of_a_label_and_its_button_the_button_is_meant():
    assert find(text="On").point == (50, 225)


def test_two_labels_and_no_button_are_refused():
    labels = (view("a", "Live"), view("b", "Live", (0, 100, 100, 150)))
    assert find(labels, text="Live") is None


def test_a_button_in_a_frame_of_the_same_size_is_one():
    box = (0, 0, 100, 50)
    framed = (button("frame", "Live", box), button("btn", "Live", box))
    assert find(framed, text="Live").point == (50, 25)


def test_what_is_doubtful_is_told():
    ladder = Selector.model_validate({"any": [{"text": "Live"}, {"id": "x"}]})
    told = doubts(ladder, TWINS, package=APP, size=SIZE)
    assert told == "text 'Live' means 2 views"
    assert doubts(ladder, VIEWS, package=APP, size=SIZE) == ""


@pytest.mark.parametrize(
    ("selector", "point"),
    [
        ({"right_of": {"text": "Volume"}}, (340, 50)),
        ({"right_of": {"text": "Volume"}, "class": "Switch"}, (340, 50)),
        ({"right_of": {"text": "Light"}}, (240, 150)),
        ({"right_of": {"text": "Light"}, "class": SWITCH}, (340, 150)),
        ({"left_of": {"text": "i"}, "id": "label"}, (105, 150)),
        ({"below": {"text": "Volume"}, "id": "label"}, (105, 150)),
        ({"above": {"text": "Below"}, "id": "label"}, (105, 150)),
        ({"above": {"text": "Light"}, "id": "label"}, (105, 50)),
        ({"id": "toggle", "below": {"id": "toggle", "right_of": {"text": "Volume"}}},
         (340, 150)),
    ],
)  # fmt: skip
def test_a_relation_means_the_nearest_view_in_that_direction(selector, point):
    assert find(ROWS, **selector).point == point


@pytest.mark.parametrize(
    "selector",
    [
        {"right_of": {"text": "Below"}},  # nothing there shares its height
        {"right_of": {"id": "label"}},  # which label?
        {"right_of": {"text": "Nowhere"}},
        {"left_of": {"text": "Volume"}},
        {"inside": {"id": "list"}, "class": "Switch"},  # two
        {"below": {"text": "Below"}},
    ],
)
def test_a_relation_that_is_not_clear_means_nothing(selector):
    assert find(ROWS, **selector) is None


def test_what_is_inside_lies_within_the_bounds():
    row = (view("card", "Card", (0, 100, 400, 200)), *ROWS)
    hit = find(row, inside={"text": "Card"}, **{"class": "Switch"})
    assert hit.point == (340, 150)


def test_two_views_at_the_same_distance_are_not_clear():
    pair = (
        view("a", "Name", (0, 0, 100, 100)),
        button("b", "", (200, 0, 300, 40)),
        button("c", "", (200, 60, 300, 100)),
    )
    assert find(pair, right_of={"text": "Name"}) is None


def test_a_selector_is_told_in_words():
    ladder = Selector.model_validate(
        {"any": [{"id": "live", "text": "Live"}, {"at": [1, 2]}]}
    )
    assert ladder.words() == "id 'live' and text 'Live' or at (1, 2)"
    beside = Rung.model_validate({"class": "Switch", "right_of": {"text": "Volume"}})
    assert beside.words() == "class 'Switch' right of text 'Volume'"
    assert beside.name == "class+right_of"


@pytest.mark.parametrize(
    ("rung", "fault"),
    [
        ({}, "must have one of id, text"),
        ({"at": ["1", "2"], "id": "x"}, "cannot have other keys beside at"),
        ({"at": ["half", "2"]}, "must be pixels such as 540, or a share such as"),
        ({"at": ["150 %", "2"]}, "must be pixels such as 540, or a share such as"),
        ({"below": {"at": ["1", "2"]}}, "cannot be beside a point"),
        ({"near": {"id": "x"}}, "Extra inputs"),
    ],
)
def test_a_rung_that_makes_no_sense_is_refused(rung, fault):
    with pytest.raises(ValidationError, match=fault):
        Rung.model_validate(rung)


@pytest.mark.parametrize(
    ("at", "point"),
    [(["50 %", "63 %"], (360, 806)), (["540", "1210"], (540, 1210)),
     (["100 %", "0 %"], (719, 0)), ([7, "12.5%"], (7, 160))],
)  # fmt: skip
def test_a_point_is_in_pixels_or_in_shares_of_the_screen(at, point):
    assert Rung.model_validate({"at": at}).point_on(720, 1280) == point
