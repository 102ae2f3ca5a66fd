"""The matcher: the nearest message decides, and what is strange is unknown."""

import numpy as np
import pytest

from analysis.payload import (
    UNKNOWN,
)
from tests.analysis.plain_plug import DONE, OFF, ON, matcher


def test_the_nearest_message_decides_and_one_digit_is_enough():
    windows = [(ON,), (OFF,), (ON,), (OFF,), (ON + " ",), (OFF + " ",)]
    activity = ["on", "off"] * 3
    learnt = matcher(windows, activity, list("aabbcc"), [0, 1, 2, 3])
    assert list(learnt.predict(np.array([4, 5]))) == ["on", "off"]


def test_what_is_in_every_window_does_not_hide_what_is_not():
    noise = "NOTIFY * HTTP/# " * 40
    windows = [
        (ON, DONE),
        (OFF, DONE, noise),
        (ON, DONE),
        (OFF, DONE),
        (ON, DONE, noise),
    ]
    learnt = matcher(
        windows, ["on", "off", "on", "off", "on"], list("abbba"), [0, 1, 2, 3]
    )
    assert list(learnt.predict(np.array([4]))) == ["on"]


def test_what_a_window_lacks_counts_too():
    ask, state = "get_sysinfo", "relay_state"
    windows = [(ask, state), (ON, ask, state), (ask, state)] * 2
    learnt = matcher(windows, ["read", "on", "read"] * 2, list("aaabbb"), [0, 1, 3, 4])
    assert list(learnt.predict(np.array([2]))) == ["read"]


def test_a_window_of_strange_or_no_messages_is_unknown():
    windows = [(ON,), (OFF,), ("GET /something/else HTTP/#",), ()]
    learnt = matcher(windows, ["on", "off", "on", "off"], list("abab"), [0, 1])
    assert list(learnt.predict(np.array([2, 3]))) == [UNKNOWN, UNKNOWN]


def test_silence_is_idle_where_idle_was_learnt():
    windows = [(ON,), (), (ON,), ()]
    learnt = matcher(windows, ["on", "idle"] * 2, list("aabb"), [0, 1])
    assert list(learnt.predict(np.array([2, 3]))) == ["on", "idle"]


def test_the_radius_is_the_99th_percentile_of_distances_to_other_sessions():
    words = ["abcdefghij", "abcdefghiX", "abcdefgXYZ"]
    learnt = matcher([(w,) for w in words], ["on"] * 3, list("abc"), [0, 1, 2])
    assert learnt.radius == pytest.approx(np.percentile([0.1, 0.1, 0.3], 99))
    alone = matcher([(w,) for w in words], ["on"] * 3, list("aaa"), [0, 1, 2])
    assert alone.radius == 0.05


def test_messages_of_test_windows_are_not_learnt():
    windows = [(ON,), (OFF,), ("never seen in training",)]
    learnt = matcher(windows, ["on", "off", "on"], list("aab"), [0, 1])
    for _ in range(2):
        assert list(learnt.predict(np.array([2, 0]))) == [UNKNOWN, "on"]


def test_messages_that_always_come_together_are_one_sign():
    burst = ("notify a #", "notify bb #", "notify ccc #", "notify dddd #")
    windows = [(ON,), (ON,), (ON,), (OFF,), (OFF, *burst), (ON, *burst)]
    activity = ["on", "on", "on", "off", "off", "on"]
    learnt = matcher(windows, activity, list("aabbab"), [0, 1, 2, 3, 4])
    assert list(learnt.predict(np.array([5]))) == ["on"]


def test_an_activity_that_was_seen_once_is_found_among_many_messages():
    windows = [(ON,), *((f"{OFF}{'x' * n}",) for n in range(20)), (ON + " ",)]
    activity = ["on", *["off"] * 20, "on"]
    learnt = matcher(windows, activity, ["a"] * 22, list(range(21)))
    assert list(learnt.predict(np.array([21]))) == ["on"]


def test_a_command_that_was_never_learnt_is_unknown_though_one_character_away():
    windows = [(f'{ON[:-1]},"id":{i % 5}}}', DONE) for i in range(12)]
    windows += [(f'{OFF[:-1]},"id":1}}', DONE), (f'{ON[:-1]},"id":7}}', DONE)]
    activity, session = ["on"] * 12 + ["off", "on"], list("ab" * 7)
    learnt = matcher(windows, activity, session, list(range(12)))
    # another state is something new, another number where numbers vary is not
    assert list(learnt.predict(np.array([12, 13]))) == [UNKNOWN, "on"]
    few = matcher(windows, activity, session, list(range(9)))
    assert list(few.predict(np.array([12]))) == ["on"]  # who knows what varies


def test_what_varies_within_most_activities_varies_within_all():
    texts = {"on": ON, "off": OFF, "up": ON.replace("state", "level")}
    windows, activity = [], []
    for name, text in texts.items():
        for i in range(12):
            windows.append((f'{text[:-1]},"id":{i % 2 if name != "up" else 1}}}',))
            activity.append(name)
    windows.append((f'{texts["up"][:-1]},"id":8}}',))
    learnt = matcher(windows, [*activity, "up"], list("a" * 37), list(range(36)))
    assert list(learnt.predict(np.array([36]))) == ["up"]


def test_what_varies_within_another_activity_may_be_what_tells_this_one():
    told = '{"context":{"source":"app"},"relay":{"state":1}}'
    asked = '{"context":{"source":"plug"},"answer":{"state":%d}}'
    windows = [(told,)] * 12 + [(asked % 0,), (asked % 1,)] * 6
    windows.append((told.replace("1", "0"),))
    activity = ["on"] * 12 + ["read"] * 12 + ["off"]
    learnt = matcher(windows, activity, list("a" * 25), list(range(24)))
    assert list(learnt.predict(np.array([24, 12]))) == [UNKNOWN, "read"]


def test_where_words_hardly_tell_the_commoner_activity_is_likelier():
    windows = [("hello there",)] * 9 + [("good bye then",)] * 2 + [("hello there",)]
    activity = ["rare", *["common"] * 10, "common"]
    learnt = matcher(windows, activity, ["a"] * 12, list(range(11)))
    assert list(learnt.predict(np.array([11]))) == ["common"]
