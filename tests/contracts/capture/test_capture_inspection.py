"""A router is looked at: what it offers, what was left there, what can be removed."""

import pytest

from testbed.clock import SystemClock
from testbed.errors import DriverRefusedError
from testbed.model.inspection import RouterInspector


@pytest.fixture
def alone(opened, router_host):
    """Open routers whose folder of captures nobody else uses."""
    return lambda **changes: opened(
        folder=str(router_host.captures.with_name("inspected")), **changes
    )


def test_it_is_an_inspector_that_says_what_the_router_offers(alone):
    router = alone(tool="dumpcap")
    assert isinstance(router, RouterInspector)
    facts = router.describe()
    assert facts.shortcoming == ""
    assert facts.orphans == ()
    assert facts.offers["tool"].endswith("/dumpcap")
    assert "lo" in facts.offers["interfaces"].split()
    assert int(facts.offers["free_kb"]) > 0


def test_all_is_said_of_a_router_that_lacks_something(alone):
    facts = alone(tool="dumpcap", interface="nowhere0").describe()
    assert "no interface 'nowhere0'" in facts.shortcoming
    assert facts.offers["writable"] == facts.offers["private"] == "yes"


def numbers(running):
    return running.removeprefix("left: processes ").split()


def test_what_a_controller_left_is_listed_ended_fetched_and_removed(
    alone, sender, tmp_path, router_host
):
    first = alone(tool="dumpcap")
    first.start_capture("left", sender.poke)
    sender.send(5)
    SystemClock().sleep(1.3)
    first.close()
    second = alone(tool="dumpcap")
    running, written = second.describe().orphans
    assert running.startswith("left: processes ")
    assert written == "left: 1 files not fetched"
    again = second.describe().orphans
    assert again[1] == written
    # looking ends nothing: neither the tool nor who watches over it, whose helpers go
    assert len({*numbers(running)} & {*numbers(again[0])}) >= 2
    second.reap()
    assert second.describe().orphans == ("left: 1 files not fetched",)
    second.start_capture("left", sender.poke)
    second.stop_capture()
    for file in second.finished_files():
        second.fetch(file, tmp_path / file.name)
    assert second.describe().orphans == ()
    second.discard_capture()
    assert list(router_host.captures.with_name("inspected").iterdir()) == []


def test_a_capture_that_was_not_started_cannot_be_removed(alone):
    with pytest.raises(DriverRefusedError, match="no capture was started"):
        alone(tool="dumpcap").discard_capture()
