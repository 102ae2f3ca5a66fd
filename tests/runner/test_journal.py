import threading
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.clock import SystemClock, VirtualClock
from testbed.errors import JournalError
from testbed.model.events import Event, SessionEnded, SessionStarted, TrialEnded
from testbed.model.plan import Plan
from testbed.runner.journal.event_text import (
    event_from,
    event_text,
    kind_of,
    plan_from,
    plan_text,
)
from testbed.runner.journal.store import Journal, open_store

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
def store(journal_at):
    with open_store(journal_at, VirtualClock(5)) as opened:
        yield opened


@pytest.fixture
def in_file(tmp_path):
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


def test_threads_and_other_connections_may_write_at_once(journal_at):
    clock = SystemClock()
    with open_store(journal_at, clock) as one, open_store(journal_at, clock) as two:

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


def test_a_committed_fact_is_in_a_copy_of_the_files_taken_at_once(tmp_path, in_file):
    journal = Journal(in_file, "c")
    for n in range(3):
        journal.write(ended(n))
        copy = tmp_path / f"copy{n}"
        copy.mkdir()
        for path in tmp_path.glob("journal.sqlite*"):
            (copy / path.name).write_bytes(path.read_bytes())
        with open_store(copy / "journal.sqlite", VirtualClock()) as copied:
            assert len(Journal(copied, "c").read()) == n + 1


def test_the_default_is_write_ahead_with_full_sync(in_file):
    with in_file.reading() as connection:
        mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar()
        sync = connection.exec_driver_sql("PRAGMA synchronous").scalar()
    assert (mode, sync) == ("wal", 2)


def test_a_file_that_is_no_database_is_refused(tmp_path):
    path = tmp_path / "journal.sqlite"
    path.write_text("not a database, " * 100)
    with pytest.raises(JournalError, match="the file is not a database"):
        open_store(path, VirtualClock())


def test_a_full_disk_is_one_sentence(in_file):
    Journal(in_file, "c").write(ended(0))
    with in_file.reading() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(JournalError, match="disk is full; free some space"):
        Journal(in_file, "c").write(ended("long" * 20_000))


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(JournalError, match="cannot be made"):
        open_store(tmp_path / "file" / "journal.sqlite", VirtualClock())


def test_outcomes_and_channels_come_back_as_enums():
    text = '{"trial":"1","attempt":1,"outcome":"failed","detail":""}'
    event = event_from("trial_ended", text)
    assert isinstance(event, TrialEnded)
    assert type(event.outcome).__name__ == "Outcome"
    assert kind_of(SessionStarted(session="s", host="h", pid=1)) == "session_started"
