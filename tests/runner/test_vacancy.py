"""Whether a lab is free is asked without keeping anybody out of it."""

import pytest
import sqlalchemy as sa

from testbed.cli.places import Place
from testbed.cli.schedule import Processes
from testbed.clock import VirtualClock
from testbed.runner.journal.leases import TTL_S, Lease
from testbed.runner.journal.lifelocks import FileLock
from testbed.runner.journal.store import open_store
from testbed.runner.journal.tables import leases
from testbed.runner.journal.vacancy import taken_by
from testbed.runner.schedules.schedule import Missed, Schedule
from testbed.runner.schedules.triggers import Trigger


@pytest.fixture
def clock():
    return VirtualClock(1_795_000_000 * 10**9)


@pytest.fixture
def store(journal_at, clock):
    with open_store(journal_at, clock) as made:
        yield made


@pytest.fixture
def file(tmp_path, clock):
    with open_store(tmp_path / "journal.sqlite", clock) as made:
        yield made


def rows(store):
    with store.reading() as connection:
        return connection.execute(sa.select(leases)).all()


def change(store, **values):
    store.change("change it", lambda c: c.execute(sa.update(leases).values(values)))


def test_a_lab_is_taken_while_its_controller_lives(store, clock):
    assert taken_by(store, "bench", clock) == ""
    lease = Lease(store, "bench", clock)
    lease.acquire("evening-1")
    before = rows(store)
    assert taken_by(store, "bench", clock).startswith("evening-1 on ")
    assert taken_by(store, "other", clock) == ""
    assert rows(store) == before
    lease.renew()
    lease.release()
    assert taken_by(store, "bench", clock) == ""


def test_a_lab_is_free_as_soon_as_its_controller_was_killed(store, clock):
    lease = Lease(store, "bench", clock)
    lease.acquire("evening-1")
    lease._lock.drop()  # as the kernel or the server does
    assert taken_by(store, "bench", clock) == ""
    heir = Lease(store, "bench", clock)
    heir.acquire("evening-2")
    heir.release()


def test_a_controller_of_another_machine_lives_by_its_heartbeat(file, clock):
    lease = Lease(file, "bench", clock)
    lease.acquire("evening-1")
    lease._lock.drop()
    change(file, proof="file on another machine")
    assert taken_by(file, "bench", clock).startswith("evening-1 on ")
    clock.sleep(TTL_S + 1.0)
    assert taken_by(file, "bench", clock) == ""


def test_who_asks_for_a_free_lab_takes_nothing(file, tmp_path, monkeypatch):
    def take(self):
        pytest.fail("whoever runs at this moment would be refused")

    monkeypatch.setattr(FileLock, "take", take)
    place = Place(captures=tmp_path, journal=str(tmp_path / "journal.sqlite"))
    schedule = Schedule(
        schedule="demo-1",
        scenario="demo",
        lab="bench",
        trigger=Trigger(at_ns=0),
        missed=Missed.SKIP,
        grace_s=60.0,
        options={},
        handled_ns=0,
    )
    processes = Processes(place=place, store=file)
    assert processes.busy(schedule, "demo-1") == ""
    assert rows(file) == []
    assert [p.name for p in tmp_path.glob("*.lock")] == []
    assert not processes.is_complete("demo-1")


def test_a_lock_is_looked_at_without_a_trace(file, tmp_path):
    lock, other = (FileLock(tmp_path / "one.lock") for _ in range(2))
    proof = lock.look()
    assert proof
    assert not (tmp_path / "one.lock").exists()
    assert lock.take() == proof
    assert other.look() == ""
    lock.drop()
