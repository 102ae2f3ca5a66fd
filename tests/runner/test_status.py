"""What a campaign is said to have come to is what it has come to."""

import pytest

from testbed.clock import VirtualClock
from testbed.model.events import AttemptVoided, CampaignClosed
from testbed.runner.journal.leases import TTL_S, Lease, holder_of
from testbed.runner.journal.store import Journal
from testbed.runner.status import status_of


def word(lab, clock):
    holder = holder_of(lab.store, "bench")
    is_held = holder is not None and holder.is_at("small-1", clock.now_ns())
    return status_of("small-1", lab.state(), lab.profiles, is_held=is_held).state


@pytest.fixture
def killed(rig, kit):
    lab = rig()
    with pytest.raises(kit.Killed):
        lab.run(store=kit.DyingStore(lab.store, lab.world, 30, after=True))
    return lab


def test_a_killed_campaign_is_not_running(killed):
    assert word(killed, VirtualClock()) == "interrupted"


def test_a_campaign_runs_while_its_controller_renews_the_lease(killed):
    clock = VirtualClock()
    lease = Lease(killed.store, "bench", clock)
    lease.acquire("small-1")
    assert word(killed, clock) == "running"
    clock.sleep(TTL_S + 1.0)
    assert word(killed, clock) == "interrupted"
    lease.renew()
    assert word(killed, clock) == "running"
    lease.release()
    assert word(killed, clock) == "interrupted"


def test_another_campaign_in_the_lab_does_not_make_this_one_run(killed):
    clock = VirtualClock()
    Lease(killed.store, "bench", clock).acquire("small-10")
    assert word(killed, clock) == "interrupted"


def test_a_campaign_that_is_closed_again_counts_its_labels_again(rig, kit):
    lab = rig()
    journal = Journal(lab.store, "small-1")
    lab.capture.lost = True
    result = lab.run()
    kit.close_campaign(result.folder, journal)
    lab.capture.lost = False
    result = lab.resume()
    kit.close_campaign(result.folder, journal)
    closed = [e.n_labelled for e in lab.events() if isinstance(e, CampaignClosed)]
    assert closed[0] == 0
    assert closed[-1] == lab.state().n_labelled() == 6


def test_a_file_that_cannot_be_read_is_the_reason_why_trials_are_void(rig):
    lab = rig()
    fetch = lab.capture.fetch

    def garbled(file, target):
        fetch(file, target)
        if len(lab.capture.names) == 1:
            target.write_bytes(b"this is no capture")

    lab.capture.fetch = garbled
    lab.run()
    reasons = {e.reason for e in lab.events() if isinstance(e, AttemptVoided)}
    assert reasons
    assert all("lan-00001.pcapng cannot be read: " in r for r in reasons)
