"""What is exchanged: days, however many sessions; sessions where none are known."""

from types import SimpleNamespace

import numpy as np
import pytest

from analysis.compare.idle import Idle
from analysis.compare.model import Unit
from analysis.compare.trials import units_in

HOUR_NS = 3_600_000_000_000
DAY_NS = 24 * HOUR_NS


def windows(homes=("", "", "")):
    """Two sessions of one day, and one of the next."""
    return SimpleNamespace(
        session=np.array(["one", "two", "three"]),
        start_ns=np.array([0, 5 * HOUR_NS, DAY_NS]),
        end_ns=np.array([0, 5 * HOUR_NS, DAY_NS]) + 10 * 10**9,
        home=np.array(homes),
    )


@pytest.mark.parametrize(
    ("by", "homes", "expected"),
    [
        (Unit.DAY, ("", "", ""), ["1970-01-01", "1970-01-01", "1970-01-02"]),
        (Unit.SESSION, ("", "", ""), ["one", "two", "three"]),
        (Unit.SESSION, ("a", "b", "a"), ["a: one", "b: two", "a: three"]),
    ],
)
def test_sessions_of_one_day_are_one(by, homes, expected):
    assert units_in(windows(homes), by).tolist() == expected


def piece(at_s, outbound, length, flow=0):
    n = len(at_s)
    return {
        "time_ns": np.array(at_s) * 10**9,
        "flow": np.full(n, flow),
        "outbound": np.array(outbound),
        "length_b": np.array(length),
        "protocol": np.full(n, 6),
        "src_port": np.full(n, 443),
        "dst_port": np.full(n, 50_000),
    }


def test_of_a_talk_count_its_first_frame_its_answer_and_when_it_was():
    cut = windows()
    idle = Idle(cut, units_in(cut, Unit.DAY), np.ones(3, dtype=np.bool_))
    day_s = 24 * 3600
    at_s = [100, 101, 102, 130, 131, day_s - 50, day_s - 49]
    ways = [True, False, False, True, False, True, False]
    took = piece(at_s, ways, [90, 80, 1500, 90, 80, 93, 83])
    idle.take(took, np.ones(7, dtype=np.bool_))
    found = idle.events()
    answers = found["idle_answers tcp/443"]
    said = list(zip(answers.unit.tolist(), answers.value.tolist(), strict=True))
    assert said == [
        ("1970-01-01", -19),
        ("1970-01-02", -19),
    ]  # 10 B less, asked outbound
    assert answers.n.tolist() == [2, 1]
    frames = found["idle_frames tcp/443"]
    assert frames.value.tolist() == [181, 187]
    pauses = found["idle_pauses tcp/443"]  # no pause over a label window
    assert pauses.value.tolist() == [round(20 * np.log(30))]
    assert found["idle_services"].n.tolist() == [2, 1]
