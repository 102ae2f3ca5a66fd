"""What a campaign is said to have come to is what it has come to."""

import pytest

from testbed.cli.status import Look, _lines
from testbed.clock import SystemClock, VirtualClock
from testbed.model.events import AttemptVoided, CampaignClosed
from testbed.model.types import Channel
from testbed.runner.campaigns.status import status_of
from testbed.runner.journal.leases import TTL_S, Lease, holder_of
from testbed.runner.journal.store import Journal, JournalStore


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


def test_a_controller_that_was_killed_runs_nothing_from_then_on(killed):
    look = Look(
        folder=killed.folder / "small-1",
        form="live",
        leased="bench",
        profiles=killed.profiles,
        store=killed.store,
    )
    lease = Lease(killed.store, "bench", SystemClock())
    lease.acquire("small-1")
    assert look.now().state == "running"
    lease._lock.drop()  # as the kernel or the server does
    found = look.now()
    assert found.state == "interrupted"
    assert _lines(found, look)[-1] == f"testbed resume {look.folder} goes on"


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


def test_the_time_left_knows_nothing_of_the_time_for_which_nobody_was_at_work(rig, kit):
    acts = ("turn_on", "turn_off")
    trials = [
        kit.planned(n, "wemo", acts[(n - 1) % 2], Channel.API) for n in range(1, 21)
    ]
    lab = rig()
    plan = kit.small_plan(trials=tuple(trials), interleave=False)
    with pytest.raises(kit.Killed):
        lab.run(plan, store=kit.DyingStore(lab.store, lab.world, 80, after=True))
    assert [s.ended_ns for s in lab.state().sessions.values()] == [None]
    before = status_of("small-1", lab.state(), lab.profiles)
    lab.clock.sleep(36_000)
    lab.resume(ended=lambda _: lab.stop.request())
    after = status_of("small-1", lab.state(), lab.profiles)
    assert 5 <= before.n_done < after.n_done < 20
    share = (20 - after.n_done) / (20 - before.n_done)
    assert after.left_s == pytest.approx(before.left_s * share, rel=0.3)


def test_another_look_reads_only_what_is_new(rig, monkeypatch):
    lab = rig()
    lab.run()
    numbers = []
    select = JournalStore.select

    def counted(self, campaign, after=0):
        found = select(self, campaign, after)
        numbers.append(len(found))
        return found

    monkeypatch.setattr(JournalStore, "select", counted)
    look = Look(
        folder=lab.folder / "small-1",
        form="fast",
        leased="small-1",
        profiles=lab.profiles,
        store=lab.store,
    )
    first = look.now()
    n_all = sum(numbers)
    assert n_all > 20
    assert look.now() == first
    assert sum(numbers) == n_all
    Journal(lab.store, "small-1").write(CampaignClosed(n_labelled=6))
    assert look.now().state == "closed"
    assert sum(numbers) == n_all + 1
