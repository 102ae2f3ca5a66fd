"""How far long work is, as people see it."""

import io
from pathlib import Path

import pytest

from testbed.cli.bar import plain_lines
from testbed.cli.reading import (
    Reading,
    StepsTold,
    counted,
    duration,
    size,
    tell_next,
)


class Hand:
    """A clock that is moved by hand."""

    def __init__(self):
        self.at_s = 0.0

    def monotonic_s(self):
        return self.at_s


class Terminal(io.StringIO):
    def isatty(self):
        return True


def read(out, steps, total_b=2_000_000_000):
    """Tell of (seconds, bytes) steps; return what was shown."""
    clock = Hand()
    with Reading(clock, out) as reading:
        reading.begin(total_b)
        for at_s, size_b in steps:
            clock.at_s = at_s
            reading.read(size_b)
    return out.getvalue()


def test_short_work_shows_nothing():
    steps = [(0.1 * n, 200_000_000) for n in range(10)]
    assert read(io.StringIO(), steps) == ""
    assert read(Terminal(), steps) == ""


def test_plain_lines_come_every_few_seconds():
    steps = [(float(n), 100_000_000) for n in range(1, 12)]
    assert read(io.StringIO(), steps).splitlines() == [
        "captures: 500 MB of 2.0 GB read, 100 MB/s, 15 s left",
        "captures: 1.0 GB of 2.0 GB read, 100 MB/s, 10 s left",
    ]


def test_plain_lines_of_long_work_flood_no_file():
    told = read(io.StringIO(), [(float(n), 400_000) for n in range(1, 4000)])
    lines = told.splitlines()
    assert 60 < len(lines) < 100  # of an hour: one a minute in the end
    assert lines[-1].endswith("1.6 GB of 2.0 GB read, 400 kB/s, 17 min left")


def test_work_that_reads_more_than_was_known_promises_no_end():
    told = read(io.StringIO(), [(6.0, 1_100_000), (12.0, 200_000)], 1_200_000)
    assert told.splitlines() == [
        "captures: 1.1 MB of 1.2 MB read, 183 kB/s, 1 s left",
        "captures: 1.3 MB read, 108 kB/s",
    ]


def test_lines_of_steps_say_what_is_counted(capsys):
    clock = Hand()
    told = plain_lines("results kitchen", clock)
    for at_s in range(1, 11):
        clock.at_s = float(at_s)
        told("plug: scores", at_s, 12)
    assert capsys.readouterr().err.splitlines() == [
        "results kitchen: plug: scores: 5 of 12",
        "results kitchen: plug: scores: 10 of 12",
    ]


def test_what_is_drawn_of_a_step_is_taken_away_when_it_is_interrupted(monkeypatch):
    screen = Terminal()
    monkeypatch.setattr("sys.stderr", screen)

    def interrupted():
        with StepsTold() as steps:
            steps.begin("audit", 10)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert screen.getvalue().endswith("audit ...\r\x1b[2K")


def test_nobody_guesses_how_long_it_takes_before_there_is_something_to_go_by():
    shown = read(io.StringIO(), [(30.0, 1000), (40.0, 100_000_000)]).splitlines()
    assert shown == [
        "captures: 1 kB of 2.0 GB read, 0 kB/s",
        "captures: 100 MB of 2.0 GB read, 2.5 MB/s, 13 min left",
    ]


def test_a_terminal_gets_a_bar_that_is_taken_away():
    shown = read(Terminal(), [(1.5, 300_000_000), (3.0, 300_000_000)])
    assert "600 MB of 2.0 GB read, 200 MB/s, 7 s left" in shown
    assert shown.endswith("\x1b[2K")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (size(0), "0 kB"),
        (size(999_600), "1.0 MB"),
        (size(9_900_000), "9.9 MB"),
        (size(999_000_000), "999 MB"),
        (size(999_900_000), "1.0 GB"),
        (size(18_900_000_000), "18.9 GB"),
        (duration(119.4), "119 s"),
        (duration(600), "10 min"),
        (duration(8000), "2.2 h"),
    ],
)
def test_sizes_and_durations_have_units_of_the_right_size(words, expected):
    assert words == expected


def test_what_comes_next_can_be_pasted(capsys):
    tell_next("rerun", Path("my sets/kitchen"), "--check")
    assert capsys.readouterr().err == "next: testbed rerun 'my sets/kitchen' --check\n"


def test_one_is_one_and_others_are_many():
    assert [counted(n, "trial") for n in (0, 1, 2)] == [
        "0 trials",
        "1 trial",
        "2 trials",
    ]
