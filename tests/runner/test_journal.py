import sqlite3
import threading
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.clock import SystemClock, VirtualClock
from testbed.errors import JournalError, LabError
from testbed.model.events import Event, SessionEnded, SessionStarted, TrialEnded
from testbed.model.plan import Plan
from testbed.runner.journal import Journal, open_store
from testbed.runner.leases import Lease
from testbed.runner.records import (
    event_from,
    event_text,
    kind_of,
    plan_from,
    plan_text,
)

st.register_type_strategy(float, st.floats(allow_nan=False, allow_infinity=False))
events = st.one_of([st.from_type(kind) for kind in get_args(Event)])


@given(event=events)
def test_every_kind_of_event_comes_back_exactly(event):
    assert event_from(kind_of(event), event_text(event)) == event


@settings(max_examples=40)
@given(plan=st.from_type(Plan))
def test_a_plan_comes_back_exactly(plan):
    assert plan_from(plan_text(plan)) == plan


def test_text_that_utf_8_cannot_hold_is_kept_escaped():
    event = SessionEnded(session="s", reason="bad name \udcff")
    assert event_from(kind_of(event), event_text(event)).reason == "bad name \\udcff"


def test_an_event_of_a_newer_version_is_refused_in_one_sentence():
    with pytest.raises(JournalError, match="'trial_paused' that this version"):
        event_from("trial_paused", "{}")


def test_an_event_that_is_damaged_is_refused_in_one_sentence():
    with pytest.raises(JournalError, match="'trial_ended' of the journal is damaged"):
        event_from("trial_ended", '{"trial": 1')


@pytest.fixture
def store(tmp_path):
    with open_store(tmp_path / "journal.sqlite", VirtualClock(5)) as opened:
        yield opened


def ended(n):
    return SessionEnded(session=f"s{n}", reason="done")


def test_what_was_written_is_read_in_order_with_its_stamp(store):
    journal = Journal(store, "c")
    assert journal.write(ended(1)) == 5
    journal.write(ended(2))
    rows = journal.read()
    assert [r.event for r in rows] == [ended(1), ended(2)]
    assert [r.at_ns for r in rows] == [5, 5]
    assert [r.event for r in journal.read(rows[0].seq)] == [ended(2)]


def test_campaigns_do_not_see_each_other(store):
    Journal(store, "one").write(ended(1))
    Journal(store, "two").write(ended(2))
    assert [r.event for r in Journal(store, "two").read()] == [ended(2)]
    assert store.campaigns() == ["one", "two"]


def test_facts_that_belong_to_no_campaign_are_not_listed_as_one(store):
    Journal(store, "#schedules").write(ended(1))
    Journal(store, "one").write(ended(2))
    assert store.campaigns() == ["one"]
    assert len(Journal(store, "#schedules").read()) == 1


def test_threads_and_other_connections_may_write_at_once(tmp_path):
    path = tmp_path / "journal.sqlite"
    clock = SystemClock()
    with open_store(path, clock) as one, open_store(path, clock) as two:

        def write(store, begin):
            for n in range(begin, begin + 25):
                Journal(store, "c").write(ended(n))

        threads = [
            threading.Thread(target=write, args=(store, begin))
            for begin, store in ((0, one), (100, one), (200, two), (300, two))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        rows = Journal(one, "c").read()
    assert len({r.event.session for r in rows}) == 100
    assert [r.seq for r in rows] == sorted(r.seq for r in rows)


def test_a_committed_fact_is_in_a_copy_of_the_files_taken_at_once(tmp_path, store):
    journal = Journal(store, "c")
    for n in range(3):
        journal.write(ended(n))
        copy = tmp_path / f"copy{n}"
        copy.mkdir()
        for path in tmp_path.glob("journal.sqlite*"):
            (copy / path.name).write_bytes(path.read_bytes())
        with open_store(copy / "journal.sqlite", VirtualClock()) as copied:
            assert len(Journal(copied, "c").read()) == n + 1


def test_the_default_is_write_ahead_with_full_sync(store):
    with store.reading() as connection:
        mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar()
        sync = connection.exec_driver_sql("PRAGMA synchronous").scalar()
    assert (mode, sync) == ("wal", 2)


def test_a_newer_schema_is_refused(tmp_path):
    path = tmp_path / "journal.sqlite"
    open_store(path, VirtualClock()).close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE meta SET value = '99' WHERE key = 'schema'")
    connection.close()
    with pytest.raises(JournalError, match=r"has schema 99 .* use a newer testbed"):
        open_store(path, VirtualClock())


def test_a_file_that_is_no_database_is_refused(tmp_path):
    path = tmp_path / "journal.sqlite"
    path.write_text("not a database, " * 100)
    with pytest.raises(JournalError, match="the file is not a database"):
        open_store(path, VirtualClock())


def test_a_full_disk_is_one_sentence(tmp_path, store):
    Journal(store, "c").write(ended(0))
    with store.reading() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(JournalError, match="disk is full; free some space"):
        Journal(store, "c").write(ended("long" * 20_000))


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(JournalError, match="cannot be made"):
        open_store(tmp_path / "file" / "journal.sqlite", VirtualClock())


def test_a_second_controller_is_refused_with_the_name_of_the_first(tmp_path):
    path = tmp_path / "journal.sqlite"
    clock = VirtualClock(10**18)
    with open_store(path, clock) as one, open_store(path, clock) as two:
        first, second = Lease(one, "bench", clock), Lease(two, "bench", clock)
        first.acquire("evening-1")
        with pytest.raises(LabError, match=r"held by evening-1 on .*, process"):
            second.acquire("evening-2")
        first.release()
        second.acquire("evening-2")
        assert second.holder().name.startswith("evening-2")
        second.release()


def test_a_lease_is_renewed_in_time_and_not_at_each_call(store):
    clock = VirtualClock(10**18)
    lease = Lease(store, "bench", clock, ttl_s=80.0)
    lease.acquire("small-1")
    lease.renew_in_time()
    assert lease.holder().heartbeat_ns == 10**18
    clock.sleep(11.0)
    lease.renew_in_time()
    assert lease.holder().heartbeat_ns == clock.now_ns()
    lease.release()


def test_a_lease_that_was_given_back_leaves_no_lock_file(store):
    clock = VirtualClock(10**18)
    lease = Lease(store, "bench", clock)
    before = set(store.file.parent.iterdir()) if store.file else set()
    lease.acquire("small-1")
    lease.release()
    after = set(store.file.parent.iterdir()) if store.file else set()
    assert [path for path in after - before if path.suffix == ".lock"] == []


def test_a_lease_of_another_machine_runs_out_when_it_is_not_renewed(store):
    clock = VirtualClock(10**18)
    far, near = Lease(store, "bench", clock), Lease(store, "bench", clock)
    far._host = "far"
    far.acquire("evening-1")
    far._unlock_file()  # its lock is on its own machine
    clock.sleep(50.0)
    far.renew()
    clock.sleep(50.0)
    with pytest.raises(LabError):
        near.acquire("evening-2")
    clock.sleep(20.0)
    near.acquire("evening-2")
    with pytest.raises(JournalError, match="was lost to another controller"):
        far.renew()
    near.release()


def test_a_lease_of_a_dead_process_of_this_machine_is_taken_at_once(store):
    clock = VirtualClock(10**18)
    dead, heir = Lease(store, "bench", clock), Lease(store, "bench", clock)
    dead.acquire("evening-1")
    dead._unlock_file()  # as the kernel does when a process dies
    heir.acquire("evening-2")
    heir.release()


def test_outcomes_and_channels_come_back_as_enums():
    text = '{"trial":"1","attempt":1,"outcome":"failed","detail":""}'
    event = event_from("trial_ended", text)
    assert isinstance(event, TrialEnded)
    assert type(event.outcome).__name__ == "Outcome"
    assert kind_of(SessionStarted(session="s", host="h", pid=1)) == "session_started"
