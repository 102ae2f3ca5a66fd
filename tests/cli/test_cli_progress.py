"""Progress tells how many trials are done, of how many."""

from types import SimpleNamespace

import pytest

from testbed.cli.progress import Progress, say_at_once
from testbed.clock import VirtualClock
from testbed.model.events import Outcome
from testbed.runner.trials.course import Ended


def ended(trial, outcome=Outcome.CONFIRMED, attempt=1):
    planned = SimpleNamespace(
        trial=trial, device="koogeek_plug", activity="turn_on", channel="phone"
    )
    return Ended(trial=planned, attempt=attempt, outcome=outcome)


@pytest.fixture
def told(capsys):
    clock = VirtualClock()
    progress = Progress(["0002", "0003"], 20.0, clock)

    def tell(*attempts):
        for one in attempts:
            clock.sleep(5.0)
            progress.ended(one)
        return [line.split()[0] for line in capsys.readouterr().err.splitlines()]

    return tell


def test_a_trial_that_is_done_again_counts_once(told):
    failed = ended("0002", Outcome.FAILED)
    assert told(failed, ended("0002", attempt=2), ended("0003")) == [
        "1/2",
        "1/2",
        "2/2",
    ]


def test_what_is_done_besides_makes_the_whole_larger(told):
    added = [ended("0004"), ended("0001", attempt=2)]
    assert told(*added, ended("0002"), ended("0003")) == ["1/3", "2/4", "3/4", "4/4"]


def test_what_a_signal_is_answered_with_is_printed_at_once(capfd):
    say_at_once("stopping")
    assert capfd.readouterr().err == "testbed: stopping\n"
