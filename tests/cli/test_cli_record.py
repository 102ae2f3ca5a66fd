"""`testbed record`: what it refuses, and that it holds the lab."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from testbed.cli import build
from testbed.cli.places import Place
from testbed.cli.record import _held
from testbed.clock import SystemClock
from testbed.errors import ConfigError, LabError
from testbed.model.load import load_lab, load_profiles
from testbed.runner.journal.leases import Lease, holder_of
from testbed.runner.journal.store import open_store
from testbed.runner.record import RecordOrder

ROOT = Path(__file__).parents[2]
PLACES = ("--lab", str(ROOT / "lab.yaml"), "--devices", str(ROOT / "devices"))


@pytest.fixture
def place(tmp_path):
    return Place(captures=tmp_path, journal=str(tmp_path / "journal.sqlite"))


def order(*, passive=False):
    return RecordOrder(
        instrument="phone",
        lab=load_lab(ROOT / "lab.yaml"),
        profiles=load_profiles(ROOT / "devices"),
        passive=passive,
    )


def test_a_lab_that_a_campaign_holds_is_only_read(place):
    clock = SystemClock()
    with open_store(place.journal, clock) as store:
        lease = Lease(store, order().lab.lab, clock)
        lease.acquire("evening")
        with (
            pytest.raises(LabError, match="held by evening"),
            _held(order(), place, clock),
        ):
            pytest.fail("it was recorded all the same")
        with _held(order(passive=True), place, clock):
            assert "evening" in holder_of(store, order().lab.lab).name
        lease.release()


def test_the_lab_is_held_while_it_is_recorded_and_free_afterwards(place):
    clock = SystemClock()
    with open_store(place.journal, clock) as store:
        with _held(order(), place, clock):
            assert "record" in holder_of(store, order().lab.lab).name
        assert holder_of(store, order().lab.lab) is None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["toaster"], "'toaster' is no instrument; there are: phone, plug"),
        (["phone", "--device", "lamp"], "'lamp' is not a device"),
        (["phone", "--for", "long"], "--for: must be a duration"),
        (["phone", "--secret", "B"], "--secret: 'B' would be in every other word"),
        (["plug", "--plug", "lamp"], "'lamp' is not a plug; there are: plug_camera"),
        (
            ["plug", "--plug", "plug_under_test", "--passive"],
            "plug_under_test is a device under test (wemo_insight)",
        ),
        (
            ["voice", "--passive"],
            "rendered into the cache from which a campaign speaks",
        ),
    ],
)
def test_what_cannot_be_recorded_is_said(words, said):
    done = CliRunner().invoke(build(["record"]), ["record", *words, *PLACES])
    assert isinstance(done.exception, ConfigError)
    assert said in str(done.exception)
