import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from testbed.clock import SteadyClock, SystemClock, VirtualClock, wait_until
from testbed.errors import JournalError, LabError
from testbed.model.events import SessionEnded
from testbed.runner.journal.leases import CONTROLLER, Lease, holder_of
from testbed.runner.journal.store import Journal, LostLeaseError, open_store
from testbed.runner.journal.tables import leases

START_NS = 10**18
HOLD = """
import sys
from testbed.clock import SystemClock
from testbed.errors import JournalError, LabError
from testbed.model.events import SessionEnded
from testbed.runner.journal.store import Journal, open_store
from testbed.runner.journal.leases import Lease

place, campaign = sys.argv[1:]
clock = SystemClock()
store = open_store(place, clock)
lease = Lease(store, "bench", clock)
try:
    lease.acquire(campaign)
except LabError as exc:
    sys.exit(str(exc))
print("held", flush=True)
for line in sys.stdin:
    try:
        Journal(store, campaign).write(SessionEnded(session=line.strip(), reason=""))
        lease.renew()
    except JournalError as exc:
        sys.exit(str(exc))
    print("written", flush=True)
lease.release()
"""


@pytest.fixture
def store(journal_at):
    with open_store(journal_at, VirtualClock(START_NS)) as opened:
        yield opened


@pytest.fixture
def clock():
    return VirtualClock(START_NS)


class SetClock(VirtualClock):
    """A clock that somebody sets: `set_by_s` later than it was."""

    set_by_s = 0

    def now_ns(self):
        return super().now_ns() + self.set_by_s * 10**9


def let_pass(store, clock, duration_s):
    """Let time pass for leases, by whatever clock they go."""
    clock.sleep(duration_s)
    if not store.is_file:
        with store.engine.begin() as connection:
            earlier = leases.c.heartbeat_ns - round(duration_s * 1e9)
            connection.execute(sa.update(leases).values(heartbeat_ns=earlier))


def test_a_second_controller_is_refused_with_the_name_of_the_first(journal_at, clock):
    with open_store(journal_at, clock) as one, open_store(journal_at, clock) as two:
        first, second = Lease(one, "bench", clock), Lease(two, "bench", clock)
        first.acquire("evening-1")
        with pytest.raises(LabError, match=r"held by evening-1 on .*, process"):
            second.acquire("evening-2")
        first.release()
        second.acquire("evening-2")
        assert second.holder().name.startswith("evening-2")
        second.release()
        assert holder_of(one, "bench") is None


def test_two_labs_are_held_by_two_controllers(store, clock):
    first, second = Lease(store, "bench", clock), Lease(store, "attic", clock)
    first.acquire("evening-1")
    second.acquire("evening-2")
    first.release()
    second.release()


def test_a_lease_is_renewed_in_time_and_not_at_each_call(store, clock):
    lease = Lease(store, "bench", clock, ttl_s=80.0)
    lease.acquire("small-1")
    begun_ns = lease.holder().heartbeat_ns
    lease.renew_in_time()
    assert lease.holder().heartbeat_ns == begun_ns
    clock.sleep(11.0)
    lease.renew_in_time()
    assert lease.holder().heartbeat_ns > begun_ns
    lease.release()


def test_a_clock_that_was_set_back_keeps_no_beat_off(store):
    clock = SetClock(START_NS)
    lease = Lease(store, "bench", clock, ttl_s=80.0)
    lease.acquire("small-1")
    with store.engine.begin() as connection:
        connection.execute(sa.update(leases).values(heartbeat_ns=0))
    clock.set_by_s = -3600
    clock.sleep(11.0)
    lease.renew_in_time()
    assert lease.holder().heartbeat_ns > 0
    lease.release()


@pytest.mark.parametrize("set_by_s", [120, 3 * 3600, -3 * 3600])
def test_who_lives_keeps_his_lab_whatever_the_clocks_are_set_to(journal_at, set_by_s):
    clock = SetClock(START_NS)
    with open_store(journal_at, clock) as one, open_store(journal_at, clock) as two:
        first = Lease(one, "bench", SteadyClock(clock))
        first.acquire("evening-1")
        clock.set_by_s = set_by_s
        if not one.is_file:
            let_pass(one, clock, set_by_s)  # that of the server was set
        with pytest.raises(LabError, match=r"held by evening-1 .* of \d+ s ago\)$"):
            Lease(two, "bench", SteadyClock(clock)).acquire("evening-2")
        first.renew()
        Journal(one, "evening-1").write(SessionEnded(session="s", reason=""))
        first.release()


def test_with_a_server_only_its_clock_tells_how_old_a_heartbeat_is(postgres):
    here, there = VirtualClock(START_NS), VirtualClock(START_NS + 3 * 3600 * 10**9)
    with open_store(postgres.new_database(), here) as store:
        far, near = Lease(store, "bench", there), Lease(store, "bench", here)
        far.acquire("evening-1")
        far._lock.drop()
        with store.engine.begin() as connection:
            connection.execute(sa.update(leases).values(proof="an earlier server"))
        with pytest.raises(LabError, match="held by evening-1"):
            near.acquire("evening-2")
        for clock in (here, there, SystemClock()):
            assert holder_of(store, "bench").is_at("evening-1", clock.now_ns())
        let_pass(store, here, 61.0)
        assert not holder_of(store, "bench").is_at("evening-1", here.now_ns())
        near.acquire("evening-2")
        near.release()


def test_a_server_soon_drops_the_locks_of_a_machine_that_is_gone(postgres):
    with open_store(postgres.new_database(), SystemClock()) as store:
        query = sa.text("SELECT name FROM pg_settings WHERE source = 'client'")
        with store.reading() as connection:
            asked = set(connection.execute(query).scalars())
    assert {"tcp_keepalives_idle", "tcp_keepalives_interval"} <= asked
    assert {"tcp_keepalives_count", "tcp_user_timeout"} <= asked


def test_nobody_takes_a_lease_over_while_a_fact_is_on_its_way(postgres, monkeypatch):
    place, clock = postgres.new_database(), SystemClock()
    with open_store(place, clock) as one, open_store(place, clock) as two:
        lease = Lease(one, "bench", clock)
        lease.acquire("evening-1")
        tried = []

        @sa.event.listens_for(one.engine, "commit", once=True)
        def take_over(_):  # what is written can be seen by nobody yet
            with two.engine.begin() as connection:
                connection.exec_driver_sql("SET LOCAL lock_timeout = '100ms'")
                with pytest.raises(sa.exc.OperationalError, match="lock timeout"):
                    connection.execute(sa.update(leases).values(holder="evening-2"))
                tried.append(connection)

        Journal(one, "evening-1").write(SessionEnded(session="s", reason=""))
        assert tried
        with two.engine.begin() as connection:
            connection.execute(sa.update(leases).values({"token": "other"}))
        with pytest.raises(LostLeaseError):
            Journal(one, "evening-1").write(SessionEnded(session="s", reason=""))
        lease.release()


def test_another_store_of_the_same_campaign_is_fenced_too(journal_at, clock):
    with open_store(journal_at, clock) as one, open_store(journal_at, clock) as two:
        lease = Lease(one, "bench", clock)
        lease.acquire("evening-1")
        lease.fence(two)
        Journal(two, "evening-1").write(SessionEnded(session="s", reason=""))
        with one.engine.begin() as connection:
            connection.execute(sa.update(leases).values({"token": "other"}))
        with pytest.raises(LostLeaseError):
            Journal(two, "evening-1").write(SessionEnded(session="s", reason=""))
        lease.release()


def test_who_takes_the_lock_of_one_who_just_goes_waits_for_him(store, clock):
    lease, went = Lease(store, "bench", clock), ["", ""]
    take = lease._lock.take
    lease._lock.take = lambda: went.pop() if went else take()
    lease.acquire("evening-1")
    assert lease._proof
    lease.release()


def test_a_lease_that_was_given_back_leaves_no_lock_file(tmp_path, clock):
    with open_store(tmp_path / "journal.sqlite", clock) as store:
        lease = Lease(store, "bench", clock)
        lease.acquire("small-1")
        assert list(tmp_path.glob("*.lock"))
        lease.release()
    assert list(tmp_path.glob("*.lock")) == []


def test_a_lease_that_was_never_held_can_be_given_back(store, clock):
    Lease(store, "bench", clock).release()


def test_a_lease_that_is_not_renewed_runs_out_and_its_holder_writes_no_more(
    store, clock
):
    far, near = Lease(store, "bench", clock), Lease(store, "bench", clock)
    far.acquire("evening-1")
    far._lock.drop()  # its lock is on another machine, which nobody can ask
    with store.engine.begin() as connection:
        connection.execute(sa.update(leases).values(proof="file on another machine"))
    let_pass(store, clock, 50.0)
    with pytest.raises(LabError, match="held by evening-1"):
        near.acquire("evening-2")
    let_pass(store, clock, 20.0)
    near.acquire("evening-2")
    with pytest.raises(LostLeaseError, match=r"'bench' was lost to evening-2 on .*,"):
        Journal(store, "evening-1").write(SessionEnded(session="s", reason=""))
    assert Journal(store, "evening-1").read() == []
    with pytest.raises(LostLeaseError, match=r"'bench' was lost to evening-2 on .*,"):
        far.renew()
    far.release()
    assert near.holder().name.startswith("evening-2")
    Journal(store, "evening-2").write(SessionEnded(session="s", reason=""))
    near.release()


def test_a_lease_whose_holder_died_is_taken_at_once(store, clock):
    dead, heir = Lease(store, "bench", clock), Lease(store, "bench", clock)
    dead.acquire("evening-1")
    dead._lock.drop()  # as the kernel or the server does when a process dies
    heir.acquire("evening-2")
    heir.release()


def test_a_lock_of_another_run_of_the_server_proves_nothing(postgres, clock):
    with open_store(postgres.new_database(), clock) as store:
        first, second = Lease(store, "bench", clock), Lease(store, "bench", clock)
        first.acquire("evening-1")
        postgres.stop(signal.SIGKILL)
        postgres.start()
        with pytest.raises(LabError, match="held by evening-1"):
            second.acquire("evening-2")  # the first may be about to come back
        first.renew()
        with pytest.raises(LabError, match="held by evening-1"):
            second.acquire("evening-2")
        first._lock.drop()
        second.acquire("evening-2")
        second.release()


def test_a_lock_file_that_cannot_be_made_is_one_sentence(tmp_path, clock):
    with open_store(tmp_path / "journal.sqlite", clock) as store:
        (tmp_path / "journal.sqlite.bench.lock").mkdir()
        with pytest.raises(JournalError, match=r"lock file .* cannot be made: Is a"):
            Lease(store, "bench", clock).acquire("evening-1")


@pytest.fixture
def controllers(journal_at):
    """Start processes that try to hold the lab."""
    started = []

    def start(campaign):
        words = [sys.executable, "-c", HOLD, journal_at, campaign]
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        started.append(subprocess.Popen(words, text=True, **pipes))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate(timeout=60)


def test_a_controller_that_was_killed_is_followed_at_once(controllers):
    first = controllers("evening-1")
    assert first.stdout.readline() == "held\n"
    refused = controllers("evening-2")
    _, said = refused.communicate(timeout=60)
    assert refused.returncode == 1
    assert f"held by evening-1 on {os.uname().nodename}, process {first.pid};" in said
    first.kill()
    first.wait(60)
    assert_is_free_soon(controllers)


def assert_is_free_soon(controllers):
    # The server needs a moment to see that the other end of a socket is gone.
    def is_taken():
        heir = controllers("evening-3")
        held = heir.stdout.readline() == "held\n"
        heir.communicate("", timeout=60)
        return held

    assert wait_until(is_taken, clock=SystemClock(), deadline_s=60)


def take_lock_away(store, journal_at):
    """Let the holder look as one on another machine, or cut off from the server."""
    if store.is_file:
        Path(f"{journal_at}.bench.lock").unlink()
        with store.engine.begin() as connection:
            values = {"proof": "file on another machine", "heartbeat_ns": 0}
            connection.execute(sa.update(leases).values(values))
        return
    locks = "FROM pg_locks WHERE locktype = 'advisory'"

    def is_cut():
        with store.reading() as connection:
            connection.exec_driver_sql(f"SELECT pg_terminate_backend(pid) {locks}")
            count = connection.exec_driver_sql(f"SELECT count(*) {locks}")
            return count.scalar() == 0

    assert wait_until(is_cut, clock=SystemClock(), deadline_s=60)


def test_a_controller_that_sleeps_is_followed_when_its_lock_is_gone_and_stops(
    controllers, journal_at
):
    first = controllers("evening-1")
    assert first.stdout.readline() == "held\n"
    first.send_signal(signal.SIGSTOP)
    clock = SystemClock()
    with open_store(journal_at, clock) as store:
        with store.engine.begin() as connection:
            connection.execute(sa.update(leases).values(heartbeat_ns=0))
        heir = Lease(store, "bench", clock)
        with pytest.raises(LabError, match="held by evening-1"):
            heir.acquire("evening-2")  # it lives
        take_lock_away(store, journal_at)
        heir.acquire("evening-2")
        first.send_signal(signal.SIGCONT)
        _, said = first.communicate("s1\n", timeout=60)
        assert f"was lost to evening-2 on {os.uname().nodename}, process" in said
        assert Journal(store, "evening-1").read() == []
        heir.release()


@pytest.mark.parametrize(("is_inside", "shown"), [(True, "4711"), (False, None)])
def test_inside_the_virtual_lab_the_process_outside_is_named(
    tmp_path, monkeypatch, is_inside, shown
):
    monkeypatch.setenv(CONTROLLER, "4711")
    monkeypatch.delenv("TESTBED_IN_LAB", raising=False)
    if is_inside:
        monkeypatch.setenv("TESTBED_IN_LAB", "1")
    clock = VirtualClock()
    with open_store(tmp_path / "journal.sqlite", clock) as store:
        Lease(store, "bench", clock).acquire("evening-1")
        named = holder_of(store, "bench").name
    assert named.endswith(f", process {shown or os.getpid()}")
