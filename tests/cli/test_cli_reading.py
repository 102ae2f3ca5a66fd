"""How far the reading of captures is, as people see it."""

import io

import pytest

from testbed.cli.reading import Reading, counted, duration, size


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
        "500 MB of 2.0 GB, 100 MB/s, 15 s left of captures",
        "1.0 GB of 2.0 GB, 100 MB/s, 10 s left of captures",
    ]


def test_nobody_guesses_how_long_it_takes_before_there_is_something_to_go_by():
    shown = read(io.StringIO(), [(30.0, 1000), (40.0, 100_000_000)]).splitlines()
    assert shown == [
        "1 kB of 2.0 GB, 0 MB/s of captures",
        "100 MB of 2.0 GB, 3 MB/s, 13 min left of captures",
    ]


def test_a_terminal_gets_a_bar_that_is_taken_away():
    shown = read(Terminal(), [(1.5, 300_000_000), (3.0, 300_000_000)])
    assert "600 MB of 2.0 GB, 200 MB/s, 7 s left" in shown
    assert shown.endswith("\x1b[2K")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (size(0), "0 kB"),
        (size(999_000_000), "999 MB"),
        (size(18_900_000_000), "18.9 GB"),
        (duration(119.4), "119 s"),
        (duration(600), "10 min"),
        (duration(8000), "2.2 h"),
    ],
)
def test_sizes_and_durations_have_units_of_the_right_size(words, expected):
    assert words == expected


def test_one_is_one_and_others_are_many():
    assert [counted(n, "trial") for n in (0, 1, 2)] == [
        "0 trials",
        "1 trial",
        "2 trials",
    ]
